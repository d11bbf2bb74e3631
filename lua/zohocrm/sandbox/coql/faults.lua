--- The errors of COQL (reference, section 6.3): every one of them ends the request.
--
-- Which code goes with which mistake is documented by name only; the keys of `details` are those of the schemas.
--
-- @module zohocrm.sandbox.coql.faults

local answers = require("zohocrm.sandbox.answers")

local M = {}

local BAD_QUERY = "invalid query formed"
local NEAR_MAX = 40

local messages = {
  column = "column given seems to be invalid",
  operator = BAD_QUERY,
  value = "value given seems to be invalid for the column",
  type = "data type not supported",
}

-- Line and column, both from 1, columns in bytes.
local function position(source, at)
  local line, start = 1, 1
  for newline in source:sub(1, at - 1):gmatch("()\n") do
    line, start = line + 1, newline + 1
  end
  return line, at - start + 1
end

--- Something stands where it must not.
---@param source string the query
---@param at integer where
---@param near string what stands there
function M.syntax(source, at, near)
  local line, column = position(source, at)
  answers.refuse(400, "SYNTAX_ERROR", { line = line, column = column, near = near:sub(1, NEAR_MAX) }, BAD_QUERY)
end

--- A clause that must be there is not.
---@param clause string
function M.missing(clause)
  answers.refuse(400, "SYNTAX_ERROR", { clause = clause }, "missing clause")
end

--- Something that is no operator stands in the place of one.
---@param near string
---@param operator string what stands there
function M.operator(near, operator)
  answers.refuse(400, "SYNTAX_ERROR", { near = near, operator = operator:sub(1, NEAR_MAX) }, BAD_QUERY)
end

--- A column, or what is asked of it, does not fit.
---@param what "column"|"operator"|"value"|"type"
---@param details table with `column_name`
function M.column(what, details)
  answers.refuse(400, "INVALID_QUERY", details, messages[what])
end

--- The query can be read, but not be answered.
---@param details table
---@param message string? default: the usual one
function M.query(details, message)
  answers.refuse(400, "INVALID_QUERY", details, message or BAD_QUERY)
end

--- There is more of something than allowed.
---@param clause string
---@param limit integer most allowed
function M.limit(clause, limit)
  answers.refuse(400, "LIMIT_EXCEEDED", { clause = clause, limit = limit })
end

--- A value of `limit` or `offset` makes no sense.
---@param details table
---@param message string
function M.data(details, message)
  answers.refuse(400, "INVALID_DATA", details, message)
end

--- No module of that name can be asked.
---@param name string
function M.module(name)
  answers.refuse(400, "INVALID_MODULE", { module = name }, "the given module is not supported in api")
end

--- The same name twice in `order by`, `group by` or among the aggregates.
---@param clause string
---@param name string
function M.duplicate(clause, name)
  answers.refuse(400, "DUPLICATE_DATA", { clause = clause, column_name = name })
end

--- An alias that cannot be one, or that stands for two columns.
---@param code "INVALID_ALIAS"|"DUPLICATE_ALIAS"
---@param alias string
function M.alias(code, alias)
  answers.refuse(400, code, { alias = alias },
    code == "INVALID_ALIAS" and "the alias given seems to be invalid" or "the alias is used more than once")
end

return M
