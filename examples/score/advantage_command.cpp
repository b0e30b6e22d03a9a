#include "advantage_command.hpp"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string_view>

#include "command_line.hpp"
#include "input_error.hpp"
#include "input_options.hpp"
#include "number_options.hpp"

namespace {

constexpr std::string_view formulas =
    "R is a row's reward, K the number of rows of its group, mean and std the group's; std divides by K - 1:\n"
    "  centered              R - mean: Dr. GRPO\n"
    "  group_std             (R - mean) / (std + epsilon), epsilon 1e-4: GRPO\n"
    "  group_std_population  the same with a std that divides by K, epsilon 1e-8\n"
    "  batch_std             (R - mean) / (std of all rewards + epsilon), epsilon 1e-4\n"
    "  leave_one_out         R - mean of the others: RLOO\n"
    "  leave_one_out_std     (R - mean of the others) / (std of the others + epsilon), epsilon 1e-6; a std of 0 does\n"
    "                        not divide\n"
    "  mean_scaled           (R - mean) / (mean + epsilon), epsilon 1e-6\n"
    "  length_weighted       R - (sum of length R) / (sum of length)\n"
    "  best_of_k             of the best (best - second best) / (std + epsilon), epsilon 1e-6, of the others 0\n"
    "  gpg                   (R - mean) * rewards / rewards that are not 0, of all rows\n"
    "  remax                 R - baseline, the reward of a greedy completion\n"
    "  gdpo                  of several rewards, reward_NAME each: the sum of weight * group_std, then less its mean "
    "of\n"
    "                        all rows, by its std of all rows + batch_epsilon, both epsilons 1e-4\n"
    "With --whiten REINFORCE++'s baseline form is centered.\n";

/// The library's modes, and the one of several rewards.
std::vector<std::string> mode_names() {
  auto const& names = prefopt::detail::advantage_mode_names;
  std::vector<std::string> all(std::begin(names), std::end(names));
  all.emplace_back(of_several);
  return all;
}

}  // namespace

bool has_epsilon(std::string const& mode) {
  return mode == of_several || prefopt::detail::standard_epsilon(prefopt::advantage_mode_of(mode)) != 0;
}

std::optional<advantage_command> parse_advantage_command(int argc, char** argv) {
  CLI::App app{
      "Advantages of sampled completions from their rewards. Standard output: the advantage of each row. Standard "
      "error: "
      "a summary.",
      "prefopt_score --advantages"};
  app.footer([] { return std::string{formulas}; });
  advantage_command command;
  std::string lone = "zero";
  app.add_option("--advantages", command.mode, "what becomes of the rewards, see below")
      ->check(CLI::IsMember(mode_names()))
      ->type_name("MODE")
      ->expected(0, 1);
  input_options input{app};
  input.add_file(
      "CSV with a header, or JSON objects, as without --advantages: a row is a completion. Columns in any order: group "
      "(any text), whose rows follow one another, reward; length, the tokens of the completion, for length_weighted "
      "and "
      "--whiten; baseline, the reward of a greedy completion of the same prompt, for remax. All rows are kept in "
      "memory");
  number_options numbers{app};
  numbers.add("epsilon", "added to what is divided by", "VALUE", "Options");
  numbers.add("batch_epsilon", "of gdpo", "VALUE", "Options");
  app.add_option("--weights", command.weights, "of gdpo: one for each column of rewards, with commas; without it all 1")
      ->delimiter(',')
      ->allow_extra_args(false)  // the file may follow
      ->type_name("VALUES");
  app.add_flag(
      "--whiten", command.whitens,
      "then (A - mean) / sqrt(std^2 + 1e-8), over the tokens of all rows where there is length, else over all rows");
  app.add_option("--lone", lone, "the advantage of a completion that is alone in its group: 0, or its reward")
      ->check(CLI::IsMember({"zero", "reward"}))
      ->capture_default_str();
  input.add_dtype();
  input.add_non_finite(
      "a reward that is inf or nan: skip gives 0 and leaves the row out of the means; with gdpo that reward alone, and "
      "the row where it has no other",
      {"skip"});
  input.add_ignore();
  if (!parse_command_line(app, argc, argv)) return {};
  refuse_extras(app);
  if (command.mode.empty()) throw input_error{"--advantages: missing its mode, see --advantages --help"};
  input.write_to(command);
  auto& options = command.options;
  bool const has_several = command.mode == of_several;
  if (!has_several) options.mode = prefopt::advantage_mode_of(command.mode);
  options.epsilon = numbers.value("epsilon");
  options.lone = lone == "reward" ? prefopt::lone_sample::reward : prefopt::lone_sample::zero;
  options.non_finite = command.non_finite;
  command.batch_epsilon = numbers.value("batch_epsilon");
  auto const note_unread = [&](std::string_view option, bool is_given, bool is_read) {
    if (is_given && !is_read) command.notes.push_back("note: " + command.mode + " has no " + std::string{option});
  };
  note_unread("--epsilon", options.epsilon.has_value(), has_epsilon(command.mode));
  note_unread("--batch_epsilon", command.batch_epsilon.has_value(), has_several);
  note_unread("--weights", !command.weights.empty(), has_several);
  note_unread("--lone", lone == "reward", !has_several && command.mode != "remax");
  if (!has_several) command.weights.clear();
  return command;
}
