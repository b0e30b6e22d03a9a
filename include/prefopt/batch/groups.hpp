#pragma once

#include <array>
#include <cstdint>
#include <prefopt/batch/columns.hpp>
#include <prefopt/view/column.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Groups of candidates, of any sizes, one behind the other: group g is [offsets[g], offsets[g + 1]) of every column.
/// Log-probs are sums over the candidate's tokens, natural logarithm. T is the type computed in: float or double.
/// A column that the loss needs and does not get, or gets and does not read, is an error.
template <class T>
struct list_batch {
  column<T> logp{};      ///< log pi(y_i | x)
  column<T> ref_logp{};  ///< the same under the reference policy
  column<T> length{};    ///< tokens in the candidate, >= 0
  column<T> reward{};    ///< larger is better; orders the candidates. Not given: they come best first
  column<T> target{};    ///< >= 0: the probability that the candidate should have
  /// >= 0; multiplies the group's loss and gradient. One a group, or, if that is another number, one a
  /// candidate and the same throughout a group.
  column<T> weight{};
  /// groups + 1 entries: the first 0, never falling, the last the size of logp. A group has at most 2^24 candidates in
  /// float, 2^32 in double: so many places are numbers of the type.
  column<std::int64_t> offsets{};
};

/// Where results go, or left empty.
template <class T>
struct list_outputs {
  output<T> loss{};    ///< one a group: its own loss times its weight, never reduced
  output<T> d_logp{};  ///< one a candidate: gradient of the reduced loss by logp
};

/// The family of groups: its tables, and how it is called in messages.
struct list_family {
  template <class T>
  using batch = list_batch<T>;
  template <class T>
  using outputs = list_outputs<T>;

  static constexpr char const* example = "group";
  static constexpr char const* item = "candidate";
  static constexpr char const* output_prefix = "";
  static constexpr char const* loss_name = "list loss";
  static constexpr char const* make_name = "make_list_loss";

  enum input : std::size_t { logp, ref_logp, length, reward, target, weight, input_count };
  enum output : std::size_t { loss, d_logp, output_count };

  template <class T, class B = list_batch<T>>
  static constexpr std::array<detail::input_row<B, column<T>>, input_count> inputs{
      {{"logp", &B::logp, columns::none, presence::always},
       {"ref_logp", &B::ref_logp, columns::reference},
       {"length", &B::length, columns::length, presence::as_read, value_range::non_negative},
       {"reward", &B::reward, columns::reward},
       {"target", &B::target, columns::target, presence::as_read, value_range::non_negative},
       {"weight", &B::weight, columns::none, presence::optional, value_range::weight, entries::of_either}}};

  template <class T, class O = list_outputs<T>>
  static constexpr std::array<detail::output_row<O, prefopt::output<T>>, output_count> results{
      {{"loss", &O::loss, -1, false, entries::of_examples}, {"d_logp", &O::d_logp, logp}}};
};

}  // namespace prefopt::inline PREFOPT_ABI
