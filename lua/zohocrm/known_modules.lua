--- The names of modules, for "did you mean" when the server does not know one.

local suggest = require "zohocrm.suggest"

local M = {}

--- The modules that every account has, in case the server's own list cannot be had.
M.standard = {
  "Leads", "Contacts", "Accounts", "Deals", "Campaigns", "Tasks", "Calls", "Events", "Products", "Vendors", "Cases",
  "Solutions", "Quotes", "Sales_Orders", "Purchase_Orders", "Invoices", "Price_Books", "Notes",
}

-- The server's list costs one metadata call, made once a client and only after a wrong name.
local function names(client)
  if not client.module_names then
    client.module_names = M.standard
    local answer = require("zohocrm.transport").request(client, {
      action = "list modules", path = { "crm", "v8", "settings", "modules" }, retries = 0,
    })
    local modules = answer and type(answer.body) == "table" and answer.body.modules
    if type(modules) == "table" and modules[1] then
      local list = {}
      for _, module in ipairs(modules) do
        list[#list + 1] = type(module) == "table" and module.api_name or nil
      end
      client.module_names = list
    end
  end
  return client.module_names
end

--- What to do about a module that the server does not know.
---@param client table the client's private part
---@param wrong string
---@return string
function M.advice(client, wrong)
  local near = suggest.nearest(wrong, names(client), 3)
  if #near > 0 then
    return ("there is no module '%s'; did you mean %s? (names are case-sensitive)"):format(wrong,
      table.concat(near, ", "))
  end
  return ("there is no module '%s'; crm:modules() lists those that there are"):format(wrong)
end

return M
