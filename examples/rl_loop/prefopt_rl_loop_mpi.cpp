#include "mpi_program.hpp"
#include "run_rl_loop.hpp"

// prefopt_rl_loop with the prompts of every step divided among the ranks: mpirun -n 2 prefopt_rl_loop_mpi

int main(int argc, char** argv) { return mpi_program(argc, argv, "prefopt_rl_loop_mpi", run_rl_loop); }
