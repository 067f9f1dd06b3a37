# Fails when an object (names joined by |) defines a weak or unique symbol: an inline function compiled with wide
# instructions, which the linker could choose for callers on machines that lack them.
cmake_policy(VERSION 3.22)
string(REPLACE "|" ";" objects "${OBJECTS}")
execute_process(COMMAND ${NM} -A --defined-only ${objects} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT status EQUAL 0 OR NOT output)
  message(FATAL_ERROR "nm found nothing: ${errors}")
endif()
string(REPLACE ";" "," output "${output}")
string(REGEX MATCHALL "[^\n]+ [VWuvw] [^\n]+" weak "${output}")
if(weak)
  list(JOIN weak "\n" weak)
  message(FATAL_ERROR "weak symbols in wide-instruction objects:\n${weak}")
endif()
