#include "corruption.hpp"

#include <algorithm>

std::vector<corruption> const& corruptions() {
  using enum corruption_kind;
  static std::vector<corruption> const all{{heavy_tail, 0.25}, {heavy_tail, 0.5}, {heavy_tail, 1}, {outliers, 0.1},
                                           {outliers, 0.2},    {outliers, 0.4},   {shift, 1},      {shift, 2},
                                           {shift, 3},         {flips, 0.1},      {flips, 0.2},    {flips, 0.3}};
  return all;
}

std::string_view name_of(corruption_kind kind) {
  switch (kind) {
    case corruption_kind::heavy_tail:
      return "heavy_tail";
    case corruption_kind::outliers:
      return "outliers";
    case corruption_kind::shift:
      return "shift";
    case corruption_kind::flips:
      return "flips";
  }
  return "";
}

std::string_view explanation_of(corruption_kind kind) {
  switch (kind) {
    case corruption_kind::heavy_tail:
      return "Cauchy noise on every reward; strength: its scale";
    case corruption_kind::outliers:
      return "Gaussian noise, sd 0.5, on every reward, sd 5 on some; strength: their share";
    case corruption_kind::shift:
      return "training contexts are off center in one direction; strength: by how much";
    case corruption_kind::flips:
      return "in some contexts all preferences are reversed; strength: their share";
  }
  return "";
}

void corrupt_rewards(corruption const& how, Eigen::MatrixXf& rewards, std::mt19937_64& random) {
  auto const strength = static_cast<float>(how.strength);
  std::bernoulli_distribution hit{std::min(how.strength, 1.0)};
  switch (how.kind) {
    case corruption_kind::heavy_tail: {
      std::cauchy_distribution<float> noise{0, strength};
      for (float& reward : rewards.reshaped()) reward += noise(random);
      return;
    }
    case corruption_kind::outliers: {
      std::normal_distribution<float> noise;
      for (float& reward : rewards.reshaped()) reward += (hit(random) ? 5.0F : 0.5F) * noise(random);
      return;
    }
    case corruption_kind::shift:
      return;
    case corruption_kind::flips:
      for (auto context : rewards.colwise()) {
        if (hit(random)) context = -context.eval();
      }
      return;
  }
}
