#pragma once

#include <cstddef>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <variant>

#include "loss_choice.hpp"
#include "preference.hpp"

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

/// Whether the loss reads labels of the data, which only one of pairs does.
inline bool reads_label(any_loss const& loss, preference_set const& data) {
  return data.has_label && std::holds_alternative<prefopt::any_pair_loss>(loss) && reads(loss, prefopt::columns::label);
}

/// What compares pairs of the same rank in the whole batch reads no weights.
inline bool reads_weight(any_loss const& loss) {
  auto const* const of_pairs = std::get_if<prefopt::any_pair_loss>(&loss);
  return of_pairs == nullptr || of_pairs->facts().matches == prefopt::rank_matching::none;
}

/// Whether to the loss the rejected side of a record is the better one.
inline bool favours_rejected(any_loss const& loss, preference_set const& data, std::size_t record) {
  return reads_label(loss, data) && data.records[record].is_pair && data.records[record].label < 0.5;
}
