# The library in one file, in two translation units of a program, gives what the folder of headers gives.
include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")
set(source "${CMAKE_CURRENT_LIST_DIR}/single_header")
run("${CMAKE_COMMAND}" -P "${PREFOPT}/cmake/single_header.cmake" "${WORK}/single/prefopt_single.hpp")
file(READ "${WORK}/single/prefopt_single.hpp" text)
foreach(expected "prefopt ${VERSION} in one file" "MIT License" "#include <xsimd/xsimd.hpp>")
  string(FIND "${text}" "${expected}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "the single header lacks \"${expected}\"")
  endif()
endforeach()
string(FIND "${text}" "#include <prefopt" place)
if(NOT place EQUAL -1)
  message(FATAL_ERROR "the single header includes the library's other files")
endif()

set(xsimd)
foreach(directory ${XSIMD})
  list(APPEND xsimd -idirafter "${directory}")
endforeach()
set(compile "${COMPILER}" -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Werror)
# The folder is not on the include path of the one, nor the one on the folder's.
run(${compile} "-I${WORK}/single" ${xsimd} -include prefopt_single.hpp "${source}/numbers.cpp" "${source}/main.cpp" -o "${WORK}/one_file")
run(${compile} "-I${PREFOPT}/include" ${xsimd} -include prefopt/prefopt.hpp "${source}/numbers.cpp" "${source}/main.cpp" -o "${WORK}/folder")
run("${WORK}/one_file")
set(one_file "${output}")
run("${WORK}/folder")
if(NOT output STREQUAL one_file OR NOT output MATCHES "dpo 0x1")
  message(FATAL_ERROR "the folder's headers give\n${output}the single header\n${one_file}")
endif()

must_fail("not both" ${compile} "-I${WORK}/single" "-I${PREFOPT}/include" ${xsimd} -include prefopt/prefopt.hpp
          -include prefopt_single.hpp -fsyntax-only "${source}/main.cpp")

# With adapters that need no header of their host, and one whose host's header stays an include.
run("${CMAKE_COMMAND}" -P "${PREFOPT}/cmake/single_header.cmake" "${WORK}/adapters/prefopt_single.hpp" prefopt/prefopt.hpp
    prefopt/adapter/ggml.hpp prefopt/adapter/dlpack.hpp)
run(${compile} "-I${WORK}/adapters" ${xsimd} -include prefopt_single.hpp -fsyntax-only "${source}/adapters.cpp")
run("${CMAKE_COMMAND}" -P "${PREFOPT}/cmake/single_header.cmake" "${WORK}/adapters/prefopt_torch.hpp" prefopt/adapter/torch.hpp)
file(READ "${WORK}/adapters/prefopt_torch.hpp" text)
if(NOT text MATCHES "#include <torch/autograd.h>")
  message(FATAL_ERROR "the single header with torch's adapter lacks torch's header")
endif()
