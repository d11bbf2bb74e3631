-- lua5.4 .ci/luadoc.lua FOLDER: copies the modules below from lua/ into FOLDER with their comments, which are LuaLS's,
-- as LDoc reads them. LDoc knows no types such as `table<string, zohocrm.Field>|nil`: they become a part of the text.

-- What a user requires or is given objects of; the rest of lua/ is inside.
local PUBLIC = {
  "zohocrm/init", "zohocrm/check", "zohocrm/client", "zohocrm/connections", "zohocrm/coql", "zohocrm/criteria",
  "zohocrm/errors", "zohocrm/expression", "zohocrm/field", "zohocrm/module", "zohocrm/query", "zohocrm/results",
  "zohocrm/scan", "zohocrm/tasks", "zohocrm/values", "zohocrm/walk", "zohocrm/writes", "zohocrm/hosts/shared_rate",
  "zohocrm/hosts/task", "zohocrm/sandbox/init", "zohocrm/sandbox/nginx", "zohocrm/sandbox/server",
}

local CLOSING = { ["("] = ")", ["<"] = ">", ["{"] = "}", ["["] = "]" }

-- Where the type that a text begins with ends: at a blank outside of brackets that does not go on after ":" or ",".
local function split_type(text)
  local open, position = {}, 1
  while position <= #text do
    local byte = text:sub(position, position)
    if CLOSING[byte] then
      open[#open + 1] = CLOSING[byte]
    elseif byte == open[#open] then
      open[#open] = nil
    elseif byte == " " and #open == 0 and not text:sub(1, position - 1):find("[:,|]$") then
      break
    end
    position = position + 1
  end
  return text:sub(1, position - 1), text:sub(position + 1)
end

local tags = {}

local function typed(head, text)
  local kind, rest = split_type(text)
  return ("%s (`%s`) %s"):format(head, kind, rest)
end

function tags.param(text)
  local name, optional, rest = text:match("^([%w_.]+)(%??)%s+(.*)$")
  return typed(("@param%s %s"):format(optional == "?" and "[opt]" or "", name), rest)
end

function tags.field(text)
  local name, rest = text:match("^(%S+)%s+(.*)$")
  return typed("@field " .. name, rest)
end

tags["return"] = function(text)
  return typed("@return", text)
end

function tags.raise(text)
  return "@raise " .. text
end

tags.module = function(text)
  return "@module " .. text
end

-- LuaLS's notes on types; for LDoc, `@type` would begin a section.
function tags.type() end
function tags.generic() end

-- A class of data is a table for LDoc, one with methods a type, after which the methods come.
local function class_line(name, block)
  local fields = table.concat(block, "\n"):find("@field", 1, true)
  return fields and not block.methods and "@table " .. name or "@type " .. name
end

local function translate(block, module)
  local lines, had_module, class = {}, false, nil
  for _, line in ipairs(block) do
    local tag, text = line:match("^%s*%-%-%-? ?@(%w+)%s*(.*)$")
    had_module = had_module or tag == "module"
    if tag == "class" then
      class = class_line(text:match("^[%w_.]+"), block)
      lines[#lines + 1] = not block.methods and "-- " .. class or nil
    elseif tag then
      if tag == "field" and block.methods then -- a type has no fields
        local name, rest = text:match("^(%S+)%s+(.*)$")
        lines[#lines + 1] = typed(("-- - `%s`"):format(name), rest)
      else
        local handler = tags[tag] or error("unknown tag: " .. line)
        local translated = handler(text)
        lines[#lines + 1] = translated and "-- " .. translated or "--"
      end
    else
      lines[#lines + 1] = (line:gsub("^%s*%-%-%-?", "--"))
    end
  end
  if module and not had_module then
    lines[#lines + 1] = "-- @module " .. module
  end
  lines[#lines + 1] = block.methods and class and "-- " .. class or nil -- a section's name comes last
  lines[1] = "-" .. lines[1]
  return lines
end

local function convert(path, module)
  local out, block, first = {}, nil, true
  for line in io.lines(path) do
    if block and line:find("^%s*%-%-") then
      block[#block + 1] = line
    elseif block then
      block.methods = line:find("^local %u%w* = {}")
      for _, translated in ipairs(translate(block, first and module)) do
        out[#out + 1] = translated
      end
      out[#out + 1], block, first = line, nil, false
    elseif line:find("^%s*%-%-%-[^-]") then
      block = { line }
    else
      out[#out + 1] = line
    end
  end
  return table.concat(out, "\n") .. "\n"
end

local target = assert(arg[1], "usage: lua5.4 .ci/luadoc.lua FOLDER")
for _, name in ipairs(PUBLIC) do
  local copy = ("%s/%s.lua"):format(target, name)
  assert(os.execute(("mkdir -p '%s'"):format((copy:gsub("/[^/]*$", "")))))
  local file = assert(io.open(copy, "w"))
  assert(file:write(convert(("lua/%s.lua"):format(name), (name:gsub("/init$", ""):gsub("/", ".")))))
  file:close()
end
