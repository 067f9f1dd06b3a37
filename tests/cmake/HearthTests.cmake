# hearth_discover_tests(target): every GoogleTest case of a program becomes a CTest test. The cases are listed when
# ctest starts, not when the program is built: those of the golden suites follow HEARTH_GOLDEN. Programs for another
# processor run in the emulator that the toolchain file names.
function(hearth_discover_tests target)
  set(include_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake)
  set(limit 300)  # seconds
  if(HEARTH_SANITIZE)
    set(limit 1500)  # ThreadSanitizer makes the products of a model some hundred times slower
  endif()
  file(GENERATE OUTPUT ${include_file} CONTENT
    "set(program \"$<TARGET_FILE:${target}>\")\nset(prefix ${target})\nset(limit ${limit})\nset(emulator \"${CMAKE_CROSSCOMPILING_EMULATOR}\")\ninclude(\"${CMAKE_CURRENT_FUNCTION_LIST_DIR}/discover.cmake\")\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include_file})
endfunction()
