--- examples/openresty as a visitor sees it: headless Chromium, from opening the page to the lead being in the sandbox.
--- `make test-browser` runs it. The screenshots stay in build/browser.
local cjson = require("cjson")
local lead_form = require("spec.support.lead_form")
local shell = require("zohocrm.sandbox.server.shell")
local zohocrm = require("zohocrm")

local FOLDER = os.getenv("BROWSER_BUILD") or "build/browser"

local function first_line(command)
  local status, output = shell.capture(command)
  return status == 0 and output:match("[^\n]+") or nil
end

describe("the lead form in a browser", function()
  local chromium = first_line("command -v chromium || command -v chromium-browser || command -v google-chrome")
  local library = first_line(("ls -d %s/node_modules/playwright-core"):format(FOLDER))
  if not (chromium and library and first_line("command -v node")) then
    return it("has what it needs", function()
      error("the browser's checks need node, playwright-core (npm) and chromium: make deps-browser", 0)
    end)
  end

  local app, seen

  setup(function()
    app = lead_form.start()
    local status, output = shell.capture(("node spec/browser/lead_form.mjs %s/ %s %s/node_modules %s"):format(app.url, chromium,
      FOLDER, FOLDER))
    seen = status == 0 and cjson.decode(output:match("[^\n]+%s*$"))
    assert(seen, output .. app:log())
  end)
  teardown(function() app:stop() end)

  it("is labelled, and wears its style", function()
    assert.equal("Talk to us", seen.title)
    assert.same({ "First Name", "Last Name (required)", "Company", "Email (required)", "Phone", "Lead Source",
      "No. of Employees", "Description" }, seen.labels)
    assert.equal("rgb(37, 99, 235)", seen.background)
  end)

  it("is held back by the browser while a required field is empty", function()
    assert.same({ "Last_Name", "Email" }, seen.invalid)
    assert.is_true(seen.heldBack)
  end)

  it("comes back with the complaint beside the field, and what was filled in", function()
    assert.same({ "Email is not an e-mail address." }, seen.errors)
    assert.equal("Email-error", seen.described)
    assert.equal("Email", seen.focused)
    assert.same({
      name = '<img src=x onerror="alert(1)">', source = "Trade Show", description = "\nTwo lines\nof <b>text</b>",
    }, seen.kept)
  end)

  it("makes the lead", function()
    assert.equal("Thank you", seen.thanks)
    local crm = zohocrm.new { api_key = "sandbox", gateway_url = app.gateway_url }
    local found = assert(crm.Leads:search {
      email = "nora@example.org", fields = { "Last_Name", "Email", "Lead_Source", "No_of_Employees", "Description" },
    })
    assert.equal(1, #found)
    assert.equal("Nordmann", found[1].Last_Name)
    assert.equal("Trade Show", found[1].Lead_Source)
    assert.equal(12, found[1].No_of_Employees)
    assert.equal("Two lines\nof <b>text</b>", (found[1].Description:gsub("\r\n", "\n"):gsub("^\n", "")))
  end)

  it("shows the pipeline", function()
    assert.is_true(#seen.bars > 3)
    for _, width in ipairs(seen.bars) do assert.is_true(width > 1) end
    assert.equal("Amount and number of deals in each stage", seen.chart)
  end)

  it("fits a phone, and can be filled in by keyboard", function()
    assert.same({ 0, 0 }, seen.overflow)
    assert.same({ "First_Name", "Last_Name", "Company", "Email", "Phone", "Lead_Source", "No_of_Employees", "Description",
      "submit" }, seen.keyboard)
  end)

  it("keeps its cookie to itself, asks nobody else, and breaks nothing", function()
    assert.same({ { name = "csrf", httpOnly = true, sameSite = "Strict" } }, seen.cookies)
    assert.equal("", seen.readable)
    for _, request in ipairs(seen.requests) do assert.equal(app.url, request:match("^%u+ (.*)$")) end
    -- Chromium reports an answer of 4xx in its console: the form that came back; and asks for an icon
    for _, text in ipairs(seen.complaints) do assert.matches("the server responded with a status of 4%d%d", text) end
  end)
end)
