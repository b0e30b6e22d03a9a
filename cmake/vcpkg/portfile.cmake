# An overlay port of the checkout that it lies in:
#     vcpkg install prefopt --overlay-ports=<checkout>/cmake/vcpkg --no-binarycaching
# vcpkg's cache looks at the port alone, and would not see that the checkout has changed.
set(VCPKG_BUILD_TYPE release) # headers alone
cmake_path(SET SOURCE_PATH NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../..")

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DPREFOPT_INSTALL=ON -DPREFOPT_BUILD_TESTS=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/prefopt)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/licenses" "${CURRENT_PACKAGES_DIR}/share/cmake")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
