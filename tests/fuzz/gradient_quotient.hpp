#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "fuzz_input.hpp"

/// Whether a gradient at x is that of a value, by quotients of differences in long double. By the theorem of the mean the
/// one to the right is a slope between x and x + h, and likewise to the left; the gradient lies between them where the
/// slope only rises or only falls, and at an edge as far as it is one of the sides'. Where it turns, it is off by what
/// the third derivative makes of h^2, which the quotients over 2 h tell, threefold; and the value has roundings of `size`,
/// which the division by h makes larger.
template <class Value>
void check_quotient(late_text const& what, double x, double gradient, double size, Value const& value) {
  using real = long double;
  double const h = std::ldexp(std::max(1.0, std::fabs(x)), -16);
  auto const at = [&](double steps) { return static_cast<real>(value(x + steps * h)); };
  auto const moved = [&](double steps) { return static_cast<real>(x + steps * h) - static_cast<real>(x); };
  real const here = at(0), above = at(1), below = at(-1), far_above = at(2), far_below = at(-2);
  real const right = (above - here) / moved(1), left = (below - here) / moved(-1);
  real const central = (above - below) / (moved(1) - moved(-1)), far = (far_above - far_below) / (moved(2) - moved(-2)),
             far_right = (far_above - here) / moved(2), far_left = (far_below - here) / moved(-2);
  if (!std::isfinite(here) || !std::isfinite(far_above) || !std::isfinite(far_below)) return;
  real const rounding = 64 * static_cast<real>(std::numeric_limits<double>::epsilon()) * size / static_cast<real>(h);
  // At an edge the slope of a side is as far from its quotient as that is from the one twice as wide.
  real const turning =
      3 * std::fabs(far - central) + std::max(std::fabs(far_right - right), std::fabs(far_left - left));
  // An edge between x and x + 2 h is seen by the wider quotients.
  real const low = std::min({right, left, far_right, far_left}) - rounding - turning,
             high = std::max({right, left, far_right, far_left}) + rounding + turning;
  promise(low <= gradient && gradient <= high, what, " at ", x, ": the gradient is ", gradient,
          ", its value's slopes are ", static_cast<double>(left), " and ", static_cast<double>(right));
}
