#pragma once

#include <stdexcept>
#include <string>

#include "oracle/front.hpp"
#include "oracle/named_loss.hpp"
#include "oracle/typed_loss.hpp"

namespace oracle {
// Each file's own: what they return is a type of the instruction set that the file is compiled for.
namespace {

/// What a loss with two parameters of one name is made as: a type.
template <template <class> class Modifier>
prefopt::any_pair_loss made_as_type(named_loss const& loss) {
  std::string const& base = loss.over[0].name;
  if (base == "cdpo") return front::for_this_cpu(typed<Modifier<prefopt::cdpo>>(loss));
  if (base == "rdpo") return front::for_this_cpu(typed<Modifier<prefopt::rdpo>>(loss));
  if (base == "tpo") return front::for_this_cpu(typed<Modifier<prefopt::tpo>>(loss));
  throw std::out_of_range{"no type makes " + full_name_of(loss)};
}

/// The library's loss of that name, through the front door.
inline prefopt::any_pair_loss made(named_loss const& loss) {
  if (loss.over.empty()) return front::make_pair_loss(loss.name, loss.given);
  named_loss const& base = loss.over[0];
  if (!base.over.empty()) throw std::out_of_range{"no name makes " + full_name_of(loss)};
  if (needs_a_type(loss.name, base.name)) {
    return loss.name == "smoothed" ? made_as_type<prefopt::smoothed>(loss) : made_as_type<prefopt::unbiased>(loss);
  }
  auto values = loss.given;
  values.insert(values.end(), base.given.begin(), base.given.end());
  return front::make_pair_loss(loss.name, values, base.name);
}

inline prefopt::any_list_loss made_list(named_loss const& loss) { return front::make_list_loss(loss.name, loss.given); }

}  // namespace
}  // namespace oracle
