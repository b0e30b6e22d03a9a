#pragma once

#include <prefopt/core/errors.hpp>
#include <prefopt/batch/options.hpp>
#include <string>
#include <string_view>

namespace prefopt::inline PREFOPT_ABI::detail {

/// For adapters whose gradients are of one batch alone: an option that they could only ignore is an error.
inline void check_assigned(std::string_view where, options const& options,
                           std::string_view who_adds_up = "the policy adds up gradients itself") {
  if (options.gradient == gradient_write::assign) return;
  fail(where, "options.gradient is accumulate, expected assign: " + std::string{who_adds_up});
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
