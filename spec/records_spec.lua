-- Reading records, one page or one record: the options of list and get, what is sent, and what comes back.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")

local HAS_INTEGERS = rawget(math, "type") ~= nil

-- Options of `list`, the query or headers they become, and what comes back. `before` prepares.
local LIST_OPTIONS = {
  {
    "fields as an array", { fields = { "Last_Name", "Email" } }, { fields = "Last_Name,Email" },
    function(page) assert.same({ "Email", "Last_Name", "id" }, wire.names(page[1])) end,
  },
  {
    "fields as a comma separated string", { fields = "Last_Name, Email" }, { fields = "Last_Name,Email" },
    function(page) assert.same({ "Email", "Last_Name", "id" }, wire.names(page[1])) end,
  },
  {
    "page", { fields = "Last_Name", page = 2, per_page = 5 }, { fields = "Last_Name", page = "2", per_page = "5" },
    function(page, all)
      assert.same({ all[6], all[7], all[8], all[9], all[10] }, wire.column(page, "id"))
      assert.equal(2, page.info.page)
    end,
  },
  {
    "no page: the first", { fields = "Last_Name" }, { fields = "Last_Name" },
    function(page, all)
      assert.equal(1, page.info.page)
      assert.equal(all[1], page[1].id)
    end,
  },
  {
    "per_page", { fields = "Last_Name", per_page = 1 }, { fields = "Last_Name", per_page = "1" },
    function(page)
      assert.equal(1, #page)
      assert.equal(1, page.info.per_page)
      assert.is_true(page.info.more_records)
    end,
  },
  {
    "the largest per_page", { fields = "Last_Name", per_page = 200 }, { fields = "Last_Name", per_page = "200" },
    function(page) assert.equal(200, page.info.per_page) end,
  },
  {
    "no per_page: 200", { fields = "Last_Name" }, { fields = "Last_Name" },
    function(page) assert.equal(200, page.info.per_page) end,
  },
  {
    "sort_by id, ascending", { fields = "Last_Name", sort_by = "id", sort_order = "asc" },
    { fields = "Last_Name", sort_by = "id", sort_order = "asc" },
    function(page, all)
      assert.equal(all[#all], page[1].id)
      assert.equal(all[1], page[#page].id)
      assert.equal("asc", page.info.sort_order)
    end,
  },
  {
    "sort_by Created_Time", { fields = "Last_Name", sort_by = "Created_Time", sort_order = "desc" },
    { fields = "Last_Name", sort_by = "Created_Time", sort_order = "desc" },
    function(page, all)
      assert.same(all, wire.column(page, "id"))
      assert.equal("Created_Time", page.info.sort_by)
    end,
  },
  {
    "sort_by Modified_Time", { fields = "Last_Name", sort_by = "Modified_Time" },
    { fields = "Last_Name", sort_by = "Modified_Time" },
    function(page, all) -- the oldest one was changed last
      assert.equal(all[#all], page[1].id)
      assert.equal(all[1], page[2].id)
      assert.equal("Modified_Time", page.info.sort_by)
    end,
    before = function(crm, all) assert(crm.Leads:update({ id = all[#all], City = "Oslo" })) end,
  },
  {
    "sort_order desc", { fields = "Last_Name", sort_order = "desc" }, { fields = "Last_Name", sort_order = "desc" },
    function(page, all) assert.same(all, wire.column(page, "id")) end,
  },
  {
    "no sorting: id, descending", { fields = "Last_Name" }, { fields = "Last_Name" },
    function(page)
      local ids = wire.column(page, "id")
      table.sort(ids, function(a, b) return a > b end)
      assert.same(ids, wire.column(page, "id"))
      assert.equal("id", page.info.sort_by)
      assert.equal("desc", page.info.sort_order)
    end,
  },
  {
    "cvid", { fields = "Owner", cvid = "7243485000000087503" }, -- "My Leads"
    { fields = "Owner", cvid = "7243485000000087503" },
    function(page, all)
      assert.is_true(#page > 0 and #page < #all)
      for _, lead in ipairs(page) do assert.equal("John Doe", lead.Owner.name) end
    end,
  },
  {
    "converted", { fields = "Converted__s", converted = true }, { fields = "Converted__s", converted = "true" },
    function(page)
      assert.is_true(#page > 0)
      for _, lead in ipairs(page) do assert.is_true(lead.Converted__s) end
    end,
  },
  {
    "converted, both", { fields = "Last_Name", converted = "both" }, { fields = "Last_Name", converted = "both" },
    function(page, all) assert.is_true(#page > #all) end,
  },
  {
    "approved", { fields = "Last_Name", approved = false }, { fields = "Last_Name", approved = "false" },
    function(page, all)
      assert.is_true(#page > 0)
      for _, lead in ipairs(page) do assert.is_true(lead.id < all[#all]) end
    end,
  },
  {
    "territory_id and include_child", { fields = "Last_Name", territory_id = "42", include_child = true },
    { fields = "Last_Name", territory_id = "42", include_child = "true" },
  },
  {
    "uid, startDateTime and endDateTime",
    { fields = "Last_Name", uid = "42", startDateTime = "2026-02-06T01:10:56+01:00", endDateTime = "2026-02-07" },
    { fields = "Last_Name", uid = "42", startDateTime = "2026-02-06T01:10:56+01:00", endDateTime = "2026-02-07" },
  },
  {
    "timeout, deadline and retries, which stay here",
    { fields = "Last_Name", timeout = 5, deadline = 6, retries = 1 }, { fields = "Last_Name" },
  },
  {
    "headers", { fields = "Last_Name", headers = { ["X-CRM-ORG"] = "123" } }, { fields = "Last_Name" },
    headers = { ["x-crm-org"] = "123" },
  },
}

-- Calls of `list` that can never be right, and what the message says.
local LIST_MISTAKES = {
  { "no fields", {}, "list needs fields" },
  { "no options", nil, "list needs fields" },
  { "empty fields", { fields = {} }, "list: fields is empty" },
  { "201 records a page", { fields = "a", per_page = 201 }, "per_page must be a whole number from 1 to 200, not 201" },
  { "0 records a page", { fields = "a", per_page = 0 }, "per_page must be a whole number from 1 to 200, not 0" },
  { "half a page", { fields = "a", page = 1.5 }, "page must be a whole number" },
  { "page 0", { fields = "a", page = 0 }, "page must be a whole number" },
  { "page as text", { fields = "a", page = "2" }, "page must be a whole number" },
  { "sort_by another field", { fields = "a", sort_by = "Email" }, "'id', 'Created_Time', 'Modified_Time'" },
  { "sort_order up", { fields = "a", sort_order = "up" }, "'asc', 'desc'" },
  { "page with page_token", { fields = "a", page = 1, page_token = "x" }, "page and page_token exclude each other" },
  { "converted = 1", { fields = "a", converted = 1 }, "'true', 'false', 'both'" },
  { "an unknown option", { feilds = "a" }, "unknown option 'feilds'; did you mean 'fields'?" },
  { "a field name with a comma", { fields = { "a,b" } }, "fields[1] contains a comma" },
  { "fields with a hole", { fields = { "a", nil, "b" } }, "fields[2]" },
  { "ids with a hole", { fields = "a", ids = { "1", nil, "3" } }, "ids[2]" },
  { "fields with names", { fields = { "a", Email = true } }, "Email" },
  { "a field that is a number", { fields = { 1 } }, "fields[1] must be the API name of a field" },
}

-- Ids that would leave their place in the path, were they not encoded.
local HOSTILE = {
  ["../org"] = "..%2Forg", ["a/b"] = "a%2Fb", ["a?b"] = "a%3Fb", ["ä"] = "%C3%A4", ["a b"] = "a%20b", ["a#b"] = "a%23b",
  ["%2e%2e"] = "%252e%252e", ["a&b=c"] = "a%26b%3Dc", ["a+b"] = "a%2Bb", ["a;b"] = "a%3Bb",
}

for _, door in ipairs(doors) do
  describe("records (" .. door.name .. ")", function()
    local sandbox, crm

    setup(function()
      sandbox = door.start({ records = 12, time = wire.NOW })
      crm = wire.client(sandbox)
    end)
    teardown(function()
      crm:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    -- Ids of all leads in the default order, without a trace in the log.
    local function lead_ids()
      local page = assert(crm.Leads:list({ fields = "Last_Name" }))
      sandbox.clear()
      return wire.column(page, "id")
    end

    describe("listed", function()
      for _, row in ipairs(LIST_OPTIONS) do
        it("with " .. row[1], function()
          local all = lead_ids()
          if row.before then wire.ready(sandbox, row.before(crm, all)) end
          local page, err = crm.Leads:list(row[2])
          assert.is_nil(err)
          wire.received(sandbox, { "GET", "/Leads", query = row[3], headers = row.headers })
          if row[4] then row[4](page, all) end
        end)
      end

      it("by ids", function()
        local all = lead_ids()
        for _, ids in ipairs({ { all[2], all[5] }, all[2] .. ", " .. all[5] }) do
          sandbox.clear()
          local page = assert(crm.Leads:list({ fields = "Last_Name", ids = ids }))
          wire.received(sandbox, { "GET", "/Leads", query = { fields = "Last_Name", ids = all[2] .. "," .. all[5] } })
          assert.same({ all[2], all[5] }, wire.column(page, "id"))
        end
      end)

      it("by cvid and ids that are numbers and exact", function()
        wire.fails({ code = "INVALID_DATA" }, crm.Leads:list({ fields = "Last_Name", cvid = 42 }))
        assert.equal(0, #assert(crm.Leads:list({ fields = "Last_Name", ids = { 41, "42" } })))
        wire.received(sandbox, { "GET", "/Leads", query = { fields = "Last_Name", cvid = "42" } },
          { "GET", "/Leads", query = { fields = "Last_Name", ids = "41,42" } })
        wire.raises(function() crm.Leads:list({ fields = "a", cvid = 7243485000000087503.0 }) end,
          "list: cvid is the number", "cannot hold a record id exactly")
        wire.raises(function() crm.Leads:list({ fields = "a", ids = { "1", 7243485000000087503.0 } }) end,
          "list: ids[2] is the number", "cannot hold a record id exactly")
      end)

      it("by page_token", function()
        local all = lead_ids()
        local first = assert(crm.Leads:list({ fields = "Last_Name", per_page = 5 }))
        local token = first.info.next_page_token
        assert.equal("string", type(token))
        assert.matches(wire.TIME, first.info.page_token_expiry)
        sandbox.clear()
        local page = assert(crm.Leads:list({ fields = "Last_Name", per_page = 5, page_token = token }))
        local request = wire.received(sandbox, {
          "GET", "/Leads", query = { fields = "Last_Name", per_page = "5", page_token = token },
        })
        assert.is_nil(request.raw_query:find("[+/]")) -- tokens have both, and a bare "+" would be a blank
        assert.same({ all[6], all[7], all[8], all[9], all[10] }, wire.column(page, "id"))
      end)

      it("through the connection chosen for the call, and for the client", function()
        local id = assert(crm.connections:list({ status = "ACTIVE" }))[1].connection_id
        sandbox.clear()
        assert(crm.Leads:list({ fields = "Last_Name", connection = id }))
        local other = wire.client(sandbox, { connection = id })
        assert(other.Leads:list({ fields = "Last_Name" }))
        other:close()
        local expected = {
          "GET", "/Leads", query = { fields = "Last_Name" }, headers = { ["maton-connection"] = id },
        }
        wire.received(sandbox, expected, expected)
      end)

      it("if modified since, with the ones that were", function()
        local all = lead_ids()
        sandbox.set_time(wire.NOW)
        assert(wire.ready(sandbox, crm.Leads:update({ id = all[4], City = "Oslo" })))
        local since = "2026-02-06T02:10:00+01:00"
        local page = assert(crm.Leads:list({ fields = "City", if_modified_since = since }))
        wire.received(sandbox, {
          "GET", "/Leads", query = { fields = "City" }, headers = { ["if-modified-since"] = since },
        })
        assert.same({ all[4] }, wire.column(page, "id"))
      end)

      it("if modified since, 304: an empty page that says so", function()
        local page, err = crm.Leads:list({ fields = "City", if_modified_since = "2036-02-06T01:10:56-08:00" })
        assert.is_nil(err)
        assert.same({ 0, false, true }, { #page, page.info.more_records, page.info.not_modified })
      end)

      it("where there are none, 204: an empty page", function()
        local page, err = crm.Leads:list({ fields = "City", ids = wire.UNKNOWN_ID })
        assert.is_nil(err)
        assert.same({ 0, 0, false }, { #page, page.info.count, page.info.more_records })
        assert.is_nil(page.info.not_modified)
        assert.equal("(no records)", tostring(page))
      end)

      it("with the page's information", function()
        local page = assert(crm.Leads:list({ fields = "Last_Name" }))
        assert.same({
          per_page = 200, count = 12, page = 1, sort_by = "id", sort_order = "desc", more_records = false,
        }, page.info)
        assert.is_true(wire.is_integer(page.info.per_page))
      end)

      it("without the fields that are empty or unknown", function()
        assert(crm.Leads:create({ Last_Name = "Bare" }))
        local lead = assert(crm.Leads:list({ fields = { "Last_Name", "City", "Last Name" }, per_page = 1 }))[1]
        assert.same({ "Last_Name", "id" }, wire.names(lead)) -- names are API names, not labels
      end)

      it("with 50 fields, and raises for 51", function()
        local fields = {}
        for i = 1, 50 do fields[i] = "Field_" .. i end
        assert(crm.Leads:list({ fields = fields }))
        wire.received(sandbox, { "GET", "/Leads", query = { fields = table.concat(fields, ",") } })
        sandbox.clear()
        fields[51] = "Field_51"
        wire.raises(function() crm.Leads:list({ fields = fields }) end, "has 51 fields; the API takes at most 50")
        wire.raises(function() crm.Leads:list({ fields = table.concat(fields, ",") }) end, "has 51 fields")
        wire.received(sandbox)
      end)

      it("with 100 ids, and raises for 101", function()
        local ids = {}
        for i = 1, 100 do ids[i] = ("72434850000005%05d"):format(i) end
        assert(crm.Leads:list({ fields = "Last_Name", ids = ids }))
        wire.received(sandbox, { "GET", "/Leads", query = { fields = "Last_Name", ids = table.concat(ids, ",") } })
        ids[101] = "1"
        wire.raises(function() crm.Leads:list({ fields = "Last_Name", ids = ids }) end, "has 101 ids", "at most 100")
      end)

      for _, row in ipairs(LIST_MISTAKES) do
        it("never with " .. row[1], function()
          wire.raises(function() crm.Leads:list(row[2]) end, row[3])
          wire.received(sandbox)
        end)
      end

      it("with a wrong case of the module, which is no module", function()
        local err = wire.fails({ kind = "invalid", code = "INVALID_MODULE", status = 400 },
          crm:module("leads"):list({ fields = "Last_Name" }))
        assert.matches("did you mean Leads%?", tostring(err))
        wire.check(sandbox.requests()[1], { "GET", "/leads", query = { fields = "Last_Name" } })
      end)

      it("as values: text, numbers, booleans, lists and lookups", function()
        local account = assert(crm.Accounts:list({ fields = "Account_Name", per_page = 1 }))[1]
        local made = assert(crm.Deals:create({
          Deal_Name = "Ünïcode \"quoted\" \\ 中文 😀\n2", Stage = "Closed Won", Amount = 1234.5, Probability = 100,
          Account_Name = { id = account.id }, Closing_Date = "2026-03-01",
        }))
        local names = "Deal_Name,Stage,Amount,Probability,Account_Name,Closing_Date"
        local deal = assert(crm.Deals:list({ fields = names, ids = made.id }))[1]
        assert.equal("Ünïcode \"quoted\" \\ 中文 😀\n2", deal.Deal_Name)
        assert.equal(1234.5, deal.Amount)
        assert.equal(100, deal.Probability)
        assert.is_true(wire.is_integer(deal.Probability))
        assert.same({ id = account.id, name = account.Account_Name }, deal.Account_Name)
        assert.equal("2026-03-01", deal.Closing_Date)
      end)
    end)

    describe("got", function()
      it("as the seed's example shows", function()
        local lead = assert(crm.Leads:get("7243485000000597000"))
        assert.same({ "Christopher", "Maclead (Sample)", "Rangoni Of Florence", "555-555-5555", "7243485000000597000" },
          { lead.First_Name, lead.Last_Name, lead.Company, lead.Phone, lead.id })
      end)

      it("with all their fields, or with those asked for", function()
        local id = lead_ids()[1]
        local whole = assert(crm.Leads:get(id))
        wire.received(sandbox, { "GET", "/Leads/" .. id })
        assert.is_not_nil(whole.Company)
        assert.is_not_nil(whole.Created_Time)
        for _, fields in ipairs({ "Last_Name,City", { "Last_Name", "City" } }) do
          sandbox.clear()
          local part = assert(crm.Leads:get(id, { fields = fields }))
          wire.received(sandbox, { "GET", "/Leads/" .. id, query = { fields = "Last_Name,City" } })
          assert.same({ "City", "Last_Name", "id" }, wire.names(part))
          assert.equal(whole.Last_Name, part.Last_Name)
        end
      end)

      it("not, when there is none with the id", function()
        local err = wire.fails({ kind = "not_found", status = 204, retryable = false }, crm.Leads:get(wire.UNKNOWN_ID))
        assert.equal(("get Leads %s: there is no record with this id"):format(wire.UNKNOWN_ID), tostring(err))
      end)

      it("by a number that is exactly the id", function()
        wire.fails({ kind = "not_found" }, crm.Leads:get(42))
        wire.received(sandbox, { "GET", "/Leads/42" })
        sandbox.clear()
        if HAS_INTEGERS then
          local id = lead_ids()[1]
          assert.equal(id, assert(crm.Leads:get(tonumber(id))).id)
          wire.received(sandbox, { "GET", "/Leads/" .. id })
        end
      end)

      local not_ids = {
        { "an inexact float", 7243485000000597000.0, "cannot hold a record id exactly; write it as a string" },
        { "a fraction", 1.5, "cannot hold a record id exactly" },
        { "a negative number", -1, "cannot hold a record id exactly" },
        { "2^53", 2 ^ 53, "cannot hold a record id exactly" },
        { "not a number", 0 / 0, "cannot hold a record id exactly" },
        { "nil", nil, 'must be a record id, a string such as "7243485000000597000", not nil' },
        { "a table", {}, "not a table" },
        { "a boolean", true, "not a boolean" },
        { "an empty string", "", "not an empty string" },
        { "the folder above", "..", "get Leads .." },
        { "this folder", ".", "get Leads ." },
      }
      for _, row in ipairs(not_ids) do
        it("never by " .. row[1], function()
          wire.raises(function() crm.Leads:get(row[2]) end, row[3])
          wire.received(sandbox)
        end)
      end

      for id, segment in pairs(HOSTILE) do
        it(("by %q, which stays one segment of the path"):format(id), function()
          wire.fails({ kind = "not_found" }, crm.Leads:get(id))
          wire.received(sandbox, { "GET", "/Leads/" .. segment })
        end)

        it(("of the module %q, which stays one segment of the path"):format(id), function()
          wire.fails({ code = "INVALID_MODULE" }, crm:module(id):get("1"))
          wire.check(sandbox.requests()[1], { "GET", "/" .. segment .. "/1" })
        end)
      end
    end)
  end)
end
