#pragma once

#include <CLI/CLI.hpp>
#include <cmath>
#include <string>

#include "input_error.hpp"
#include "number_text.hpp"

/// The text of an option as a whole number in decimal; CLI11 would take 010 for 8 and -1 for the largest. Throws
/// input_error for what is none in that range.
template <class T>
T whole_number(std::string const& option, std::string const& text, T least, T most) {
  auto const [number, problem] = parse_number<T>(text);
  if (problem.empty() && number >= least && number <= most) return number;
  throw input_error{option + ": got " + in_quotes(text) + ", expected a whole number from " + std::to_string(least) +
                    " to " + std::to_string(most)};
}

/// A number option whose text is checked here, so that a wrong one is answered by what is expected.
class number_option {
 public:
  number_option(CLI::App& app, std::string const& name, std::string const& about) : name_{name} {
    option_ = app.add_option(name, text_, about);
  }
  number_option(number_option const&) = delete;  // the app keeps a reference to the text
  number_option& operator=(number_option const&) = delete;

  CLI::Option& option() { return *option_; }
  bool is_given() const { return option_->count() != 0; }

  template <class T>
  void whole(T& value, T least, T most) const {
    if (is_given()) value = whole_number<T>(name_, text_, least, most);
  }

  void positive(double& value) const {
    real(value, "a finite number > 0", [](double number) { return number > 0; });
  }

  void non_negative(double& value) const {
    real(value, "a finite number >= 0", [](double number) { return number >= 0; });
  }

 private:
  template <class Holds>
  void real(double& value, std::string const& expected, Holds const& holds) const {
    if (!is_given()) return;
    auto const [number, problem] = parse_number<double>(text_);
    if (!problem.empty() || !holds(number) || !std::isfinite(number)) refuse(expected);
    value = number;
  }

  [[noreturn]] void refuse(std::string const& expected) const {
    throw input_error{name_ + ": got " + in_quotes(text_) + ", expected " + expected};
  }

  std::string name_, text_;
  CLI::Option* option_;
};
