# Torch where it is found: then prefopt_torch_target(target) gives a target what it needs; otherwise prefopt_torch_absent
# says why not.
include_guard()

set(prefopt_torch_absent)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
  set(prefopt_torch_absent "Clang ${CMAKE_CXX_COMPILER_VERSION} does not compile its headers in C++20")
else()
  find_package(Torch QUIET)
  if(NOT Torch_FOUND)
    set(prefopt_torch_absent "libtorch is not installed (Debian: libtorch-dev)")
  endif()
endif()
if(prefopt_torch_absent)
  message(STATUS "prefopt: what needs torch is left out: ${prefopt_torch_absent}")
endif()

function(prefopt_torch_target target)
  separate_arguments(flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(${target} PRIVATE ${flags})
  target_include_directories(${target} SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(${target} PRIVATE ${TORCH_LIBRARIES})
endfunction()
