#pragma once

#include <cstddef>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

template <class T>
void check_mask(std::string_view where, column<T> const& mask) {
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0 && mask[i] != 1) {
      fail(where, {"mask[", text(i), "] is ", text(static_cast<double>(mask[i])), ", expected 0 or 1"});
    }
  }
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
