#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "input_error.hpp"
#include "number_text.hpp"

/// Options of a command line that take a number each.
class number_options {
 public:
  explicit number_options(CLI::App& app) : app_{app} {}
  number_options(number_options const&) = delete;  // the app keeps references to the members
  number_options& operator=(number_options const&) = delete;

  bool has(std::string_view name) const { return std::ranges::find(all_, name, &number::name) != all_.end(); }

  void add(std::string_view name, std::string const& about, std::string const& value_name, std::string const& group) {
    number& added = all_.emplace_back(number{name, {}});
    added.option = app_.add_option("--" + std::string{name}, added.text, about)->type_name(value_name)->group(group);
  }

  /// What has been given, in the order in which it was added. Throws input_error for a text that is no number.
  std::vector<std::pair<std::string, double>> given() const {
    std::vector<std::pair<std::string, double>> values;
    for (auto const& one : all_) {
      if (one.option->count() != 0) values.emplace_back(one.name, value_of(one));
    }
    return values;
  }

  /// Nothing for an option that is not given.
  std::optional<double> value(std::string_view name) const {
    auto const found = std::ranges::find(all_, name, &number::name);
    if (found == all_.end() || found->option->count() == 0) return {};
    return value_of(*found);
  }

 private:
  struct number {
    std::string_view name;
    std::string text;
    CLI::Option const* option = nullptr;
  };

  static double value_of(number const& one) {
    auto const [value, problem] = parse_number<double>(one.text);
    if (!problem.empty()) throw input_error{"--" + std::string{one.name} + ": got " + problem};
    return value;
  }

  CLI::App& app_;
  std::deque<number> all_;
};
