# The library as a folder of another project.
include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")
# Flags of the environment would be taken for the library's.
unset(ENV{CXXFLAGS})
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/subproject" -B "${WORK}/build" ${tools} "-DPREFOPT=${PREFOPT}"
    "-DEXPECTED=${VERSION}")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer")
