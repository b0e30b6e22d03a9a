# prefopt_add_kernels(target ISAS isa… [LOSSES type…] [HEADERS header…]): compiles the library's kernels once for each
# instruction set, into the target, for <prefopt/kernels.hpp>, which picks the best that the CPU has.
#   ISAS     levels of the x86-64 psABI: sse2 (v1), sse4_2 (v2), avx2 (v3, with FMA), avx512 (v4); neon on 64-bit Arm
#   LOSSES   C++ types of losses, or lists of them, as a file names them that says `using namespace prefopt`: dpo,
#            "lcpo<dpo>", pair_losses, my_loss; of tokens surrogates, surrogate::ppo_clip, or presets, dapo. Without it
#            the losses of the list and every modifier over each
#   HEADERS  what declares one's own among them, by absolute path or as the target finds it
# The target's other files need no -march. One target of a program or shared library has the kernels; a target of others
# can be a static library.
set(PREFOPT_KERNEL_TEMPLATES "${CMAKE_CURRENT_LIST_DIR}/kernels" CACHE INTERNAL "")

function(prefopt_add_kernels target)
  cmake_parse_arguments(PARSE_ARGV 1 kernels "" "" "ISAS;LOSSES;HEADERS")
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
    message(FATAL_ERROR "prefopt_add_kernels: unknown arguments ${kernels_UNPARSED_ARGUMENTS}, expected target ISAS isa… LOSSES type… HEADERS header…")
  endif()
  if("LOSSES" IN_LIST kernels_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "prefopt_add_kernels: LOSSES names no loss, leave it out for the losses of the list and every modifier over each")
  endif()
  if(NOT kernels_ISAS)
    message(FATAL_ERROR "prefopt_add_kernels: ISAS names no instruction set, known are ${known}")
  endif()
  foreach(isa ${kernels_ISAS})
    if(NOT isa IN_LIST known)
      message(FATAL_ERROR "prefopt_add_kernels: there is no instruction set \"${isa}\", known are ${known}")
    endif()
  endforeach()

  get_target_property(type ${target} TYPE)
  if(NOT type MATCHES "^(EXECUTABLE|STATIC_LIBRARY|SHARED_LIBRARY|MODULE_LIBRARY)$")
    message(FATAL_ERROR "prefopt_add_kernels: ${target} is of type ${type}, expected a program, a static or a shared library")
  endif()
  get_target_property(before ${target} PREFOPT_KERNELS)
  if(before)
    message(FATAL_ERROR "prefopt_add_kernels: ${target} has kernels already, for ${before}: expected one call that names all")
  endif()
  set_target_properties(${target} PROPERTIES PREFOPT_KERNELS "${kernels_ISAS}")
  if(NOT CMAKE_OBJCOPY OR APPLE OR WIN32)
    message(FATAL_ERROR "prefopt_add_kernels: needs ELF object files and objcopy (CMAKE_OBJCOPY)")
  endif()

  set(losses every_loss_of_the_list)
  if(kernels_LOSSES)
    string(REPLACE ";" ", " losses "${kernels_LOSSES}")
  endif()
  set(includes "")
  foreach(header ${kernels_HEADERS})
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${header}")
      set(header "${CMAKE_CURRENT_SOURCE_DIR}/${header}")
    endif()
    string(APPEND includes "#include \"${header}\"\n")
  endforeach()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/prefopt_kernels_${target}")
  set(declarations "")
  set(entries "")
  set(objects "")
  foreach(isa ${known})
    if(NOT isa IN_LIST kernels_ISAS)
      continue()
    endif()
    set(condition "${condition_${isa}}")
    configure_file("${PREFOPT_KERNEL_TEMPLATES}/unit.cpp.in" "${folder}/${isa}.cpp" @ONLY)

    # Compiled as the target's own files are, but for the instruction set.
    set(unit ${target}_prefopt_${isa})
    add_library(${unit} OBJECT "${folder}/${isa}.cpp")
    target_link_libraries(${unit} PRIVATE prefopt::prefopt)
    target_compile_options(${unit} PRIVATE "$<TARGET_PROPERTY:${target},COMPILE_OPTIONS>")
    target_compile_definitions(${unit} PRIVATE "$<TARGET_PROPERTY:${target},COMPILE_DEFINITIONS>")
    target_include_directories(${unit} PRIVATE "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
    set_target_properties(${unit} PROPERTIES POSITION_INDEPENDENT_CODE ON INTERPROCEDURAL_OPTIMIZATION OFF
                                             UNITY_BUILD OFF EXCLUDE_FROM_ALL ON)
    # Of a file and not of a target: they come after the target's own, and the last -march counts.
    set_source_files_properties("${folder}/${isa}.cpp" PROPERTIES
      COMPILE_OPTIONS "-march=${march_${isa}};-fno-lto;$<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>")

    # Whatever the unit has of the standard library is compiled for its instruction set, too, under the names that all
    # have, and a linker keeps one of each: on an older CPU it may be the wrong one. So all names but the table's become
    # the unit's own, once it is out of the groups that linkers merge.
    # Of CXX="env g++" the second word is apart.
    separate_arguments(compiler UNIX_COMMAND "${CMAKE_CXX_COMPILER_ARG1}")
    list(PREPEND compiler "${CMAKE_CXX_COMPILER}")
    if(CMAKE_CXX_COMPILER_TARGET)
      list(APPEND compiler "--target=${CMAKE_CXX_COMPILER_TARGET}")
    endif()
    add_custom_command(OUTPUT "${folder}/${isa}.o"
      COMMAND ${compiler} -r -nostdlib -Wl,--force-group-allocation $<TARGET_OBJECTS:${unit}> -o "${folder}/${isa}.unit.o"
      COMMAND "${CMAKE_OBJCOPY}" --wildcard "--keep-global-symbol=*prefopt_kernels_*table_${isa}Ev" "${folder}/${isa}.unit.o" "${folder}/${isa}.o"
      DEPENDS ${unit} "$<TARGET_OBJECTS:${unit}>"
      COMMENT "Kernels of ${target} for ${isa}"
      COMMAND_EXPAND_LISTS VERBATIM)
    list(APPEND objects "${folder}/${isa}.o")
    string(APPEND declarations "PREFOPT_HIDDEN kernel_table const& table_${isa}();\n")
    string(APPEND entries "    {\"${isa}\", &runs_${isa}, &table_${isa}},\n")
  endforeach()
  configure_file("${PREFOPT_KERNEL_TEMPLATES}/choices.cpp.in" "${folder}/choices.cpp" @ONLY)
  set_source_files_properties(${objects} TARGET_DIRECTORY ${target} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  add_custom_target(${target}_prefopt_kernels DEPENDS ${objects})
  add_dependencies(${target} ${target}_prefopt_kernels)
  target_sources(${target} PRIVATE ${objects} "${folder}/choices.cpp")
  # As target_link_libraries would, whose two ways of being called do not mix.
  set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES prefopt::prefopt)
endfunction()
