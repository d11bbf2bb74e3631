-- The main job in one page: list leads, then create, update, search and delete one.
--
-- `make demo` runs this file against the sandbox. With MATON_API_KEY set it runs, unchanged, against your own account:
-- it adds one lead named "Quickstart" and deletes it again.

local zohocrm = require "zohocrm"

local crm = zohocrm.new() -- takes the key from MATON_API_KEY

-- Change this line to see something else: other fields, per_page = 5, sort_by = "Created_Time" …
local leads = assert(crm.Leads:list { fields = { "Last_Name", "Company", "Email", "City" }, per_page = 10 })

print(("The newest %d leads:\n"):format(#leads))
print(leads)

local made = assert(crm.Leads:create {
  Last_Name = "Quickstart",
  Company = "Acme",
  Email = ("quickstart-%d@example.com"):format(os.time()),
})
print("\ncreated  " .. made.id)

assert(crm.Leads:update { id = made.id, Phone = "+1-555-9999" })
local lead = assert(crm.Leads:get(made.id))
print("updated  " .. lead.Phone)

-- Zoho's search index lags a little behind writes: just after one, a real account may not find it yet.
local found = assert(crm.Leads:search { email = lead.Email, fields = { "Last_Name", "Email" } })
print(("found    %d by %s"):format(#found, lead.Email))

assert(crm.Leads:delete(made.id))
local gone, err = crm.Leads:get(made.id)
print("deleted  " .. (gone and "not yet" or err.kind))
