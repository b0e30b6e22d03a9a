#include "score_columns.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

std::unique_ptr<column_table> open_rows(score_input const& command) {
  text_limits const limits{.text = std::numeric_limits<std::uint64_t>::max()};
  return open_table(std::make_unique<text_stream>(command.file, limits, line_ends::any), object_names::same);
}

std::string ignore_columns(column_table& file, score_input const& command) {
  for (std::string const& name : command.ignored_columns) file.ignore(name);
  return file.ignore_index();
}

bool takes_log_probs(std::string_view loss) {
  static constexpr std::string_view of_rewards_or_errors[] = {
      "bradley_terry", "focal_bt",      "gaussian_bt",  "rao_kupper",  "davidson",
      "noise_mixture", "cost_model",    "smooth_hinge", "log_barrier", "binary_cross_entropy",
      "nbpo",          "diffusion_dpo", "smpo"};
  return std::ranges::none_of(of_rewards_or_errors,
                              [&](std::string_view name) { return loss.find(name) != loss.npos; });
}

bool is_probability(score_column const& column) {
  return column.range == prefopt::value_range::probability || column.kind == prefopt::columns::target;
}

bool is_log_prob(score_column const& column) {
  static constexpr std::string_view sums[] = {"chosen", "rejected", "ref_chosen", "ref_rejected",
                                              "logp",   "ref_logp", "kl_logp",    "ref_kl_logp"};
  return std::ranges::find(sums, column.name) != std::end(sums);
}

std::string note_on_signs(std::size_t positive_rows, std::size_t rows) {
  if (positive_rows == 0) return {};
  return "note: in " + std::to_string(positive_rows) + " of " + std::to_string(rows) + (rows == 1 ? " row" : " rows") +
         " a log-prob is above 0, and those of tokens add up to 0 at most: is a sign turned?";
}

std::string_view expectation(double value, score_column const& column, score_command const& command) {
  bool const finite = std::isfinite(value);
  if (!finite && command.non_finite == prefopt::on_invalid::error) {
    return "a finite number (--non-finite skip or propagate allows others)";
  }
  if (column.kind == prefopt::columns::length) {
    if (value < 0 || (finite && value != std::trunc(value))) return "a whole number of tokens";
    if (value == 0 && command.empty == prefopt::on_invalid::error) {
      return "at least one token (--empty skip or propagate allows none)";
    }
    return "";
  }
  switch (column.range) {
    case prefopt::value_range::any:
      return "";
    case prefopt::value_range::weight:
      if (!finite && command.non_finite == prefopt::on_invalid::propagate) {
        return "a finite number >= 0 (--non-finite skip allows others)";
      }
      return value < 0 ? "a number >= 0" : "";
    case prefopt::value_range::non_negative:
      return value < 0 ? "a number >= 0" : "";
    case prefopt::value_range::probability:
      return value < 0 || value > 1 ? "a number from 0 to 1" : "";
  }
  return "";
}
