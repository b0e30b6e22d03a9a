#pragma once

#include <array>
#include <limits>
#include <prefopt/batch/groups.hpp>
#include <prefopt/contract/list_loss.hpp>
#include <string>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What the engine knows of a list loss with its parameters.
struct list_facts {
  std::string (*name)() = nullptr;
  columns needs = columns::none, takes = columns::none, one_of = columns::none;
  bool is_ranked = false, is_square = false, refuses_ties = false;
  double highest_reward = 0, reward_scale = 1;

  [[nodiscard]] bool reads(columns which) const noexcept { return contains(needs | takes, which); }
};

template <class L, class Resolved>
list_facts facts_of(Resolved const& loss) noexcept {
  return {.name = &name_of<L>,
          .needs = list_needs_of(loss),
          .takes = list_takes_of<Resolved>(),
          .one_of = one_of<Resolved>(),
          .is_ranked = is_ranked<Resolved>(),
          .is_square = is_square<Resolved>(),
          .refuses_ties = refuses_ties(loss),
          .highest_reward = highest_reward<Resolved>(),
          .reward_scale = reward_scale(loss)};
}

/// The columns of a list batch that have a value a candidate, beside logp.
template <class T>
struct list_column {
  char const* name;
  column<T> list_batch<T>::*values;
  columns kind;
};

template <class T>
inline constexpr std::array<list_column<T>, 4> list_columns{{{"ref_logp", &list_batch<T>::ref_logp, columns::reference},
                                                             {"length", &list_batch<T>::length, columns::length},
                                                             {"reward", &list_batch<T>::reward, columns::reward},
                                                             {"target", &list_batch<T>::target, columns::target}}};

/// Whether weights come one a candidate and not one a group.
template <class T>
bool has_flat_weight(list_batch<T> const& batch) noexcept {
  return !batch.weight.empty() && batch.weight.size() != batch.offsets.size() - 1;
}

/// A group's weight. Of an empty group with none of its own, 0.
template <class T>
T weight_of(list_batch<T> const& batch, std::size_t group, std::size_t begin, std::size_t size) noexcept {
  if (batch.weight.empty()) return T(1);
  if (!has_flat_weight(batch)) return batch.weight[group];
  return size == 0 ? T(0) : batch.weight[begin];
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
