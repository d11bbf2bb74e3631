--- From a request to the code that answers it, with the checks in the order of the reference's section 14.
-- @module zohocrm.sandbox.router

local answers = require("zohocrm.sandbox.answers")
local connections = require("zohocrm.sandbox.connections")
local coql = require("zohocrm.sandbox.coql")
local read = require("zohocrm.sandbox.read")
local schema = require("zohocrm.sandbox.schema")
local search = require("zohocrm.sandbox.search")
local settings = require("zohocrm.sandbox.settings")
local url = require("zohocrm.sandbox.url")
local users = require("zohocrm.sandbox.users")
local write = require("zohocrm.sandbox.write")

local M = {}

-- Every route: method → function (state, request, id). Routes of records get the module too, see below.
local org = { GET = settings.org }
local queries = { POST = coql.run }

local user_routes = {
  all = {
    GET = function(_, request)
      return users.list(request)
    end,
  },
  one = {
    GET = function(_, request, id)
      return users.get(request, id)
    end,
  },
}

local setting_routes = {
  modules = { all = { GET = settings.modules }, one = { GET = settings.module } },
  fields = { all = { GET = settings.fields }, one = { GET = settings.field } },
  layouts = { all = { GET = settings.layouts }, one = { GET = settings.layout } },
  custom_views = { all = { GET = settings.custom_views } },
  roles = { all = { GET = settings.roles }, one = { GET = settings.role } },
  profiles = { all = { GET = settings.profiles }, one = { GET = settings.profile } },
}

-- First segments that are calls of the real API and no module names; this sandbox does not have them.
local not_offered = {
  actions = true, files = true, upload = true, __apis = true, __composite_requests = true,
  __features = true,
}

local record_routes = {
  all = { GET = read.list, POST = write.create, PUT = write.update, DELETE = write.delete },
  one = { GET = read.get, PUT = write.update_by_id, DELETE = write.delete_by_id },
  search = { GET = search.run },
  upsert = { POST = write.upsert },
}

local function handler_of(route, method)
  if not route then
    answers.refuse(404, "INVALID_URL_PATTERN")
  end
  local handler = route[method]
  if not handler then
    answers.refuse(400, "INVALID_REQUEST_METHOD")
  end
  return handler
end

local function answer_record(state, request, module_name, rest)
  local route = record_routes.all
  if rest then
    route = record_routes[rest]
    if not route or rest == "all" or rest == "one" then
      route = record_routes.one
    end
  end
  local handler = handler_of(route, request.method)
  local module = schema.with_records(module_name)
  if not module then
    answers.refuse(400, "INVALID_MODULE", { resource_path_index = 0 })
  end
  if route == record_routes.one and not rest:find("^%d+$") then
    answers.refuse(400, "INVALID_DATA", { resource_path_index = 1 }, "the id given seems to be invalid")
  end
  return handler(state, module, request, rest)
end

-- `parts` is what follows /crm/v8/.
local function answer_crm(state, request, parts)
  local first, second, third = parts[1], parts[2], parts[3]
  if first == nil or first == "" or parts[#parts] == "" or #parts > 3 then
    answers.refuse(404, "INVALID_URL_PATTERN")
  end
  if first == "settings" then
    local routes = setting_routes[second]
    local route = routes and (third and routes.one or not third and routes.all)
    return handler_of(route, request.method)(state, request, third)
  end
  if third or not_offered[first] then
    answers.refuse(404, "INVALID_URL_PATTERN")
  end
  if first == "org" then
    return handler_of(not second and org, request.method)(state, request)
  elseif first == "coql" then
    return handler_of(not second and queries, request.method)(state, request)
  elseif first == "users" then
    return handler_of(second and user_routes.one or user_routes.all, request.method)(state, request, second)
  end
  return answer_record(state, request, first, second)
end

-- The control endpoint is the gateway's own: so are its errors.
local function answer_connections(state, request, id)
  local control, method = state.connections, request.method
  local handler
  if id then
    handler = method == "GET" and control.answer_get or method == "DELETE" and control.answer_delete
  else
    handler = method == "GET" and control.answer_list or method == "POST" and control.answer_create
  end
  if not handler then
    answers.refuse_at_gateway(405, ("Method %s not allowed"):format(method))
  end
  return handler(control, request, id)
end

local function check_key(state, request)
  local authorization = request.headers.authorization
  if not authorization or authorization == "" then
    answers.refuse_at_gateway(401, "Missing API key: send the header 'Authorization: Bearer <MATON_API_KEY>'")
  end
  local key = authorization:match("^[Bb]earer +(.-) *$")
  if key ~= state.options.api_key then
    answers.refuse_at_gateway(401, "Invalid API key")
  end
end

-- Requests are counted per second of the clock, both endpoints together.
local function check_rate(state)
  local limit, second = state.options.rate, math.floor(state.clock:now())
  if not limit then
    return
  end
  if state.rate_second ~= second then
    state.rate_second, state.rate_count = second, 0
  end
  state.rate_count = state.rate_count + 1
  if state.rate_count > limit then
    answers.refuse_at_gateway(429, ("Rate limit exceeded: %s requests per second"):format(limit))
  end
end

local function answer(state, request)
  local segments = url.segments(request.path)
  check_key(state, request)
  local app = segments[1]
  if app ~= connections.APP and not (app == "connections" and #segments <= 2 and segments[2] ~= "") then
    answers.refuse_at_gateway(404, ("Invalid app name '%s': the path must start with /zoho-crm/"):format(app))
  end
  check_rate(state)
  if app == "connections" then
    return answer_connections(state, request, segments[2])
  end
  state.connections:check(request.headers["maton-connection"])
  request.reached_crm = true
  state.credits:check()
  if segments[2] ~= "crm" or segments[3] ~= "v8" then
    answers.refuse(404, "INVALID_URL_PATTERN")
  end
  local parts = {}
  for i = 4, #segments do
    parts[i - 3] = segments[i]
  end
  return answer_crm(state, request, parts)
end

local function with_traceback(thrown)
  if answers.refused(thrown) then
    return thrown
  end
  return debug.traceback(tostring(thrown), 2)
end

--- Answers a request.
---@param state table of the sandbox
---@param request table `{method, path, query, headers, body}`; query with decoded names and values
---@return table response
function M.answer(state, request)
  local ok, result = xpcall(function()
    return answer(state, request)
  end, with_traceback)
  -- Anything but a refusal is a fault of the sandbox itself: it must not look like an answer.
  local response = ok and result or answers.refused(result) or error(result, 0)
  if request.reached_crm then
    state.credits:charge(request.credits or state.credits.of_records(request.record_count), response)
  end
  return response
end

return M
