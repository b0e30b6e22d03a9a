#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lora_adapter.hpp"
#include "loss_choice.hpp"
#include "reading_options.hpp"
#include "token_data.hpp"

/// What the user asks for.
struct llm_command {
  std::string model, data, out, reference, hidden;
  reading_options reading;
  token_options tokens;
  loss_choice loss;
  std::string pairs;  ///< which are made of ranked responses, for pair losses
  bool head_only = false;
  lora_options lora;
  std::size_t epochs = 0, batch = 8;
  double learning_rate = 0, clip = 1, warm_up = 0.1, holdout = 0.2;
  std::size_t train_limit = 0;  ///< records; 0: all that are not held out
  std::uint64_t seed = 1;
  std::size_t threads = 1;
  bool resume = false;
  std::size_t stop_after = 0;  ///< steps; 0: at the end
  std::vector<std::string> samples;
  std::size_t sample_tokens = 64, own_answers = 16;
};

/// Nothing if the help was asked for and printed. Throws input_error or std::invalid_argument for what makes no sense.
std::optional<llm_command> parse_llm_command(int argc, char** argv);
