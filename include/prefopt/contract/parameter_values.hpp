#pragma once

#include <algorithm>
#include <prefopt/contract/loss_parameters.hpp>
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

/// Of a loss with its standard values.
inline std::vector<parameter_card> parameter_cards(loss_parameters const& parameters, void const* standard) {
  std::vector<parameter_card> cards;
  parameters.any(const_cast<void*>(standard), [&](known_parameter const& p, void const* loss, auto const&) {
    cards.push_back({p.name, p.get(loss), p.valid});
    return false;
  });
  return cards;
}

/// The loss's parameters and then its base's, in order.
inline parameter_values values_of(loss_parameters const& parameters, void const* loss) {
  parameter_values values;
  parameters.any(const_cast<void*>(loss), [&](known_parameter const& p, void const* owner, auto const&) {
    values.emplace_back(p.name, p.get(owner));
    return false;
  });
  return values;
}

template <class T>
std::string joined(std::vector<T> const& names) {
  std::string text;
  for (auto const& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

/// Sets these parameters of a loss and leaves the others. Errors name `where`.
inline void set_parameters(loss_parameters const& parameters, void* loss, std::string_view where,
                           parameter_values const& values) {
  for (auto at = values.begin(); at != values.end(); ++at) {
    auto const& [name, value] = *at;
    if (std::any_of(values.begin(), at, [&](auto const& earlier) { return earlier.first == at->first; })) {
      fail(where, "the parameter \"" + name + "\" is given twice");
    }
    bool const is_set = parameters.any(loss, [&](known_parameter const& p, void* owner, loss_parameters const& of) {
      if (p.name != at->first) return false;
      // A number other than 0 and 1 must not become true.
      if (p.is_switch && !p.valid.contains(at->second)) fail_for_parameter(of.name, p.name, at->second, p.valid);
      p.set(owner, at->second);
      return true;
    });
    if (is_set) continue;
    std::vector<std::string_view> known;
    for (auto const& card : parameter_cards(parameters, loss)) known.push_back(card.name);
    fail(where, std::string{parameters.name} + " has no parameter \"" + name + "\", " +
                    (known.empty() ? "it has none" : "it has " + joined(known)));
  }
}

}  // namespace detail
}  // namespace prefopt::inline PREFOPT_ABI
