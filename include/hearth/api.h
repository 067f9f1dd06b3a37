/* HEARTH_API marks what programs may call: the only names that a library of hearth shows to others. Where the compiler
 * hides names by default these stay visible; a host that wants to show nothing of hearth defines it as empty
 * (HEARTH_HIDDEN in CMake). C includes this file, too. */
#ifndef HEARTH_API

#if defined(__GNUC__) && !defined(_WIN32)
#define HEARTH_API __attribute__((visibility("default")))
#else
#define HEARTH_API
#endif

#endif
