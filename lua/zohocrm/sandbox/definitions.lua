--- What the sandbox's organisation consists of: its modules and their fields, as plain data.
--
-- A field is `{ api_name, data_type, … }`; the data types and their JSON values are those of section 8.3 of the
-- reference, the mandatory fields those of section 4.3. `zohocrm.sandbox.schema` makes the full metadata of it.
--
--   length     characters of a text, digits of a number       values   of a picklist, in their order
--   lookup     the module that a lookup points at             section  of the layout; default "<Singular> Information"
--   mandatory, unique, read_only, custom, unused              flags; an unused field stands on no layout
--
-- @module zohocrm.sandbox.definitions

local M = {}

local lead_sources = {
  "Advertisement", "Cold Call", "Employee Referral", "External Referral", "Online Store", "Partner",
  "Public Relations", "Sales Email Alias", "Seminar Partner", "Internal Seminar", "Trade Show",
  "Web Download", "Web Research", "Chat",
}
local industries = {
  "ASP (Application Service Provider)", "Data/Telecom OEM", "ERP (Enterprise Resource Planning)",
  "Financial Services", "Government/Military", "Large Enterprise", "Manufacturing", "Real Estate",
  "Service Provider", "Small/Medium Enterprise",
}
local salutations = { "Mr.", "Mrs.", "Ms.", "Dr.", "Prof." }
local ratings = { "Acquired", "Active", "Market Failed", "Project Cancelled", "Shut Down" }
local priorities = { "High", "Highest", "Low", "Lowest", "Normal" }
local interests = { "Automation", "Consulting", "Hardware", "Maintenance", "Training" }

local ADDRESS = "Address Information"
local DESCRIPTION = "Description Information"

-- Postal codes have another name in each kind of address.
local function address(prefix, code)
  local function name(part)
    return prefix .. part
  end
  return {
    { name("Street"), "text", length = 250, section = ADDRESS },
    { name("City"), "text", length = 100, section = ADDRESS },
    { name("State"), "text", length = 100, section = ADDRESS },
    { name(code), "text", length = 30, section = ADDRESS },
    { name("Country"), "text", length = 100, section = ADDRESS },
  }
end

local function join(...)
  local all = {}
  for _, list in ipairs({ ... }) do
    for _, item in ipairs(list) do
      all[#all + 1] = item
    end
  end
  return all
end

--- Fields that every module has, after its own ones.
M.common = {
  { "Description", "textarea", length = 32000, section = DESCRIPTION },
  { "Tag", "text", tags = true, length = 2000 },
  { "Created_By", "ownerlookup", read_only = true },
  { "Modified_By", "ownerlookup", read_only = true },
  { "Created_Time", "datetime", read_only = true },
  { "Modified_Time", "datetime", read_only = true },
  { "Last_Activity_Time", "datetime", read_only = true },
  { "id", "bigint", read_only = true, label = "Record Id", length = 19 },
}

local fields = {}

fields.Leads = join({
  { "Owner", "ownerlookup", label = "Lead Owner" },
  { "Company", "text", length = 200 },
  { "First_Name", "text", length = 40 },
  { "Last_Name", "text", length = 80, mandatory = true },
  { "Full_Name", "text", length = 120, read_only = true },
  { "Salutation", "picklist", values = salutations },
  { "Designation", "text", length = 100, label = "Title" },
  { "Email", "email", length = 100 },
  { "Secondary_Email", "email", length = 100 },
  { "Phone", "phone", length = 30 },
  { "Mobile", "phone", length = 30 },
  { "Fax", "text", length = 30 },
  { "Website", "website", length = 255 },
  { "Lead_Source", "picklist", values = lead_sources },
  { "Lead_Status", "picklist", values = {
    "Attempted to Contact", "Contact in Future", "Contacted", "Junk Lead", "Lost Lead", "Not Contacted",
    "Pre-Qualified", "Not Qualified",
  } },
  { "Industry", "picklist", values = industries },
  { "No_of_Employees", "integer", length = 9, label = "No. of Employees" },
  { "Annual_Revenue", "currency", length = 16, decimal_place = 2 },
  { "Rating", "picklist", values = ratings },
  { "Email_Opt_Out", "boolean" },
  { "Skype_ID", "text", length = 50 },
  { "Interests", "multiselectpicklist", values = interests, custom = true },
  { "First_Contact_Date", "date", custom = true },
  { "Next_Call_Time", "datetime", custom = true },
  { "External_Id", "text", length = 60, unique = true, custom = true },
  { "Converted__s", "boolean", read_only = true, label = "Is Converted" },
  { "Twitter", "text", length = 50, unused = true },
  { "Referral_Code", "text", length = 30, custom = true, unused = true },
}, address("", "Zip_Code"))

fields.Contacts = join({
  { "Owner", "ownerlookup", label = "Contact Owner" },
  { "First_Name", "text", length = 40 },
  { "Last_Name", "text", length = 80, mandatory = true },
  { "Full_Name", "text", length = 120, read_only = true },
  { "Salutation", "picklist", values = salutations },
  { "Account_Name", "lookup", lookup = "Accounts" },
  { "Reporting_To", "lookup", lookup = "Contacts" },
  { "Title", "text", length = 100 },
  { "Department", "text", length = 50 },
  { "Email", "email", length = 100, unique = true },
  { "Secondary_Email", "email", length = 100 },
  { "Phone", "phone", length = 50 },
  { "Mobile", "phone", length = 30 },
  { "Lead_Source", "picklist", values = lead_sources },
  { "Date_of_Birth", "date" },
  { "Email_Opt_Out", "boolean" },
  { "Interests", "multiselectpicklist", values = interests, custom = true },
  { "Twitter", "text", length = 50, unused = true },
}, address("Mailing_", "Zip"))

fields.Accounts = join({
  { "Owner", "ownerlookup", label = "Account Owner" },
  { "Account_Name", "text", length = 200, mandatory = true },
  { "Account_Number", "text", length = 40, unique = true },
  { "Account_Type", "picklist", values = {
    "Analyst", "Competitor", "Customer", "Distributor", "Investor", "Partner", "Press", "Prospect",
    "Supplier", "Vendor",
  } },
  { "Parent_Account", "lookup", lookup = "Accounts" },
  { "Industry", "picklist", values = industries },
  { "Annual_Revenue", "currency", length = 16, decimal_place = 2 },
  { "Employees", "integer", length = 9 },
  { "Phone", "phone", length = 30 },
  { "Fax", "text", length = 30 },
  { "Website", "website", length = 255 },
  { "Rating", "picklist", values = ratings },
  { "Ownership", "picklist", values = { "Government", "Other", "Private", "Public", "Subsidiary" } },
  { "Ticker_Symbol", "text", length = 30, unused = true },
}, address("Billing_", "Code"), address("Shipping_", "Code"))

fields.Deals = {
  { "Owner", "ownerlookup", label = "Deal Owner" },
  { "Deal_Name", "text", length = 120, mandatory = true },
  { "Account_Name", "lookup", lookup = "Accounts" },
  { "Contact_Name", "lookup", lookup = "Contacts" },
  { "Campaign_Source", "lookup", lookup = "Campaigns" },
  { "Stage", "picklist", mandatory = true, values = {
    "Qualification", "Needs Analysis", "Value Proposition", "Identify Decision Makers",
    "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost",
    "Closed Lost to Competition",
  } },
  { "Amount", "currency", length = 16, decimal_place = 2 },
  { "Probability", "integer", length = 9, label = "Probability (%)" },
  { "Expected_Revenue", "currency", length = 16, decimal_place = 2 },
  { "Discount", "percent", length = 5, decimal_place = 2, custom = true },
  { "Closing_Date", "date" },
  { "Type", "picklist", values = { "Existing Business", "New Business" } },
  { "Lead_Source", "picklist", values = lead_sources },
  { "Next_Step", "text", length = 100 },
  { "Reason_For_Loss__s", "picklist", unused = true, values = {
    "Expectation Mismatch", "Price", "Unqualified Customer", "Lack of response", "Missed Follow Ups",
    "Competition", "Other",
  } },
}

fields.Campaigns = {
  { "Owner", "ownerlookup", label = "Campaign Owner" },
  { "Campaign_Name", "text", length = 80, mandatory = true },
  { "Type", "picklist", values = {
    "Advertisement", "Banner Ads", "Conference", "Direct mail", "Email", "Others", "Partners",
    "Public Relations", "Referral Program", "Telemarketing", "Trade Show", "Webinar",
  } },
  { "Status", "picklist", values = { "Active", "Cancelled", "Complete", "Inactive", "Planning" } },
  { "Start_Date", "date" },
  { "End_Date", "date" },
  { "Expected_Revenue", "currency", length = 16, decimal_place = 2 },
  { "Budgeted_Cost", "currency", length = 16, decimal_place = 2 },
  { "Actual_Cost", "currency", length = 16, decimal_place = 2 },
  { "Expected_Response", "bigint", length = 18 },
  { "Num_sent", "bigint", length = 18, label = "Numbers sent" },
  { "Parent_Campaign", "lookup", lookup = "Campaigns", unused = true },
}

fields.Tasks = {
  { "Owner", "ownerlookup", label = "Task Owner" },
  { "Subject", "text", length = 300, mandatory = true },
  { "Due_Date", "date" },
  { "Status", "picklist", values = { "Not Started", "Deferred", "In Progress", "Completed", "Waiting for input" } },
  { "Priority", "picklist", values = priorities },
  { "Who_Id", "lookup", lookup = "Contacts", label = "Contact Name" },
  { "What_Id", "multi_module_lookup", label = "Related To" },
  { "Remind_At", "ALARM", label = "Reminder" },
  { "Recurring_Activity", "RRULE", label = "Repeat" },
  { "Send_Notification_Email", "boolean" },
  { "Closed_Time", "datetime", read_only = true },
  { "Effort_Hours", "double", length = 9, decimal_place = 2, custom = true, unused = true },
}

fields.Calls = {
  { "Owner", "ownerlookup", label = "Call Owner" },
  { "Subject", "text", length = 300, mandatory = true },
  { "Call_Type", "picklist", mandatory = true, values = { "Outbound", "Inbound", "Missed" } },
  { "Call_Start_Time", "datetime", mandatory = true },
  { "Call_Duration", "text", length = 20, mandatory = true, duration = true },
  { "Call_Duration_in_seconds", "integer", length = 9, read_only = true },
  { "Call_Purpose", "picklist", values = {
    "Prospecting", "Administrative", "Negotiation", "Demo", "Project", "Desk",
  } },
  { "Call_Result", "picklist", values = {
    "Interested", "Not interested", "No response/Busy", "Requested more info", "Requested call back",
    "Invalid number",
  } },
  { "Call_Agenda", "text", length = 255 },
  { "Who_Id", "lookup", lookup = "Contacts", label = "Contact Name" },
  { "What_Id", "multi_module_lookup", label = "Related To" },
  { "Dialled_Number", "phone", length = 30, unused = true },
}

fields.Events = {
  { "Owner", "ownerlookup", label = "Host" },
  { "Event_Title", "text", length = 255, mandatory = true, label = "Title" },
  { "Start_DateTime", "datetime", mandatory = true, label = "From" },
  { "End_DateTime", "datetime", mandatory = true, label = "To" },
  { "All_day", "boolean", label = "All day" },
  { "Venue", "text", length = 255, label = "Location" },
  { "Who_Id", "lookup", lookup = "Contacts", label = "Contact Name" },
  { "What_Id", "multi_module_lookup", label = "Related To" },
  { "Recurring_Activity", "RRULE", label = "Repeat" },
  { "Check_In_Comment", "textarea", length = 2000, read_only = true },
  { "Latitude", "double", length = 9, decimal_place = 6, unused = true },
}

fields.Products = {
  { "Owner", "ownerlookup", label = "Product Owner" },
  { "Product_Name", "text", length = 200, mandatory = true },
  { "Product_Code", "text", length = 40, unique = true },
  { "Product_Active", "boolean" },
  { "Product_Category", "picklist", values = { "Hardware", "Software", "CRM Applications" } },
  { "Manufacturer", "picklist", values = { "AltvetPet Inc.", "LexPon Inc.", "MetBeat Corp." } },
  { "Unit_Price", "currency", length = 16, decimal_place = 2 },
  { "Commission_Rate", "currency", length = 16, decimal_place = 2 },
  { "Tax", "multiselectpicklist", values = { "Sales Tax", "Vat", "Common Tax" } },
  { "Taxable", "boolean" },
  { "Qty_in_Stock", "double", length = 16, decimal_place = 2, label = "Quantity in Stock" },
  { "Usage_Unit", "picklist", values = { "Box", "Carton", "Each", "Kilogram", "Lb", "Pack", "Pieces", "Unit" } },
  { "Sales_Start_Date", "date" },
  { "Support_Expiry_Date", "date", unused = true },
}

fields.Service_Contracts = {
  { "Owner", "ownerlookup", label = "Service Contract Owner" },
  { "Name", "text", length = 120, mandatory = true, label = "Service Contract Name" },
  { "Contract_Number", "autonumber", read_only = true, custom = true },
  { "Account", "lookup", lookup = "Accounts", custom = true },
  { "Email", "email", length = 100 },
  { "Contract_Value", "currency", length = 16, decimal_place = 2, custom = true },
  { "Discount", "percent", length = 5, decimal_place = 2, custom = true },
  { "Covered_Sites", "integer", length = 9, custom = true },
  { "Device_Serial", "bigint", length = 18, unique = true, custom = true },
  { "Services", "multiselectpicklist", values = interests, custom = true },
  { "Start_Date", "date", custom = true },
  { "Renewal_Time", "datetime", custom = true },
  { "Auto_Renewal", "boolean", custom = true },
  { "Terms", "textarea", length = 2000, custom = true },
  { "Old_Reference", "text", length = 60, custom = true, unused = true },
}

--- The modules in the order of the organisation's tabs. `name_field` is what a lookup shows, `duplicate_field` what an
-- upsert compares when nothing is said (reference, section 4.6).
M.modules = {
  { "Leads", "Lead", name_field = "Full_Name", duplicate_field = "Email" },
  { "Contacts", "Contact", name_field = "Full_Name", duplicate_field = "Email" },
  { "Accounts", "Account", name_field = "Account_Name", duplicate_field = "Account_Name" },
  { "Deals", "Deal", name_field = "Deal_Name", duplicate_field = "Deal_Name" },
  { "Campaigns", "Campaign", name_field = "Campaign_Name", duplicate_field = "Campaign_Name" },
  { "Tasks", "Task", name_field = "Subject" },
  { "Calls", "Call", name_field = "Subject" },
  { "Events", "Meeting", plural = "Meetings", name_field = "Event_Title" },
  { "Products", "Product", name_field = "Product_Name", duplicate_field = "Product_Name" },
  { "Service_Contracts", "Service Contract", plural = "Service Contracts", name_field = "Name",
    duplicate_field = "Name", custom = true, module_name = "CustomModule1" },
}

for _, module in ipairs(M.modules) do
  module.fields = join(fields[module[1]], M.common)
end

--- Modules that are listed in the settings but have no records here.
M.hidden_modules = {
  { "Cases", "Case", status = "user_hidden" },
  { "Solutions", "Solution", status = "user_hidden" },
  { "Visits", "Visit", status = "system_hidden" },
  { "Old_Projects", "Old Project", plural = "Old Projects", status = "scheduled_for_deletion", custom = true,
    module_name = "CustomModule2" },
}

return M
