--- What a write was given, an array or an iterator, as chunks: the pieces of at most 100 (the API's limit) that go out
--- in one request each.

local M = {}

--- Records a request (seed, "Notes").
M.SIZE = 100

--- A piece of the input.
---@class zohocrm.Chunk
---@field positions integer[] where each record stands in the input, from 1
---@field values any[] the records, or ids, as the caller passed them
---@field texts string[] each one as it goes into the request
---@field ids table<integer, string> the ids of those that have one
---@field refused table[] what cannot be sent: { position =, value =, why = }
---@field bytes integer length of all texts

local function new_chunk()
  return { positions = {}, values = {}, texts = {}, ids = {}, refused = {}, bytes = 0 }
end

local function add(chunk, position, value, text, id)
  local count = #chunk.texts + 1
  chunk.positions[count], chunk.values[count], chunk.texts[count], chunk.ids[count] = position, value, text, id
  chunk.bytes = chunk.bytes + #text
end

--- The chunks of an array that has been checked.
---@param values any[]
---@param texts string[] one for each value; emptied on the way
---@param ids table<integer, string> the ids of those that have one
---@return table source `total`, and `take()`, which gives the next chunk or nil
function M.of_array(values, texts, ids)
  local total, taken = #texts, 0
  return {
    total = total,
    take = function()
      if taken == total then
        return nil
      end
      local chunk = new_chunk()
      while taken < total and #chunk.texts < M.SIZE do
        taken = taken + 1
        add(chunk, taken, values[taken], texts[taken], ids[taken])
        texts[taken] = false -- a hole would turn the array into a map
      end
      return chunk
    end,
  }
end

--- The chunks of an iterator. Every record is put into text as soon as it comes: iterators may use one table for all
--- of them.
---@param next_value fun(): any gives the next record or id, nil at the end
---@param read fun(value: any): string|nil, string|nil gives its text and its id, or nil and why there is none
---@return table source `take()`, which gives the next chunk or nil, and `{ error }` where the iterator raised
function M.of_iterator(next_value, read)
  local taken, ended = 0, false
  return {
    take = function()
      local chunk, last, failure = new_chunk(), taken + M.SIZE, nil
      while not ended and taken < last do
        local fine, value = pcall(next_value)
        if not fine then
          failure = { value }
        end
        ended = not fine or value == nil
        if not ended then
          taken = taken + 1
          local text, id_or_why = read(value)
          if text then
            add(chunk, taken, value, text, id_or_why)
          else
            chunk.refused[#chunk.refused + 1] = { position = taken, value = value, why = id_or_why }
          end
        end
      end
      return #chunk.texts + #chunk.refused > 0 and chunk or nil, failure
    end,
  }
end

--- The two halves of a chunk that is too large for one request.
---@param chunk zohocrm.Chunk of two records or more
---@return zohocrm.Chunk, zohocrm.Chunk
function M.halves(chunk)
  local first, second = new_chunk(), new_chunk()
  local middle = math.floor(#chunk.texts / 2)
  for i, text in ipairs(chunk.texts) do
    add(i <= middle and first or second, chunk.positions[i], chunk.values[i], text, chunk.ids[i])
  end
  return first, second
end

return M
