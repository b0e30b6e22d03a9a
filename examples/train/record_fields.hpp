#pragma once

#include <cstddef>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

/// One record of the file: its fields by name, and where to point when one of them cannot be used. A field that is null
/// is absent.
class record_fields {
 public:
  record_fields(std::string const& file, std::size_t line, nlohmann::json const& fields)
      : file_{file}, line_{line}, fields_{fields} {}

  nlohmann::json const* find(std::string_view field) const;
  bool has(std::string_view field) const { return find(field) != nullptr; }
  bool has_any(std::initializer_list<std::string_view> fields) const;
  nlohmann::json const& all() const { return fields_; }
  std::size_t line() const { return line_; }

  /// These throw where the field is missing or another kind of thing.
  nlohmann::json const& required(std::string_view field, std::string_view expected) const;
  std::string const& text(std::string_view field) const;
  nlohmann::json const& array(std::string_view field, std::string_view expected) const;
  std::vector<std::string> texts(std::string_view field) const;
  /// One for each response.
  std::vector<double> numbers(std::string_view field, double low, double high, std::string_view expected,
                              std::size_t responses) const;

  /// Reads the number if the field is there; true if it is.
  bool number(std::string_view field, double low, double high, std::string_view expected, double& result) const;
  /// True, false, or a probability; required.
  double truth(std::string_view field) const;

  [[noreturn]] void fail(std::string_view field, std::string_view message) const;
  [[noreturn]] void fail(std::string_view field, nlohmann::json const& got, std::string_view expected) const;
  /// Of the element of a field that is an array, counted from 0.
  [[noreturn]] void fail_at(std::string_view field, std::size_t index, std::string_view got,
                            std::string_view expected) const;
  /// Throws if one of them is there.
  void refuse(std::initializer_list<std::string_view> fields, std::string_view message) const;

 private:
  std::string const& file_;
  std::size_t line_;
  nlohmann::json const& fields_;
};
