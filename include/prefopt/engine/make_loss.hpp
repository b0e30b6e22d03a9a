#pragma once

#include <algorithm>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/loss/list.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A loss of the one list as a program shows it. For a modifier, parameters are its own and `bases` what it goes over.
struct listed_loss_card {
  loss_card card;
  columns needs, takes, one_of;
  bool is_modifier;
  std::vector<parameter_card> parameters;
  std::vector<std::string_view> bases;
};
using pair_loss_card = listed_loss_card;
using list_loss_card = listed_loss_card;
using unpaired_loss_card = listed_loss_card;

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

/// What can be made by name: a loss, or a modifier over a base.
template <class Family>
struct named_loss {
  std::string_view name, base;
  any_loss<Family> (*make)(parameter_values const&);
};

template <class Arch, class Family, class L>
any_loss<Family> make_with(parameter_values const& values) {
  any_loss<Family> const made{std::in_place_type<Arch>, with_values<L>(Family::make_name, values)};
  made.check();
  return made;
}

// Hidden in words, too: of a type that is hidden alone, GCC 12 shares the guard of the static, but not the static itself.
template <class Arch, class Family, class Losses>
PREFOPT_HIDDEN std::vector<named_loss<Family>> const& named_losses() {
  static std::vector<named_loss<Family>> const all = [] {
    std::vector<named_loss<Family>> named;
    Losses::for_each([&]<class L> {
      named.push_back({L::card.name, {}, &make_with<Arch, Family, L>});
      for_each_named_modifier<L>([&]<class M> {
        named.push_back({M::card.name, L::card.name, &make_with<Arch, Family, M>});
      });
    });
    return named;
  }();
  return all;
}

template <class L>
listed_loss_card card_of() {
  auto const facts = facts_of<L>(resolve(L{}));
  return {L::card, facts.needs, facts.takes, facts.one_of, false, parameter_cards<L>(), {}};
}

/// The losses of a list and then the modifiers, in order.
template <class Losses>
std::vector<listed_loss_card> const& loss_cards() {
  static std::vector<listed_loss_card> const all = [] {
    std::vector<listed_loss_card> losses, modifiers;
    Losses::for_each([&]<class L> {
      losses.push_back(card_of<L>());
      auto const& base = losses.back();
      for_each_named_modifier<L>([&]<class M> {
        auto known = std::find_if(modifiers.begin(), modifiers.end(),
                                  [](auto const& modifier) { return modifier.card.name == M::card.name; });
        if (known == modifiers.end()) {
          auto own = card_of<M>();
          own.parameters.resize(own.parameters.size() - base.parameters.size());
          // What the modifier adds to its base.
          own.needs = static_cast<columns>(static_cast<unsigned>(own.needs) & ~static_cast<unsigned>(base.needs));
          own.takes = columns::none;
          own.is_modifier = true;
          known = modifiers.insert(modifiers.end(), std::move(own));
        }
        known->bases.push_back(L::card.name);
      });
    });
    losses.insert(losses.end(), modifiers.begin(), modifiers.end());
    return losses;
  }();
  return all;
}

template <class Arch, class Family, class Losses>
any_loss<Family> make_loss(std::string_view name, parameter_values const& values, std::string_view base) {
  for (auto const& named : named_losses<Arch, Family, Losses>()) {
    if (named.name == name && named.base == base) return named.make(values);
  }
  std::vector<std::string_view> known;
  for (auto const& card : loss_cards<Losses>()) {
    known.push_back(card.card.name);
    if (card.card.name != name) continue;
    fail(Family::make_name,
         std::string{name} +
             (!card.is_modifier ? " is not a modifier and takes no base, got base \"" + std::string{base} + '"'
              : base.empty()    ? " is a modifier and needs a base, one of " + joined(card.bases)
                             : " does not go over \"" + std::string{base} + "\", it goes over " + joined(card.bases)));
  }
  fail(Family::make_name,
       std::string{"there is no "} + Family::loss_name + " \"" + std::string{name} + "\", known are " + joined(known));
}

}  // namespace detail

/// The losses of a list and then the modifiers, in order.
template <class Losses = pair_losses>
std::vector<pair_loss_card> const& pair_loss_cards() {
  return detail::loss_cards<Losses>();
}
template <class Losses = list_losses>
std::vector<list_loss_card> const& list_loss_cards() {
  return detail::loss_cards<Losses>();
}
template <class Losses = unpaired_losses>
std::vector<unpaired_loss_card> const& unpaired_loss_cards() {
  return detail::loss_cards<Losses>();
}

/// The loss of that name with those parameters, the others at their defaults; a modifier goes over `base`, whose
/// parameters it then takes, too; a switch is 0 or 1. Throws std::invalid_argument for an unknown name, base or
/// parameter, listing the known ones, and for a parameter out of its range. Instantiates every loss of the list: call it
/// in one translation unit. A list of one's own, `loss_list<my_loss, dpo>`, may stand for the library's.
template <class Losses = pair_losses, class Arch = default_instruction_set>
any_pair_loss make_pair_loss(std::string_view name, parameter_values const& values = {}, std::string_view base = {}) {
  return detail::make_loss<Arch, pair_family, Losses>(name, values, base);
}
template <class Losses = list_losses, class Arch = default_instruction_set>
any_list_loss make_list_loss(std::string_view name, parameter_values const& values = {}) {
  return detail::make_loss<Arch, list_family, Losses>(name, values, {});
}
template <class Losses = unpaired_losses, class Arch = default_instruction_set>
any_unpaired_loss make_unpaired_loss(std::string_view name, parameter_values const& values = {}) {
  return detail::make_loss<Arch, unpaired_family, Losses>(name, values, {});
}

}  // namespace prefopt::inline PREFOPT_ABI
