#include <cmath>

#include "oracle/pair_formula.hpp"

// Formulas of losses of both scores.

namespace oracle {
namespace {

formula_table const losses{};

}  // namespace

formula_table const& later_losses_of_scores() { return losses; }

}  // namespace oracle
