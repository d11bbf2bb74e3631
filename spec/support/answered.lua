--- A call that has its answer, without a network.
---
---     local call = answered(client, '{"data":[]}')   -- client: of core.client { offline = true, … }
---@param client userdata
---@param body string
---@param status? integer default 200
---@return userdata call
return function(client, body, status)
  local call = assert(client:start { path = "/crm/v8/Leads" })
  client:poll(0)
  call:answer(status or 200, "Content-Type: application/json\r\n", body)
  client:poll(0)
  assert(call:ready())
  return call
end
