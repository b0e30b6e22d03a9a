#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/loss/list.hpp>
#include <string>
#include <string_view>
#include <type_traits>
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

/// A name stands for one parameter: not so for smoothed<cdpo>, which has two epsilons and can only be made as a type.
constexpr bool has_distinct_parameters(loss_parameters const& of) {
  for (std::size_t i = 0; of.base != nullptr && i < of.count; ++i) {
    if (of.base->any(nullptr, [&](auto const& p, void*, auto const&) { return p.name == of.own[i].name; }))
      return false;
  }
  return true;
}

template <class Modifiers>
struct named_among;
template <class... M>
struct named_among<loss_list<M...>> {
  using type = typename joined_lists<
      std::conditional_t<has_distinct_parameters(parameters_of<M>), loss_list<M>, loss_list<>>...>::type;
};

/// The losses of a list, each followed by the modifiers over it that can be made by name.
template <class Losses>
struct with_named_modifiers;
template <class... L>
struct with_named_modifiers<loss_list<L...>> {
  using type =
      typename joined_lists<loss_list<L>..., typename named_among<typename modifiers_of<L>::type>::type...>::type;
};

/// The name of what a modifier goes over; empty for others.
template <class L>
constexpr std::string_view base_name() noexcept {
  if constexpr (has_base<L>) {
    return decltype(L::base)::card.name;
  } else {
    return {};
  }
}

/// What can be made by name: a loss, or a modifier over a base.
template <class Family>
struct named_loss {
  std::string_view name, base;
  any_loss<Family> (*make)(parameter_values const&);
};

template <class Arch, class Family, class L>
any_loss<Family> make_with(parameter_values const& values) {
  L loss{};
  set_parameters(parameters_of<L>, &loss, Family::make_name, values);
  any_loss<Family> const made{std::in_place_type<Arch>, loss};
  made.check();
  return made;
}

// Hidden in words, too: of a type that is hidden alone, GCC 12 shares the guard of the static, but not the static itself.
template <class Arch, class Family, class Losses>
struct named_losses;
template <class Arch, class Family, class... L>
struct PREFOPT_HIDDEN named_losses<Arch, Family, loss_list<L...>> {
  static constexpr named_loss<Family> all[]{{L::card.name, base_name<L>(), &make_with<Arch, Family, L>}...};
};

/// What a loss, or a modifier over its base, says of itself.
struct carded_loss {
  loss_card const* card;
  std::string_view base;
  loss_parameters const* parameters;
  listed_loss_card (*make)();
};

template <class L>
listed_loss_card card_of() {
  L const standard{};
  auto const facts = facts_of<L>(resolve(standard));
  return {L::card, facts.needs, facts.takes, facts.one_of, false, parameter_cards(parameters_of<L>, &standard), {}};
}

template <class Losses>
struct carded_losses;
template <class... L>
struct carded_losses<loss_list<L...>> {
  static constexpr carded_loss all[]{{&L::card, base_name<L>(), &parameters_of<L>, &card_of<L>}...};
};

/// The losses first, then the modifiers, each once with what it adds to its base.
inline std::vector<listed_loss_card> cards_of(carded_loss const* losses, std::size_t count) {
  std::vector<listed_loss_card> cards, modifiers;
  for (std::size_t i = 0; i < count; ++i) {
    auto const& loss = losses[i];
    if (loss.base.empty()) {
      cards.push_back(loss.make());
      continue;
    }
    auto known = std::find_if(modifiers.begin(), modifiers.end(),
                              [&](auto const& modifier) { return modifier.card.name == loss.card->name; });
    if (known == modifiers.end()) {
      auto const& base =
          *std::find_if(cards.begin(), cards.end(), [&](auto const& card) { return card.card.name == loss.base; });
      auto own = loss.make();
      own.parameters.resize(loss.parameters->count);
      own.needs = static_cast<columns>(static_cast<unsigned>(own.needs) & ~static_cast<unsigned>(base.needs));
      own.takes = columns::none;
      own.is_modifier = true;
      known = modifiers.insert(modifiers.end(), std::move(own));
    }
    known->bases.push_back(loss.base);
  }
  cards.insert(cards.end(), modifiers.begin(), modifiers.end());
  return cards;
}

/// The losses of a list and then the modifiers, in order.
template <class Losses>
std::vector<listed_loss_card> const& loss_cards() {
  using listed = carded_losses<typename with_named_modifiers<Losses>::type>;
  static std::vector<listed_loss_card> const all = cards_of(listed::all, std::size(listed::all));
  return all;
}

template <class Arch, class Family, class Losses>
any_loss<Family> make_loss(std::string_view name, parameter_values const& values, std::string_view base) {
  for (auto const& named : named_losses<Arch, Family, typename with_named_modifiers<Losses>::type>::all) {
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
