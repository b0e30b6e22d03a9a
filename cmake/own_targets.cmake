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

# The library's headers and those that it stands on, as options of a compiler that a test calls.
function(prefopt_include_options options)
  set(all "-I${PROJECT_SOURCE_DIR}/include")
  # Behind the standard ones: -isystem on one of those breaks the compiler.
  foreach(target prefopt_xsimd Eigen3::Eigen)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    foreach(directory ${directories})
      list(APPEND all "-idirafter" "${directory}")
    endforeach()
  endforeach()
  set(${options} ${all} PARENT_SCOPE)
endfunction()

# A program of ours whose losses go through kernels that all such programs share: those that the tests have compiled, or
# the best that this machine runs. Where they cannot be made, each compiles its own.
function(prefopt_dispatched_target target)
  prefopt_own_target(${target})
  if(NOT CMAKE_OBJCOPY OR APPLE OR WIN32)
    return()
  endif()
  if(NOT TARGET own_kernels)
    if(TARGET test_kernel_units)
      add_library(own_kernels ALIAS test_kernel_units)
    else()
      prefopt_best_instruction_set(isa)
      add_library(own_kernels STATIC)
      prefopt_add_kernels(own_kernels ISAS ${isa})
      prefopt_own_warnings(own_kernels)
    endif()
  endif()
  target_compile_definitions(${target} PUBLIC PREFOPT_AT_RUN_TIME)
  target_link_libraries(${target} PUBLIC own_kernels)
endfunction()

function(prefopt_best_instruction_set best)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(${best} neon PARENT_SCOPE)
    return()
  endif()
  include(CheckCXXSourceRuns)
  set(CMAKE_REQUIRED_INCLUDES "${PROJECT_SOURCE_DIR}/include")
  set(CMAKE_REQUIRED_FLAGS -std=c++20)
  set(${best} sse2 PARENT_SCOPE)
  foreach(isa avx512 avx2)
    check_cxx_source_runs("#include <prefopt/engine/kernel_choice.hpp>
      int main() { return PREFOPT_KERNELS::runs_${isa}() ? 0 : 1; }" prefopt_runs_${isa})
    if(prefopt_runs_${isa})
      set(${best} ${isa} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()
