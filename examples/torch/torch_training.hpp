#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "loss_choice.hpp"
#include "preference.hpp"

/// What the user asks for beside the loss and the data.
struct torch_settings {
  std::string reference;  ///< a file for the log-probs of the reference, or empty
  std::uint64_t epochs = 3, sft_epochs = 1, seed = 1;
  std::size_t batch = 16;
  double learning_rate = 0.001;
  std::string sft_name;  ///< of the model that sft makes: says all that it depends on beside the data
};

/// Trains as asked and tells how on standard error; the table of the epochs.
std::string train(torch_settings const& settings, loss_choice const& choice, preference_set const& data);
