#pragma once

#include <limits>
#include <prefopt/token/kl_penalty.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Weights for tokens that were sampled with other log-probs than the old policy's, x = old_log_prob - rollout_log_prob.
/// Sums, means and products run over the counted tokens of the sequence; bounds are inside.
enum class correction_mode : unsigned char {
  none,
  token_truncate,       ///< clip(e^x, low, high)
  token_mask,           ///< e^x if inside [low, high], else 0
  sequence_truncate,    ///< clip(e^(sum x), low, high): the product
  sequence_mask,        ///< e^(sum x) if inside, else 0
  geometric_truncate,   ///< clip(e^(mean x), low, high)
  geometric_mask,       ///< e^(mean x) if inside, else 0
  geometric_mask_token  ///< e^x if e^(mean x) is inside, else 0
};

/// What multiplies the surrogate, and has no gradient.
struct sampler_correction {
  correction_mode mode = correction_mode::none;
  double low = 0;   ///< >= 0; 0: no lower bound
  double high = 2;  ///< >= low; infinity: none
  /// Off-policy sequence mask: a sequence whose mean of rollout_log_prob - log_prob is above it, or without the column of
  /// old_log_prob - log_prob, has the surrogate 0 at tokens with A < 0. Denominators and the KL stay. Infinity: none.
  double off_policy_limit = std::numeric_limits<double>::infinity();
  /// Such tokens do not count at all, as if the batch's mask left them out: no KL, smaller denominators.
  bool drops_off_policy = false;
};

namespace detail {

inline constexpr std::string_view correction_mode_names[]{
    "none",          "token_truncate",     "token_mask",     "sequence_truncate",
    "sequence_mask", "geometric_truncate", "geometric_mask", "geometric_mask_token"};

constexpr bool masks_off_policy(sampler_correction const& correction) noexcept {
  return correction.off_policy_limit < std::numeric_limits<double>::infinity();
}

}  // namespace detail

/// "token_truncate" and so on.
constexpr std::string_view name_of(correction_mode mode) noexcept {
  return detail::correction_mode_names[static_cast<std::size_t>(mode)];
}
inline correction_mode correction_mode_of(std::string_view name) {
  return detail::enumerator_of<correction_mode>(name, detail::correction_mode_names, "correction");
}

}  // namespace prefopt::inline PREFOPT_ABI
