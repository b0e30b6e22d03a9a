#pragma once

#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <variant>

#include "loss_choice.hpp"

/// A loss of any kind.
using any_loss = std::variant<prefopt::any_pair_loss, prefopt::any_list_loss, prefopt::any_unpaired_loss>;

inline any_loss loss_of(loss_choice const& choice) {
  if (choice.kind == loss_kind::pair) return make_pair_loss(choice);
  if (choice.kind == loss_kind::unpaired) return make_unpaired_loss(choice);
  return make_list_loss(choice);
}

inline std::string name_of(any_loss const& loss) {
  return std::visit([](auto const& any) { return any.name(); }, loss);
}

inline bool reads(any_loss const& loss, prefopt::columns which) {
  return std::visit([=](auto const& any) { return any.reads(which); }, loss);
}

inline bool needs(any_loss const& loss, prefopt::columns which) {
  return std::visit([=](auto const& any) { return any.needs(which); }, loss);
}
