#pragma once

#include <tuple>

#include "oracle/front.hpp"
#include "oracle/named_loss.hpp"

// In the place of tests/oracle/made_loss.hpp: the one loss LOSS, compiled by the program itself.

namespace oracle {
namespace {

using namespace prefopt;

template <class L>
L typed(named_loss const& loss) {
  L made{};
  if constexpr (requires { L::parameters(); }) {
    std::apply([&](auto const&... p) { ((made.*p.member = value_of(loss, p.name)), ...); }, L::parameters());
  }
  if constexpr (requires { made.base; }) made.base = typed<decltype(L::base)>(loss.over[0]);
  return made;
}

inline any_pair_loss made(named_loss const& loss) { return any_pair_loss{typed<LOSS>(loss)}; }

}  // namespace
}  // namespace oracle
