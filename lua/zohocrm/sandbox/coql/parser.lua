--- Reading COQL (reference, section 6.1).
--
--   query      = "select" column { "," column } "from" module "where" expression [ "group" "by" name { "," name } ]
--                [ "order" "by" operand [ "asc" | "desc" ] { "," … } ] [ "limit" [ offset "," ] n ] [ "offset" n ]
--   column     = operand [ "as" alias ]
--   operand    = name | AGGREGATE "(" name ")"
--   module     = name [ "#" cvid ]
--   expression = term [ ( "and" | "or" ) term ]            two by two: a third term needs parentheses of its own
--   term       = "(" expression ")" | name operator …
--   name       = a word that is not reserved, or anything in quotes
--
-- Keywords are read in any case, aggregates in capital letters only. The parser knows no module and no field.
--
-- @module zohocrm.sandbox.coql.parser

local faults = require("zohocrm.sandbox.coql.faults")
local lexer = require("zohocrm.sandbox.coql.lexer")

local M = {}

--- Most conditions, values of one `in`, and parentheses inside one another.
M.CONDITIONS_MAX, M.VALUES_MAX, M.DEPTH_MAX = 25, 100, 50

local function set(text)
  local words = {}
  for word in text:gmatch("%S+") do
    words[word] = true
  end
  return words
end

local reserved = set("select from where group order by limit offset and or not in like between is null as asc desc true"
  .. " false")
local aggregates = set("SUM MIN MAX AVG COUNT")

local Parser = {}
Parser.__index = Parser

-- Tokens --------------------------------------------------------------------------------------------------------------

function Parser:fail(token)
  token = token or self.token
  local near = token
  if token.kind == "end" and self.at > 1 then
    near = self.tokens[self.at - 1] -- the end itself shows nothing
  end
  faults.syntax(self.source, token.at, near.text)
end

function Parser:advance()
  local token = self.token
  self.at = self.at + 1
  self.token = self.tokens[self.at]
  return token
end

function Parser:is_symbol(symbol)
  return self.token.kind == "symbol" and self.token.text == symbol
end

function Parser:is_word(word)
  return self.token.kind == "word" and self.token.text:lower() == word
end

function Parser:accept_symbol(symbol)
  return self:is_symbol(symbol) and self:advance() ~= nil
end

function Parser:accept_word(word)
  return self:is_word(word) and self:advance() ~= nil
end

function Parser:expect_symbol(symbol)
  if not self:accept_symbol(symbol) then
    self:fail()
  end
end

function Parser:expect_word(word)
  if not self:accept_word(word) then
    self:fail()
  end
end

-- The clauses that every query has are missed by name.
function Parser:expect_clause(word)
  if not self:accept_word(word) then
    if self.token.kind == "end" or self:is_word("group") or self:is_word("order") or self:is_word("limit")
      or self:is_word("where") or self:is_word("offset") then
      faults.missing(word)
    end
    self:fail()
  end
end

function Parser:name()
  local token = self.token
  if token.kind == "string" then
    self:advance()
    return token.value
  elseif token.kind ~= "word" or reserved[token.text:lower()] then
    self:fail()
  end
  self:advance()
  return token.text
end

-- Calls `read` for every element of a list with commas.
function Parser:list(read)
  local items = {}
  repeat
    items[#items + 1] = read(self)
  until not self:accept_symbol(",")
  return items
end

-- Select and from -----------------------------------------------------------------------------------------------------

-- A column, or an aggregate of one.
function Parser:operand()
  local following = self.tokens[self.at + 1]
  if self.token.kind ~= "word" or not aggregates[self.token.text] or following.text ~= "(" then
    return { name = self:name() }
  end
  local operand = { aggregate = self:advance().text }
  self:advance()
  operand.name = self:name()
  self:expect_symbol(")")
  return operand
end

function Parser:column()
  local column = self:operand()
  if self:accept_word("as") then
    if self.token.kind ~= "word" and self.token.kind ~= "string" then
      self:fail()
    end
    local token = self:advance()
    column.alias, column.reserved = token.value or token.text, reserved[token.text:lower()]
  end
  return column
end

function Parser:module()
  if self.token.kind ~= "word" or reserved[self.token.text:lower()] then
    self:fail()
  end
  local module, view = self:advance().text, nil
  if self:accept_symbol("#") then
    if self.token.kind ~= "number" then
      self:fail()
    end
    view = self:advance().text
  end
  return module, view
end

-- Where ---------------------------------------------------------------------------------------------------------------

local comparisons = {
  ["="] = "equals", ["!="] = "not_equal", [">"] = "greater_than", [">="] = "greater_equal", ["<"] = "less_than",
  ["<="] = "less_equal",
}
local literal_words = { ["true"] = true, ["false"] = true }

-- Adds a value to a condition.
function Parser:literal(condition)
  local token, kind = self.token, self.token.kind
  if kind == "word" and literal_words[token.text:lower()] then
    kind = "boolean"
  elseif kind ~= "string" and kind ~= "number" then
    self:fail()
  end
  self:advance()
  local values = condition.values
  values[#values + 1] = token.value or (kind == "boolean" and token.text:lower() or token.text)
  condition.kinds[#values] = kind
end

function Parser:values_in(condition)
  self:expect_symbol("(")
  if self:is_word("select") then
    faults.query({ sub_query_sequence = 1, reason = "this sandbox does not answer sub-queries" })
  end
  repeat
    self:literal(condition)
  until not self:accept_symbol(",")
  self:expect_symbol(")")
  if #condition.values > M.VALUES_MAX then
    faults.limit("in", M.VALUES_MAX)
  end
end

local worded = {}

worded["in"] = Parser.values_in
worded.like = Parser.literal

function worded.between(self, condition)
  self:literal(condition)
  self:expect_word("and")
  self:literal(condition)
end

function Parser:worded_operator(condition)
  local negated = self:accept_word("not")
  local word = self.token.kind == "word" and self.token.text:lower()
  local read = word and worded[word]
  if not read then
    faults.operator(condition.field, self.token.text)
  end
  self:advance()
  condition.operator = (negated and "not_" or "") .. word
  read(self, condition)
end

function Parser:null_operator(condition)
  condition.operator = self:accept_word("not") and "is_not_null" or "is_null"
  self:expect_word("null")
end

function Parser:condition()
  local condition = { field = self:name(), values = {}, kinds = {} }
  self.conditions = self.conditions + 1
  if self.conditions > M.CONDITIONS_MAX then
    faults.limit("where", M.CONDITIONS_MAX)
  end
  local comparison = self.token.kind == "symbol" and comparisons[self.token.text]
  if comparison then
    self:advance()
    condition.operator = comparison
    self:literal(condition)
  elseif self:accept_word("is") then
    self:null_operator(condition)
  elseif self.token.kind == "end" then
    self:fail()
  else
    self:worded_operator(condition)
  end
  return condition
end

function Parser:term(depth)
  if not self:is_symbol("(") then
    return self:condition()
  end
  if depth > M.DEPTH_MAX then
    self:fail()
  end
  self:advance()
  local tree = self:expression(depth + 1)
  self:expect_symbol(")")
  return tree
end

function Parser:connective()
  local word = self.token.kind == "word" and self.token.text:lower()
  if word == "and" or word == "or" then
    self:advance()
    return word == "and" and "all" or "any"
  end
end

-- No loop: what follows the second term must end the expression, so a third one fails there.
function Parser:expression(depth)
  local left = self:term(depth)
  local connective = self:connective()
  if not connective then
    return left
  end
  return { [connective] = { left, self:term(depth) } }
end

-- The rest ------------------------------------------------------------------------------------------------------------

function Parser:order()
  local order = self:operand()
  order.descending = false
  if self:accept_word("desc") then
    order.descending = true
  else
    self:accept_word("asc")
  end
  return order
end

function Parser:whole_number()
  local token = self.token
  if token.kind ~= "number" or not token.text:find("^%-?%d+$") then
    self:fail()
  end
  self:advance()
  return tonumber(token.text)
end

function Parser:limits(query)
  if self:accept_word("limit") then
    query.limit = self:whole_number()
    if self:accept_symbol(",") then
      query.offset, query.limit = query.limit, self:whole_number()
    end
  end
  if self:is_word("offset") then
    if query.offset then
      self:fail()
    end
    self:advance()
    query.offset = self:whole_number()
  end
end

function Parser:optional_list(word, read)
  if not self:accept_word(word) then
    return {}
  end
  self:expect_word("by")
  return self:list(read)
end

function Parser:query()
  local query = {}
  self:expect_clause("select")
  query.columns = self:list(self.column)
  self:expect_clause("from")
  query.module, query.view = self:module()
  self:expect_clause("where")
  query.where = self:expression(1)
  query.group_by = self:optional_list("group", self.name)
  query.order_by = self:optional_list("order", self.order)
  self:limits(query)
  if self.token.kind ~= "end" then
    self:fail()
  end
  return query
end

--- Reads a query.
---@param source string
---@return table query `{columns = {{name, aggregate?, alias?, reserved?}}, module, view?, where, group_by = {name},
--- order_by = {{name, aggregate?, descending}}, limit?, offset?}`; `where` is a tree for `zohocrm.sandbox.conditions`
--- whose conditions also have `kinds`, the kind of the token of each value. A wrong one ends the request.
function M.parse(source)
  local tokens = lexer.tokens(source)
  return setmetatable({ source = source, tokens = tokens, at = 1, token = tokens[1], conditions = 0 }, Parser):query()
end

return M
