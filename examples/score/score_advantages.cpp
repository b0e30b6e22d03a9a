#include "score_advantages.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/token/gdpo_advantages.hpp>
#include <prefopt/token/whiten.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "column_table.hpp"
#include "held_output.hpp"
#include "input_error.hpp"
#include "named_rows.hpp"
#include "number_text.hpp"
#include "score_columns.hpp"
#include "summary.hpp"

namespace {

using prefopt::columns;

/// What a mode reads, asked as a loss is. A baseline is a reference of its own kind.
struct mode_columns {
  advantage_command const& command;

  std::string const& name() const { return command.mode; }
  bool needs(columns kind) const {
    return (kind == columns::length && command.mode == "length_weighted") ||
           (kind == columns::reference && command.mode == "remax");
  }
  bool reads(columns kind) const { return needs(kind) || (kind == columns::length && command.whitens); }
};

/// The file's columns of rewards: one, or all whose names begin so.
std::vector<std::string_view> reward_columns(column_table const& file, advantage_command const& command) {
  std::vector<std::string_view> names;
  for (std::string const& name : file.header()) {
    if (command.mode == of_several && name.starts_with("reward")) names.emplace_back(name);
  }
  if (names.empty()) names.emplace_back("reward");
  return names;
}

std::vector<score_column> known_columns(std::vector<std::string_view> const& rewards) {
  std::vector<score_column> all{{"group"}};
  for (auto const name : rewards) all.push_back({name});
  all.push_back({"length", prefopt::presence::as_read, columns::length});
  all.push_back({"baseline", prefopt::presence::as_read, columns::reference});
  return all;
}

/// "group_std, epsilon 1e-04".
std::string description(advantage_command const& command) {
  std::string text = command.mode;
  if (has_epsilon(command.mode)) {
    double const standard = command.mode == of_several
                                ? prefopt::gdpo{}.group_epsilon
                                : prefopt::detail::standard_epsilon(prefopt::advantage_mode_of(command.mode));
    text += ", epsilon " + number_text(command.options.epsilon.value_or(standard));
  }
  if (command.mode == of_several) {
    text += ", batch_epsilon " + number_text(command.batch_epsilon.value_or(prefopt::gdpo{}.batch_epsilon));
  }
  return command.whitens ? text + ", whitened" : text;
}

/// The rows of a file.
template <class T>
struct reward_table {
  std::vector<std::vector<T>> rewards;
  std::vector<T> length, baseline, counts;  ///< counts: 1, or 0 of a row that is skipped
  std::vector<std::int64_t> offsets;
  std::size_t skipped = 0;

  std::size_t rows() const { return rewards[0].size(); }
};

template <class T>
reward_table<T> read_rewards(column_table& file, std::vector<std::string_view> const& names,
                             advantage_command const& command) {
  auto const length_place = file.find("length"), baseline_place = file.find("baseline");
  std::vector<std::size_t> places;
  for (auto const name : names) places.push_back(*file.find(name));
  named_rows groups{file, *file.find("group"), "group"};
  reward_table<T> table;
  table.rewards.resize(names.size());
  while (file.next_row()) {
    if (groups.add_row()) table.offsets.push_back(static_cast<std::int64_t>(table.rows()));
    std::size_t finite = 0;
    auto const number = [&](std::size_t place) {
      T const value = file.number<T>(place);
      finite += std::isfinite(value) ? 1 : 0;
      if (!std::isfinite(value) && command.non_finite == prefopt::on_invalid::error) {
        throw file.error(place, "got " + in_quotes(file.text_of_number(place)) +
                                    ", expected a finite number (--non-finite skip allows others)");
      }
      return value;
    };
    for (std::size_t k = 0; k < places.size(); ++k) table.rewards[k].push_back(number(places[k]));
    if (baseline_place) table.baseline.push_back(number(*baseline_place));
    // Of several rewards one is enough.
    bool const counts = command.mode == of_several ? finite != 0 : finite == places.size() + (baseline_place ? 1 : 0);
    table.counts.push_back(counts ? T(1) : T(0));
    table.skipped += counts ? 0 : 1;
    if (!length_place) continue;
    T const tokens = file.number<T>(*length_place);
    if (!(tokens >= 0) || !std::isfinite(tokens) || tokens != std::trunc(tokens)) {
      throw file.error(*length_place,
                       "got " + in_quotes(file.text_of_number(*length_place)) + ", expected a whole number of tokens");
    }
    table.length.push_back(tokens);
  }
  if (table.rows() == 0) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  table.offsets.push_back(static_cast<std::int64_t>(table.rows()));
  return table;
}

template <class T>
std::vector<T> advantages_of(reward_table<T> const& table, advantage_command const& command) {
  std::vector<T> advantage(table.rows());
  if (command.mode == of_several) {
    prefopt::gdpo how{.non_finite = command.non_finite};
    if (command.options.epsilon) how.group_epsilon = *command.options.epsilon;
    if (command.batch_epsilon) how.batch_epsilon = *command.batch_epsilon;
    std::vector<prefopt::column<T>> const rewards(table.rewards.begin(), table.rewards.end());
    prefopt::gdpo_advantages<T>(rewards, command.weights, table.offsets, advantage, how);
  } else {
    bool const reads_length = command.mode == "length_weighted";
    prefopt::advantages<T>(table.rewards[0], table.offsets, advantage, command.options,
                           reads_length ? prefopt::column<T>{table.length} : prefopt::column<T>{}, table.baseline);
  }
  // Each row counts as often as its length says, if there are lengths.
  auto const times = table.length.empty() ? prefopt::column<T>{} : prefopt::column<T>{table.length};
  if (command.whitens) prefopt::whiten(prefopt::column<T>{advantage}, table.counts, advantage, {}, times);
  return advantage;
}

template <class T>
void score_each_reward(advantage_command const& command) {
  auto const file = open_rows(command);
  std::string const note_on_index = ignore_columns(*file, command);
  auto const rewards = reward_columns(*file, command);
  auto const known = known_columns(rewards);
  mode_columns const mode{command};
  auto const not_read = take_unread_columns(*file, known, mode, columns::length | columns::reference);
  check_header(*file, known, mode);
  if (!command.weights.empty() && command.weights.size() != rewards.size()) {
    throw input_error{"--weights: got " + std::to_string(command.weights.size()) + ", expected " +
                      std::to_string(rewards.size()) + ", one for each column of rewards"};
  }
  auto const table = read_rewards<T>(*file, rewards, command);
  auto const advantage = advantages_of(table, command);

  held_output output;
  output.append("advantage\n");
  for (T const value : advantage) output.append(number_text(value) + "\n");
  output.release();
  print_line("advantages", description(command));
  print_count("groups", table.offsets.size() - 1);
  print_count("rewards", table.rows());
  print_count("skipped", table.skipped);
  print_not_read(not_read);
  print_notes(command.notes);
  print_notes({note_on_index, file->note()});
}

}  // namespace

void score_advantages(advantage_command const& command) {
  command.single_precision ? score_each_reward<float>(command) : score_each_reward<double>(command);
}
