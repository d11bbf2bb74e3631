--- The event loops that `zohocrm.new { host = … }` takes, behind one face, for specs:
---
--- | field | is |
--- |---|---|
--- | `name` | the host's name |
--- | `start(f, …)` | runs f in a coroutine of the loop |
--- | `run()` | runs the loop until all that was started is done, and what it may have left is, too |
--- | `beat(f)` | other work of the loop: f is called every few milliseconds, by the loop's own means, while `run` lasts |
---
--- Only those are in the list that Debian packages for the interpreter that runs. They have to be there then.
local is_luajit = rawget(_G, "jit") ~= nil

local function luv()
  local uv = require("luv")
  local beats = {}
  return {
    start = function(f, ...) coroutine.wrap(f)(...) end,
    beat = function(f)
      local timer = uv.new_timer()
      timer:start(5, 5, f)
      timer:unref()
      beats[#beats + 1] = timer
    end,
    run = function()
      uv.run()
      while beats[1] do table.remove(beats):close() end
      uv.run()
    end,
  }
end

local function cqueues()
  local library = require("cqueues")
  local controller, beats, live = library.new(), {}, 0
  return {
    start = function(f, ...)
      live = live + 1
      controller:wrap(function(...)
        f(...)
        live = live - 1
      end, ...)
    end,
    beat = function(f) beats[#beats + 1] = f end,
    run = function()
      for _, f in ipairs(beats) do
        controller:wrap(function()
          while live > 0 do
            library.sleep(0.005)
            f()
          end
        end)
      end
      beats = {}
      assert(controller:loop())
    end,
  }
end

-- Debian's copas has no timers and no end: the other work is a datagram that goes there and back.
local function copas()
  local socket = require("socket")
  local http, protect, newtry = package.loaded["socket.http"], socket.protect, socket.newtry
  package.loaded["socket.http"] = nil -- it insists on being there first
  local library = require("copas")
  package.loaded["socket.http"], socket.protect, socket.newtry = http, protect, newtry
  local beats, live, failures = {}, 0, {}
  local function datagrams()
    local one = assert(socket.udp4())
    one:setsockname("127.0.0.1", 0)
    one:settimeout(0)
    return one, one:getsockname()
  end
  local function beat_with(f)
    local here, _, here_port = datagrams()
    local there, ip, there_port = datagrams()
    library.addthread(function()
      while library.receivefrom(there) == "ping" do there:sendto("pong", ip, here_port) end
      there:close()
    end)
    library.addthread(function()
      while live > 0 do
        here:sendto("ping", ip, there_port)
        library.receivefrom(here)
        socket.sleep(0.001)
        f()
      end
      here:sendto("end", ip, there_port)
      here:close()
    end)
  end
  return {
    start = function(f, ...)
      live = live + 1
      local arguments = { n = select("#", ...), ... }
      library.addthread(function()
        local fine, err = pcall(f, (table.unpack or unpack)(arguments, 1, arguments.n)) -- luacheck: ignore 113 143
        live = live - 1
        if not fine then failures[#failures + 1] = err end
      end)
    end,
    beat = function(f) beats[#beats + 1] = f end,
    run = function()
      for _, f in ipairs(beats) do beat_with(f) end
      beats = {}
      while live > 0 do library.step() end
      while library.step(0.02) do end -- let what is left see that it has ended
      if failures[1] then error(table.remove(failures, 1), 0) end
    end,
  }
end

local list = { { name = "luv", make = luv }, { name = "cqueues", make = cqueues } }
if is_luajit then list[3] = { name = "copas", make = copas } end

for _, loop in ipairs(list) do
  function loop.load()
    local made = loop.make()
    for name, value in pairs(made) do loop[name] = value end
    return loop
  end
end

return list
