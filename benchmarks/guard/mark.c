/* The marks of the counted process for callgrind. Outside valgrind they do nothing. */
#include <valgrind/callgrind.h>

void guard_start(void) { CALLGRIND_START_INSTRUMENTATION; }
void guard_zero(void) { CALLGRIND_ZERO_STATS; }
void guard_dump(const char *path) { CALLGRIND_DUMP_STATS_AT(path); } /* also zeroes the counts */
