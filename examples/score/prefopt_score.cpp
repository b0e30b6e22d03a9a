#include "run_program.hpp"
#include "score_command.hpp"
#include "score_lists.hpp"
#include "score_pairs.hpp"
#include "score_unpaired.hpp"

int main(int argc, char** argv) {
  return run_program("prefopt_score", [&] {
    if (auto const command = parse_score_command(argc, argv)) {
      switch (command->loss.kind) {
        case loss_kind::pair:
          score_pairs(*command);
          break;
        case loss_kind::list:
          score_lists(*command);
          break;
        case loss_kind::unpaired:
          score_unpaired(*command);
          break;
      }
    }
    return 0;
  });
}
