#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <prefopt/batch/columns.hpp>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI {

/// What a loss sorts before it compares: see aot and aot_unpaired.
enum class rank_matching : unsigned char {
  none,
  of_references,  ///< the policy's log-probs by their difference, the reference's by theirs
  of_sides        ///< the chosen completions by their log-ratios, the rejected by theirs
};

}  // namespace prefopt::inline PREFOPT_ABI

namespace prefopt::inline PREFOPT_ABI::detail {

/// What there is to know of a surrogate beyond that.
struct surrogate_facts {
  unsigned char selection = 0;  ///< a token_selection
  bool takes_mean = false, takes_exp = false, takes_correction = false;
  double decay = 0;  ///< of its statistic over the sequence; 0: a plain sum
  double share = 0;  ///< of the tokens that it selects
  /// Whether a token of that covariance can be selected.
  bool (*may_select)(void const* surrogate, double covariance, double advantage, double log_ratio) noexcept = nullptr;
};

/// What there is to know of a loss with its parameters, whatever its family.
struct loss_facts {
  std::string_view name;
  columns needs = columns::none, takes = columns::none;
  columns one_of = columns::none;  ///< of which exactly one has to be given
  unsigned writes = 0;             ///< a bit for each output of the family's table that only some losses have
  column_rule rule{};              ///< what it takes of one of its columns
  bool refuses_empty = false;      ///< has no value for a completion of length 0
  bool is_ranked = false;          ///< candidates come best first
  bool is_square = false;          ///< a group is an n x n matrix
  bool refuses_ties = false;       ///< equal rewards in a group are an error
  double highest_reward = std::numeric_limits<double>::infinity();
  rank_matching matches = rank_matching::none;
  double reward_scale = 1;                ///< implicit rewards in units of the scores
  std::size_t observed = 0;               ///< sums over the batch that it asks for
  columns observed_from = columns::none;  ///< without these there is nothing to observe; none: there always is
  surrogate_facts surrogate{};

  [[nodiscard]] constexpr bool reads(columns which) const noexcept { return contains(needs | takes, which); }
};

template <class L>
constexpr std::size_t name_size() noexcept {
  if constexpr (!requires { L::card.name; }) {
    return 9;
  } else if constexpr (requires(L loss) { loss.base; }) {
    return L::card.name.size() + 2 + name_size<decltype(L::base)>();
  } else {
    return L::card.name.size();
  }
}

template <class L>
constexpr char* write_name(char* to) noexcept {
  auto const write = [&](std::string_view text) {
    for (char const c : text) *to++ = c;
  };
  if constexpr (!requires { L::card.name; }) {
    write("this loss");
  } else if constexpr (requires(L loss) { loss.base; }) {
    write(L::card.name);
    *to++ = '<';
    to = write_name<decltype(L::base)>(to);
    *to++ = '>';
  } else {
    write(L::card.name);
  }
  return to;
}

/// With a 0 behind it.
template <class L>
inline constexpr auto name_text = [] {
  std::array<char, name_size<L>() + 1> text{};
  write_name<L>(text.data());
  return text;
}();

/// "lcpo<dpo>", or "this loss" for one without a card.
template <class L>
constexpr std::string_view name_of() noexcept {
  return {name_text<L>.data(), name_size<L>()};
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
