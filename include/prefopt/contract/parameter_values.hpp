#pragma once

#include <algorithm>
#include <prefopt/contract/pair_loss.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// Parameters by name, as a configuration file gives them.
using parameter_values = std::vector<std::pair<std::string, double>>;

/// A parameter as a program shows it.
struct parameter_card {
  std::string_view name;
  double standard;
  range valid;
};

namespace detail {

template <class L>
std::vector<parameter_card> parameter_cards() {
  std::vector<parameter_card> cards;
  if constexpr (requires { L::parameters(); }) {
    std::apply(
        [&](auto const&... p) {
          (cards.push_back({p.name, static_cast<double>(L{}.*p.member), p.valid}), ...);
        },
        L::parameters());
  }
  if constexpr (requires(L loss) { loss.base; }) {
    for (auto const& card : parameter_cards<decltype(L::base)>()) cards.push_back(card);
  }
  return cards;
}

/// The loss's parameters and then its base's, in order.
template <class L>
parameter_values values_of(L const& loss) {
  parameter_values values;
  if constexpr (requires { L::parameters(); }) {
    std::apply([&](auto const&... p) { (values.emplace_back(p.name, static_cast<double>(loss.*p.member)), ...); },
               L::parameters());
  }
  if constexpr (requires { loss.base; }) {
    for (auto& value : values_of(loss.base)) values.push_back(std::move(value));
  }
  return values;
}

template <class L, class M>
void set_parameter_to(L& loss, parameter<L, M> const& p, double value) {
  // A number other than 0 and 1 must not become true.
  if (std::is_same_v<M, bool> && !p.valid.contains(value)) fail_for_parameter<L>(p.name, value, p.valid);
  loss.*p.member = static_cast<M>(value);
}

/// Sets the parameter of that name in the loss or in its base; false if there is none.
template <class L>
bool set_parameter(L& loss, std::string_view name, double value) {
  bool found = false;
  if constexpr (requires { L::parameters(); }) {
    std::apply(
        [&](auto const&... p) { ((p.name == name ? (set_parameter_to(loss, p, value), found = true) : false), ...); },
        L::parameters());
  }
  if constexpr (requires { loss.base; }) found = found || set_parameter(loss.base, name, value);
  return found;
}

template <class T>
std::string joined(std::vector<T> const& names) {
  std::string text;
  for (auto const& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

/// The loss with these parameters, the others at their defaults. Errors name `where`.
template <class L>
L with_values(std::string_view where, parameter_values const& values) {
  L loss{};
  for (auto at = values.begin(); at != values.end(); ++at) {
    auto const& [name, value] = *at;
    if (std::any_of(values.begin(), at, [&](auto const& earlier) { return earlier.first == at->first; })) {
      fail(where, "the parameter \"" + name + "\" is given twice");
    }
    if (set_parameter(loss, name, value)) continue;
    std::vector<std::string_view> known;
    for (auto const& card : parameter_cards<L>()) known.push_back(card.name);
    fail(where, std::string{name_of<L>()} + " has no parameter \"" + name + "\", " +
                    (known.empty() ? "it has none" : "it has " + joined(known)));
  }
  return loss;
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
