#include "mpi_program.hpp"
#include "run_training.hpp"

// prefopt_train with the records of every batch divided among the ranks: mpirun -n 4 prefopt_train_mpi --out run

int main(int argc, char** argv) { return mpi_program(argc, argv, "prefopt_train_mpi", run_training); }
