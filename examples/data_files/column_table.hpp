#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "input_error.hpp"
#include "number_text.hpp"
#include "text_stream.hpp"
#include "written_words.hpp"

/// Whether all objects of a file have the same names, or some have fewer or more, whose columns come at the end as they
/// appear.
enum class object_names { same, any };

/// Named columns of text, read row by row. Whatever is wrong throws an input_error that names the place.
class column_table {
 public:
  column_table(column_table const&) = delete;
  column_table& operator=(column_table const&) = delete;
  virtual ~column_table() = default;

  std::string const& file() const { return text_->file(); }

  /// The names of the columns, in the file's order; empty for an ignored one.
  std::span<std::string const> header() const { return header_; }
  std::optional<std::size_t> find(std::string_view name) const;
  /// Takes the column's name away, if there is such a column.
  void ignore(std::string_view name);
  /// The same for the columns that pandas writes for its index; returns a note on these, or nothing.
  std::string ignore_index();
  /// Calls the column by another name, if there is such a column and none of the other name.
  void rename(std::string_view name, std::string_view to);

  /// Goes to the next row; false at the end of the file.
  virtual bool next_row() = 0;

  /// The line on which the current row begins.
  virtual std::size_t line() const = 0;
  virtual std::string_view text(std::size_t column) const = 0;
  /// The same of a field that is to be a number.
  virtual std::string_view text_of_number(std::size_t column) const { return text(column); }
  /// Whether the field stands for no value.
  virtual bool is_absent(std::size_t) const { return false; }
  template <class T>
  T number(std::size_t column, bool rounds_to_zero = false) const {
    if (std::numeric_limits<T>::has_quiet_NaN && is_absent(column)) return std::numeric_limits<T>::quiet_NaN();
    std::string_view written = text_of_number(column);
    if (std::numeric_limits<T>::is_integer && !written.starts_with('-')) written = without_zero_fraction(written);
    auto const [value, problem] = parse_number<T>(written, rounds_to_zero);
    if (!problem.empty()) throw error(column, "got " + problem);
    return value;
  }
  /// A number that says yes or no, or the probability of it; true and false are 1 and 0.
  template <class T>
  T truth(std::size_t column, bool rounds_to_zero = false) const {
    if (auto const word = truth_of_word(text_of_number(column))) return *word ? T(1) : T(0);
    return number<T>(column, rounds_to_zero);
  }

  /// Lines for the user on what became of the texts that were read.
  virtual std::string note() const { return {}; }

  /// An error at a field of the current row.
  input_error error(std::size_t column, std::string_view message) const {
    return error_at(file(), line(), header_[column], message);
  }

 protected:
  explicit column_table(std::unique_ptr<text_stream> text) : text_{std::move(text)} {}

  std::unique_ptr<text_stream> text_;
  std::vector<std::string> header_;
  std::vector<std::string> ignored_;
};

/// JSON objects or CSV, whichever the text is; it goes on behind comments. Throws input_error for a file of another kind.
std::unique_ptr<column_table> open_table(std::unique_ptr<text_stream> text, object_names names);
