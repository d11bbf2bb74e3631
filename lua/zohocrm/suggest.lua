--- "Did you mean": the known names nearest to a wrong one.

local M = {}

--- Edit distance in which an insertion, a deletion, a replacement and a swap of neighbours each count as one
--- (optimal string alignment).
---@param a string
---@param b string
---@return integer
function M.distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do
    rows[0][j] = j
  end
  for i = 1, #a do
    local row = { [0] = i }
    rows[i] = row
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, rows[i - 2][j - 2] + 1)
      end
      row[j] = best
    end
  end
  return rows[#a][#b]
end

--- The names that `wrong` may have been meant for, nearest first; case does not count.
---@param wrong string
---@param names string[]
---@param most? integer how many at the most (default 1)
---@return string[]
function M.nearest(wrong, names, most)
  local found = {}
  if #wrong > 64 then
    return found -- no name is that long, and the distance takes time for both lengths
  end
  for _, name in ipairs(names) do
    local distance = M.distance(wrong:lower(), name:lower())
    if distance <= math.max(1, math.floor(#name / 3)) then
      found[#found + 1] = { name = name, distance = distance }
    end
  end
  table.sort(found, function(a, b)
    if a.distance ~= b.distance then
      return a.distance < b.distance
    end
    return a.name < b.name
  end)
  local nearest = {}
  for i = 1, math.min(most or 1, #found) do
    nearest[i] = found[i].name
  end
  return nearest
end

--- A sentence part such as `; did you mean 'fields'?`, or "" when nothing is near.
---@param wrong string
---@param names string[]
---@param synonyms? table<string, string> what is near in meaning, not in letters; those that are no names do not count
---@return string
function M.hint(wrong, names, synonyms)
  local meant, nearest = synonyms and synonyms[wrong], nil
  for _, name in ipairs(names) do
    nearest = nearest or name == meant and name or nil
  end
  nearest = nearest or M.nearest(wrong, names, 1)[1]
  return nearest and ("; did you mean '%s'?"):format(nearest) or ""
end

return M
