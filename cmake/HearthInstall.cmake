# install: the library, its headers, the tool, the CMake package (hearth::hearth) and hearth.pc.
include(CMakePackageConfigHelpers)

install(TARGETS hearth EXPORT hearthTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/hearth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET hearth_tool)
  install(TARGETS hearth_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tool)
  file(RELATIVE_PATH bin_to_lib /prefix/${CMAKE_INSTALL_BINDIR} /prefix/${CMAKE_INSTALL_LIBDIR})
  set_target_properties(hearth_tool PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")  # of a shared library
endif()

# The manual page and completions are what the tool says of its own options: hearth_documents makes them.
if(TARGET hearth_tool AND HEARTH_TOP_LEVEL AND NOT CMAKE_CROSSCOMPILING)
  set(documents ${PROJECT_BINARY_DIR}/documents)
  add_custom_command(OUTPUT ${documents}/hearth.1 ${documents}/hearth ${documents}/_hearth ${documents}/hearth.fish
    COMMAND ${CMAKE_COMMAND} -E make_directory ${documents}
    COMMAND hearth_tool man > ${documents}/hearth.1
    COMMAND hearth_tool completions bash > ${documents}/hearth
    COMMAND hearth_tool completions zsh > ${documents}/_hearth
    COMMAND hearth_tool completions fish > ${documents}/hearth.fish
    DEPENDS hearth_tool VERBATIM)
  add_custom_target(hearth_documents DEPENDS ${documents}/hearth.1)
  install(FILES ${documents}/hearth.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tool OPTIONAL)
  install(FILES ${documents}/hearth DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tool OPTIONAL)
  install(FILES ${documents}/_hearth DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT tool OPTIONAL)
  install(FILES ${documents}/hearth.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT tool OPTIONAL)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tool RENAME copyright)
endif()

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hearth)
install(EXPORT hearthTargets NAMESPACE hearth:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/hearthConfig.cmake.in
  ${PROJECT_BINARY_DIR}/hearthConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hearthConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hearthConfig.cmake ${PROJECT_BINARY_DIR}/hearthConfigVersion.cmake
  DESTINATION ${package_dir})

# hearth.pc finds its prefix from its own place, so that an installed tree may be moved.
set(pc_openmp "")
set(pc_threads "")
if(HEARTH_THREADS)
  set(pc_threads " -pthread")
endif()
if(HEARTH_OPENMP)
  set(pc_openmp " ${OpenMP_CXX_FLAGS}")
endif()
file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/hearth.pc.in ${PROJECT_BINARY_DIR}/hearth.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/hearth.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# cmake --build build --target uninstall: removes what the last installation wrote, as install_manifest.txt has it.
if(HEARTH_TOP_LEVEL)
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt
    -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake)
endif()

# cpack -G DEB --config build/CPackConfig.cmake: the tool as a package of Debian.
if(HEARTH_TOP_LEVEL AND TARGET hearth_tool)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME hearth)
  set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
  set(CPACK_PACKAGE_CONTACT "hearth <hearth@localhost>")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR};hearth;tool;/")
  set(CPACK_STRIP_FILES ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_SECTION science)
  include(CPack)
endif()
