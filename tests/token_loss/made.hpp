#pragma once

#include <prefopt/engine/evaluate_tokens.hpp>
#include <prefopt/engine/make_loss.hpp>
#include <prefopt/token/advantages.hpp>
#include <string_view>
#include <vector>

// make_token_loss, compiled in one file: every surrogate's kernels are in there.

prefopt::any_token_loss made_token_loss(std::string_view name, prefopt::parameter_values const& values = {});

/// The surrogates' names, in the library's order; and the presets'.
std::vector<std::string_view> surrogate_names();
std::vector<std::string_view> preset_names();
prefopt::advantage_mode advantages_of_preset(std::string_view name);
