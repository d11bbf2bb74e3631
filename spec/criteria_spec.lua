--- `zohocrm.criteria`: conditions as values, what they say in a search, and what is refused where it is written.
local environment = require("spec.support.environment")
local doors = require("spec.support.doors")
local raises = require("spec.support.raises")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local c = zohocrm.criteria

-- Code that only parses on Lua 5.3 and later; nil elsewhere.
local load_text = loadstring or load -- luacheck: ignore 113
local operators = load_text([[
  return { both = function(a, b) return a & b end, either = function(a, b) return a | b end, opposite = function(a) return ~a end }
]])

local function numbered(count, make)
  local list = {}
  for i = 1, count do list[i] = make(i) end
  return list
end

local function city(i)
  return c.City:equals("City " .. i)
end

-- What is written, what it reads.
local function reads(cases)
  for _, case in ipairs(cases) do assert.equal(case[2], tostring(case[1])) end
end

-- Each at this file's own line.
local function refuses(cases)
  for _, case in ipairs(cases) do
    local message = raises(case[1], "^[^\n]*criteria_spec%.lua:%d+: ")
    local line = debug.getinfo(case[1], "S").linedefined
    assert.equal(tostring(line), message:match("criteria_spec%.lua:(%d+): "), message)
    assert.equal(case[2], message:match("criteria_spec%.lua:%d+: (.*)$"))
  end
end

describe("zohocrm.criteria", function()
  describe("a condition", function()
    it("has every operator of the search", function()
      reads {
        { c.City:equals "Oslo", "(City:equals:Oslo)" }, { c.City:not_equal "Oslo", "(City:not_equal:Oslo)" },
        { c.City:starts_with "Os", "(City:starts_with:Os)" }, { c.City:in_ { "Oslo", "Rome" }, "(City:in:Oslo,Rome)" },
        { c.No_of_Employees:between(10, 20), "(No_of_Employees:between:10,20)" },
        { c.No_of_Employees:greater_than(10), "(No_of_Employees:greater_than:10)" },
        { c.No_of_Employees:greater_equal(10), "(No_of_Employees:greater_equal:10)" },
        { c.No_of_Employees:less_than(10), "(No_of_Employees:less_than:10)" },
        { c.No_of_Employees:less_equal(10), "(No_of_Employees:less_equal:10)" },
        { c.City:is_empty(), "(City:equals:${EMPTY})" }, { c.City:is_not_empty(), "(City:not_equal:${EMPTY})" },
        { c.City:equals(zohocrm.null), "(City:equals:${EMPTY})" }, { c.City:not_equal(zohocrm.null), "(City:not_equal:${EMPTY})" },
      }
    end)

    it("shows COQL's text where only COQL can say it", function()
      reads {
        { c.City:ends_with "lo", "City like '%lo'" }, { c.City:contains "sl", "City like '%sl%'" },
        { c.City:not_contains "sl", "City not like '%sl%'" }, { c.City:like "O%lo", "City like 'O%lo'" },
        { c.City:not_like "%sl%", "City not like '%sl%'" }, { c.City:not_in { "Oslo", "Rome" }, "City not in ('Oslo', 'Rome')" },
        { c.Amount:not_between(1, 2), "(Amount not between 1 and 2)" },
        { c.all(c.City:equals "Oslo", c.City:contains "sl"), "(City = 'Oslo' and City like '%sl%')" },
        { c.field "What_Id->Leads.City":equals "Oslo", "'What_Id->Leads.City' = 'Oslo'" },
      }
    end)

    it("names fields in every way", function()
      reads {
        { c.id:equals "7243485000000597000", "(id:equals:7243485000000597000)" },
        { c.Account_Name.Industry:equals "Banking", "(Account_Name.Industry:equals:Banking)" },
        { c.Account_Name.Parent_Account.id:equals "1", "(Account_Name.Parent_Account.id:equals:1)" },
        { c.field "lower_case":equals "x", "(lower_case:equals:x)" }, { c.field "Owner.email":equals "x", "(Owner.email:equals:x)" },
        { c.field "$approved":equals(true), "($approved:equals:true)" }, { c.field "all":equals "x", "(all:equals:x)" },
      }
      assert.equal("zohocrm field Account_Name.Industry", tostring(c.Account_Name.Industry))
      assert.equal("zohocrm criteria", tostring(c))
    end)

    it("takes values of every kind", function()
      reads {
        { c.A:equals(5), "(A:equals:5)" }, { c.A:equals(5.0), "(A:equals:5)" }, { c.A:equals(-5), "(A:equals:-5)" },
        { c.A:equals(0.1), "(A:equals:0.1)" }, { c.A:equals(1 / 3), "(A:equals:0.3333333333333333)" },
        { c.A:equals(-0.0), "(A:equals:0)" }, { c.A:equals(0 / -1), "(A:equals:0)" }, { c.A:equals(1e15), "(A:equals:1000000000000000)" },
        { c.A:equals(2 ^ 53), "(A:equals:9007199254740992)" }, { c.A:equals(-2 ^ 53), "(A:equals:-9007199254740992)" },
        { c.A:equals(1e15 + 0.5), "(A:equals:1000000000000000.5)" }, { c.A:equals(1e-5), "(A:equals:0.00001)" },
        { c.A:equals(-1.25e-7), "(A:equals:-0.000000125)" }, { c.A:equals(1.5), "(A:equals:1.5)" },
        { c.A:equals(true), "(A:equals:true)" }, { c.A:equals(false), "(A:equals:false)" },
        { c.A:equals(zohocrm.date { year = 2026, month = 2, day = 6 }), "(A:equals:2026-02-06)" },
        { c.A:greater_than(zohocrm.datetime(1770369056, "-08:00")), "(A:greater_than:2026-02-06T01:10:56-08:00)" },
        { c.A:equals "2026-02-06", "(A:equals:2026-02-06)" }, { c.A:less_than "2026-02-06T01:10:56+01:00", "(A:less_than:2026-02-06T01:10:56+01:00)" },
        { c.Owner:equals { id = "7243485000000590001", name = "Anna" }, "(Owner:equals:7243485000000590001)" },
        { c.Owner:in_ { { id = "1" }, "2" }, "(Owner:in:1,2)" },
      }
    end)

    it("writes whole numbers of 5.4 to the last digit", function()
      if not math.type then return end -- luacheck: ignore 143
      local least = math.mininteger -- luacheck: ignore 143
      reads { { c.A:equals(9007199254740993), "(A:equals:9007199254740993)" }, { c.A:equals(least), "(A:equals:-9223372036854775808)" } }
    end)

    it("escapes what would end a value, and nothing else", function()
      reads {
        { c.A:equals "Burns, B (Jr)", "(A:equals:Burns\\, B \\(Jr\\))" }, { c.A:equals "a:b:c", "(A:equals:a:b:c)" },
        { c.A:equals [[C:\temp\]], [[(A:equals:C:\\temp\\)]] }, { c.A:equals [[\)]], [[(A:equals:\\\))]] },
        { c.A:equals [[it's "quoted"]], [[(A:equals:it's "quoted")]] }, { c.A:equals "  leading", "(A:equals:  leading)" },
        { c.A:equals "100% & more+", "(A:equals:100% & more+)" }, { c.A:equals "Ångström 東京 😀", "(A:equals:Ångström 東京 😀)" },
        { c.A:equals "a\nb\tc\0d", "(A:equals:a\nb\tc\0d)" }, { c.A:in_ { "a,b", "c" }, "(A:in:a\\,b,c)" },
      }
    end)

    it("is the same in a locale with decimal commas", function()
      local text = environment.run_with_commas([[
        local c = require("zohocrm").criteria
        print(c.all(c.A:equals(0.5), c.B:equals(1 / 3), c.C:equals(1e-7), c.D:equals(2 ^ 53)))]])
      assert.equal("((A:equals:0.5)and(B:equals:0.3333333333333333)and(C:equals:0.0000001)and(D:equals:9007199254740992))", text)
    end)
  end)

  describe("several conditions", function()
    local x, y, z = c.X:equals(1), c.Y:equals(2), c.Z:equals(3)

    it("hold together and for themselves, as arguments and as an array", function()
      reads {
        { c.all(x, y), "((X:equals:1)and(Y:equals:2))" }, { c.any(x, y), "((X:equals:1)or(Y:equals:2))" },
        { c.all { x, y }, "((X:equals:1)and(Y:equals:2))" }, { c.any { x, y }, "((X:equals:1)or(Y:equals:2))" },
        { c.all(zohocrm.array { x, y }), "((X:equals:1)and(Y:equals:2))" },
        { c.all(x, c.any(y, z)), "((X:equals:1)and((Y:equals:2)or(Z:equals:3)))" },
        { c.any(c.all(x, y), c.all(y, z)), "(((X:equals:1)and(Y:equals:2))or((Y:equals:2)and(Z:equals:3)))" },
      }
    end)

    it("are flattened where that means the same", function()
      reads {
        { c.all(x, c.all(y, z)), "((X:equals:1)and(Y:equals:2)and(Z:equals:3))" },
        { c.any(c.any(x, y), z), "((X:equals:1)or(Y:equals:2)or(Z:equals:3))" }, { c.all(x), "(X:equals:1)" },
        { c.any { x }, "(X:equals:1)" }, { c.all(c.any(x)), "(X:equals:1)" },
        { c.all(c.any(c.all(x, y)), z), "((X:equals:1)and(Y:equals:2)and(Z:equals:3))" },
      }
      assert.is_true(rawequal(x, c.all(x)))
    end)

    it("are combined by & and | where Lua has these", function()
      if not operators then return end
      local op = operators()
      reads {
        { op.both(x, op.either(y, z)), "((X:equals:1)and((Y:equals:2)or(Z:equals:3)))" },
        { op.both(op.both(x, y), z), "((X:equals:1)and(Y:equals:2)and(Z:equals:3))" },
      }
      assert.is_true(c.any(x, y) == op.either(x, y))
      raises(function() op.both(x, "(City:equals:Oslo)") end, ": operand 2 of & is a string, which could not be kept in its place")
      raises(function() op.either(nil, x) end, ": operand 1 of | is nil instead of a condition")
      raises(function() op.both(x, 5) end, ": operand 2 of & is a number, not a condition such as")
      raises(function() op.both(c.City, x) end, ": operand 1 of & is a field, not a condition")
      assert.has_error(function() op.opposite(x) end)
    end)

    it("are equal by content", function()
      local again = c.all(c.X:equals(1), c.any(c.Y:equals(2), c.Z:in_ { "a", "b" }))
      assert.is_true(again == c.all(c.X:equals(1), c.any(c.Y:equals(2), c.Z:in_ { "a", "b" })))
      assert.is_true(c.all(x, y, z) == c.all(x, c.all(y, z)))
      for _, other in ipairs {
        c.all(c.X:equals(1), c.any(c.Y:equals(2), c.Z:in_ { "b", "a" })), c.all(c.X:equals(1), c.any(c.Y:equals(2), c.Z:in_ { "a" })),
        c.any(c.X:equals(1), c.all(c.Y:equals(2), c.Z:in_ { "a", "b" })), c.X:equals(1), c.all(c.X:equals(1), c.Y:equals(2)),
        c.all(c.any(c.Y:equals(2), c.Z:in_ { "a", "b" }), c.X:equals(1)), c.all(c.X:equals "1", c.any(c.Y:equals(2), c.Z:in_ { "a", "b" })),
      } do
        assert.is_false(again == other, tostring(other))
        assert.is_false(other == again, tostring(other))
      end
      assert.is_false(x == c.X:not_equal(1))
      assert.is_false(x == c.Y:equals(1))
      assert.is_false(x == "(X:equals:1)")
      assert.is_true(c.X:equals(zohocrm.null) == c.X:is_empty())
    end)

    it("do not change when what they were made of does", function()
      local list, names, owner = { x, y }, { "a", "b" }, { id = "1" }
      local all, one_of, owned = c.all(list), c.Z:in_(names), c.Owner:equals(owner)
      local larger = c.all(all, z)
      list[2], list[3], names[1], names[3], owner.id = z, z, "(", "c", "2"
      reads {
        { all, "((X:equals:1)and(Y:equals:2))" }, { one_of, "(Z:in:a,b)" }, { owned, "(Owner:equals:1)" },
        { larger, "((X:equals:1)and(Y:equals:2)and(Z:equals:3))" }, { c.any(all, all), "(((X:equals:1)and(Y:equals:2))or((X:equals:1)and(Y:equals:2)))" },
        { all, "((X:equals:1)and(Y:equals:2))" },
      }
    end)

    it("are shared without being shared state", function()
      local base = c.all(x, y)
      local narrow, wide = c.all(base, z), c.any(base, z)
      assert.equal("((X:equals:1)and(Y:equals:2)and(Z:equals:3))", tostring(narrow))
      assert.equal("(((X:equals:1)and(Y:equals:2))or(Z:equals:3))", tostring(wide))
      assert.equal("((X:equals:1)and(Y:equals:2))", tostring(base))
    end)
  end)

  describe("mistakes", function()
    local x = c.X:equals(1)

    it("in values are told where they are made", function()
      refuses {
        { function() c.City:equals() end, "City:equals: the value is nil; :is_empty() asks for what has no value" },
        { function() c.City:equals "" end, "City:equals: the value is an empty string, which no field holds; :is_empty() asks for that" },
        { function() c.City:equals "\255" end, "City:equals: the value is not UTF-8; convert the text before asking for it" },
        { function() c.City:in_ { "a", "\192\175" } end, "City:in_: value 2 is not UTF-8; convert the text before asking for it" },
        { function() c.City:equals "\237\160\128" end, "City:equals: the value is not UTF-8; convert the text before asking for it" },
        { function() c.City:equals { "Oslo" } end, "City:equals: the value is an array; :in_{…} takes many values" },
        { function() c.City:equals {} end, "City:equals: the value is a table that is neither a date, a time nor a record with an id" },
        { function() c.City:equals(c.Town) end, "City:equals: the value is a table that is neither a date, a time nor a record with an id" },
        { function() c.City:equals(x) end, "City:equals: the value is a table that is neither a date, a time nor a record with an id" },
        { function() c.City:equals(print) end, "City:equals: the value is a function, not a string, number, boolean, date, time or record" },
        { function() c.City:equals(setmetatable({}, { __tostring = function() return "Oslo" end })) end,
          "City:equals: the value is a table that is neither a date, a time nor a record with an id" },
        { function() c.A:equals(1 / 0) end, "A:equals: the value is inf, which is no number to search for" },
        { function() c.A:equals(2 ^ 53 + 2) end, 'A:equals: the value is 9007199254740994, more than a number holds to the last digit; '
          .. 'write it as a string, "7243485000000597000"' },
        { function() c.id:greater_than(-7.243485000000597e18) end, 'id:greater_than: the value is -7.243485000000597e+18, more than a '
          .. 'number holds to the last digit; write it as a string, "7243485000000597000"' },
        { function() c.A:greater_than(zohocrm.null) end, "A:greater_than: the value is zohocrm.null; :is_empty() asks for what has no value" },
        { function() c.A:greater_than(true) end, "A:greater_than: true and false have no order; :equals(true) asks for one of them" },
        { function() c.City:starts_with(5) end, "City:starts_with takes a string, not a number" },
        { function() c.City:contains() end, "City:contains takes a string, not nil" },
        { function() c.City:like(zohocrm.date(0)) end, "City:like takes a string, not a table" },
      }
      raises(function() c.A:equals(0 / 0) end, "^[^\n]*criteria_spec%.lua:%d+: A:equals: the value is %-?nan, which is no number to search for$")
    end)

    it("in lists and ranges are told where they are made", function()
      refuses {
        { function() c.City:in_() end, "City:in_ takes an array, :in_{ … }, not nil" },
        { function() c.City:in_("a", "b") end, "City:in_ takes an array, :in_{ … }, not a string" },
        { function() c.City:in_ {} end, "City:in_ has no values; at least one is needed" },
        { function() c.City:in_ { "a", nil, "c" } end, "City:in_ has a nil among its values" },
        { function() c.City:in_ { "a", x = "b" } end, "City:in_ takes an array; 'x' is no position" },
        { function() c.City:in_ { zohocrm.null } end, "City:in_: value 1 is zohocrm.null; :is_empty() asks for what has no value" },
        { function() c.City:in_ { { "a" } } end, "City:in_: value 1 is an array; :in_{…} takes many values" },
        { function() c.City:in_(zohocrm.date(0)) end, "City:in_ takes an array, :in_{ … }, not a table" },
        { function() c.City:not_in(numbered(101, tostring)) end, "City:not_in has 101 values; the API takes at most 100: ask in parts" },
        { function() c.A:between(1) end, "A:between: the upper value is nil; :is_empty() asks for what has no value" },
        { function() c.A:between(nil, 1) end, "A:between: the lower value is nil; :is_empty() asks for what has no value" },
        { function() c.A:between(2, 1) end, "A:between: 2 is above 1; the lower value comes first" },
        { function() c.A:not_between(2, 1) end, "A:not_between: 2 is above 1; the lower value comes first" },
        { function() c.A:between(zohocrm.date(86400 * 2), zohocrm.date(0)) end, "A:between: 1970-01-03 is above 1970-01-01; the lower value comes first" },
        { function() c.A:between("2026-02-06", "2026-02-05") end, "A:between: 2026-02-06 is above 2026-02-05; the lower value comes first" },
        { function() c.A:between(true, false) end, "A:between: true and false have no order" },
      }
      assert.equal(100, #numbered(100, tostring))
      assert.truthy(c.City:in_(numbered(100, tostring)))
      assert.equal("(A:between:1,1)", tostring(c.A:between(1, 1)))
    end)

    it("in combining are told where they are made", function()
      refuses {
        { function() c.all() end, "c.all needs a condition; to ask for all records leave the criteria out" },
        { function() c.any {} end, "c.any needs a condition; to ask for all records leave the criteria out" },
        { function() c.all(nil) end, "c.all needs a condition; to ask for all records leave the criteria out" },
        { function() c.all(x, nil) end, "c.all: argument 2 is nil instead of a condition; leave out what does not apply: collect the conditions in "
          .. "an array, c.all(array)" },
        { function() c.all { x, nil, x } end, "c.all has a nil among its values" },
        { function() c.all { x, y = x } end, "c.all takes an array; 'y' is no position" },
        { function() c.all(x, c.City == "Oslo") end, 'c.all: argument 2 is false instead of a condition; Lua\'s own == gives these: write '
          .. 'c.City:equals "Oslo"' },
        { function() c.any(x, "(A:equals:1)") end, "c.any: argument 2 is a string, which could not be kept in its place among conditions: build it, "
          .. 'such as c.City:equals "Oslo", or write the whole criteria as one string' },
        { function() c.any { x, c.City } end, 'c.any: condition 2 is a field, not a condition: say what holds for it, such as c.City:equals "Oslo"' },
        { function() c.any(c.City) end, 'c.any: argument 1 is a field, not a condition: say what holds for it, such as c.City:equals "Oslo"' },
        { function() c.all({ x }, x) end, 'c.all: argument 1 is a table, not a condition such as c.City:equals "Oslo"' },
        { function() c.all(zohocrm.date(0)) end, 'c.all: argument 1 is a table, not a condition such as c.City:equals "Oslo"' },
        { function() c.all(5) end, 'c.all: argument 1 is a number, not a condition such as c.City:equals "Oslo"' },
        { function() c:all(x) end, "call it as c.all(…), with a dot" }, { function() c:any(x) end, "call it as c.any(…), with a dot" },
        { function() return x .. "and" end, "conditions are not joined as text; combine them with c.all(a, b) and c.any(a, b)" },
        { function() return x.equals end, "a condition is complete and has no 'equals'; combine conditions with c.all(a, b) and c.any(a, b)" },
        { function() x.field = "Y" end, "conditions do not change: 'field' belongs into a variable of your own" },
      }
      local cyclic = {}
      cyclic[1] = cyclic
      raises(function() c.all(cyclic) end, ': c%.all: condition 1 is a table, not a condition such as c%.City:equals "Oslo"$')
    end)

    it("in fields are told where they are made", function()
      refuses {
        { function() return c.city end, "zohocrm.criteria has no 'city' (it has all, any, field; fields begin with a capital, others are c.field \"city\")" },
        { function() return c.al end, "zohocrm.criteria has no 'al'; did you mean 'all'? (it has all, any, field; fields begin with a capital, "
          .. 'others are c.field "al")' },
        { function() return c[1] end, "zohocrm.criteria has no '1' (it has all, any, field; fields begin with a capital, others are c.field \"1\")" },
        { function() c.City = 1 end, "zohocrm.criteria takes no assignments: 'City' belongs into a variable of your own" },
        { function() c.City.Name = 1 end, "fields take no assignments: 'Name' belongs into a variable of your own" },
        { function() c.field() end, 'c.field takes the API name of a field, c.field "Last_Name", not nil' },
        { function() c.field "" end, 'c.field takes the API name of a field, c.field "Last_Name", not an empty string' },
        { function() c:field "x" end, 'call it as c.field "name", with a dot' },
        { function() c.field(c.City) end, 'c.field takes the API name of a field, c.field "Last_Name", not a table' },
        { function() c.City.equals "Oslo" end, "call it as c.Last_Name:equals(…), with a colon" },
        { function() c.City.is_empty() end, "call it as c.Last_Name:is_empty(…), with a colon" },
        { function() c.City.in_ { "Oslo" } end, "call it as c.Last_Name:in_(…), with a colon" },
        { function() c.City "Oslo" end, "'City' is a field, which cannot be called; say what holds for it, such as c.City:equals \"Oslo\"" },
        { function() c.All(x) end, "'All' is a field, which cannot be called; did you mean c.all?" },
        { function() c.field "a.b.c.d" end, "'a.b.c.d' goes through 3 lookups; the API follows two at most" },
        { function() return c.A.B.C.D end, "'A.B.C.D' goes through 3 lookups; the API follows two at most" },
      }
      for _, name in ipairs {
        "Last Name", "City:equals:x", "City)or(id", "City'", "a-b", "a..b", ".a", "a.", "1a", "a\n", "a\0", "größe", "What_Id->", "What_Id->Leads",
        "->Leads.City", "What_Id->A->B.City", "A.What_Id->Leads.City", "*", "${EMPTY}",
      } do
        raises(function() c.field(name) end, "criteria_spec%.lua:%d+: '.*' is no API name of a field: letters, digits, _ and %$, with dots between lookups$")
      end
    end)

    it("in operators are told with what was meant", function()
      for wrong, right in pairs {
        equal = "equals", eq = "equals", gt = "greater_than", lte = "less_equal", is_null = "is_empty", ["in"] = "in_", start_with = "starts_with",
        betwen = "between", notequal = "not_equal", includes = "contains",
      } do
        raises(function() return c.City[wrong] end,
          ("criteria_spec%%.lua:%%d+: a field has no '%s'; did you mean '%s'%%? %%(it has between, "):format(wrong, right))
      end
      raises(function() return c.City.nonsense end, "a field has no 'nonsense' %(it has between, .*; a field behind the lookup: c.field \"City.nonsense\"%)$")
      if operators then -- LuaJIT has its own words for it
        raises(function() return c.Amount < 5 end, "criteria_spec%.lua:%d+: Lua's own comparisons give no conditions; write c%.Amount:greater_than%(5%)")
      end
      raises(function() return c.Amount < c.Amount end, "criteria_spec%.lua:%d+: Lua's own comparisons give no conditions")
    end)

    it("of size are told before they take time or stack", function()
      raises(function()
        local deep = x
        for i = 1, 10000 do deep = (i % 2 == 0 and c.all or c.any)(deep, x) end
      end, "criteria_spec%.lua:%d+: conditions are nested more than 100 deep; say the same with fewer changes between c%.all and c%.any$")
      raises(function()
        local doubled = x
        for _ = 1, 60 do doubled = c.any(c.all(doubled, x), doubled) end
      end, "criteria_spec%.lua:%d+: c%.any: argument 2 makes %d+ conditions, more than any query takes: put the values of one field into one :in_{…}")
      local deep = x
      for i = 1, 100 do deep = (i % 2 == 0 and c.all or c.any)(deep, x) end
      assert.is_true(#tostring(deep) > 1000)
      assert.is_true(deep == c.all(c.any(deep)))
    end)
  end)
end)

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("criteria, " .. door.name, function()
      local sandbox, crm, names

      local PEOPLE = {
        "Smith", "Jones, Bob (Jr)", "a:b:c", "C:\\Ek & +ö=%", "O'Neil \"Shaq\"", "50% off", "  leading", "Ångström 東京 😀", "two\nlines", "back\\",
        "nul\0byte", "%28%29",
      }

      setup(function()
        sandbox = door.start { records = { Leads = 0 } }
        crm = wire.client(sandbox)
        local leads = {}
        for i, name in ipairs(PEOPLE) do leads[i] = { Last_Name = name, No_of_Employees = i } end
        names = {}
        for i, result in ipairs(crm.Leads:create(leads)) do
          assert(result.ok, result.error)
          names[result.id] = PEOPLE[i]
        end
      end)

      teardown(function()
        sandbox.stop()
      end)

      before_each(function()
        sandbox.clear()
      end)

      local function found(criteria)
        local list = {}
        for i, lead in ipairs(assert(crm.Leads:search(criteria))) do list[i] = names[lead.id] end
        table.sort(list)
        return list
      end

      it("find every text by itself", function()
        for _, name in ipairs(PEOPLE) do
          assert.same({ name }, found(c.Last_Name:equals(name)), name)
          assert.same({ name }, found(c.Last_Name:in_ { name, "nobody at all" }), name)
          assert.same({ name }, found(c.all(c.Last_Name:starts_with(name), c.No_of_Employees:greater_than(0))), name)
        end
      end)

      it("pass as options and for themselves, built or as text", function()
        local built = c.Last_Name:equals "Jones, Bob (Jr)"
        local text = "(Last_Name:equals:Jones\\, Bob \\(Jr\\))"
        for _, criteria in ipairs { built, { criteria = built }, text, { criteria = text } } do
          assert.same({ "Jones, Bob (Jr)" }, found(criteria))
          assert.equal(text, sandbox.requests()[1].query.criteria)
          sandbox.clear()
        end
      end)

      it("send a text as it stands", function()
        local raw = " ( (Last_Name:equals:Smith)OR(No_of_Employees:equals:3) ) "
        assert.same({ "Smith", "a:b:c" }, found(raw))
        assert.equal(raw, sandbox.requests()[1].query.criteria)
      end)

      it("must be conditions", function()
        local HALF = "criteria is a field, not a condition: say what holds for it, such as c%.City:equals \"Oslo\""
        for _, case in ipairs {
          { c.City, HALF }, { { criteria = c.City }, HALF },
          { { criteria = c.City == "Oslo" }, "criteria is false instead of a condition; Lua's own == gives these" },
          { { criteria = 5 }, "criteria must be a condition, such as c%.City:equals \"Oslo\", or a string, not a number" },
        } do
          local sentence = "criteria_spec%.lua:%d+: %a+: " .. case[2]
          raises(function() crm.Leads:search(case[1]) end, sentence)
          raises(function() crm.Leads:each(case[1]) end, sentence)
        end
        assert.same({}, sandbox.requests())
      end)

      it("walk all pages", function()
        local count = 0
        for _ in crm.Leads:each { criteria = c.No_of_Employees:between(2, 11), per_page = 3, fields = { "id" } } do count = count + 1 end
        assert.equal(10, count)
      end)

      it("are 15 at the most", function()
        assert.truthy(crm.Leads:search(c.any(numbered(15, city))))
        raises(function() crm.Leads:search(c.any(numbered(16, city))) end, "criteria_spec%.lua:%d+: search: criteria: 16 conditions; the search takes "
          .. "at most 15: put the values of one field into one :in_{…}, search in parts, or use crm:query with zohocrm%.coql$")
        assert.equal(1, #sandbox.requests())
      end)

      it("have 3,000 characters at the most", function()
        local frame = #"(Last_Name:equals:)"
        assert.truthy(crm.Leads:search(c.Last_Name:equals(("ö"):rep(3000 - frame))))
        raises(function() crm.Leads:search(c.Last_Name:equals(("ö"):rep(3001 - frame))) end, "criteria_spec%.lua:%d+: search: criteria: the criteria "
          .. "have 3001 characters; the search takes at most 3000: search in parts, or use crm:query with zohocrm%.coql$")
        raises(function() crm.Leads:search(c.Last_Name:equals(("("):rep(1500))) end, "the criteria have 3019 characters")
      end)

      it("say before the wire what a search cannot be asked", function()
        for _, case in ipairs {
          { c.City:contains "sl", "search has no 'contains' %(City%); crm:query with zohocrm%.coql has it" },
          { c.City:not_in { "Oslo" }, "search has no 'not_in' %(City%)" }, { c.City:like "O%", "search has no 'like' %(City%)" },
          { c.field "What_Id->Leads.City":equals "Oslo", "search has no field 'What_Id%->Leads%.City'; crm:query with zohocrm%.coql has it" },
          { c.City:equals "${EMPTY}", "'%${EMPTY}' is a placeholder to the search, not a text: :is_empty%(%) asks for emptiness" },
          { c.City:starts_with " ${TODAY} ", "' %${TODAY} ' is a placeholder" }, { c.City:in_ { "a", "${X}" }, "'%${X}' is a placeholder" },
          { c.City:equals "null", "the search may take 'null' for no value, not for a text: :is_empty%(%) asks for emptiness" },
          { c.Email_Opt_Out:in_ { true }, "the search asks booleans with equals and not_equal, not with 'in'; write c%.Email_Opt_Out:equals%(true%)$" },
        } do
          raises(function() crm.Leads:search(case[1]) end, "criteria_spec%.lua:%d+: search: criteria: " .. case[2])
          raises(function() crm.Leads:all { criteria = case[1] } end, "criteria_spec%.lua:%d+: .*" .. case[2])
        end
        assert.same({}, sandbox.requests())
        assert.truthy(crm.Leads:search(c.City:starts_with "null"))
      end)
    end)
  end
end
