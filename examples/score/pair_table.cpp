#include "pair_table.hpp"

#include <optional>
#include <string>
#include <string_view>

#include "score_columns.hpp"

namespace {

/// Names or numbers, so not in the table of numbers.
constexpr score_column annotator_column{"annotator", prefopt::presence::optional, prefopt::columns::reliability};

/// Each row's reliability where it comes from the command line: one value for all, or the one of the row's annotator.
template <class T>
class reliability_source {
 public:
  reliability_source(csv_table const& file, prefopt::any_pair_loss const& loss, std::vector<double> const& values)
      : values_{values}, column_{file.find(annotator_column.name)} {
    bool const in_file = file.find("reliability").has_value();
    if (!loss.reads(prefopt::columns::reliability)) {
      if (!values.empty()) throw input_error{"--reliability: " + std::string{loss.name()} + " does not read it"};
    } else if (in_file && !values.empty()) {
      throw error_at(file.file(), file.line(), "reliability",
                     "given as a column and by --reliability, expected one of them");
    } else if (!in_file && column_ && values.empty()) {
      throw error_at(file.file(), file.line(), annotator_column.name,
                     "needs --reliability with a value for each annotator 0, 1, ...");
    } else if (!in_file && values.empty() && loss.needs(prefopt::columns::reliability)) {
      throw error_at(file.file(), file.line(), "reliability",
                     "missing column; " + std::string{loss.name()} + " needs it, or --reliability");
    } else if (!column_ && values.size() > 1) {
      throw error_at(
          file.file(), file.line(), annotator_column.name,
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

}  // namespace

template <class T>
pair_table<T> read_pairs(csv_table& file, prefopt::any_pair_loss const& loss, score_command const& command) {
  for (std::string const& name : command.ignored_columns) file.ignore(name);
  if (loss.reads(prefopt::columns::target)) file.rename("reward_gap", "target");
  auto columns = number_columns<prefopt::pair_family>();
  columns.push_back(annotator_column);
  check_header(file, columns, loss, prefopt::columns::reliability);
  number_reader<prefopt::pair_family, T> const numbers{file, loss, command};
  reliability_source<T> const reliability{file, loss, command.reliability};
  auto const annotators = file.find(annotator_column.name);
  pair_table<T> pairs;
  while (file.next_row()) {
    numbers.append_row(file, pairs.numbers);
    reliability.append(file, pairs.numbers.columns[prefopt::pair_family::reliability]);
    if (annotators) pairs.annotator.emplace_back(file.text(*annotators));
  }
  if (pairs.size() == 0) throw error_at(file.file(), 0, {}, "only a header, expected at least one row");
  return pairs;
}

template pair_table<float> read_pairs(csv_table&, prefopt::any_pair_loss const&, score_command const&);
template pair_table<double> read_pairs(csv_table&, prefopt::any_pair_loss const&, score_command const&);
