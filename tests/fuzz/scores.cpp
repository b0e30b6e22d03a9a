// prefopt_score over files of pairs, groups, single completions, tokens and rewards. The program itself, called in this
// process.
#include <string>
#include <vector>

#include "in_memory_file.hpp"
#include "program_target.hpp"

#define main prefopt_score_main
#include "score/prefopt_score.cpp"
#undef main

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static in_memory_file file;
  if (size == 0) return 0;
  static std::vector<std::vector<std::string>> const options{
      {"--loss", "dpo"},
      {"--loss", "simpo", "--dtype", "f32"},
      {"--loss", "lcpo", "--base", "dpo"},
      {"--loss", "orpo", "--empty", "skip", "--non-finite", "skip"},
      {"--list", "--loss", "adpo"},
      {"--list", "--loss", "plackett_luce", "--dtype", "f32"},
      {"--unpaired", "--loss", "kto"},
      {"--tokens", "--loss", "grpo"},
      {"--tokens", "--loss", "gspo", "--non-finite", "propagate"},
      {"--advantages", "group_std"},
      {"--advantages", "leave_one_out"}};
  std::vector<std::string> arguments{"prefopt_score"};
  auto const& chosen = options[data[0] % options.size()];
  arguments.insert(arguments.end(), chosen.begin(), chosen.end());
  arguments.push_back(file.with({reinterpret_cast<char const*>(data) + 1, size - 1}));
  run_program_with(prefopt_score_main, arguments);
  return 0;
}
