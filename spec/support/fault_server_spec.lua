-- What the other specs rely on the fault server for.
local fault_server = require("spec.support.fault_server")
local socket = require("socket")

local REQUEST = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

describe("the fault server", function()
  local faults

  setup(function() faults = fault_server.start() end)
  teardown(function() faults:stop() end)

  local function connect()
    local connection = assert(socket.connect("127.0.0.1", faults.port))
    connection:settimeout(5)
    return connection
  end

  -- Sends, then reads to the end: what came, and how it ended: "closed", "reset" or "timeout". luasocket calls both
  -- of the first two "closed"; but after a mere close the first write still succeeds.
  local function exchange(text, seconds)
    local connection = connect()
    connection:settimeout(seconds or 5)
    connection:send(text)
    local data, message, partial = connection:receive("*a")
    if message ~= "timeout" then message = connection:send("x") and "closed" or "reset" end
    connection:close()
    return data or partial, message
  end

  it("sends exactly the bytes it is given, and closes in the middle of a body", function()
    local bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
    faults:script { { bytes, { close = true } } }
    assert.same({ bytes, "closed" }, { exchange(REQUEST) })
  end)

  it("resets the connection, before and after the first bytes", function()
    faults:script { { { reset = true } }, { "HTTP/1.1 200 OK\r\n", { wait = 0.05 }, { reset = true } } }
    assert.same({ "", "reset" }, { exchange(REQUEST) })
    assert.same({ "HTTP/1.1 200 OK\r\n", "reset" }, { exchange(REQUEST) })
  end)

  it("drips", function()
    faults:script { { { drip = "abcdef", size = 2, every = 0.1 }, { close = true } } }
    local started = socket.gettime()
    assert.equal("abcdef", (exchange(REQUEST)))
    assert.is_true(socket.gettime() - started >= 0.3)
  end)

  it("answers none before all have come", function()
    faults:script { { { gather = 2 }, "one" }, { { gather = 2 }, "two" } }
    local first = connect()
    first:settimeout(0.1)
    first:send(REQUEST)
    assert.equal("timeout", (select(2, first:receive(3))))
    local second = connect()
    second:send(REQUEST)
    first:settimeout(5)
    assert.same({ "one", "two" }, { (first:receive(3)), (second:receive(3)) })
    first:close()
    second:close()
  end)

  it("never answers", function()
    faults:script { { { hang = true } } }
    assert.same({ "", "timeout" }, { exchange(REQUEST, 0.2) })
  end)

  it("acts on connecting and after the header block", function()
    faults:script { { on = "connect", "early", { close = true } }, { on = "headers", "half", { close = true } } }
    assert.equal("early", (exchange("")))
    assert.equal("half", (exchange("POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n1234")))
    assert.is_false(faults:received()[1].complete)
  end)

  it("floods until the client goes away", function()
    faults:script { { { send = ("x"):rep(65536), times = 1e6 } } }
    local connection = connect()
    connection:send(REQUEST)
    assert.equal(1000000, #connection:receive(1000000))
    connection:close()
    assert.equal(1, #faults:received()) -- it still answers
  end)

  it("gives each request on one connection the next exchange, and says when there is none", function()
    faults:script { fault_server.reply { body = "one" }, fault_server.reply { status = 204 } }
    local connection = connect()
    local statuses = {}
    for i = 1, 3 do
      connection:send(REQUEST)
      statuses[i] = connection:receive("*l"):match(" (%d+)")
      local length = 0
      for line in function() return connection:receive("*l") end do
        if line == "" then break end
        length = tonumber(line:match("^Content%-Length: (%d+)")) or length
      end
      if length > 0 then assert.equal("one", connection:receive(length)) end
    end
    connection:close()
    assert.same({ "200", "204", "599" }, statuses)
    assert.equal(0, faults:remaining())
    assert.equal(1, (faults:connections()))
  end)

  it("records requests as they came, also chunked ones", function()
    faults:script { { fault_server.reply {}, { close = true } }, { fault_server.reply {}, { close = true } } }
    local plain = "PUT /p?q=%20 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    local chunked = "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    exchange(plain)
    exchange(chunked)
    local received = faults:received()
    assert.same({ plain, chunked }, { received[1].raw, received[2].raw })
    assert.same({ "PUT", "/p?q=%20", "abc" }, { received[1].method, received[1].target, received[1].body })
    assert.same({ 1, 2 }, { received[1].connection, received[2].connection })
  end)

  it("starts afresh with each script", function()
    faults:script { { { hang = true } } }
    local connection = connect()
    connection:send(REQUEST)
    socket.sleep(0.05)
    faults:script {}
    assert.is_nil((connection:receive(1)))
    connection:close()
    assert.same({}, faults:received())
    assert.equal(0, (faults:connections()))
  end)

  it("knows a URL where nobody listens", function()
    assert.is_nil(socket.connect("127.0.0.1", tonumber(fault_server.refusing_url():match("%d+$"))))
  end)
end)
