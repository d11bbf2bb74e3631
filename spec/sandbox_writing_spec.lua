-- The sandbox engine: create, update, upsert, delete.

local cjson = require("cjson")
local engine = require("spec.support.sandbox_engine")
local json = require("zohocrm.sandbox.json")

local create, crm, ids_of, value_of, write = engine.create, engine.crm, engine.ids_of, engine.value_of, engine.write
local KNOWN_LEAD = engine.KNOWN_LEAD

-- Asserts an answer in Zoho's error envelope; gives its details.
local function refused(status, code, got_status, body)
  assert.equal(status, got_status)
  assert.equal(code, body.code)
  assert.equal("error", body.status)
  assert.is_string(body.message)
  return body.details
end

describe("sandbox engine, writing", function()
  local sb

  before_each(function()
    sb = engine.start({ time = engine.NOW, records = 12 })
  end)

  describe("create", function()
    it("answers the seed's shape with growing ids", function()
      local status, results = write("POST", "Leads", { Last_Name = "Smith", Company = "Acme" }, { Last_Name = "Doe" })
      assert.equal(201, status)
      local by = { name = "John Doe", id = "7243485000000590001" }
      assert.same({
        code = "SUCCESS", message = "record added", status = "success",
        details = {
          id = "7243485000000619001", Created_By = by, Modified_By = by,
          Created_Time = "2026-02-06T01:10:56-08:00", Modified_Time = "2026-02-06T01:10:56-08:00",
        },
      }, results[1])
      assert.equal("7243485000000619002", results[2].details.id)
      local _, body = crm("GET", "Leads", "fields=Last_Name&per_page=2")
      assert.same({ { id = "7243485000000619002", Last_Name = "Doe" }, { id = "7243485000000619001", Last_Name = "Smith" } },
        body.data)
    end)

    it("wants the mandatory fields of each module", function()
      local time_text = "2026-02-06T10:00:00-08:00"
      local complete = {
        Leads = { Last_Name = "A" }, Contacts = { Last_Name = "A" }, Accounts = { Account_Name = "A" },
        Deals = { Deal_Name = "A", Stage = "Qualification" }, Tasks = { Subject = "A" },
        Calls = { Subject = "A", Call_Type = "Inbound", Call_Start_Time = time_text, Call_Duration = "00:20" },
        Events = { Event_Title = "A", Start_DateTime = time_text, End_DateTime = time_text },
        Campaigns = { Campaign_Name = "A" }, Products = { Product_Name = "A" }, Service_Contracts = { Name = "A" },
      }
      for module, record in pairs(complete) do
        assert.equal(201, (write("POST", module, record)))
        for name in pairs(record) do
          for _, gap in ipairs({ "absent", json.null, "" }) do
            local partial = {}
            for key, value in pairs(record) do
              partial[key] = value
            end
            partial[name] = gap ~= "absent" and gap or nil
            partial.Unknown = "keeps the object from being empty"
            local status, results = write("POST", module, partial)
            assert.equal(400, status)
            assert.equal("MANDATORY_NOT_FOUND", results[1].code)
            assert.same({ api_name = name, json_path = "$.data[0]." .. name }, results[1].details)
          end
        end
      end
    end)

    it("answers a mix of results with 207, in order", function()
      local status, results = write("POST", "Leads", { Last_Name = "A" }, { Email = "x" }, { Last_Name = 5 },
        { Last_Name = "B" })
      assert.equal(207, status)
      assert.same({ "SUCCESS", "MULTIPLE_OR_MULTI_ERRORS", "INVALID_DATA", "SUCCESS" },
        { results[1].code, results[2].code, results[3].code, results[4].code })
      local errors = results[2].details.errors
      assert.same({ "INVALID_DATA", "MANDATORY_NOT_FOUND" }, { errors[1].code, errors[2].code })
      assert.equal("$.data[1].Email", errors[1].details.json_path)
      assert.same({ api_name = "Last_Name", json_path = "$.data[2].Last_Name", expected_data_type = "text" },
        results[3].details)
    end)

    it("checks every data type", function()
      local account = select(2, crm("GET", "Accounts", "fields=id")).data[1].id
      local deal = select(2, crm("GET", "Deals", "fields=id")).data[1].id
      local long = ("é"):rep(81)
      -- module, field, value, what goes with the fault (nil: accepted), value as stored (default: as sent)
      local cases = {
        { "Leads", "Last_Name", ("é"):rep(80) }, { "Leads", "Last_Name", long, { maximum_length = 80 } },
        { "Leads", "Last_Name", true, { expected_data_type = "text" } },
        { "Leads", "Email", "a@example.com" }, { "Leads", "Email", "a@", "regex" }, { "Leads", "Email", 5, "expected_data_type" },
        { "Leads", "Email", "", nil, json.null },
        { "Leads", "Phone", "+1 (555) 123-4567" }, { "Leads", "Phone", "nö", "regex" },
        { "Leads", "Lead_Source", "Cold Call" }, { "Leads", "Lead_Source", "cold call", "supported_values" },
        { "Leads", "Lead_Source", 1, { expected_data_type = "picklist" } },
        { "Leads", "Email_Opt_Out", true }, { "Leads", "Email_Opt_Out", "true", { expected_data_type = "boolean" } },
        { "Leads", "No_of_Employees", 12 }, { "Leads", "No_of_Employees", 1.5, { expected_data_type = "integer" } },
        { "Leads", "No_of_Employees", "12", { expected_data_type = "integer" } },
        { "Leads", "No_of_Employees", 1000000000, { maximum_length = 9 } },
        { "Leads", "Annual_Revenue", 10.25 }, { "Leads", "Annual_Revenue", "10", { expected_data_type = "double" } },
        { "Leads", "First_Contact_Date", "2028-02-29" },
        { "Leads", "First_Contact_Date", "2026-02-29", { expected_data_type = "date" } },
        { "Leads", "First_Contact_Date", "06/02/2026", { expected_data_type = "date" } },
        { "Leads", "Next_Call_Time", "2026-02-06T10:00:00+05:30", nil, "2026-02-05T20:30:00-08:00" },
        { "Leads", "Next_Call_Time", "2026-02-06T10:00:00", { expected_data_type = "datetime" } },
        { "Leads", "Next_Call_Time", "2026-02-06T24:00:00Z", { expected_data_type = "datetime" } },
        { "Leads", "Interests", { "Training" } }, { "Leads", "Interests", { "Nothing" }, "supported_values" },
        { "Leads", "Interests", "Training", { expected_data_type = "jsonarray" } },
        { "Leads", "Interests", json.array(), nil, json.null },
        { "Leads", "Interests", {}, { expected_data_type = "jsonarray" } },
        { "Leads", "Tag", {}, { expected_data_type = "jsonarray" } },
        { "Leads", "Tag", json.array() },
        { "Leads", "Owner", json.array(), { expected_data_type = "jsonobject" } },
        { "Contacts", "Account_Name", { id = "1" }, { id = "1" } },
        { "Contacts", "Account_Name", { name = "x" }, { expected_data_type = "jsonobject" } },
        { "Contacts", "Account_Name", 5, { expected_data_type = "jsonobject" } },
        { "Leads", "Owner", { id = "7243485000000590097" }, { id = "7243485000000590097" } },
        { "Leads", "Layout", { id = "1" }, {} },
        { "Calls", "Call_Duration", "5 minutes", "regex" },
        { "Tasks", "What_Id", { id = deal }, nil, "related" },
        { "Tasks", "Remind_At", { ALARM = "FREQ=NONE" } },
        { "Tasks", "Remind_At", "soon", { expected_data_type = "jsonobject" } },
        { "Service_Contracts", "Device_Serial", "123456789012345678" },
        { "Service_Contracts", "Device_Serial", "1234567890123456789", { maximum_length = 18 } },
        { "Service_Contracts", "Device_Serial", 42, nil, "42" },
        { "Service_Contracts", "Device_Serial", 4.2, { expected_data_type = "bigint" } },
        { "Service_Contracts", "Discount", 12.5 },
      }
      assert.equal(account, create("Contacts", { Last_Name = "A", Account_Name = { id = account } })
        and select(2, crm("GET", "Contacts", "fields=Account_Name&per_page=1")).data[1].Account_Name.id)
      for _, case in ipairs(cases) do
        local module, field, value, fault, stored = case[1], case[2], case[3], case[4], case[5]
        local record = {
          Last_Name = "A", Subject = "A", Name = "A", Call_Type = "Inbound", Call_Duration = "1:00",
          Call_Start_Time = "2026-02-06T10:00:00Z",
        }
        record[field] = value
        record["$se_module"] = "Deals"
        local status, results = write("POST", module, record)
        local label = module .. "." .. field .. " " .. json.encode(value)
        if fault then
          assert.equal(400, status, label)
          local details = results[1].details
          assert.equal("INVALID_DATA", results[1].code, label)
          assert.equal(field, details.api_name, label)
          assert.equal("$.data[0]." .. field, details.json_path, label)
          if type(fault) == "string" then
            assert.is_not_nil(details[fault], label)
          else
            details.api_name, details.json_path = nil, nil
            assert.same(fault, details, label)
          end
        else
          assert.equal(201, status, label)
          local seen = value_of(module, results[1].details.id, field)
          if stored == "related" then
            assert.equal(deal, seen.id)
            assert.equal("Deals", value_of(module, results[1].details.id, "$se_module"))
          else
            assert.same(stored == nil and value or stored, seen, label)
          end
        end
      end
    end)

    it("keeps digits that no double holds", function()
      local status, body = crm("POST", "Service_Contracts", nil,
        '{"data":[{"Name":"12345678901234567890","Device_Serial":9007199254740995,"Terms":"a \\" 1234567890123456"}]}')
      assert.equal(201, status)
      local _, read = crm("GET", "Service_Contracts/" .. body.data[1].details.id)
      assert.equal("9007199254740995", read.data[1].Device_Serial)
      assert.equal("12345678901234567890", read.data[1].Name)
      assert.equal('a " 1234567890123456', read.data[1].Terms)
    end)

    it("passes over unknown, unused and read-only fields", function()
      local id = create("Leads", {
        Last_Name = "A", Nonsense = { 1 }, Twitter = "@a", Created_Time = "2001-01-01T00:00:00Z", Full_Name = "B",
      })
      local _, body = crm("GET", "Leads/" .. id)
      local lead = body.data[1]
      assert.is_nil(lead.Nonsense)
      assert.is_nil(lead.Twitter)
      assert.equal("2026-02-06T01:10:56-08:00", lead.Created_Time)
      assert.equal("A", lead.Full_Name)
    end)

    it("fills in owner, booleans, tags, durations, running numbers", function()
      local id = create("Leads", { Last_Name = "A", Tag = { { name = "vip" } } })
      assert.equal("7243485000000590001", value_of("Leads", id, "Owner").id)
      assert.is_false(value_of("Leads", id, "Email_Opt_Out"))
      assert.equal("vip", value_of("Leads", id, "Tag")[1].name)
      id = create("Calls", { Subject = "A", Call_Type = "Inbound", Call_Start_Time = "2026-02-06T10:00:00Z",
        Call_Duration = "02:05" })
      assert.equal(125, value_of("Calls", id, "Call_Duration_in_seconds"))
      id = create("Service_Contracts", { Name = "A" })
      assert.equal("SC-001012", value_of("Service_Contracts", id, "Contract_Number"))
    end)

    it("wants $se_module beside What_Id", function()
      local _, deals = crm("GET", "Deals", "fields=id")
      local status, results = write("POST", "Tasks", { Subject = "A", What_Id = { id = deals.data[1].id } })
      assert.equal(400, status)
      assert.equal("DEPENDENT_FIELD_MISSING", results[1].code)
      assert.equal("$se_module", results[1].details.api_name)
      assert.equal("What_Id", results[1].details.dependee.api_name)
    end)

    it("finds duplicates of unique fields: seeded, created, in the same batch, case aside", function()
      local _, contacts = crm("GET", "Contacts", "fields=Email,Owner")
      local known = contacts.data[4]
      local status, results = write("POST", "Contacts", { Last_Name = "A", Email = known.Email:upper() },
        { Last_Name = "B", Email = "new@example.com" }, { Last_Name = "C", Email = "new@example.com" })
      assert.equal(207, status)
      assert.equal("DUPLICATE_DATA", results[1].code)
      assert.equal("duplicate data", results[1].message)
      assert.same({
        api_name = "Email", json_path = "$.data[0].Email", id = known.id, more_records = false,
        duplicate_record = {
          id = known.id, module = { api_name = "Contacts", id = "7243485000000002177" }, Owner = known.Owner,
        },
      }, results[1].details)
      assert.equal("SUCCESS", results[2].code)
      assert.equal("DUPLICATE_DATA", results[3].code)
      assert.equal(results[2].details.id, results[3].details.id)
      -- gone with the record, and with the value
      crm("DELETE", "Contacts/" .. known.id)
      write("PUT", "Contacts", { id = results[2].details.id, Email = "other@example.com" })
      assert.equal(201, (write("POST", "Contacts", { Last_Name = "A", Email = known.Email },
        { Last_Name = "C", Email = "new@example.com" })))
      -- the field an upsert compares is not unique by that
      assert.equal(201, (write("POST", "Leads", { Last_Name = "A", Email = "same@example.com" },
        { Last_Name = "B", Email = "same@example.com" })))
    end)

    it("refuses a body as a whole", function()
      local hundred_and_one = json.array()
      for i = 1, 101 do
        hundred_and_one[i] = { Last_Name = "L" .. i }
      end
      local cases = {
        { nil, "UNABLE_TO_PARSE_DATA_TYPE" }, { "", "UNABLE_TO_PARSE_DATA_TYPE" },
        { '{"data":[{"Last_Name":"A"}', "UNABLE_TO_PARSE_DATA_TYPE" }, { "5", "UNABLE_TO_PARSE_DATA_TYPE" },
        { '[{"Last_Name":"A"}]', "UNABLE_TO_PARSE_DATA_TYPE" },
        { '{"data":[{"Last_Name":"\255"}]}', "UNABLE_TO_PARSE_DATA_TYPE" },
        { ("["):rep(5000), "UNABLE_TO_PARSE_DATA_TYPE" },
        { "{}", "MANDATORY_NOT_FOUND" }, { '{"data":null}', "MANDATORY_NOT_FOUND" },
        { "[]", "UNABLE_TO_PARSE_DATA_TYPE" },
        { '{"data":{"Last_Name":"A"}}', "INVALID_DATA" }, { '{"data":[]}', "INVALID_DATA" }, { '{"data":{}}', "INVALID_DATA" },
        { '{"data":"x"}', "INVALID_DATA" },
        { json.encode({ data = hundred_and_one }), "LIMIT_EXCEEDED" },
        { '{"data":[{"Last_Name":"A"}],"trigger":"workflow"}', "INVALID_DATA" },
        { '{"data":[{"Last_Name":"A"}],"trigger":["other"]}', "INVALID_DATA" },
        { '{"data":[{"Last_Name":"A"}],"trigger":{}}', "INVALID_DATA" },
      }
      for _, case in ipairs(cases) do
        refused(400, case[2], crm("POST", "Leads", nil, case[1]))
      end
      local _, body = crm("GET", "Leads", "fields=id")
      assert.equal(12, #body.data)
      assert.equal(100, refused(400, "LIMIT_EXCEEDED",
        crm("POST", "Leads", nil, { data = hundred_and_one })).maximum_length)
      hundred_and_one[101] = nil
      local status, all = crm("POST", "Leads", nil, { data = hundred_and_one, trigger = { "workflow" } })
      assert.equal(201, status)
      assert.equal(100, #all.data)
    end)

    it("fails items that are no objects on their own", function()
      local status, body = crm("POST", "Leads", nil, '{"data":["x",{"Last_Name":"A"},[1],null,[],12345678901234567890]}')
      assert.equal(207, status)
      assert.equal(6, #body.data)
      for i, path in pairs({ [1] = "$.data[0]", [3] = "$.data[2]", [4] = "$.data[3]", [5] = "$.data[4]", [6] = "$.data[5]" }) do
        assert.equal("INVALID_DATA", body.data[i].code)
        assert.equal(path, body.data[i].details.json_path)
      end
    end)
  end)

  describe("update", function()
    it("changes what is sent, empties what is null, moves Modified_Time", function()
      local before = select(2, crm("GET", "Leads/" .. KNOWN_LEAD)).data[1]
      sb:advance(5)
      local status, results = write("PUT", "Leads", { id = KNOWN_LEAD, City = "Oslo", Phone = json.null })
      assert.equal(200, status)
      assert.equal("record updated", results[1].message)
      assert.equal("2026-02-06T01:11:01-08:00", results[1].details.Modified_Time)
      assert.equal(before.Created_Time, results[1].details.Created_Time)
      local after = select(2, crm("GET", "Leads/" .. KNOWN_LEAD)).data[1]
      before.City, before.Phone = "Oslo", cjson.null
      for _, name in ipairs({ "Modified_Time", "Modified_By", "Last_Activity_Time" }) do
        before[name] = after[name]
      end
      assert.same(before, after)
    end)

    it("takes the id from the path, for one record", function()
      assert.equal(200, (write("PUT", "Leads/" .. KNOWN_LEAD, { id = "1", City = "Rome" })))
      assert.equal("Rome", value_of("Leads", KNOWN_LEAD, "City"))
      assert.equal(1, refused(400, "LIMIT_EXCEEDED", write("PUT", "Leads/" .. KNOWN_LEAD, {}, {})).maximum_length)
      local status, results = write("PUT", "Leads/7243485000009999999", { City = "Rome" })
      assert.equal(400, status)
      assert.equal("the id given seems to be invalid", results[1].message)
    end)

    it("reports per record", function()
      local status, results = write("PUT", "Leads", { id = KNOWN_LEAD, City = "A" }, { City = "A" }, { id = "77", City = "A" },
        { id = KNOWN_LEAD, Last_Name = json.null }, { id = KNOWN_LEAD, External_Id = "LEAD-001003" },
        { id = KNOWN_LEAD, External_Id = "LEAD-001000" })
      assert.equal(207, status)
      local codes = {}
      for i, result in ipairs(results) do
        codes[i] = result.code .. " " .. (result.details.json_path or "")
      end
      assert.same({
        "SUCCESS ", "MANDATORY_NOT_FOUND $.data[1].id", "INVALID_DATA $.data[2].id",
        "MANDATORY_NOT_FOUND $.data[3].Last_Name", "DUPLICATE_DATA $.data[4].External_Id", "SUCCESS ",
      }, codes)
    end)

    it("adds to a multi-select pick list on demand", function()
      local id = create("Leads", { Last_Name = "A", Interests = { "Training" } })
      write("PUT", "Leads", { id = id, Interests = { "Hardware", "Training" }, ["$append_values"] = { Interests = true } })
      assert.same({ "Training", "Hardware" }, value_of("Leads", id, "Interests"))
      write("PUT", "Leads", { id = id, Interests = { "Hardware" } })
      assert.same({ "Hardware" }, value_of("Leads", id, "Interests"))
    end)

    it("refuses converted and unapproved leads", function()
      for parameter, code in pairs({ converted = "CONVERTED_RECORD", approved = "NOT_APPROVED" }) do
        local _, body = crm("GET", "Leads", { fields = "id", [parameter] = parameter == "converted" and "true" or "false" })
        local status, results = write("PUT", "Leads", { id = body.data[1].id, City = "Rome" })
        assert.equal(400, status)
        assert.equal(code, results[1].code)
      end
    end)

    it("answers 412 when a record is newer than If-Unmodified-Since, and writes nothing", function()
      local body = { data = { { id = KNOWN_LEAD, City = "Rome" } } }
      local function put(header)
        return crm("PUT", "Leads", nil, body, { ["if-unmodified-since"] = header })
      end
      local status, answer = put("2001-01-01T00:00:00Z")
      assert.equal(412, status)
      assert.equal("ALREADY_MODIFIED", answer.data[1].code)
      assert.equal(KNOWN_LEAD, answer.data[1].details.id)
      assert.not_equal("Rome", value_of("Leads", KNOWN_LEAD, "City"))
      assert.equal(200, (put("2026-02-06T09:10:56Z")))
    end)

    it("shows lookups by the name their record has now, null once it is gone", function()
      local account = create("Accounts", { Account_Name = "Old" })
      local contact = create("Contacts", { Last_Name = "A", Account_Name = { id = account } })
      write("PUT", "Accounts", { id = account, Account_Name = "New" })
      assert.same({ id = account, name = "New" }, value_of("Contacts", contact, "Account_Name"))
      crm("DELETE", "Accounts/" .. account)
      assert.equal(cjson.null, value_of("Contacts", contact, "Account_Name"))
    end)
  end)

  describe("upsert", function()
    it("inserts or updates, and says by which field", function()
      local _, leads = crm("GET", "Leads", "fields=Email,External_Id")
      local known = leads.data[3]
      local status, results = write("POST", "Leads/upsert", { Last_Name = "A", Email = known.Email },
        { Last_Name = "B", Email = "b@example.com" }, { External_Id = known.External_Id, City = "Rome" },
        { Email = "c@example.com" })
      assert.equal(207, status)
      local seen = {}
      for i, result in ipairs(results) do
        seen[i] = { result.code, result.action, result.duplicate_field, result.message }
      end
      assert.same({
        { "SUCCESS", "update", "Email", "record updated" }, { "SUCCESS", "insert", cjson.null, "record added" },
        { "SUCCESS", "update", "External_Id", "record updated" }, { "MANDATORY_NOT_FOUND", nil, nil, "required field not found" },
      }, seen)
      assert.equal(known.id, results[1].details.id)
      assert.equal(200, (write("POST", "Leads/upsert", { Last_Name = "C", Email = "d@example.com" })))
    end)

    it("looks at the system field only where it is listed", function()
      local body = { data = { { Last_Name = "A", Email = "christopher.maclead@example.com" } },
        duplicate_check_fields = { "External_Id" } }
      local status, answer = crm("POST", "Leads/upsert", nil, body)
      assert.equal(200, status)
      assert.equal("insert", answer.data[1].action)
      for _, wrong in ipairs({ { "City" }, { "Email", "Nonsense" }, "Email" }) do
        body.duplicate_check_fields = wrong
        local details = refused(400, "INVALID_DATA", crm("POST", "Leads/upsert", nil, body))
        assert.same({ "Email", "External_Id" }, details.supported_values)
      end
    end)

    it("converges when it is sent again", function()
      local _, first = write("POST", "Accounts/upsert", { Account_Name = "Twice Ltd" })
      local _, second = write("POST", "Accounts/upsert", { Account_Name = "Twice Ltd" })
      assert.equal("insert", first[1].action)
      assert.equal("update", second[1].action)
      assert.equal(first[1].details.id, second[1].details.id)
    end)
  end)

  describe("delete", function()
    it("deletes by query and by path, one result per id", function()
      local _, leads = crm("GET", "Leads", "fields=id")
      local ids = ids_of(leads)
      local status, body = crm("DELETE", "Leads", { ids = ids[1] .. "," .. ids[2], wf_trigger = "false" })
      assert.equal(200, status)
      assert.same({ code = "SUCCESS", details = { id = ids[1] }, message = "record deleted", status = "success" },
        body.data[1])
      status, body = crm("DELETE", "Leads", { ids = ids[3] .. "," .. ids[3] .. ",x" })
      assert.equal(207, status)
      assert.same({ "SUCCESS", "INVALID_DATA", "INVALID_DATA" },
        { body.data[1].code, body.data[2].code, body.data[3].code })
      assert.same({ id = ids[3] }, body.data[2].details)
      assert.equal(200, (crm("DELETE", "Leads/" .. ids[4])))
      assert.equal(400, (crm("DELETE", "Leads/" .. ids[4])))
      local _, rest = crm("GET", "Leads", "fields=id")
      assert.equal(8, #rest.data)
    end)

    it("refuses wrong parameters", function()
      local ids = {}
      for i = 1, 101 do
        ids[i] = tostring(i)
      end
      assert.same({ param_name = "ids" }, refused(400, "REQUIRED_PARAM_MISSING", crm("DELETE", "Leads")))
      assert.same({ param_name = "ids", limit = 100 },
        refused(400, "LIMIT_EXCEEDED", crm("DELETE", "Leads", { ids = table.concat(ids, ",") })))
      refused(400, "PATTERN_NOT_MATCHED", crm("DELETE", "Leads", "ids=1&wf_trigger=perhaps"))
    end)
  end)
end)
