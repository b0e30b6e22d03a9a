# Installs into a path with spaces, moves the prefix, and uses it from a project that knows nothing else.
include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")
install_into("${WORK}/first place")
file(RENAME "${WORK}/first place" "${WORK}/second place")
set(source "${CMAKE_CURRENT_LIST_DIR}/installed")
set(common "${CMAKE_COMMAND}" -S "${source}" ${tools} "-DCMAKE_PREFIX_PATH=${WORK}/second place" "-DEXPECTED=${VERSION}")

string(REGEX REPLACE "\\.[0-9]+$" "" minor "${VERSION}")
foreach(wanted "" "${minor}" "${VERSION}")
  run(${common} -B "${WORK}/build ${wanted}" "-DWANTED=${wanted}")
endforeach()
run("${CMAKE_COMMAND}" --build "${WORK}/build ")
run("${WORK}/build /consumer")
if(NOT output MATCHES "version ${VERSION}, loss 0\\.")
  message(FATAL_ERROR "the consumer printed ${output}")
endif()

foreach(wanted 99 1.0 0.0.1 "${VERSION}.99")
  must_fail("prefopt" ${common} -B "${WORK}/refused ${wanted}" "-DWANTED=${wanted}")
endforeach()

# Components: the hosts of the adapters.
set(hosts "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/components" ${tools} "-DCMAKE_PREFIX_PATH=${WORK}/second place")
run(${hosts} -B "${WORK}/hosts")
run("${CMAKE_COMMAND}" --build "${WORK}/hosts")
must_fail("prefopt has no component \"nowhere\"" ${hosts} -B "${WORK}/unknown host" -DREQUIRED=nowhere)
must_fail("kernels has kernels already, for sse2" ${hosts} -B "${WORK}/kernels twice" -DTWICE=ON)
must_fail("mpi needs mpi, which is not installed" ${hosts} -B "${WORK}/absent host" -DREQUIRED=mpi -DCMAKE_DISABLE_FIND_PACKAGE_MPI=ON)

# Without xsimd there is no prefopt: an error where it is required, and nothing but that where it is not.
set(bare "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/optional" ${tools} "-DCMAKE_PREFIX_PATH=${WORK}/second place"
         -DCMAKE_DISABLE_FIND_PACKAGE_xsimd=ON)
run(${bare} -B "${WORK}/without xsimd")
must_fail("prefopt needs xsimd 8.1 or later" ${bare} -B "${WORK}/required without xsimd" -DREQUIRED=REQUIRED)

# Nothing of the source tree or of the first place is written into the package.
file(GLOB_RECURSE installed "${WORK}/second place/*.cmake" "${WORK}/second place/*.pc")
foreach(file ${installed})
  file(READ "${file}" text)
  foreach(path "${PREFOPT}" "${WORK}/first place")
    string(FIND "${text}" "${path}" place)
    if(NOT place EQUAL -1)
      message(FATAL_ERROR "${file} names ${path}")
    endif()
  endforeach()
endforeach()
