#pragma once

#include <span>
#include <string>

/// A mean and how far its 95 % confidence interval reaches to either side.
struct mean_interval {
  double mean, half_width;
};

/// Student's interval for the mean of at least two independent values.
mean_interval mean_interval_of(std::span<double const> values);

/// "0.532 ± 0.012"
std::string interval_text(std::span<double const> values);
