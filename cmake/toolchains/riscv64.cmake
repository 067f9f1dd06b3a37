# 64-bit RISC-V on Linux from another machine: Debian's g++-riscv64-linux-gnu and qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
hearth_cross(riscv64-linux-gnu qemu-riscv64)
