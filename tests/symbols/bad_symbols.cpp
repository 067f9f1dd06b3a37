// Everything that the library must not refer to; proves that the symbol checks can fail.
#undef NDEBUG
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

inline int __attribute__((noinline)) weak_function(int x) {
  return x * x + 1;
}

int bad_symbols(int x) {
  switch (weak_function(x)) {
    case 1: std::abort();
    case 2: std::exit(x);
    case 3: std::cout << x; break;
    case 4: std::terminate();
    case 5: throw x;
    default: std::printf("%d", x);
  }
  assert(x > 0);
  return x;
}
