#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <prefopt/batch/options.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "column_table.hpp"
#include "input_error.hpp"
#include "run_program.hpp"
#include "score_command.hpp"

/// So many rows of a file are scored at once.
inline constexpr std::size_t rows_at_once = std::size_t{1} << 16;

/// How many rows of this file are scored at once: all, for a loss that compares each with statistics of the batch.
template <class Family>
std::size_t rows_at_once_for(prefopt::any_loss<Family> const& loss, column_table const& file) {
  auto const& facts = loss.facts();
  bool observes = facts.observed != 0 && facts.observed_from == prefopt::columns::none;
  for (auto const& row : Family::template inputs<double>) {
    observes |= facts.observed != 0 && row.kind == facts.observed_from && file.find(row.name);
  }
  bool const of_batch = observes || facts.matches != prefopt::rank_matching::none;
  return of_batch ? std::numeric_limits<std::size_t>::max() : rows_at_once;
}

/// Throws where the mean would be one by an infinite sum of weights, in numbers of type T.
template <class T>
void check_sum_of_weights(column_table const& file, prefopt::report const& report) {
  if (!(report.weight > static_cast<double>(std::numeric_limits<T>::max()))) return;
  throw error_at(file.file(), 0, "weight", "adds up to more than a number can hold");
}

/// A batch that is evaluated in parts, one after the other, as if each were another rank's that had had its turn before:
/// the report of the last part is that of all.
class batch_parts {
 public:
  batch_parts(score_command const& command, bool is_whole) : command_{command}, is_whole_{is_whole} {}

  /// Calls evaluate(options) for the part that begins in that line of the file.
  template <class Evaluate>
  auto operator()(std::size_t line, Evaluate const& evaluate) {
    calls_ = 0;
    auto const add_up = [this](std::span<double> values) {
      auto& sums = sums_.at(calls_++);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = sums.at(i) += values[i];
    };
    prefopt::options options{
        .reduction = prefopt::reduction::none, .non_finite = command_.non_finite, .empty = command_.empty};
    if (!is_whole_) options.all_reduce = add_up;
    bool const is_first = !std::exchange(has_begun_, true);
    try {
      return evaluate(options);
    } catch (std::invalid_argument const& error) {
      if (is_first) throw;
      throw input_error{std::string{without_library_name(error.what())} + ", counted from the row in line " +
                        std::to_string(line)};
    }
  }

 private:
  score_command const& command_;
  bool is_whole_, has_begun_ = false;
  std::size_t calls_ = 0;
  std::array<std::array<double, 16>, 2> sums_{};  ///< of the calls of one evaluation, in their order
};
