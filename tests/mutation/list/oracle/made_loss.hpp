#pragma once

#include <tuple>

#include "oracle/front.hpp"
#include "oracle/named_loss.hpp"

// In the place of tests/oracle/made_loss.hpp: the one loss LOSS, compiled by the program itself.

namespace oracle {
namespace {

template <class L>
L typed(named_loss const& loss) {
  L made{};
  if constexpr (requires { L::parameters(); }) {
    std::apply([&](auto const&... p) { ((made.*p.member = value_of(loss, p.name)), ...); }, L::parameters());
  }
  return made;
}

inline prefopt::any_list_loss made_list(named_loss const& loss) {
  return prefopt::any_list_loss{typed<prefopt::LOSS>(loss)};
}

}  // namespace
}  // namespace oracle
