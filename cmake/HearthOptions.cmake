# Options of the build, and the compiler settings that the library, the tests and the examples share.
include(GNUInstallDirs)

option(HEARTH_BUILD_EXAMPLES "Build the command-line tool and the examples" ${HEARTH_TOP_LEVEL})
option(HEARTH_BUILD_TESTS "Build the tests (GoogleTest)" ${HEARTH_TOP_LEVEL})
option(HEARTH_BUILD_BENCHMARKS "Build the kernel benchmarks (Google Benchmark)" OFF)
option(HEARTH_BUILD_FUZZERS "Build the libFuzzer entries (clang, the fuzz preset)" OFF)
option(HEARTH_WERROR "Treat warnings as errors" OFF)
option(HEARTH_INSTALL "Make install rules" ${HEARTH_TOP_LEVEL})
option(HEARTH_DEBUG "Compile the library as CMAKE_BUILD_TYPE says even if that leaves it without optimization" ${HEARTH_TOP_LEVEL})
option(HEARTH_OPENMP "Run parallel loops on OpenMP instead of our own threads" OFF)
option(HEARTH_JINJA "Build the engine of chat templates; without it ChatTemplate says kUnsupported" ON)
option(HEARTH_THREADS "Threads of the library's own; OFF: the caller's thread or a host's pool, and no Engine" ON)
option(HEARTH_FILES "Files and mappings; OFF: models and all else from memory alone, without calls of the operating system" ON)
option(HEARTH_MAKERS "What makes files: quantizer, converters, merging, importance matrices, perplexity" ON)
option(HEARTH_HIDDEN "Show no names: a plug-in that links this static library exports none of them, and meets no other hearth's" OFF)
option(HEARTH_C "The C interface (include/hearth/c.h)" ON)
option(HEARTH_EXCEPTIONS "Out of memory is an error (exceptions inside lib/); OFF: a small allocation that fails ends the process" ON)
option(HEARTH_UNITY "Compile source files together: half the time for a whole build, more after a small change" ON)
option(BUILD_SHARED_LIBS "Build a shared library" OFF)
set(HEARTH_ISAS all CACHE STRING
  "Instruction sets to compile besides scalar: all that the target processor may have, or a list of names (cmake/HearthIsas.cmake)")
option(HEARTH_EMULATE_ISAS "Test the kernels for AVX-VNNI and AVX-512 on any processor with AVX2 (SIMDe; slow)" OFF)
set(HEARTH_PAGE AUTO CACHE STRING
  "The page of hearth serve: ON, OFF, or AUTO: where there is npm, and without it if npm fails (examples/page)")
set_property(CACHE HEARTH_PAGE PROPERTY STRINGS AUTO ON OFF)
set(HEARTH_SANITIZE "" CACHE STRING "Sanitizers, as a list for -fsanitize= (the asan, tsan and fuzz presets)")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(HEARTH_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo, MinSizeRel" FORCE)
endif()
set(HEARTH_THREAD_LIBRARY "")
if(HEARTH_THREADS)
  find_package(Threads REQUIRED)
  set(HEARTH_THREAD_LIBRARY Threads::Threads)
endif()

# Units of many files are large: a collector of the compiler's memory that runs more rarely saves 7% of the build.
if(HEARTH_UNITY AND HEARTH_TOP_LEVEL AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options("SHELL:--param ggc-min-heapsize=600000")
endif()

# Without these passes GCC takes a third less time over code that is built for size, and makes it 2% larger. Those over loops apart.
set(HEARTH_QUICK_FLAGS "")
set(HEARTH_QUICK_LOOPS "")
if(HEARTH_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(HEARTH_QUICK_FLAGS -fno-schedule-insns2 -fno-tree-pre -fno-code-hoisting -fno-tree-vrp -fno-thread-jumps -fno-gcse -fno-ipa-cp
    -fno-tree-pta -fno-tree-dominator-opts)
  set(HEARTH_QUICK_LOOPS -fno-tree-loop-optimize -fno-ivopts)
endif()
# The tool, the server and the store: nothing there is hot, and header-only packages take long to optimise.
set(HEARTH_TOOL_FLAGS $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
if(HEARTH_QUICK_FLAGS)
  # Without these passes GCC 12 takes values of std::optional that are never read for uninitialized ones.
  set(HEARTH_TOOL_FLAGS $<$<CONFIG:RelWithDebInfo>:-O1>
    "$<$<CONFIG:Release>:-Os;${HEARTH_QUICK_FLAGS};${HEARTH_QUICK_LOOPS};-Wno-maybe-uninitialized>")
endif()

if(HEARTH_SANITIZE)
  list(JOIN HEARTH_SANITIZE "," sanitizers)
  # vptr checks need RTTI, which the library does without.
  add_compile_options(-fsanitize=${sanitizers} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
endif()

# Warnings for our own code; errors in CI.
add_library(hearth_warnings INTERFACE)
target_compile_options(hearth_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wcast-align
  # GCC 12 sees overlaps in std::string's operator+ that are not there (its bug 105329).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  # std::stable_sort of libstdc++ 12 calls what the same header declares deprecated, and Clang says so.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
  $<$<BOOL:${HEARTH_WERROR}>:-Werror>)
