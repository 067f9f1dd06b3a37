# 32-bit ARM (armv7, hard float) on Linux from another machine: Debian's g++-arm-linux-gnueabihf and qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
hearth_cross(arm-linux-gnueabihf qemu-arm)
