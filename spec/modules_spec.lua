-- Every module of the seed, and a custom one: its records are listed, got, created, updated, upserted and deleted, and
-- are refused without its mandatory fields.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")

-- The seed's modules and mandatory fields (Campaigns, Products and the custom module: the sandbox's own), and a change.
local MODULES = {
  { "Leads", { Last_Name = "Smith" }, { Company = "Acme Corp" } },
  { "Contacts", { Last_Name = "Doe" }, { Department = "Sales" } },
  { "Accounts", { Account_Name = "Acme Corporation" }, { Website = "https://acme.com" } },
  { "Deals", { Deal_Name = "Big one", Stage = "Qualification" }, { Stage = "Closed Won" } },
  { "Campaigns", { Campaign_Name = "Fair" }, { Status = "Active" } },
  { "Tasks", { Subject = "Call back" }, { Status = "Completed" } },
  {
    "Calls",
    {
      Subject = "Offer", Call_Type = "Outbound", Call_Start_Time = "2026-02-06T01:10:56-08:00", Call_Duration = "00:20",
    },
    { Call_Result = "Interested" },
  },
  {
    "Events",
    { Event_Title = "Demo", Start_DateTime = "2026-02-06T09:00:00-08:00", End_DateTime = "2026-02-06T10:00:00-08:00" },
    { Venue = "Oslo" },
  },
  { "Products", { Product_Name = "Chair" }, { Product_Active = true } },
  { "Service_Contracts", { Name = "Chairs, 2026" }, { Auto_Renewal = true } },
}

for _, door in ipairs(doors) do
  describe("records of every module (" .. door.name .. ")", function()
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

    for _, row in ipairs(MODULES) do
      local name, sample, change = row[1], row[2], row[3]
      local path = "/" .. name

      it("are listed and got: " .. name, function()
        local fields = wire.names(sample)
        local page = assert(crm:module(name):list({ fields = fields, per_page = 3 }))
        wire.received(sandbox, { "GET", path, query = { fields = table.concat(fields, ","), per_page = "3" } })
        assert.equal(3, #page)
        assert.equal(3, page.info.count)
        for _, record in ipairs(page) do
          assert.matches(wire.ID, record.id)
          for _, field in ipairs(fields) do assert.is_not_nil(record[field], field) end
        end
        sandbox.clear()
        local record = assert(crm[name]:get(page[2].id))
        wire.received(sandbox, { "GET", path .. "/" .. page[2].id })
        assert.equal(page[2].id, record.id)
        for _, field in ipairs(fields) do assert.same(page[2][field], record[field]) end
      end)

      it("are created, updated and deleted: " .. name, function()
        local made = assert(crm[name]:create(sample))
        wire.received(sandbox, { "POST", path, body = { data = { sample } } })
        wire.written(made)

        sandbox.clear()
        local changed = assert(crm[name]:update(wire.merged(change, { id = made.id })))
        wire.received(sandbox, { "PUT", path, body = { data = { wire.merged(change, { id = made.id }) } } })
        wire.written(changed)
        assert.equal(made.id, changed.id)
        local record = assert(crm[name]:get(made.id))
        for field, value in pairs(wire.merged(sample, change)) do assert.same(value, record[field], field) end

        sandbox.clear()
        local deleted = assert(crm[name]:delete(made.id))
        wire.received(sandbox, { "DELETE", path, query = { ids = made.id } })
        assert.equal(made.id, deleted.id)
        wire.fails({ kind = "not_found" }, crm[name]:get(made.id))
      end)

      it("are upserted: " .. name, function()
        local made = assert(crm[name]:upsert(sample))
        wire.received(sandbox, { "POST", path .. "/upsert", body = { data = { sample } } })
        wire.written(made)
        assert.equal("insert", made.action)
      end)

      for field in pairs(sample) do
        it(("need %s: %s"):format(field, name), function()
          local record = wire.merged(sample)
          record[field] = nil
          record.Description = "incomplete"
          local err = wire.fails({
            kind = "invalid", code = "MANDATORY_NOT_FOUND", status = 400,
            details = { api_name = field, json_path = "$.data[0]." .. field },
          }, crm[name]:create(record))
          assert.equal(("create %s: MANDATORY_NOT_FOUND, required field not found: %s"):format(name, field),
            tostring(err))
        end)
      end
    end
  end)
end
