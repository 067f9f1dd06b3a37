# The library hearth::hearth: lib/ and kernels/, without RTTI, one object library an instruction set.
file(GLOB_RECURSE lib_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/*.cpp)
file(GLOB kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cpp)
file(GLOB reference_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/reference/*.cpp ${PROJECT_SOURCE_DIR}/kernels/encode/*.cpp)

# -ffp-contract=off: results must round as the formats define; kernels that want a fused multiply-add write it.
# -fno-asynchronous-unwind-tables: only code that exceptions may pass through needs such tables, and they take room. (Exceptions of
# Windows are made of them.)
# -fno-semantic-interposition: calls within the library stay direct although it is position-independent.
add_library(hearth_flags INTERFACE)
target_compile_options(hearth_flags INTERFACE $<$<NOT:$<PLATFORM_ID:Windows>>:-fno-asynchronous-unwind-tables> -fno-rtti -ffp-contract=off
  -fvisibility-inlines-hidden $<$<NOT:$<PLATFORM_ID:WASI>>:-fno-semantic-interposition> -Wconversion -Wno-sign-conversion)
if(HEARTH_HIDDEN AND NOT BUILD_SHARED_LIBS)
  target_compile_options(hearth_flags INTERFACE -fvisibility=hidden)
  target_compile_definitions(hearth_flags INTERFACE HEARTH_API=)
endif()
# A build for size: programs drop what they do not call (-Wl,--gc-sections).
target_compile_options(hearth_flags INTERFACE $<$<CONFIG:MinSizeRel>:-ffunction-sections> $<$<CONFIG:MinSizeRel>:-fdata-sections>)
target_compile_features(hearth_flags INTERFACE cxx_std_20)
target_include_directories(hearth_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)

# Results must round as the formats define, whatever flags a host project compiles with.
if(NOT HEARTH_TOP_LEVEL OR CMAKE_CXX_FLAGS MATCHES "fast|unsafe")
  target_compile_options(hearth_flags BEFORE INTERFACE -fno-fast-math -fno-unsafe-math-optimizations -fno-associative-math
    -fno-reciprocal-math -fno-finite-math-only -fsigned-zeros)
endif()

# Whether the library is optimized although the build is none that asks for it: in a host project without CMAKE_BUILD_TYPE, or
# with Debug, where its kernels would run 25 to 40 times slower. HEARTH_DEBUG=ON compiles it as the build type says.
set(HEARTH_OPTIMIZE_ANYWAY "$<AND:$<NOT:$<BOOL:${HEARTH_DEBUG}>>,$<NOT:$<CONFIG:Release,RelWithDebInfo,MinSizeRel>>>")

# hearth_part(name level sources...): objects of the library, optimized as the flags `level` say in release builds; their files
# are compiled as one, which takes less time and leaves fewer copies of what headers define.
set(hearth_objects "")
function(hearth_part name level)
  add_library(hearth_${name} OBJECT ${ARGN})
  target_link_libraries(hearth_${name} PRIVATE hearth_flags hearth_warnings)
  target_compile_options(hearth_${name} PRIVATE
    "$<$<AND:$<CXX_COMPILER_ID:GNU,Clang,AppleClang>,$<OR:$<CONFIG:Release>,${HEARTH_OPTIMIZE_ANYWAY}>>:${level}>"
    # Sources that are compiled together look to GCC like headers, whose unnamed namespaces it warns of.
    $<$<AND:$<BOOL:${HEARTH_UNITY}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>)
  set_target_properties(hearth_${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON UNITY_BUILD ${HEARTH_UNITY} UNITY_BUILD_BATCH_SIZE 0)
  set(hearth_objects ${hearth_objects} $<TARGET_OBJECTS:hearth_${name}> PARENT_SCOPE)
endfunction()

if(HEARTH_JINJA)
  list(FILTER lib_sources EXCLUDE REGEX "/lib/chat/without_jinja\\.cpp$")
else()
  list(FILTER lib_sources EXCLUDE REGEX "/lib/jinja/|/lib/chat/(chat_template|messages)\\.cpp$")
endif()
# What a build does without is replaced by files of that name, or left out.
if(HEARTH_THREADS)
  list(FILTER lib_sources EXCLUDE REGEX "/without_threads\\.cpp$")
else()
  list(FILTER lib_sources EXCLUDE REGEX "/lib/base/(parallel|cpu_topology)\\.cpp$|/lib/engine/[a-v][a-z_]*\\.cpp$")
  target_compile_definitions(hearth_flags INTERFACE HEARTH_NO_THREADS=1)
endif()
if(HEARTH_FILES)
  list(FILTER lib_sources EXCLUDE REGEX "/without_files\\.cpp$")
else()
  list(FILTER lib_sources EXCLUDE REGEX "/lib/io/[a-v][a-z_]*\\.cpp$")
  target_compile_definitions(hearth_flags INTERFACE HEARTH_NO_FILES=1)
endif()
if(WIN32)
  list(FILTER lib_sources EXCLUDE REGEX "/system_posix\\.cpp$")
  # Others may use words that macros of its headers are.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/base/cpu_topology.cpp ${PROJECT_SOURCE_DIR}/lib/base/stack.cpp
    PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
else()
  list(FILTER lib_sources EXCLUDE REGEX "/system_windows\\.cpp$")
endif()
# Macros before the headers of the system: how wide offsets are, what Windows leaves out.
set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/io/system_posix.cpp ${PROJECT_SOURCE_DIR}/lib/io/system_windows.cpp
  PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
if(NOT HEARTH_MAKERS)
  list(FILTER lib_sources EXCLUDE REGEX "/lib/(quantize|convert)/|/lib/c/(quantizer|quality|importance_matrix|files)\\.cpp$")
endif()
if(NOT HEARTH_C)
  list(FILTER lib_sources EXCLUDE REGEX "/lib/c/")
endif()
# What runs for every byte or token of a text is built for speed; not what sets it up, once for a model.
set(of_tokenizer clean_spaces|decode|pre_rules|rule_parser|special_ids|special_tokens|string_table|tokenizer)
set(setup "/lib/(base/(cpu_topology|quote)|sample/(chain|options|recommended)|tokenizer/(${of_tokenizer}))\\.cpp$")
set(hot_sources ${lib_sources})
list(FILTER hot_sources INCLUDE REGEX "/lib/(base|unicode|tokenizer|sample)/|/lib/grammar/(automaton|dfa|mask)\\.cpp$")
list(FILTER hot_sources EXCLUDE REGEX ${setup})
list(REMOVE_ITEM lib_sources ${hot_sources})
hearth_part(hot -O2 ${hot_sources})
set(parts_of_lib hearth_hot)
# The rest waits for kernels and memory, and is built for size: parts of about the same time. Those with loops over numbers keep
# what GCC makes of loops. The C interface stays apart, so that programs in C++ link none of it.
set(small -Os ${HEARTH_QUICK_FLAGS})
set(cold ${small} ${HEARTH_QUICK_LOOPS})
# Sections by function: a function of C++ that a linker takes from here must not keep all of it.
set(apart ${cold} -ffunction-sections)
foreach(part_and_folders IN ITEMS run:small:base|arch|cpu|matmul|cache|model|session|engine files:small:io|gguf|quantize|convert
    c:apart:c text:cold:json|jinja|chat grammar:cold:tokenizer|sample|grammar)
  string(REPLACE ":" ";" row ${part_and_folders})
  list(GET row 0 name)
  list(GET row 1 level)
  list(GET row 2 folders)
  set(sources ${lib_sources})
  list(FILTER sources INCLUDE REGEX "/lib/(${folders})/")
  list(FILTER lib_sources EXCLUDE REGEX "/lib/(${folders})/")
  if(sources)
    hearth_part(${name} "${${level}}" ${sources})
    list(APPEND parts_of_lib hearth_${name})
  endif()
endforeach()
if(NOT HEARTH_EXCEPTIONS)
  foreach(part IN LISTS parts_of_lib)
    target_compile_options(${part} PRIVATE -fno-exceptions)
  endforeach()
endif()
hearth_part(kernels -Os ${kernel_sources})
hearth_part(reference -O2 ${reference_sources})
# Kernels allocate nothing and call nobody; lib/ has exceptions, which lib/base/guard.h keeps inside.
target_compile_options(hearth_kernels PRIVATE -fno-exceptions)
target_compile_options(hearth_reference PRIVATE -fno-exceptions)
# Encoders: vectors within one file. What those of 256 bits inline beyond their lanes makes them larger, not faster.
set(encoder_flags -O2 -Wno-psabi)
set(encoder_flags_x86 ${encoder_flags} $<$<CXX_COMPILER_ID:GNU>:--param=max-inline-insns-single=30>)
set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/encode/any_processor.cpp PROPERTIES
  COMPILE_OPTIONS "-Os;-Wno-psabi" SKIP_UNITY_BUILD_INCLUSION ON)

add_library(hearth ${lib_sources} ${hearth_objects})
add_library(hearth::hearth ALIAS hearth)
target_compile_features(hearth PUBLIC cxx_std_20)
target_include_directories(hearth PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(hearth PRIVATE $<BUILD_INTERFACE:hearth_flags> $<BUILD_INTERFACE:hearth_warnings>
  PUBLIC ${HEARTH_THREAD_LIBRARY})
set_target_properties(hearth PROPERTIES POSITION_INDEPENDENT_CODE ON
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  include(cmake/HearthExports.cmake)
endif()
if(HEARTH_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  target_compile_definitions(hearth_hot PRIVATE HEARTH_OPENMP=1)
  target_link_libraries(hearth_hot PRIVATE OpenMP::OpenMP_CXX)
  target_link_libraries(hearth PRIVATE OpenMP::OpenMP_CXX)
endif()

# hearth_isa_part(target flags sources...): objects of the row that hearth_isa_row is at.
macro(hearth_isa_part target flags)
  add_library(${target} OBJECT ${ARGN})
  target_compile_options(${target} PRIVATE $<${HEARTH_OPTIMIZE_ANYWAY}:-O3> -fno-exceptions ${row_FLAGS} ${flags})
  target_link_libraries(${target} PRIVATE hearth_flags hearth_warnings)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD ${HEARTH_UNITY} UNITY_BUILD_BATCH_SIZE 5)
  if(EXISTS ${PROJECT_SOURCE_DIR}/kernels/${row_VECTORS}/simd.h)
    set_target_properties(${target} PROPERTIES HEARTH_VECTORS kernels/${row_VECTORS}/simd.h)
    target_compile_definitions(${target} PRIVATE "HEARTH_VECTORS=\"kernels/${row_VECTORS}/simd.h\"")
  endif()
  if(NOT row_APART)
    target_sources(hearth PRIVATE $<TARGET_OBJECTS:${target}>)
  endif()
  list(APPEND HEARTH_ISA_TARGETS ${target})
  set(HEARTH_ISA_TARGETS ${HEARTH_ISA_TARGETS} PARENT_SCOPE)
endmacro()

# hearth_isa_row(name ...): adds kernels/<name>, when HEARTH_ISAS lists it (or is "all") and its base, and the target processor
# matches; see HearthIsas.cmake. Rows of isas.inc: HEARTH_ISA(name, base, needs), or HEARTH_ISA_APART(..); of encoder_sets.inc, where the folder has an
# encode.cpp: HEARTH_ENCODERS(name, needs).
set(HEARTH_ISA_TARGETS "")
set(HEARTH_BUILT_ISAS scalar)
set(encoder_sets_inc "")
set(isas_inc "// Made by cmake/HearthLibrary.cmake from cmake/HearthIsas.cmake: the instruction sets of this build, slowest first.\n")
function(hearth_isa_row name)
  cmake_parse_arguments(PARSE_ARGV 1 row "APART" "BASE;PROCESSORS;VECTORS" "NEEDS;FLAGS;WITH;EMULATED_NEEDS;EMULATED_FLAGS")
  if(row_UNPARSED_ARGUMENTS OR NOT row_BASE)
    message(FATAL_ERROR "instruction set ${name}: no BASE, or unknown words: ${row_UNPARSED_ARGUMENTS}")
  endif()
  if(row_PROCESSORS AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(${row_PROCESSORS})$")
    return()
  endif()
  if(NOT (name IN_LIST HEARTH_ISAS OR HEARTH_ISAS STREQUAL "all") OR NOT row_BASE IN_LIST HEARTH_BUILT_ISAS)
    return()
  endif()
  if(HEARTH_EMULATE_ISAS AND row_EMULATED_NEEDS)
    set(row_NEEDS ${row_EMULATED_NEEDS})
    set(row_FLAGS ${row_EMULATED_FLAGS})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/${name}/*.cpp)
  list(TRANSFORM row_WITH PREPEND ${PROJECT_SOURCE_DIR}/kernels/)
  list(APPEND sources ${row_WITH})
  if(NOT row_VECTORS)
    set(row_VECTORS ${name})
  endif()
  # Beside the products of matrices, loops that wait for memory or run once a row: unrolled further they are larger, not faster.
  set(loops ${sources})
  list(FILTER loops INCLUDE REGEX "/(attention|attention_run|floats|pack_acts|vector_ops)\\.cpp$")
  if(loops)
    list(REMOVE_ITEM sources ${loops})
    hearth_isa_part(hearth_${name}_loops $<$<CONFIG:Release>:-O2> ${loops})
  endif()
  hearth_isa_part(hearth_${name} "" ${sources})
  set(HEARTH_BUILT_ISAS ${HEARTH_BUILT_ISAS} ${name} PARENT_SCOPE)
  list(JOIN row_NEEDS " " needs)
  set(row_macro HEARTH_ISA)
  if(row_APART)
    set(row_macro HEARTH_ISA_APART)
  endif()
  set(isas_inc "${isas_inc}${row_macro}(${name}, ${row_BASE}, \"${needs}\")\n" PARENT_SCOPE)
  set(encoders ${PROJECT_SOURCE_DIR}/kernels/${name}/encode.cpp)
  if(EXISTS ${encoders})  # its width is a macro, which no other file shall see
    set_source_files_properties(${encoders} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON COMPILE_OPTIONS "$<$<CONFIG:Release>:${encoder_flags}>")
    set(encoder_sets_inc "${encoder_sets_inc}HEARTH_ENCODERS(${name}, \"${needs}\")\n" PARENT_SCOPE)
  endif()
endfunction()

if(HEARTH_EMULATE_ISAS)
  add_compile_definitions(HEARTH_EMULATE_ISAS=1)
endif()
include(cmake/HearthIsas.cmake)
# What several x86 sets share as it is (kernels/x86/*.cpp), compiled once for registers of 256 bits.
if("avx2" IN_LIST HEARTH_BUILT_ISAS OR "avx512" IN_LIST HEARTH_BUILT_ISAS)
  file(GLOB x86_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/x86/*.cpp)
  add_library(hearth_x86 OBJECT ${x86_sources})
  target_compile_options(hearth_x86 PRIVATE ${encoder_flags_x86} ${avx2_flags} -fno-exceptions)
  target_link_libraries(hearth_x86 PRIVATE hearth_flags hearth_warnings)
  set_target_properties(hearth_x86 PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD ${HEARTH_UNITY})
  target_sources(hearth PRIVATE $<TARGET_OBJECTS:hearth_x86>)
  set(HEARTH_ISA_TARGETS ${HEARTH_ISA_TARGETS} hearth_x86)
  list(JOIN avx2_needs " " needs)
  set(encoder_sets_inc "HEARTH_ENCODERS(x86, \"${needs}\")\n${encoder_sets_inc}")
endif()
# Where the sets of this processor have their own, what serves any processor is there to be right, and small.
if("avx2" IN_LIST HEARTH_BUILT_ISAS)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/encode/any_processor.cpp PROPERTIES
    COMPILE_OPTIONS "-Os;$<$<CXX_COMPILER_ID:GNU>:-fno-inline-functions-called-once>;-Wno-psabi" COMPILE_DEFINITIONS HEARTH_ENCODE_COMPACT=1)
endif()
if("avx2" IN_LIST HEARTH_BUILT_ISAS OR "neon" IN_LIST HEARTH_BUILT_ISAS)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/reference/kv_blocks.cpp PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-Os>")
endif()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/isas.inc CONTENT "${isas_inc}" @ONLY)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/encoder_sets.inc CONTENT "${encoder_sets_inc}" @ONLY)
target_include_directories(hearth_kernels PRIVATE ${PROJECT_BINARY_DIR}/generated)  # dispatch.cpp and encoders.cpp read it
