#include "bandit.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/loss/info_nce.hpp>
#include <prefopt/train/step.hpp>
#include <vector>

#include "adamw.hpp"
#include "gaussian_matrix.hpp"
#include "group_offsets.hpp"
#include "random_generator.hpp"
#include "watched_policy.hpp"

namespace {

constexpr Eigen::Index held_out_contexts = 2048;
constexpr Eigen::Index pretraining_batch = 64;

/// A random network of tanh; the first sample sets the scale.
class teacher {
 public:
  explicit teacher(std::mt19937_64& random)
      : hidden_{gaussian_matrix<float>(width, context_size, random) / std::sqrt(static_cast<float>(context_size))},
        output_{gaussian_matrix<float>(candidates, width, random)} {
    Eigen::MatrixXf const rewards = raw(gaussian_matrix<float>(context_size, held_out_contexts, random));
    mean_ = rewards.mean();
    deviation_ = std::sqrt((rewards.array() - mean_).square().mean());
  }

  Eigen::MatrixXf rewards(Eigen::MatrixXf const& contexts) const {
    return (raw(contexts).array() - mean_) / deviation_;
  }

 private:
  static constexpr Eigen::Index width = 16;

  Eigen::MatrixXf raw(Eigen::MatrixXf const& contexts) const {
    return output_ * (2 * hidden_ * contexts).array().tanh().matrix();
  }

  Eigen::MatrixXf hidden_, output_;
  float mean_ = 0, deviation_ = 1;
};

bandit_sample sample(teacher const& truth, Eigen::Index contexts, std::mt19937_64& random) {
  bandit_sample drawn{gaussian_matrix<float>(context_size, contexts, random), {}};
  drawn.rewards = truth.rewards(drawn.contexts);
  return drawn;
}

/// Supervised: the best candidate of clean contexts, each seen once.
void pretrain(mlp_policy& policy, teacher const& truth, float learning_rate, std::mt19937_64& random) {
  adamw optimizer{policy.weights().size(), learning_rate};
  prefopt::list_step<float> step;
  prefopt::no_reference none;
  watched_policy watched{policy, "reference"};
  auto const offsets = group_offsets(pretraining_batch, candidates);
  for (std::size_t i = 0; i < pretraining_steps; ++i) {
    bandit_sample const batch = sample(truth, pretraining_batch, random);
    step(prefopt::info_nce{}, watched, none, batch.contexts, {.offsets = offsets, .reward = batch.rewards.reshaped()});
    optimizer.update(policy.weights(), policy.gradient());
  }
}

double turned_pairs(Eigen::MatrixXf const& truth, Eigen::MatrixXf const& told) {
  double turned = 0, all = 0;
  for (Eigen::Index context = 0; context < truth.cols(); ++context) {
    for (Eigen::Index i = 0; i < candidates; ++i) {
      for (Eigen::Index j = 0; j < i; ++j, ++all) {
        turned += (truth(i, context) > truth(j, context)) != (told(i, context) > told(j, context)) ? 1 : 0;
      }
    }
  }
  return turned / all;
}

}  // namespace

bandit_problem make_bandit_problem(std::uint64_t seed, corruption const& how, bandit_settings const& settings) {
  auto const width = static_cast<Eigen::Index>(settings.width), contexts = static_cast<Eigen::Index>(settings.contexts);
  auto random = random_generator(drawn_for::problem, {seed});
  teacher const truth{random};
  bandit_problem problem{{}, sample(truth, held_out_contexts, random), {context_size, width, candidates, random}, 0};
  pretrain(problem.reference, truth, static_cast<float>(settings.learning_rate), random);

  Eigen::VectorXf const direction = gaussian_matrix<float>(context_size, 1, random).col(0).normalized();
  bandit_sample& training = problem.training;
  training.contexts = gaussian_matrix<float>(context_size, contexts, random);
  if (how.kind == corruption_kind::shift) {
    training.contexts.colwise() += static_cast<float>(how.strength) * direction;
  }
  training.rewards = truth.rewards(training.contexts);
  Eigen::MatrixXf const true_rewards = training.rewards;
  auto noise = random_generator(drawn_for::noise, {seed, static_cast<std::uint64_t>(how.kind)});
  corrupt_rewards(how, training.rewards, noise);
  problem.turned_pairs = turned_pairs(true_rewards, training.rewards);
  return problem;
}

bandit_score score_of(mlp_policy const& policy, bandit_sample const& held_out) {
  Eigen::MatrixXf logp(candidates, held_out.size());
  policy.log_probs(held_out.contexts, {{logp.data(), static_cast<std::size_t>(logp.size())}, {}});
  bandit_score sum{0, 0};
  for (Eigen::Index context = 0; context < held_out.size(); ++context) {
    Eigen::Index best = 0, first_choice = 0;
    held_out.rewards.col(context).maxCoeff(&best);
    logp.col(context).maxCoeff(&first_choice);
    sum.win_mass += std::exp(static_cast<double>(logp(best, context)));
    sum.first_choice += best == first_choice ? 1 : 0;
  }
  auto const contexts = static_cast<double>(held_out.size());
  return {sum.win_mass / contexts, sum.first_choice / contexts};
}
