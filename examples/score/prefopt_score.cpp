#include <algorithm>
#include <string_view>

#include "run_program.hpp"
#include "score_advantages.hpp"
#include "score_command.hpp"
#include "score_lists.hpp"
#include "score_pairs.hpp"
#include "score_tokens.hpp"
#include "score_unpaired.hpp"

namespace {

/// Whether the command line has that option, whose mode has options of its own.
bool has_option(int argc, char** argv, std::string_view name) {
  auto const end = std::find(argv + 1, argv + argc, std::string_view{"--"});
  return std::any_of(argv + 1, end, [&](std::string_view argument) {
    return argument == name || (argument.starts_with(name) && argument[name.size()] == '=');
  });
}

void score(score_command const& command) {
  switch (command.loss.kind) {
    case loss_kind::pair:
      score_pairs(command);
      break;
    case loss_kind::list:
      score_lists(command);
      break;
    case loss_kind::unpaired:
      score_unpaired(command);
      break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("prefopt_score", [&] {
    if (has_option(argc, argv, "--tokens")) {
      if (auto const command = parse_token_command(argc, argv)) score_tokens(*command);
    } else if (has_option(argc, argv, "--advantages")) {
      if (auto const command = parse_advantage_command(argc, argv)) score_advantages(*command);
    } else if (auto const command = parse_score_command(argc, argv)) {
      score(*command);
    }
    return 0;
  });
}
