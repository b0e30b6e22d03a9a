#pragma once

#include <string>

#include "benchmark_program.hpp"

/// How two builds of the same benchmarks are put in turns.
struct turns {
  std::string only;  ///< of the cases whose name contains this text
  unsigned repetitions = 5;
  double seconds = 0.2;  ///< of a measurement
};

/// A table of what the one takes of the time of the other, case by case: each repetition runs the two one after the
/// other, first the one and then the other first. Throws an input_error if they have no case in common.
std::string build_comparison(benchmark_program const& one, benchmark_program const& other, turns const& how);
