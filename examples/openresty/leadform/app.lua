--- The pages: a lead form, and a dashboard of the pipeline. Handlers run in nginx's content phase; the client's calls
--- in them read as in a script, and the worker serves others meanwhile.

local csrf = require "leadform.csrf"
local form = require "leadform.form"
local html = require "leadform.html"
local pipeline = require "leadform.pipeline"
local zohocrm = require "zohocrm"

local h = html.elements

local M = {}

local FIELDS = {
  "First_Name", "Last_Name", "Company", "Email", "Phone", "Lead_Source", "No_of_Employees", "Description",
}

-- Upsert tells by it whether the lead is new. Whoever knows a lead's address can change what the form asks for: that is
-- why it asks for nothing else.
local KEY = "Email"

local METADATA_SECONDS, PIPELINE_SECONDS = 600, 30

local crm

--- To be called in init_by_lua: one client, which every worker uses after its fork.
function M.init()
  csrf.init()
  crm = zohocrm.new { shared_rate = "crm" }
end

-- What `make` gives, kept for a while. While one request makes it anew, the others take the old one; the first ones
-- wait each for their own.
local function cached(seconds, make)
  local value, expires = nil, 0
  return function()
    if ngx.now() >= expires then
      local before = expires
      expires = value and ngx.now() + seconds or 0
      local fine, made = pcall(make)
      if not fine then
        expires = before
        error(made, 0)
      end
      value, expires = made, ngx.now() + seconds
    end
    return value
  end
end

local fields = cached(METADATA_SECONDS, function()
  return form.fields(assert(crm.Leads:fields()), FIELDS, { [KEY] = true })
end)

local stages = cached(PIPELINE_SECONDS, function()
  return pipeline.stages(crm)
end)

-- ---- pages ---------------------------------------------------------------------------------------------------------

local function send(status, title, content)
  ngx.status = status
  ngx.header["Content-Type"] = "text/html; charset=utf-8"
  ngx.header["Cache-Control"] = "no-store"
  ngx.print(html.document(h.html {
    lang = "en",
    h.head {
      h.meta { charset = "utf-8" },
      h.meta { name = "viewport", content = "width=device-width, initial-scale=1" },
      h.title { title },
      h.link { rel = "stylesheet", href = "/style.css" },
    },
    h.body { h.main { h.h1 { title }, content } },
  }))
end

local function send_form(status, values, complaints, note)
  send(status, "Talk to us", {
    note and h.p { class = "note", role = "alert", note },
    h.form {
      method = "post", action = "/",
      h.input { type = "hidden", name = "csrf", value = csrf.issue() },
      form.elements(fields(), values, complaints),
      h.button { type = "submit", "Send" },
    },
  })
end

-- Errors of the CRM are for the log, whole; visitors learn that it was not their fault.
local function guarded(handler)
  return function()
    local fine, err = pcall(handler)
    if not fine then
      ngx.log(ngx.ERR, tostring(err))
      send(503, "We are sorry", h.p { "Something does not work at the moment. Please try again in a few minutes." })
    end
  end
end

-- ---- handlers ------------------------------------------------------------------------------------------------------

local function submit()
  ngx.req.read_body()
  local arguments, cut = ngx.req.get_post_args(#FIELDS + 5)
  if not arguments or cut == "truncated" or not csrf.accepts(arguments.csrf) then
    -- empty: another site may have filled it in, and our page would have it sent
    return send_form(403, {}, {}, "This page had been open for too long. Please fill it in once more.")
  end
  local record, complaints = form.read(fields(), arguments)
  if complaints then
    return send_form(422, arguments, complaints, "Please look at the marked fields.")
  end
  local _, err = crm.Leads:upsert(record, { duplicate_check_fields = { KEY } })
  if not err then
    return ngx.redirect("/thanks", 303) -- so that a reload of the page sends nothing again
  end
  complaints = form.complaints(err)
  if not complaints then
    error(err, 0)
  end
  return send_form(422, arguments, complaints, "Please look at the marked fields.")
end

--- The form, and what it sends.
M.form = guarded(function()
  if ngx.req.get_method() == "POST" then
    return submit()
  end
  return send_form(200, {}, {})
end)

--- Where the form leads.
M.thanks = guarded(function()
  send(200, "Thank you", h.p { "We will be in touch soon." })
end)

--- The dashboard.
M.pipeline = guarded(function()
  send(200, "Pipeline", pipeline.chart(stages()))
end)

return M
