--- A list of numbered records, as a server would answer its pages, and what a walk gives of it.
---
---     faults:script { reply { body = numbered.page(1, 10, 30) } }
---     local list, err = numbered.ids(crm.Leads:each { fields = "id", per_page = 10 })
---     assert.same(numbered.from_to(1, 10), list)
local M = {}

--- The body of a page. Record n of the list has the id 100000 - n: it is in the API's own order.
---@param number integer of the page
---@param size integer records of a page
---@param total integer records of the list
---@param token? string for the next page
---@return string
function M.page(number, size, total, token)
  local items = {}
  for i = (number - 1) * size + 1, math.min(number * size, total) do
    items[#items + 1] = ('{"id":"%d"}'):format(100000 - i)
  end
  return ('{"data":[%s],"info":{"page":%d,"per_page":%d,"count":%d,"more_records":%s,"next_page_token":%s}}'):format(
    table.concat(items, ","), number, size, #items, tostring(number * size < total), token and '"' .. token .. '"' or "null")
end

--- The ids of some records of the list, as numbers.
---@param first integer
---@param last integer
---@return number[]
function M.from_to(first, last)
  local list = {}
  for i = first, last do list[#list + 1] = 100000 - i end
  return list
end

--- The ids of what a walk gives, as numbers.
---@param walk zohocrm.Walk
---@return number[]
---@return any err what ended it before its end
function M.ids(walk)
  local list = {}
  local fine, err = pcall(function()
    for record in walk do list[#list + 1] = tonumber(record.id) end
  end)
  return list, not fine and err or nil
end

return M
