#pragma once

/// Rounds to multiples of 2^-40. Sums of such numbers up to 4096 have no rounding, so that gradients add up to the same
/// bits in any order: over one process or over many ranks. AdaGrad needs that, which makes a whole step even of a
/// gradient that is nothing but the rounding of a sum.
template <class X>
auto rounded_for_sum(X const& x) {
  constexpr double shift = 0x1.8p12;
  return (x + shift) - shift;
}
