--- The names of modules, for "did you mean" when the server does not know one.

local suggest = require "zohocrm.suggest"

local M = {}

--- The modules that every account has, in case the server's own list cannot be had.
M.standard = {
  "Leads", "Contacts", "Accounts", "Deals", "Campaigns", "Tasks", "Calls", "Events", "Products", "Vendors", "Cases",
  "Solutions", "Quotes", "Sales_Orders", "Purchase_Orders", "Invoices", "Price_Books", "Notes",
}

-- The server's list costs one metadata call, made once a connection and only after a wrong name.
local function names(client, refused)
  local connection = refused.headers and refused.headers["Maton-Connection"] or ""
  local known = client.module_names
  if not known[connection] then
    known[connection] = M.standard
    local answer = require("zohocrm.transport").request(client, {
      action = "list modules", path = { "crm", "v8", "settings", "modules" }, retries = 0,
      headers = connection ~= "" and { ["Maton-Connection"] = connection } or nil,
      timeout = refused.timeout, deadline = refused.deadline,
    })
    local modules = answer and type(answer.body) == "table" and answer.body.modules
    if type(modules) == "table" and modules[1] then
      local list = {}
      for _, module in ipairs(modules) do
        list[#list + 1] = type(module) == "table" and module.api_name or nil
      end
      known[connection] = list
    end
  end
  return known[connection]
end

--- What to do about a module that the server does not know.
---@param client table the client's private part
---@param refused table description of the request that was refused; what bounded it bounds this, too
---@return string
function M.advice(client, refused)
  local wrong = refused.module
  local near = suggest.nearest(wrong, names(client, refused), 3)
  if #near > 0 then
    return ("there is no module '%s'; did you mean %s? (names are case-sensitive)"):format(wrong,
      table.concat(near, ", "))
  end
  return ("there is no module '%s'; crm:modules() lists those that there are"):format(wrong)
end

return M
