# The library hearth::hearth: lib/ and kernels/, without exceptions and RTTI, one object library an instruction set.
file(GLOB_RECURSE lib_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/*.cpp)
file(GLOB kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cpp)
file(GLOB reference_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/reference/*.cpp)

# -ffp-contract=off: results must round as the formats define; kernels that want a fused multiply-add write it.
# -fno-asynchronous-unwind-tables: nothing unwinds through the library, and the tables are a tenth of it.
# -fno-semantic-interposition: calls within the library stay direct although it is position-independent.
add_library(hearth_flags INTERFACE)
target_compile_options(hearth_flags INTERFACE -fno-exceptions -fno-asynchronous-unwind-tables -fno-rtti -ffp-contract=off
  -fvisibility-inlines-hidden -fno-semantic-interposition -Wconversion -Wno-sign-conversion)
target_compile_features(hearth_flags INTERFACE cxx_std_20)
target_include_directories(hearth_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)

# hearth_part(name level sources...): objects of the library, optimised as `level` says in release builds; their small files
# are compiled as one, which takes less time and leaves fewer copies of what headers define.
set(hearth_objects "")
function(hearth_part name level)
  add_library(hearth_${name} OBJECT ${ARGN})
  target_link_libraries(hearth_${name} PRIVATE hearth_flags hearth_warnings)
  target_compile_options(hearth_${name} PRIVATE
    $<$<AND:$<CXX_COMPILER_ID:GNU,Clang,AppleClang>,$<CONFIG:Release>>:${level}>
    # Sources that are compiled together look to GCC like headers, whose unnamed namespaces it warns of.
    $<$<AND:$<BOOL:${HEARTH_UNITY}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>)
  set_target_properties(hearth_${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON UNITY_BUILD ${HEARTH_UNITY} UNITY_BUILD_BATCH_SIZE 0)
  set(hearth_objects ${hearth_objects} $<TARGET_OBJECTS:hearth_${name}> PARENT_SCOPE)
endfunction()

# Models wait for kernels and memory: what lib/ does besides is built for size, but for what runs for every byte or token.
set(levels_of_lib arch:-Os cache:-O2 chat:-Os gguf:-Os io:-Os model:-Os runtime:-O2 sample:-O2 tokenizer:-O2)
foreach(folder_and_level IN LISTS levels_of_lib)
  string(REPLACE ":" ";" pair ${folder_and_level})
  list(GET pair 0 folder)
  list(GET pair 1 level)
  set(sources ${lib_sources})
  list(FILTER sources INCLUDE REGEX "/lib/${folder}/")
  list(FILTER lib_sources EXCLUDE REGEX "/lib/${folder}/")
  hearth_part(${folder} ${level} ${sources})
endforeach()
hearth_part(kernels -Os ${kernel_sources})
hearth_part(reference -O3 ${reference_sources})

add_library(hearth ${lib_sources} ${hearth_objects})
add_library(hearth::hearth ALIAS hearth)
target_compile_features(hearth PUBLIC cxx_std_20)
target_include_directories(hearth PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(hearth PRIVATE $<BUILD_INTERFACE:hearth_flags> $<BUILD_INTERFACE:hearth_warnings>
  PUBLIC Threads::Threads)
set_target_properties(hearth PROPERTIES POSITION_INDEPENDENT_CODE ON
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
if(HEARTH_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  target_compile_definitions(hearth_runtime PRIVATE HEARTH_OPENMP=1)
  target_link_libraries(hearth_runtime PRIVATE OpenMP::OpenMP_CXX)
  target_link_libraries(hearth PRIVATE OpenMP::OpenMP_CXX)
endif()

# hearth_isa(folder processors definition flags...): adds kernels/<folder>, compiled with these flags, when
# HEARTH_ISAS lists it and the target processor matches; defines `definition` for kernels/dispatch.cpp.
set(HEARTH_ISA_TARGETS "")
function(hearth_isa folder processors definition)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/${folder}/*.cpp)
  if(NOT sources OR NOT folder IN_LIST HEARTH_ISAS OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(${processors})$")
    return()
  endif()
  add_library(hearth_${folder} OBJECT ${sources})
  target_compile_options(hearth_${folder} PRIVATE ${ARGN})
  target_link_libraries(hearth_${folder} PRIVATE hearth_flags hearth_warnings)
  set_target_properties(hearth_${folder} PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF)  # kernels are large
  target_sources(hearth PRIVATE $<TARGET_OBJECTS:hearth_${folder}>)
  target_compile_definitions(hearth_kernels PRIVATE ${definition}=1)
  set(HEARTH_ISA_TARGETS ${HEARTH_ISA_TARGETS} hearth_${folder} PARENT_SCOPE)
endfunction()

# Instruction sets: a folder under kernels/, one row here, one entry in kernels/cpu_features.cpp.
set(x86 "x86_64|AMD64|amd64")
set(avx2_flags -mavx2 -mfma -mf16c -mbmi -mbmi2)
hearth_isa(avx2 ${x86} HEARTH_HAVE_AVX2 ${avx2_flags})
if(HEARTH_EMULATE_ISAS)
  add_compile_definitions(HEARTH_EMULATE_ISAS=1)
  set(avx_vnni_flags ${avx2_flags})
else()
  set(avx_vnni_flags ${avx2_flags} -mavxvnni)
endif()
if(TARGET hearth_avx2)  # its base
  hearth_isa(avx_vnni ${x86} HEARTH_HAVE_AVX_VNNI ${avx_vnni_flags})
endif()
if(HEARTH_EMULATE_ISAS)
  set(avx512_flags -I${PROJECT_SOURCE_DIR}/tests/emulation -DSIMDE_NO_NATIVE -O1 -w -fpermissive -Wno-psabi ${avx2_flags})
else()
  set(avx512_flags -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni ${avx2_flags}
    # GCC 12's own intrinsics start from undefined registers, and it warns of that (GCC bug 105593).
    -Wno-uninitialized $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
hearth_isa(avx512 ${x86} HEARTH_HAVE_AVX512 ${avx512_flags})
