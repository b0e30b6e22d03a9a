#pragma once

#include <cstdlib>
#include <string>

#include "input_error.hpp"

/// For a program that knows nothing of ranks: as many runs of their own would write over each other's results.
inline void refuse_many_ranks(std::string const& program) {
  for (char const* const variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {  // Open MPI's mpirun, MPICH's
    char const* const ranks = std::getenv(variable);
    if (ranks == nullptr || std::atoi(ranks) <= 1) continue;
    throw input_error{std::string{"started as one of "} + ranks + " ranks of MPI, expected one process: " + program +
                      "_mpi trains over ranks"};
  }
}
