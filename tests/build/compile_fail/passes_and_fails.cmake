# SOURCE compiles; with the options MISTAKE it does not, and the compiler's words hold MESSAGE.
foreach(mistake "" "${MISTAKE}")
  execute_process(COMMAND "${COMPILER}" -std=c++20 -fsyntax-only ${INCLUDES} ${mistake} "${SOURCE}"
                  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if("${mistake}" STREQUAL "" AND NOT status EQUAL 0)
    message(FATAL_ERROR "does not compile without its mistake:\n${output}")
  elseif(NOT "${mistake}" STREQUAL "" AND status EQUAL 0)
    message(FATAL_ERROR "compiles with ${mistake}")
  elseif(NOT "${mistake}" STREQUAL "" AND NOT output MATCHES "${MESSAGE}")
    message(FATAL_ERROR "fails without the words \"${MESSAGE}\":\n${output}")
  endif()
endforeach()
