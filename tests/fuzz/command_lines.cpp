// The command lines of prefopt_rank, prefopt_score and prefopt_train, as far as they are read before anything is done.
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "input_error.hpp"
#include "program_target.hpp"
#include "rank_command.hpp"
#include "score_advantages.hpp"
#include "score_command.hpp"
#include "token_command.hpp"
#include "train_command.hpp"

namespace {

/// What command lines are made of, right and wrong.
constexpr std::string_view words[]{"--loss",
                                   "--base",
                                   "--beta",
                                   "0.1",
                                   "dpo",
                                   "lcpo",
                                   "adpo",
                                   "kto",
                                   "grpo",
                                   "gspo",
                                   "dpo:0.8+sft:1",
                                   "--tokens",
                                   "--list",
                                   "--unpaired",
                                   "--advantages",
                                   "group_std",
                                   "--kl",
                                   "k3",
                                   "--correction",
                                   "token_mask",
                                   "--aggregation",
                                   "token_mean",
                                   "--dtype",
                                   "f32",
                                   "--empty",
                                   "skip",
                                   "--non-finite",
                                   "--ignore",
                                   "a,b",
                                   "--reliability",
                                   "0.9,0.5",
                                   "--losses",
                                   "--help",
                                   "--ties",
                                   "davidson",
                                   "--prior",
                                   "ghost:0.5",
                                   "normal:2",
                                   "--scale",
                                   "elo",
                                   "--elo-base",
                                   "--anchor",
                                   "--stderr-limit",
                                   "--bootstrap",
                                   "10",
                                   "--seed",
                                   "-1",
                                   "1e400",
                                   "nan",
                                   "inf",
                                   "--threads",
                                   "0",
                                   "--data",
                                   "--check",
                                   "f.jsonl",
                                   "--policy",
                                   "linear",
                                   "--pairs",
                                   "adjacent",
                                   "--epochs",
                                   "--batch",
                                   "--holdout",
                                   "0.5",
                                   "--out",
                                   "d",
                                   "--resume",
                                   "--chat-template",
                                   "chatml",
                                   "--scores",
                                   "margin",
                                   "--",
                                   "-",
                                   "",
                                   "=",
                                   "--beta=",
                                   "--loss=dpo",
                                   "18446744073709551616"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  close_streams();
  fuzz_input in{data, size};
  constexpr std::array programs{"prefopt_rank", "prefopt_score", "prefopt_train"};
  std::size_t const program = in.below(5);
  std::vector<std::string> arguments{programs[program < 3 ? program : 1]};
  if (program == 3) arguments.push_back("--tokens");
  if (program == 4) arguments.push_back("--advantages");
  for (std::size_t left = in.below(9); left != 0; --left) {
    std::string word{words[in.below(std::size(words))]};
    if (in.one_in(8)) word += '=';
    if (in.one_in(8)) word += words[in.below(std::size(words))];
    if (in.one_in(12)) word.insert(in.below(word.size() + 1), 1, static_cast<char>(1 + in.below(255)));
    arguments.push_back(word);
  }
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int const count = static_cast<int>(arguments.size());
  try {
    silence const quiet;
    switch (program) {
      case 0:
        static_cast<void>(parse_rank_command(count, pointers.data()));
        break;
      case 1:
        static_cast<void>(parse_score_command(count, pointers.data()));
        break;
      case 2:
        static_cast<void>(parse_train_command(count, pointers.data()));
        break;
      case 3:
        static_cast<void>(parse_token_command(count, pointers.data()));
        break;
      default:
        static_cast<void>(parse_advantage_command(count, pointers.data()));
    }
  } catch (input_error const&) {
  } catch (std::invalid_argument const&) {
  }
  return 0;
}
