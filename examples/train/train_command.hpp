#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "loss_choice.hpp"
#include "reading_options.hpp"

/// What the user asks for.
struct train_command {
  std::string data, policy;
  reading_options reading;
  bool check = false;  ///< reads the data, and that is all
  loss_choice loss;
  std::string pairs;  ///< which are made of ranked responses, for pair losses
  std::uint64_t epochs = 0, sft_epochs = 0;
  std::size_t batch = 0;
  double learning_rate = 0, holdout = 0;
  std::uint64_t seed = 1;
  std::string out;
  bool resume = false;
};

/// Nothing if the help was asked for and printed. Throws input_error or std::invalid_argument for what makes no sense.
std::optional<train_command> parse_train_command(int argc, char** argv);
