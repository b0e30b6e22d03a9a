#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <prefopt/view/column.hpp>
#include <type_traits>

// What crosses between files that are compiled for different instruction sets: pointers to kernels over plain structs, in
// a namespace that no instruction set names. So the compiler sees that both sides mean the same. Nothing here may have a
// member function, not even a constructor that default values would make, or a layout that depends on a compiler's
// options: make them with {}.

namespace PREFOPT_KERNELS {

/// What a call sums up over the counted examples.
enum sum_index : std::size_t {
  loss_sum,
  counted_sum,
  non_finite_sum,
  empty_sum,
  ordered_sum,  ///< pairs that are ordered, in a group
  right_sum,    ///< of which the scores order right
  chosen_sum,   ///< scores of the better ones
  rejected_sum,
  probability_sum,
  margin_sum,
  weight_sum,
  sum_count
};
using sums = std::array<double, sum_count>;

inline constexpr std::size_t most_inputs = 24, most_outputs = 16;

/// Contiguous pieces of the columns of as many examples, null where a column is not given or an output not wanted.
template <class T>
struct block {
  std::array<T const*, most_inputs> in;
  std::array<T*, most_outputs> out;
  std::size_t count;
};

/// What a call does to every example alike.
template <class T>
struct settings {
  T gradient_scale;
  T reward_scale;
  bool accumulate;
  bool skip_non_finite;
  bool skip_empty;
  bool has_empty;  ///< there is a completion of length 0
};

/// One block of examples that all count: writes the outputs, adds to the sums. Reads each input and writes
/// each output once. Of the settings only the scales are meant.
template <class T>
using block_kernel = void (*)(void const* loss, settings<T> const&, block<T>&, sums&) noexcept;

/// The same for a block with examples that are left out or added to gradients that are there.
template <class T>
using finishing_kernel = void (*)(block_kernel<T>, void const* loss, settings<T> const&, block<T>&, sums&) noexcept;

/// Adds what a loss asks for over the counted examples of a block.
template <class T>
using observing_kernel = void (*)(void const* loss, settings<T> const&, block<T>&, double* observed) noexcept;

/// What is looked for in a block before anything is written. A bit, or a value, for each input.
template <class T>
struct inspection_settings {
  std::size_t inputs;
  unsigned non_negative, bounded, lengths;
  unsigned ruled;                      ///< those that the loss has a rule for
  unsigned char rule;                  ///< which one: an allowed_values
  std::array<T, most_inputs> highest;  ///< of the bounded ones
  std::size_t weight;                  ///< which input is the weight, if one is
  bool needs_finite, has_empty, skip_non_finite, skip_empty;
};

struct inspection {
  double weight;
  /// Lowest example with a value out of its column's range, a NaN or infinity, an empty completion, equal rewards.
  std::size_t out_of_range, non_finite, empty, tied;
};

template <class T>
using inspecting_kernel = void (*)(inspection_settings<T> const&, block<T>&, std::size_t begin, inspection&) noexcept;

/// The kernels of a loss on examples that are independent of one another, as pairs are.
template <class T>
struct block_kernels {
  block_kernel<T> run;
  finishing_kernel<T> finish;
  observing_kernel<T> observe;
  inspecting_kernel<T> inspect;
  bool runs_several;  ///< `run` takes several blocks at once
};

/// Where in a tile a value comes from.
template <class T>
using tile_index = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

inline constexpr std::size_t slot_count = 4;

/// Where the columns of a group lie. Null where a column is not given.
template <class T>
struct candidate_columns {
  T *score, *reward, *target, *gradient;
  std::array<T*, slot_count> slots;
};

/// As many groups of one size as there are lanes, or one large group, copied together. What the loss sees is in the
/// order of rank, what makes up a score in the order of the batch.
template <class T>
struct list_tile {
  T *log_prob, *reference, *length;  ///< null where not given
  T *slope, *given_score;
  candidate_columns<T> ranked;
  /// Of each value in rank its place in the batch's order; null where that is the same.
  tile_index<T> const* origins;
  std::size_t size, values;  ///< candidates of a group; of the tile
  bool is_spread;
  bool best_first;    ///< the first candidate is the best; otherwise the one with the most evidence
  bool has_ties;      ///< among the evidence, if that is in order
  T const* evidence;  ///< what says which candidate is better: the rewards, or the target
  // One a group.
  T const* weight;
  T const* poison;  ///< NaN for a group with a NaN in what is read, else 0
  T* counted;       ///< 1, or 0 for a group that is left out
  T* loss;
};

/// Columns of a tile.
inline constexpr std::size_t tile_columns = 9 + slot_count;

/// One tile: the groups' losses, and the gradients by log-prob in the tile's gradient column; adds to the sums.
template <class T>
using list_kernel = void (*)(void const* loss, settings<T> const&, list_tile<T> const&, T* lane_sums, sums&) noexcept;

/// A batch of groups for a loss, and the working memory of a part of it.
template <class T>
struct list_work {
  list_kernel<T> kernel;
  void const* loss;
  PREFOPT_KERNELS::settings<T> settings;
  bool is_ranked, is_square;
  std::array<column_memory<T>, most_inputs> in;
  column_memory<std::int64_t> offsets;
  std::array<output_memory<T>, most_outputs> out;
  T* room;
  tile_index<T>* order;
};

/// Runs the groups [begin, end).
template <class T>
using list_runner = void (*)(list_work<T> const&, std::size_t begin, std::size_t end, sums&) noexcept;

/// The first of `count` groups with equal rewards, of those that fit lanes.
template <class T>
using tie_finder = std::size_t (*)(column_memory<T> const& rewards, std::int64_t const* offsets,
                                   std::size_t count) noexcept;

/// The kernels of a loss on groups.
template <class T>
struct list_kernels {
  list_kernel<T> run;
  list_runner<T> run_groups;
  inspecting_kernel<T> inspect;
  tie_finder<T> first_tie;
};

/// What a call sums up over the counted tokens.
enum token_sum : std::size_t {
  token_loss_sum,  ///< of factor * loss
  ratio_sum,
  below_sum,
  above_sum,
  squared_log_ratio_sum,
  kl_sum,
  entropy_sum,
  correction_sum,
  correction_square_sum,
  token_non_finite_sum,
  token_sum_count
};
struct token_sums {
  std::array<double, token_sum_count> of;
  double largest_ratio;
};

/// What a surrogate's kernel takes of a block of tokens: columns, and numbers that were found for each token. All but
/// log_prob and advantage may be null.
enum surrogate_input : std::size_t {
  log_prob_in,
  old_log_prob_in,
  advantage_in,
  live_in,  ///< 1 for a token that counts, else 0
  statistic_in,
  correction_in,
  off_policy_in,  ///< 1 where the surrogate is left out
  selected_in,
  chain_in,   ///< what the slopes by the sequence's statistic add up to, divided by its tokens if that is a mean
  factor_in,  ///< null: the settings' factor
  kl_in,
  kl_slope_in,
  entropy_in,
  // Only looked at for what is not finite.
  ref_log_prob_in,
  rollout_log_prob_in,
  surrogate_inputs
};
enum surrogate_output : std::size_t { token_loss_out, d_log_prob_out, d_entropy_out, surrogate_outputs };

template <class T>
struct surrogate_settings {
  T factor, log_ratio_limit, kl_coefficient, entropy_coefficient;
  bool is_corrected;  ///< the KL
  bool accumulate;
};

/// Writes the outputs of a block of tokens, adds to the sums.
template <class T>
using surrogate_kernel = void (*)(void const* surrogate, surrogate_settings<T> const&, block<T>&, token_sums&) noexcept;
/// The statistic of every token, or its slope by the sequence's times the correction; 0 where it does not count.
template <class T>
using statistic_kernel = void (*)(void const* surrogate, T log_ratio_limit, block<T>&) noexcept;

/// A token batch for a surrogate, and what a call does to every token alike.
template <class T>
struct token_work {
  surrogate_kernel<T> surrogate;
  statistic_kernel<T> statistic, slopes;  ///< null for a surrogate without
  void const* loss;
  PREFOPT_KERNELS::surrogate_settings<T> settings;
  std::array<column_memory<T>, most_inputs> in;
  std::array<output_memory<T>, most_outputs> out;
  column_memory<std::int64_t> offsets;
  T const* factors;                     ///< one a sequence; null: the settings' is every one's
  T const* counts;                      ///< one a sequence: its counted tokens
  unsigned char const* selected;        ///< one a token, or null
  unsigned char estimator, correction;  ///< a kl_estimator, a correction_mode
  bool takes_mean, takes_exp, takes_correction, needs_finite, skip_non_finite, advantage_of_sequences;
  double decay;  ///< of the statistic; 0: it is a plain sum
  T kl_log_ratio_limit, kl_value_limit;
  double correction_low, correction_high, off_policy_limit;
};

/// What is found out of a token batch before anything is written.
struct token_inspection {
  double counted, skipped;
  std::size_t not_a_mask, non_finite;  ///< lowest tokens
};

/// Runs the sequences [begin, end), or counts their tokens: counts[s - begin] for each.
template <class T>
using token_runner = void (*)(token_work<T> const&, std::size_t begin, std::size_t end, token_sums&) noexcept;
template <class T>
using token_counter = void (*)(token_work<T> const&, std::size_t begin, std::size_t end, T* counts,
                               token_inspection&) noexcept;

/// The kernels of a surrogate.
template <class T>
struct token_kernels {
  surrogate_kernel<T> surrogate;
  statistic_kernel<T> statistic, slopes;
  token_runner<T> run;
  token_counter<T> count;
};

}  // namespace PREFOPT_KERNELS

namespace prefopt::inline PREFOPT_ABI::detail {

using namespace PREFOPT_KERNELS;

inline constexpr std::size_t no_example = static_cast<std::size_t>(-1);

}  // namespace prefopt::inline PREFOPT_ABI::detail
