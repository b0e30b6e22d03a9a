#pragma once

#include <stdexcept>

#include "oracle/front.hpp"
#include "oracle/named_loss.hpp"

namespace oracle {
// Each file's own: what they return is a type of the instruction set that the file is compiled for.
namespace {

/// What a loss with two parameters of one name is made as: a type.
template <class L>
prefopt::any_pair_loss made_as_type(named_loss const& loss) {
  named_loss const& base = loss.over[0];
  return front::for_this_cpu(L{.base = {.beta = value_of(base, "beta"), .epsilon = value_of(base, "epsilon")},
                               .epsilon = value_of(loss, "epsilon")});
}

/// The library's loss of that name, through the front door.
inline prefopt::any_pair_loss made(named_loss const& loss) {
  if (loss.over.empty()) return front::make_pair_loss(loss.name, loss.given);
  named_loss const& base = loss.over[0];
  if (!base.over.empty()) throw std::out_of_range{"no name makes " + full_name_of(loss)};
  if (needs_a_type(loss.name, base.name)) {
    bool const is_smoothed = loss.name == "smoothed", is_of_cdpo = base.name == "cdpo";
    if (is_smoothed && is_of_cdpo) return made_as_type<prefopt::smoothed<prefopt::cdpo>>(loss);
    if (is_smoothed) return made_as_type<prefopt::smoothed<prefopt::rdpo>>(loss);
    return is_of_cdpo ? made_as_type<prefopt::unbiased<prefopt::cdpo>>(loss)
                      : made_as_type<prefopt::unbiased<prefopt::rdpo>>(loss);
  }
  auto values = loss.given;
  values.insert(values.end(), base.given.begin(), base.given.end());
  return front::make_pair_loss(loss.name, values, base.name);
}

inline prefopt::any_list_loss made_list(named_loss const& loss) { return front::make_list_loss(loss.name, loss.given); }

}  // namespace
}  // namespace oracle
