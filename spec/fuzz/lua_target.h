/* For targets that go through Lua: the check is a Lua function. */
#ifndef LUA_TARGET_H
#define LUA_TARGET_H

#include "target.h"

/* Calls the function that the Lua file `path` (from the root of the tree) gives, with the input. An error, whatever it
 * says, ends the process. The state and the function live on from input to input. */
void check_by_lua(const char *path, const uint8_t *data, size_t n);

#endif
