--- examples/openresty as programs see it; spec/browser shows it to a browser.
local build = os.getenv("ZOHOCRM_BUILD") or ""

-- nginx runs LuaJIT, and loads no module that wants a sanitizer loaded before it.
if not rawget(_G, "jit") or build:find("asan", 1, true) then return end

local http = require("socket.http")
local lead_form = require("spec.support.lead_form")
local ltn12 = require("ltn12")
local zohocrm = require("zohocrm")

local function encode(text)
  return (text:gsub("[^%w]", function(character) return ("%%%02X"):format(character:byte()) end))
end

describe("the lead form", function()
  local app, crm

  setup(function()
    app = lead_form.start()
    crm = zohocrm.new { api_key = "sandbox", gateway_url = app.gateway_url, rate = 0 }
  end)
  teardown(function() app:stop() end)

  local function ask(method, path, body, cookie)
    local chunks = {}
    local _, status, headers = assert(http.request {
      method = method, url = app.url .. path, sink = ltn12.sink.table(chunks), redirect = false,
      source = body and ltn12.source.string(body),
      headers = {
        ["content-length"] = body and #body, ["content-type"] = "application/x-www-form-urlencoded", cookie = cookie,
      },
    })
    return status, table.concat(chunks), headers
  end

  -- What a browser would hold after it has opened the page.
  local function open()
    local _, page, headers = ask("GET", "/")
    return page:match('name="csrf" type="hidden" value="([^"]+)"'), headers["set-cookie"]:match("^[^;]+"), page, headers
  end

  local function send(values, token, cookie)
    local parts = { "csrf=" .. (token or "") }
    for name, value in pairs(values) do parts[#parts + 1] = name .. "=" .. encode(value) end
    return ask("POST", "/", table.concat(parts, "&"), cookie)
  end

  local function submit(values)
    local token, cookie = open()
    return send(values, token, cookie)
  end

  local function by_email(email)
    return assert(crm.Leads:search { email = email, fields = { "Last_Name", "Company", "Description" } })
  end

  local function complaint(page, name) return page:match('id="' .. name .. '%-error">([^<]+)<') end

  it("is built from the metadata of the fields", function()
    local _, _, page = open()
    assert.matches('<input autocomplete="family-name" id="Last_Name" maxlength="80" name="Last_Name" required type="text">', page, 1, true)
    assert.matches('<input autocomplete="email" id="Email" maxlength="100" name="Email" required type="email">', page, 1, true)
    assert.matches('<option value="Trade Show">Trade Show</option>', page, 1, true)
    assert.matches('<textarea id="Description" maxlength="2000"', page, 1, true)
  end)

  it("upserts a lead by its address", function()
    local status, _, headers = submit { Last_Name = "Ødegård", Email = "kari@example.org", Company = "Fjord & Fjell" }
    assert.equal(303, status)
    assert.equal("/thanks", headers.location) -- not to where a Host header says
    assert.equal(200, (ask("GET", "/thanks")))
    assert.equal(303, (submit { Last_Name = "Ødegård", Email = "kari@example.org", Company = "Fjell" }))
    local found = by_email("kari@example.org")
    assert.equal(1, #found)
    assert.equal("Fjell", found[1].Company)
  end)

  it("says next to the fields what is wrong, and keeps what was filled in", function()
    local status, page = submit {
      Email = "nobody", Last_Name = "", Company = ("x"):rep(201), Lead_Source = "None of them", No_of_Employees = "few",
    }
    assert.equal(422, status)
    assert.equal("Last Name is required.", complaint(page, "Last_Name"))
    assert.equal("Email is not an e-mail address.", complaint(page, "Email"))
    assert.equal("Company has more than 200 characters.", complaint(page, "Company"))
    assert.equal("Lead Source is none of the choices.", complaint(page, "Lead_Source"))
    assert.equal("No. of Employees is not a whole number.", complaint(page, "No_of_Employees"))
    assert.matches('aria-invalid="true" autocomplete="email" id="Email" maxlength="100" name="Email" required type="email" value="nobody"', page, 1, true)
  end)

  it("counts characters, not bytes", function()
    assert.equal(303, (submit { Last_Name = ("ø"):rep(80), Email = "long@example.org" }))
    assert.equal(422, (submit { Last_Name = ("ø"):rep(81), Email = "long@example.org" }))
  end)

  it("says so, too, where it is the CRM that complains", function()
    local status, page = submit { Last_Name = "Ann", Email = "ann@example.org", No_of_Employees = "1234567890123" }
    assert.equal(422, status)
    assert.matches("^No%. of Employees ", complaint(page, "No_of_Employees"))
  end)

  it("escapes whatever it shows", function()
    local _, page = submit { Last_Name = [["><script>alert(1)</script>]], Description = "</textarea><b>&amp;'" }
    assert.matches('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"', page, 1, true)
    assert.matches("&lt;/textarea&gt;&lt;b&gt;&amp;amp;&#39;</textarea>", page, 1, true)
    assert.is_nil(page:find("<script", 1, true))
    assert.is_nil(page:find("<b>", 1, true))
  end)

  it("says so of bytes that are no text", function()
    for _, text in ipairs { "\255", "a\0b", "\192\128x", "\27[1m" } do
      local status, page = submit { Last_Name = text, Email = "bytes@example.org" }
      assert.equal(422, status)
      assert.equal("Last Name has characters that cannot be used.", complaint(page, "Last_Name"))
    end
    assert.equal(303, (submit { Last_Name = "日本 😀", Email = "text@example.org" }))
  end)

  it("counts a line break as the browser does, and takes the longest text there is", function()
    local text = ("日\r\n"):rep(1000)
    assert.equal(303, (submit { Last_Name = "Long", Email = "lines@example.org", Description = text }))
    assert.equal((text:gsub("\r", "")), by_email("lines@example.org")[1].Description)
  end)

  it("stays good in one tab while another one is opened", function()
    local token, cookie = open()
    local _, page, headers = ask("GET", "/", nil, cookie)
    assert.is_nil(headers["set-cookie"])
    assert.matches(token, page, 1, true)
    assert.equal(303, (send({ Last_Name = "Tab", Email = "tab@example.org" }, token, cookie)))
  end)

  describe("takes a form only from its own pages:", function()
    local VALUES = { Last_Name = "Forged", Email = "forged@example.org" }

    after_each(function() assert.equal(0, #by_email("forged@example.org")) end)

    it("no token, no cookie, or one that is not the other's", function()
      local token, cookie = open()
      local other = open()
      for _, pair in ipairs { { nil, nil }, { token, nil }, { nil, cookie }, { other, cookie }, { token, "csrf=" .. other } } do
        local status, page = send(VALUES, pair[1], pair[2])
        assert.equal(403, status)
        assert.is_nil(page:find("Forged", 1, true))
      end
    end)

    it("one of one's own making, or a changed one", function()
      local token = open()
      local expires, nonce, signature = token:match("^(%d+)%.(%x+)%.(.+)$")
      for _, made in ipairs {
        "1", "9999999999.00.x", ("%d.%s.%s"):format(expires + 1, nonce, signature), token:sub(1, -2), token .. "x",
      } do
        assert.equal(403, (send(VALUES, made, "csrf=" .. made)))
      end
    end)

    it("with a cookie that other sites' requests do not carry", function()
      local _, _, _, headers = open()
      assert.matches("; Path=/; Max%-Age=%d+; HttpOnly; SameSite=Strict$", headers["set-cookie"])
      assert.matches("default-src 'none'", headers["content-security-policy"], 1, true)
      assert.matches("form-action 'self'", headers["content-security-policy"], 1, true)
    end)
  end)

  it("refuses other methods, too large bodies and other paths", function()
    assert.equal(403, (ask("PUT", "/", "")))
    assert.equal(413, (ask("POST", "/", ("x"):rep(70000))))
    assert.equal(404, (ask("GET", "/nginx.conf")))
  end)

  it("draws the pipeline from the deals", function()
    local counts = {}
    for deal in crm.Deals:each { fields = "Stage" } do counts[deal.Stage] = (counts[deal.Stage] or 0) + 1 end
    local status, page = ask("GET", "/pipeline")
    assert.equal(200, status)
    for stage, count in pairs(counts) do
      local shown = stage:gsub("&", "&amp;"):gsub("%p", "%%%0")
      assert.equal(tostring(count), page:match(">" .. shown .. "</th>.-[%d,]+ in (%d+) deal"), stage)
    end
  end)

  it("holds off who sends form after form", function()
    local status
    for _ = 1, 60 do
      status = ask("POST", "/", "csrf=")
      if status == 429 then break end
    end
    assert.equal(429, status)
    assert.equal(200, (ask("GET", "/")))
  end)

  it("shows no secrets, and has logged no error", function()
    for _, path in ipairs { "/", "/thanks", "/pipeline", "/style.css" } do
      local _, page = ask("GET", path)
      assert.is_nil(page:find("Bearer", 1, true))
      assert.is_nil(page:find(app.gateway_url, 1, true))
    end
    assert.is_nil(app:log():match("%[error%][^\n]*lua[^\n]*") or app:log():match("%[alert%]") or app:log():match("%[crit%]"))
  end)
end)
