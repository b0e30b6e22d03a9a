#pragma once

#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// n preference pairs as columns of n values. Log-probs are sums over the completion's tokens, natural logarithm
/// (rewards for bradley_terry). T is the type computed in: float or double.
/// A column that the loss needs and does not get, or gets and does not read, is an error.
template <class T>
struct pair_batch {
  column<T> chosen{}, rejected{};                ///< log pi(y_w | x), log pi(y_l | x)
  column<T> ref_chosen{}, ref_rejected{};        ///< the same under the reference policy
  column<T> chosen_length{}, rejected_length{};  ///< tokens in the completion, >= 0
  column<T> weight{};                            ///< >= 0; multiplies the pair's loss and gradient
  column<T> margin{};                            ///< subtracted from the difference of the scores
  column<T> label{};                             ///< in [0, 1]: probability that chosen is the better one
  column<T> reliability{};                       ///< in [0, 1]: probability that this pair's annotator is right (eta)
};

/// Where results go, each of n values or left empty. Gradients are with respect to the columns of the same name.
template <class T>
struct pair_outputs {
  output<T> loss{};                              ///< each pair's own loss times its weight, never reduced
  output<T> d_chosen{}, d_rejected{};            ///< gradient of the reduced loss
  output<T> chosen_reward{}, rejected_reward{};  ///< implicit rewards, beta * score
  output<T> posterior{};                         ///< lcpo: probability that the label is right (w)
};

}  // namespace prefopt::inline PREFOPT_ABI
