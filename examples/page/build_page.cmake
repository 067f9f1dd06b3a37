# Run by the build: npm ci and vite in WORK, a copy of the page's sources, and the result as the C++ source SOURCE.
# MODE: ON, OFF, or AUTO: when npm cannot do it (no network, an old node), the build goes on without a page.

# Writes a source that holds no files.
function(write_empty)
  file(WRITE ${SOURCE} "// Written by the build: no page.\n#include \"page.h\"\n\nnamespace hearth_server {\n\n"
    "std::span<const PageFile> page_files() {\n  return {};\n}\n\n}  // namespace hearth_server\n")
endfunction()

# Runs npm; leaves with an empty page where that is allowed and it fails.
macro(run_npm what)
  execute_process(COMMAND ${NPM} ${ARGN} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE status
    OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    if(MODE STREQUAL "ON")
      message(FATAL_ERROR "${what} failed in ${WORK}:\n${output}")
    endif()
    string(REGEX REPLACE "\n.*" "" output "status ${status} ${output}")
    message(WARNING "the page of hearth serve is left out, as ${what} failed (${output}); "
      "touch examples/page/package.json and build again to try once more")
    write_empty()
    return()
  endif()
endmacro()

if(NOT MODE OR NOT NPM)
  write_empty()
  return()
endif()

file(REMOVE_RECURSE ${WORK}/src ${WORK}/dist)
file(COPY ${FROM}/src ${FROM}/index.html ${FROM}/package.json ${FROM}/package-lock.json ${FROM}/vite.config.js
  ${FROM}/embed.mjs DESTINATION ${WORK})
# The packages are installed anew only when their list has changed.
file(SHA256 ${FROM}/package-lock.json lock)
set(stamp ${WORK}/node_modules/.installed-${lock})
if(NOT EXISTS ${stamp})
  run_npm("npm ci" ci --omit=dev --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error)
  file(TOUCH ${stamp})
endif()
run_npm("vite" run --silent build)
file(RENAME ${WORK}/dist/page_files.cpp ${SOURCE})
