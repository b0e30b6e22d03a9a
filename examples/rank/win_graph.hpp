#pragma once

#include <optional>
#include <span>
#include <string>

#include "choices.hpp"

/// Ford's condition (1957), for rankings Hunter's (2004): the likelihood of the Plackett-Luce model has a maximum if
/// and only if, however the items are split in two groups, each group has won against the other (an item of it is
/// ranked above one of the other); that is, if the graph of the wins is strongly connected. A tie is a win of each; with
/// parameters of ties the condition is needed, but does not suffice. Where it does not hold, a sentence that says so and
/// names the items that are to blame.
std::optional<std::string> why_no_maximum(choices const& terms, std::span<double const> counts,
                                          std::span<std::string const> names);
