#include "run_program.hpp"
#include "run_training.hpp"

int main(int argc, char** argv) {
  return run_program("prefopt_train", [&] { return run_training(argc, argv, {}); });
}
