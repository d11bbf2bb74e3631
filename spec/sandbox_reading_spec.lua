-- The sandbox engine: lists, page tokens, single records.

local cjson = require("cjson")
local engine = require("spec.support.sandbox_engine")
local url = require("zohocrm.sandbox.url")

local create, crm, ids_of = engine.create, engine.crm, engine.ids_of
local KNOWN_LEAD = engine.KNOWN_LEAD
local NOW = engine.NOW

-- Asserts an answer in Zoho's error envelope; gives its details.
local function refused(status, code, got_status, body)
  assert.equal(status, got_status)
  assert.equal(code, body.code)
  assert.equal("error", body.status)
  assert.is_string(body.message)
  return body.details
end

describe("sandbox engine, reading", function()
  local sb

  before_each(function()
    sb = engine.start({ time = NOW, records = 12 })
  end)

  describe("list", function()
    it("answers the seed's shape, newest first", function()
      local status, body, response = crm("GET", "Leads", "fields=Last_Name,Email")
      assert.equal(200, status)
      assert.equal("application/json;charset=UTF-8", response.headers["content-type"])
      assert.equal(12, #body.data)
      local ids = ids_of(body)
      local sorted = ids_of(body)
      table.sort(sorted, function(a, b)
        return a > b
      end)
      assert.same(sorted, ids)
      assert.same({ id = KNOWN_LEAD, Last_Name = "Maclead (Sample)", Email = "christopher.maclead@example.com" },
        body.data[12])
      assert.same({
        per_page = 200, count = 12, page = 1, sort_by = "id", sort_order = "desc", more_records = false,
        next_page_token = cjson.null, previous_page_token = cjson.null, page_token_expiry = cjson.null,
      }, body.info)
    end)

    it("shows asked fields only: null where empty, absent where unknown", function()
      create("Leads", { Last_Name = "Bare" })
      local _, body = crm("GET", "Leads", "fields=Email,Nonsense,Tag,Twitter,Email,Email_Opt_Out&per_page=1")
      local record = body.data[1]
      record.id = nil
      assert.same({ Email = cjson.null, Tag = {}, Email_Opt_Out = false }, record)
    end)

    it("refuses wrong parameters with the reference's errors", function()
      local many = {}
      for i = 1, 51 do
        many[i] = "F" .. i
      end
      local ids = {}
      for i = 1, 101 do
        ids[i] = tostring(i)
      end
      local cases = {
        { {}, "REQUIRED_PARAM_MISSING", { param_name = "fields" } },
        { { fields = " , " }, "REQUIRED_PARAM_MISSING", { param_name = "fields" } },
        { { fields = table.concat(many, ",") }, "LIMIT_EXCEEDED", { param_name = "fields", limit = 50 } },
        { { fields = "id", page = "x" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { fields = "id", page = "0" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { fields = "id", page = "-1" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { fields = "id", per_page = "1.5" }, "PATTERN_NOT_MATCHED", { param_name = "per_page" } },
        { { fields = "id", per_page = "201" }, "INVALID_DATA", { param_name = "per_page", limit = 200 } },
        { { fields = "id", sort_by = "Email" }, "INVALID_DATA",
          { param_name = "sort_by", supported_values = { "id", "Created_Time", "Modified_Time" } } },
        { { fields = "id", sort_order = "up" }, "INVALID_DATA",
          { param_name = "sort_order", supported_values = { "asc", "desc" } } },
        { { fields = "id", cvid = "1" }, "INVALID_DATA", { param_name = "cvid" } },
        { { fields = "id", cvid = "1", sort_by = "id" }, "AMBIGUITY_DURING_PROCESSING",
          { ambiguity_due_to = { { param_name = "cvid" }, { param_name = "sort_by" } } } },
        { { fields = "id", page = 1, page_token = "x" }, "AMBIGUITY_DURING_PROCESSING",
          { ambiguity_due_to = { { param_name = "page" }, { param_name = "page_token" } } } },
        { { fields = "id", page = 11 }, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", { limit = 2000 } },
        { { fields = "id", page = 41, per_page = 50 }, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", { limit = 2000 } },
        { { fields = "id", ids = table.concat(ids, ",") }, "LIMIT_EXCEEDED", { param_name = "ids", limit = 100 } },
        { { fields = "id", page_token = "garbage" }, "INVALID_DATA", { param_name = "page_token" } },
        { { fields = "id", page_token = "" }, "INVALID_DATA", { param_name = "page_token" } },
        -- of several faults the first in the order of the checks counts
        { { page = "x", per_page = "500" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { per_page = "500" }, "REQUIRED_PARAM_MISSING", { param_name = "fields" } },
      }
      for _, case in ipairs(cases) do
        assert.same(case[3], refused(400, case[2], crm("GET", "Leads", case[1])))
      end
    end)

    it("answers 204 for nothing: an empty module, a page past the end", function()
      sb = engine.start({ records = { Leads = 0, Deals = 3 } })
      for _, case in ipairs({ { "Leads", "fields=id" }, { "Deals", "fields=id&page=2" } }) do
        local status, _, response = crm("GET", case[1], case[2])
        assert.equal(204, status)
        assert.equal("", response.body)
        assert.is_nil(response.headers["content-type"])
      end
    end)

    it("sorts by id, creation and change, both ways", function()
      local _, body = crm("GET", "Leads", "fields=id&sort_order=asc")
      local ascending = ids_of(body)
      assert.equal(KNOWN_LEAD, ascending[1])
      crm("PUT", "Leads", nil, { data = { { id = ascending[3], City = "Oslo" } } })
      sb:advance(5)
      local fresh = create("Leads", { Last_Name = "New" })
      local expected = {
        ["id"] = { ascending[1], fresh }, ["Created_Time"] = { ascending[1], fresh },
        ["Modified_Time"] = { ascending[1], fresh },
      }
      for sort_by, ends in pairs(expected) do
        local _, up = crm("GET", "Leads", { fields = "id", sort_by = sort_by, sort_order = "asc" })
        local _, down = crm("GET", "Leads", { fields = "id", sort_by = sort_by, sort_order = "desc" })
        up, down = ids_of(up), ids_of(down)
        assert.equal(13, #up)
        assert.same(ends, { up[1], up[13] })
        for i = 1, 13 do
          assert.equal(up[i], down[14 - i])
        end
        assert.equal(sort_by == "Modified_Time" and ascending[3] or ascending[12], up[12])
      end
    end)

    it("keeps to ids, views, conversion and approval", function()
      local _, all = crm("GET", "Leads", "fields=Owner")
      local mine = 0
      for _, record in ipairs(all.data) do
        mine = mine + (record.Owner.id == "7243485000000590001" and 1 or 0)
      end
      local _, views = crm("GET", "settings/custom_views", "module=Leads")
      local first, second = all.data[2].id, all.data[5].id
      local cases = {
        { { ids = second .. "," .. first .. ",7243485000009999999" }, 2 },
        { { ids = "7243485000009999999" }, 0 },
        { { cvid = views.custom_views[1].id }, 12 },
        { { cvid = views.custom_views[2].id }, mine },
        { { converted = "true" }, 3 }, { { converted = "both" }, 15 }, { { converted = "false" }, 12 },
        { { approved = "false" }, 2 }, { { approved = "both" }, 14 }, { { approved = "both", converted = "both" }, 17 },
      }
      for _, case in ipairs(cases) do
        case[1].fields = "Converted__s"
        local status, body = crm("GET", "Leads", case[1])
        assert.equal(case[2] == 0 and 204 or 200, status)
        assert.equal(case[2], body and #body.data or 0)
      end
      local _, picked = crm("GET", "Leads", { fields = "id", ids = second .. "," .. first })
      assert.same({ first, second }, ids_of(picked))
    end)

    it("answers 304 when nothing is newer than If-Modified-Since, else what is newer", function()
      local function since(header)
        return crm("GET", "Leads", "fields=id", nil, { ["if-modified-since"] = header })
      end
      local status, _, response = since("2026-02-06T01:10:56-08:00")
      assert.equal(304, status)
      assert.equal("", response.body)
      sb:advance(10)
      local id = create("Leads", { Last_Name = "New" })
      local _, body = since("2026-02-06T10:10:56+01:00")
      assert.same({ id }, ids_of(body))
      assert.equal(304, (since("2026-02-06T09:11:06Z")))
      refused(400, "INVALID_DATA", since("Fri, 06 Feb 2026 09:10:56 GMT"))
    end)
  end)

  describe("page tokens", function()
    local function page(parameters)
      parameters.fields = parameters.fields or "Last_Name"
      return crm("GET", "Leads", parameters)
    end

    it("come with page 1 and walk to the end", function()
      for _, sort_by in ipairs({ "id", "Created_Time", "Modified_Time" }) do
        for _, sort_order in ipairs({ "asc", "desc" }) do
          local _, whole = page({ sort_by = sort_by, sort_order = sort_order })
          local seen, token, number = {}, nil, 0
          repeat
            local status, body = page({ per_page = 5, page_token = token, sort_by = sort_by, sort_order = sort_order })
            assert.equal(200, status)
            number = number + 1
            assert.equal(number, body.info.page)
            for _, id in ipairs(ids_of(body)) do
              seen[#seen + 1] = id
            end
            token = body.info.more_records and body.info.next_page_token
            assert.equal(token and "2026-02-07T01:10:56-08:00" or cjson.null, body.info.page_token_expiry)
          until not token
          assert.equal(3, number)
          assert.same(ids_of(whole), seen)
        end
      end
    end)

    it("go on after the last record, whatever is created, changed or deleted meanwhile", function()
      for _, sort_order in ipairs({ "asc", "desc" }) do
        sb:reset()
        local _, whole = page({ sort_order = sort_order })
        local ids = ids_of(whole)
        local _, first = page({ per_page = 7, sort_order = sort_order })
        local new = create("Leads", { Last_Name = "Meanwhile" })
        crm("DELETE", "Leads", { ids = ids[7] .. "," .. ids[8] })
        crm("PUT", "Leads/" .. ids[9], nil, { data = { { City = "Rome" } } })
        local _, second = page({ per_page = 7, sort_order = sort_order, page_token = first.info.next_page_token })
        local expected = { ids[9], ids[10], ids[11], ids[12] }
        if sort_order == "asc" then
          expected[5] = new
        end
        assert.same(expected, ids_of(second))
      end
    end)

    it("go on among created records too", function()
      sb = engine.start({ records = 0, time = NOW })
      local ids = {}
      for i = 1, 7 do
        ids[i] = create("Leads", { Last_Name = "L" .. i })
        sb:advance(1)
      end
      crm("PUT", "Leads/" .. ids[2], nil, { data = { { City = "Rome" } } })
      for sort_by, expected in pairs({
        id = { ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], ids[7] },
        Modified_Time = { ids[1], ids[3], ids[4], ids[5], ids[6], ids[7], ids[2] },
      }) do
        local seen, token = {}, nil
        repeat
          local _, body = page({ per_page = 3, sort_by = sort_by, sort_order = "asc", page_token = token })
          for _, id in ipairs(ids_of(body)) do
            seen[#seen + 1] = id
          end
          token = body.info.more_records and body.info.next_page_token
        until not token
        assert.same(expected, seen)
      end
    end)

    it("expire after 24 hours of the sandbox's clock", function()
      local _, body = page({ per_page = 5 })
      local token = body.info.next_page_token
      sb:advance(24 * 3600 - 1)
      assert.equal(200, (page({ per_page = 5, page_token = token })))
      sb:advance(1)
      assert.same({ api_name = "page_token", json_path = "$.query.page_token" },
        refused(400, "EXPIRED_VALUE", page({ per_page = 5, page_token = token })))
    end)

    it("belong to their module and to every other parameter", function()
      local _, body = page({ per_page = 5 })
      local token = body.info.next_page_token
      local altered = {
        { per_page = 6 }, { per_page = 5, fields = "Last_Name,Email" }, { per_page = 5, sort_by = "Modified_Time" },
        { per_page = 5, sort_order = "desc" }, {},
      }
      for _, parameters in ipairs(altered) do
        parameters.page_token = token
        refused(400, "TOKEN_BOUND_DATA_MISMATCH", page(parameters))
      end
      refused(400, "TOKEN_BOUND_DATA_MISMATCH",
        crm("GET", "Contacts", { fields = "Last_Name", per_page = 5, page_token = token }))
      local last = token:match("(%w)=*$")
      local broken = token:gsub("%w(=*)$", (last == "A" and "B" or "A") .. "%1")
      for _, garbage in ipairs({ token .. "=", token:sub(2), token:sub(1, -5), broken .. "====", "%%%", ("A"):rep(5000) }) do
        refused(400, "INVALID_DATA", page({ per_page = 5, page_token = garbage }))
      end
    end)

    it("must be percent-encoded: a plus sign in the query is a blank", function()
      assert.same({ a = "1 2", b = "1+2", c = "" }, url.query("a=1+2&b=1%2B2&c&a=9"))
    end)

    it("reach 100,000 records, page numbers 2,000", function()
      sb = engine.start({ records = { Leads = 100001 } })
      local status, body = page({ page = 10, fields = "id" })
      assert.equal(200, status)
      assert.is_true(body.info.more_records)
      local token, pages = nil, 0
      repeat
        status, body = page({ page_token = token, fields = "id" })
        if status == 200 then
          pages, token = pages + 1, body.info.next_page_token
        end
      until status ~= 200
      assert.equal(500, pages)
      assert.same({ param_name = "page_token" }, refused(400, "PAGINATION_LIMIT_EXCEEDED", status, body))
    end)
  end)

  describe("get", function()
    it("gives all fields of one record, or those asked for", function()
      local status, body = crm("GET", "Leads/" .. KNOWN_LEAD)
      assert.equal(200, status)
      assert.equal(1, #body.data)
      assert.is_nil(body.info)
      local lead = body.data[1]
      assert.equal("Christopher Maclead (Sample)", lead.Full_Name)
      assert.equal("Rangoni Of Florence", lead.Company)
      assert.is_string(lead.Owner.email)
      assert.same({ id = "7243485000000091055", name = "Standard" }, lead.Layout)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%-08:00$", lead.Created_Time)
      local _, narrow = crm("GET", "Leads/" .. KNOWN_LEAD, "fields=Phone")
      assert.same({ { id = KNOWN_LEAD, Phone = "555-555-5555" } }, narrow.data)
    end)

    it("answers 204 for an unknown, a foreign and a deleted one", function()
      crm("DELETE", "Leads/" .. KNOWN_LEAD)
      for _, id in ipairs({ KNOWN_LEAD, "1", "7243485000009999999", "7243485000000597001", "9943485000000597016" }) do
        local status, _, response = crm("GET", "Leads/" .. id)
        assert.equal(204, status)
        assert.equal("", response.body)
      end
    end)
  end)
end)
