#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <prefopt/engine/foreign.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/loss/list.hpp>
#include <prefopt/core/parameter_values.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

class any_pair_loss;

template <>
inline constexpr bool is_erased_pair_loss<any_pair_loss> = true;

/// A pair loss whose type is known at run time only: from `make_pair_loss`, or made of any pair loss. A value; small.
class any_pair_loss {
 public:
  // In this order: asking whether a copy of this class is a pair_loss would ask for this constructor again.
  template <class L>
    requires(!std::same_as<L, any_pair_loss>)
  &&pair_loss<L> any_pair_loss(L const& loss)
      : traits_{detail::traits_of<L>},
  float_kernel_{&detail::run_pair_kernel<detail::resolved<L>, float, xsimd::default_arch>},
  double_kernel_{&detail::run_pair_kernel<detail::resolved<L>, double, xsimd::default_arch>},
  float_run_{&run_here<float>}, double_run_{&run_here<double>},
  check_{[](void const* at) { detail::check_parameters(detail::foreign<L>(at)); }}, values_{[](void const* at) {
    return detail::values_of(detail::foreign<L>(at));
  }} {
    auto const resolved = detail::resolve(loss);
    static_assert(std::is_trivially_copyable_v<L> && sizeof(L) <= sizeof given_ && sizeof resolved <= sizeof resolved_);
    std::memcpy(given_, &loss, sizeof loss);
    std::memcpy(resolved_, &resolved, sizeof resolved);
    reward_scale_ = detail::reward_scale(resolved);
  }

  [[nodiscard]] std::string name() const { return traits_.name(); }
  [[nodiscard]] bool needs(columns which) const noexcept { return contains(traits_.needs, which); }
  [[nodiscard]] bool reads(columns which) const noexcept { return contains(traits_.needs | traits_.takes, which); }
  [[nodiscard]] bool has_posterior() const noexcept { return traits_.has_posterior; }
  /// Its parameters and then those of its base, in order.
  [[nodiscard]] parameter_values parameters() const { return values_(given_); }
  /// Throws std::invalid_argument for a parameter out of its range.
  void check() const { check_(given_); }

  /// What `evaluate` calls: the code of the translation unit in which the loss was made.
  template <class T>
  report run(pair_batch<T> const& batch, pair_outputs<T> const& outputs, options const& options,
             bool lengths_mark_empty) const {
    void const* const arguments[]{this, &batch, &outputs, &options, &lengths_mark_empty};
    report seen;
    (std::same_as<T, float> ? float_run_ : double_run_)(arguments, &seen);
    return seen;
  }

 private:
  template <class T>
  static void run_here(void const* const* arguments, void* result) {
    auto const loss = detail::foreign<any_pair_loss>(arguments[0]);
    loss.check();
    auto const kernel = [&] {
      if constexpr (std::same_as<T, float>) {
        return loss.float_kernel_;
      } else {
        return loss.double_kernel_;
      }
    }();
    report const seen = detail::evaluate_pairs<T, xsimd::default_arch>(
        loss.traits_, kernel, loss.resolved_, loss.reward_scale_, detail::foreign<pair_batch<T>>(arguments[1]),
        detail::foreign<pair_outputs<T>>(arguments[2]), detail::foreign<options>(arguments[3]),
        detail::foreign<bool>(arguments[4]));
    std::memcpy(result, &seen, sizeof seen);
  }

  detail::pair_traits traits_;
  detail::pair_kernel<float> float_kernel_;
  detail::pair_kernel<double> double_kernel_;
  detail::foreign_function float_run_, double_run_;
  void (*check_)(void const*);
  parameter_values (*values_)(void const*);
  double reward_scale_;
  alignas(double) unsigned char given_[64], resolved_[64];
};

namespace detail {

template <class L>
constexpr bool has_parameter(std::string_view name) {
  bool found = false;
  if constexpr (requires { L::parameters(); }) {
    found = std::apply([&](auto const&... p) { return ((p.name == name) || ...); }, L::parameters());
  }
  if constexpr (requires(L loss) { loss.base; }) found = found || has_parameter<decltype(L::base)>(name);
  return found;
}

/// A name stands for one parameter: not so for smoothed<cdpo>, which has two epsilons and can only be made as a type.
template <class M>
constexpr bool has_distinct_parameters() {
  if constexpr (requires { M::parameters(); }) {
    return std::apply([](auto const&... p) { return !(has_parameter<decltype(M::base)>(p.name) || ...); },
                      M::parameters());
  } else {
    return true;
  }
}

/// Calls f.operator()<M>() for every modifier M over L that can be made by name.
template <class L, class F>
void for_each_named_modifier(F const& f) {
  modifiers_of<L>::type::for_each([&]<class M> {
    if constexpr (has_distinct_parameters<M>()) f.template operator()<M>();
  });
}

}  // namespace detail

/// A loss of the one list as a program shows it. For a modifier, parameters are its own and `bases` what it goes over.
struct pair_loss_card {
  loss_card card;
  columns needs, takes;
  bool is_modifier;
  std::vector<parameter_card> parameters;
  std::vector<std::string_view> bases;
};

namespace detail {

/// What can be made by name: L itself, or the modifier L<Base>.
struct made_loss {
  std::string_view name, base;
  any_pair_loss (*make)(parameter_values const&);
  std::vector<parameter_card> (*parameters)();
};

template <class L>
any_pair_loss make_with(parameter_values const& values) {
  any_pair_loss const made{with_values<L>("make_pair_loss", values)};
  made.check();
  return made;
}

template <class Losses>
std::vector<made_loss> const& made_losses() {
  static std::vector<made_loss> const all = [] {
    std::vector<made_loss> made;
    Losses::for_each([&]<class L> {
      made.push_back({L::card.name, {}, &make_with<L>, &parameter_cards<L>});
      for_each_named_modifier<L>([&]<class M> {
        made.push_back({M::card.name, L::card.name, &make_with<M>, &parameter_cards<M>});
      });
    });
    return made;
  }();
  return all;
}

}  // namespace detail

/// The losses of a list and then the modifiers, in order.
template <class Losses = pair_losses>
std::vector<pair_loss_card> const& pair_loss_cards() {
  static std::vector<pair_loss_card> const all = [] {
    std::vector<pair_loss_card> losses, modifiers;
    Losses::for_each([&]<class L> {
      auto const& traits = detail::traits_of<L>;
      losses.push_back({L::card, traits.needs, traits.takes, false, detail::parameter_cards<L>(), {}});
      detail::for_each_named_modifier<L>([&]<class M> {
        auto known = std::find_if(modifiers.begin(), modifiers.end(),
                                  [](auto const& modifier) { return modifier.card.name == M::card.name; });
        if (known == modifiers.end()) {
          auto own = detail::parameter_cards<M>();
          own.resize(own.size() - detail::parameter_cards<L>().size());
          // What the modifier adds to its base.
          auto const needs = static_cast<columns>(static_cast<unsigned>(detail::traits_of<M>.needs) &
                                                  ~static_cast<unsigned>(traits.needs));
          known = modifiers.insert(modifiers.end(), {M::card, needs, columns::none, true, std::move(own), {}});
        }
        known->bases.push_back(L::card.name);
      });
    });
    losses.insert(losses.end(), modifiers.begin(), modifiers.end());
    return losses;
  }();
  return all;
}

/// The loss of that name with those parameters, the others at their defaults; a modifier goes over `base`, whose
/// parameters it then takes, too. Throws std::invalid_argument for an unknown name, base or parameter, listing the
/// known ones, and for a parameter out of its range. Instantiates every loss of the list: call it in one translation
/// unit. A list of one's own, `loss_list<my_loss, dpo>`, may stand for the library's.
template <class Losses = pair_losses>
any_pair_loss make_pair_loss(std::string_view name, parameter_values const& values = {}, std::string_view base = {}) {
  for (auto const& made : detail::made_losses<Losses>()) {
    if (made.name == name && made.base == base) return made.make(values);
  }
  std::vector<std::string_view> known;
  for (auto const& card : pair_loss_cards<Losses>()) {
    known.push_back(card.card.name);
    if (card.card.name != name) continue;
    std::string const what =
        std::string{name} +
        (!card.is_modifier ? " is not a modifier and takes no base, got base \"" + std::string{base} + '"'
         : base.empty()
             ? " is a modifier and needs a base, one of " + detail::joined(card.bases)
             : " does not go over \"" + std::string{base} + "\", it goes over " + detail::joined(card.bases));
    detail::fail("make_pair_loss", what);
  }
  detail::fail("make_pair_loss", "there is no loss \"" + std::string{name} + "\", known are " + detail::joined(known));
}

}  // namespace prefopt::inline PREFOPT_ABI
