#include "cross_entropy_method.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "gaussian_matrix.hpp"

namespace {

/// Returns of policies, a row for each start.
Eigen::MatrixXf returns(point_mass::policies const& policies, Eigen::Matrix4Xf const& starts,
                        reward_function const& reward) {
  // Every policy from every start.
  Eigen::Index const count = policies.cols() * starts.cols();
  point_mass::policies each(point_mass::policy_parameters, count);
  for (Eigen::Index i = 0; i < count; ++i) each.col(i) = policies.col(i / starts.cols());
  Eigen::VectorXf sum = Eigen::VectorXf::Zero(count);
  for (auto const& step : point_mass::roll_out(each, starts.replicate(1, policies.cols()))) sum += reward(step);
  return sum.reshaped(starts.cols(), policies.cols());
}

}  // namespace

double mean_return(point_mass::policies const& policy, Eigen::Matrix4Xf const& starts, reward_function const& reward) {
  return static_cast<double>(returns(policy, starts, reward).mean());
}

point_mass::policies improved_policy(point_mass::policies const& policy, Eigen::Matrix4Xf const& starts,
                                     reward_function const& reward, std::mt19937_64& random) {
  constexpr Eigen::Index population = 48, elite = 8;
  constexpr int generations = 25;
  point_mass::policies mean = policy;
  Eigen::ArrayXf deviation = Eigen::ArrayXf::Constant(point_mass::policy_parameters, 1);
  for (int generation = 0; generation < generations; ++generation) {
    point_mass::policies drawn = gaussian_matrix<float>(point_mass::policy_parameters, population, random);
    drawn = (drawn.array().colwise() * deviation).matrix().colwise() + mean.col(0);
    Eigen::VectorXf const value = returns(drawn, starts, reward).colwise().mean();
    std::vector<Eigen::Index> best(population);
    std::iota(best.begin(), best.end(), 0);
    std::partial_sort(best.begin(), best.begin() + elite, best.end(),
                      [&](Eigen::Index a, Eigen::Index b) { return value(a) > value(b); });
    best.resize(elite);
    point_mass::policies const kept = drawn(Eigen::seqN(0, drawn.rows()), best);
    mean = kept.rowwise().mean();
    deviation = (kept.colwise() - mean.col(0)).array().square().rowwise().mean().sqrt() + 0.02F;
  }
  return mean;
}
