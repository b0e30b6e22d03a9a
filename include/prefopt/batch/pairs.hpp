#pragma once

#include <array>
#include <prefopt/batch/columns.hpp>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// What is known of a pair beside its completions and its weight: the table of the columns that a loss may read lane by
/// lane. Whatever brings pairs has a member for each, and the kernel loads those that the loss names. A row is
/// X(name, kind, range, value where it is not given, type); its kind is `columns::kind`.
///     margin       subtracted from the difference of the scores
///     label        in [0, 1]: probability that chosen is the better one
///     reliability  in [0, 1]: probability that this pair's annotator is right (eta)
///     target       what the loss should bring the margin to: a difference of rewards
///     scale        >= 0: a factor of the logit, as the dispersion of a prompt's answers
///     *_kl         >= 0: KL(reference || policy) summed over a completion's tokens
///     *_deviation  >= 0: standard deviation of a completion's reward
///     *_sign       of a completion's cost: 1 harmful, -1 harmless; of xpo 1 where the reference gave it, else 0
///     rationale    log-prob of the reason given for the choice
///     gold         log-prob per token of a third, demonstrated completion
#define PREFOPT_PAIR_COLUMNS(X, type)                     \
  X(margin, margin, any, 0, type)                         \
  X(label, label, probability, 1, type)                   \
  X(reliability, reliability, probability, 1, type)       \
  X(target, target, any, 0, type)                         \
  X(scale, scale, non_negative, 1, type)                  \
  X(chosen_kl, kl, non_negative, 0, type)                 \
  X(rejected_kl, kl, non_negative, 0, type)               \
  X(chosen_deviation, deviation, non_negative, 0, type)   \
  X(rejected_deviation, deviation, non_negative, 0, type) \
  X(chosen_sign, sign, any, 1, type)                      \
  X(rejected_sign, sign, any, -1, type)                   \
  X(rationale, rationale, any, 0, type)                   \
  X(gold, gold, any, 0, type)

/// Those that there are two of, one a completion: X(kind).
#define PREFOPT_SIDE_COLUMNS(X) X(kl) X(deviation) X(sign)

/// Those of them that a loss may have a gradient by: X(name, type), written to the output d_name.
#define PREFOPT_PAIR_GRADIENTS(X, type) \
  X(margin, type)                       \
  X(scale, type)                        \
  X(chosen_kl, type)                    \
  X(rejected_kl, type)                  \
  X(chosen_deviation, type)             \
  X(rejected_deviation, type)           \
  X(rationale, type)                    \
  X(gold, type)

#define PREFOPT_COLUMN_MEMBER(name, kind, range, neutral, type) type name{};

/// n preference pairs as columns of n values. Log-probs are sums over the completion's tokens, natural logarithm
/// (rewards for bradley_terry). T is the type computed in: float or double.
/// A column that the loss needs and does not get, or gets and does not read, is an error.
template <class T>
struct pair_batch {
  column<T> chosen{}, rejected{};                ///< log pi(y_w | x), log pi(y_l | x)
  column<T> ref_chosen{}, ref_rejected{};        ///< the same under the reference policy
  column<T> chosen_length{}, rejected_length{};  ///< tokens in the completion, >= 0
  column<T> weight{};                            ///< >= 0; multiplies the pair's loss and gradient
  PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_MEMBER, column<T>)
};

/// Where results go, each of n values or left empty. Gradients are with respect to the columns of the same name.
template <class T>
struct pair_outputs {
  output<T> loss{};                              ///< each pair's own loss times its weight, never reduced
  output<T> d_chosen{}, d_rejected{};            ///< gradient of the reduced loss
  output<T> chosen_reward{}, rejected_reward{};  ///< implicit rewards, beta * score
  output<T> posterior{};                         ///< lcpo: probability that the label is right (w)
  /// Gradients by further columns, of the losses that have them.
#define PREFOPT_GRADIENT_MEMBER(name, type) type d_##name{};
  PREFOPT_PAIR_GRADIENTS(PREFOPT_GRADIENT_MEMBER, output<T>)
#undef PREFOPT_GRADIENT_MEMBER
};

namespace detail {

/// The columns of pairs that come with the data and not from a policy, from one struct that has them to another.
template <class To, class From>
void copy_pair_columns(To& to, From const& from) {
  to.weight = from.weight;
#define PREFOPT_COLUMN_COPY(name, kind, range, neutral, type) to.name = from.name;
  PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_COPY, )
#undef PREFOPT_COLUMN_COPY
}

}  // namespace detail

/// The family of pairs: its tables, and how it is called in messages.
struct pair_family {
  template <class T>
  using batch = pair_batch<T>;
  template <class T>
  using outputs = pair_outputs<T>;

  static constexpr char const* example = "pair";
  static constexpr char const* empty_example = " has a completion";
  static constexpr char const* output_prefix = "output ";
  static constexpr char const* loss_name = "loss";
  static constexpr char const* make_name = "make_pair_loss";

  enum input : std::size_t {
    chosen,
    rejected,
    ref_chosen,
    ref_rejected,
    chosen_length,
    rejected_length,
    weight,
#define PREFOPT_COLUMN_INDEX(name, kind, range, neutral, type) name,
    PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_INDEX, )
#undef PREFOPT_COLUMN_INDEX
        input_count
  };
  enum output : std::size_t {
    loss,
    d_chosen,
    d_rejected,
    chosen_reward,
    rejected_reward,
    posterior,
#define PREFOPT_GRADIENT_INDEX(name, type) d_##name,
    PREFOPT_PAIR_GRADIENTS(PREFOPT_GRADIENT_INDEX, )
#undef PREFOPT_GRADIENT_INDEX
        output_count
  };

  template <class T, class B = pair_batch<T>>
  static constexpr std::array<detail::input_row<B, column<T>>, input_count> inputs{
      {{"chosen", &B::chosen, columns::none, presence::always},
       {"rejected", &B::rejected, columns::none, presence::always},
       {"ref_chosen", &B::ref_chosen, columns::reference},
       {"ref_rejected", &B::ref_rejected, columns::reference},
       {"chosen_length", &B::chosen_length, columns::length, presence::as_read, value_range::non_negative},
       {"rejected_length", &B::rejected_length, columns::length, presence::as_read, value_range::non_negative},
       {"weight", &B::weight, columns::none, presence::optional, value_range::weight},
#define PREFOPT_COLUMN_ROW(name, kind, range, neutral, type) \
  {#name, &B::name, columns::kind, presence::as_read, value_range::range},
       PREFOPT_PAIR_COLUMNS(PREFOPT_COLUMN_ROW, )
#undef PREFOPT_COLUMN_ROW
      }};

  template <class T, class O = pair_outputs<T>>
  static constexpr std::array<detail::output_row<O, prefopt::output<T>>, output_count> results{
      {{"loss", &O::loss},
       {"d_chosen", &O::d_chosen, chosen},
       {"d_rejected", &O::d_rejected, rejected},
       {.name = "chosen_reward", .values = &O::chosen_reward, .is_reward = true},
       {.name = "rejected_reward", .values = &O::rejected_reward, .is_reward = true},
       // Without evidence the posterior is the prior: pairs left out slow EM down, and do not change where it ends.
       {.name = "posterior", .values = &O::posterior, .is_of_some = true, .if_left_out = reliability},
#define PREFOPT_GRADIENT_ROW(name, type) {"d_" #name, &O::d_##name, name, true},
       PREFOPT_PAIR_GRADIENTS(PREFOPT_GRADIENT_ROW, )
#undef PREFOPT_GRADIENT_ROW
      }};
};

}  // namespace prefopt::inline PREFOPT_ABI
