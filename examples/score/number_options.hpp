#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "input_error.hpp"
#include "number_text.hpp"

/// Options that take a number each.
class number_options {
 public:
  explicit number_options(CLI::App& app) : app_{app} {}
  number_options(number_options const&) = delete;  // the app keeps references to the members
  number_options& operator=(number_options const&) = delete;

  bool has(std::string_view name) const { return find(name) != nullptr; }

  CLI::Option* add(std::string_view name, std::string const& about, std::string const& value_name) {
    number& added = all_.emplace_back(number{name, {}});
    auto* const option = app_.add_option("--" + std::string{name}, added.text, about)->type_name(value_name);
    added.option = option;
    return option;
  }

  /// Nothing for an option that is not there or not given. Throws input_error for a text that is no number.
  std::optional<double> value(std::string_view name) const {
    number const* const found = find(name);
    if (found == nullptr || found->option->count() == 0) return {};
    auto const [value, problem] = parse_number<double>(found->text);
    if (!problem.empty()) throw input_error{"--" + std::string{name} + ": got " + problem};
    return value;
  }

 private:
  struct number {
    std::string_view name;
    std::string text;
    CLI::Option const* option = nullptr;
  };

  number const* find(std::string_view name) const {
    for (auto const& one : all_) {
      if (one.name == name) return &one;
    }
    return nullptr;
  }

  CLI::App& app_;
  std::deque<number> all_;
};
