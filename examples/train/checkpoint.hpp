#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "state_file.hpp"
#include "training_metrics.hpp"

/// What a run was started with: names and values, in a fixed order.
using run_setup = std::vector<std::pair<std::string, std::string>>;

void write_setup(state_writer& write, run_setup const& setup);
run_setup read_setup(state_reader& read);

/// Everything that a run needs to go on, but for the policy's own arrays. The order of the records in an epoch depends
/// on the seed and the epoch alone, so no random generator is kept.
struct checkpoint {
  run_setup setup;
  std::uint64_t sft_epochs = 0, epochs = 0;  ///< those that are done
  std::vector<epoch_metrics> rows;
  std::vector<double> ref_logp;  ///< the reference's log-probs of every candidate, once sft is over
  std::vector<double> reliability;
};

/// Replaces the file in one step.
void save_checkpoint(std::string const& path, checkpoint const& state, std::vector<std::span<float>> const& policy);

/// Reads a checkpoint in two steps, because the setup decides whether the policy's arrays fit.
class checkpoint_file {
 public:
  /// Throws input_error if there is no such file, or it is not whole.
  explicit checkpoint_file(std::string path);

  checkpoint const& state() const { return state_; }
  std::uint32_t checksum() const { return read_.checksum(); }

  /// Once. Throws input_error if the arrays have other sizes.
  void load_policy(std::vector<std::span<float>> const& policy);

 private:
  state_reader read_;
  checkpoint state_;
};
