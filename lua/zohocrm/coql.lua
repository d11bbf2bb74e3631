--- The builder of COQL queries, `zohocrm.coql`.
---
---     local coql, c = zohocrm.coql, zohocrm.criteria
---     crm:query(coql.select{ "Last_Name", "Account_Name.Account_Name" }:from "Contacts"
---       :where(c.Account_Name.Industry:equals "Manufacturing"):order_by "Last_Name":limit(100))
---
--- A query is a value: every method gives a new one, and tostring is its text. What it is made of is in
--- `zohocrm.coql_builder`, which the first call loads. Sources: reference 6, after Zoho's pages on COQL (v7).

local builder = require("zohocrm.lazily").module "zohocrm.coql_builder"

local M = {}

local function deferred(name)
  return function(...)
    return builder[name](...)
  end
end

--- Begins a query. Its columns are API names, dotted ones through lookups, and aggregates such as `coql.sum "Amount"`;
--- many are an array, of at most 500, 5 of them aggregates. The answer also has the id, unless there are aggregates.
---@type fun(columns: string|zohocrm.Column|(string|zohocrm.Column|zohocrm.Field)[]): zohocrm.Query
M.select = deferred "select"
--- A field as a column, to give it another name: `coql.column "Account_Name.Account_Name":as "account"`.
---@type fun(field: string|zohocrm.Field): zohocrm.Column
M.column = deferred "column"
--- The number of values of a field; of records with `coql.count "id"`.
---@type fun(field: string|zohocrm.Field): zohocrm.Column
M.count = deferred "count"
--- The sum of a numeric field.
---@type fun(field: string|zohocrm.Field): zohocrm.Column
M.sum = deferred "sum"
--- The average of a numeric field.
---@type fun(field: string|zohocrm.Field): zohocrm.Column
M.avg = deferred "avg"
--- The least value of a field of numbers, dates or times.
---@type fun(field: string|zohocrm.Field): zohocrm.Column
M.min = deferred "min"
--- The greatest value of a field of numbers, dates or times.
---@type fun(field: string|zohocrm.Field): zohocrm.Column
M.max = deferred "max"

return M
