--- Asking the sandbox engine in COQL, for its specs: raw text in, rows out.

local assert = require("luassert")
local engine = require("spec.support.sandbox_engine")

local M = {}

--- Sends a query.
---@param query string
---@param include_meta any
---@return integer status
---@return table? body decoded
function M.ask(query, include_meta)
  return engine.crm("POST", "coql", nil, { select_query = query, include_meta = include_meta })
end

--- The rows of a query that must be answered; {} where nothing was found.
---@return table[] rows
---@return table? info
function M.rows(query)
  local status, body = M.ask(query)
  if status == 204 then
    assert.is_nil(body)
    return {}
  end
  assert.equal(200, status, body and query .. ": " .. tostring(body.code) .. ", " .. tostring(body.message))
  assert.equal(#body.data, body.info.count)
  return body.data, body.info
end

--- The values of one column of a query.
function M.column(name, query)
  local values = {}
  for i, row in ipairs(M.rows(query)) do
    values[i] = row[name]
  end
  return values
end

--- Asserts an error of the reference's form; gives the message.
function M.refused(code, details, query)
  local status, body = M.ask(query)
  assert.equal(400, status, query)
  assert.equal(code, body.code, query)
  assert.equal("error", body.status)
  assert.same(details, body.details)
  return body.message
end

--- The same, with the details checked by name: those named must be there, others may be.
function M.refused_with(code, wanted, query)
  local status, body = M.ask(query)
  assert.equal(400, status, query)
  assert.equal(code, body.code, query)
  for name, value in pairs(wanted) do
    assert.equal(value, body.details[name], query .. ": " .. name)
  end
  return body.message
end

--- Starts a sandbox with five leads, and contacts of accounts that have parents.
---@return {top: string, sub: string} accounts their ids
function M.start()
  engine.start({ time = engine.NOW, records = 0 })
  local create = engine.create
  local leads = {
    { Last_Name = "Smith", City = "Oslo", Email = "smith@example.com", Annual_Revenue = 10, Lead_Source = "Chat" },
    { Last_Name = "Smithson", City = "Rome", Annual_Revenue = 20.5, Email_Opt_Out = true, Lead_Source = "Cold Call" },
    { Last_Name = "O'Neil", City = "Oslo", Annual_Revenue = -3, Company = 'say "hi"', Interests = { "Training", "Hardware" } },
    { Last_Name = "Öberg", Company = "100% back\\slash", No_of_Employees = 7, Interests = { "Training" } },
    { Last_Name = "null", First_Contact_Date = "2026-02-06", Next_Call_Time = "2026-02-06T10:00:00+02:00" },
  }
  for _, lead in ipairs(leads) do
    create("Leads", lead)
  end
  local accounts = {}
  accounts.top = create("Accounts", { Account_Name = "Top", Industry = "Real Estate" })
  accounts.sub = create("Accounts", { Account_Name = "Sub", Parent_Account = { id = accounts.top }, Annual_Revenue = 5 })
  create("Contacts", { Last_Name = "Low", Account_Name = { id = accounts.sub } })
  create("Contacts", { Last_Name = "High", Account_Name = { id = accounts.top } })
  create("Contacts", { Last_Name = "Free" })
  return accounts
end

return M
