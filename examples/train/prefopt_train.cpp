#include <cstdlib>
#include <string>

#include "input_error.hpp"
#include "run_program.hpp"
#include "run_training.hpp"

namespace {

/// As many runs of their own would write over each other's results.
void refuse_many_ranks() {
  for (char const* const variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {  // Open MPI's mpirun, MPICH's
    char const* const ranks = std::getenv(variable);
    if (ranks == nullptr || std::atoi(ranks) <= 1) continue;
    throw input_error{std::string{"started as one of "} + ranks +
                      " ranks of MPI, expected one process: prefopt_train_mpi trains over ranks"};
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_train", [&] {
    refuse_many_ranks();
    return run_training(argc, argv, {});
  });
}
