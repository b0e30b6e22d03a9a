#pragma once

#include <memory>
#include <prefopt/core/abi.hpp>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Where a callable lies, without its type: an object, or a function.
template <class F>
void* address_of(F& callable) noexcept {
  if constexpr (std::is_function_v<F>) {
    return reinterpret_cast<void*>(&callable);
  } else {
    return const_cast<void*>(static_cast<void const*>(std::addressof(callable)));
  }
}

template <class F>
F& callable_at(void* address) noexcept {
  if constexpr (std::is_function_v<F>) {
    return *reinterpret_cast<F*>(address);
  } else {
    return *static_cast<F*>(address);
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
