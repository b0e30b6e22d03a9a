# cmake -P cmake/single_header.cmake OUTPUT [HEADER]…
# Writes the headers, by default prefopt/prefopt.hpp, and all of the library that they include into one file. Headers of
# other libraries stay includes.
cmake_minimum_required(VERSION 3.23)
math(EXPR last "${CMAKE_ARGC} - 1")
set(arguments)
foreach(i RANGE 3 ${last})
  list(APPEND arguments "${CMAKE_ARGV${i}}")
endforeach()
if(CMAKE_ARGC LESS 4 OR "--help" IN_LIST arguments)
  message(FATAL_ERROR "usage: cmake -P single_header.cmake OUTPUT [HEADER]…\n"
                      "for example: cmake -P single_header.cmake prefopt_single.hpp prefopt/prefopt.hpp prefopt/adapter/eigen.hpp")
endif()
list(POP_FRONT arguments output)
if(NOT arguments)
  set(arguments prefopt/prefopt.hpp)
endif()
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH checkout)

# The text may hold semicolons and brackets: it is never taken for a list.
set_property(GLOBAL PROPERTY text "")
function(append_header header)
  get_property(seen GLOBAL PROPERTY "seen ${header}")
  if(seen)
    return()
  endif()
  set_property(GLOBAL PROPERTY "seen ${header}" TRUE)
  if(NOT EXISTS "${checkout}/include/${header}")
    message(FATAL_ERROR "single_header.cmake: there is no ${checkout}/include/${header}")
  endif()
  file(READ "${checkout}/include/${header}" rest)
  string(REPLACE "#pragma once\n" "" rest "${rest}")
  # What is included on a condition would take all that it includes into that condition.
  string(REPLACE "\n#if defined(PREFOPT_AT_RUN_TIME)\n#include <prefopt/engine/at_run_time.hpp>\n#endif\n" "" rest "${rest}")
  while(rest MATCHES "#include <(prefopt/[^>\n]+)>\n")
    set(line "${CMAKE_MATCH_0}")
    set(included "${CMAKE_MATCH_1}")
    string(FIND "${rest}" "${line}" place)
    string(SUBSTRING "${rest}" 0 ${place} before)
    set_property(GLOBAL APPEND_STRING PROPERTY text "${before}")
    append_header("${included}")
    string(LENGTH "${line}" length)
    math(EXPR place "${place} + ${length}")
    string(SUBSTRING "${rest}" ${place} -1 rest)
  endwhile()
  set_property(GLOBAL APPEND_STRING PROPERTY text "${rest}")
endfunction()

foreach(header IN LISTS arguments)
  append_header("${header}")
endforeach()
get_property(text GLOBAL PROPERTY text)
string(REGEX REPLACE "\n\n\n+" "\n\n" text "${text}")

foreach(part MAJOR MINOR PATCH)
  if(NOT text MATCHES "#define PREFOPT_VERSION_${part} ([0-9]+)")
    message(FATAL_ERROR "single_header.cmake: version.hpp is not among the headers of ${arguments}")
  endif()
  list(APPEND version "${CMAKE_MATCH_1}")
endforeach()
list(JOIN version "." version)
list(JOIN arguments ", " arguments)
file(READ "${checkout}/LICENSE" license)
string(REGEX REPLACE "\n$" "" license "${license}")
string(REPLACE "\n" "\n// " license "${license}")
string(REPLACE "// \n" "//\n" license "${license}")
file(WRITE "${output}" "// prefopt ${version} in one file: ${arguments}\n// Made by cmake/single_header.cmake. Needs C++20 and xsimd 8.1 or later.\n//\n// ${license}\n
#pragma once

#if defined(PREFOPT_VERSION_MAJOR)
#error \"prefopt: a file includes either the single header or the folder's, not both\"
#endif
${text}")
message(STATUS "prefopt ${version}: ${arguments} in ${output}")
