#include "mpi_program.hpp"
#include "passive_waiting.hpp"
#include "run_llm.hpp"

// prefopt_llm with the records of every batch divided among the ranks: mpirun -n 2 prefopt_llm_mpi --model m.gguf ...

int main(int argc, char** argv) {
  wait_passively(argv);
  return mpi_program(argc, argv, "prefopt_llm_mpi", run_llm);
}
