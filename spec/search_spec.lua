-- Search: its parameters, its operators by data type, its limits; one page, and walks.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

-- The only leads there are in the first half of this file.
local LEADS = {
  {
    Last_Name = "Smith", City = "Oslo", Email = "smith@example.com", Phone = "555-100-0001", No_of_Employees = 10,
    Email_Opt_Out = true, First_Contact_Date = "2026-01-10", Next_Call_Time = "2026-01-10T10:00:00-08:00",
    Lead_Source = "Partner", Annual_Revenue = 1000.5,
  },
  {
    Last_Name = "Smithers", City = "Rome", Email = "smithers@example.com", Phone = "555-200-0002", No_of_Employees = 20,
    Email_Opt_Out = false, First_Contact_Date = "2026-01-20", Next_Call_Time = "2026-01-20T10:00:00-08:00",
    Lead_Source = "Chat", Annual_Revenue = 2000.5,
  },
  {
    Last_Name = "Jones, Bob (Jr)", City = "Paris", Email = "jones@example.org", Phone = "555-300-0003",
    No_of_Employees = 30, Email_Opt_Out = false, First_Contact_Date = "2026-01-30",
    Next_Call_Time = "2026-01-30T10:00:00-08:00", Lead_Source = "Trade Show", Annual_Revenue = 3000.5,
  },
  { Last_Name = "C:\\Ek & +ö=%", City = "Åre", Email = "ek@example.org", No_of_Employees = 40, Lead_Source = "Chat" },
}

-- One row for each operator of each kind of field, and for the grammar: criteria, cities of the leads found.
local CRITERIA = {
  -- text
  { "text equals", "(City:equals:Oslo)", "Oslo" },
  { "text not_equal", "(City:not_equal:Oslo)", "Paris Rome Åre" },
  { "text starts_with", "(Last_Name:starts_with:Smi)", "Oslo Rome" },
  { "text in", "(City:in:Oslo,Rome,Bonn)", "Oslo Rome" },
  -- numbers
  { "number equals", "(No_of_Employees:equals:20)", "Rome" },
  { "number not_equal", "(No_of_Employees:not_equal:20)", "Oslo Paris Åre" },
  { "number greater_than", "(No_of_Employees:greater_than:20)", "Paris Åre" },
  { "number greater_equal", "(No_of_Employees:greater_equal:20)", "Paris Rome Åre" },
  { "number less_than", "(No_of_Employees:less_than:20)", "Oslo" },
  { "number less_equal", "(No_of_Employees:less_equal:20)", "Oslo Rome" },
  { "number between", "(No_of_Employees:between:20,30)", "Paris Rome" },
  { "number in", "(No_of_Employees:in:10,30)", "Oslo Paris" },
  { "currency greater_than", "(Annual_Revenue:greater_than:1000.75)", "Paris Rome" },
  -- dates
  { "date equals", "(First_Contact_Date:equals:2026-01-20)", "Rome" },
  { "date not_equal", "((First_Contact_Date:not_equal:2026-01-20)and(City:not_equal:Åre))", "Oslo Paris" },
  { "date greater_than", "(First_Contact_Date:greater_than:2026-01-10)", "Paris Rome" },
  { "date less_than", "(First_Contact_Date:less_than:2026-01-20)", "Oslo" },
  { "date between", "(First_Contact_Date:between:2026-01-10,2026-01-20)", "Oslo Rome" },
  { "date in", "(First_Contact_Date:in:2026-01-10,2026-01-30)", "Oslo Paris" },
  -- times are instants: 19:00+01:00 is 10:00-08:00
  { "time equals", "(Next_Call_Time:equals:2026-01-20T19:00:00+01:00)", "Rome" },
  { "time greater_than", "(Next_Call_Time:greater_than:2026-01-20T19:00:00+01:00)", "Paris" },
  { "time less_than", "(Next_Call_Time:less_than:2026-01-20T10:00:00-08:00)", "Oslo" },
  -- booleans
  { "boolean equals", "(Email_Opt_Out:equals:true)", "Oslo" },
  { "boolean not_equal", "(Email_Opt_Out:not_equal:true)", "Paris Rome Åre" },
  -- choices
  { "picklist equals", "(Lead_Source:equals:Chat)", "Rome Åre" },
  { "picklist in", "(Lead_Source:in:Chat,Partner)", "Oslo Rome Åre" },
  -- the grammar
  { "and", "((Lead_Source:equals:Chat)and(City:equals:Rome))", "Rome" },
  { "or", "((City:equals:Oslo)or(City:equals:Rome))", "Oslo Rome" },
  { "blanks around and", "((Lead_Source:equals:Chat) and (City:equals:Rome))", "Rome" },
  {
    "nesting", "((Email_Opt_Out:equals:false)and((City:equals:Oslo)or(City:equals:Paris)or(City:equals:Rome)))",
    "Paris Rome",
  },
  { "escaped parentheses and commas", "(Last_Name:equals:Jones\\, Bob \\(Jr\\))", "Paris" },
  { "a comma escaped within a list", "(Last_Name:in:Jones\\, Bob \\(Jr\\),Smithers)", "Paris Rome" },
  { "colon, backslash, blank, ampersand, plus, percent, umlaut", "(Last_Name:equals:C:\\\\Ek & +ö=%)", "Åre" },
}

-- The other parameters of the search: options, query, cities of the leads found.
local OPTIONS = {
  { "email", { email = "smith@example.com" }, { email = "smith@example.com" }, "Oslo" },
  { "phone", { phone = "555-200-0002" }, { phone = "555-200-0002" }, "Rome" },
  { "word", { word = "Paris" }, { word = "Paris" }, "Paris" },
  { "a bare string, the criteria", "(City:equals:Oslo)", { criteria = "(City:equals:Oslo)" }, "Oslo" },
  {
    "fields", { criteria = "(City:equals:Oslo)", fields = { "City", "Email" } },
    { criteria = "(City:equals:Oslo)", fields = "City,Email" }, "Oslo",
  },
  {
    "page and per_page", { criteria = "(No_of_Employees:greater_than:0)", page = 2, per_page = 3 },
    { criteria = "(No_of_Employees:greater_than:0)", page = "2", per_page = "3" }, "Oslo",
  },
  {
    "sort_by and sort_order",
    { criteria = "(No_of_Employees:greater_than:0)", sort_by = "No_of_Employees", sort_order = "asc", per_page = 1 },
    {
      criteria = "(No_of_Employees:greater_than:0)", sort_by = "No_of_Employees", sort_order = "asc", per_page = "1",
    }, "Oslo",
  },
  {
    "converted and approved", { criteria = "(City:equals:Oslo)", converted = "both", approved = true },
    { criteria = "(City:equals:Oslo)", converted = "both", approved = "true" }, "Oslo",
  },
}

local MISTAKES = {
  { "nothing to search by", {}, "search needs one of criteria, email, phone and word, and has none" },
  { "no options", nil, "search needs one of criteria" },
  { "two things to search by", { email = "a@b.c", word = "ab" }, "has email and word" },
  { "a word of one letter", { word = "a" }, "word must have at least 2 characters" },
  { "a phone number of two digits", { phone = "55" }, "phone must have at least 3 characters" },
  { "empty criteria", "", "criteria must have at least 1 character" },
  { "201 records a page", { word = "ab", per_page = 201 }, "per_page must be a whole number from 1 to 200" },
  { "51 fields", { word = "ab", fields = ("a,"):rep(51) }, "has 51 fields; the API takes at most 50" },
  { "a page_token, which it does not have", { word = "ab", page_token = "x" }, "unknown option 'page_token'" },
  { "an unknown option", { critera = "x" }, "unknown option 'critera'; did you mean 'criteria'?" },
}

local REFUSED = {
  { "16 conditions", "(" .. ("(City:equals:Oslo)or"):rep(15) .. "(City:equals:Oslo))", "CRITERIA_LIMIT_EXCEEDED" },
  { "an operator that the type does not have", "(City:greater_than:Oslo)" },
  { "an unknown operator", "(City:resembles:Oslo)" },
  { "an unknown field", "(Town:equals:Oslo)" },
  { "an unclosed parenthesis", "((City:equals:Oslo)" },
  { "a boolean that is none", "(Email_Opt_Out:equals:maybe)" },
  { "no parentheses", "City:equals:Oslo" },
}

local function cities(page)
  local names = wire.column(page, "City")
  table.sort(names)
  return table.concat(names, " ")
end

for _, door in ipairs(doors) do
  describe("search (" .. door.name .. ")", function()
    local sandbox, crm

    setup(function()
      sandbox = door.start({ records = 0, time = wire.NOW })
      crm = wire.client(sandbox)
    end)
    teardown(function()
      crm:close()
      sandbox.stop()
    end)
    before_each(function()
      sandbox.reset()
      assert.equal(#LEADS, crm.Leads:create(LEADS).succeeded)
      sandbox.clear()
    end)

    for _, row in ipairs(CRITERIA) do
      it("by criteria: " .. row[1], function()
        local page, err = crm.Leads:search({ criteria = row[2], fields = "City" })
        assert.is_nil(err)
        local request = wire.received(sandbox, {
          "GET", "/Leads/search", query = { criteria = row[2], fields = "City" },
        })
        assert.is_nil(request.raw_query:find("[+ ()\\]"), "all of it percent-encoded: " .. request.raw_query)
        assert.equal(row[3], cities(page))
      end)
    end

    for _, row in ipairs(OPTIONS) do
      it("by " .. row[1], function()
        local page, err = crm.Leads:search(row[2])
        assert.is_nil(err)
        wire.received(sandbox, { "GET", "/Leads/search", query = row[3] })
        assert.equal(row[4], cities(page))
      end)
    end

    it("by criteria that were built", function()
      local built = zohocrm.criteria.City:equals("Oslo")
      local expected = { "GET", "/Leads/search", query = { criteria = "(City:equals:Oslo)" } }
      assert.equal("Oslo", cities(assert(crm.Leads:search(built))))
      assert.equal("Oslo", cities(assert(crm.Leads:search({ criteria = built }))))
      wire.received(sandbox, expected, expected)
    end)

    it("through a chosen connection", function()
      local id = assert(crm.connections:list({ status = "ACTIVE" }))[1].connection_id
      sandbox.clear()
      assert(crm.Leads:search({ word = "Paris", connection = id }))
      wire.received(sandbox, {
        "GET", "/Leads/search", query = { word = "Paris" }, headers = { ["maton-connection"] = id },
      })
    end)

    it("gives whole records where no fields are asked for, and the page's information", function()
      local page = assert(crm.Leads:search("(City:equals:Oslo)"))
      for field, value in pairs(LEADS[1]) do
        if field ~= "Next_Call_Time" then assert.equal(value, page[1][field], field) end
      end
      assert.matches(wire.ID, page[1].id)
      assert.equal(200, page.info.per_page)
      assert.equal(1, page.info.count)
      assert.equal(1, page.info.page)
      assert.is_false(page.info.more_records)
      assert.is_nil(page.info.next_page_token)
    end)

    it("finds nothing, 204: an empty page", function()
      for _, o in ipairs({ "(City:equals:Nowhere)", { email = "no@example.com" }, { word = "nowhere" } }) do
        local page, err = crm.Leads:search(o)
        assert.is_nil(err)
        assert.same({ 0, false }, { #page, page.info.more_records })
      end
    end)

    for _, row in ipairs(REFUSED) do
      it("is refused for " .. row[1], function()
        wire.fails({ kind = "invalid", code = row[3] or "INVALID_QUERY", status = 400 }, crm.Leads:search(row[2]))
        wire.received(sandbox, { "GET", "/Leads/search", query = { criteria = row[2] } })
      end)
    end

    for _, row in ipairs(MISTAKES) do
      it("never has " .. row[1], function()
        wire.raises(function() crm.Leads:search(row[2]) end, row[3])
        wire.received(sandbox)
      end)
    end

    it("needs something to search by: what the server says", function()
      wire.fails({ code = "EXPECTED_PARAM_MISSING", kind = "invalid", status = 400 },
        crm:request({ path = "/crm/v8/Leads/search" }))
    end)

    it("is walked when what to search by is among the options", function()
      local found = {}
      for lead in crm.Leads:each({ criteria = "(No_of_Employees:greater_than:0)", per_page = 3, prefetch = 0 }) do
        found[#found + 1] = lead
      end
      assert.equal("Oslo Paris Rome Åre", cities(found))
      local function page(number)
        return {
          "GET", "/Leads/search",
          query = { criteria = "(No_of_Employees:greater_than:0)", page = number, per_page = "3" },
        }
      end
      wire.received(sandbox, page("1"), page("2"))
      assert.equal("Oslo", cities(assert(crm.Leads:all({ email = "smith@example.com" }))))
      assert.equal("Rome", cities(assert(crm.Leads:all("(City:equals:Rome)"))))
      for one in crm.Leads:pages({ phone = "555-300-0003" }) do assert.equal("Paris", cities(one)) end
      assert.equal(0, #assert(crm.Leads:all({ word = "nowhere" })))
    end)
  end)

  describe("search beyond 2,000 (" .. door.name .. ")", function()
    local sandbox, crm
    local ALL = "(Created_Time:greater_than:2001-01-01T00:00:00Z)"

    setup(function()
      sandbox = door.start({ records = { Leads = 2100, Contacts = 2000 }, time = wire.NOW })
      crm = wire.client(sandbox)
    end)
    teardown(function()
      crm:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    it("is refused by the server, page by page", function()
      local last = assert(crm.Leads:search({ criteria = ALL, fields = "id", page = 10 }))
      assert.same({ 200, true }, { #last, last.info.more_records })
      wire.fails({ kind = "invalid", code = "LIMIT_REACHED", status = 400, retryable = false },
        crm.Leads:search({ criteria = ALL, fields = "id", page = 11 }))
      wire.received(sandbox,
        { "GET", "/Leads/search", query = { criteria = ALL, fields = "id", page = "10" } },
        { "GET", "/Leads/search", query = { criteria = ALL, fields = "id", page = "11" } })
    end)

    it("ends a walk with an error after the 2,000th record, never in silence", function()
      local count = 0
      local fine, err = pcall(function()
        for _ in crm.Leads:each({ criteria = ALL, fields = "Last_Name" }) do count = count + 1 end
      end)
      assert.is_false(fine)
      assert.same({ 2000, "invalid" }, { count, err.kind })
      assert.matches("^search Leads: a search reaches its first 2,000 records only; narrow the criteria", tostring(err))
      assert.equal(10, #sandbox.requests())
      wire.fails({ kind = "invalid" }, crm.Leads:all({ criteria = ALL, fields = "Last_Name" }))
    end)

    it("is no trouble to who wants fewer, or finds just 2,000", function()
      assert.equal(2000, #assert(crm.Leads:all({ criteria = ALL, fields = "Last_Name", limit = 2000 })))
      assert.equal(2000, #assert(crm.Contacts:all({ criteria = ALL, fields = "Last_Name" })))
      assert.equal(20, #sandbox.requests())
    end)
  end)
end
