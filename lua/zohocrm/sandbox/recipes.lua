--- What the seeded values of particular fields look like; the other fields follow from their data type.
--
-- A recipe gets (generator, field, index, module) and gives the stored value, nil for an empty field.
--
-- @module zohocrm.sandbox.recipes

local time = require("zohocrm.sandbox.time")
local words = require("zohocrm.sandbox.words")

local floor = math.floor

local M = {}

-- Streams for choices that several fields of a record share: a first name also makes the e-mail address. Each module
-- has its own, else the fifth lead and the fifth contact would be one person.
local FIRST, LAST, COMPANY, FORM, PLACE, DOMAIN, DURATION = 1, 2, 3, 4, 5, 7, 8

local function shared(stream, module)
  return 500000 + module.index * 100 + stream
end

local function from(list, one_in_empty)
  return function(g, field, i)
    if one_in_empty and g:below(one_in_empty, field.stream + 1, i) == 0 then
      return nil
    end
    return g:pick(list, field.stream, i)
  end
end

local function empty()
  return nil
end

local function first_name(g, _, i, module)
  return g:pick(words.first_names, shared(FIRST, module), i)
end

local function last_name(g, _, i, module)
  return g:pick(words.last_names, shared(LAST, module), i)
end

local function full_name(g, _, i, module)
  return g:value(module, "First_Name", i) .. " " .. g:value(module, "Last_Name", i)
end

local function domain(g, i, module)
  return g:below(3, shared(DOMAIN, module), i) == 0 and "example.org" or "example.com"
end

local function email(g, _, i, module)
  local first = words.address_part(g:value(module, "First_Name", i))
  local last = words.address_part(g:value(module, "Last_Name", i))
  return ("%s.%s%d@%s"):format(first, last, i, domain(g, i, module))
end

local function second_email(g, field, i, module)
  if g:below(4, field.stream, i) == 0 then
    return ("office%d@%s"):format(i, domain(g, i + 1, module))
  end
end

local function company(g, _, i, module)
  local name = g:pick(words.companies, shared(COMPANY, module), i)
  return name .. " " .. g:pick(words.company_forms, shared(FORM, module), i)
end

local function website(g, _, i, module)
  return "https://www.example.com/" .. words.address_part(g:pick(words.companies, shared(COMPANY, module), i))
end

local function numbered(format)
  return function(_, _, i)
    return format:format(i + 1000)
  end
end

local function place_part(part, shift)
  return function(g, _, i, module)
    return g:pick(words.places, shared(PLACE + shift, module), i)[part]
  end
end

local function postal_code(shift)
  return function(g, field, i, module)
    local n = 0
    return (g:pick(words.places, shared(PLACE + shift, module), i)[4]:gsub("#", function()
      n = n + 1
      return ("%d"):format(g:below(10, field.stream * 7 + n, i))
    end))
  end
end

local function street(g, field, i)
  return ("%s %d"):format(g:pick(words.streets, field.stream, i), g:below(180, field.stream + 1, i) + 1)
end

-- The parts of one address fit together; another shift is another place.
local function add_address(recipes, prefix, code, shift)
  recipes[prefix .. "Street"] = street
  recipes[prefix .. "City"] = place_part(1, shift)
  recipes[prefix .. "State"] = place_part(2, shift)
  recipes[prefix .. code] = postal_code(shift)
  recipes[prefix .. "Country"] = place_part(3, shift)
end

M.Leads = {
  First_Name = first_name, Last_Name = last_name, Full_Name = full_name, Company = company, Website = website,
  Designation = from(words.titles), Email = email, Secondary_Email = second_email, External_Id = numbered("LEAD-%06d"),
  -- Converted leads lie before the first one, see `zohocrm.sandbox.store`.
  Converted__s = function(_, _, i)
    return i <= -1 and i >= -3
  end,
}
add_address(M.Leads, "", "Zip_Code", 0)

M.Contacts = {
  First_Name = first_name, Last_Name = last_name, Full_Name = full_name, Title = from(words.titles), Email = email,
  Department = from(words.departments, 6), Secondary_Email = second_email,
  Date_of_Birth = function(g, field, i)
    return ("%04d-%02d-%02d"):format(1950 + g:below(55, field.stream, i), 1 + g:below(12, field.stream + 1, i),
      1 + g:below(28, field.stream + 2, i))
  end,
}
add_address(M.Contacts, "Mailing_", "Zip", 0)

M.Accounts = {
  Account_Name = company, Account_Number = numbered("ACC-%06d"), Website = website,
}
add_address(M.Accounts, "Billing_", "Code", 0)
add_address(M.Accounts, "Shipping_", "Code", 1)

local stage_probability = {
  ["Qualification"] = 10, ["Needs Analysis"] = 20, ["Value Proposition"] = 40, ["Identify Decision Makers"] = 60,
  ["Proposal/Price Quote"] = 75, ["Negotiation/Review"] = 90, ["Closed Won"] = 100, ["Closed Lost"] = 0,
  ["Closed Lost to Competition"] = 0,
}

local function probability(g, _, i, module)
  return stage_probability[g:value(module, "Stage", i)]
end

M.Deals = {
  Deal_Name = function(g, field, i, module)
    return company(g, field, i, module) .. ", " .. g:pick(words.products, field.stream, i)
  end,
  Probability = probability,
  Expected_Revenue = function(g, field, i, module)
    return floor(g:value(module, "Amount", i) * probability(g, field, i, module)) / 100
  end,
  Next_Step = from({ "Call back", "Send the offer", "Arrange a demo", "Wait for budget" }, 4),
}

M.Campaigns = {
  Campaign_Name = function(g, field, i)
    return ("%s %d"):format(g:pick(words.campaigns, field.stream, i), i + 1)
  end,
  End_Date = function(g, field, i, module)
    local _, start = time.parse_date(g:value(module, "Start_Date", i))
    return time.format_date(start + g:below(60, field.stream, i))
  end,
}

M.Tasks = {
  Subject = from(words.tasks),
  Closed_Time = function(g, _, i, module)
    return g:value(module, "Status", i) == "Completed" and g:value(module, "Modified_Time", i) or nil
  end,
}

local function duration_seconds(g, i, module)
  return 20 + g:below(3000, shared(DURATION, module), i)
end

M.Calls = {
  Subject = from(words.calls),
  Call_Duration = function(g, _, i, module)
    local seconds = duration_seconds(g, i, module)
    return ("%02d:%02d"):format(floor(seconds / 60), seconds % 60)
  end,
  Call_Duration_in_seconds = function(g, _, i, module)
    return duration_seconds(g, i, module)
  end,
  Call_Agenda = from(words.descriptions, 3),
}

M.Events = {
  Event_Title = from(words.events),
  End_DateTime = function(g, field, i, module)
    return g:value(module, "Start_DateTime", i) + (1 + g:below(6, field.stream, i)) * 1800
  end,
  Venue = place_part(1, 0),
  Check_In_Comment = empty,
}

M.Products = {
  Product_Name = function(g, field, i)
    return ("%s %d"):format(g:pick(words.products, field.stream, i), i + 100)
  end,
  Product_Code = numbered("P-%06d"),
  Product_Active = function(g, field, i)
    return g:below(6, field.stream, i) > 0
  end,
}

M.Service_Contracts = {
  Name = function(g, field, i)
    return g:pick(words.products, field.stream, i) .. " maintenance"
  end,
  Contract_Number = numbered("SC-%06d"),
  Email = function(g, _, i, module)
    return ("contract%d@%s"):format(i, domain(g, i, module))
  end,
  -- Beyond what a double can hold, on purpose: such a field is where clients lose digits.
  Device_Serial = function(_, _, i)
    return ("9007199254%07d"):format(740993 + i * 2)
  end,
  Terms = from(words.descriptions, 3),
}

--- Records with fixed values: the lead of the seed's examples.
M.samples = {
  Leads = {
    [0] = {
      First_Name = "Christopher", Last_Name = "Maclead (Sample)", Company = "Rangoni Of Florence",
      Email = "christopher.maclead@example.com", Phone = "555-555-5555",
    },
  },
}

return M
