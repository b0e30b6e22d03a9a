#pragma once

#include <optional>
#include <prefopt/contract/parameter_values.hpp>
#include <string>
#include <string_view>
#include <vector>

/// What a loss is computed on: pairs of completions; lists, which are groups of candidates of any size; single
/// completions.
enum class loss_kind { pair, list, unpaired };

/// A loss, or a modifier of pair losses, as programs show it and choose it.
struct loss_entry {
  loss_kind kind;
  prefopt::loss_card card;
  prefopt::columns needs, takes, one_of;            ///< of a list loss at its default parameters
  std::vector<prefopt::parameter_card> parameters;  ///< of a modifier its own
  std::vector<std::string_view> bases;              ///< what a modifier goes over, empty for a loss

  bool is_modifier() const { return !bases.empty(); }
};

/// The pair losses, their modifiers, the list losses, the unpaired losses.
std::vector<loss_entry> const& loss_catalog();

/// Null for a name that is not in the catalog. No name is that of losses of two kinds.
loss_entry const* find_loss(std::string_view name);

/// The names of all losses, or of one kind, with commas.
std::string names_of_losses(std::optional<loss_kind> kind = {});
