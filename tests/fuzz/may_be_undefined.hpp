#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

/// Whether a loss, or what a modifier goes over, is the one named: "lcpo<dpo>" is of lcpo and of dpo.
inline bool is_of(std::string_view loss, std::string_view name) {
  for (std::size_t at = loss.find(name); at != loss.npos; at = loss.find(name, at + 1)) {
    std::size_t const end = at + name.size();
    if ((at == 0 || loss[at - 1] == '<') && (end == loss.size() || loss[end] == '<' || loss[end] == '>')) return true;
  }
  return false;
}

/// Losses that may be NaN of finite numbers within 1e4, and parameters up to 8: where infinities of both signs meet, or
/// one and a 0. Everything else that is infinite there is so in one direction, and no NaN comes of it.
struct undefined_loss {
  std::string_view loss;
  bool is_under_modifier;  ///< by itself it is defined: the sum of both orders is not
  std::string_view why;
};
inline constexpr undefined_loss undefined_losses[]{
    {"orpo", false, "log-probs of 0 of both completions: odds of infinity to infinity"},
    {"weighted_nll", false, "the weight e^(target / beta) is infinite, the log-prob 0"},
    {"simper", true,
     "e^mean of a positive mean is infinite, in one order with one sign and in the other with the other"},
    {"alpha_po", true, "the slope e^(-alpha mean) is infinite in both orders, with both signs"},
    {"rao_kupper", true, "without a threshold a tie is infinite in both orders, with both signs"},
    {"f_dpo_forward_kl", true, "the slope e^-a is infinite in both orders, with both signs"},
    {"f_dpo_alpha", true, "the slope e^((alpha - 1) a) is infinite in both orders, with both signs"},
};

inline bool may_be_undefined(std::string_view loss) {
  return std::any_of(std::begin(undefined_losses), std::end(undefined_losses), [&](auto const& row) {
    return is_of(loss, row.loss) && (!row.is_under_modifier || loss.find('<') != loss.npos);
  });
}

/// Losses whose gradient, or that by one column, holds constant what their value does not.
struct loss_with_constants {
  std::string_view loss, column, what;
};
inline constexpr loss_with_constants losses_with_constants[]{
    {"alpha_dpo", "", "the margin's difference from its mean"},
    {"lcpo", "", "the posterior, which is the E-step's"},
    {"tdpo", "chosen_kl", "all of it, in version 2"},
    {"unbiased<focal_bt>", "", "of equal rewards, where both orders have their kink, which of its slopes is taken"},
};

inline bool has_constants(std::string_view loss, std::string_view column) {
  return std::any_of(std::begin(losses_with_constants), std::end(losses_with_constants), [&](auto const& row) {
    return is_of(loss, row.loss) && (row.column.empty() || row.column == column);
  });
}
