#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <random>
#include <string_view>
#include <vector>

enum class corruption_kind { heavy_tail, outliers, shift, flips };

/// What is wrong with the training data, and how much of it.
struct corruption {
  corruption_kind kind;
  double strength;
};

constexpr std::size_t corruption_kinds = 4, corruption_strengths = 3;

/// Of every kind its strengths, from weak to strong; kinds in the order of the enumeration.
std::vector<corruption> const& corruptions();

std::string_view name_of(corruption_kind kind);

/// What the kind does and what its strength counts, in one line.
std::string_view explanation_of(corruption_kind kind);

/// Changes the rewards, a context a column. A shift changes contexts only.
void corrupt_rewards(corruption const& how, Eigen::MatrixXf& rewards, std::mt19937_64& random);
