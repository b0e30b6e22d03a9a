#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "score_input.hpp"

/// The options on the input that all modes of the program have, each added where the mode shows it.
class input_options {
 public:
  explicit input_options(CLI::App& app) : app_{app} {}
  input_options(input_options const&) = delete;  // the app keeps references to the members
  input_options& operator=(input_options const&) = delete;

  void add_file(std::string const& about);
  void add_dtype();
  /// The treatments but the standard one, "error".
  void add_non_finite(std::string const& about, std::vector<std::string> treatments);
  void add_ignore();

  /// What the parsed command line asks for.
  void write_to(score_input& input) const;

 private:
  CLI::App& app_;
  std::string file_ = "-", dtype_ = "f64", non_finite_ = "error", ignored_;
};

/// The items between the commas; an empty list has one, which is empty.
std::vector<std::string> split(std::string const& list);

/// "skip", "propagate" or "error".
prefopt::on_invalid treatment_of(std::string const& name);
