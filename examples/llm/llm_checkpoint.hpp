#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint.hpp"
#include "llm_metrics.hpp"

/// Everything that a run needs to go on, but for the parameters and the optimizer's state. The order of the records in an
/// epoch depends on the seed and the epoch alone.
struct llm_checkpoint {
  run_setup setup;
  std::uint64_t steps = 0;  ///< those that are done
  std::vector<step_metrics> rows;
  std::vector<double> reliability;
};

void save_llm_checkpoint(std::string const& path, llm_checkpoint const& state,
                         std::vector<std::span<float const>> const& arrays);

/// Reads one in two steps, because the setup decides whether the arrays fit.
class llm_checkpoint_file {
 public:
  /// Throws input_error if there is no such file, or it is not whole.
  explicit llm_checkpoint_file(std::string const& path);

  llm_checkpoint const& state() const { return state_; }
  std::uint32_t checksum() const { return read_.checksum(); }

  /// Once. Throws input_error if the arrays have other sizes.
  void load(std::vector<std::span<float>> const& arrays);

 private:
  state_reader read_;
  llm_checkpoint state_;
};
