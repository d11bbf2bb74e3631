-- The sandbox engine: the search endpoint and its criteria.

local conditions = require("zohocrm.sandbox.conditions")
local criteria = require("zohocrm.sandbox.criteria")
local engine = require("spec.support.sandbox_engine")
local schema = require("zohocrm.sandbox.schema")

local create, crm, write = engine.create, engine.crm, engine.write
local NOW = engine.NOW

-- Asserts an answer in Zoho's error envelope; gives its details.
local function refused(status, code, got_status, body)
  assert.equal(status, got_status)
  assert.equal(code, body.code)
  assert.equal("error", body.status)
  assert.is_string(body.message)
  return body.details
end

describe("sandbox engine, searching", function()
  local sb

  before_each(function()
    sb = engine.start({ time = NOW, records = 12 })
  end)

  describe("search", function()
    local people

    before_each(function()
      sb = engine.start({ time = NOW, records = 0 })
      local rows = {
        { Last_Name = "Smith", City = "Oslo", Email = "smith@example.com", Phone = "555-123-4567", Annual_Revenue = 10 },
        { Last_Name = "Smithson", City = "Rome", Annual_Revenue = 20.5, Email_Opt_Out = true, Lead_Source = "Cold Call" },
        { Last_Name = "Blacksmith", City = "Oslo", Annual_Revenue = -3, Lead_Source = "Chat", Company = "Burns,B (x)" },
        { Last_Name = "Öberg", City = "Malmö", Interests = { "Training", "Hardware" }, Company = "back\\slash" },
        { Last_Name = "null", First_Contact_Date = "2026-02-06", Next_Call_Time = "2026-02-06T10:00:00+02:00" },
      }
      people = {}
      for i, row in ipairs(rows) do
        people[create("Leads", row)] = row.Last_Name
        if i == 2 then
          sb:advance(100)
        end
      end
    end)

    local function names(parameters, sort)
      parameters.sort_by, parameters.sort_order = "id", "asc"
      for name, value in pairs(sort or {}) do
        parameters[name] = value
      end
      local status, body = crm("GET", "Leads/search", parameters)
      if status == 204 then
        return {}
      end
      assert.equal(200, status)
      local found = {}
      for i, record in ipairs(body.data) do
        found[i] = people[record.id]
      end
      return found
    end

    it("evaluates criteria", function()
      local S, SS, B, O, N = "Smith", "Smithson", "Blacksmith", "Öberg", "null"
      local cases = {
        -- texts: equals contains, case aside
        { "(Last_Name:equals:smith)", { S, SS, B } }, { "(Last_Name:starts_with:SMITH)", { S, SS } },
        { "(Last_Name:not_equal:smith)", { O, N } }, { "(Last_Name:in:son,öBERG)", { SS, O } },
        { "(Last_Name:equals:null)", { N } }, { "(Full_Name:starts_with:Black)", { B } },
        { "(Company:equals:${EMPTY})", { S, SS, N } }, { "(Company:not_equal:${EMPTY})", { B, O } },
        -- escapes
        { "(Company:equals:Burns\\,B \\(x\\))", { B } }, { "(Company:equals:back\\\\)", { O } },
        { "(Company:equals:k\\s)", { O } },
        -- pick lists, booleans, multi-select
        { "(Lead_Source:equals:Cold Call)", { SS } }, { "(Lead_Source:equals:Cold)", {} },
        { "(Lead_Source:in:Chat,Cold Call)", { SS, B } }, { "(Lead_Source:equals:null)", { S, O, N } },
        { "(Email_Opt_Out:equals:true)", { SS } }, { "(Email_Opt_Out:not_equal:true)", { S, B, O, N } },
        { "(Interests:equals:Hardware)", { O } }, { "(Interests:starts_with:Train)", { O } },
        -- numbers
        { "(Annual_Revenue:greater_than:10)", { SS } }, { "(Annual_Revenue:greater_equal:10)", { S, SS } },
        { "(Annual_Revenue:less_than:10)", { B } }, { "(Annual_Revenue:less_equal:10)", { S, B } },
        { "(Annual_Revenue:between:-3,10)", { S, B } }, { "(Annual_Revenue:in:20.50,-3)", { SS, B } },
        { "(Annual_Revenue:equals:10.0)", { S } }, { "(Annual_Revenue:equals:null)", { O, N } },
        -- dates and times
        { "(First_Contact_Date:equals:2026-02-06)", { N } }, { "(First_Contact_Date:less_than:2026-02-06)", {} },
        { "(Next_Call_Time:equals:2026-02-06T08:00:00Z)", { N } },
        { "(Created_Time:greater_than:2026-02-06T10:10:56+01:00)", { B, O, N } },
        { "(Created_Time:between:2026-02-06T09:10:56Z,2026-02-06T09:10:57Z)", { S, SS } },
        -- ids and owners
        { "(id:greater_than:7243485000000619003)", { O, N } }, { "(id:in:7243485000000619001)", { S } },
        { "(Owner:equals:7243485000000590001)", { S, SS, B, O, N } }, { "(Owner:not_equal:7243485000000590001)", {} },
        -- nesting, blanks, precedence
        { "((City:equals:Oslo)and(Last_Name:starts_with:Sm))", { S } },
        { "(City:equals:Oslo)and(Last_Name:starts_with:Sm)", { S } },
        -- (blanks of a value belong to it)
        { " ( ( City : equals:Oslo ) OR (City:equals:Rome) ) ", { SS } },
        { "((City:equals:Oslo) or (City:equals:Rome))", { S, SS, B } },
        { "((Last_Name:starts_with:Sm)and((City:equals:Rome)or(City:equals:Malmö)))", { SS } },
        { "((City:equals:Malmö)or(City:equals:Oslo)and(Last_Name:starts_with:Sm))", { S, O } },
        { "((City:equals:Oslo)and(Last_Name:starts_with:Sm)or(City:equals:Malmö))", { S, O } },
        { "((((((Last_Name:equals:son))))))", { SS } },
      }
      for _, case in ipairs(cases) do
        assert.same(case[2], names({ criteria = case[1] }), case[1])
      end
    end)

    it("refuses wrong criteria with INVALID_QUERY and a reason", function()
      local cases = {
        { "Last_Name:equals:x", "opening parenthesis" }, { "(Last_Name:equals)", "condition" }, { "()", "condition" },
        { "(Last_Name:equals:x", "closing parenthesis" }, { "((Last_Name:equals:x)", "or" },
        { "(Last_Name:equals:x))", "character" }, { "(Last_Name:equals:x)and", "opening" },
        { "((Last_Name:equals:x)xor(City:equals:y))", "and" }, { "(Last_Name:equals:(x))", "backslash" },
        { "(Last_Name:equals:a,b)", "comma", "Last_Name" }, { "(Last_Name:equals:)", "value", "Last_Name" }, { ("("):rep(2900), "deeply" },
        { "(Nothing:equals:x)", "not available", "Nothing" }, { "(Twitter:equals:x)", "not available", "Twitter" },
        { "(Last_Name:greater_than:x)", "operator", "Last_Name" }, { "(Last_Name:contains:x)", "operator", "Last_Name" },
        { "(Description:in:x)", "operator", "Description" }, { "(Lead_Source:starts_with:x)", "operator", "Lead_Source" },
        { "(Email_Opt_Out:in:true)", "operator", "Email_Opt_Out" }, { "(Annual_Revenue:equals:x)", "value", "Annual_Revenue" },
        { "(Annual_Revenue:between:1)", "values", "Annual_Revenue" }, { "(Email_Opt_Out:equals:1)", "value", "Email_Opt_Out" },
        { "(Created_Time:equals:2026-02-06)", "value", "Created_Time" },
        { "(First_Contact_Date:equals:2026-02-30)", "value", "First_Contact_Date" },
        { "(Owner:equals:John)", "value", "Owner" },
        { "(Last_Name:in:" .. ("x,"):rep(100) .. "x)", "values", "Last_Name" },
      }
      for _, case in ipairs(cases) do
        local details = refused(400, "INVALID_QUERY", crm("GET", "Leads/search", { criteria = case[1] }))
        assert.matches(case[2], details.reason, 1, true)
        assert.equal(case[3], details.api_name, case[1])
      end
    end)

    it("allows 15 conditions and 3,000 characters", function()
      local one = "(Last_Name:equals:x)"
      local function many(count)
        return "(" .. (one .. "or"):rep(count - 1) .. one .. ")"
      end
      assert.equal(204, (crm("GET", "Leads/search", { criteria = many(15) })))
      local _, body = crm("GET", "Leads/search", { criteria = many(16) })
      assert.equal("CRITERIA_LIMIT_EXCEEDED", body.code)
      assert.equal("no of criterium that can be given exceed the limit 15", body.message)
      local long = ("(Last_Name:equals:%s)"):format(("x"):rep(3000 - #one + 1))
      assert.equal(204, (crm("GET", "Leads/search", { criteria = long })))
      assert.equal(3000, refused(400, "LIMIT_EXCEEDED", crm("GET", "Leads/search", { criteria = long .. " " })).limit)
    end)

    it("finds by e-mail, phone and word; the first of the four given counts", function()
      assert.same({ "Smith" }, names({ email = "SMITH@example" }))
      assert.same({ "Smith" }, names({ phone = "123-4567" }))
      assert.same({ "Smith" }, names({ phone = "5551234" }))
      assert.same({ "Smith", "Smithson", "Blacksmith" }, names({ word = "smith" }))
      assert.same({ "Öberg" }, names({ word = "öb" }))
      assert.same({ "Öberg" }, names({ criteria = "(City:equals:Malmö)", word = "smith" }))
      assert.same({ "Smith" }, names({ email = "smith@", phone = "000", word = "zz" }))
    end)

    it("refuses missing and short parameters, and pages past 2,000", function()
      assert.same({ param_names = { "criteria", "email", "phone", "word" } },
        refused(400, "EXPECTED_PARAM_MISSING", crm("GET", "Leads/search")))
      refused(400, "EXPECTED_PARAM_MISSING", crm("GET", "Leads/search", "criteria="))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "phone=12"))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "word=a"))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "word=ab&per_page=201"))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "word=ab&sort_by=Nothing"))
      refused(400, "LIMIT_REACHED", crm("GET", "Leads/search", "word=ab&page=11"))
      assert.equal(204, (crm("GET", "Leads/search", "word=ab&page=10")))
    end)

    it("pages without a token, sorts by any field, gives all fields or those asked for", function()
      local function page(number)
        return select(2, crm("GET", "Leads/search", { word = "smith", per_page = 2, page = number, fields = "Last_Name" }))
      end
      assert.same({ per_page = 2, count = 2, page = 1, more_records = true }, page(1).info)
      assert.same({ per_page = 2, count = 1, page = 2, more_records = false }, page(2).info)
      assert.same({ "Last_Name", "id" }, (function()
        local keys = {}
        for key in pairs(page(1).data[1]) do
          keys[#keys + 1] = key
        end
        table.sort(keys)
        return keys
      end)())
      local _, whole = crm("GET", "Leads/search", "word=smithson")
      assert.equal("Rome", whole.data[1].City)
      assert.same({ "Blacksmith", "Smith", "Smithson" }, names({ word = "smith" }, { sort_by = "Annual_Revenue" }))
      assert.same({ "Öberg", "Smithson", "Smith", "null", "Blacksmith" },
        names({ criteria = "(Last_Name:not_equal:zz)" }, { sort_by = "Last_Name", sort_order = "desc" }))
    end)

    it("sees writes late when told to", function()
      sb = engine.start({ time = NOW, records = 0, search_delay = 10 })
      local function found(word)
        return (crm("GET", "Leads/search", { word = word })) == 200
      end
      local id = create("Leads", { Last_Name = "First" })
      assert.is_false(found("First"))
      assert.equal(200, (crm("GET", "Leads/" .. id)))
      sb:advance(10)
      assert.is_true(found("First"))
      write("PUT", "Leads", { id = id, Last_Name = "Second" })
      assert.is_true(found("First"))
      assert.is_false(found("Second"))
      sb:advance(10)
      assert.is_false(found("First"))
      assert.is_true(found("Second"))
      crm("DELETE", "Leads/" .. id)
      assert.is_false(found("Second"))
    end)

    it("finds converted leads and those of a view only on demand", function()
      sb = engine.start({ time = NOW, records = 5 })
      local function count(parameters)
        parameters.criteria = "(id:greater_than:1)"
        local _, body = crm("GET", "Leads/search", parameters)
        return body and #body.data or 0
      end
      assert.equal(5, count({}))
      assert.equal(3, count({ converted = "true" }))
      assert.equal(10, count({ converted = "both", approved = "both" }))
      local _, views = crm("GET", "settings/custom_views", "module=Leads")
      assert.is_true(count({ cvid = views.custom_views[2].id }) < 5)
    end)
  end)

  describe("criteria", function()
    it("reads hostile input in time that grows with its length only", function()
      for _, text in ipairs({ ("("):rep(1e6), ("(a:b:"):rep(2e5), "(a:b:" .. ("\\"):rep(1e6), (" "):rep(1e6),
        "(a:b:" .. (","):rep(2e5) .. ")", ("(a:equals:b)and"):rep(1e5), "(" .. (" "):rep(1e6) }) do
        local started = os.clock()
        criteria.parse(text)
        -- a guard, not a measure: what grows with the square of these lengths takes hours, also without valgrind
        assert.is_true(os.clock() - started < 60)
      end
    end)

    it("gives trees that other readers can give too", function()
      assert.same({ any = { { all = { { field = "a", operator = "x", values = { "1", "2:3" } },
        { field = "b", operator = "y", values = { "" } } } }, { field = "c", operator = "z", values = { "v" } } } },
        (criteria.parse("(a:x:1,2:3)and(b:y:)or(c:z:v)")))
    end)

    it("compares texts as a whole where that is asked for", function()
      local holds = conditions.compile({ field = "City", operator = "equals", values = { "oslo" } },
        schema.by_name.Leads, true)
      assert.is_true(holds(function()
        return "Oslo"
      end))
      assert.is_false(holds(function()
        return "Oslofjord"
      end))
    end)

    it("orders whole numbers of any length", function()
      local ascending = { "-9007199254740995", "-9007199254740993", "-1", "0", "7", "9007199254740993", "9007199254740995" }
      local field = schema.by_name.Service_Contracts.by_name.Device_Serial
      for i = 1, #ascending do
        local less = conditions.test(field, "less_than", { ascending[i] })
        for k = 1, #ascending do
          assert.equal(k < i, less(ascending[k]), ascending[k] .. " < " .. ascending[i])
        end
      end
    end)
  end)
end)
