--- A throw-away certificate authority and a server certificate for this machine's loopback names.
-- @module zohocrm.sandbox.server.certificate

local shell = require("zohocrm.sandbox.server.shell")

local M = {}

-- An own configuration, because the distribution's openssl.cnf adds extensions of its own.
local CONFIG = [[
[req]
distinguished_name = name
prompt = no
[name]
CN = zohocrm sandbox
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
]]

-- The authority's key is deleted as soon as it has signed: nobody can make a second certificate from it, so it
-- does no harm when somebody leaves ca.pem in a trust store.
local SCRIPT = [[
cd %s || exit
ec() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
ec ca.key && ec server.key &&
openssl req -new -x509 -config openssl.cnf -extensions authority -subj "/CN=zohocrm sandbox CA $$" \
  -key ca.key -sha256 -days 30 -out ca.pem &&
openssl req -new -config openssl.cnf -key server.key -out server.csr &&
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 1 -sha256 -days 30 \
  -extfile openssl.cnf -extensions server -out server.pem
status=$?
rm -f ca.key server.csr openssl.cnf
exit $status
]]

--- Writes `ca.pem`, `server.pem` and `server.key` (elliptic curve, valid for 30 days).
---@param folder string an existing folder that only the caller can read
---@return true|nil, string? message what openssl said, where it failed
function M.make(folder)
  local file = assert(io.open(folder .. "/openssl.cnf", "w"))
  file:write(CONFIG)
  file:close()
  local status, output = shell.capture(SCRIPT:format(shell.quote(folder)))
  if status ~= 0 then return nil, output end
  return true
end

return M
