#include "one_process.hpp"
#include "passive_waiting.hpp"
#include "run_llm.hpp"
#include "run_program.hpp"

int main(int argc, char** argv) {
  wait_passively(argv);
  return run_program("prefopt_llm", [&] {
    refuse_many_ranks("prefopt_llm");
    return run_llm(argc, argv, {});
  });
}
