-- The organisation, its users, and its settings: modules, fields, layouts, roles, profiles.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")

-- Which users each `type` gives (reference, section 8.1), told by their own data.
local function present(user) return user.status ~= "deleted" end
local function active(user) return user.status == "active" end
local function confirmed(user) return user.confirm end
local function admin(user) return user.profile.name == "Administrator" end

local USER_TYPES = {
  { "AllUsers", present },
  { "ActiveUsers", active },
  { "DeactiveUsers", function(user) return user.status == "inactive" end },
  { "ConfirmedUsers", function(user) return present(user) and confirmed(user) end },
  { "NotConfirmedUsers", function(user) return present(user) and not confirmed(user) end },
  { "DeletedUsers", function(user) return user.status == "deleted" end },
  { "ActiveConfirmedUsers", function(user) return active(user) and confirmed(user) end },
  { "AdminUsers", function(user) return present(user) and admin(user) end },
  { "ActiveConfirmedAdmins", function(user) return active(user) and confirmed(user) and admin(user) end },
  { "CurrentUser", function(user) return user.full_name == "John Doe" end },
}

-- Further types of Zoho's own schema, which the sandbox's organisation has no (special) users of.
local MORE_USER_TYPES = { "AllActiveUsers", "DeveloperUsers", "ActiveLiteUser" }

local MODULE_STATUSES = { "visible", "user_hidden", "system_hidden", "scheduled_for_deletion" }

-- Mandatory fields, seed.
local MANDATORY = {
  Leads = { "Last_Name" },
  Contacts = { "Last_Name" },
  Accounts = { "Account_Name" },
  Deals = { "Deal_Name", "Stage" },
  Tasks = { "Subject" },
  Calls = { "Call_Duration", "Call_Start_Time", "Call_Type", "Subject" },
  Events = { "End_DateTime", "Event_Title", "Start_DateTime" },
}

local CORE_MODULES = {
  "Leads", "Contacts", "Accounts", "Deals", "Campaigns", "Tasks", "Calls", "Events", "Products",
}

-- The keys that the seed shows, with the type of their values; "?" where they may be null.
local SHAPES = {
  org = {
    id = "string", company_name = "string", domain_name = "string", primary_email = "string", phone = "string",
    currency = "string", currency_symbol = "string", iso_code = "string", time_zone = "string",
    country_code = "string", zgid = "string", type = "string", mc_status = "boolean", license_details = "table",
  },
  license = { paid = "boolean", paid_type = "string", users_license_purchased = "number" },
  user = {
    id = "string", first_name = "string", last_name = "string", full_name = "string", email = "string",
    status = "string", confirm = "boolean", role = "table", profile = "table", time_zone = "string",
    country = "string", locale = "string",
  },
  module = {
    api_name = "string", module_name = "string", singular_label = "string", plural_label = "string",
    api_supported = "boolean", creatable = "boolean", editable = "boolean", deletable = "boolean",
    viewable = "boolean", status = "string", generated_type = "string", id = "string", profiles = "table",
  },
  field = {
    api_name = "string", field_label = "string", data_type = "string", system_mandatory = "boolean",
    custom_field = "boolean", visible = "boolean", searchable = "boolean", sortable = "boolean", id = "string",
  },
  layout = {
    id = "string", name = "string", api_name = "string", status = "string", visible = "boolean", profiles = "table",
    sections = "table",
  },
  section = { display_label = "string", api_name = "string", sequence_number = "number", fields = "table" },
  role = { id = "string", name = "string", display_label = "string", share_with_peers = "boolean" },
  profile = { id = "string", name = "string", display_label = "string", type = "string", custom = "boolean" },
  reference = { id = "string", name = "string" },
}

local function assert_shape(shape, value)
  for key, kind in pairs(SHAPES[shape]) do assert.equal(kind, type(value[key]), shape .. "." .. key) end
  if value.id then assert.matches(wire.ID, value.id) end
end

-- Calls, the requests they become, and the shape of what comes back (of each element, for lists).
-- Each gets ids that were looked up before: role, profile, user, layout (of Leads).
local CALLS = {
  { "org", function(crm) return crm:org() end, "/org", one = "org" },
  { "users", function(crm) return crm:users() end, "/users", each = "user" },
  { "user", function(crm, id) return crm:user(id.user) end, "/users/%s", id = "user", one = "user" },
  { "modules", function(crm) return crm:modules() end, "/settings/modules", each = "module" },
  {
    "the metadata of a module", function(crm) return crm.Leads:metadata() end, "/settings/modules/Leads",
    one = "module",
  },
  {
    "fields", function(crm) return crm:fields("Leads") end, "/settings/fields", query = { module = "Leads" },
    each = "field",
  },
  {
    "fields of a handle", function(crm) return crm:fields(crm.Deals) end, "/settings/fields",
    query = { module = "Deals" }, each = "field",
  },
  {
    "fields, by the handle", function(crm) return crm.Leads:fields() end, "/settings/fields",
    query = { module = "Leads" }, each = "field",
  },
  {
    "layouts", function(crm) return crm:layouts("Leads") end, "/settings/layouts", query = { module = "Leads" },
    each = "layout",
  },
  {
    "layouts, by the handle", function(crm) return crm.Leads:layouts() end, "/settings/layouts",
    query = { module = "Leads" }, each = "layout",
  },
  {
    "layout", function(crm, id) return crm:layout(id.layout, "Leads") end, "/settings/layouts/%s", id = "layout",
    query = { module = "Leads" }, one = "layout",
  },
  {
    "layout, by the handle", function(crm, id) return crm.Leads:layout(id.layout) end, "/settings/layouts/%s",
    id = "layout", query = { module = "Leads" }, one = "layout",
  },
  { "roles", function(crm) return crm:roles() end, "/settings/roles", each = "role" },
  { "role", function(crm, id) return crm:role(id.role) end, "/settings/roles/%s", id = "role", one = "role" },
  { "profiles", function(crm) return crm:profiles() end, "/settings/profiles", each = "profile" },
  {
    "profile", function(crm, id) return crm:profile(id.profile) end, "/settings/profiles/%s", id = "profile",
    one = "profile",
  },
}

-- Calls by id, for ids that are none or would leave their place.
local BY_ID = {
  { "user", "/users/", function(crm, id) return crm:user(id) end },
  { "role", "/settings/roles/", function(crm, id) return crm:role(id) end },
  { "profile", "/settings/profiles/", function(crm, id) return crm:profile(id) end },
  {
    "layout", "/settings/layouts/", function(crm, id) return crm:layout(id, "Leads") end, query = { module = "Leads" },
  },
}

local HOSTILE = { ["../org"] = "..%2Forg", ["a/b"] = "a%2Fb", ["a?b"] = "a%3Fb", ["ä"] = "%C3%A4" }

-- Options, what they become, and what never goes out.
local USER_OPTIONS = {
  { "page and per_page", { page = 2, per_page = 3 }, { page = "2", per_page = "3" } },
  { "the largest per_page", { per_page = 200 }, { per_page = "200" } },
  { "type and paging", { type = "ActiveUsers", page = 1 }, { type = "ActiveUsers", page = "1" } },
  {
    "ids", { ids = { "7243485000000590001", "7243485000000590013" } },
    { ids = "7243485000000590001,7243485000000590013" },
  },
  {
    "ids in a string", { ids = "7243485000000590001, 7243485000000590013" },
    { ids = "7243485000000590001,7243485000000590013" },
  },
  {
    "if_modified_since", { if_modified_since = "2001-02-06T01:10:56-08:00" }, nil,
    { ["if-modified-since"] = "2001-02-06T01:10:56-08:00" },
  },
}

local HUNDRED_AND_ONE = {}
for i = 1, 101 do HUNDRED_AND_ONE[i] = "7243485000000590" .. ("%03d"):format(i) end

local MISTAKES = {
  { "a type of user there is not", function(crm) crm:users({ type = "Admins" }) end, "'AdminUsers'" },
  { "201 users a page", function(crm) crm:users({ per_page = 201 }) end, "a whole number from 1 to 200, not 201" },
  { "page 0", function(crm) crm:users({ page = 0 }) end, "page must be a whole number" },
  { "101 ids", function(crm) crm:users({ ids = HUNDRED_AND_ONE }) end, "ids has 101 ids; the API takes at most 100" },
  {
    "an unknown option", function(crm) crm:users({ typ = "AllUsers" }) end,
    "unknown option 'typ'; did you mean 'type'?",
  },
  { "an option of org", function(crm) crm:org({ page = 1 }) end, "org: unknown option 'page'" },
  { "a status there is not", function(crm) crm:modules({ status = "hidden" }) end, "'user_hidden'" },
  { "a type of field there is not", function(crm) crm:fields("Leads", { type = "no" }) end, "'all', 'used', 'unused'" },
  { "fields of nothing", function(crm) crm:fields() end, "fields: the module must be the API name of a module" },
  { "fields of an empty name", function(crm) crm:fields("") end, "not an empty string" },
  { "layouts of nothing", function(crm) crm:layouts() end, "layouts: the module must be the API name" },
  { "a layout of nothing", function(crm) crm:layout("1") end, "layout: the module must be the API name" },
  { "a layout without an id", function(crm) crm:layout(nil, "Leads") end, "layout: the id must be a record id" },
  { "a user without an id", function(crm) crm:user() end, "user: the id must be a record id" },
  { "a user by an inexact number", function(crm) crm:user(7243485000000590001.0) end, "cannot hold a record id" },
  { "a role without an id", function(crm) crm:role() end, "role: the id must be a record id" },
  { "a profile without an id", function(crm) crm:profile("") end, "profile: the id must be a record id" },
  { "a call without the colon", function(crm) crm.users({ type = "AllUsers" }) end, "crm:users(…), with a colon" },
}

local function sorted(list)
  table.sort(list)
  return list
end

for _, door in ipairs(doors) do
  describe("metadata (" .. door.name .. ")", function()
    local sandbox, crm
    local id = {}

    setup(function()
      sandbox = door.start({ records = 3, time = wire.NOW })
      crm = wire.client(sandbox)
      id.user = assert(crm:users())[2].id
      id.role = assert(crm:roles())[2].id
      id.profile = assert(crm:profiles())[2].id
      id.layout = assert(crm:layouts("Leads"))[1].id
    end)
    teardown(function()
      crm:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    for _, row in ipairs(CALLS) do
      it("has the " .. row[1], function()
        local result, err = row[2](crm, id)
        assert.is_nil(err)
        wire.received(sandbox, { "GET", row[3]:format(row.id and id[row.id]), query = row.query })
        if row.one then
          assert_shape(row.one, result)
          if row.id then assert.equal(id[row.id], result.id) end
        else
          assert.is_true(#result > 0)
          assert.equal("table", type(result.info))
          for _, item in ipairs(result) do assert_shape(row.each, item) end
        end
      end)
    end

    it("has the organisation's licence, with null as absent", function()
      local org = assert(crm:org())
      assert_shape("license", org.license_details)
      assert.is_true(wire.is_integer(org.license_details.users_license_purchased))
      assert.is_nil(org.license_details.trial_expiry)
    end)

    it("goes through the connection chosen for the call", function()
      local connection = assert(crm.connections:list({ status = "ACTIVE" }))[1].connection_id
      sandbox.clear()
      assert(crm:org({ connection = connection }))
      assert(crm:fields("Leads", { connection = connection }))
      local headers = { ["maton-connection"] = connection }
      wire.received(sandbox, { "GET", "/org", headers = headers },
        { "GET", "/settings/fields", query = { module = "Leads" }, headers = headers })
    end)

    for _, row in ipairs(BY_ID) do
      it("has no " .. row[1] .. " with an unknown id", function()
        local err = wire.fails({ kind = "not_found" }, row[3](crm, wire.UNKNOWN_ID))
        wire.received(sandbox, { "GET", row[2] .. wire.UNKNOWN_ID, query = row.query })
        assert.matches(wire.UNKNOWN_ID, tostring(err))
      end)

      for hostile, segment in pairs(HOSTILE) do
        it(("keeps the id %q of a %s one segment of the path"):format(hostile, row[1]), function()
          wire.fails({ kind = "not_found" }, row[3](crm, hostile))
          wire.received(sandbox, { "GET", row[2] .. segment, query = row.query })
        end)
      end
    end

    for hostile, segment in pairs(HOSTILE) do
      it(("keeps the module name %q in its place"):format(hostile), function()
        local result = crm:module(hostile):metadata()
        assert.is_nil(result)
        wire.check(sandbox.requests()[1], { "GET", "/settings/modules/" .. segment })
        sandbox.clear()
        wire.fails({ code = "INVALID_MODULE" }, crm:fields(hostile))
        wire.check(sandbox.requests()[1], { "GET", "/settings/fields", query = { module = hostile } })
      end)
    end

    for _, row in ipairs(MISTAKES) do
      it("never has " .. row[1], function()
        wire.raises(function() row[2](crm) end, row[3])
        wire.received(sandbox)
      end)
    end

    describe("of users", function()
      local everyone

      before_each(function()
        everyone = assert(crm:users({ type = "AllUsers" }))
        for _, user in ipairs(assert(crm:users({ type = "DeletedUsers" }))) do everyone[#everyone + 1] = user end
        sandbox.clear()
      end)

      for _, row in ipairs(USER_TYPES) do
        it("has those of the type " .. row[1], function()
          local expected = {}
          for _, user in ipairs(everyone) do
            if row[2](user) then expected[#expected + 1] = user.full_name end
          end
          assert.is_true(#expected > 0)
          local page = assert(crm:users({ type = row[1] }))
          wire.received(sandbox, { "GET", "/users", query = { type = row[1] } })
          assert.same(sorted(expected), sorted(wire.column(page, "full_name")))
          assert.equal(#expected, page.info.count)
        end)
      end

      it("has a different answer for every type of the seed", function()
        local seen = {}
        for _, row in ipairs(USER_TYPES) do
          local names = table.concat(sorted(wire.column(assert(crm:users({ type = row[1] })), "full_name")), ",")
          assert.is_nil(seen[names], row[1] .. " answers as " .. tostring(seen[names]))
          seen[names] = row[1]
        end
      end)

      for _, kind in ipairs(MORE_USER_TYPES) do
        it("takes the type " .. kind, function()
          local page, err = crm:users({ type = kind })
          assert.is_nil(err)
          assert.equal("table", type(page.info))
          wire.received(sandbox, { "GET", "/users", query = { type = kind } })
        end)
      end

      for _, row in ipairs(USER_OPTIONS) do
        it("takes " .. row[1], function()
          assert(crm:users(row[2]))
          wire.received(sandbox, { "GET", "/users", query = row[3], headers = row[4] })
        end)
      end

      it("has them page by page", function()
        local all = wire.column(assert(crm:users()), "id")
        local page = assert(crm:users({ page = 2, per_page = 3 }))
        assert.same({ all[4], all[5], all[6] }, wire.column(page, "id"))
        assert.same({ per_page = 3, count = 3, page = 2, more_records = true }, page.info)
        local beyond = assert(crm:users({ page = 9 }))
        assert.same({ 0, false }, { #beyond, beyond.info.more_records })
      end)

      it("has those with given ids only", function()
        local page = assert(crm:users({ ids = { "7243485000000590013", "7243485000000590001" } }))
        assert.same({ "7243485000000590001", "7243485000000590013" }, sorted(wire.column(page, "id")))
      end)

      it("has each one's role and profile", function()
        local user = assert(crm:user("7243485000000590001"))
        assert.same({ "John", "Doe", "John Doe", "active", true },
          { user.first_name, user.last_name, user.full_name, user.status, user.confirm })
        assert_shape("reference", user.role)
        assert_shape("reference", user.profile)
        assert.equal(user.role.name, assert(crm:role(user.role.id)).name)
        assert.equal(user.profile.name, assert(crm:profile(user.profile.id)).name)
      end)
    end)

    describe("of modules", function()
      it("has the nine core ones, and a custom one", function()
        local by_name = {}
        for _, module in ipairs(assert(crm:modules())) do by_name[module.api_name] = module end
        for _, name in ipairs(CORE_MODULES) do
          assert.same({ "visible", "default", true },
            { by_name[name].status, by_name[name].generated_type, by_name[name].api_supported })
          for _, profile in ipairs(by_name[name].profiles) do assert_shape("reference", profile) end
        end
        assert.equal("custom", by_name.Service_Contracts.generated_type)
      end)

      for _, status in ipairs(MODULE_STATUSES) do
        it("has those of the status " .. status, function()
          local expected = {}
          for _, module in ipairs(assert(crm:modules())) do
            if module.status == status then expected[#expected + 1] = module.api_name end
          end
          sandbox.clear()
          local page = assert(crm:modules({ status = status }))
          wire.received(sandbox, { "GET", "/settings/modules", query = { status = status } })
          assert.is_true(#page > 0)
          for _, module in ipairs(page) do assert.equal(status, module.status) end
          if #expected > 0 then assert.same(sorted(expected), sorted(wire.column(page, "api_name"))) end
        end)
      end

      it("has one by its id too", function()
        local leads = assert(crm.Leads:metadata())
        assert.equal("Leads", assert(crm:module(leads.id):metadata()).api_name)
      end)

      it("has none by a wrong name", function()
        local result, err = crm:module("Leeds"):metadata()
        assert.is_nil(result)
        assert.equal("zohocrm.Error", getmetatable(err).__name)
        wire.check(sandbox.requests()[1], { "GET", "/settings/modules/Leeds" })
      end)
    end)

    describe("of fields", function()
      for name, fields in pairs(MANDATORY) do
        it("says which are mandatory: " .. name, function()
          local mandatory = {}
          for _, field in ipairs(assert(crm:fields(name))) do
            if field.system_mandatory then mandatory[#mandatory + 1] = field.api_name end
          end
          assert.same(fields, sorted(mandatory))
        end)
      end

      for _, kind in ipairs({ "all", "used", "unused" }) do
        it("takes the type " .. kind, function()
          assert.is_true(#assert(crm:fields("Leads", { type = kind })) > 0)
          wire.received(sandbox, { "GET", "/settings/fields", query = { module = "Leads", type = kind } })
        end)
      end

      it("has all, or the unused only", function()
        local unused = wire.column(assert(crm:fields("Leads", { type = "unused" })), "api_name")
        local used = wire.column(assert(crm:fields("Leads", { type = "used" })), "api_name")
        local all = wire.column(assert(crm:fields("Leads", { type = "all" })), "api_name")
        assert.is_true(#unused > 0 and #used > #unused)
        for _, name in ipairs(unused) do used[#used + 1] = name end
        assert.same(sorted(all), sorted(used))
      end)

      it("takes include", function()
        assert(crm:fields("Leads", { include = "allowed_permissions_to_update" }))
        wire.received(sandbox, {
          "GET", "/settings/fields", query = { module = "Leads", include = "allowed_permissions_to_update" },
        })
      end)

      it("describes choices, lookups and lengths", function()
        local by_name = {}
        for _, field in ipairs(assert(crm.Deals:fields())) do by_name[field.api_name] = field end
        assert.equal("Qualification", by_name.Stage.pick_list_values[1].actual_value)
        assert.equal("Accounts", by_name.Account_Name.lookup.module.api_name)
        assert.equal(120, by_name.Deal_Name.length)
        assert.equal("currency", by_name.Amount.data_type)
      end)

      it("needs a module, and one that there is", function()
        wire.fails({ code = "REQUIRED_PARAM_MISSING", status = 400, details = { param_name = "module" } },
          crm:request({ path = "/crm/v8/settings/fields" }))
        wire.fails({ code = "REQUIRED_PARAM_MISSING", status = 400, details = { param_name = "module" } },
          crm:request({ path = "/crm/v8/settings/layouts" }))
        local err = wire.fails({ code = "INVALID_MODULE", status = 400 }, crm:fields("leads"))
        assert.matches("did you mean Leads", tostring(err))
        wire.fails({ code = "INVALID_MODULE", status = 400 }, crm:layouts("leads"))
      end)
    end)

    it("has the sections of a layout, with their fields", function()
      local layout = assert(crm:layout(id.layout, "Leads"))
      assert.is_true(#layout.sections > 0)
      local names = {}
      for _, section in ipairs(layout.sections) do
        assert_shape("section", section)
        for _, field in ipairs(section.fields) do names[field.api_name] = true end
      end
      assert.is_true(names.Last_Name)
      assert.is_true(names.City)
      for _, profile in ipairs(layout.profiles) do assert_shape("reference", profile) end
    end)

    it("has the chain of roles, with null as absent", function()
      local roles = assert(crm:roles())
      local by_name = {}
      for _, role in ipairs(roles) do by_name[role.name] = role end
      assert.is_nil(by_name.CEO.reporting_to)
      assert.is_true(by_name.CEO.share_with_peers)
      assert.is_false(by_name.Manager.share_with_peers)
      assert.same({ name = "CEO", id = by_name.CEO.id }, by_name.Manager.reporting_to)
      assert.same(by_name.Manager, assert(crm:role(by_name.Manager.id)))
    end)

    it("has the profiles", function()
      local by_name = {}
      for _, profile in ipairs(assert(crm:profiles())) do by_name[profile.name] = profile end
      assert.same({ "normal_profile", false }, { by_name.Administrator.type, by_name.Administrator.custom })
      assert.same({ "normal_profile", false }, { by_name.Standard.type, by_name.Standard.custom })
      assert.is_nil(by_name.Administrator.description)
      assert.same(by_name.Standard, assert(crm:profile(by_name.Standard.id)))
    end)

    it("prints as a table", function()
      local text = tostring(assert(crm:roles()))
      assert.matches("^id ", text)
      assert.matches("\n7243485000000026005 ", text)
    end)

    it("prints what is in it, too", function()
      assert.matches("more_records +false", tostring(assert(crm:roles()).info))
      local user = assert(crm:user(assert(crm:users())[1].id))
      assert.matches("name +" .. user.role.name, tostring(user.role))
    end)

    it("says how many of its columns did not fit", function()
      local results = require("zohocrm.results")
      local record = { id = "1" }
      for i = 1, 4 do record["field_" .. i] = ("x"):rep(36) end
      assert.matches("\n%(1 more field: print one record to see all%)$", tostring(results.page({ record }, {})))
      record.field_5 = ("x"):rep(36)
      assert.matches("\n%(2 more fields: print one record to see all%)$", tostring(results.page({ record }, {})))
    end)
  end)
end
