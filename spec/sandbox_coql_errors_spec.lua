-- The sandbox engine: what COQL is refused with, and what hostile text costs.

local coql = require("spec.support.coql")
local engine = require("spec.support.sandbox_engine")
local lexer = require("zohocrm.sandbox.coql.lexer")

local create, crm = engine.create, engine.crm
local ask, column, rows = coql.ask, coql.column, coql.rows
local refused, refused_with = coql.refused, coql.refused_with

describe("sandbox engine, COQL", function()
  before_each(coql.start)

  describe("errors", function()
    local W = " from Leads where id is not null"

    it("name a missing clause", function()
      assert.equal("missing clause", refused("SYNTAX_ERROR", { clause = "where" }, "select id from Leads"))
      refused("SYNTAX_ERROR", { clause = "where" }, "select id from Leads order by id")
      refused("SYNTAX_ERROR", { clause = "where" }, "select id from Leads limit 5")
      refused("SYNTAX_ERROR", { clause = "from" }, "select id where id is not null")
      refused("SYNTAX_ERROR", { clause = "from" }, "select id")
      refused("SYNTAX_ERROR", { clause = "select" }, "")
      refused("SYNTAX_ERROR", { clause = "select" }, " \n")
    end)

    it("give the place of what cannot be read", function()
      local from = "select id from Leads where "
      -- each case: what comes before the place, what stands there, what follows
      local cases = {
        { "", "update", " Leads set Last_Name = 'x'" }, { "select ", "from", W }, { "select ", "*", W }, { "select id ", "id", W },
        { "select id, ", "from", W }, { "select id from ", "5", " where id is not null" }, { "select sum", "(", "id)" .. W },
        { "select COUNT(", ")", W }, { "select ", "order", W }, { "select id as ", ",", " City" .. W }, { "select id", ";", W },
        { "select id" .. W .. " ", "union", " select id from Users" }, { "select id" .. W, ";", " drop table Leads" },
        { "select id" .. W .. " ", "-", "- comment" }, { "select id" .. W .. " ", "/", "* comment */" },
        { "select id" .. W .. " limit ", "'5'", "" }, { "select id" .. W .. " limit ", "1.5", "" }, { "select id" .. W .. " limit 5 ", "limit", " 6" },
        { "select id" .. W .. " limit 1, 2 ", "offset", " 3" }, { "select id" .. W .. " limit 5 ", "order", " by id" },
        { "select id" .. W .. " order ", "id", "" }, { "select id" .. W .. " group by City, ", "limit", " 1" },
        { from, "and", "" }, { from .. "Last_Name = ", "null", "" }, { from .. "Last_Name = ", "City", "" }, { from, "=", " 'x'" },
        { from .. "Last_Name = ", "(", "'x')" }, { from .. "Last_Name in ", "'x'", "" }, { from .. "Last_Name in (", ")", "" },
        { from .. "Last_Name in ('x', ", ")", "" }, { from .. "Annual_Revenue between 1 ", "or", " 2" }, { from .. "Last_Name is ", "'x'", "" },
        { from .. "Last_Name is not ", "like", " 'x'" }, { from .. "(Last_Name = 'x'", ";", ")" }, { from .. "id = 1", ")", "" },
        { from .. "Last_Name = 'a' ", "'b'", "" }, { from .. "Last_Name = ", "'open", "" }, { from .. "Last_Name = 'a'' ", "", "", "'a'' " },
        { from .. "Annual_Revenue = ", "1e5", "" }, { from .. "Annual_Revenue = ", "12abc", "" }, { from .. "Annual_Revenue = 1 ", "+", " 1" },
        { from .. "Last_Name = ", "\\", "'x'" }, { from .. "Last_Name = 'x' ", "é", "" }, { from .. "Last_Name = ", "’", "x’" },
        -- three conditions side by side
        { from .. "City = 'x' and City = 'y' ", "and", " City = 'z'" }, { from .. "City = 'x' or City = 'y' ", "and", " City = 'z'" },
        { from .. "((City = 'x' or City = 'y') or City = 'v' ", "or", " City = 'z')" },
      }
      for _, case in ipairs(cases) do
        local before, near = case[1], case[2]
        if case[4] then -- a string that never ends is shown from its beginning
          before, near = before:sub(1, -#case[4] - 1), case[4]
        end
        refused("SYNTAX_ERROR", { line = 1, column = #before + 1, near = near }, case[1] .. case[2] .. case[3])
      end
      refused("SYNTAX_ERROR", { line = 3, column = 3, near = ")" }, "select id from Leads\nwhere id is not null\n  )")
      -- what is missing at the end is missed behind the last token
      refused("SYNTAX_ERROR", { line = 1, column = #from + 12, near = "=" }, from .. "Last_Name =")
      refused("SYNTAX_ERROR", { line = 1, column = #from + 10, near = "Last_Name" }, from .. "Last_Name")
      refused("SYNTAX_ERROR", { line = 1, column = #from + 13, near = "null" }, from .. "(id is null ")
    end)

    it("name what is no operator", function()
      local from = "select id from Leads where "
      assert.equal("invalid query formed",
        refused("SYNTAX_ERROR", { near = "Last_Name", operator = "contains" }, from .. "Last_Name contains 'x'"))
      refused("SYNTAX_ERROR", { near = "Last_Name", operator = "'x'" }, from .. "Last_Name 'x'")
      refused("SYNTAX_ERROR", { near = "Last_Name", operator = "=" }, from .. "Last_Name not = 'x'")
      refused("SYNTAX_ERROR", { near = "City", operator = ")" }, from .. "(City)")
    end)

    it("name unknown columns", function()
      local from, unknown = " from Leads where id is not null", "the field is not available in the module"
      for _, query in ipairs({ "select Lastname" .. from, "select id" .. from .. " order by Lastname",
        "select id" .. from .. " group by Lastname", "select COUNT(Lastname)" .. from, "select id from Leads where Lastname = 'x'",
        "select id from Leads where (id = 1 and (id = 2 or Lastname is null))" }) do
        assert.equal("column given seems to be invalid",
          refused("INVALID_QUERY", { column_name = "Lastname", reason = unknown }, query))
      end
      local function reason(name, expected, module)
        refused("INVALID_QUERY", { column_name = name, reason = expected }, ("select '%s' from %s where id is not null")
          :format(name, module or "Contacts"))
      end
      reason("last_name", unknown)
      reason("Twitter", unknown) -- stands on no layout
      reason("Account_Name.Nothing", unknown)
      reason("Owner.shoe_size", unknown)
      reason("Owner.role", unknown)
      reason("Last_Name.Account_Name", "the field is no lookup")
      reason("Account_Name->Accounts.Account_Name", "the field is no lookup")
      reason("What_Id.Account_Name", "the field is no lookup", "Tasks")
      reason("What_Id->Nothing.Account_Name", "the field is no lookup", "Tasks")
      reason("Account_Name.Parent_Account.Parent_Account.Account_Name", "a column can go through two lookups at most")
      reason("Account_Name.Owner.role.id", "a column can go through two lookups at most")
      reason("Account_Name.Parent_Account.Owner.email", "a column can go through two lookups at most")
      reason("!Leads.Last_Name", "the module after the exclamation mark is not the one of the query")
      reason("", unknown)
      reason("Last_Name or 1=1", unknown)
      reason("Account_Name.", unknown)
    end)

    it("name operators that a type does not have", function()
      local reason = "the operator is not supported for the data type of the field"
      for _, case in ipairs({ { "Last_Name", ">", "'x'", "text" }, { "Last_Name", "between", "'a' and 'b'", "text" },
        { "Annual_Revenue", "like", "'1%'", "currency" }, { "Email_Opt_Out", "!=", "true", "boolean" },
        { "Email_Opt_Out", "is null", "", "boolean" }, { "Interests", "not in", "('Training')", "multiselectpicklist" },
        { "Owner", "<", "'1'", "ownerlookup" }, { "First_Contact_Date", "not like", "'2026%'", "date" } }) do
        assert.equal("invalid query formed",
          refused("INVALID_QUERY", { column_name = case[1], operator = case[2], data_type = case[4], reason = reason },
            ("select id from Leads where %s %s %s"):format(case[1], case[2], case[3])))
      end
      for _, condition in ipairs({ "Description = 'x'", "Description is null" }) do
        assert.equal("data type not supported",
          refused_with("INVALID_QUERY", { column_name = "Description", data_type = "textarea" }, "select id from Leads where " .. condition))
      end
      assert.equal("data type not supported", refused_with("INVALID_QUERY", { column_name = "Interests" }, "select id" .. W .. " order by Interests"))
    end)

    it("name values that do not fit the type", function()
      for _, case in ipairs({ { "Annual_Revenue", "=", "'ten'", "currency" }, { "Annual_Revenue", "in", "(1, 'x')", "currency" },
        { "No_of_Employees", "between", "1 and true", "integer" }, { "Last_Name", "=", "5", "text" }, { "Last_Name", "in", "('a', 5)", "text" },
        { "Last_Name", "=", "''", "text" }, { "Last_Name", "like", "5", "text" }, { "Last_Name", "=", "true", "text" },
        { "Email_Opt_Out", "=", "'yes'", "boolean" }, { "Email_Opt_Out", "=", "1", "boolean" }, { "id", "=", "'x'", "bigint" },
        { "First_Contact_Date", "=", "'2026-02-30'", "date" }, { "First_Contact_Date", ">", "2026", "date" }, { "Owner", "=", "'John Doe'", "ownerlookup" },
        { "Next_Call_Time", "<", "'2026-02-06T10:00:00'", "datetime" }, { "Next_Call_Time", "=", "'2026-02-06'", "datetime" } }) do
        assert.equal("value given seems to be invalid for the column",
          refused_with("INVALID_QUERY", { column_name = case[1], operator = case[2], expected_data_type = case[4] },
            ("select id from Leads where %s %s %s"):format(case[1], case[2], case[3])))
      end
    end)

    it("count what is limited", function()
      local function values(count) return "('" .. ("x','"):rep(count - 1) .. "x')" end
      assert.equal(0, #rows("select id from Leads where City in " .. values(100)))
      refused("LIMIT_EXCEEDED", { clause = "in", limit = 100 }, "select id from Leads where City in " .. values(101))
      local function conditions(count) return ("("):rep(count - 1) .. "id is null" .. (" or id is null)"):rep(count - 1) end
      assert.equal(0, #rows("select id from Leads where " .. conditions(25)))
      refused("LIMIT_EXCEEDED", { clause = "where", limit = 25 }, "select id from Leads where " .. conditions(26))
      local ten = "Last_Name, City, Email, Company, Phone, Mobile, Fax, Website, Rating, State"
      assert.equal(5, #rows("select id" .. W .. " order by " .. ten))
      refused("LIMIT_EXCEEDED", { clause = "order by", limit = 10 }, "select id" .. W .. " order by " .. ten .. ", Street")
      assert.equal(5, #rows("select City" .. W .. " group by City, Last_Name, Email, Phone"))
      refused("LIMIT_EXCEEDED", { clause = "group by", limit = 4 }, "select City" .. W .. " group by City, Last_Name, Email, Phone, Fax")
      local five = "COUNT(id), COUNT(City), COUNT(Email), COUNT(Fax), COUNT(State)"
      assert.equal(1, #rows("select " .. five .. W))
      refused("LIMIT_EXCEEDED", { clause = "aggregate", limit = 5 }, "select " .. five .. ", COUNT(Phone)" .. W)
      assert.equal(5, #rows("select " .. ("City, "):rep(499) .. "City" .. W))
      refused("LIMIT_EXCEEDED", { clause = "select", limit = 500 }, "select " .. ("City, "):rep(500) .. "City" .. W)
    end)

    it("name what stands twice", function()
      refused("DUPLICATE_DATA", { clause = "order by", column_name = "id" }, "select id" .. W .. " order by id, id")
      refused("DUPLICATE_DATA", { clause = "order by", column_name = "!Leads.City" }, "select id" .. W .. " order by City, !Leads.City desc")
      refused("DUPLICATE_DATA", { clause = "group by", column_name = "City" }, "select City" .. W .. " group by City, City")
      refused("DUPLICATE_DATA", { clause = "aggregate", column_name = "id" }, "select COUNT(id), COUNT(id) as n" .. W)
    end)

    it("name bad aliases", function()
      for _, alias in ipairs({ "'a b'", "'1x'", "''", "order", "'x-y'", "a.b", "\"a'b\"" }) do
        refused("INVALID_ALIAS", { alias = alias:gsub("^['\"](.*)['\"]$", "%1") }, "select City as " .. alias .. W)
      end
      refused("DUPLICATE_ALIAS", { alias = "x" }, "select City as x, Email as x" .. W)
      refused("DUPLICATE_ALIAS", { alias = "City" }, "select City, Email as City" .. W)
      refused("DUPLICATE_ALIAS", { alias = "id" }, "select City as id" .. W)
    end)

    it("name modules and views that there are not", function()
      for _, name in ipairs({ "leads", "Nothing", "Cases" }) do
        assert.equal("the given module is not supported in api",
          refused("INVALID_MODULE", { module = name }, "select id from " .. name .. " where id is not null"))
      end
      refused("INVALID_QUERY", { cvid = "12" }, "select id from Leads#12 where id is not null")
      local _, body = crm("GET", "settings/custom_views", { module = "Leads" })
      for _, view in ipairs(body.custom_views) do
        assert.equal(5, #rows(("select id from Leads#%s where id is not null"):format(view.id)))
      end
    end)

    it("say that sub-queries are not answered", function()
      refused_with("INVALID_QUERY", { sub_query_sequence = 1 },
        "select id from Contacts where Account_Name in (select id from Accounts where id is not null)")
    end)

    it("are those of any call for the body", function()
      local function answer(body)
        local status, decoded = crm("POST", "coql", nil, body)
        assert.equal(400, status)
        return decoded.code, decoded.details
      end
      assert.equal("UNABLE_TO_PARSE_DATA_TYPE", (answer("select id from Leads")))
      assert.equal("UNABLE_TO_PARSE_DATA_TYPE", (answer("[]")))
      assert.equal("UNABLE_TO_PARSE_DATA_TYPE", (answer(nil)))
      assert.same({ "MANDATORY_NOT_FOUND", { api_name = "select_query" } }, { answer("{}") })
      assert.same({ "MANDATORY_NOT_FOUND", { api_name = "select_query" } }, { answer('{"select_query":null}') })
      assert.same({ "INVALID_DATA", { api_name = "select_query", expected_data_type = "string" } }, { answer('{"select_query":5}') })
    end)
  end)

  describe("hostile text", function()
    local from = "select id from Leads where "

    it("is refused by depth, however long", function()
      assert.equal(5, #rows(from .. ("("):rep(50) .. "id is not null" .. (")"):rep(50)))
      refused("SYNTAX_ERROR", { near = "(", line = 1, column = #from + 51 }, from .. ("("):rep(51) .. "id is not null" .. (")"):rep(51))
      refused("SYNTAX_ERROR", { near = "(", line = 1, column = #from + 51 }, from .. ("("):rep(200000))
    end)

    -- Each would take minutes if anything were read more than a few times.
    it("costs no more than its length", function()
      local long = 300000
      local blanks = (" "):rep(long)
      for _, query in ipairs({
        from .. "Annual_Revenue = '1" .. blanks .. "x'", from .. "Annual_Revenue = '" .. ("1"):rep(long) .. "x'",
        from .. "id = '" .. ("0"):rep(long) .. "x'", from .. "Owner = '" .. ("1"):rep(long) .. "x'",
        from .. "Last_Name = '" .. ("''"):rep(long), from .. "Last_Name in (" .. ("'x',"):rep(long), ("("):rep(long),
        "select " .. ("a."):rep(long) .. " from Leads where id = 1", "select '" .. ("a"):rep(long) .. "->' from Leads where id = 1",
        "select " .. ("id,"):rep(long) .. "id from Leads where id = 1", blanks .. ("\n"):rep(long) .. "?",
        from .. "City = 'x" .. ("\n"):rep(long), from .. "Interests = '" .. (" ;"):rep(long) .. "'",
      }) do
        assert.equal(400, (ask(query)))
      end
      assert.equal(204, (ask(from .. "Last_Name like '" .. ("%s"):rep(long) .. "'")))
      assert.equal(200, (ask(from .. "Last_Name like '" .. ("%"):rep(long) .. "'")))
      assert.equal(204, (ask(from .. "Last_Name = '" .. blanks .. "x'")))
    end)

    it("is read to tokens and nothing else", function()
      local tokens = lexer.tokens("a.b>='x''y'<=\"\"\"\"-1.5,!c#12")
      local texts = {}
      for i, token in ipairs(tokens) do
        texts[i] = token.kind .. ":" .. (token.value or token.text)
      end
      assert.same({ "word:a.b", "symbol:>=", "string:x'y", "symbol:<=", 'string:"', "number:-1.5", "symbol:,", "word:!c", "symbol:#",
        "number:12", "end:" }, texts)
    end)

    it("finds what it was given, whatever it was", function()
      for _, nasty in ipairs({ "'", "''", "\\", "\\'", "'; --", "') or ('1'='1", "a\nb", "\t", "日本", "%", "null", "${EMPTY}", '"', "’", "a,b)",
        "\1\127", ("x"):rep(80) }) do
        local id = create("Leads", { Last_Name = nasty })
        assert.same({ id }, column("id", ("select id from Leads where Company is null and Last_Name = '%s' order by id desc limit 1")
          :format((nasty:gsub("'", "''")))), nasty)
      end
    end)
  end)
end)
