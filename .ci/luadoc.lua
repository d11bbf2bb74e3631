-- lua5.4 .ci/luadoc.lua FOLDER: copies the modules below from lua/ into FOLDER with their comments, which are LuaLS's,
-- as LDoc reads them. LDoc knows no types such as `table<string, zohocrm.Field>|nil`: they become a part of the text.

-- What a user is given objects of, and what a user requires: of the former only the methods are public.
local OBJECTS = {
  "zohocrm/check", "zohocrm/client", "zohocrm/connections", "zohocrm/coql_builder", "zohocrm/errors",
  "zohocrm/expression", "zohocrm/field", "zohocrm/module", "zohocrm/query", "zohocrm/scan", "zohocrm/tasks",
  "zohocrm/walk", "zohocrm/writes",
}
local REQUIRED = {
  "zohocrm/init", "zohocrm/coql", "zohocrm/criteria", "zohocrm/values", "zohocrm/hosts/shared_rate",
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

-- Outside of quoted code, Markdown would take names_like_this for emphasis.
local function escape(lines)
  local quoted = false
  for i, line in ipairs(lines) do
    local head = line:match("^%-%- @[pf][%a%[%]]+ [%w_.]+ ")
      or line:match("^%-%-     .*") or line:match("^%-%- @[mt].*") or ""
    lines[i] = head .. line:sub(#head + 1):gsub(".", function(byte)
      quoted = quoted ~= (byte == "`")
      return byte == "_" and not quoted and "\\_" or nil
    end)
  end
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
  escape(lines)
  lines[1] = "-" .. lines[1] -- where LDoc begins
  return lines
end

-- Whether a class whose table this line makes has methods.
local function has_methods(text, line)
  local name = line:match("^local (%u%w*) = {}")
  return name and text:find("\nfunction " .. name .. "[.:]%l") ~= nil
end

local function convert(path, module, inside)
  local out, block, first = {}, nil, true
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  for line in io.lines(path) do
    if block and line:find("^%s*%-%-") then
      block[#block + 1] = line
    elseif block then
      block.methods = has_methods(text, line)
      local several = line:find("^[%w_.]+,") -- values at once, of which LDoc makes nothing
      local hidden = several or (inside and line:gsub("^function ", ""):find("^M%."))
      for _, translated in ipairs(hidden and {} or translate(block, first and module)) do
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
local function copy(name, inside)
  local path = ("%s/%s.lua"):format(target, name)
  assert(os.execute(("mkdir -p '%s'"):format((path:gsub("/[^/]*$", "")))))
  local file = assert(io.open(path, "w"))
  assert(file:write(convert(("lua/%s.lua"):format(name), (name:gsub("/init$", ""):gsub("/", ".")), inside)))
  file:close()
end
for _, name in ipairs(OBJECTS) do
  copy(name, true)
end
for _, name in ipairs(REQUIRED) do
  copy(name, false)
end
