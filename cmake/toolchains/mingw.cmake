# 64-bit Windows from another machine: Debian's g++-mingw-w64-x86-64-posix, and wine to run what it makes.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
hearth_cross(x86_64-w64-mingw32 wine)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_CROSSCOMPILING_EMULATOR wine)
# Programs that need none of the compiler's libraries beside them.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
# The oldest Windows that has the calls is 8.
set(CMAKE_CXX_FLAGS_INIT "-D_WIN32_WINNT=0x0602")
