#include "pair_reader.hpp"

#include <string_view>

namespace {

/// Names or numbers, so not in the table of numbers.
constexpr score_column annotator_column{"annotator", prefopt::presence::optional, prefopt::columns::reliability};

/// Leaves out what the command ignores, and checks the header; returns a note, or nothing.
std::string prepare(column_table& file, prefopt::any_pair_loss const& loss, score_command const& command) {
  auto note = ignore_columns(file, command);
  if (loss.reads(prefopt::columns::target)) file.rename("reward_gap", "target");
  auto columns = number_columns<prefopt::pair_family>();
  columns.push_back(annotator_column);
  check_header(file, columns, loss, prefopt::columns::reliability);
  return note;
}

}  // namespace

template <class T>
reliability_source<T>::reliability_source(column_table const& file, prefopt::any_pair_loss const& loss,
                                          std::vector<double> const& values)
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

template <class T>
void reliability_source<T>::append(column_table const& file, std::vector<T>& reliability) const {
  if (values_.empty()) return;
  if (values_.size() == 1) return reliability.push_back(static_cast<T>(values_[0]));
  auto const id = file.number<std::size_t>(*column_);
  if (id >= values_.size()) {
    throw file.error(*column_, "got " + std::to_string(id) + ", expected 0 to " + std::to_string(values_.size() - 1) +
                                   " as --reliability gives " + std::to_string(values_.size()) + " values");
  }
  reliability.push_back(static_cast<T>(values_[id]));
}

template <class T>
pair_reader<T>::pair_reader(column_table& file, prefopt::any_pair_loss const& loss, score_command const& command)
    : file_{file},
      note_on_index_{prepare(file, loss, command)},
      numbers_{file, loss, command},
      reliability_{file, loss, command.reliability},
      annotator_{file.find(annotator_column.name)},
      skips_non_finite_{command.non_finite == prefopt::on_invalid::skip},
      skips_empty_{command.empty == prefopt::on_invalid::skip} {}

template <class T>
bool pair_reader<T>::is_skipped(number_table<prefopt::pair_family, T> const& pairs) const {
  for (std::size_t c = 0; c < pairs.columns.size(); ++c) {
    if (pairs.columns[c].empty()) continue;
    T const last = pairs.columns[c].back();
    bool const is_length = prefopt::pair_family::inputs<T>[c].kind == prefopt::columns::length;
    if ((skips_non_finite_ && !std::isfinite(last)) || (skips_empty_ && is_length && last == 0)) return true;
  }
  return false;
}

template <class T>
void pair_reader<T>::read(number_table<prefopt::pair_family, T>& pairs) {
  numbers_.append_row(file_, pairs);
  reliability_.append(file_, pairs.columns[prefopt::pair_family::reliability]);
  if (!annotator_) return;
  annotators_.push_back({std::string{without_zero_fraction(file_.text(*annotator_))}, is_skipped(pairs)});
}

template class reliability_source<float>;
template class reliability_source<double>;
template class pair_reader<float>;
template class pair_reader<double>;
