#pragma once

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string_view>

#include "oracle/named_loss.hpp"

namespace oracle {

/// Losses that tend to infinity on both sides of the margin, or may by the label, or by one of the scores.
inline constexpr std::string_view infinite_on_both_sides[]{
    "ipo",      "ipo_mean",    "cdpo",     "rpo_bwd_kl", "rpo_sq",  "irepo",      "soft_ipo", "rao_kupper",
    "davidson", "gaussian_bt", "nca_pair", "sppo",       "cal_dpo", "cost_model", "tpo"};

inline bool is_infinite_on_both_sides(named_loss const& loss) {
  // The opposite label is infinite where the label's own loss is not.
  if (!loss.over.empty()) {
    return loss.name == "smoothed" || loss.name == "labelled" || is_infinite_on_both_sides(loss.over[0]);
  }
  return std::find(std::begin(infinite_on_both_sides), std::end(infinite_on_both_sides), loss.name) !=
         std::end(infinite_on_both_sides);
}

inline bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Where infinities of both signs may meet: there is no limit.
inline bool may_be_undefined_at_infinity(named_loss const& loss) {
  if (sorts_batch(loss)) return true;
  named_loss const& base = loss.over.empty() ? loss : loss.over[0];
  // An infinite log-prob is in two terms of these, of opposite signs; or in a mean over the batch.
  if (is_one_of(base.name, {"alpha_dpo", "xpo", "beta_dpo"})) return true;
  // A likelihood without bound, and a loss that tends to +inf there; errors are no log-probs, and fall.
  if (loss.name == "with_nll") {
    return is_infinite_on_both_sides(base) || is_one_of(base.name, {"diffusion_dpo", "smpo"});
  }
  // The difference of two infinities is none. lcpo knows what its gap is if it is compiled together with its base.
  if (loss.name == "unbiased") return is_infinite_on_both_sides(base);
  if (loss.name == "lcpo") return is_infinite_on_both_sides(base) && goes_apart(loss);
  // Nor is the sum of both: these tend to -inf on one side.
  return is_one_of(loss.name, {"smoothed", "labelled"}) && is_one_of(base.name, {"rdpo", "simper", "slic"});
}

}  // namespace oracle
