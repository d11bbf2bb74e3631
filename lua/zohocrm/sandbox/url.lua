--- Reading of request targets: percent-decoding, path segments, query parameters.
-- @module zohocrm.sandbox.url

local M = {}

local function byte_of(hex)
  return string.char(tonumber(hex, 16))
end

--- Percent-decodes one piece of an address. A `%` without two hexadecimal digits stays as it is.
---@param text string
---@return string
function M.decode(text)
  return (text:gsub("%%(%x%x)", byte_of))
end

--- The segments of a path, each decoded on its own, so that an encoded slash stays inside its segment.
---@param path string as on the wire; a query after "?" is not part of it
---@return string[] segments empty ones (a double or a trailing slash) are kept, except the one before the first slash
function M.segments(path)
  local segments = {}
  for segment in (path:gsub("^/", "", 1) .. "/"):gmatch("([^/]*)/") do
    segments[#segments + 1] = M.decode(segment)
  end
  return segments
end

--- The parameters of a query. `+` is a blank, as every form decoder reads it; of a repeated name the first counts.
---@param query string? as on the wire, without "?"
---@return table<string, string> parameters decoded; a name without "=" has the value ""
function M.query(query)
  local parameters = {}
  for pair in (query or ""):gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name = M.decode((name:gsub("+", " ")))
    if parameters[name] == nil then
      parameters[name] = M.decode((value:gsub("+", " ")))
    end
  end
  return parameters
end

return M
