#include "run_program.hpp"
#include "score_command.hpp"
#include "score_lists.hpp"
#include "score_pairs.hpp"

int main(int argc, char** argv) {
  return run_program("prefopt_score", [&] {
    if (auto const command = parse_score_command(argc, argv)) {
      command->loss.kind == loss_kind::list ? score_lists(*command) : score_pairs(*command);
    }
    return 0;
  });
}
