#include "mean_interval.hpp"

#include <cmath>
#include <cstddef>
#include <numeric>

#include "text_table.hpp"

namespace {

/// The 97.5 % quantile of Student's distribution, to 0.1 %: exact for 1 and 2 degrees of freedom, from there on the
/// expansion around the normal quantile (Abramowitz and Stegun 26.7.5).
double student_quantile(double degrees) {
  if (degrees == 1) return 12.706204736;
  if (degrees == 2) return 4.302652730;
  constexpr double z = 1.959963984540054, z2 = z * z;
  double const terms[] = {z, z * (z2 + 1) / 4, z * ((5 * z2 + 16) * z2 + 3) / 96,
                          z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384,
                          z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160};
  double sum = 0, power = 1;
  for (double const term : terms) {
    sum += term * power;
    power /= degrees;
  }
  return sum;
}

}  // namespace

mean_interval mean_interval_of(std::span<double const> values) {
  auto const count = static_cast<double>(values.size());
  double const mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (double const value : values) squares += (value - mean) * (value - mean);
  return {mean, student_quantile(count - 1) * std::sqrt(squares / (count - 1) / count)};
}

std::string interval_text(std::span<double const> values) {
  auto const [mean, half_width] = mean_interval_of(values);
  return decimals(mean) + " ± " + decimals(half_width);
}
