#pragma once

#include <prefopt/engine/evaluate_tokens.hpp>
#include <prefopt/engine/make_loss.hpp>
#include <prefopt/loss/list.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// A preset or a surrogate as a program shows it.
struct token_loss_card {
  loss_card card;
  bool is_preset;
  advantage_mode advantages;  ///< what a preset goes with
  bool whitens;               ///< which are then whitened
  std::vector<parameter_card> parameters;
};

namespace detail {

template <class L>
constexpr bool whitens() noexcept {
  if constexpr (requires { L::whitens; }) return L::whitens;
  return false;
}

template <class L>
token_loss_card token_card_of() {
  L const standard{};
  advantage_mode advantages{};
  if constexpr (token_loss<L>) advantages = L::advantages;
  return {L::card, token_loss<L>, advantages, whitens<L>(), parameter_cards(parameters_of<L>, &standard)};
}

template <class Arch, class L>
any_token_loss make_token_loss_with(parameter_values const& values) {
  L loss{};
  set_parameters(parameters_of<L>, &loss, "make_token_loss", values);
  check_parameters(parameters_of<L>, &loss);
  auto const erased = [](auto const& of) {
    using S = std::remove_cvref_t<decltype(of.surrogate)>;
    any_token_surrogate const made{std::in_place_type<Arch>, of.surrogate};
    static_assert(token_surrogate<S>);
    return any_token_loss{made, of.kl, of.correction, of.aggregation, of.entropy_coefficient, of.log_ratio_limit};
  };
  if constexpr (token_loss<L>) {
    return erased(resolve(loss));
  } else {
    return erased(policy_gradient<L>{.surrogate = loss});
  }
}

struct named_token_loss {
  std::string_view name;
  any_token_loss (*make)(parameter_values const&);
};

template <class Arch, class Losses>
struct named_token_losses;
template <class Arch, class... L>
struct PREFOPT_HIDDEN named_token_losses<Arch, loss_list<L...>> {
  static constexpr named_token_loss all[]{{L::card.name, &make_token_loss_with<Arch, L>}...};
};

/// Presets come first: of two of one name the preset is meant.
using all_token_losses = joined_lists<token_losses, token_surrogates>::type;

}  // namespace detail

/// The presets, then the surrogates, in the order of their lists. Instantiates them: call it in one translation unit.
template <class Losses = detail::all_token_losses>
std::vector<token_loss_card> token_loss_cards() {
  std::vector<token_loss_card> cards;
  Losses::for_each([&]<class L> { cards.push_back(detail::token_card_of<L>()); });
  return cards;
}

/// The preset or surrogate of that name with those parameters, the others at their defaults; of gspo and cispo the preset.
/// What it returns is a policy_gradient, whose KL, correction and aggregation can be set. Throws std::invalid_argument for
/// an unknown name or parameter, listing the known ones, and for a parameter out of its range.
template <class Arch = default_instruction_set>
any_token_loss make_token_loss(std::string_view name, parameter_values const& values = {}) {
  std::string known;
  for (auto const& loss : detail::named_token_losses<Arch, detail::all_token_losses>::all) {
    if (loss.name == name) return loss.make(values);
    if (known.find(loss.name) == std::string::npos) known.append(known.empty() ? "" : ", ").append(loss.name);
  }
  detail::fail("make_token_loss", {"there is no loss of tokens \"", name, "\", known are ", known});
}

}  // namespace prefopt::inline PREFOPT_ABI
