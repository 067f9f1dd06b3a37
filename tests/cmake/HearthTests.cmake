# hearth_discover_tests(target): every GoogleTest case of a program becomes a CTest test. The cases are listed when
# ctest starts, not when the program is built: those of the golden suites follow HEARTH_GOLDEN.
function(hearth_discover_tests target)
  set(include_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake)
  file(GENERATE OUTPUT ${include_file} CONTENT
    "set(program \"$<TARGET_FILE:${target}>\")\nset(prefix ${target})\ninclude(\"${CMAKE_CURRENT_FUNCTION_LIST_DIR}/discover.cmake\")\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include_file})
endfunction()
