#pragma once

#include <tuple>

#include "oracle/named_loss.hpp"

namespace oracle {
// Each file's own: what it returns is a type of the instruction set that the file is compiled for.
namespace {

/// The loss of that type with the parameters of the one by name.
template <class L>
L typed(named_loss const& loss) {
  L made{};
  if constexpr (requires { L::parameters(); }) {
    std::apply([&](auto const&... p) { ((made.*p.member = value_of(loss, p.name)), ...); }, L::parameters());
  }
  if constexpr (requires { made.base; }) made.base = typed<decltype(L::base)>(loss.over[0]);
  return made;
}

}  // namespace
}  // namespace oracle
