/* The decoder against lua-cjson, in one go and in pieces; see fuzz_decode.lua. */
#include "lua_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_by_lua("spec/fuzz/fuzz_decode.lua", data, n);
    return 0;
}
