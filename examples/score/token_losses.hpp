#pragma once

#include <prefopt/engine/make_token_loss.hpp>
#include <string>
#include <string_view>
#include <vector>

// The losses of tokens, which one file compiles for all others.

/// The presets, then the surrogates. Their parameter `tokens`, a share of these, is called share here, where --tokens is
/// what the file holds.
std::vector<prefopt::token_loss_card> const& token_losses();

/// Null for a name that none has; of two of one name the preset, which comes first.
prefopt::token_loss_card const* find_token_loss(std::string_view name);

/// Their names, each once, with commas.
std::string names_of_token_losses();

/// Throws std::invalid_argument for an unknown name or parameter, and for a parameter out of its range.
prefopt::any_token_loss make_token_loss(std::string_view name, prefopt::parameter_values const& parameters);

/// Throws std::invalid_argument. T is float or double.
template <class T>
prefopt::token_report evaluate_tokens(prefopt::any_token_loss const& loss, prefopt::token_batch<T> const& batch,
                                      prefopt::token_outputs<T> const& outputs, prefopt::options const& options);

/// The weights of the loss's correction, which multiply the surrogate; those of tokens that do not count are 0.
template <class T>
std::vector<T> corrections(prefopt::any_token_loss const& loss, prefopt::token_batch<T> const& batch,
                           prefopt::options const& options);

/// The presets and surrogates as text for --help and --losses: of each its formula, parameters and source.
std::string token_loss_table();
