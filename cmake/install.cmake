include(CMakePackageConfigHelpers)

set(prefopt_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/prefopt")
install(TARGETS prefopt EXPORT prefopt_targets FILE_SET HEADERS)
install(EXPORT prefopt_targets NAMESPACE prefopt:: DESTINATION "${prefopt_package_dir}" FILE prefopt-targets.cmake)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/prefopt-config.cmake.in"
                              "${PROJECT_BINARY_DIR}/prefopt-config.cmake" INSTALL_DESTINATION "${prefopt_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/prefopt-config-version.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/prefopt-config.cmake" "${PROJECT_BINARY_DIR}/prefopt-config-version.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake" "${CMAKE_CURRENT_LIST_DIR}/add_kernels.cmake"
        DESTINATION "${prefopt_package_dir}")
install(DIRECTORY "${CMAKE_CURRENT_LIST_DIR}/kernels" DESTINATION "${prefopt_package_dir}")

# For pkg-config: relative to the file itself, so that the prefix can be moved.
set(prefopt_pc_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" OUTPUT_VARIABLE prefopt_pc_to_prefix)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE prefopt_pc_include)
configure_file("${CMAKE_CURRENT_LIST_DIR}/prefopt.pc.in" "${PROJECT_BINARY_DIR}/prefopt.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/prefopt.pc" DESTINATION "${prefopt_pc_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/prefopt")

# cmake --build … --target prefopt_single_header: everything of <prefopt/prefopt.hpp> in one file.
add_custom_target(prefopt_single_header
                  COMMAND "${CMAKE_COMMAND}" -P "${CMAKE_CURRENT_LIST_DIR}/single_header.cmake" "${PROJECT_BINARY_DIR}/prefopt_single.hpp"
                  VERBATIM)
