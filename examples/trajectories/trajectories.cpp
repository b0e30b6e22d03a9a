// The loop of a robot that learns what its teacher wants: it shows segments of what it did, in pairs; the teacher says
// which one is better, and is wrong at times; Bradley-Terry makes a reward of that, and the policy gets better by it.
// Then it shows what it does now. Setting: Christiano et al. 2017, arXiv:1706.03741; Lee et al. 2021, arXiv:2106.05091.

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

#include "adamw.hpp"
#include "cross_entropy_method.hpp"
#include "gaussian_matrix.hpp"
#include "point_mass.hpp"
#include "preferred_segments.hpp"
#include "step_reward.hpp"

namespace {

constexpr double wrong_share = 0.1;
constexpr int rounds = 3;

/// Rollouts of policies around one, each with a policy and a start of its own.
std::vector<point_mass::step_features> explore(point_mass::policies const& policy, std::mt19937_64& random) {
  constexpr Eigen::Index rollouts = 128;
  point_mass::policies const around =
      (gaussian_matrix<float>(point_mass::policy_parameters, rollouts, random) * 0.5F).colwise() + policy.col(0);
  return point_mass::roll_out(around, point_mass::random_starts(rollouts, random));
}

/// The largest difference of the gradient from central differences, as a share of the largest slope.
double gradient_error(step_reward model, preferred_segments const& segments) {
  Eigen::VectorXf gradient, ignored;
  segments.evaluate(model, gradient);
  double largest = 0, worst = 0;
  for (Eigen::Index i = 0; i < gradient.size(); ++i) {
    float& weight = model.weights()(i);
    float const at = weight, step = 0x1p-9F;
    weight = at + step;
    double const above = segments.evaluate(model, ignored).loss;
    weight = at - step;
    double const below = segments.evaluate(model, ignored).loss;
    weight = at;
    double const slope = (above - below) / (2 * static_cast<double>(step));
    largest = std::max(largest, std::abs(slope));
    worst = std::max(worst, std::abs(slope - static_cast<double>(gradient(i))));
  }
  return worst / largest;
}

int run() {
  std::mt19937_64 random{7};
  point_mass::policies const unmoved = point_mass::policies::Zero(point_mass::policy_parameters, 1);
  auto const practice = point_mass::random_starts(16, random), test = point_mass::random_starts(128, random);
  auto const true_return = [&](point_mass::policies const& policy) {
    return mean_return(policy, test, point_mass::true_reward);
  };

  preferred_segments shown, held_out;
  shown.add(explore(unmoved, random), 800, wrong_share, random);
  held_out.add(explore(unmoved, random), 400, 0, random);
  step_reward model{24, random};
  Eigen::VectorXf gradient;
  auto const before = shown.evaluate(model, gradient), held_out_before = held_out.evaluate(model, gradient);
  auto const learnt_reward = [&](point_mass::step_features const& steps) { return model.forward(steps).reward; };
  double const start = true_return(unmoved);
  std::printf("%-32s %12s\n%-32s %12.2f\n", "policy", "true return", "at the start", start);
  point_mass::policies policy = unmoved;
  for (int round = 1; round <= rounds; ++round) {
    if (round > 1) shown.add(explore(policy, random), 400, wrong_share, random);
    adamw optimizer{model.weights().size(), 0.03F};
    for (int step = 0; step < 100; ++step) {
      shown.evaluate(model, gradient);
      optimizer.update(model.weights(), gradient);
    }
    policy = improved_policy(policy, practice, learnt_reward, random);
    std::printf("by the learnt reward, round %d     %12.2f\n", round, true_return(policy));
  }

  preferred_segments few;
  few.add(explore(policy, random), 20, wrong_share, random);
  double const error = gradient_error(model, few);
  std::printf("gradient: differs from finite differences by %.1e of its largest entry\n", error);
  double const learnt = true_return(policy);
  double const best = true_return(improved_policy(unmoved, practice, point_mass::true_reward, random));
  std::printf("%-32s %12.2f\n", "by the true reward", best);

  auto const after = shown.evaluate(model, gradient), held_out_after = held_out.evaluate(model, gradient);
  std::printf("loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", before.loss, after.loss, held_out_before.accuracy,
              held_out_after.accuracy);
  bool const has_learnt = held_out_after.accuracy > 0.75 && learnt - start > 0.9 * (best - start);
  return error < 1e-3 && has_learnt ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    bool const help = std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0;
    std::fprintf(
        help ? stdout : stderr,
        "usage: trajectories\n"
        "A point mass learns a reward from a teacher's preferences between pairs of trajectory segments, of\n"
        "which %g %% are wrong, by Bradley-Terry, and improves its policy by it; printed are the policy's true\n"
        "returns, next to what the true reward leads to. Takes no arguments. Exit status 1 if it did not learn.\n",
        100 * wrong_share);
    return help ? 0 : 2;
  }
  return run();
}
