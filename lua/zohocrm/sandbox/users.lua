--- The organisation's users, roles and profiles, and what `GET /users` answers.
-- @module zohocrm.sandbox.users

local answers = require("zohocrm.sandbox.answers")
local json = require("zohocrm.sandbox.json")
local parameters = require("zohocrm.sandbox.parameters")
local schema = require("zohocrm.sandbox.schema")
local words = require("zohocrm.sandbox.words")

local M = {}

M.roles = {
  { id = schema.id(26005), name = "CEO", share_with_peers = true },
  { id = schema.id(26008), name = "Manager", share_with_peers = false, reports_to = 1 },
  { id = schema.id(26020), name = "Sales Representative", share_with_peers = false, reports_to = 2,
    description = "Works on the leads and deals of one region" },
}

M.profiles = {
  { id = schema.id(26011), name = "Administrator", custom = false },
  { id = schema.id(26014), name = "Standard", custom = false },
  { id = schema.id(26044), name = "Read Only", custom = true, description = "Sees everything, changes nothing" },
}

-- { number of the id, first name, last name, status, confirmed, role, profile, country, locale, time zone }
-- Status and profile are spread so that every `type` of the users call has an answer of its own.
local rows = {
  { 590001, "John", "Doe", "active", true, 1, 1, "US", "en_US", "PST" },
  { 590013, "Ingrid", "Lindqvist", "active", true, 2, 2, "SE", "sv_SE", "Europe/Stockholm" },
  { 590025, "Kwame", "Mwangi", "active", true, 3, 2, "KE", "en_GB", "Africa/Nairobi" },
  { 590037, "Zoë", "O'Connor", "active", true, 2, 1, "IE", "en_GB", "Europe/Dublin" },
  { 590049, "Jun", "Nakamura", "active", false, 3, 2, "JP", "ja_JP", "Asia/Tokyo" },
  { 590061, "Lucía", "Fernández", "active", false, 2, 1, "AR", "es_AR", "America/Buenos_Aires" },
  { 590073, "Viktor", "Novák", "inactive", true, 3, 1, "CZ", "cs_CZ", "Europe/Prague" },
  { 590085, "Hana", "Kim", "inactive", true, 3, 3, "KR", "ko_KR", "Asia/Seoul" },
  { 590097, "Pedro", "Costa", "deleted", true, 3, 2, "PT", "pt_PT", "Europe/Lisbon" },
}

local CURRENT = 1

local function make_user(row)
  local role, profile = M.roles[row[6]], M.profiles[row[7]]
  local address = words.address_part(row[2]) .. "." .. words.address_part(row[3])
  return {
    id = schema.id(row[1]),
    first_name = row[2],
    last_name = row[3],
    full_name = row[2] .. " " .. row[3],
    email = address .. "@example.com",
    status = row[4],
    confirm = row[5],
    role = { name = role.name, id = role.id },
    profile = { name = profile.name, id = profile.id },
    country = row[8],
    locale = row[9],
    time_zone = row[10],
  }
end

--- Every user, the deleted ones too, oldest first.
---@type table[]
M.all = {}

--- The same by id.
---@type table<string, table>
M.by_id = {}

--- Ids of the users to whom seeded records belong.
---@type string[]
M.owners = {}

for i, row in ipairs(rows) do
  local user = make_user(row)
  M.all[i], M.by_id[user.id] = user, user
  if user.status == "active" and user.confirm then
    M.owners[#M.owners + 1] = user.id
  end
end

--- The user whose OAuth token the gateway holds.
M.current = M.all[CURRENT]

local function active(user)
  return user.status == "active"
end

local function present(user)
  return user.status ~= "deleted"
end

local function admin(user)
  return present(user) and user.profile.id == M.profiles[1].id
end

-- What each `type` selects (reference, section 8.1). That `AllUsers` leaves the deleted ones out, and that the
-- confirmed ones are counted among those that are there, no document says.
local selections = {
  AllUsers = present,
  ActiveUsers = active,
  AllActiveUsers = active,
  DeactiveUsers = function(user)
    return user.status == "inactive"
  end,
  ConfirmedUsers = function(user)
    return present(user) and user.confirm
  end,
  NotConfirmedUsers = function(user)
    return present(user) and not user.confirm
  end,
  DeletedUsers = function(user)
    return user.status == "deleted"
  end,
  ActiveConfirmedUsers = function(user)
    return active(user) and user.confirm
  end,
  AdminUsers = admin,
  ActiveConfirmedAdmins = function(user)
    return admin(user) and active(user) and user.confirm
  end,
  CurrentUser = function(user)
    return user == M.current
  end,
  DeveloperUsers = function()
    return false
  end,
  ActiveLiteUser = function()
    return false
  end,
}

local type_names = {}
for name in pairs(selections) do
  type_names[#type_names + 1] = name
end
table.sort(type_names)

--- `GET /users`
---@param request table with `query`
---@return table response
function M.list(request)
  local query = request.query
  local page, per_page = parameters.paging(query)
  local kind = parameters.one_of(query, "type", type_names) or "AllUsers"
  local ids = parameters.ids(query)
  local wanted = ids and parameters.set(ids)
  local found = {}
  for _, user in ipairs(M.all) do
    if selections[kind](user) and (not wanted or wanted[user.id]) then
      found[#found + 1] = user
    end
  end
  local users = json.array()
  for i = (page - 1) * per_page + 1, math.min(page * per_page, #found) do
    users[#users + 1] = found[i]
  end
  if #users == 0 then
    return answers.empty(204)
  end
  return answers.json(200, {
    users = users,
    info = { per_page = per_page, count = #users, page = page, more_records = page * per_page < #found },
  })
end

--- `GET /users/{id}`
---@param _ table the request
---@param id string
---@return table response
function M.get(_, id)
  local user = M.by_id[id]
  if not user then
    return answers.empty(204)
  end
  return answers.json(200, { users = json.array({ user }) })
end

return M
