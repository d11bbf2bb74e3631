-- The check against metadata: what it finds, what it asks the server for, and what is sent all the same.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local c = zohocrm.criteria
local LONG = ("x"):rep(81)

-- Conditions with a mistake: of which module, the condition, what is said.
local WRONG_CONDITIONS = {
  { "Leads", c.Lastname:equals "Smith", "no field 'Lastname' in Leads; did you mean 'Last_Name'?" },
  { "Leads", c.Qwrtzuiop:equals "Smith", "no field 'Qwrtzuiop' in Leads" },
  { "Leads", c.Lead_Source:equals "Cold Cal",
    "Lead_Source has no value 'Cold Cal'; did you mean 'Cold Call'?; it has 'Advertisement', 'Cold Call'," },
  { "Leads", c.Lead_Source:in_ { "Chat", "Letter" }, "Lead_Source has no value 'Letter'" },
  { "Leads", c.Salutation:equals "Sir", "it has 'Mr.', 'Mrs.', 'Ms.', 'Dr.', 'Prof.'" },
  { "Leads", c.No_of_Employees:equals "many", "No_of_Employees (integer) takes a whole number, not the string 'many'" },
  { "Leads", c.No_of_Employees:greater_than(1.5), "No_of_Employees (integer) takes a whole number, not the number 1.5" },
  { "Leads", c.No_of_Employees:in_ { 1, true }, "No_of_Employees (integer) takes a whole number, not the boolean true" },
  { "Leads", c.Annual_Revenue:less_than "a lot", "Annual_Revenue (currency) takes a number" },
  { "Leads", c.Email_Opt_Out:equals "maybe", "Email_Opt_Out (boolean) takes true or false, not the string 'maybe'" },
  { "Leads", c.First_Contact_Date:equals "yesterday", "First_Contact_Date (date) takes a date" },
  { "Leads", c.Next_Call_Time:greater_than "2026-02-06", "Next_Call_Time (datetime) takes a time" },
  { "Leads", c.Last_Name:equals(7), "Last_Name (text) takes a string, not the number 7" },
  { "Leads", c.Owner:equals "John", "Owner (ownerlookup) takes the id of a record, not the string 'John'" },
  { "Leads", c.No_of_Employees:starts_with "1", "'starts_with' does not fit No_of_Employees (integer); it takes equals, not_equal," },
  { "Leads", c.Last_Name:greater_than "M", "'greater_than' does not fit Last_Name (text)" },
  { "Leads", c.Email_Opt_Out:is_empty(), "'is_empty' does not fit Email_Opt_Out (boolean); it takes equals" },
  { "Contacts", c.Account_Name.Industri:equals "Real Estate", "no field 'Industri' in Accounts; did you mean 'Industry'?" },
  { "Contacts", c.Account_Name.Industry:equals "Fishing", "Industry has no value 'Fishing'" },
  { "Contacts", c.Account_Name.Parent_Account.Employees:equals "x", "Employees (integer) takes a whole number" },
  { "Contacts", c.Last_Name.Industry:equals "x", "Last_Name (text) is no lookup, so that 'Last_Name.Industry' leads nowhere" },
}

local GOOD_CONDITIONS = {
  { "Leads", c.Last_Name:starts_with "Sm" }, { "Leads", c.Lead_Source:in_ { "Chat", "Cold Call" } },
  { "Leads", c.No_of_Employees:between(1, 5) }, { "Leads", c.No_of_Employees:equals "7" },
  { "Leads", c.Annual_Revenue:greater_equal(1.5) }, { "Leads", c.Email_Opt_Out:equals(true) },
  { "Leads", c.First_Contact_Date:equals "2026-02-06" }, { "Leads", c.First_Contact_Date:equals(zohocrm.date { year = 2026, month = 2, day = 6 }) },
  { "Leads", c.Created_Time:less_than "2026-02-06T10:00:00+01:00" }, { "Leads", c.Created_Time:less_than(zohocrm.datetime(1770340256)) },
  { "Leads", c.Owner:equals "7243485000000590001" }, { "Leads", c.id:in_ { "7243485000000597000" } },
  { "Leads", c.City:is_empty() }, { "Leads", c.Interests:equals "Training;Hardware" }, { "Leads", c.Lead_Source:starts_with "Col" },
  { "Leads", c.field "Owner.last_name":equals "Doe" }, { "Leads", c.field "$approval_state":equals "approved" },
  { "Contacts", c.Account_Name.Parent_Account.Account_Name:equals "Top" }, { "Contacts", c.Account_Name:equals "7243485000000590001" },
  { "Leads", "anything goes in a string: (Lastname:equals:x)" },
  { "Leads", c.all(c.City:equals "Oslo", c.any(c.City:equals "Rome", c.Phone:is_empty())) },
}

-- Records with a mistake: how they are written, the record, what is said.
local WRONG_RECORDS = {
  { "create", { Company = "Acme" }, "Last_Name is missing, which every record of Leads needs" },
  { "create", { Last_Name = "" }, "Last_Name cannot be empty in Leads" },
  { "update", { id = wire.UNKNOWN_ID, Last_Name = zohocrm.null }, "Last_Name cannot be empty in Leads" },
  { "create", { Last_Name = LONG }, "Last_Name has 81 characters; it takes at most 80" },
  { "create", { Last_Name = "Smith", Lastname = "x" }, "no field 'Lastname' in Leads; did you mean 'Last_Name'?" },
  { "create", { Last_Name = 7 }, "Last_Name (text) takes a string, not 7" },
  { "create", { Last_Name = "S", No_of_Employees = "many" }, "No_of_Employees (integer) takes a whole number, not the string 'many'" },
  { "create", { Last_Name = "S", No_of_Employees = 1.5 }, "No_of_Employees (integer) takes a whole number, not 1.5" },
  { "create", { Last_Name = "S", Annual_Revenue = "1" }, "Annual_Revenue (currency) takes a number, not the string '1'" },
  { "create", { Last_Name = "S", Email_Opt_Out = "true" }, "Email_Opt_Out (boolean) takes true or false, not the string 'true'" },
  { "create", { Last_Name = "S", Rating = "Actve" }, "Rating has no value 'Actve'; did you mean 'Active'?; it has 'Acquired', 'Active'," },
  { "create", { Last_Name = "S", Rating = 1 }, "Rating (picklist) takes a string, not 1" },
  { "create", { Last_Name = "S", Interests = "Training" }, "Interests (multiselectpicklist) takes an array of strings, not the string 'Training'" },
  { "create", { Last_Name = "S", Interests = { "Training", "Cooking" } }, "Interests has no value 'Cooking'" },
  { "create", { Last_Name = "S", First_Contact_Date = "6.2.2026" }, "First_Contact_Date (date) takes a date" },
  { "create", { Last_Name = "S", Next_Call_Time = "10:00" }, "Next_Call_Time (datetime) takes a time" },
  { "create", { Last_Name = "S", Owner = true }, "Owner (ownerlookup) takes a record's id, or { id = … }, not true" },
  { "upsert", { Email = "a@example.com", City = {} }, "City (text) takes a string, not a table" },
}

local GOOD_RECORDS = {
  { "create", { Last_Name = ("ö"):rep(80) } }, { "update", { id = wire.UNKNOWN_ID, City = "Oslo" } }, { "upsert", { Email = "a@example.com" } },
  { "create", {
    Last_Name = "S", City = zohocrm.null, No_of_Employees = 7, Annual_Revenue = 7.5, Email_Opt_Out = false, Rating = "Active",
    Interests = { "Training" }, First_Contact_Date = zohocrm.date(0), Next_Call_Time = "2026-02-06T10:00:00+01:00",
    Owner = { id = "7243485000000590001" }, Tag = { { name = "x" } }, ["$approved"] = true, Created_Time = "whatever was read",
  } },
}

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("the check, " .. door.name .. ",", function()
      local sandbox, crm

      setup(function() sandbox = door.start { records = { Leads = 20, Contacts = 2 }, time = wire.NOW } end)
      teardown(function() sandbox.stop() end)
      before_each(function()
        sandbox.reset()
        crm = wire.client(sandbox)
      end)
      after_each(function() crm:close() end)

      -- What the sandbox received: "GET fields Leads", "POST Leads", …
      local function received()
        local list = {}
        for i, request in ipairs(sandbox.requests()) do
          list[i] = request.method .. " " .. request.path:match("([^/]+)$") .. (request.query.module and " " .. request.query.module or "")
        end
        return list
      end

      it("finds what is wrong with a condition, and asks for nothing but the fields", function()
        for _, case in ipairs(WRONG_CONDITIONS) do
          local err = wire.fails({ kind = "invalid", attempts = 0, retryable = false }, crm[case[1]]:check(case[2]))
          assert.is_truthy(tostring(err):find(case[3], 1, true), ("%s: %s"):format(tostring(case[2]), tostring(err)))
          assert.is_truthy(err.details[1]:find(case[3], 1, true))
          assert.equal(1, #err.details)
          assert.is_truthy(tostring(err):find("check " .. case[1] .. ": ", 1, true) == 1)
        end
        assert.same({ "GET fields Leads", "GET fields Contacts", "GET fields Accounts" }, received())
      end)

      it("has nothing against what is right", function()
        for _, case in ipairs(GOOD_CONDITIONS) do
          local fine, err = crm[case[1]]:check(case[2])
          assert.is_true(fine, tostring(case[2]) .. ": " .. tostring(err))
        end
      end)

      it("finds what is wrong with a record", function()
        for _, case in ipairs(WRONG_RECORDS) do
          local err = wire.fails({ kind = "invalid" }, crm.Leads:check { [case[1]] = case[2] })
          assert.is_truthy(tostring(err):find(case[3], 1, true), tostring(err))
          assert.equal(1, #err.details, tostring(err))
        end
        for i, case in ipairs(GOOD_RECORDS) do
          local fine, err = crm.Leads:check { [case[1]] = case[2] }
          assert.is_true(fine, i .. ": " .. tostring(err))
        end
        assert.same({ "GET fields Leads" }, received())
      end)

      it("of several records says which", function()
        local err = wire.fails({ kind = "invalid" }, crm.Leads:check { create = { { Last_Name = "A" }, { Last_Name = 1 }, {} } })
        assert.same({
          "record 2: Last_Name (text) takes a string, not 1", "record 3: Last_Name is missing, which every record of Leads needs",
        }, err.details)
      end)

      it("tells three mistakes and counts the others, which are all in the details", function()
        local err = wire.fails({ kind = "invalid" }, crm.Leads:check {
          criteria = c.all(c.A1:equals "x", c.A2:equals "x"), fields = "A3,City", sort_by = "A4", create = { Last_Name = 1 },
        })
        assert.equal("check Leads: no field 'A1' in Leads; no field 'A2' in Leads; no field 'A3' in Leads; and 2 more mistakes", tostring(err))
        assert.equal(5, #err.details)
      end)

      it("of fields and sort_by", function()
        assert.is_true(crm.Leads:check { fields = { "Last_Name", "id", "Owner" }, sort_by = "Created_Time" })
        assert.is_true(crm.Contacts:check { fields = "Last_Name, Account_Name.Industry" })
        local err = wire.fails({ kind = "invalid" }, crm.Leads:check { fields = "Last_Name,Emial" })
        assert.same({ "no field 'Emial' in Leads; did you mean 'Email'?" }, err.details)
        err = wire.fails({ kind = "invalid" }, crm.Leads:check { sort_by = "Interests" })
        assert.same({ "Interests (multiselectpicklist) cannot be sorted by" }, err.details)
      end)

      it("keeps the fields for each connection, until it is to fetch them anew", function()
        local connection = assert(crm.connections:list())[1].connection_id
        sandbox.clear()
        for _ = 1, 2 do
          assert(crm.Leads:check(c.City:equals "x"))
          assert(crm.Leads:list { fields = "City", check = true, connection = connection })
          assert(crm.Leads:list { fields = "City", check = true, headers = { ["maton-connection"] = connection } })
        end
        assert.same({ "GET fields Leads", "GET fields Leads", "GET Leads", "GET Leads", "GET Leads", "GET Leads" }, received())
        assert.is_nil(sandbox.requests()[1].headers["maton-connection"])
        assert.equal(connection, sandbox.requests()[2].headers["maton-connection"])
        sandbox.clear()
        assert(crm.Leads:check { fields = "City", refresh = true })
        assert(crm.Leads:check { fields = "City" })
        assert.same({ "GET fields Leads" }, received())
      end)

      it("as an option stops a call before it is sent", function()
        local wrong = c.Citty:equals "Oslo"
        local calls = {
          { "list", function(o) return crm.Leads:list(wire.merged(o, { fields = "Last_Name,Citty" })) end },
          { "search", function(o) return crm.Leads:search(wire.merged(o, { criteria = wrong })) end },
          { "all", function(o) return crm.Leads:all(wire.merged(o, { fields = "Citty" })) end },
          { "all", function(o) return crm.Leads:all(wire.merged(o, { criteria = wrong })) end },
          { "each", function(o) return pcall(crm.Leads:each(wire.merged(o, { fields = "Citty" }))) end },
          { "pages", function(o) return pcall(crm.Leads:pages(wire.merged(o, { criteria = wrong }))) end },
          { "scan", function(o) return pcall(crm.Leads:scan(wire.merged(o, { fields = "id", where = wrong }))) end },
          { "create", function(o) return crm.Leads:create({ Last_Name = "x", Citty = "Oslo" }, o) end },
          { "update", function(o) return crm.Leads:update({ id = wire.UNKNOWN_ID, Citty = "Oslo" }, o) end },
          { "upsert", function(o) return crm.Leads:upsert({ Email = "x@example.com", Citty = "Oslo" }, o) end },
        }
        for _, call in ipairs(calls) do
          local result, err = call[2] { check = true }
          assert.is_falsy(result, call[1])
          assert.equal("invalid", err.kind, call[1])
          assert.equal(0, err.attempts)
          assert.is_truthy(tostring(err):find("no field 'Citty' in Leads; did you mean 'City'?", 1, true), tostring(err))
        end
        assert.same({ "GET fields Leads" }, received())
      end)

      it("of a client holds for its calls, unless one of them says otherwise", function()
        crm:close()
        crm = wire.client(sandbox, { check = true })
        wire.fails({ kind = "invalid" }, crm.Leads:list { fields = "Citty" })
        wire.fails({ kind = "invalid" }, crm.Leads:search(c.Citty:equals "x"))
        assert.same({ "GET fields Leads" }, received())
        assert.equal(20, #assert(crm.Leads:list { fields = "Citty", check = false }))
        assert.equal(20, #assert(crm.Leads:list { fields = "City" }))
        assert.equal("Smith", assert(crm.Leads:get(assert(crm.Leads:create { Last_Name = "Smith" }).id)).Last_Name)
      end)

      it("a client that does not ask for it makes no calls for metadata", function()
        crm.Leads:list { fields = "Citty" }
        crm.Leads:create { Last_Name = "Smith" }
        assert.same({ "GET Leads", "POST Leads" }, received())
      end)

      it("sends the records of an array that are right, and gives all outcomes in the order of the input", function()
        local records = {}
        for i = 1, 250 do
          records[i] = { Last_Name = i % 3 ~= 0 and "L" .. i or nil, Company = "Acme", City = i % 50 == 1 and i or nil }
        end
        local outcome = assert(crm.Leads:create(records, { check = true }))
        assert.equal(250, outcome.total)
        local sent = 0
        for i, result in ipairs(outcome) do
          local wrong = i % 3 == 0 or i % 50 == 1
          assert.equal(not wrong, result.ok, i)
          if wrong then
            assert.same({ "invalid", i, 0 }, { result.error.kind, result.error.record, result.error.attempts })
            assert.matches(i % 3 == 0 and "Last_Name is missing" or "City %(text%) takes a string", tostring(result.error))
          else
            sent = sent + 1
          end
        end
        assert.same({ sent, 250 - sent }, { outcome.succeeded, outcome.failed })
        local arrived = 0
        for i, request in ipairs(sandbox.requests()) do
          if i > 1 then arrived = arrived + #wire.decoded(request.body).data end
        end
        assert.equal(sent, arrived)
        assert.equal("L4", assert(crm.Leads:get(outcome[4].id)).Last_Name)
      end)

      it("of an iterator, handing out every result in turn", function()
        local position, order = 0, {}
        local outcome = assert(crm.Leads:upsert(function()
          position = position + 1
          if position <= 120 then return { Email = ("p%d@example.com"):format(position), Last_Name = position % 10 == 0 and LONG or "x" } end
        end, { check = true, on_result = function(i, result, record)
          order[#order + 1] = i
          assert.equal(i % 10 ~= 0, result.ok)
          assert.equal(("p%d@example.com"):format(i), record.Email)
        end }))
        assert.same({ 108, 12, 120 }, { outcome.succeeded, outcome.failed, #order })
        for i, place in ipairs(order) do assert.equal(i, place) end
      end)

      it("with on_error = 'stop' counts a mistake as a failure", function()
        local records = {}
        for i = 1, 300 do records[i] = { Last_Name = i ~= 5 and "x" or nil, City = "Oslo" } end
        crm:close()
        crm = wire.client(sandbox, { concurrency = 1 })
        local outcome = assert(crm.Leads:create(records, { check = true, on_error = "stop" }))
        assert.equal("invalid", outcome[5].error.kind)
        assert.equal("cancelled", outcome[300].error.kind)
        assert.is_true(outcome.succeeded < 300)
      end)

      it("still raises at once what can never be right", function()
        wire.raises(function() crm.Leads:create({ { Last_Name = "x" }, 7 }, { check = true }) end, "record 2 is a number")
        wire.raises(function() crm.Leads:update({ { Last_Name = "x" } }, { check = true }) end, "has no id")
        wire.raises(function() crm.Leads:check(7) end, "check takes a table of options")
        wire.raises(function() crm.Leads:check { criteria = 7 } end, "criteria must be a condition")
        wire.raises(function() crm.Leads:check { criterai = "x" } end, "did you mean 'criteria'?")
        wire.raises(function() crm.Leads:check { create = { { Last_Name = "x" }, "y" } } end, "create: record 2 is a string")
        wire.raises(function() crm.Leads.check(c.City:equals "x") end, "with a colon")
        assert.same({}, received())
      end)

      it("fails where the fields cannot be had, sends nothing, and asks again the next time", function()
        local function down() sandbox.fail_next { status = 500, body = '{"code":"INTERNAL_ERROR","message":"down","status":"error"}' } end
        local calls = {
          function() return crm.Leads:check(c.City:equals "x") end,
          function() return crm.Leads:list { fields = "City", check = true } end,
          function() return crm.Leads:all { fields = "City", check = true } end,
          function() return crm.Leads:create({ Last_Name = "x" }, { check = true }) end,
          function() return crm.Leads:create({ { Last_Name = "x" } }, { check = true }) end,
        }
        for _, call in ipairs(calls) do
          down()
          local err = wire.fails({ kind = "server", retryable = true }, call())
          assert.matches("^list fields of Leads: INTERNAL_ERROR, down; .*the check needs the module's fields$", tostring(err))
        end
        assert.equal(#calls, #received())
        assert.is_true(crm.Leads:check(c.City:equals "x"))
      end)

      it("says so where the module is not there", function()
        local err = wire.fails({ kind = "invalid", code = "INVALID_MODULE" }, crm.Laeds:check { fields = "City" })
        assert.matches("did you mean Leads", tostring(err))
      end)

      it("of a module that cannot be reached through a lookup says whose fields are missing", function()
        assert(crm.Contacts:check { fields = "Last_Name" })
        sandbox.fail_next { status = 403, body = '{"code":"NO_PERMISSION","message":"no","status":"error","details":{}}' }
        local err = wire.fails({ kind = "auth", code = "NO_PERMISSION" }, crm.Contacts:check(c.Account_Name.Industry:equals "x"))
        assert.matches("^list fields of Accounts", tostring(err))
      end)

      it("of several tasks at once fetches the fields once", function()
        local tasks = {}
        for i = 1, 6 do
          tasks[i] = crm:spawn(function() return crm.Leads:check(i % 2 == 0 and c.City:equals "x" or c.Citty:equals "x") end)
        end
        crm:run()
        for i, task in ipairs(tasks) do
          local fine, err = task:result()
          assert.equal(i % 2 == 0 or nil, fine)
          assert.equal(i % 2 == 1 and "invalid" or nil, err and err.kind)
        end
        assert.same({ "GET fields Leads" }, received())
      end)

      it("of several tasks fails for each of them, with errors of their own", function()
        sandbox.fail_next { status = 500, body = "" }
        local tasks = {}
        for i = 1, 3 do tasks[i] = crm:spawn(function() return crm.Leads:check(c.City:equals "x") end) end
        crm:run()
        local errs = {}
        for i, task in ipairs(tasks) do
          errs[i] = wire.fails({ kind = "server" }, task:result())
          local _, count = tostring(errs[i]):gsub("the check needs", "")
          assert.equal(1, count)
        end
        assert.are_not.equal(errs[1], errs[2])
        assert.equal(1, #received())
      end)

      it("is not lost with the task that asked for the fields", function()
        local first = crm:spawn(function() return crm.Leads:check(c.City:equals "x") end)
        local second = crm:spawn(function() return crm.Leads:check(c.City:equals "x") end)
        crm:step()
        first:cancel()
        assert.is_true(crm.Leads:check(c.City:equals "x"))
        crm:run()
        assert.is_true((second:result()))
      end)

      it("with a deadline waits for nobody else", function()
        local slow = crm:spawn(function() return crm.Leads:check { fields = "City" } end)
        local quick = crm:spawn(function() return crm.Leads:check { fields = "City", deadline = 30 } end)
        crm:run()
        assert.is_true((slow:result()))
        assert.is_true((quick:result()))
        assert.same({ "GET fields Leads", "GET fields Leads" }, received())
      end)
    end)
  end
end
