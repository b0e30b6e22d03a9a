#include <cmath>

#include "oracle/pair_formula.hpp"

// Formulas of losses of the margin.

namespace oracle {
namespace {

formula_table const losses{};

}  // namespace

formula_table const& later_losses_of_margin() { return losses; }

}  // namespace oracle
