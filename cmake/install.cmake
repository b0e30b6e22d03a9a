include(CMakePackageConfigHelpers)

set(prefopt_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/prefopt")
install(TARGETS prefopt EXPORT prefopt_targets FILE_SET HEADERS)
install(EXPORT prefopt_targets NAMESPACE prefopt:: DESTINATION "${prefopt_package_dir}" FILE prefopt-targets.cmake)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/prefopt-config.cmake.in"
                              "${PROJECT_BINARY_DIR}/prefopt-config.cmake" INSTALL_DESTINATION "${prefopt_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/prefopt-config-version.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/prefopt-config.cmake" "${PROJECT_BINARY_DIR}/prefopt-config-version.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake" DESTINATION "${prefopt_package_dir}")
