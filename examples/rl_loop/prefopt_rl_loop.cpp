#include "one_process.hpp"
#include "run_program.hpp"
#include "run_rl_loop.hpp"

int main(int argc, char** argv) {
  return run_program("prefopt_rl_loop", [&] {
    refuse_many_ranks("prefopt_rl_loop");
    return run_rl_loop(argc, argv, {});
  });
}
