--- Usage: lua record_answers.lua FOLDER
---
--- Writes down what the sandbox answers, so that the bench server need not compute it again: the sandbox takes some
--- milliseconds a page, which would hide what is to be measured. Every page of both accounts, with the real tokens
--- from one to the next; the answers to the bulk create; the fields of the module. Each also compressed, as nginx's
--- gzip_static wants it. And all rows of the large account as COQL gives them, to cut answers out of.

local sandbox = require "zohocrm.sandbox"
local cjson = require "cjson"
local json = require "zohocrm.sandbox.json"
local subject = require "spec.bench.subject"

local folder = ...
assert(folder, "usage: lua record_answers.lua FOLDER")

local PATH = "/zoho-crm/crm/v8"

local function run(command)
  local status = os.execute(command)
  assert(status == true or status == 0, command .. ": failed")
end

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function ask(engine, method, path, query, body)
  local answer = engine:handle {
    method = method, path = PATH .. path, query = query, body = body,
    headers = { authorization = "Bearer " .. subject.KEY, ["content-type"] = "application/json" },
  }
  assert(answer.status == 200 or answer.status == 201, answer.body)
  return answer.body
end

local function escape(text)
  return (text:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- Returns, as Lua source, which page each token leads to.
local function record_pages(records)
  local engine = sandbox.new { records = { Leads = records }, time = 1770340256, api_key = subject.KEY }
  local fields = table.concat(subject.FIELDS, ",")
  local tokens, query, page = {}, "page=1", 1
  run(("mkdir -p '%s/%d'"):format(folder, records))
  while query do
    local body = ask(engine, "GET", "/Leads", "fields=" .. fields .. "&" .. query)
    write(("%d/%d.json"):format(records, page), body)
    local info = cjson.decode(body).info
    page, query = page + 1, nil
    if info.more_records then
      tokens[#tokens + 1] = ("[%q]=%d"):format(info.next_page_token, page)
      query = page <= subject.PAGE_REACH and "page=" .. page or "page_token=" .. escape(info.next_page_token)
    end
  end
  assert(page - 1 == records / subject.PER_PAGE, "the sandbox gave another number of pages")
  return ("[%d]={%s}"):format(records, table.concat(tokens, ","))
end

-- The rows in the order of their ids, one behind the other with commas between, and where each ends.
local function record_rows(records)
  local engine = sandbox.new { records = { Leads = records }, time = 1770340256, api_key = subject.KEY }
  local columns, after, rows, index, size = table.concat(subject.FIELDS, ", "), nil, {}, {}, 0
  repeat
    local where = after and ("id > '%s'"):format(after) or "id is not null"
    local text = ask(engine, "POST", "/coql", "", cjson.encode {
      select_query = ("select %s from Leads where %s order by id asc limit %d"):format(columns, where, subject.PER_QUERY),
    })
    local answer, again = json.decode(text), {}
    for i, row in ipairs(answer.data) do
      again[i], after = json.encode(row), row.id
      rows[#rows + 1], size = again[i], size + #again[i] + 1
      index[#index + 1] = ("%s %d"):format(row.id, size - 1)
    end
    assert(text:find(table.concat(again, ","), 1, true), "the rows are not what the sandbox sent")
  until not answer.info.more_records
  assert(#rows == records, "the sandbox gave another number of rows")
  write("rows.txt", table.concat(rows, ","))
  write("rows.index", table.concat(index, "\n") .. "\n")
end

local function record_creation()
  local engine = sandbox.new { records = 0, time = 1770340256, api_key = subject.KEY }
  run(("mkdir -p '%s/created'"):format(folder))
  for chunk = 1, subject.CREATED / subject.PER_CREATE do
    local data = {}
    for i = 1, subject.PER_CREATE do
      data[i] = subject.record((chunk - 1) * subject.PER_CREATE + i)
    end
    write(("created/%d.json"):format(chunk), ask(engine, "POST", "/Leads", "", cjson.encode { data = data }))
  end
  write("fields.json", ask(engine, "GET", "/settings/fields", "module=Leads"))
  write("modules.json", ask(engine, "GET", "/settings/modules", ""))
end

run(("rm -rf '%s' && mkdir -p '%s'"):format(folder, folder))
record_creation()
local tokens = { record_pages(subject.SMALL), record_pages(subject.LARGE) }
record_rows(subject.LARGE)
run(("find '%s' -name '*.json' -exec gzip --keep --no-name -6 {} +"):format(folder))
write("tokens.lua", "return {" .. table.concat(tokens, ",\n") .. "}\n")
