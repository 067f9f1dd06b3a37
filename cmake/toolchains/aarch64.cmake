# 64-bit ARM on Linux from another machine: Debian's g++-aarch64-linux-gnu, and qemu-user to run what it makes.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
hearth_cross(aarch64-linux-gnu qemu-aarch64)
