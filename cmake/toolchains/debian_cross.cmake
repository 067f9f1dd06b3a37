# What the cross compilers of Debian have in common. Programs of the target are run by an emulator
# (HEARTH_EMULATOR_ARGS, a list, may name a processor: -cpu;cortex-a72).
macro(hearth_cross triplet emulator)
  set(CMAKE_C_COMPILER ${triplet}-gcc)
  set(CMAKE_CXX_COMPILER ${triplet}-g++)
  set(CMAKE_FIND_ROOT_PATH /usr/${triplet} ${HEARTH_TARGET_ROOT})
  set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
  set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
  set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)  # libraries of headers alone are those of the build machine
  set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
  set(PKG_CONFIG_EXECUTABLE "" CACHE FILEPATH "none: it would find libraries of the build machine")
  set(CMAKE_CROSSCOMPILING_EMULATOR ${emulator} -L /usr/${triplet} ${HEARTH_EMULATOR_ARGS})
  list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES HEARTH_TARGET_ROOT HEARTH_EMULATOR_ARGS)
endmacro()
