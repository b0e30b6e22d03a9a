#include "one_process.hpp"
#include "run_program.hpp"
#include "run_training.hpp"

int main(int argc, char** argv) {
  return run_program("prefopt_train", [&] {
    refuse_many_ranks("prefopt_train");
    return run_training(argc, argv, {});
  });
}
