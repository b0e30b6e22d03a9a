# MPI where it is found, and how its programs run in a test. Sets prefopt_mpi_libraries to the names that
# prefopt_mpi_target and prefopt_mpi_test take: `mpi`, the one that find_package finds, and `mpich`, where Debian's
# MPICH is installed beside it.
include_guard()

set(MPI_CXX_SKIP_MPICXX TRUE)  # MPI's own C++ bindings left the standard long ago, and warn
find_package(MPI QUIET COMPONENTS CXX)
find_path(PREFOPT_MPICH_INCLUDE mpich/mpi.h)
find_library(PREFOPT_MPICH_LIBRARY mpich)
find_program(PREFOPT_MPICH_EXEC mpiexec.mpich)
mark_as_advanced(PREFOPT_MPICH_INCLUDE PREFOPT_MPICH_LIBRARY PREFOPT_MPICH_EXEC)

set(prefopt_mpi_libraries)
set(flags)
if(MPI_CXX_FOUND)
  list(APPEND prefopt_mpi_libraries mpi)
  execute_process(COMMAND "${MPIEXEC_EXECUTABLE}" --version OUTPUT_VARIABLE version ERROR_QUIET)
  if(version MATCHES "Open MPI|OpenRTE|PRRTE")
    set(flags --oversubscribe)
  endif()
else()
  message(STATUS "prefopt: MPI was not found (Debian: libopenmpi-dev), what needs it is left out")
endif()
if(PREFOPT_MPICH_INCLUDE AND PREFOPT_MPICH_LIBRARY AND PREFOPT_MPICH_EXEC)
  list(APPEND prefopt_mpi_libraries mpich)
endif()
set(PREFOPT_MPIEXEC_FLAGS "${flags}" CACHE STRING "Flags that let mpiexec start more ranks than there are cores")

function(prefopt_mpi_target target mpi)
  if(mpi STREQUAL "mpich")
    target_compile_definitions(${target} PRIVATE MPICH_SKIP_MPICXX)
    target_include_directories(${target} SYSTEM PRIVATE "${PREFOPT_MPICH_INCLUDE}/mpich")
    target_link_libraries(${target} PRIVATE "${PREFOPT_MPICH_LIBRARY}")
  else()
    target_link_libraries(${target} PRIVATE MPI::MPI_CXX)
  endif()
endfunction()

# The command that starts so many ranks of what follows it.
function(prefopt_mpi_command variable mpi ranks)
  if(mpi STREQUAL "mpich")
    set(${variable} "${PREFOPT_MPICH_EXEC}" -n ${ranks} PARENT_SCOPE)
  else()
    set(${variable} "${MPIEXEC_EXECUTABLE}" ${MPIEXEC_NUMPROC_FLAG} ${ranks} ${PREFOPT_MPIEXEC_FLAGS} PARENT_SCOPE)
  endif()
endfunction()

# OpenMPI wants to be asked twice to run as root, which is who runs in a container, and to share its cores; its
# processes may not read each other's memory there. Either MPI keeps memory to the end, which is no leak of ours.
function(prefopt_mpi_test_properties test ranks)
  set_tests_properties(${test} PROPERTIES PROCESSORS ${ranks} ENVIRONMENT
    "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1;PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe;OMPI_MCA_btl_vader_single_copy_mechanism=none;ASAN_OPTIONS=detect_leaks=0")
endfunction()
