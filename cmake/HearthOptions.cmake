# Compiler settings shared by the library, the tests and the examples.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(HEARTH_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()
find_package(Threads REQUIRED)

# Sanitizers: address;undefined or thread (see CMakePresets.json).
set(HEARTH_SANITIZE "" CACHE STRING "Sanitizers to build with, as for -fsanitize=")
if(HEARTH_SANITIZE)
  string(REPLACE ";" "," _hearth_sanitize "${HEARTH_SANITIZE}")
  add_compile_options(-fsanitize=${_hearth_sanitize} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  add_link_options(-fsanitize=${_hearth_sanitize})
endif()

# Warnings of our own code; errors in CI.
add_library(hearth_warnings INTERFACE)
target_compile_options(hearth_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wcast-align
  $<$<BOOL:${HEARTH_WERROR}>:-Werror>)
