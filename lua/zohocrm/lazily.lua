--- Loads what is rarely needed at its first use. Whoever only walks a list then starts sooner, and leaves the garbage
--- collector less to go through in each of its rounds. By that time the program may have set another `package.path`, or
--- left the directory in which a relative one began: neither must break a call.

local M = {}

local function is_absolute(path)
  return path:find("^[/\\]") ~= nil or path:find("^%a:[/\\]") ~= nil
end

-- Where this file was found, all others are, too.
local here = debug.getinfo(1, "S").source:match("^@(.*)zohocrm[/\\]lazily%.lua$")
local home = here and is_absolute(here) and not here:find("[?;]") and (";%s?.lua;%s?/init.lua"):format(here, here) or ""

-- The modules that are to be loaded later.
local later = {}

local function load_module(name)
  local path = package.path
  package.path = path .. home
  local fine, module = pcall(require, name)
  package.path = path
  return fine and module or error(module, 0)
end

--- Stands for a module of functions and constants, and has all of them from the first use on.
---@param name string as `require` takes it
---@return table
function M.module(name)
  later[#later + 1] = name
  return setmetatable({}, {
    __index = function(self, key)
      for what, value in pairs(load_module(name)) do
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
      load_module(name).install(class, accessor)
      return class[method](...)
    end
  end
end

-- Whether `require` finds the module in a file whose path begins in the current directory, which programs leave.
local function is_relative(name)
  local search = package.searchpath -- luacheck: ignore 143 (not in Lua 5.1, but in LuaJIT)
  local path = not package.preload[name] and search(name, package.path)
  return path and not is_absolute(path)
end

--- Loads now what may not be found any more later. To be called when the library itself is loaded.
function M.settle()
  local i = 1
  while later[i] do -- what is loaded may add to them
    if package.loaded[later[i]] == nil and is_relative(later[i]) then
      load_module(later[i])
    end
    i = i + 1
  end
end

return M
