#include "rl_training.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "batch_advantages.hpp"
#include "exact_sum.hpp"
#include "gathered.hpp"
#include "input_error.hpp"
#include "mean.hpp"
#include "number_text.hpp"
#include "seeded.hpp"

namespace {

/// The options that can make a gradient endless.
std::string causes_in(rl_settings const& settings) {
  std::string causes = "--learning-rate";
  if (settings.kl.value_or(0) > 0) causes += " or --kl";
  if (settings.kl_in_reward > 0) causes += " or --kl-in-reward";
  return causes;
}

}  // namespace

rl_training::rl_training(task const& of, prompt_split const& split, preset const& by, rl_settings const& settings,
                         gru_policy<float> const& start, ranks const& all)
    : task_{of},
      split_{split},
      preset_{by},
      settings_{settings},
      all_{all},
      policy_{start},
      reference_{start},
      optimizer_{start.weights().size(), static_cast<float>(settings.learning_rate)} {}

step_metrics rl_training::step() {
  step_metrics metrics;
  sample();
  score(metrics);
  for (std::size_t epoch = 0; epoch < settings_.epochs; ++epoch) {
    for (std::size_t minibatch = 0; minibatch < settings_.minibatches; ++minibatch) update(minibatch, metrics);
  }
  auto const updates = static_cast<double>(settings_.epochs * settings_.minibatches);
  for (double* const of : {&metrics.loss, &metrics.old_kl, &metrics.clipped_low, &metrics.clipped_high,
                           &metrics.entropy, &metrics.gradient_norm}) {
    *of /= updates;
  }
  ++steps_;
  return metrics;
}

void rl_training::sample() {
  auto random = seeded(settings_.seed, drawn_for::prompts, steps_);
  std::vector<std::size_t> prompts(settings_.groups);
  for (auto& prompt : prompts) prompt = split_.training[drawn_below(split_.training.size(), random)];
  auto const [begin, end] = share_of(all_, settings_.groups);
  first_ = begin;
  groups_.clear();
  reward_.clear();
  for (std::size_t g = begin; g < end; ++g) {
    exercise const& given = task_.exercises[prompts[g]];
    auto own = seeded(settings_.seed, drawn_for::samples, steps_ * settings_.groups + g);
    groups_.push_back(policy_.sample(byte_alphabet::tokens_of(given.prompt), settings_.samples, task_.longest, own));
    for (auto const& completion : groups_.back().completions) {
      reward_.push_back(task_.reward(byte_alphabet::text_of(completion), given.reference));
    }
  }
}

/// Log-probs of old policy and reference, what the samples have come to, and the advantages.
void rl_training::score(step_metrics& metrics) {
  kept_.resize(groups_.size());
  token_statistics old, reference;
  begins_.clear();
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    begins_.push_back(old.log_prob.size());
    reference_.forward(groups_[g], kept_[g]);
    reference.append(groups_[g], kept_[g]);
    policy_.forward(groups_[g], kept_[g]);
    old.append(groups_[g], kept_[g]);
  }
  begins_.push_back(old.log_prob.size());
  old_log_prob_ = old.log_prob;
  ref_log_prob_ = reference.log_prob;

  // A row of `longest` places for each sample, so that those of all ranks have places of their own.
  std::size_t const longest = task_.longest, samples = settings_.groups * settings_.samples,
                    first = first_ * settings_.samples;
  std::vector<double> own_rewards(reward_.size() * longest), own_values(own_rewards.size()), own_lengths,
      own_ratios(reward_.size());
  std::size_t token = 0;
  for (auto const& group : groups_) {
    for (auto const& completion : group.completions) {
      std::size_t const s = own_lengths.size();
      for (std::size_t i = 0; i < completion.size(); ++i, ++token) {
        double const ratio = static_cast<double>(old.log_prob[token]) - static_cast<double>(reference.log_prob[token]);
        own_rewards[s * longest + i] = (i + 1 == completion.size() ? reward_[s] : 0) - settings_.kl_in_reward * ratio;
        own_values[s * longest + i] = static_cast<double>(old.value[token]);
        own_ratios[s] += ratio;
      }
      own_lengths.push_back(static_cast<double>(completion.size()));
    }
  }
  auto const rewards = gathered(all_, samples * longest, first * longest, own_rewards),
             values = gathered(all_, samples * longest, first * longest, own_values),
             lengths = gathered(all_, samples, first, own_lengths);
  metrics.reward = mean(gathered(all_, samples, first, reward_));
  metrics.length = mean(lengths);
  metrics.kl = mean(gathered(all_, samples, first, own_ratios)) / metrics.length;
  step_rewards whole{.token_reward = {}, .value = {}, .offsets = {0}, .samples = settings_.samples};
  for (std::size_t s = 0; s < samples; ++s) {
    auto const length = static_cast<std::size_t>(lengths[s]);
    auto const append = [&](std::vector<double>& to, std::vector<double> const& from) {
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(s * longest),
                from.begin() + static_cast<std::ptrdiff_t>(s * longest + length));
    };
    append(whole.token_reward, rewards);
    append(whole.value, values);
    whole.offsets.push_back(whole.offsets.back() + static_cast<std::int64_t>(length));
  }
  auto const made = advantages_of(whole, preset_);
  auto const own = [&](std::vector<double> const& of, std::vector<float>& to) {
    to.clear();
    if (of.empty()) return;
    for (auto i = whole.offsets[first]; i < whole.offsets[first + reward_.size()]; ++i) {
      to.push_back(static_cast<float>(of[static_cast<std::size_t>(i)]));
    }
  };
  own(made.advantage, advantage_);
  own(made.gain, gain_);
}

/// From every minibatches-th group.
void rl_training::update(std::size_t minibatch, step_metrics& metrics) {
  constexpr float value_coefficient = 0.5F;
  std::vector<std::size_t> chosen;
  token_statistics seen;
  std::vector<std::int64_t> offsets{0};
  std::vector<float> old_log_prob, ref_log_prob, advantage, gain;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if ((first_ + g) % settings_.minibatches != minibatch) continue;
    chosen.push_back(g);
    policy_.forward(groups_[g], kept_[g]);
    seen.append(groups_[g], kept_[g]);
    for (auto const& completion : groups_[g].completions) {
      offsets.push_back(offsets.back() + static_cast<std::int64_t>(completion.size()));
    }
    auto const append = [&](std::vector<float>& to, std::vector<float> const& from) {
      if (from.empty()) return;
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(begins_[g]),
                from.begin() + static_cast<std::ptrdiff_t>(begins_[g + 1]));
    };
    append(old_log_prob, old_log_prob_);
    append(ref_log_prob, ref_log_prob_);
    append(advantage, advantage_);
    append(gain, gain_);
  }
  std::size_t const tokens = seen.log_prob.size();
  auto const column = [](std::vector<float> const& of) { return prefopt::column<float>{of.data(), of.size()}; };
  bool const reads_reference = preset_.loss.kl.estimator != prefopt::kl_estimator::none;
  std::vector<float> d_log_prob(tokens), d_value;
  auto const report = prefopt::evaluate(
      preset_.loss,
      prefopt::token_batch<float>{.log_prob = column(seen.log_prob),
                                  .old_log_prob = column(old_log_prob),
                                  .ref_log_prob = reads_reference ? column(ref_log_prob) : prefopt::column<float>{},
                                  .advantage = column(advantage),
                                  .entropy = column(seen.entropy),
                                  .offsets = offsets},
      {.d_log_prob = d_log_prob}, {.all_reduce = all_.sum});
  // The critic's loss is half the mean square of gain - value, over the tokens of all ranks.
  for (std::size_t i = 0; i < gain.size(); ++i) {
    d_value.push_back(value_coefficient * (seen.value[i] - gain[i]) / static_cast<float>(report.count));
  }
  std::vector<double> sum(static_cast<std::size_t>(policy_.weights().size()));
  Eigen::Map<Eigen::ArrayXd> total{sum.data(), policy_.weights().size()};
  gru_policy<float>::vector gradient(policy_.weights().size());
  gru_policy<float>::matrix d_outputs;
  std::size_t first = 0;
  for (std::size_t const g : chosen) {
    output_gradient(groups_[g], kept_[g], seen, first, d_log_prob, d_value, d_outputs);
    gradient.setZero();
    policy_.backward(groups_[g], kept_[g], d_outputs, gradient);
    total += rounded_for_sum(gradient.array().cast<double>());
    first += groups_[g].tokens();
  }
  all_.sum(sum);
  metrics.gradient_norm += descend(sum);
  metrics.loss += report.loss;
  metrics.old_kl += report.old_kl;
  metrics.clipped_low += report.clipped_low;
  metrics.clipped_high += report.clipped_high;
  metrics.entropy += report.entropy;
}

/// Shortens a gradient that is longer than 1, as trainers do. Returns how long it was.
double rl_training::descend(std::vector<double>& sum) {
  constexpr double longest = 1, exact = 1024;  // far from where sums of rounded gradients have a rounding
  Eigen::VectorXf gradient(policy_.weights().size());
  double squares = 0;
  for (double const d : sum) {
    squares += d * d;
    if (std::abs(d) <= exact) continue;
    if (!all_.is_first()) throw told_elsewhere{};  // all ranks have the same sum
    throw input_error{causes_in(settings_) + ": in step " + std::to_string(steps_ + 1) + " a gradient has become " +
                      number_text(d) + ", expected a number from -1024 to 1024; a smaller one may help"};
  }
  double const norm = std::sqrt(squares), scale = norm > longest ? longest / norm : 1;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    gradient[static_cast<Eigen::Index>(i)] = static_cast<float>(scale * sum[i]);
  }
  optimizer_.update(policy_.weights(), gradient);
  return norm;
}
