--- What a walk knows of its records by their ids: which it has handed out, and whether the list moves under it.

local M = {}

--- Whether an id comes after another in the order of the list. Ids are digits, so the longer one is the larger.
---@param id string
---@param last string
---@param descending boolean the highest first
---@return boolean
function M.is_past(id, last, descending)
  if #id ~= #last then
    return (#id < #last) == descending
  end
  return id ~= last and (id < last) == descending
end

--- Whether ids stand in the order of the list, each but once.
---@param ids string[]
---@param descending boolean
---@return boolean
function M.in_order(ids, descending)
  for i = 2, #ids do
    if not M.is_past(ids[i], ids[i - 1], descending) then
      return false
    end
  end
  return true
end

-- The id of a record; an empty string where it has none that is a string.
local function id_of(record)
  local id = record.id
  return type(id) == "string" and id or ""
end

--- The ids of records, but of those that have none.
---@param records table[]
---@return string[]
function M.of(records)
  local ids = {}
  for _, record in ipairs(records) do
    local id = id_of(record)
    ids[#ids + 1] = id ~= "" and id or nil
  end
  return ids
end

--- Drops from a page what the walk that is resumed here had delivered.
---@param walk table `skip`, a set of ids, and `plan`, see `zohocrm.WalkPlan`
---@param page table[]
function M.drop_delivered(walk, page)
  local plan, kept = walk.plan, 0
  for i = 1, #page do
    local record = page[i]
    local id = id_of(record)
    page[i] = nil
    if id == "" or not (walk.skip[id] or plan.after and not M.is_past(id, plan.after, plan.descending)) then
      kept = kept + 1
      page[kept] = record
    end
  end
end

--- Whether records of a page may have stood on the page before already. Where it begins past the end of that one, in
--- the order of ids, none can.
---@param walk table `last_id`, `by_id` and `plan`
---@param page table[] at least its beginning
---@return boolean
function M.may_repeat(walk, page)
  local first = id_of(page[1])
  return walk.last_id ~= nil and first ~= ""
    and not (walk.by_id and M.is_past(first, walk.last_id, walk.plan.descending))
end

--- Notes the ids of records that are about to be handed out: one string for all of them, as the records' own would grow
--- old in the eyes of the collector, and wait for a full round.
---@param walk table `ids`, strings of those of the page at hand, and `last_id`
---@param records table[] not empty
function M.note(walk, records)
  local list, ids = {}, walk.ids
  for i = 1, #records do
    list[i] = id_of(records[i])
  end
  ids[#ids + 1] = table.concat(list, ",")
  local last = list[#list]
  walk.last_id = last ~= "" and last or walk.last_id
end

-- The ids that are noted, each behind a comma: of the page at hand, and, where that has less than a page may have, of
-- records before it. In the order of ids, those of the page are enough in any case.
local function text_of(walk)
  local own = table.concat(walk.ids, ",")
  if walk.by_id or walk.seen >= walk.plan.per_page then
    return own
  end
  return walk.before .. "," .. own
end

local function ids_in(text)
  local list = {}
  for id in text:gmatch("[^,]+") do
    list[#list + 1] = id
  end
  return list
end

--- The ids that were noted last, each but once, and no more than a page may have.
---@param walk table `ids`, `before`, `seen`, `by_id` and `plan`
---@return string[]
function M.newest(walk)
  local noted, last, list = ids_in(text_of(walk)), {}, {}
  for i, id in ipairs(noted) do
    last[id] = i
  end
  for i, id in ipairs(noted) do
    list[#list + 1] = last[id] == i and id or nil
  end
  local extra = #list - walk.plan.per_page
  if extra > 0 then
    for i = 1, #list do
      list[i] = list[i + extra]
    end
  end
  return list
end

--- Begins to note the ids of another page.
---@param walk table `ids`, `before`, `seen`, records of the page at hand so far, `by_id` and `plan`
function M.turn(walk)
  if not walk.by_id then
    local full = walk.seen >= walk.plan.per_page
    walk.before = full and text_of(walk) or table.concat(M.newest(walk), ",")
  end
  walk.ids = {}
end

--- How a page shows that the list has moved under the walk; nil: it does not.
---@param walk table `resumed`, `skip`, and what `newest` needs
---@param page table[]
---@return string|nil
function M.moved(walk, page)
  local plan, noted, ids, before = walk.plan, ids_in(text_of(walk)), M.of(page), {}
  for _, id in ipairs(noted) do
    before[id] = true
  end
  for _, id in ipairs(ids) do
    if before[id] and not (walk.resumed and walk.skip[id]) then -- those are passed over
      return ("record %s came twice"):format(id)
    end
  end
  local last = noted[#noted]
  if last and ids[1] and walk.by_id and M.in_order(noted, plan.descending) and M.in_order(ids, plan.descending)
    and not M.is_past(ids[1], last, plan.descending) then
    return ("record %s came behind %s, out of the order of ids"):format(ids[1], last)
  end
end

return M
