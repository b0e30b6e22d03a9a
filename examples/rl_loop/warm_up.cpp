#include "warm_up.hpp"

#include <prefopt/engine/make_token_loss.hpp>

#include "adamw.hpp"
#include "seeded.hpp"
#include "token_statistics.hpp"

namespace {

sample_group answers_of_teacher(task const& of, prompt_split const& split, std::mt19937_64& random) {
  constexpr std::size_t answers = 4;
  exercise const& given = of.exercises[split.warm_up[drawn_below(split.warm_up.size(), random)]];
  sample_group group{byte_alphabet::tokens_of(given.prompt), {}};
  for (std::size_t k = 0; k < answers; ++k) {
    bool const is_right = static_cast<double>(random() >> 11U) * 0x1p-53 < of.right_share;
    auto& completion = group.completions.emplace_back(
        byte_alphabet::tokens_of(is_right ? given.reference : given.wrong[drawn_below(given.wrong.size(), random)]));
    completion.push_back(byte_alphabet::end);
  }
  return group;
}

}  // namespace

gru_policy<float> warmed_up_policy(task const& of, prompt_split const& split, rl_settings const& settings) {
  constexpr std::size_t groups = 16;
  constexpr float learning_rate = 0.005F;
  auto random = seeded(settings.seed, drawn_for::weights);
  gru_policy<float> policy{static_cast<Eigen::Index>(settings.width), random};
  adamw optimizer{policy.weights().size(), learning_rate};
  // With advantages of 1 this is minus the mean log-prob.
  auto const imitation = prefopt::make_token_loss("reinforce");
  random = seeded(settings.seed, drawn_for::warm_up);
  std::vector<gru_policy<float>::pass> kept(groups);
  token_statistics seen;
  std::vector<float> d_log_prob;
  gru_policy<float>::matrix d_outputs;
  for (std::size_t step = 0; step < settings.warm_up; ++step) {
    std::vector<sample_group> batch;
    std::vector<std::int64_t> offsets{0};
    seen.clear();
    for (std::size_t g = 0; g < groups; ++g) {
      batch.push_back(answers_of_teacher(of, split, random));
      policy.forward(batch[g], kept[g]);
      seen.append(batch[g], kept[g]);
      for (auto const& completion : batch[g].completions) {
        offsets.push_back(offsets.back() + static_cast<std::int64_t>(completion.size()));
      }
    }
    d_log_prob.resize(seen.log_prob.size());
    std::vector<float> const advantage(offsets.size() - 1, 1.0F);
    prefopt::evaluate(
        imitation, prefopt::token_batch<float>{.log_prob = seen.log_prob, .advantage = advantage, .offsets = offsets},
        {.d_log_prob = d_log_prob});
    Eigen::VectorXf gradient = Eigen::VectorXf::Zero(policy.weights().size());
    std::size_t first = 0;
    for (std::size_t g = 0; g < groups; first += batch[g].tokens(), ++g) {
      output_gradient(batch[g], kept[g], seen, first, d_log_prob, {}, d_outputs);
      policy.backward(batch[g], kept[g], d_outputs, gradient);
    }
    optimizer.update(policy.weights(), gradient);
  }
  return policy;
}
