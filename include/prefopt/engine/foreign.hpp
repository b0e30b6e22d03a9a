#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <prefopt/core/abi.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

/// What a translation unit built for another instruction set was given: an X of its own namespace, which has the same
/// members, taken over bit by bit.
template <class X>
X foreign(void const* at) noexcept {
  static_assert(std::is_trivially_copyable_v<X>);
  std::array<std::byte, sizeof(X)> bits;
  std::memcpy(bits.data(), at, sizeof(X));
  return std::bit_cast<X>(bits);
}

/// Arguments and result of a function of such a unit: only types that do not depend on the instruction set.
using foreign_function = void (*)(void const* const* arguments, void* result);

}  // namespace prefopt::inline PREFOPT_ABI::detail
