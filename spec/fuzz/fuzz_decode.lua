local core = require("zohocrm.core")
local oracle = require("spec.support.decode_oracle")

local client = core.client { offline = true, rate = 0 }

local function in_pieces(text)
  local call = client:start { path = "/" }
  call:answer(200, "", text)
  repeat until call:decode(1 + #text % 3)
  local answer = call:take()
  return answer.body, answer.problem
end

-- An infinity cannot go out, nor can an array with holes: the encoder refuses them. What it writes must come back.
local function check_encoding(value)
  local written = core.encode(value)
  if not written then return end
  local again, why = core.decode(written)
  assert(not why and oracle.equal(value, again), "it does not come back as it went out")
  assert(core.encode(again) ~= nil)
end

return function(text)
  local _, value = oracle.compare(text)
  if text ~= "" then
    local _, why = core.decode(text)
    local body, problem = in_pieces(text)
    assert(problem == why, "decoding in pieces finds another fault")
    assert(oracle.equal(value, body), "decoding in pieces gives another value")
  end
  check_encoding(value)
end
