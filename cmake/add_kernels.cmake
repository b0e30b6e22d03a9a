# prefopt_add_kernels(target ISAS sse2 avx2 avx512): compiles the library's entry points once for each instruction set,
# into the target, for <prefopt/kernels.hpp>, which picks the best that the CPU has. The levels are those of the x86-64
# psABI: sse2 (v1), sse4_2 (v2), avx2 (v3, with FMA), avx512 (v4); neon on 64-bit Arm. The target's other files need no
# -march. One target of a program or shared library has the kernels; a target of others can be a static library.
set(PREFOPT_KERNEL_TEMPLATES "${CMAKE_CURRENT_LIST_DIR}/kernels" CACHE INTERNAL "")

function(prefopt_add_kernels target)
  cmake_parse_arguments(PARSE_ARGV 1 kernels "" "" "ISAS")
  # Best first.
  set(known avx512 avx2 sse4_2 sse2 neon)
  set(march_avx512 x86-64-v4)
  set(march_avx2 x86-64-v3)
  set(march_sse4_2 x86-64-v2)
  set(march_sse2 x86-64)
  set(march_neon armv8-a)
  set(condition_avx512 "defined(__AVX512F__) && defined(__AVX512VL__) && !defined(__AVX512VBMI__)")
  set(condition_avx2 "defined(__AVX2__) && defined(__FMA__) && !defined(__AVX512F__)")
  set(condition_sse4_2 "defined(__SSE4_2__) && !defined(__AVX__)")
  set(condition_sse2 "defined(__SSE2__) && !defined(__SSE3__)")
  set(condition_neon "defined(__ARM_NEON) && !defined(__ARM_FEATURE_SVE)")

  if(NOT TARGET ${target})
    message(FATAL_ERROR "prefopt_add_kernels: there is no target ${target}")
  endif()
  if(kernels_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "prefopt_add_kernels: unknown arguments ${kernels_UNPARSED_ARGUMENTS}, expected target ISAS isa…")
  endif()
  if(NOT kernels_ISAS)
    message(FATAL_ERROR "prefopt_add_kernels: ISAS names no instruction set, known are ${known}")
  endif()
  foreach(isa ${kernels_ISAS})
    if(NOT isa IN_LIST known)
      message(FATAL_ERROR "prefopt_add_kernels: there is no instruction set \"${isa}\", known are ${known}")
    endif()
  endforeach()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/prefopt_kernels_${target}")
  set(declarations "")
  set(entries "")
  foreach(isa ${known})
    if(NOT isa IN_LIST kernels_ISAS)
      continue()
    endif()
    set(condition "${condition_${isa}}")
    configure_file("${PREFOPT_KERNEL_TEMPLATES}/unit.cpp.in" "${folder}/${isa}.cpp" @ONLY)
    # Of a file and not of a target: they come after the target's own, and the last -march counts.
    set_source_files_properties("${folder}/${isa}.cpp" TARGET_DIRECTORY ${target}
                                PROPERTIES COMPILE_OPTIONS "-march=${march_${isa}}" SKIP_PRECOMPILE_HEADERS ON
                                           SKIP_UNITY_BUILD_INCLUSION ON)
    target_sources(${target} PRIVATE "${folder}/${isa}.cpp")
    string(APPEND declarations "__attribute__((visibility(\"hidden\"))) void const* table_${isa}();\n")
    string(APPEND entries "    {\"${isa}\", &runs_${isa}, &table_${isa}},\n")
  endforeach()
  configure_file("${PREFOPT_KERNEL_TEMPLATES}/choices.cpp.in" "${folder}/choices.cpp" @ONLY)
  target_sources(${target} PRIVATE "${folder}/choices.cpp")
  target_link_libraries(${target} PRIVATE prefopt::prefopt)
endfunction()
