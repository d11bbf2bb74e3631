-- The sandbox engine: users and metadata.

local cjson = require("cjson")
local engine = require("spec.support.sandbox_engine")
local schema = require("zohocrm.sandbox.schema")

local crm = engine.crm

-- Asserts an answer in Zoho's error envelope; gives its details.
local function refused(status, code, got_status, body)
  assert.equal(status, got_status)
  assert.equal(code, body.code)
  assert.equal("error", body.status)
  assert.is_string(body.message)
  return body.details
end

describe("sandbox engine, metadata", function()
  before_each(function()
    engine.start({ time = engine.NOW, records = 12 })
  end)

  describe("users", function()
    it("answers every type differently and rightly", function()
      local answers = {}
      for kind, expected in pairs({
        AllUsers = "Doe Lindqvist Mwangi O'Connor Nakamura Fernández Novák Kim",
        ActiveUsers = "Doe Lindqvist Mwangi O'Connor Nakamura Fernández", DeactiveUsers = "Novák Kim",
        ConfirmedUsers = "Doe Lindqvist Mwangi O'Connor Novák Kim", NotConfirmedUsers = "Nakamura Fernández",
        DeletedUsers = "Costa", ActiveConfirmedUsers = "Doe Lindqvist Mwangi O'Connor",
        AdminUsers = "Doe O'Connor Fernández Novák", ActiveConfirmedAdmins = "Doe O'Connor", CurrentUser = "Doe",
      }) do
        local status, body = crm("GET", "users", { type = kind })
        assert.equal(200, status)
        local found = {}
        for i, user in ipairs(body.users) do
          found[i] = user.last_name
        end
        found = table.concat(found, " ")
        assert.equal(expected, found)
        assert.is_nil(answers[found])
        answers[found] = kind
        assert.same({ per_page = 200, count = #body.users, page = 1, more_records = false }, body.info)
      end
      local _, plain = crm("GET", "users")
      assert.equal(8, #plain.users)
      assert.equal(204, (crm("GET", "users", "type=DeveloperUsers")))
      assert.equal("type", refused(400, "INVALID_DATA", crm("GET", "users", "type=allusers")).param_name)
    end)

    it("pages, picks ids, gets one in the seed's shape", function()
      local _, body = crm("GET", "users", "per_page=3&page=3")
      assert.same({ per_page = 3, count = 2, page = 3, more_records = false }, body.info)
      assert.equal(204, (crm("GET", "users", "per_page=3&page=4")))
      _, body = crm("GET", "users", "ids=7243485000000590013,7243485000000590001,5")
      assert.equal(2, #body.users)
      refused(400, "PATTERN_NOT_MATCHED", crm("GET", "users", "page=x"))
      refused(400, "INVALID_DATA", crm("GET", "users", "ids=x"))
      _, body = crm("GET", "users/7243485000000590001")
      assert.same({
        id = "7243485000000590001", first_name = "John", last_name = "Doe", full_name = "John Doe",
        email = "john.doe@example.com", status = "active", confirm = true, time_zone = "PST", country = "US",
        locale = "en_US", role = { name = "CEO", id = "7243485000000026005" },
        profile = { name = "Administrator", id = "7243485000000026011" },
      }, body.users[1])
      assert.equal(204, (crm("GET", "users/7243485000000590002")))
    end)
  end)

  describe("metadata", function()
    it("describes the organisation", function()
      local _, body = crm("GET", "org")
      assert.equal("7243485000000020005", body.org[1].id)
      assert.equal(cjson.null, body.org[1].license_details.trial_expiry)
      assert.equal(10, body.org[1].license_details.users_license_purchased)
    end)

    it("lists modules, by status, and gets one by name or id", function()
      local counts = { visible = 10, user_hidden = 2, system_hidden = 1, scheduled_for_deletion = 1 }
      local total = 0
      for status, count in pairs(counts) do
        local _, body = crm("GET", "settings/modules", { status = status })
        assert.equal(count, #body.modules)
        for _, module in ipairs(body.modules) do
          assert.equal(status, module.status)
        end
        total = total + count
      end
      local _, all = crm("GET", "settings/modules")
      assert.equal(total, #all.modules)
      local _, two = crm("GET", "settings/modules", "status=user_hidden,system_hidden")
      assert.equal(3, #two.modules)
      refused(400, "INVALID_DATA", crm("GET", "settings/modules", "status=hidden"))
      local _, leads = crm("GET", "settings/modules/Leads")
      assert.equal("7243485000000002175", leads.modules[1].id)
      local _, same = crm("GET", "settings/modules/7243485000000002175")
      assert.same(leads, same)
      local _, custom = crm("GET", "settings/modules/Service_Contracts")
      assert.equal("custom", custom.modules[1].generated_type)
      refused(400, "INVALID_MODULE", crm("GET", "settings/modules/leads"))
    end)

    it("lists fields, used and unused, and gets one", function()
      local _, used = crm("GET", "settings/fields", "module=Leads")
      local _, unused = crm("GET", "settings/fields", "module=Leads&type=unused")
      local _, all = crm("GET", "settings/fields", "module=Leads&type=all")
      assert.equal(2, #unused.fields)
      assert.equal(#all.fields, #used.fields + #unused.fields)
      local last_name
      for _, field in ipairs(used.fields) do
        last_name = field.api_name == "Last_Name" and field or last_name
        assert.is_table(field.pick_list_values)
      end
      assert.equal("7243485000000002613", last_name.id)
      assert.equal("text", last_name.data_type)
      assert.is_true(last_name.system_mandatory)
      assert.is_false(last_name.custom_field)
      local _, one = crm("GET", "settings/fields/7243485000000002613", "module=Leads")
      assert.same({ last_name }, one.fields)
      assert.equal(204, (crm("GET", "settings/fields/1", "module=Leads")))
      assert.equal("module", refused(400, "REQUIRED_PARAM_MISSING", crm("GET", "settings/fields")).param_name)
      refused(400, "INVALID_MODULE", crm("GET", "settings/fields", "module=leads"))
      refused(400, "INVALID_DATA", crm("GET", "settings/fields", "module=Leads&type=some"))
    end)

    it("has unique ids", function()
      local seen = {}
      for _, module in ipairs(schema.modules) do
        for _, thing in ipairs({ module, module.layout }) do
          assert.is_nil(seen[thing.id])
          seen[thing.id] = true
        end
        for _, field in ipairs(module.fields) do
          assert.equal(19, #field.id)
          assert.is_nil(seen[field.id])
          seen[field.id] = true
          for _, value in ipairs(field.picklist or {}) do
            assert.is_nil(seen[value.id])
            seen[value.id] = true
          end
        end
      end
    end)

    it("lists layouts with sections, roles, profiles; gets one of each; 204 for unknown ones", function()
      local _, layouts = crm("GET", "settings/layouts", "module=Leads")
      local layout = layouts.layouts[1]
      assert.equal("7243485000000091055", layout.id)
      assert.equal("Lead Information", layout.sections[1].display_label)
      assert.equal("Lead_Information", layout.sections[1].api_name)
      assert.equal(3, #layout.sections)
      assert.equal("Owner", layout.sections[1].fields[1].api_name)
      local _, one = crm("GET", "settings/layouts/" .. layout.id, "module=Leads")
      assert.same(layouts, one)
      assert.equal(204, (crm("GET", "settings/layouts/" .. layout.id, "module=Deals")))
      refused(400, "REQUIRED_PARAM_MISSING", crm("GET", "settings/layouts"))

      local _, roles = crm("GET", "settings/roles")
      assert.equal(cjson.null, roles.roles[1].reporting_to)
      assert.same({ name = "CEO", id = "7243485000000026005" }, roles.roles[2].reporting_to)
      local _, role = crm("GET", "settings/roles/7243485000000026008")
      assert.same({ roles.roles[2] }, role.roles)
      local _, profiles = crm("GET", "settings/profiles")
      assert.equal("normal_profile", profiles.profiles[1].type)
      local _, profile = crm("GET", "settings/profiles/7243485000000026011")
      assert.same({ profiles.profiles[1] }, profile.profiles)
      assert.equal(204, (crm("GET", "settings/roles/1")))
      assert.equal(204, (crm("GET", "settings/profiles/1")))
    end)
  end)
end)
