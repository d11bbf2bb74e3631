# Builds zohocrm/core.so under build/<Lua ABI>/, installs it with the Lua modules, and runs every check.
# `make help` lists the targets. All capitals below can be set on the command line or in the environment.

# --- what a packager may set -----------------------------------------------------------------------------------
LUA        ?= lua5.4
PKG_CONFIG ?= pkg-config
INSTALL    ?= install
DESTDIR    ?=
PREFIX     ?= /usr/local
CFLAGS     ?= -O2 -g
CPPFLAGS   ?=
LDFLAGS    ?=
WERROR     ?= 0
NM         ?= nm
# make's own default for CC is "cc", which ?= would keep
ifeq ($(origin CC),default)
CC := gcc
endif

# --- which Lua: asked of the interpreter itself, so LUA may be any name or path ---------------------------------
LUA_KIND := $(shell $(LUA) -e 'io.write(jit and "luajit" or "lua", " ", _VERSION:match("%d+%.%d+"))' 2>/dev/null)
LUA_IMPL := $(firstword $(LUA_KIND))
LUA_ABI  := $(lastword $(LUA_KIND))

LUA_PC_luajit := luajit
LUA_PC_lua    := lua$(LUA_ABI) lua-$(LUA_ABI) lua$(subst .,,$(LUA_ABI))
# plain "lua" is taken only when it is the release that LUA runs
LUA_PC  := $(firstword $(foreach p,$(LUA_PC_$(LUA_IMPL)),$(shell $(PKG_CONFIG) --exists $(p) 2>/dev/null && echo $(p))))
ifeq ($(LUA_PC)$(filter luajit,$(LUA_IMPL)),)
LUA_PC  := $(if $(filter $(LUA_ABI).%,$(shell $(PKG_CONFIG) --modversion lua 2>/dev/null)),lua)
endif
ifdef LUA_INCDIR
LUA_CFLAGS := -I$(LUA_INCDIR)
else
LUA_CFLAGS := $(if $(LUA_PC),$(shell $(PKG_CONFIG) --cflags $(LUA_PC)))
endif
LUA_DEV_luajit := libluajit2-5.1-dev
LUA_DEV_lua    := liblua$(LUA_ABI)-dev

LUA_MODULE_DIR  ?= $(PREFIX)/share/lua/$(LUA_ABI)
LUA_CMODULE_DIR ?= $(PREFIX)/lib/lua/$(LUA_ABI)

# --- libcurl ----------------------------------------------------------------------------------------------------
CURL_MINIMUM := 7.68.0
CURL_MINIMUM_NUM := 0x074400
ifndef CURL_CFLAGS
CURL_CFLAGS := $(shell $(PKG_CONFIG) --cflags libcurl 2>/dev/null)
endif
ifndef CURL_LIBS
CURL_LIBS := $(or $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null),-lcurl)
endif

# Decompresses answers where it is installed; else libcurl does, in more than twice the time. LIBDEFLATE= leaves it out.
LIBDEFLATE     ?= $(shell $(PKG_CONFIG) --exists libdeflate 2>/dev/null && echo 1)
DEFLATE_CFLAGS := $(if $(LIBDEFLATE),-DZC_LIBDEFLATE $(shell $(PKG_CONFIG) --cflags libdeflate 2>/dev/null))
DEFLATE_LIBS   := $(if $(LIBDEFLATE),$(or $(shell $(PKG_CONFIG) --libs libdeflate 2>/dev/null),-ldeflate))

# --- how it is compiled -----------------------------------------------------------------------------------------
# Kept apart from CFLAGS and LDFLAGS, so that setting those never loses what the module cannot do without.
BUILD      ?= build/$(LUA_ABI)
WARNINGS   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
OWN_CFLAGS := -std=c11 -fPIC -fvisibility=hidden $(WARNINGS) $(if $(filter 1,$(WERROR)),-Werror)
ifeq ($(shell uname -s),Darwin)
OWN_LDFLAGS := -bundle -undefined dynamic_lookup
else
# nodelete: libcurl's TLS library keeps pointers into itself after the Lua state is gone, and leak checkers
# need our symbols at exit. The Lua symbols stay undefined: the interpreter has them.
OWN_LDFLAGS := -shared -Wl,-z,nodelete
endif

SOURCES := $(sort $(wildcard csrc/*.c))
OBJECTS := $(SOURCES:csrc/%.c=$(BUILD)/obj/%.o)
MODULE  := $(BUILD)/zohocrm/core.so
LUA_SOURCES := $(sort $(shell find lua -name '*.lua' 2>/dev/null))

# --- what the checks use ----------------------------------------------------------------------------------------
DEPS := pkg-config gcc libc6-dev make ca-certificates openssl lua5.4 liblua5.4-dev libcurl4-openssl-dev libdeflate-dev \
        lua-cjson lua-busted lua-socket lua-luv lua-cqueues lua-copas locales 'luajit2|luajit' \
        'libluajit2-5.1-dev|libluajit-5.1-dev' 'nginx|openresty' 'libnginx-mod-http-lua|openresty'
DEPS_LINT := lua-check luarocks clang clang-format clang-tidy cppcheck valgrind binutils
DEPS_DESKTOP := love xvfb xauth libgl1-mesa-dri
DEPS_DOC := lua5.4 lua-ldoc lua-markdown
DEPS_BENCH := python3 lua-curl lua-http
DEPS_BROWSER := chromium nodejs
BUSTED     ?= $(shell command -v busted 2>/dev/null)
BUSTEDFLAGS ?=
TREE_PATH  := lua/?.lua;lua/?/init.lua;;
ARGS       ?=
SUBMAKE    := $(MAKE) --no-print-directory

.DEFAULT_GOAL := all

##@ Build and install

.PHONY: all
all: $(MODULE) ## build zohocrm/core.so for Lua 5.4 (LUA=luajit for LuaJIT)

# `requirements` prints a sentence for a person; a compiler's "lua.h: No such file" does not.
OR_DEPS := ; or all that is needed, as root: make deps
.PHONY: requirements
requirements:
	@test -n "$(LUA_ABI)" || { \
	  echo "error: LUA=$(LUA) does not run; install it (Debian: apt install lua5.4 or luajit2$(OR_DEPS)), or set LUA" >&2; exit 1; }
	@test "$(LUA_IMPL) $(LUA_ABI)" != "lua 5.1" || { \
	  echo "error: LUA=$(LUA) is Lua 5.1: the core is for Lua 5.4 and LuaJIT 2.1 (the sandbox runs on any);" \
	       "with LuaRocks: luarocks --lua-version 5.4 make" >&2; exit 1; }
	@command -v $(firstword $(CC)) >/dev/null || { \
	  echo "error: the compiler $(firstword $(CC)) is missing; install it (Debian: apt install gcc$(OR_DEPS)), or set CC" >&2; \
	  exit 1; }
	@printf '#include <lua.h>\n' | $(CC) $(LUA_CFLAGS) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || { \
	  echo "error: lua.h of $(LUA_IMPL) $(LUA_ABI) is missing (Debian: apt install pkg-config $(LUA_DEV_$(LUA_IMPL))$(OR_DEPS));" \
	       "elsewhere set LUA_INCDIR to its folder" >&2; exit 1; }
	@printf '#include <curl/curl.h>\n' | $(CC) $(CURL_CFLAGS) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || { \
	  echo "error: libcurl's headers are missing (Debian: apt install libcurl4-openssl-dev$(OR_DEPS));" \
	       "elsewhere set CURL_CFLAGS and CURL_LIBS" >&2; exit 1; }
	@printf '#include <curl/curlver.h>\n#if LIBCURL_VERSION_NUM < $(CURL_MINIMUM_NUM)\n#error\n#endif\n' \
	  | $(CC) $(CURL_CFLAGS) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || { \
	  found=$$(printf '#include <curl/curlver.h>\n>> LIBCURL_VERSION\n' \
	    | $(CC) $(CURL_CFLAGS) $(CPPFLAGS) -E -P -x c - | sed -n 's/^>> "\(.*\)"$$/\1/p'); \
	  echo "error: libcurl $$found is older than $(CURL_MINIMUM), the oldest that zohocrm supports;" \
	       "for one elsewhere set CURL_CFLAGS and CURL_LIBS" >&2; exit 1; }

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(OWN_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(CURL_LIBS) $(DEFLATE_LIBS)

$(BUILD)/obj/%.o: csrc/%.c | requirements
	@mkdir -p $(@D)
	$(CC) $(OWN_CFLAGS) $(LUA_CFLAGS) $(CURL_CFLAGS) $(DEFLATE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

.PHONY: install
install: all ## install for the chosen LUA under $(DESTDIR)$(PREFIX)
	@set -e; for file in $(LUA_SOURCES:lua/%=%); do \
	  $(INSTALL) -d "$(DESTDIR)$(LUA_MODULE_DIR)/$$(dirname $$file)"; \
	  $(INSTALL) -m 644 "lua/$$file" "$(DESTDIR)$(LUA_MODULE_DIR)/$$file"; \
	done
	$(INSTALL) -d "$(DESTDIR)$(LUA_CMODULE_DIR)/zohocrm"
	$(INSTALL) -m 755 $(MODULE) "$(DESTDIR)$(LUA_CMODULE_DIR)/zohocrm/core.so"

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(LUA_SOURCES:lua/%="$(DESTDIR)$(LUA_MODULE_DIR)/%") "$(DESTDIR)$(LUA_CMODULE_DIR)/zohocrm/core.so"
	@for folder in zohocrm/hosts zohocrm/sandbox/coql zohocrm/sandbox/server zohocrm/sandbox zohocrm; do \
	  rmdir "$(DESTDIR)$(LUA_MODULE_DIR)/$$folder" 2>/dev/null || true; \
	done; rmdir "$(DESTDIR)$(LUA_CMODULE_DIR)/zohocrm" 2>/dev/null || true

.PHONY: deps
deps: ## install what building, the sandbox and the specs need (Debian, as root), if anything is missing
	@.ci/deps $(DEPS)

.PHONY: deps-lint
deps-lint: ## install what `make lint` and `make valgrind` need besides
	@.ci/deps $(DEPS_LINT)

.PHONY: clean
clean: ## remove build/
	rm -rf build

##@ Try it

.PHONY: demo
demo: deps ## run examples/quickstart.lua against a sandbox started for it
	@$(SUBMAKE) run-demo
# A make of its own: on a fresh machine LUA answers only after deps.
.PHONY: run-demo
run-demo: all
	@LUA_PATH="$(TREE_PATH)" LUA_CPATH="$(BUILD)/?.so;;" $(LUA) -e \
	  'os.exit(require("zohocrm.sandbox.server").with("$(LUA) examples/quickstart.lua"))'

.PHONY: repl run-repl
repl: deps ## a prompt of Lua that finds the library (LUA=luajit)
	@$(SUBMAKE) run-repl
run-repl: all
	@LUA_PATH="$(TREE_PATH)" LUA_CPATH="$(BUILD)/?.so;;" exec $(LUA) -i

PORT ?= 8080
.PHONY: example-openresty
example-openresty: deps ## serve the lead form of examples/openresty until Ctrl-C (PORT=8080)
	@$(SUBMAKE) all LUA=luajit
	@LUA_PATH="$(TREE_PATH)" LUA_CPATH="build/5.1/?.so;;" exec luajit examples/openresty/run.lua $(PORT)

.PHONY: sandbox
sandbox: deps ## serve the sandbox over HTTP until Ctrl-C (ARGS="--leads 100000 --port 8080")
	@LUA_PATH="$(TREE_PATH)" exec $(LUA) -e 'os.exit(require("zohocrm.sandbox.server").run("$(ARGS)"))'

##@ Measure

BENCH         := build/bench
BENCH_MODULES ?= build
BENCH_SDK     := @zohocrm/nodejs-sdk-8.0
BENCH_LUA_SO  := $(BENCH)/$(LUA_ABI)/bench_clock.so $(BENCH)/$(LUA_ABI)/bench_fetch.so \
                 $(BENCH)/$(LUA_ABI)/bench_thread.so
BENCH_CC       = @mkdir -p $(@D); $(CC) $(OWN_CFLAGS) $(CURL_CFLAGS) $(CPPFLAGS) $(CFLAGS)

.PHONY: bench
bench: deps ## compare with other ways to do the same, some 10 minutes (QUICK=1: some 4; ROUNDS=5): see README.md
	@.ci/deps $(DEPS_BENCH) || echo "note: going on without what is missing" >&2
	@$(SUBMAKE) bench-lua LUA=lua5.4 && $(SUBMAKE) bench-lua LUA=luajit
	@$(SUBMAKE) bench-programs bench-sdk
	@LUA_PATH="./?.lua;$(TREE_PATH)" BENCH_BUILD="$(BENCH)" BENCH_MODULES="$(BENCH_MODULES)" lua5.4 spec/bench/run.lua

.PHONY: bench-nginx
bench-nginx: deps ## compare the client in nginx with cosockets written by hand, some 3 minutes (ROUNDS=3, SECONDS=3)
	@.ci/deps wrk
	@$(SUBMAKE) all LUA=luajit
	@LUA_PATH="./?.lua;$(TREE_PATH)" LUA_CPATH="build/5.1/?.so;;" ZOHOCRM_BUILD=build/5.1 luajit spec/bench/nginx.lua

.PHONY: bench-frames
bench-frames: deps ## measure what a frame loop gives to crm:step, some 3 minutes (ROUNDS=1, RECORDS=100000)
	@$(SUBMAKE) bench-lua LUA=lua5.4 && $(SUBMAKE) bench-lua LUA=luajit && $(SUBMAKE) $(BENCH)/answers/tokens.lua
	@LUA_PATH="./?.lua;$(TREE_PATH)" BENCH_BUILD="$(BENCH)" BENCH_MODULES="$(BENCH_MODULES)" lua5.4 spec/bench/frames.lua

.PHONY: deps-bench
deps-bench: ## install what `make bench` compares with (Zoho's SDK besides, where node and npm are there)
	@.ci/deps $(DEPS_BENCH)

.PHONY: bench-lua bench-programs bench-sdk
bench-lua: $(BENCH_LUA_SO)
	@$(SUBMAKE) all BUILD=$(BENCH_MODULES)/$(LUA_ABI)
bench-programs: $(BENCH)/process_cost $(BENCH)/fetch $(BENCH)/answers/tokens.lua

$(BENCH)/$(LUA_ABI)/bench_clock.so: spec/bench/c/clock_lua.c
	$(BENCH_CC) $(LUA_CFLAGS) $(OWN_LDFLAGS) -o $@ $^
$(BENCH)/$(LUA_ABI)/bench_thread.so: spec/bench/c/thread_lua.c
	$(BENCH_CC) $(LUA_CFLAGS) $(OWN_LDFLAGS) -o $@ $^
$(BENCH)/$(LUA_ABI)/bench_fetch.so: spec/bench/c/fetch_lua.c spec/bench/c/fetch.c spec/bench/c/fetch.h
	$(BENCH_CC) $(LUA_CFLAGS) $(OWN_LDFLAGS) -o $@ $(filter %.c,$^) $(CURL_LIBS)
$(BENCH)/fetch: spec/bench/c/fetch_main.c spec/bench/c/fetch.c spec/bench/c/fetch.h
	$(BENCH_CC) -o $@ $(filter %.c,$^) $(CURL_LIBS)
$(BENCH)/process_cost: spec/bench/c/process_cost.c
	$(BENCH_CC) -o $@ $^
$(BENCH)/answers/tokens.lua: spec/bench/record_answers.lua spec/bench/subject.lua $(filter lua/zohocrm/sandbox/%,$(LUA_SOURCES))
	LUA_PATH="./?.lua;$(TREE_PATH)" luajit spec/bench/record_answers.lua $(@D)

# What npm cannot have, the benchmark says to be missing.
bench-sdk:
	@if command -v node >/dev/null && command -v npm >/dev/null && [ ! -d $(BENCH)/node_modules/$(BENCH_SDK) ]; then \
	  npm install --prefix $(BENCH) --no-save --no-audit --no-fund --loglevel=error $(BENCH_SDK) || \
	    echo "note: npm could not install $(BENCH_SDK)" >&2; \
	fi

##@ Check

.PHONY: test
test: deps ## run every spec on Lua 5.4 and on LuaJIT
	@mkdir -p build; failed=; \
	for lua in lua5.4 luajit; do \
	  echo "== specs on $$lua"; $(SUBMAKE) spec LUA=$$lua BUSTED_LOG=build/spec-$$lua.log || failed="$$failed $$lua"; \
	done; \
	for lua in lua5.4 luajit; do \
	  printf '%s: ' $$lua; grep -E '^[0-9]+ success' build/spec-$$lua.log || echo "no result"; \
	done; test -z "$$failed" || { echo "failed on:$$failed" >&2; exit 1; }

.PHONY: test-5.4 test-luajit
test-5.4: ## run the specs on Lua 5.4 only (BUSTEDFLAGS="--filter …" to choose)
	@$(SUBMAKE) spec LUA=lua5.4
test-luajit: ## run the specs on LuaJIT only
	@$(SUBMAKE) spec LUA=luajit

.PHONY: test-desktop
test-desktop: deps ## run the examples that have a window, on a screen of their own (installs LÖVE and Xvfb)
	@.ci/deps $(DEPS_DESKTOP)
	@$(SUBMAKE) spec LUA=luajit BUSTED_LOG=build/spec-desktop.log BUSTEDFLAGS="--pattern=_desktop spec/desktop"

.PHONY: test-browser deps-browser
test-browser: deps deps-browser ## run examples/openresty in headless Chromium (screenshots in build/browser)
	@$(SUBMAKE) spec LUA=luajit BUSTED_LOG=build/spec-browser.log BUSTEDFLAGS="--pattern=_browser spec/browser"
# Debian's npm is a package of its own; where node comes from elsewhere, npm came with it.
deps-browser: ## install what test-browser needs; what cannot be had, it says to be missing
	@.ci/deps $(DEPS_BROWSER) || echo "note: going on without" >&2
	@command -v npm >/dev/null || .ci/deps npm || echo "note: going on without" >&2
	@mkdir -p build/browser; if command -v npm >/dev/null && [ ! -d build/browser/node_modules/playwright-core ]; then \
	  npm install --prefix build/browser --no-save --no-audit --no-fund --loglevel=error playwright-core || \
	    echo "note: npm could not install playwright-core" >&2; \
	fi

# The pipe's status is tee's, so busted's own goes through a file.
BUSTED_LOG ?= build/spec.log
RUN_BUSTED  = LUA_PATH="$(TREE_PATH)" LUA_CPATH="$(BUILD)/?.so;;" ZOHOCRM_BUILD="$(BUILD)" MATON_API_KEY= \
              ZOHOCRM_GATEWAY_URL= ZOHOCRM_CONTROL_URL= $(SPEC_ENV) $(SPEC_WRAPPER) $(LUA) $(BUSTED) -o plainTerminal $(BUSTEDFLAGS)
SPEC_EDGES  := $(BUILD)/spec/edges.so $(BUILD)/spec/slow_names.so
.PHONY: spec
spec: all $(SPEC_EDGES)
	@test -n "$(BUSTED)" || { echo "error: busted is missing (Debian: apt install lua-busted)" >&2; exit 1; }
	@mkdir -p $(dir $(BUSTED_LOG)); rm -f $(BUSTED_LOG); \
	{ $(RUN_BUSTED); echo $$? > $(BUSTED_LOG).status; } 2>&1 | tee $(BUSTED_LOG); \
	status=$$(cat $(BUSTED_LOG).status); rm -f $(BUSTED_LOG).status; exit $$status

$(BUILD)/spec/%.so: spec/support/edges/%.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -fvisibility=hidden,$(OWN_CFLAGS)) $(LUA_CFLAGS) $(CPPFLAGS) $(CFLAGS) -pthread -shared -o $@ $<

comma := ,
# The specs of the sandbox and of the build run none of our C: they are left out where each line of C is slow.
C_SPECS := $(filter-out spec/sandbox_% spec/build_%,$(sort $(wildcard spec/*_spec.lua)))
# What is Lua's own or another process's business: QUICK=1 leaves it out under valgrind, where everything takes long.
LUA_SPECS := bulk_stream check coql_builder criteria id_range injection key_memory mistakes nginx nginx_edges \
             openresty_example query query_property readme readme_nginx scan search values walk_memory
CHECKED_SPECS = BUSTEDFLAGS='$(or $(BUSTEDFLAGS),$(C_SPECS))'
ASAN_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# Only the interpreter loads the sanitizer and looks for leaks, not the children that specs start: see .ci/asan.
.PHONY: asan
asan: ## run the specs of C with the module built with AddressSanitizer and UBSan (LUA=luajit for LuaJIT)
	@$(SUBMAKE) spec BUILD=build/asan-$(LUA_IMPL)$(LUA_ABI) CC=gcc CFLAGS='$(ASAN_FLAGS)' LUA=$(LUA) \
	  BUSTED_LOG=build/asan-$(LUA_IMPL)$(LUA_ABI).log SPEC_WRAPPER=.ci/asan $(CHECKED_SPECS)

.PHONY: valgrind
valgrind: ## run the specs of C under valgrind's memcheck (LUA=luajit; QUICK=1: without those of what is Lua's own)
	@$(SUBMAKE) spec BUILD=build/valgrind-$(LUA_IMPL)$(LUA_ABI) CFLAGS='-O1 -g' LUA=$(LUA) SPEC_ENV=ZOHOCRM_ROUNDS=0.1 \
	  $(if $(QUICK),BUSTEDFLAGS='$(filter-out $(LUA_SPECS:%=spec/%_spec.lua),$(C_SPECS))',$(CHECKED_SPECS)) \
	  BUSTED_LOG=build/valgrind-$(LUA_IMPL)$(LUA_ABI).log SPEC_WRAPPER='valgrind --quiet --leak-check=full \
	  --keep-debuginfo=yes --errors-for-leak-kinds=definite --error-exitcode=9'

# Programs that our C files are linked into.
LUA_LIBS     = $(shell $(PKG_CONFIG) --libs $(LUA_PC))
LINK_PROGRAM = $(CC) $(OWN_CFLAGS) -Icsrc $(LUA_CFLAGS) $(CURL_CFLAGS) $(DEFLATE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -o $@ \
               $(filter %.c %.o,$^) $(LDFLAGS) $(LUA_LIBS) $(CURL_LIBS) $(DEFLATE_LIBS) -lm

OOM_SOURCES := spec/support/oom/oom.c spec/support/oom/page_server.c
.PHONY: oom run-oom
oom: ## let every allocation fail in turn, with the sanitizers (LUA=luajit for LuaJIT)
	@$(SUBMAKE) run-oom BUILD=build/oom-$(LUA_IMPL)$(LUA_ABI) CC=gcc CFLAGS='$(ASAN_FLAGS)' LUA=$(LUA)
run-oom: $(BUILD)/oom
	@LUA_PATH="./?.lua;;" $(BUILD)/oom spec/support/oom/scenarios.lua
$(BUILD)/oom: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
$(BUILD)/oom: $(OOM_SOURCES) $(OBJECTS) spec/support/oom/page_server.h
	$(LINK_PROGRAM)

FUZZ_TARGETS := decode number url header inflate skim
FUZZ_SECONDS ?= 60
FUZZ_COMMON  := spec/fuzz/input_text.c spec/fuzz/lua_target.c
FUZZ_FLAGS   := $(subst address,fuzzer-no-link$(comma)address,$(ASAN_FLAGS))
.PHONY: fuzz run-fuzz fuzz-seeds run-fuzz-seeds
fuzz: ## look for inputs that break the parsers of foreign bytes (clang; FUZZ_SECONDS=60 for each target)
	@$(SUBMAKE) run-fuzz BUILD=build/fuzz CC=clang CFLAGS='$(FUZZ_FLAGS)' LUA=lua5.4
run-fuzz: FUZZ_MAIN := -fsanitize=fuzzer
run-fuzz: $(FUZZ_TARGETS:%=$(BUILD)/fuzz_%)
	@set -e; for target in $(FUZZ_TARGETS); do \
	  echo "== $$target"; mkdir -p $(BUILD)/found/$$target; \
	  $(BUILD)/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=$(BUILD)/$$target- $(BUILD)/found/$$target spec/fuzz/seeds/$$target; \
	done
fuzz-seeds: ## run the fuzz targets over their seeds
	@$(SUBMAKE) run-fuzz-seeds BUILD=build/fuzz-seeds CC=gcc CFLAGS='$(ASAN_FLAGS)' LUA=lua5.4
run-fuzz-seeds: FUZZ_MAIN := spec/fuzz/replay.c
run-fuzz-seeds: $(FUZZ_TARGETS:%=$(BUILD)/fuzz_%)
	@set -e; for target in $(FUZZ_TARGETS); do $(BUILD)/fuzz_$$target spec/fuzz/seeds/$$target/*; done
$(BUILD)/fuzz_%: spec/fuzz/fuzz_%.c $(FUZZ_COMMON) $(OBJECTS) $(wildcard spec/fuzz/*.h)
	$(LINK_PROGRAM) $(FUZZ_MAIN)

LINTS := luacheck clang-format clang-tidy cppcheck layers rockspec gcc clang symbols
.PHONY: lint $(LINTS:%=lint-%)
lint: $(LINTS:%=lint-%) ## all linters, and both compilers with warnings as errors

lint-luacheck: ## luacheck over every Lua file
	luacheck --quiet lua spec $(wildcard examples) .ci/luadoc.lua .luacheckrc .busted $(wildcard *.rockspec)
lint-clang-format: ## the C layout
	clang-format --dry-run -Werror $(wildcard csrc/*.c csrc/*.h)
lint-clang-tidy: | requirements ## clang's static analysis
	clang-tidy --quiet $(SOURCES) -- -std=c11 $(LUA_CFLAGS) $(CURL_CFLAGS) $(DEFLATE_CFLAGS)
lint-cppcheck: ## cppcheck's static analysis
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppressions-list=.cppcheck csrc
lint-layers: ## the core half of csrc (zc_*) knows nothing of Lua
	@! grep -nE '#[[:space:]]*include[[:space:]]*[<"](lua|lauxlib|lualib|lzc_)' csrc/zc_*.[ch]
lint-rockspec: ## luarocks accepts the rockspec
	luarocks lint zohocrm-scm-1.rockspec
lint-gcc lint-clang: lint-%:
	$(SUBMAKE) all CC=$* WERROR=1 BUILD=build/lint-$* LUA=lua5.4
	$(SUBMAKE) all CC=$* WERROR=1 BUILD=build/lint-$*-luajit LUA=luajit
lint-symbols: lint-gcc ## only luaopen_* is exported
	@$(NM) -D --defined-only build/lint-gcc/zohocrm/core.so | awk '{ print $$NF }' | grep -v '^luaopen_zohocrm_core$$' \
	  && { echo "error: core.so exports more than luaopen_zohocrm_core" >&2; exit 1; } || \
	  $(NM) -D --defined-only build/lint-gcc/zohocrm/core.so | grep -q ' T luaopen_zohocrm_core$$'

.PHONY: format
format: ## lay the C files out as .clang-format says
	clang-format -i $(wildcard csrc/*.c csrc/*.h)

.PHONY: doc
doc: ## render the reference into build/doc (LDoc)
	@.ci/deps $(DEPS_DOC)
	@rm -rf build/doc build/doc-source
	@lua5.4 .ci/luadoc.lua build/doc-source
	ldoc --quiet --dir build/doc --format markdown --project zohocrm build/doc-source

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9. -]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
