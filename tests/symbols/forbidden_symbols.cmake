# Fails when LIBRARY refers to a function that ends the process, prints, or throws. With EXPECT (names joined by |)
# it fails instead when one of these is NOT found.
#
# Tolerated, because the standard library's inline code refers to them and its own object files hold them:
#   std::__throw_length_error, __throw_bad_alloc, __throw_bad_array_new_length, __throw_logic_error,
#   __throw_out_of_range_fmt, __throw_bad_function_call, __throw_system_error: the checks inside containers,
#   std::string, std::function and std::mutex; and operator new. What they throw ends in lib/base/guard.h, as an error.
#   __cxa_begin_catch, __cxa_end_catch, __cxa_rethrow, _Unwind_Resume, __gxx_personality_v0: catching that, and destroying
#   what it passes by. A throw expression of our own needs __cxa_throw, which is not tolerated.
#   __stack_chk_fail, __memcpy_chk and the like: hardening that distributions switch on in their compilers.
cmake_policy(VERSION 3.22)
execute_process(COMMAND ${NM} -A -u ${LIBRARY} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "nm failed: ${errors}")
endif()

set(end_process abort exit _exit _Exit quick_exit raise kill __assert_fail __assert_perror_fail __assert
  _ZSt9terminatev _ZSt10unexpectedv _ZSt13__glibcxx_assert_failPKciS0_S0_ __chk_fail)
set(print "_*v?[fd]?w?printf(_chk)?" puts putchar putc fputs fputc fputws putwchar perror psignal syslog stdout stderr
  _ZSt4cout _ZSt4cerr _ZSt4clog _ZSt5wcout _ZSt5wcerr _ZSt5wclog _ZNSt8ios_base4InitC1Ev)
set(throw __cxa_throw __cxa_allocate_exception __cxa_bad_cast __cxa_bad_typeid __dynamic_cast)
list(JOIN end_process "|" a)
list(JOIN print "|" b)
list(JOIN throw "|" c)
set(forbidden "(${a}|${b}|${c})")

string(REPLACE ";" "," output "${output}")
string(REPLACE "\n" ";" lines "${output}")
set(found "")
set(names "")
foreach(line IN LISTS lines)
  if(line MATCHES "^(.*): +[Uw] ${forbidden}(@.*)?$")
    set(symbol ${CMAKE_MATCH_2})
    list(APPEND found "  ${symbol}  in ${CMAKE_MATCH_1}")
    string(REGEX REPLACE "^__(.*)_chk$" "\\1" symbol "${symbol}")  # as hardened compilers call it
    string(REPLACE "_ZSt4cout" "std::cout" symbol "${symbol}")
    string(REPLACE "_ZSt9terminatev" "std::terminate" symbol "${symbol}")
    list(APPEND names ${symbol})
  endif()
endforeach()

if(EXPECT)
  string(REPLACE "|" ";" expected "${EXPECT}")
  foreach(name IN LISTS expected)
    if(NOT name IN_LIST names)
      message(FATAL_ERROR "the check does not find ${name}; found: ${names}")
    endif()
  endforeach()
elseif(found)
  list(JOIN found "\n" found)
  message(FATAL_ERROR "the library must not end the process, print or throw:\n${found}")
endif()
