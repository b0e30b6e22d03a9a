#pragma once

#include <cstddef>
#include <cstring>
#include <prefopt/engine/foreign.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/loss/list.hpp>
#include <prefopt/core/parameter_values.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

class any_list_loss;

template <>
inline constexpr bool is_erased_list_loss<any_list_loss> = true;

/// A list loss whose type is known at run time only: from `make_list_loss`, or made of any list loss. A value; small.
class any_list_loss {
 public:
  template <class L>
    requires(!std::same_as<L, any_list_loss>)
  &&list_loss<L> any_list_loss(L const& loss)
      : float_kernel_{&detail::run_list_kernel<detail::resolved<L>, float, xsimd::default_arch>},
  double_kernel_{&detail::run_list_kernel<detail::resolved<L>, double, xsimd::default_arch>},
  float_run_{&run_here<float>}, double_run_{&run_here<double>},
  check_{[](void const* at) { detail::check_parameters(detail::foreign<L>(at)); }}, values_{[](void const* at) {
    return detail::values_of(detail::foreign<L>(at));
  }} {
    auto const resolved = detail::resolve(loss);
    static_assert(std::is_trivially_copyable_v<L> && sizeof(L) <= sizeof given_ && sizeof resolved <= sizeof resolved_);
    std::memcpy(given_, &loss, sizeof loss);
    std::memcpy(resolved_, &resolved, sizeof resolved);
    facts_ = detail::facts_of<L>(resolved);
  }

  [[nodiscard]] std::string name() const { return facts_.name(); }
  [[nodiscard]] bool needs(columns which) const noexcept { return contains(facts_.needs, which); }
  [[nodiscard]] bool reads(columns which) const noexcept { return facts_.reads(which); }
  /// Columns of which exactly one must be given.
  [[nodiscard]] columns one_of() const noexcept { return facts_.one_of; }
  /// Equal rewards in a group are an error.
  [[nodiscard]] bool refuses_ties() const noexcept { return facts_.refuses_ties; }
  /// Rewards above it are an error.
  [[nodiscard]] double highest_reward() const noexcept { return facts_.highest_reward; }
  /// A group is an n x n matrix, row by row.
  [[nodiscard]] bool is_square() const noexcept { return facts_.is_square; }
  /// Its parameters and then those of its base, in order.
  [[nodiscard]] parameter_values parameters() const { return values_(given_); }
  /// Throws std::invalid_argument for a parameter out of its range.
  void check() const { check_(given_); }

  /// What `evaluate` calls: the code of the translation unit in which the loss was made.
  template <class T>
  report run(list_batch<T> const& batch, list_outputs<T> const& outputs, options const& options) const {
    void const* const arguments[]{this, &batch, &outputs, &options};
    report seen;
    (std::same_as<T, float> ? float_run_ : double_run_)(arguments, &seen);
    return seen;
  }

 private:
  template <class T>
  static void run_here(void const* const* arguments, void* result) {
    auto const loss = detail::foreign<any_list_loss>(arguments[0]);
    loss.check();
    auto const kernel = [&] {
      if constexpr (std::same_as<T, float>) {
        return loss.float_kernel_;
      } else {
        return loss.double_kernel_;
      }
    }();
    report const seen = detail::evaluate_lists<T, xsimd::default_arch>(
        loss.facts_, kernel, loss.resolved_, detail::foreign<list_batch<T>>(arguments[1]),
        detail::foreign<list_outputs<T>>(arguments[2]), detail::foreign<options>(arguments[3]));
    std::memcpy(result, &seen, sizeof seen);
  }

  detail::list_facts facts_;
  detail::list_kernel<float> float_kernel_;
  detail::list_kernel<double> double_kernel_;
  detail::foreign_function float_run_, double_run_;
  void (*check_)(void const*);
  parameter_values (*values_)(void const*);
  alignas(double) unsigned char given_[64], resolved_[64];
};

/// A list loss of the one list as a program shows it.
struct list_loss_card {
  loss_card card;
  columns needs, takes, one_of;
  std::vector<parameter_card> parameters;
};

template <class Losses = list_losses>
std::vector<list_loss_card> const& list_loss_cards() {
  static std::vector<list_loss_card> const all = [] {
    std::vector<list_loss_card> cards;
    Losses::for_each([&]<class L> {
      auto const facts = detail::facts_of<L>(detail::resolve(L{}));
      cards.push_back({L::card, facts.needs, facts.takes, facts.one_of, detail::parameter_cards<L>()});
    });
    return cards;
  }();
  return all;
}

/// The list loss of that name with those parameters, the others at their defaults; a switch is 0 or 1. Throws
/// std::invalid_argument for an unknown name or parameter, listing the known ones, and for a parameter out of its
/// range. Instantiates every loss of the list: call it in one translation unit.
template <class Losses = list_losses>
any_list_loss make_list_loss(std::string_view name, parameter_values const& values = {}) {
  any_list_loss (*make)(parameter_values const&) = nullptr;
  std::vector<std::string_view> known;
  Losses::for_each([&]<class L> {
    known.push_back(L::card.name);
    if (L::card.name != name) return;
    make = [](parameter_values const& given) {
      any_list_loss const made{detail::with_values<L>("make_list_loss", given)};
      made.check();
      return made;
    };
  });
  if (make != nullptr) return make(values);
  detail::fail("make_list_loss",
               "there is no list loss \"" + std::string{name} + "\", known are " + detail::joined(known));
}

}  // namespace prefopt::inline PREFOPT_ABI
