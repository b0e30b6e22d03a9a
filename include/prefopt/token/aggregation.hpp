#pragma once

#include <prefopt/token/kl_penalty.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// How the tokens' losses become one: the sum of factor * loss over the counted tokens. n is the number of counted tokens
/// of the token's sequence; a sequence, or a group, is live if it has one. Counts are of all ranks; what is called the
/// denominator, `options.denominator` replaces.
enum class aggregation_mode : unsigned char {
  token_mean,                    ///< 1 / denominator, the counted tokens
  token_sum,                     ///< 1
  sequence_mean_of_sums,         ///< 1 / denominator, the live sequences
  sequence_mean_of_means,        ///< 1 / (n denominator), the live sequences
  sequence_mean_of_sums_scaled,  ///< 1 / (horizon denominator), the live sequences
  prompt_mean,                   ///< 1 / (counted tokens of the group * denominator), the live groups
  length_weighted_sequence_mean  ///< as sequence_mean_of_sums
};

struct aggregation {
  aggregation_mode mode = aggregation_mode::token_mean;
  double horizon = 1;  ///< finite, > 0; for sequence_mean_of_sums_scaled
};

namespace detail {

inline constexpr std::string_view aggregation_mode_names[]{"token_mean",
                                                           "token_sum",
                                                           "sequence_mean_of_sums",
                                                           "sequence_mean_of_means",
                                                           "sequence_mean_of_sums_scaled",
                                                           "prompt_mean",
                                                           "length_weighted_sequence_mean"};

}  // namespace detail

/// "token_mean" and so on.
constexpr std::string_view name_of(aggregation_mode mode) noexcept {
  return detail::aggregation_mode_names[static_cast<std::size_t>(mode)];
}
inline aggregation_mode aggregation_mode_of(std::string_view name) {
  return detail::enumerator_of<aggregation_mode>(name, detail::aggregation_mode_names, "aggregation");
}

}  // namespace prefopt::inline PREFOPT_ABI
