# FetchContent, offline: the checkout stands in for the download.
include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/fetch_content" -B "${WORK}/build" ${tools}
    -DFETCHCONTENT_FULLY_DISCONNECTED=ON "-DFETCHCONTENT_SOURCE_DIR_PREFOPT=${PREFOPT}")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer")
