--- What the client and its handles have in common: a misspelt method raises, and so does an assignment, which would
--- otherwise be taken without a word and break a later call.

local raise = require "zohocrm.raise"
local suggest = require "zohocrm.suggest"

local M = {}

--- The metamethod `__index` of a handle.
---@param methods table<string, function>
---@param what string for the message: "a module"
---@param synonyms? table<string, string> see `suggest.hint`
---@return fun(self: table, name: any): function|nil
function M.index(methods, what, synonyms)
  return function(_, name)
    local method = methods[name]
    if method == nil and type(name) == "string" then
      local known = {}
      for method_name in pairs(methods) do
        known[#known + 1] = method_name
      end
      table.sort(known)
      raise(("%s has no '%s'%s (it has %s)"):format(what, name, suggest.hint(name, known, synonyms),
        table.concat(known, ", ")))
    end
    return method
  end
end

--- The metamethod `__newindex` of a handle.
---@param what string for the message: "a module"
---@return fun(self: table, name: any)
function M.newindex(what)
  return function(_, name)
    raise(("%s takes no assignments: '%s' belongs into a variable of your own"):format(what, tostring(name)))
  end
end

return M
