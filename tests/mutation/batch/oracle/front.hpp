#pragma once

#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/engine/make_loss.hpp>
#include <prefopt/loss/alpha_dpo.hpp>
#include <prefopt/loss/aot.hpp>
#include <prefopt/loss/aot_unpaired.hpp>
#include <prefopt/loss/beta_dpo.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/nca_pair.hpp>
#include <prefopt/loss/sft.hpp>
#include <prefopt/loss/simpo.hpp>
#include <string_view>

// In the place of tests/oracle/front.hpp: losses of which a pair's result depends on the whole batch, and what they are
// compared with, by kernels of the program's own.

namespace front {
using prefopt::evaluate;

inline prefopt::any_pair_loss make_pair_loss(std::string_view name, prefopt::parameter_values const& values = {},
                                             std::string_view base = {}) {
  using prefopt::loss_list;
  return prefopt::make_pair_loss<loss_list<prefopt::dpo, prefopt::simpo, prefopt::alpha_dpo, prefopt::nca_pair,
                                           prefopt::sft, prefopt::beta_dpo, prefopt::aot, prefopt::aot_unpaired>>(
      name, values, base);
}
}  // namespace front
