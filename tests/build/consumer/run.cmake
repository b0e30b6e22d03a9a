# run(WORDS…): the command, whose failure is a failure of the test. must_fail(MESSAGE WORDS…): the opposite.
function(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV} ended with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(must_fail message)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if(status EQUAL 0 OR NOT output MATCHES "${message}")
    message(FATAL_ERROR "${ARGN} ended with ${status}, without the words \"${message}\":\n${output}")
  endif()
endfunction()

# The version as the header says it.
file(READ "${PREFOPT}/include/prefopt/version.hpp" header)
foreach(part MAJOR MINOR PATCH)
  if(NOT header MATCHES "#define PREFOPT_VERSION_${part} ([0-9]+)")
    message(FATAL_ERROR "version.hpp has no PREFOPT_VERSION_${part}")
  endif()
  list(APPEND parts "${CMAKE_MATCH_1}")
endforeach()
list(JOIN parts "." header_version)
if(NOT header_version STREQUAL VERSION)
  message(FATAL_ERROR "version.hpp says ${header_version}, the project ${VERSION}")
endif()

# install_into(PREFIX): the library, configured in WORK, as a user installs it.
function(install_into prefix)
  run("${CMAKE_COMMAND}" -S "${PREFOPT}" -B "${WORK}/library" ${tools} -DPREFOPT_BUILD_TESTS=OFF
      -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_BUILD_EXAMPLES=OFF)
  run("${CMAKE_COMMAND}" --install "${WORK}/library" --prefix "${prefix}")
endfunction()

set(tools "-G${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_MAKE_PROGRAM=${MAKE}")
file(REMOVE_RECURSE "${WORK}")
