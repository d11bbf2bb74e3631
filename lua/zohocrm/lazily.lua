--- Loads what is rarely needed at its first use. Whoever only walks a list then starts sooner, and leaves the garbage
--- collector less to go through in each of its rounds. By that time the program may have set another `package.path`, or
--- left the directory in which a relative one began: neither must break a call.

local M = {}

-- Where this file was found, all others are, too. There is no such place where the path to it may end with the current
-- directory, or where it came from elsewhere than package.path: a bundle, a virtual file system, compiled code.
local function find_home()
  local search = package.searchpath -- luacheck: ignore 143 (not in Lua 5.1, but in LuaJIT)
  local path = search and type(package.path) == "string" and search("zohocrm.lazily", package.path)
  local folder = path and "@" .. path == debug.getinfo(1, "S").source and path:match("^(.*)zohocrm[/\\]lazily%.lua$")
  local absolute = folder and (folder:find("^[/\\]") or folder:find("^%a:[/\\]"))
  return absolute and not folder:find("[?;]") and ("%s?.lua;%s?/init.lua;"):format(folder, folder) or nil
end

local home = find_home()

--- Loads a module of this library, whatever `package.path` is by now.
---@param name string as `require` takes it
---@return any
function M.require(name)
  local path = package.path
  package.path = (home or "") .. (type(path) == "string" and path or "")
  local fine, module = pcall(require, name)
  package.path = path
  return fine and module or error(module, 0)
end

-- The modules that are to be loaded later.
local later = {}

--- Stands for a module of functions and constants, and has all of them from the first use on.
---@param name string as `require` takes it
---@return table
function M.module(name)
  later[#later + 1] = name
  return setmetatable({}, {
    __index = function(self, key)
      for what, value in pairs(M.require(name)) do
        self[what] = value
      end
      return setmetatable(self, nil)[key]
    end,
  })
end

--- Gives a class methods that a module has yet to install.
---@param class table
---@param names string[] the methods
---@param name string the module: `install(class, accessor)` sets these methods
---@param accessor function
function M.methods(class, names, name, accessor)
  later[#later + 1] = name
  for _, method in ipairs(names) do
    class[method] = function(...)
      M.require(name).install(class, accessor)
      return class[method](...)
    end
  end
end

--- Loads now what may not be found any more later, but for what only `zohocrm.new` needs (the sandbox, the adapters of
--- event loops). To be called when the library itself is loaded.
function M.settle()
  local i = 1
  while not home and later[i] do -- what is loaded may add to them
    if not package.preload[later[i]] then
      M.require(later[i])
    end
    i = i + 1
  end
end

return M
