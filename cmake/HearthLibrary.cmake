# The library: lib/ and kernels/, without exceptions and RTTI, one object library an instruction set.
file(GLOB_RECURSE HEARTH_LIB_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/lib/*.cpp)
file(GLOB HEARTH_KERNEL_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/*.cpp
  ${CMAKE_CURRENT_SOURCE_DIR}/kernels/reference/*.cpp)

add_library(hearth ${HEARTH_LIB_SOURCES} ${HEARTH_KERNEL_SOURCES})
add_library(hearth::hearth ALIAS hearth)
target_compile_features(hearth PUBLIC cxx_std_20)
target_include_directories(hearth PUBLIC
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:include>
  PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
# -ffp-contract=off: the scalar reference must round as the formats define; kernels contract by hand.
set(HEARTH_PRIVATE_FLAGS -fno-exceptions -fno-rtti -ffp-contract=off -fvisibility=hidden -fvisibility-inlines-hidden -Wconversion -Wno-sign-conversion)
target_compile_options(hearth PRIVATE ${HEARTH_PRIVATE_FLAGS})
target_link_libraries(hearth PRIVATE $<BUILD_INTERFACE:hearth_warnings> PUBLIC Threads::Threads)

# Instruction sets: a folder under kernels/, one row here, one entry in kernels/cpu_features.cpp.
# hearth_isa(folder define flags...)
function(hearth_isa folder define)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/${folder}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(hearth_${folder} OBJECT ${sources})
  target_compile_features(hearth_${folder} PRIVATE cxx_std_20)
  target_include_directories(hearth_${folder} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)
  target_compile_options(hearth_${folder} PRIVATE ${HEARTH_PRIVATE_FLAGS} ${ARGN})
  target_link_libraries(hearth_${folder} PRIVATE hearth_warnings)
  set_target_properties(hearth_${folder} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_sources(hearth PRIVATE $<TARGET_OBJECTS:hearth_${folder}>)
  target_compile_definitions(hearth PRIVATE ${define}=1)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(HEARTH_ISAS "avx2;avx512" CACHE STRING "Instruction sets to compile besides scalar")
  if("avx2" IN_LIST HEARTH_ISAS)
    hearth_isa(avx2 HEARTH_HAVE_AVX2 -mavx2 -mfma -mf16c -mbmi -mbmi2)
  endif()
  if("avx512" IN_LIST HEARTH_ISAS)
    hearth_isa(avx512 HEARTH_HAVE_AVX512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx2 -mfma -mf16c -mbmi -mbmi2)
  endif()
else()
  set(HEARTH_ISAS "" CACHE STRING "Instruction sets to compile besides scalar")
endif()
