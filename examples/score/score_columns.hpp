#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <prefopt/batch/columns.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "column_table.hpp"
#include "number_table.hpp"
#include "score_command.hpp"

// What files of pairs and files of lists have in common: which columns they may have, and what values these may hold.

/// A column that a file may have.
struct score_column {
  std::string_view name;
  prefopt::presence when = prefopt::presence::always;
  prefopt::columns kind = prefopt::columns::none;  ///< what the loss has to read; none: read for every loss
  prefopt::value_range range = prefopt::value_range::any;
};

/// The columns of numbers of a family's batch.
template <class Family>
std::vector<score_column> number_columns() {
  std::vector<score_column> columns;
  for (auto const& row : Family::template inputs<double>) columns.push_back({row.name, row.when, row.kind, row.range});
  return columns;
}

template <class Loss>
bool is_read(score_column const& column, Loss const& loss) {
  return column.kind == prefopt::columns::none || loss.reads(column.kind);
}

template <class Loss>
bool is_needed(score_column const& column, Loss const& loss) {
  return column.when == prefopt::presence::always ||
         (column.when == prefopt::presence::as_read && loss.needs(column.kind));
}

template <class Loss>
bool is_alternative(score_column const& column, Loss const& loss) {
  if constexpr (requires { loss.one_of(); }) {
    return column.kind != prefopt::columns::none && contains(loss.one_of(), column.kind);
  }
  return false;
}

/// "logp, ref_logp (optional), reward or target": what the loss reads.
template <class Loss>
std::string names_read(std::vector<score_column> const& columns, Loss const& loss) {
  std::string names;
  bool after_alternative = false;
  for (auto const& column : columns) {
    if (!is_read(column, loss)) continue;
    bool const alternative = is_alternative(column, loss);
    names.append(names.empty() ? "" : alternative && after_alternative ? " or " : ", ").append(column.name);
    if (!alternative && !is_needed(column, loss)) names += " (optional)";
    after_alternative = alternative;
  }
  return names;
}

/// Throws for the first column of the file that is not known or not read, then for the first that is missing: needed, or
/// beside one of its kind that is there; but not for a kind that may come from elsewhere.
template <class Loss>
void check_header(column_table const& file, std::vector<score_column> const& columns, Loss const& loss,
                  prefopt::columns from_elsewhere = prefopt::columns::none) {
  auto const error = [&](std::string_view column, std::string const& message) {
    return error_at(file.file(), file.line(), column, message);
  };
  for (std::string const& name : file.header()) {
    if (name.empty()) continue;
    auto const column = std::ranges::find(columns, name, &score_column::name);
    if (column == columns.end()) {
      std::string names;
      for (auto const& known : columns) names.append(names.empty() ? "" : ", ").append(known.name);
      throw error(name, "unknown column, expected " + names + " (--ignore leaves others out)");
    }
    if (!is_read(*column, loss)) {
      throw error(name, loss.name() + " does not read this column, it reads " + names_read(columns, loss) +
                            " (--ignore leaves others out)");
    }
  }
  for (auto const& column : columns) {
    if (column.kind != prefopt::columns::none && contains(from_elsewhere, column.kind)) continue;
    if (!is_read(column, loss) || file.find(column.name)) continue;
    if (is_needed(column, loss)) {
      throw error(column.name, "missing column; " + loss.name() + " reads " + names_read(columns, loss));
    }
    if (column.when != prefopt::presence::as_read) continue;
    auto const other = std::ranges::find_if(columns, [&](score_column const& c) {
      return c.when == column.when && c.kind == column.kind && file.find(c.name);
    });
    if (other != columns.end()) {
      throw error(column.name, "missing column; " + std::string{other->name} + " is there, and " + loss.name() +
                                   " reads " + names_read(columns, loss));
    }
  }
}

/// Takes the columns away that the file has because of its form only: of those kinds, and not read. Returns their names.
template <class Loss>
std::vector<std::string_view> take_unread_columns(column_table& file, std::vector<score_column> const& columns,
                                                  Loss const& loss, prefopt::columns of_form) {
  std::vector<std::string_view> unread;
  for (auto const& column : columns) {
    if (!contains(of_form, column.kind) || is_read(column, loss) || !file.find(column.name)) continue;
    unread.push_back(column.name);
    file.ignore(column.name);
  }
  return unread;
}

/// The file's rows, of which no more is kept than one.
std::unique_ptr<column_table> open_rows(score_input const& command);

/// Leaves out the columns that the command ignores, and those that pandas writes for its index; returns a note on these,
/// or nothing.
std::string ignore_columns(column_table& file, score_input const& command);

/// Whether the policy's numbers that this loss reads are log-probs, and no rewards or errors.
bool takes_log_probs(std::string_view loss);

/// Whether it may hold probabilities, of which the smallest are 0 in the number type.
bool is_probability(score_column const& column);

/// Whether it is a sum of log-probs over the tokens of a completion.
bool is_log_prob(score_column const& column);

/// On rows that have log-probs above 0, or nothing.
std::string note_on_signs(std::size_t positive_rows, std::size_t rows);

/// What was expected of a value that is out of its range or that the command calls an error; empty for any other.
std::string_view expectation(double value, score_column const& column, score_command const& command);

/// Reads those of a batch's columns that a file has into a table, row by row.
template <class Family, class T>
class number_reader {
 public:
  number_reader(column_table const& file, prefopt::any_loss<Family> const& loss, score_command const& command)
      : columns_{number_columns<Family>()},
        loss_{loss.name()},
        rule_{loss.rule()},
        takes_log_probs_{takes_log_probs(loss_)},
        command_{command} {
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (auto const place = file.find(columns_[c].name)) sources_.emplace_back(*place, c);
    }
  }

  void append_row(column_table const& file, number_table<Family, T>& table) {
    bool has_positive = false;
    for (auto const& [place, column] : sources_) {
      bool const is_tiny_zero = is_probability(columns_[column]);
      T const value = columns_[column].kind == prefopt::columns::label ? file.truth<T>(place, is_tiny_zero)
                                                                       : file.number<T>(place, is_tiny_zero);
      if (auto const expected = expectation(value, columns_[column], command_); !expected.empty()) {
        throw file.error(place, "got " + in_quotes(file.text_of_number(place)) + ", expected " + std::string{expected});
      }
      if (is_ruled(columns_[column]) && !is_allowed(static_cast<double>(value), rule_.values)) {
        throw file.error(place, "got " + in_quotes(file.text_of_number(place)) + ", expected " +
                                    expectation_of(rule_.values) + " with " + loss_);
      }
      has_positive |= value > 0 && is_log_prob(columns_[column]);
      table.columns[column].push_back(value);
    }
    ++rows_;
    positive_rows_ += has_positive ? 1 : 0;
  }

  /// On log-probs above 0, or nothing.
  std::string note_on_signs() const {
    return takes_log_probs_ ? ::note_on_signs(positive_rows_, rows_) : std::string{};
  }

 private:
  bool is_ruled(score_column const& column) const {
    return rule_.kind == prefopt::columns::none ? column.when == prefopt::presence::always : column.kind == rule_.kind;
  }

  std::vector<score_column> columns_;
  std::string loss_;
  prefopt::column_rule rule_;
  bool takes_log_probs_;
  std::size_t rows_ = 0, positive_rows_ = 0;
  score_command const& command_;
  std::vector<std::pair<std::size_t, std::size_t>> sources_;  ///< place in the file, column
};
