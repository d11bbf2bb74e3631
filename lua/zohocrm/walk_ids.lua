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

--- The id that comes last in the order of the list.
---@param plan zohocrm.WalkPlan
---@param ids (string|nil)[] of three places
---@return string|nil
function M.latest(plan, ids)
  local latest
  for i = 1, 3 do
    local id = ids[i]
    if id and not (latest and M.is_past(latest, id, plan.descending)) then
      latest = id
    end
  end
  return latest
end

--- Drops from a page what the walk that is resumed here had delivered.
---@param walk table `skip`, a set of ids, and `plan`, see `zohocrm.WalkPlan`
---@param page table[]
function M.drop_delivered(walk, page)
  local plan, kept = walk.plan, 0
  for i = 1, #page do
    local record = page[i]
    local id = record.id
    page[i] = nil
    if not (type(id) == "string"
      and (walk.skip[id] or (plan.after and not M.is_past(id, plan.after, plan.descending)))) then
      kept = kept + 1
      page[kept] = record
    end
  end
end

--- Whether records of a page may have stood on the page before already. Where it begins past the end of that one, in
--- the order of ids, none can.
---@param walk table `last_id` and `plan`
---@param page table[] at least its beginning
---@return boolean
function M.may_repeat(walk, page)
  local first, plan = page[1].id, walk.plan
  return walk.last_id ~= nil and type(first) == "string"
    and not (plan.by_id and M.is_past(first, walk.last_id, plan.descending))
end

--- Notes the ids of records that are about to be handed out: one string for all of them, as the records' own would grow
--- old in the eyes of the collector, and wait for a full round.
---@param walk table `ids`, strings of those of the page at hand, and `last_id`
---@param records table[] not empty
function M.note(walk, records)
  local list, ids = {}, walk.ids
  for i = 1, #records do
    local id = records[i].id
    list[i] = type(id) == "string" and id or ""
  end
  ids[#ids + 1] = table.concat(list, ",")
  local last = list[#list]
  walk.last_id = last ~= "" and last or walk.last_id
end

--- The ids of the page at hand, as far as it was noted.
---@param walk table `ids`
---@return string[]
function M.noted(walk)
  local list = {}
  for id in table.concat(walk.ids, ","):gmatch("[^,]+") do
    list[#list + 1] = id
  end
  return list
end

--- Two lists of ids as one.
---@param first string[]|nil
---@param second string[]|nil
---@return string[]|nil
function M.joined(first, second)
  if not (first and second) then
    return first or second
  end
  local all = {}
  for _, list in ipairs { first, second } do
    for _, id in ipairs(list) do
      all[#all + 1] = id
    end
  end
  return all
end

--- The ids that stood on the page before already: the list has moved under the walk.
---@param walk table `ids`
---@param page table[]
---@return string[]|nil
function M.find_doubles(walk, page)
  local before, twice = {}, nil
  for _, id in ipairs(M.noted(walk)) do
    before[id] = true
  end
  for _, record in ipairs(page) do
    if record.id and before[record.id] then
      twice = twice or {}
      twice[#twice + 1] = record.id
    end
  end
  return twice
end

return M
