--- What every contender reads and writes: the same key, fields, records and paths in each language. Those of the
--- contenders that are not Lua get them on their command line.
local M = {}

--- The key that the server accepts.
M.KEY = "sandbox"

--- The 25 fields of the records that are read: texts, numbers, booleans, times, nulls and a nested object.
M.FIELDS = {
  "id", "Last_Name", "First_Name", "Company", "Designation", "Email", "Phone", "Mobile", "Website", "Lead_Source",
  "Lead_Status", "Industry", "No_of_Employees", "Annual_Revenue", "Rating", "Email_Opt_Out", "Street", "City", "State",
  "Zip_Code", "Country", "Description", "Owner", "Created_Time", "Modified_Time",
}

--- Records of the two accounts on the server.
M.SMALL, M.LARGE = 2000, 100000

--- Records that the bulk create sends.
M.CREATED = 10000

--- Records a request, in both directions (the API's limits).
M.PER_PAGE, M.PER_CREATE = 200, 100

--- Records a call of COQL (the API's limit).
M.PER_QUERY = 2000

--- Pages that `page` reaches; beyond, the token of the page before leads on.
M.PAGE_REACH = 10

--- The address of an account on the server: what a client's `gateway_url` is set to.
---@param base string `http://127.0.0.1:PORT`
---@param records integer `SMALL` or `LARGE`
---@param latency integer milliseconds that each answer is held back
---@param logged? boolean whether the server logs when each request arrives
---@return string
function M.address(base, records, latency, logged)
  return ("%s/%d-records/%d-ms%s/zoho-crm"):format(base, records, latency, logged and "-logged" or "")
end

--- The n-th record to create.
---@param n integer
---@return table
function M.record(n)
  return {
    Last_Name = "Lead " .. n, First_Name = "Bench", Company = "Company " .. n, Email = "lead." .. n .. "@example.com",
    Phone = "555-000-" .. n, Website = "https://www.example.com/" .. n, City = "Oslo", Country = "Norway",
    No_of_Employees = n, Annual_Revenue = n * 1000, Email_Opt_Out = false,
    Description = "Comparing three suppliers, decides this quarter.",
  }
end

-- So that contenders which saw other records than the rest are found out, each adds up a number of every record it reads
-- (Annual_Revenue, which is never null) and the end of the last one's id; or, when it creates or scans, the ends of all
-- ids.

--- The end of an id, as a number.
---@param id string
---@return integer
function M.check(id)
  return tonumber(id:sub(-6))
end

return M
