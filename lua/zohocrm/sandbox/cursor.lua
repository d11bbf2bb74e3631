--- Walking through the records of a store in an order, without sorting or making them all.
--
-- Seeded records are in order by themselves: id, creation and last change of an untouched one all grow with its index.
-- So an order is the merge of two ascending sequences: the indexes of the seeded records that still stand where the
-- rule puts them, and a (short) list of the others.
--
-- @module zohocrm.sandbox.cursor

local floor = math.floor

local M = {}

-- An order compares ranks, then keys. Ids and creation times grow together, so those two orders need no rank at all.
local function rank_of(store, by_modification, key)
  return by_modification and store:value(key, "Modified_Time") or 0
end

local function before(rank_a, key_a, rank_b, key_b)
  if rank_a ~= rank_b then
    return rank_a < rank_b
  end
  return key_a < key_b
end

-- The records that do not stand where the seeding rule puts them, ascending.
local function displaced(store, by_modification)
  if not by_modification then
    return store.created
  end
  local cached = store.by_modification
  if cached and cached.changes == store.changes then
    return cached.keys
  end
  local keys = {}
  for key, record in pairs(store.touched) do
    if record then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, function(a, b)
    return before(store.touched[a].Modified_Time, a, store.touched[b].Modified_Time, b)
  end)
  store.by_modification = { changes = store.changes, keys = keys }
  return keys
end

-- How many of the elements low … high stand before the given place.
local function count_before(low, high, place, place_of)
  while low <= high do
    local middle = floor((low + high) / 2)
    local rank, key = place_of(middle)
    if before(rank, key, place.rank, place.key) then
      low = middle + 1
    else
      high = middle - 1
    end
  end
  return low
end

-- One of the two sequences: gives its elements from `at` on, stepping over those that do not count.
local function sequence(at, last, step, key_at, counts)
  return function()
    while (step > 0 and at <= last) or (step < 0 and at >= last) do
      local key = key_at(at)
      at = at + step
      if counts(key) then
        return key
      end
    end
  end
end

local function bounds(low, high, descending, after, place_of)
  if descending then
    -- The last element strictly before the place.
    return after and count_before(low, high, after, place_of) - 1 or high, low, -1
  end
  local from = low
  if after then
    from = count_before(low, high, after, place_of)
    if from <= high then
      local rank, key = place_of(from)
      if rank == after.rank and key == after.key then
        from = from + 1
      end
    end
  end
  return from, high, 1
end

local function seeded_sequence(store, by_modification, descending, after, first)
  local touched = store.touched
  local function key_at(i)
    return store:seeded_key(i)
  end
  local function place_of(i)
    -- By the rule, not by the record as it is now: a changed one must not break the order of the search.
    return by_modification and store.generator:modified_time(store.module, i) or 0, store:seeded_key(i)
  end
  local from, to, step = bounds(first, store.count - 1, descending, after, place_of)
  return sequence(from, to, step, key_at, function(key)
    if by_modification then
      return touched[key] == nil
    end
    return touched[key] ~= false
  end)
end

local function displaced_sequence(store, by_modification, descending, after)
  local keys = displaced(store, by_modification)
  local function key_at(i)
    return keys[i]
  end
  local function place_of(i)
    return rank_of(store, by_modification, keys[i]), keys[i]
  end
  local from, to, step = bounds(1, #keys, descending, after, place_of)
  return sequence(from, to, step, key_at, function(key)
    return store.touched[key] ~= false
  end)
end

--- Walks through the records of a store.
---@param store table
---@param options {sort_by: string?, descending: boolean?, after: {rank: number, key: integer}?, hidden: boolean?}
--- `sort_by` is `id` (default), `Created_Time` or `Modified_Time`; `after` is the place of a record, which need not
--- exist any more, behind which to begin; `hidden` takes in the converted and unapproved ones
---@return fun(): integer?, number? next gives the key of a record and its rank, nil at the end
function M.walk(store, options)
  local by_modification, descending = options.sort_by == "Modified_Time", options.descending
  local first = options.hidden and store.first or 0
  local next_seeded = seeded_sequence(store, by_modification, descending, options.after, first)
  local next_displaced = displaced_sequence(store, by_modification, descending, options.after)
  local a, b = next_seeded(), next_displaced()
  local rank_a, rank_b = a and rank_of(store, by_modification, a), b and rank_of(store, by_modification, b)
  return function()
    local take_a = a and (not b or before(rank_a, a, rank_b, b) ~= (descending or false))
    local key, rank
    if take_a then
      key, rank, a = a, rank_a, next_seeded()
      rank_a = a and rank_of(store, by_modification, a)
    elseif b then
      key, rank, b = b, rank_b, next_displaced()
      rank_b = b and rank_of(store, by_modification, b)
    end
    return key, rank
  end
end

return M
