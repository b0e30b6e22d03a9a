#pragma once

#include <array>
#include <cstdint>
#include <prefopt/batch/columns.hpp>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Tokens of sampled sequences, packed: sequence s is [offsets[s], offsets[s + 1]) of every column, group g (the samples
/// of one prompt) the sequences [group_offsets[g], group_offsets[g + 1]). Log-probs are those of the sampled tokens,
/// natural logarithm. T is the type computed in: float or double.
/// A column that the loss needs and does not get, or gets and does not read, is an error. What stands at a token that
/// the mask leaves out may be anything.
template <class T>
struct token_batch {
  column<T> log_prob{};          ///< log pi of each token: what is differentiated
  column<T> old_log_prob{};      ///< under the policy that the ratios are against
  column<T> ref_log_prob{};      ///< under the reference of the KL
  column<T> rollout_log_prob{};  ///< as the sampler gave it, which computes otherwise
  /// One a token, or, if that is another number, one a sequence.
  column<T> advantage{};
  column<T> mask{};                      ///< 1 for a token that counts, 0 for one that does not; not given: all count
  column<T> entropy{};                   ///< of the policy at each token, in nats: for the entropy bonus
  column<std::int64_t> offsets{};        ///< sequences + 1 entries: the first 0, never falling, the last the tokens
  column<std::int64_t> group_offsets{};  ///< groups + 1 entries, likewise of sequences; for aggregation::prompt_mean
};

/// Where results go, each of one value a token or left empty. Of a token that does not count they are 0.
template <class T>
struct token_outputs {
  output<T> loss{};        ///< each token's own: correction * surrogate + c KL - e entropy, not aggregated
  output<T> d_log_prob{};  ///< gradient of the aggregated loss by log_prob
  output<T> d_entropy{};   ///< and by entropy
};

/// The family of tokens: its tables, and how it is called in messages.
struct token_family {
  template <class T>
  using batch = token_batch<T>;
  template <class T>
  using outputs = token_outputs<T>;

  static constexpr char const* example = "sequence";
  static constexpr char const* item = "token";
  static constexpr char const* output_prefix = "output ";
  static constexpr char const* loss_name = "surrogate";
  static constexpr char const* make_name = "make_token_loss";

  enum input : std::size_t {
    log_prob,
    old_log_prob,
    ref_log_prob,
    rollout_log_prob,
    advantage,
    mask,
    entropy,
    input_count
  };
  enum output : std::size_t { loss, d_log_prob, d_entropy, output_count };

  template <class T, class B = token_batch<T>>
  static constexpr std::array<detail::input_row<B, column<T>>, input_count> inputs{
      {{"log_prob", &B::log_prob, columns::none, presence::always},
       {"old_log_prob", &B::old_log_prob, columns::old_policy},
       {"ref_log_prob", &B::ref_log_prob, columns::reference},
       {"rollout_log_prob", &B::rollout_log_prob, columns::rollout},
       {"advantage", &B::advantage, columns::none, presence::always, value_range::any, entries::of_either},
       {"mask", &B::mask, columns::none, presence::optional, value_range::probability},
       {"entropy", &B::entropy, columns::entropy}}};

  template <class T, class O = token_outputs<T>>
  static constexpr std::array<detail::output_row<O, prefopt::output<T>>, output_count> results{
      {{"loss", &O::loss}, {"d_log_prob", &O::d_log_prob, log_prob}, {"d_entropy", &O::d_entropy, entropy, true}}};
};

}  // namespace prefopt::inline PREFOPT_ABI
