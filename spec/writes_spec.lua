-- Writes of single records: what create, update, upsert and delete send, and what comes back. Long lists: bulk_spec.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local HAS_INTEGERS = rawget(math, "type") ~= nil

for _, door in ipairs(doors) do
  describe("a record (" .. door.name .. ")", function()
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

    describe("created", function()
      it("as the seed's example shows", function()
        local lead = {
          Last_Name = "Smith", First_Name = "John", Email = "john@example.com", Company = "Acme Corp",
          Phone = "+1-555-0123",
        }
        local made = assert(crm.Leads:create(lead))
        wire.received(sandbox, { "POST", "/Leads", body = { data = { lead } } })
        wire.written(made)
        assert.equal(made.Created_Time, made.Modified_Time)
        local record = assert(crm.Leads:get(made.id))
        for field, value in pairs(lead) do assert.equal(value, record[field]) end
      end)

      it("with booleans, numbers and lists", function()
        local lead = {
          Last_Name = "Ek", Email_Opt_Out = true, No_of_Employees = 250, Annual_Revenue = 0.5,
          Interests = { "Training", "Hardware" }, Tag = { { name = "vip" } },
        }
        local record = assert(crm.Leads:get(assert(crm.Leads:create(lead)).id))
        wire.check(sandbox.requests()[1], { "POST", "/Leads", body = { data = { lead } } })
        assert.is_true(record.Email_Opt_Out)
        assert.equal(250, record.No_of_Employees)
        assert.is_true(wire.is_integer(record.No_of_Employees))
        assert.equal(0.5, record.Annual_Revenue)
        assert.same({ "Training", "Hardware" }, record.Interests)
        assert.equal("vip", record.Tag[1].name)
        assert(crm.Leads:update({ id = record.id, Email_Opt_Out = false }))
        assert.is_false(assert(crm.Leads:get(record.id)).Email_Opt_Out)
      end)

      if HAS_INTEGERS then
        it("with integers beyond 2^53, to the last digit", function()
          local serial = 900719925474099301
          local made = assert(crm.Service_Contracts:create({ Name = "Exact", Device_Serial = serial }))
          assert.matches('"Device_Serial":900719925474099301[,}]', sandbox.requests()[1].body)
          assert.equal("900719925474099301", tostring(assert(crm.Service_Contracts:get(made.id)).Device_Serial))
        end)
      end

      it("with what goes beside the records", function()
        assert(crm.Leads:create({ Last_Name = "Ek" }, {
          trigger = { "workflow", "approval" }, apply_feature_execution = { { name = "layout_rules" } },
          skip_feature_execution = { { name = "cadences" } }, lar_id = "7243485000000099999",
        }))
        wire.received(sandbox, { "POST", "/Leads", body = {
          data = { { Last_Name = "Ek" } }, trigger = { "workflow", "approval" },
          apply_feature_execution = { { name = "layout_rules" } }, skip_feature_execution = { { name = "cadences" } },
          lar_id = "7243485000000099999",
        } })
      end)

      it("with trigger = {}: no workflow, which is not the same as saying nothing", function()
        assert(crm.Leads:create({ Last_Name = "Ek" }, { trigger = {} }))
        assert.matches('"trigger":%[%]', sandbox.requests()[1].body)
      end)

      it("as an outcome for an array, also for an array of one, and for an empty one", function()
        local outcome = crm.Leads:create({ { Last_Name = "One" } })
        assert.same({ 1, 1, 0 }, { #outcome, outcome.succeeded, outcome.failed })
        assert.is_true(outcome[1].ok)
        assert.equal("SUCCESS", outcome[1].code)
        assert.matches(wire.ID, outcome[1].id)
        wire.written(outcome[1].details)
        sandbox.clear()
        outcome = crm.Leads:create({})
        assert.same({ 0, 0, 0 }, { #outcome, outcome.succeeded, outcome.failed })
        wire.received(sandbox)
      end)

      local faults = {
        {
          "text where a number belongs", { No_of_Employees = "many" }, "INVALID_DATA", "invalid",
          { api_name = "No_of_Employees", json_path = "$.data[0].No_of_Employees", expected_data_type = "integer" },
        },
        {
          "text that is too long", { Phone = ("5"):rep(31) }, "INVALID_DATA", "invalid",
          { api_name = "Phone", json_path = "$.data[0].Phone", maximum_length = 30 },
        },
        {
          "a choice there is not", { Salutation = "Sir" }, "INVALID_DATA", "invalid",
          {
            api_name = "Salutation", json_path = "$.data[0].Salutation",
            supported_values = { "Mr.", "Mrs.", "Ms.", "Dr.", "Prof." },
          },
        },
        { "an address that is none", { Email = "nobody" }, "INVALID_DATA", "invalid" },
        { "a lookup to nowhere", { Owner = { id = wire.UNKNOWN_ID } }, "INVALID_DATA", "not_found" },
        { "several faults", { Email = "nobody", Salutation = "Sir" }, "MULTIPLE_OR_MULTI_ERRORS", "invalid" },
      }
      for _, row in ipairs(faults) do
        it("not with " .. row[1], function()
          wire.fails({ code = row[3], kind = row[4], status = 400, details = row[5] },
            crm.Leads:create(wire.merged({ Last_Name = "Ek" }, row[2])))
        end)
      end

      it("not twice, where a field is unique", function()
        local first = assert(crm.Contacts:create({ Last_Name = "Ek", Email = "ek@example.com" }))
        local err = wire.fails({ kind = "duplicate", code = "DUPLICATE_DATA", status = 400 },
          crm.Contacts:create({ Last_Name = "Ek", Email = "ek@example.com" }))
        assert.equal("Email", err.details.api_name)
        assert.equal(first.id, err.details.id)
        assert.matches("duplicate data: Email %(record " .. first.id .. " has it%)", tostring(err))
      end)

      it("never from what is no record", function()
        wire.raises(function() crm.Leads:create("Smith") end, "create takes a record", "not a string")
        wire.raises(function() crm.Leads:create() end, "create takes a record")
        wire.raises(function() crm.Leads:create({ { Last_Name = "a" }, 2 }) end, "create: record 2 is a number")
        wire.raises(function() crm.Leads:create({ Last_Name = 0 / 0 }) end, "Last_Name", "nan")
        wire.raises(function() crm.Leads:create({ { Last_Name = "a" }, { Last_Name = print } }) end, "record 2")
        wire.raises(function() crm.Leads:create({ Last_Name = "\255" }) end, "Last_Name", "UTF-8")
        wire.raises(function() crm.Leads:create({ Last_Name = "a" }, { trigger = "workflow" }) end, "trigger")
        wire.raises(function() crm.Leads.create({ Last_Name = "a" }) end, "crm.Leads:create(…), with a colon")
        wire.received(sandbox)
      end)

      it("never from a list with a hole", function()
        local list = { { Last_Name = "a" } }
        list[3] = { Last_Name = "c" }
        wire.raises(function() crm.Leads:create(list) end, "record 2")
        wire.received(sandbox)
      end)

      it("never from a list with names in it", function()
        wire.raises(function() crm.Leads:create({ { Last_Name = "a" }, trigger = {} }) end, "create: ", "trigger")
        wire.raises(function() crm.Leads:upsert({ { Last_Name = "a" }, Company = "b" }) end, "upsert: ", "Company")
        wire.received(sandbox)
      end)

      it("never with a map where a list of names belongs", function()
        wire.raises(function() crm.Leads:create({ Last_Name = "a" }, { trigger = { workflow = true } }) end, "trigger")
        wire.raises(function()
          crm.Leads:upsert({ Last_Name = "a" }, { duplicate_check_fields = { Email = true } })
        end, "duplicate_check_fields")
        wire.received(sandbox)
      end)
    end)

    describe("updated", function()
      it("as the seed's example shows: only what is named changes", function()
        local made = assert(crm.Leads:create({ Last_Name = "Smith", City = "Oslo" }))
        sandbox.advance(5)
        sandbox.clear()
        local change = { id = made.id, Phone = "+1-555-9999", Company = "Updated Company Name" }
        local changed = assert(crm.Leads:update(change))
        wire.received(sandbox, { "PUT", "/Leads", body = { data = { change } } })
        wire.written(changed)
        assert.equal(made.Created_Time, changed.Created_Time)
        assert.is_true(changed.Modified_Time > made.Modified_Time)
        local record = assert(crm.Leads:get(made.id))
        assert.same({ "Smith", "Oslo", "+1-555-9999", "Updated Company Name" },
          { record.Last_Name, record.City, record.Phone, record.Company })
      end)

      it("as a page that was listed and changed", function()
        local page = assert(crm.Leads:list({ fields = "City", per_page = 3 }))
        for i, lead in ipairs(page) do lead.City = "City " .. i end
        sandbox.clear()
        local outcome = crm.Leads:update(page)
        assert.same({ 3, 3 }, { #outcome, outcome.succeeded })
        local sent = {}
        for i, lead in ipairs(page) do sent[i] = { id = lead.id, City = "City " .. i } end
        wire.received(sandbox, { "PUT", "/Leads", body = { data = sent } })
      end)

      it("as it was got and changed, empty lists and all", function()
        local lead = assert(crm.Leads:get(assert(crm.Leads:create({ Last_Name = "Smith", Tag = zohocrm.array({}) })).id))
        assert.is_nil(next(lead.Tag))
        lead.City = "Oslo"
        sandbox.clear()
        assert(crm.Leads:update(lead))
        assert.matches('"Tag":%[%]', sandbox.requests()[1].body)
        assert.equal("Oslo", assert(crm.Leads:get(lead.id)).City)
      end)

      it("as a page without records: not at all", function()
        local nobody = assert(crm.Leads:search({ email = "nobody@example.com" }))
        assert.equal(0, #nobody)
        sandbox.clear()
        assert.equal(0, crm.Leads:update(nobody).total)
        wire.received(sandbox)
      end)

      it("with null, which empties a field", function()
        local made = assert(crm.Leads:create({ Last_Name = "Smith", Phone = "555" }))
        sandbox.clear()
        assert(crm.Leads:update({ id = made.id, Phone = zohocrm.null }))
        local request = wire.received(sandbox, {
          "PUT", "/Leads", body = { data = { { id = made.id, Phone = zohocrm.null } } },
        })
        assert.matches('"Phone":null', request.body)
        assert.is_nil(assert(crm.Leads:get(made.id)).Phone)
      end)

      it("with an empty array, which empties a list", function()
        local made = assert(crm.Leads:create({ Last_Name = "Smith", Interests = { "Training" } }))
        sandbox.clear()
        assert(crm.Leads:update({ id = made.id, Interests = zohocrm.array({}) }))
        assert.matches('"Interests":%[%]', sandbox.requests()[1].body)
        assert.is_nil(assert(crm.Leads:get(made.id)).Interests)
      end)

      it("never with an empty object where a list belongs", function()
        local made = assert(crm.Leads:create({ Last_Name = "Smith", Interests = { "Training" } }))
        local _, err = crm.Leads:update({ id = made.id, Interests = {} })
        assert.equal("update Leads: INVALID_DATA, invalid data: Interests (expected jsonarray)", tostring(err))
        assert.same({ "Training" }, assert(crm.Leads:get(made.id)).Interests)
      end)

      it("by an id that is a number, sent as a string", function()
        wire.fails({ kind = "not_found" }, crm.Leads:update({ id = 42, City = "Oslo" }))
        wire.received(sandbox, { "PUT", "/Leads", body = { data = { { id = "42", City = "Oslo" } } } })
        sandbox.clear()
        if HAS_INTEGERS then
          local id = lead_ids()[1]
          assert(crm.Leads:update({ id = tonumber(id), City = "Oslo" }))
          wire.received(sandbox, { "PUT", "/Leads", body = { data = { { id = id, City = "Oslo" } } } })
        end
      end)

      it("never without an exact id", function()
        wire.raises(function() crm.Leads:update({ City = "Oslo" }) end, "update: the record has no id")
        wire.raises(function() crm.Leads:update({ { id = "1" }, { City = "Oslo" } }) end, "update: record 2 has no id")
        wire.raises(function() crm.Leads:update({ id = 7243485000000597000.0 }) end, "cannot hold a record id exactly")
        wire.raises(function() crm.Leads:update({ id = "", City = "Oslo" }) end, "id must be a record id")
        wire.raises(function() crm.Leads:update({ { id = true } }) end, "record 1", "id must be a record id")
        wire.received(sandbox)
      end)

      it("not, when there is none with the id", function()
        wire.fails({ kind = "not_found", code = "INVALID_DATA", status = 400 },
          crm.Leads:update({ id = wire.UNKNOWN_ID, City = "Oslo" }))
      end)

      it("not, when it was converted", function()
        local lead = assert(crm.Leads:list({ fields = "Last_Name", converted = true }))[1]
        wire.fails({ kind = "conflict", code = "CONVERTED_RECORD" }, crm.Leads:update({ id = lead.id, City = "Oslo" }))
      end)

      it("with what goes beside the records", function()
        local id = lead_ids()[1]
        assert(crm.Leads:update({ id = id, City = "Oslo" }, {
          trigger = { "blueprint" }, apply_feature_execution = { { name = "layout_rules" } },
          skip_feature_execution = { { name = "cadences" } },
        }))
        wire.received(sandbox, { "PUT", "/Leads", body = {
          data = { { id = id, City = "Oslo" } }, trigger = { "blueprint" },
          apply_feature_execution = { { name = "layout_rules" } }, skip_feature_execution = { { name = "cadences" } },
        } })
      end)

      it("unless someone else did meanwhile", function()
        sandbox.set_time(wire.NOW)
        local made = assert(crm.Leads:create({ Last_Name = "Smith" }))
        sandbox.clear()
        local since = "2026-02-06T01:10:00Z"
        wire.fails({ kind = "conflict", code = "ALREADY_MODIFIED", status = 412 },
          crm.Leads:update({ id = made.id, City = "Oslo" }, { if_unmodified_since = since }))
        wire.received(sandbox, {
          "PUT", "/Leads", body = { data = { { id = made.id, City = "Oslo" } } },
          headers = { ["if-unmodified-since"] = since },
        })
        assert(crm.Leads:update({ id = made.id, City = "Rome" }, { if_unmodified_since = made.Modified_Time }))
        assert.equal("Rome", assert(crm.Leads:get(made.id)).City)
      end)
    end)

    describe("upserted", function()
      it("by the module's own field: inserted, then updated", function()
        local lead = { Last_Name = "Ek", Email = "ek@example.com" }
        local first = assert(crm.Leads:upsert(lead))
        assert.equal("insert", first.action)
        assert.is_nil(first.duplicate_field)
        sandbox.clear()
        local second = assert(crm.Leads:upsert(wire.merged(lead, { City = "Oslo" })))
        wire.received(sandbox, { "POST", "/Leads/upsert", body = { data = { wire.merged(lead, { City = "Oslo" }) } } })
        wire.written(second)
        assert.same({ first.id, "update", "Email" }, { second.id, second.action, second.duplicate_field })
        assert.equal("Oslo", assert(crm.Leads:get(first.id)).City)
      end)

      it("by the fields named in the body", function()
        local lead = { Last_Name = "Ek", External_Id = "X-1" }
        local first = assert(crm.Leads:upsert(lead, { duplicate_check_fields = { "External_Id" } }))
        wire.received(sandbox, {
          "POST", "/Leads/upsert", body = { data = { lead }, duplicate_check_fields = { "External_Id" } },
        })
        local outcome = crm.Leads:upsert({ wire.merged(lead, { City = "Rome" }), { Last_Name = "New" } },
          { duplicate_check_fields = { "External_Id" }, trigger = {} })
        assert.same({ "update", "External_Id", first.id }, {
          outcome[1].action, outcome[1].duplicate_field, outcome[1].id,
        })
        assert.equal("insert", outcome[2].action)
      end)
    end)

    describe("deleted", function()
      it("as an array of ids, with an outcome for each", function()
        local ids = lead_ids()
        local outcome = crm.Leads:delete({ ids[1], wire.UNKNOWN_ID, ids[2] })
        wire.received(sandbox, {
          "DELETE", "/Leads", query = { ids = ids[1] .. "," .. wire.UNKNOWN_ID .. "," .. ids[2] },
        })
        assert.same({ 2, 1 }, { outcome.succeeded, outcome.failed })
        assert.same({ true, false, true }, wire.column(outcome, "ok"))
        assert.equal(ids[2], outcome[3].id)
        assert.same({ "not_found", 2 }, { outcome[2].error.kind, outcome[2].error.record })
        assert.equal(#ids - 2, #lead_ids())
      end)

      for _, wf_trigger in ipairs({ true, false }) do
        it("with wf_trigger = " .. tostring(wf_trigger), function()
          local id = lead_ids()[1]
          assert(crm.Leads:delete(id, { wf_trigger = wf_trigger }))
          wire.received(sandbox, { "DELETE", "/Leads", query = { ids = id, wf_trigger = tostring(wf_trigger) } })
        end)
      end

      it("once: the second time there is none with the id", function()
        local id = lead_ids()[1]
        assert(crm.Leads:delete(id))
        local err = wire.fails({ kind = "not_found", code = "INVALID_DATA", status = 400 }, crm.Leads:delete(id))
        assert.matches("^delete Leads: INVALID_DATA, the id given seems to be invalid", tostring(err))
      end)

      it("by numbers that are exactly the ids", function()
        local outcome = crm.Leads:delete({ 41, "42" })
        wire.received(sandbox, { "DELETE", "/Leads", query = { ids = "41,42" } })
        assert.equal(2, outcome.failed)
      end)

      it("never by what is no id", function()
        wire.raises(function() crm.Leads:delete({ "1", 7243485000000597000.0 }) end, "id 2", "cannot hold a record id")
        wire.raises(function() crm.Leads:delete("1,2") end, "contains a comma; pass many ids as an array")
        wire.raises(function() crm.Leads:delete() end, "delete: the id must be a record id")
        wire.raises(function() crm.Leads:delete("1", { wf_trigger = "yes" }) end, "wf_trigger must be true or false")
        wire.received(sandbox)
      end)

      it("never by a list with a hole", function()
        wire.raises(function() crm.Leads:delete({ "1", nil, "3" }) end, "id 2")
        wire.received(sandbox)
      end)

      it("never by a record, which has its id among other things", function()
        local lead = assert(crm.Leads:get(lead_ids()[1]))
        sandbox.clear()
        wire.raises(function() crm.Leads:delete(lead) end, "delete: ")
        wire.received(sandbox)
      end)

      it("none, where the array is empty", function()
        assert.equal(0, #crm.Leads:delete({}))
        wire.received(sandbox)
      end)
    end)
  end)
end
