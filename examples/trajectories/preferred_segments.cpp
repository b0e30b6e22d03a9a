#include "preferred_segments.hpp"

#include <cstddef>
#include <prefopt/prefopt.hpp>
#include <utility>

namespace {

point_mass::step_features random_segment(std::vector<point_mass::step_features> const& rollouts,
                                         std::mt19937_64& random) {
  std::uniform_int_distribution<std::size_t> length_of{12, 20};
  std::size_t const length = length_of(random);
  std::size_t const first = std::uniform_int_distribution<std::size_t>{0, rollouts.size() - length}(random);
  Eigen::Index const rollout = std::uniform_int_distribution<Eigen::Index>{0, rollouts[0].cols() - 1}(random);
  point_mass::step_features segment(point_mass::features, static_cast<Eigen::Index>(length));
  for (std::size_t step = 0; step < length; ++step) {
    segment.col(static_cast<Eigen::Index>(step)) = rollouts[first + step].col(rollout);
  }
  return segment;
}

}  // namespace

void preferred_segments::segments::add(point_mass::step_features const& segment) {
  steps.conservativeResize(Eigen::NoChange, steps.cols() + segment.cols());
  steps.rightCols(segment.cols()) = segment;
  offsets.push_back(steps.cols());
}

void preferred_segments::add(std::vector<point_mass::step_features> const& rollouts, std::size_t pairs,
                             double wrong_share, std::mt19937_64& random) {
  std::bernoulli_distribution errs{wrong_share};
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    auto better = random_segment(rollouts, random), worse = random_segment(rollouts, random);
    if (point_mass::true_reward(better).sum() < point_mass::true_reward(worse).sum()) std::swap(better, worse);
    if (errs(random)) std::swap(better, worse);
    chosen_.add(better);
    rejected_.add(worse);
  }
}

prefopt::report preferred_segments::evaluate(step_reward const& model, Eigen::VectorXf& gradient) const {
  using segment_rewards = prefopt::packed_tokens<float>;
  auto const chosen = model.forward(chosen_.steps), rejected = model.forward(rejected_.steps);
  Eigen::VectorXf d_chosen(chosen.reward.size()), d_rejected(rejected.reward.size());
  // To prefopt, the steps of a segment are the tokens of a completion: it sums them up, and spreads the gradient.
  auto const report = prefopt::evaluate(prefopt::bradley_terry{},
                                        prefopt::token_pair_batch<segment_rewards>{
                                            .chosen = {.log_prob = chosen.reward, .offsets = chosen_.offsets},
                                            .rejected = {.log_prob = rejected.reward, .offsets = rejected_.offsets}},
                                        {.d_chosen = d_chosen, .d_rejected = d_rejected});
  gradient = model.gradient(chosen_.steps, chosen, d_chosen) + model.gradient(rejected_.steps, rejected, d_rejected);
  return report;
}
