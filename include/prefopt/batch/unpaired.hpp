#pragma once

#include <array>
#include <prefopt/batch/columns.hpp>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// n single completions, each good or bad by itself, as columns of n values. Log-probs are sums over the completion's
/// tokens, natural logarithm (rewards for log_barrier, scores for nbpo). T is the type computed in: float or double.
/// A column that the loss needs and does not get, or gets and does not read, is an error.
template <class T>
struct unpaired_batch {
  column<T> logp{};      ///< log pi(y | x)
  column<T> ref_logp{};  ///< the same under the reference policy
  column<T> length{};    ///< tokens in the completion, >= 0
  column<T> label{};     ///< 1 desirable, 0 not; between, the probability that it is
  column<T> target{};    ///< what the loss compares the score with, or weighs it by
  column<T> weight{};    ///< >= 0; multiplies the completion's loss and gradient
  /// Log-probs of completions that belong to other prompts: what a KL is estimated from.
  column<T> kl_logp{}, ref_kl_logp{};
};

/// Where results go, each of n values or left empty.
template <class T>
struct unpaired_outputs {
  output<T> loss{};    ///< each completion's own loss times its weight, never reduced
  output<T> d_logp{};  ///< gradient of the reduced loss by logp
  output<T> reward{};  ///< implicit reward, beta * score
};

/// The family of single completions: its tables, and how it is called in messages.
struct unpaired_family {
  template <class T>
  using batch = unpaired_batch<T>;
  template <class T>
  using outputs = unpaired_outputs<T>;

  static constexpr char const* example = "completion";
  static constexpr char const* empty_example = " is";
  static constexpr char const* output_prefix = "output ";
  static constexpr char const* loss_name = "unpaired loss";
  static constexpr char const* make_name = "make_unpaired_loss";

  enum input : std::size_t { logp, ref_logp, length, label, target, weight, kl_logp, ref_kl_logp, input_count };
  enum output : std::size_t { loss, d_logp, reward, output_count };

  template <class T, class B = unpaired_batch<T>>
  static constexpr std::array<detail::input_row<B, column<T>>, input_count> inputs{
      {{"logp", &B::logp, columns::none, presence::always},
       {"ref_logp", &B::ref_logp, columns::reference},
       {"length", &B::length, columns::length, presence::as_read, value_range::non_negative},
       {"label", &B::label, columns::label, presence::as_read, value_range::probability},
       {"target", &B::target, columns::target},
       {"weight", &B::weight, columns::none, presence::optional, value_range::weight},
       {"kl_logp", &B::kl_logp, columns::kl},
       {"ref_kl_logp", &B::ref_kl_logp, columns::kl}}};

  template <class T, class O = unpaired_outputs<T>>
  static constexpr std::array<detail::output_row<O, prefopt::output<T>>, output_count> results{
      {{"loss", &O::loss}, {"d_logp", &O::d_logp, logp}, {.name = "reward", .values = &O::reward, .is_reward = true}}};
};

}  // namespace prefopt::inline PREFOPT_ABI
