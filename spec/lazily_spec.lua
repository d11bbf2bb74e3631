--- What is loaded when: a script carries what it uses, and finds everything all the same.
local child = require("spec.support.child")
local shell = require("zohocrm.sandbox.server.shell")
local zohocrm = require("zohocrm")

local HERE = select(2, shell.capture("pwd")):match("[^\n]+") .. "/"

-- A program that does something with a client of the sandbox, and prints which of the library's modules it has then.
-- `root` stands before relative paths to modules; by default they are absolute.
local function loaded_by(program, root)
  local status, output = child.run(("local root = %q"):format(root or HERE) .. [[
    package.path = (";" .. package.path):gsub(";%./", ";"):gsub(";([^/])", function(first) return ";" .. root .. first end)
    local zohocrm = require("zohocrm")
    local crm = zohocrm.new { sandbox = true }
  ]] .. program .. [[
    local names = {}
    for name in pairs(package.loaded) do
      names[#names + 1] = name:match("^zohocrm%.(.*)$") or nil
    end
    print(table.concat(names, " "))
  ]])
  assert.equal(0, status, output)
  local set = {}
  for name in output:gmatch("%S+") do set[name] = true end
  return set
end

local RARE = {
  "tasks", "scheduler", "own_loop", "hosts.nginx", "hosts.loop", "hosts.pacer", "hosts.shared_rate", "bulk", "writes", "check", "check_rules",
  "scan", "parallel_scan", "query", "expression_coql", "expression_criteria", "field", "connections", "metadata",
  "coql_builder", "results_shown",
}

-- What programs do, and the modules that they need for it.
local USES = {
  { 'assert(crm.Leads:create { Last_Name = "x" })', "writes", "bulk" },
  { 'for _ in crm.Leads:scan { fields = "id" } do end', "scan", "query", "coql_builder" },
  { "crm:spawn(function() return crm:org() end) assert(crm:run())", "tasks", "scheduler", "metadata" },
  { "assert(zohocrm.gather(function() return crm:org() end))", "tasks" },
  { "assert(#crm:fds() == 1 and crm:poll(0) == 0 and not crm:timeout())", "own_loop" },
  { "assert(crm.connections:list())", "connections" },
  { "crm.Leads:search(zohocrm.criteria.City:equals 'Oslo')", "field", "expression_criteria" },
  { "assert(crm:query(zohocrm.coql.select 'City' :from 'Leads'))", "coql_builder", "expression_coql" },
  { "tostring(assert(crm:users()))", "results_shown" },
  { "assert(crm.Leads:check { fields = 'City' })", "check" },
}

describe("a program that walks a list", function()
  it("loads nothing of what it does not use", function()
    local set = loaded_by 'for lead in crm.Leads:each { fields = "Last_Name" } do assert(lead.id) end'
    assert.is_true(set.walk and set.transport)
    for _, name in ipairs(RARE) do assert.is_nil(set[name], name) end
  end)

  it("loads what it uses", function()
    for _, use in ipairs(USES) do
      local set = loaded_by(use[1] .. "\n")
      for i = 2, #use do assert.is_true(set[use[i]], use[1] .. ": " .. use[i]) end
    end
  end)

  it("loads all at once where modules are found by a relative path, as that may lead nowhere later", function()
    local set = loaded_by('package.path = ""', "./")
    for _, name in ipairs(RARE) do assert.is_true(set[name], name) end
    for _, use in ipairs(USES) do loaded_by('package.path = "" ' .. use[1] .. "\n", "./") end
  end)

  it("finds its modules by another package.path, too, and leaves that as it is", function()
    for _, use in ipairs(USES) do
      local set = loaded_by('package.path = "?" ' .. use[1] .. ' assert(package.path == "?")\n')
      for i = 2, #use do assert.is_true(set[use[i]], use[1] .. ": " .. use[i]) end
    end
  end)

  it("finds its own files before others of the same name", function()
    loaded_by [[
      local folder = os.tmpname()
      os.remove(folder)
      os.execute("mkdir -p " .. folder .. "/zohocrm")
      local file = io.open(folder .. "/zohocrm/writes.lua", "w")
      file:write("error('of another release')")
      file:close()
      package.path = folder .. "/?.lua;" .. package.path
      local fine, err = pcall(function() return assert(crm.Leads:create { Last_Name = "x" }) end)
      os.execute("rm -r " .. folder)
      assert(fine, err)
      package.path = nil
      assert(crm.Leads:check { fields = "City" })
      package.path = ""
      assert(zohocrm.new { sandbox = true }.Leads:list { fields = "id" })
      local loops, wrong = pcall(zohocrm.new, { sandbox = true, host = "luv" })
      assert(loops or wrong:find("needs the library luv", 1, true), wrong)
    ]]
  end)

  it("loads all at once where it cannot tell where its files are", function()
    local set = loaded_by [[
      for name in pairs(package.loaded) do
        if name:find("^zohocrm") then package.loaded[name] = nil end
      end
      table.insert(package.searchers or package.loaders, 2, function(name)
        local file = name:find("^zohocrm") and package.searchpath(name, package.path)
        return file and file:find("%.lua$") and assert((loadstring or load)(io.open(file):read("*a"), "=?")) or nil
      end)
      require("zohocrm")
    ]]
    for _, name in ipairs(RARE) do assert.is_true(set[name], name) end
  end)

  it("has its errors whatever becomes of the path", function()
    loaded_by [[
      package.path = ""
      local none, err = crm.Laeds:list { fields = "id" }
      assert(none == nil and err.code == "INVALID_MODULE")
      assert(tostring(err):find("did you mean Leads?", 1, true), tostring(err))
      local fine, wrong = pcall(crm.Leads.list, crm.Leads, { field = "id" })
      assert(not fine and wrong:find("did you mean 'fields'?", 1, true), wrong)
    ]]
  end)

  it("has the functions of zohocrm.coql from the start, the same table everywhere", function()
    local names = {}
    for name, value in pairs(zohocrm.coql) do
      names[#names + 1] = name
      assert.equal("function", type(value))
    end
    table.sort(names)
    assert.same({ "avg", "column", "count", "max", "min", "select", "sum" }, names)
    assert.equal(require("zohocrm.coql"), zohocrm.coql)
  end)

  it("has methods that say who calls them wrongly, before and after they are loaded", function()
    local crm = zohocrm.new { sandbox = true }
    for _ = 1, 2 do
      for _, method in ipairs { "create", "update", "upsert", "delete", "scan", "check" } do
        local fine, message = pcall(function() crm.Leads[method]("x") end)
        assert.is_false(fine)
        assert.matches("^spec/lazily_spec.lua:%d+: call it as crm%.Leads:" .. method .. "%(…%), with a colon$", message)
      end
      for _, method in ipairs { "spawn", "step", "run", "fds", "timeout", "poll", "query", "query_each" } do
        local fine, message = pcall(function() crm[method]("x") end)
        assert.is_false(fine)
        assert.matches("^spec/lazily_spec.lua:%d+: call it as crm:" .. method .. "%(…%), with a colon$", message)
      end
      for _, name in ipairs { "select", "count" } do
        local fine, message = pcall(function() zohocrm.coql[name](zohocrm.coql, "id") end)
        assert.is_false(fine)
        assert.matches("^spec/lazily_spec.lua:%d+: call it as coql%." .. name .. ".*, with a dot$", message)
      end
      local fine, message = pcall(function() zohocrm:gather(print) end)
      assert.is_false(fine)
      assert.matches("^spec/lazily_spec.lua:%d+: call it as zohocrm%.gather%(…%), with a dot$", message)
    end
    assert.is_nil(zohocrm.coql.slect)
  end)
end)
