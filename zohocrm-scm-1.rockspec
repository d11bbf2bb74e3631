rockspec_format = "3.0"
package = "zohocrm"
version = "scm-1"
source = {
  url = "git+file://.", -- the tree it stands in: use `luarocks make`
}
description = {
  summary = "Zoho CRM v8 client with a C core on libcurl",
  detailed = [[
    Records, search, bulk writes and metadata of Zoho CRM through the Maton gateway: blocking in scripts,
    non-blocking in nginx, event loops and frame loops, with a sandbox to try and test against.]],
  license = "MIT",
  labels = { "zoho", "crm", "http" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson",
}
-- libcurl is not among external_dependencies: LuaRocks does not look where Debian has its headers. The Makefile asks
-- pkg-config, and says what is missing; CURL_CFLAGS and CURL_LIBS in the environment override it.
test_dependencies = {
  "busted",
  "luasocket",
}
test = {
  type = "busted",
}
-- Through the Makefile, because the module is linked so that it stays loaded (see OWN_LDFLAGS there), which the
-- "builtin" build cannot say; and so the list of files is in one place only.
build = {
  type = "make",
  build_target = "all",
  install_target = "install",
  build_variables = {
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
  },
  install_variables = {
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_MODULE_DIR = "$(LUADIR)",
    LUA_CMODULE_DIR = "$(LIBDIR)",
    DESTDIR = "",
  },
}
