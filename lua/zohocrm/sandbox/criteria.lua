--- Reading the search's criteria (reference, section 5.2) into a tree for `zohocrm.sandbox.conditions`.
--
--   group      = part { ("and" | "or") part }
--   part       = "(" group ")" | condition
--   condition  = "(" field ":" operator ":" value { "," value } ")"
--
-- A value takes `(`, `)`, `,` and `\` with a backslash; a colon needs none, because the first two separate. Blanks may
-- stand around parentheses, `and` and `or`. Where `and` and `or` stand on one level, `and` binds tighter, as in SQL;
-- Zoho documents no rule for it. The text is read once from left to right: hostile input costs no more than its length.
--
-- @module zohocrm.sandbox.criteria

local M = {}

--- Most characters, conditions, and parentheses inside one another.
M.LENGTH_MAX, M.CONDITIONS_MAX, M.DEPTH_MAX = 3000, 15, 50

local Reader = {}
Reader.__index = Reader

function Reader:fail(reason)
  self.reason = self.reason or ("%s at character %d"):format(reason, self.at)
end

function Reader:skip_blanks()
  self.at = self.text:match("^%s*()", self.at)
end

function Reader:accept(byte)
  self:skip_blanks()
  if self.text:sub(self.at, self.at) == byte then
    self.at = self.at + 1
    return true
  end
  return false
end

local escapable = { ["("] = true, [")"] = true, [","] = true, ["\\"] = true }

-- The values up to the closing parenthesis, which is read too.
function Reader:values()
  local values, value = {}, {}
  while true do
    local run, stop = self.text:match("^([^\\(),]*)()", self.at)
    value[#value + 1] = run
    local byte, following = self.text:sub(stop, stop), self.text:sub(stop + 1, stop + 1)
    self.at = stop + 1
    if byte == "\\" then
      if escapable[following] then
        value[#value + 1] = following
        self.at = stop + 2
      else
        value[#value + 1] = byte
      end
    elseif byte == "," or byte == ")" then
      values[#values + 1] = table.concat(value)
      value = {}
      if byte == ")" then
        return values
      end
    else
      self.at = stop
      self:fail(byte == "" and "a closing parenthesis is missing"
        or "an opening parenthesis inside a value needs a backslash")
      return nil
    end
  end
end

function Reader:condition()
  local field, operator, rest = self.text:match("^([%w_$.]+)%s*:%s*([%w_]+)%s*:()", self.at)
  if not field then
    return self:fail("a condition (field:operator:value) is expected")
  end
  self.count = self.count + 1
  self.at = rest
  local values = self:values()
  return values and { field = field, operator = operator, values = values }
end

function Reader:part(depth)
  if not self:accept("(") then
    return self:fail("an opening parenthesis is expected")
  end
  self:skip_blanks()
  if self.text:sub(self.at, self.at) ~= "(" then
    return self:condition()
  end
  if depth >= M.DEPTH_MAX then
    return self:fail("the parentheses are nested too deeply")
  end
  local group = self:group(depth + 1)
  if group and not self:accept(")") then
    return self:fail("'and', 'or' or a closing parenthesis is expected")
  end
  return group
end

function Reader:connective()
  self:skip_blanks()
  local word, rest = self.text:match("^(%a+)()", self.at)
  word = word and word:lower()
  if word == "and" or word == "or" then
    self.at = rest
    return word
  end
end

local function tree_of(key, list)
  return #list == 1 and list[1] or { [key] = list }
end

function Reader:group(depth)
  local any, all = {}, {}
  repeat
    local part = self:part(depth)
    if not part then
      return nil
    end
    all[#all + 1] = part
    local word = self:connective()
    if word ~= "and" then
      any[#any + 1] = tree_of("all", all)
      all = {}
    end
  until not word
  return tree_of("any", any)
end

--- Reads criteria.
---@param text string percent-decoded
---@return table? tree see `zohocrm.sandbox.conditions`; nil where the text is wrong
---@return string? reason with the place
---@return integer count of the conditions read
function M.parse(text)
  local reader = setmetatable({ text = text, at = 1, count = 0 }, Reader)
  local tree = reader:group(1)
  reader:skip_blanks()
  if tree and reader.at <= #text then
    reader:fail("'and' or 'or' is expected")
  end
  if reader.reason then
    return nil, reader.reason, reader.count
  end
  return tree, nil, reader.count
end

return M
