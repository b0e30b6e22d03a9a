# For the project's own tests, benchmarks and programs. The library itself sets no flags.
include(CheckCXXCompilerFlag)

set(PREFOPT_MARCH native CACHE STRING "-march for the project's own programs, tests and benchmarks; empty for the compiler's default")
option(PREFOPT_WARNINGS_AS_ERRORS "Warnings in the project's own code are errors" ${PROJECT_IS_TOP_LEVEL})

if(PREFOPT_MARCH)
  # A flag that the compiler warns of (clang 19 does on some CPUs) is not taken.
  set(CMAKE_REQUIRED_FLAGS -Werror)
  check_cxx_compiler_flag(-march=${PREFOPT_MARCH} prefopt_has_march_${PREFOPT_MARCH})
  unset(CMAKE_REQUIRED_FLAGS)
endif()

# The warnings that our code is free of, on a target of ours alone.
function(prefopt_own_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow)
  # GCC 12 takes its own AVX-512 intrinsics' deliberately undefined registers for mistakes (GCC bug 105593).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  # GCC 13 and later see bounds broken in copies of small vectors inside the standard library, and dangling references
  # to what a function returns by value into a braced list.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
                                             -Wno-dangling-reference)
  endif()
  if(PREFOPT_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# A target of ours: warnings, the library, and the instruction set asked for.
function(prefopt_own_target target)
  prefopt_own_warnings(${target})
  target_link_libraries(${target} PRIVATE prefopt::prefopt)
  if(PREFOPT_MARCH AND prefopt_has_march_${PREFOPT_MARCH})
    target_compile_options(${target} PRIVATE -march=${PREFOPT_MARCH})
  endif()
endfunction()
