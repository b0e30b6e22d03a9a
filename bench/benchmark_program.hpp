#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// One of the programs here that are made with Google Benchmark.
class benchmark_program {
 public:
  /// Throws an input_error that ends in `hint` if there is no such program.
  benchmark_program(std::string path, std::string const& hint);

  /// The names of its cases, in its order.
  [[nodiscard]] std::vector<std::string> cases() const;

  struct result {
    nlohmann::json context, counters;
  };

  /// Runs one case for at least that many seconds. Throws an input_error if that fails.
  [[nodiscard]] result run(std::string const& name, double seconds) const;

 private:
  std::string path_;
};
