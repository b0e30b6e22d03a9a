#include "pair_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

/// What a column's values have to be.
enum class value_range { any, tokens, not_negative, probability };

/// A column of the file: where its values go, and the kind that a loss has to read so that it may be given.
template <class T>
struct pair_column {
  std::string_view name;
  std::vector<T> pair_table<T>::*values;
  prefopt::columns kind = prefopt::columns::none;
  value_range range = value_range::any;
};

template <class T>
constexpr std::array<pair_column<T>, 10> pair_columns{{
    {"chosen", &pair_table<T>::chosen},
    {"rejected", &pair_table<T>::rejected},
    {"ref_chosen", &pair_table<T>::ref_chosen, prefopt::columns::reference},
    {"ref_rejected", &pair_table<T>::ref_rejected, prefopt::columns::reference},
    {"chosen_length", &pair_table<T>::chosen_length, prefopt::columns::length, value_range::tokens},
    {"rejected_length", &pair_table<T>::rejected_length, prefopt::columns::length, value_range::tokens},
    {"weight", &pair_table<T>::weight, prefopt::columns::none, value_range::not_negative},
    {"margin", &pair_table<T>::margin, prefopt::columns::margin},
    {"label", &pair_table<T>::label, prefopt::columns::label, value_range::probability},
    {"reliability", &pair_table<T>::reliability, prefopt::columns::reliability, value_range::probability},
}};

constexpr std::string_view annotator = "annotator";

bool is_read(auto const& column, prefopt::any_pair_loss const& loss) {
  return column.kind == prefopt::columns::none || loss.reads(column.kind);
}

bool is_needed(auto const& column, prefopt::any_pair_loss const& loss) {
  return column.kind == prefopt::columns::none ? column.name != "weight" : loss.needs(column.kind);
}

template <class T>
std::string names_of_columns() {
  std::string names;
  for (auto const& column : pair_columns<T>) names.append(column.name).append(", ");
  return names.append(annotator);
}

template <class T>
std::string names_of_columns_read(prefopt::any_pair_loss const& loss) {
  std::string names;
  for (auto const& column : pair_columns<T>) {
    if (!is_read(column, loss)) continue;
    names.append(names.empty() ? "" : ", ").append(column.name);
    if (!is_needed(column, loss)) names += " (optional)";
  }
  return names;
}

/// Throws for the first column of the file that is not known or not read.
template <class T>
void check_header(csv_table const& file, prefopt::any_pair_loss const& loss) {
  for (std::string const& name : file.header()) {
    if (name.empty()) continue;
    auto const column = std::ranges::find(pair_columns<T>, name, &pair_column<T>::name);
    bool const known = column != pair_columns<T>.end() || name == annotator;
    if (!known) {
      throw at(file.file(), file.line(), name,
               "unknown column, expected " + names_of_columns<T>() + " (--ignore leaves others out)");
    }
    bool const read = name == annotator ? loss.reads(prefopt::columns::reliability) : is_read(*column, loss);
    if (!read) {
      throw at(file.file(), file.line(), name,
               std::string{loss.name()} + " does not read this column, it reads " + names_of_columns_read<T>(loss) +
                   " (--ignore leaves others out)");
    }
  }
}

/// The columns that the file has, with their places in it.
template <class T>
std::vector<std::pair<std::size_t, pair_column<T>>> match_columns(csv_table const& file,
                                                                  prefopt::any_pair_loss const& loss) {
  std::vector<std::pair<std::size_t, pair_column<T>>> sources;
  for (auto const& column : pair_columns<T>) {
    if (auto const index = file.find(column.name)) {
      sources.emplace_back(*index, column);
    } else if (is_needed(column, loss) && column.kind != prefopt::columns::reliability) {
      throw at(file.file(), file.line(), column.name,
               "missing column; " + std::string{loss.name()} + " reads " + names_of_columns_read<T>(loss));
    }
  }
  return sources;
}

/// Each row's reliability where it comes from the command line: one value for all, or the one of the row's annotator.
template <class T>
class reliability_source {
 public:
  reliability_source(csv_table const& file, prefopt::any_pair_loss const& loss, std::vector<double> const& values)
      : values_{values}, column_{file.find(annotator)} {
    bool const in_file = file.find("reliability").has_value();
    if (!loss.reads(prefopt::columns::reliability)) {
      if (!values.empty()) throw input_error{"--reliability: " + std::string{loss.name()} + " does not read it"};
    } else if (in_file && !values.empty()) {
      throw at(file.file(), file.line(), "reliability", "given as a column and by --reliability, expected one of them");
    } else if (!in_file && column_ && values.empty()) {
      throw at(file.file(), file.line(), annotator, "needs --reliability with a value for each annotator 0, 1, ...");
    } else if (!in_file && values.empty() && loss.needs(prefopt::columns::reliability)) {
      throw at(file.file(), file.line(), "reliability",
               "missing column; " + std::string{loss.name()} + " needs it, or --reliability");
    } else if (!column_ && values.size() > 1) {
      throw at(file.file(), file.line(), annotator,
               "missing column; --reliability gives " + std::to_string(values.size()) + " values, one an annotator");
    }
  }

  void append(csv_table const& file, std::vector<T>& reliability) const {
    if (values_.empty()) return;
    std::size_t const id = column_ ? file.number<std::size_t>(*column_) : 0;
    if (values_.size() > 1 && id >= values_.size()) {
      throw file.error(*column_, "got " + std::to_string(id) + ", expected 0 to " + std::to_string(values_.size() - 1) +
                                     " as --reliability gives " + std::to_string(values_.size()) + " values");
    }
    reliability.push_back(static_cast<T>(values_[values_.size() > 1 ? id : 0]));
  }

 private:
  std::vector<double> const& values_;
  std::optional<std::size_t> column_;
};

/// What was expected of a value that the column cannot hold; empty for one that it can.
template <class T>
std::string_view expectation(T value, value_range range, score_command const& command) {
  if (!std::isfinite(value)) {
    bool const allowed = command.non_finite != prefopt::on_invalid::error;
    return allowed ? "" : "a finite number (--non-finite skip or propagate allows others)";
  }
  switch (range) {
    case value_range::any:
      return "";
    case value_range::tokens:
      if (value < 0 || value != std::trunc(value)) return "a whole number of tokens";
      if (value == 0 && command.empty == prefopt::on_invalid::error) {
        return "at least one token (--empty skip or propagate allows none)";
      }
      return "";
    case value_range::not_negative:
      return value < 0 ? "a number >= 0" : "";
    case value_range::probability:
      return value < 0 || value > 1 ? "a number from 0 to 1" : "";
  }
  return "";
}

}  // namespace

template <class T>
pair_table<T> read_pairs(csv_table& file, prefopt::any_pair_loss const& loss, score_command const& command) {
  for (std::string const& name : command.ignored_columns) file.ignore(name);
  check_header<T>(file, loss);
  auto const sources = match_columns<T>(file, loss);
  reliability_source<T> const reliability{file, loss, command.reliability};
  auto const annotators = file.find(annotator);
  pair_table<T> pairs;
  while (file.next_row()) {
    for (auto const& [index, column] : sources) {
      T const value = file.number<T>(index);
      if (auto const expected = expectation(value, column.range, command); !expected.empty()) {
        throw file.error(index, "got " + in_quotes(file.text(index)) + ", expected " + std::string{expected});
      }
      (pairs.*column.values).push_back(value);
    }
    reliability.append(file, pairs.reliability);
    if (annotators) pairs.annotator.emplace_back(file.text(*annotators));
  }
  if (pairs.size() == 0) throw at(file.file(), 0, {}, "only a header, expected at least one row");
  return pairs;
}

template pair_table<float> read_pairs(csv_table&, prefopt::any_pair_loss const&, score_command const&);
template pair_table<double> read_pairs(csv_table&, prefopt::any_pair_loss const&, score_command const&);
