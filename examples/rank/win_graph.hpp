#pragma once

#include <optional>
#include <string>

#include "comparisons.hpp"

/// Ford's condition (1957): the likelihood of the Bradley-Terry model has a maximum if and only if, however the items
/// are split in two groups, each group has won against the other; that is, if the graph of the wins is strongly
/// connected. Where it is not, a sentence that says so and names the items that are to blame.
std::optional<std::string> why_no_maximum(comparisons const& games);
