--- Inside nginx: says which recorded answer a request gets, and holds it back for the latency in its address.
-- luacheck: globals ngx

local ffi = require "ffi" -- nginx's Lua is LuaJIT
local rows = require "spec.bench.server_rows"
local subject = require "spec.bench.subject"

local M = {}

ffi.cdef [[
struct bench_time { long seconds, nanoseconds; };
int clock_gettime(int, struct bench_time *);
int kill(int, int);
int getppid(void);
]]

local MONOTONIC, SIGTERM = 1, 15
local WATCH_SECONDS = 0.5

local tokens
local fields = table.concat(subject.FIELDS, ",")
local accepted = { ["Bearer " .. subject.KEY] = true, ["Zoho-oauthtoken " .. subject.KEY] = true } -- the latter: Zoho's SDK
local created = 0

--- Called in nginx's master.
---@param answers string folder of the recorded answers
function M.load(answers)
  tokens = dofile(answers .. "/tokens.lua")
  rows.load(answers)
end

--- Called in the worker: nginx ends when the process that started it has.
---@param parent string process id
function M.watch(parent)
  assert(ngx.timer.every(WATCH_SECONDS, function(premature)
    if not premature and ffi.C.kill(tonumber(parent), 0) ~= 0 then ffi.C.kill(ffi.C.getppid(), SIGTERM) end
  end))
end

local function now()
  local time = ffi.new("struct bench_time")
  ffi.C.clock_gettime(MONOTONIC, time)
  return ("%.6f"):format(tonumber(time.seconds) + tonumber(time.nanoseconds) * 1e-9)
end

local function refuse(status, message)
  ngx.status = status
  ngx.say(('{"code":"BENCH","status":"error","message":"%s"}'):format(message))
end

-- The recorded page that is asked for, or nil and why there is none: a contender must ask rightly to be compared.
local function page_of(records, arguments)
  if arguments.fields ~= fields then
    return nil, "other fields than those recorded"
  elseif arguments.per_page and tonumber(arguments.per_page) ~= subject.PER_PAGE then
    return nil, "another per_page than was recorded"
  elseif arguments.page_token then
    -- Zoho's SDK does not escape the token, so that its plus signs arrive as spaces
    local page = tokens[records][arguments.page_token:gsub(" ", "+")]
    return page, "no such page_token"
  end
  local page = tonumber(arguments.page or 1)
  if page and page <= subject.PAGE_REACH and page * subject.PER_PAGE <= records then
    return page
  end
  return nil, "no such page"
end

local function answer_creation()
  ngx.req.read_body()
  local _, count = (ngx.req.get_body_data() or ""):gsub('"Last_Name"', "")
  if count ~= subject.PER_CREATE then
    return nil, "other than " .. subject.PER_CREATE .. " records"
  end
  created = created % (subject.CREATED / subject.PER_CREATE) + 1
  ngx.req.set_method(ngx.HTTP_GET) -- as files are read
  return ("/answers/created/%d.json"):format(created)
end

-- The body of the answer to a query, cut out of the recorded rows.
local function answer_query(records)
  if records ~= subject.LARGE then
    return nil, "no rows of this account"
  end
  ngx.req.read_body()
  return rows.answer(ngx.req.get_body_data() or "")
end

local function choose(method, path, records)
  if method == "POST" and path == "/crm/v8/Leads" then
    return answer_creation()
  elseif method ~= "GET" then
    return nil, "no such method"
  elseif path == "/crm/v8/Leads" then
    local page, why = page_of(records, ngx.req.get_uri_args())
    return page and ("/answers/%d/%d.json"):format(records, page), why
  end
  local setting = path:match("^/crm/v8/settings/(%a+)$")
  if setting == "fields" or setting == "modules" then
    return "/answers/" .. setting .. ".json"
  end
  return nil, "no such path"
end

-- The file of the answer, or the answer itself, or neither and why.
local function find(method, path, records)
  if method == "POST" and path == "/crm/v8/coql" then
    return nil, answer_query(records)
  end
  local file, why = choose(method, path, records)
  return file, nil, why
end

--- Answers one request.
function M.serve()
  local var = ngx.var
  if var.logged ~= "" then var.arrived = now() end
  local latency = tonumber(var.latency)
  if not accepted[ngx.req.get_headers().authorization] then return refuse(401, "another key") end
  local file, body, why = find(ngx.req.get_method(), var.path, tonumber(var.records))
  if latency > 0 then ngx.sleep(latency / 1000) end
  if not (file or body) then return refuse(400, why) end
  if body then
    ngx.header["Content-Length"] = #body
    return ngx.print(body)
  end
  return ngx.exec(file)
end

return M
