#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <vector>

/// The offsets of so many groups of one size.
inline std::vector<std::int64_t> group_offsets(Eigen::Index groups, Eigen::Index size) {
  std::vector<std::int64_t> offsets;
  for (Eigen::Index group = 0; group <= groups; ++group) offsets.push_back(group * size);
  return offsets;
}
