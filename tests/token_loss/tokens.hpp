#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <oracle/bits.hpp>
#include <string>
#include <vector>

#include "token_loss/made.hpp"

/// Whether the loss reads a column that not every loss reads.
inline bool reads_reference(prefopt::any_token_loss const& loss) {
  return loss.kl.estimator != prefopt::kl_estimator::none;
}
inline bool reads_rollout(prefopt::any_token_loss const& loss) {
  return loss.correction.mode != prefopt::correction_mode::none || std::isfinite(loss.correction.off_policy_limit);
}

/// Sequences of tokens. Log-probs are multiples of 1/1024, whose differences are exact in float.
template <class T>
struct tokens {
  std::vector<T> log_prob, old_log_prob, ref_log_prob, rollout_log_prob, advantage, mask, entropy;
  std::vector<std::int64_t> offsets{0}, group_offsets{0};
  bool is_advantage_of_sequences = false;
  bool gives_rollout = true;  ///< also where the off-policy mask does without

  [[nodiscard]] std::size_t size() const { return log_prob.size(); }
  [[nodiscard]] std::size_t sequences() const { return offsets.size() - 1; }
  [[nodiscard]] std::size_t begin(std::size_t s) const { return static_cast<std::size_t>(offsets[s]); }
  [[nodiscard]] std::size_t end(std::size_t s) const { return static_cast<std::size_t>(offsets[s + 1]); }
  [[nodiscard]] T advantage_at(std::size_t s, std::size_t token) const {
    return advantage[is_advantage_of_sequences ? s : token];
  }
  [[nodiscard]] std::size_t sequence_of(std::size_t token) const {
    std::size_t s = 0;
    while (end(s) <= token) ++s;
    return s;
  }

  /// The columns that the loss reads.
  [[nodiscard]] prefopt::token_batch<T> batch(prefopt::any_token_loss const& loss) const {
    prefopt::token_batch<T> given{.log_prob = log_prob,
                                  .old_log_prob = old_log_prob,
                                  .advantage = advantage,
                                  .entropy = entropy,
                                  .offsets = offsets,
                                  .group_offsets = group_offsets};
    if (!mask.empty()) given.mask = mask;
    if (reads_reference(loss)) given.ref_log_prob = ref_log_prob;
    bool const needs_rollout = loss.correction.mode != prefopt::correction_mode::none;
    if (needs_rollout || (reads_rollout(loss) && gives_rollout)) given.rollout_log_prob = rollout_log_prob;
    return given;
  }

  /// Sequences [from, to) as a batch of their own, in one group each if groups are wanted otherwise than as they are.
  [[nodiscard]] tokens part(std::size_t from, std::size_t to) const {
    tokens out;
    out.is_advantage_of_sequences = is_advantage_of_sequences;
    out.gives_rollout = gives_rollout;
    out.group_offsets.clear();
    auto const cut = [&](std::vector<T> const& x) {
      return std::vector<T>(x.begin() + offsets[from], x.begin() + offsets[to]);
    };
    out.log_prob = cut(log_prob);
    out.old_log_prob = cut(old_log_prob);
    out.ref_log_prob = cut(ref_log_prob);
    out.rollout_log_prob = cut(rollout_log_prob);
    if (!mask.empty()) out.mask = cut(mask);
    out.entropy = cut(entropy);
    out.advantage = is_advantage_of_sequences ? std::vector<T>(advantage.begin() + static_cast<std::ptrdiff_t>(from),
                                                               advantage.begin() + static_cast<std::ptrdiff_t>(to))
                                              : cut(advantage);
    out.offsets.clear();
    for (std::size_t s = from; s <= to; ++s) out.offsets.push_back(offsets[s] - offsets[from]);
    for (auto const g : group_offsets) {
      if (g >= static_cast<std::int64_t>(from) && g <= static_cast<std::int64_t>(to)) {
        out.group_offsets.push_back(g - static_cast<std::int64_t>(from));
      }
    }
    return out;
  }

  void add_sequence(std::size_t length, oracle::random_numbers& random, double counted = 0.8, double far = 1) {
    auto const grid = [](double x) { return static_cast<T>(std::round(x * 1024) / 1024); };
    auto const near = [&](T x) {
      double const size = random.chance(0.2) ? far : random.chance(0.2) ? 0 : random.chance(0.5) ? 0.02 : 0.3;
      T const y = static_cast<T>(x + grid(size * random.uniform(-1, 1)));
      return y > T(-0.015625) ? T(-0.015625) : y;
    };
    bool const all_masked = random.chance(0.1);
    for (std::size_t t = 0; t < length; ++t) {
      T const l = grid(random.uniform(-6, -0.05));
      log_prob.push_back(l);
      old_log_prob.push_back(near(l));
      ref_log_prob.push_back(near(l));
      rollout_log_prob.push_back(near(old_log_prob.back()));
      mask.push_back(counted == 1 || (!all_masked && random.chance(counted)) ? T(1) : T(0));
      entropy.push_back(static_cast<T>(random.uniform(0, 3)));
      if (!is_advantage_of_sequences) advantage.push_back(some_advantage(random));
    }
    if (is_advantage_of_sequences) advantage.push_back(some_advantage(random));
    offsets.push_back(static_cast<std::int64_t>(log_prob.size()));
  }
  void end_group() { group_offsets.push_back(static_cast<std::int64_t>(sequences())); }

  static T some_advantage(oracle::random_numbers& random) {
    return random.chance(0.1) ? T(0) : static_cast<T>(random.normal());
  }
};

/// Some groups of short sequences, a few of them empty.
template <class T>
tokens<T> random_tokens(oracle::random_numbers& random, bool is_advantage_of_sequences, std::size_t groups = 3,
                        std::size_t longest = 9, double counted = 0.8, double far = 1) {
  tokens<T> data;
  data.is_advantage_of_sequences = is_advantage_of_sequences;
  for (std::size_t g = 0; g < groups; ++g) {
    auto const samples = random.bits() % 4;
    for (std::size_t k = 0; k < samples; ++k) data.add_sequence(random.bits() % (longest + 1), random, counted, far);
    data.end_group();
  }
  // As many advantages as tokens and as sequences would be neither.
  if (data.size() == data.sequences()) data.add_sequence(5, random, counted, far), data.end_group();
  return data;
}

/// What a call writes.
template <class T>
struct written {
  static constexpr T untouched = T(-77);
  std::vector<T> loss, d_log_prob, d_entropy;
  prefopt::token_report seen{};

  explicit written(std::size_t n) : loss(n, untouched), d_log_prob(n, untouched), d_entropy(n, untouched) {}
  written(prefopt::any_token_loss const& given, tokens<T> const& data, prefopt::options const& options = {})
      : written(data.size()) {
    seen = prefopt::evaluate(given, data.batch(given), outputs(given), options);
  }
  [[nodiscard]] prefopt::token_outputs<T> outputs(prefopt::any_token_loss const& given) {
    prefopt::token_outputs<T> to{.loss = loss, .d_log_prob = d_log_prob};
    if (given.entropy_coefficient != 0) to.d_entropy = d_entropy;
    return to;
  }
  /// Whether tokens [at, at + count) are another call's from `from` on, bit for bit.
  [[nodiscard]] bool same_bits(std::size_t at, std::size_t count, written const& other, std::size_t from) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (!oracle::same_bits(loss[at + i], other.loss[from + i])) return false;
      if (!oracle::same_bits(d_log_prob[at + i], other.d_log_prob[from + i])) return false;
      if (!oracle::same_bits(d_entropy[at + i], other.d_entropy[from + i])) return false;
    }
    return true;
  }
};

/// Every surrogate with its standard parameters, and some with others.
inline std::vector<prefopt::any_token_loss> every_surrogate() {
  std::vector<prefopt::any_token_loss> all;
  for (auto const name : surrogate_names()) all.push_back(made_token_loss(name));
  return all;
}

inline prefopt::aggregation_mode const every_aggregation[]{prefopt::aggregation_mode::token_mean,
                                                           prefopt::aggregation_mode::token_sum,
                                                           prefopt::aggregation_mode::sequence_mean_of_sums,
                                                           prefopt::aggregation_mode::sequence_mean_of_means,
                                                           prefopt::aggregation_mode::sequence_mean_of_sums_scaled,
                                                           prefopt::aggregation_mode::prompt_mean,
                                                           prefopt::aggregation_mode::length_weighted_sequence_mean};

/// A loss with everything at random.
inline prefopt::any_token_loss random_loss(oracle::random_numbers& random) {
  using namespace prefopt;
  auto const pick = [&](auto const&... from) {
    double const all[]{static_cast<double>(from)...};
    return all[random.bits() % sizeof...(from)];
  };
  struct variant {
    char const* name;
    parameter_values values;
  };
  auto const names = surrogate_names();
  static std::vector<variant> others{{"ppo_clip", {{"low", 0.2}, {"high", 0.28}, {"dual", 1.1}}},
                                     {"ppo_clip", {{"dual", 3}, {"low", 0}, {"high", 0}}},
                                     {"cispo", {{"low", 0.8}, {"high", 1.2}}},
                                     {"cispo_around_one", {{"low", 1}, {"high", 0.1}}},
                                     {"gspo", {{"low", 0.1}, {"high", 0.15}}},
                                     {"gspo_token", {{"low", 0.1}, {"high", 0.15}, {"limit", 0.05}}},
                                     {"gspo_token", {{"low", 0.9}, {"high", 9}, {"limit", 0.1}}},
                                     {"gmpo", {{"low", 0.05}, {"high", 0.1}}},
                                     {"sapo", {{"tau_pos", 2}, {"tau_neg", 0.5}}},
                                     {"vespo", {{"k_pos", 1}, {"lambda_pos", 0.5}, {"lambda_neg", 0}}},
                                     {"dro_token", {{"beta", 2}}},
                                     {"dppo_tv", {{"low", 0.01}, {"high", 0.02}, {"cap", 1.5}}},
                                     {"dppo_kl", {{"low", 0.001}, {"high", 0.002}, {"cap", 1.1}}},
                                     {"masked_ratio", {{"low", 0.01}, {"high", 0.02}, {"kl_tau", 0.5}}},
                                     {"masked_ratio", {{"low", 0.01}, {"high", 0.015}, {"both_sides", 1}}},
                                     {"fipo", {{"half_life", 2}, {"dual", 1.3}, {"safety", 1.25}}},
                                     {"fipo", {{"weight_low", 0.5}, {"weight_high", 3}, {"half_life", 0.7}}},
                                     {"clip_cov", {{"lowest_covariance", 0.1}, {"share", 0.2}}},
                                     {"kl_cov", {{"coefficient", 0.1}, {"share", 0.2}}}};
  // Where a program makes but some of the surrogates, theirs only.
  std::erase_if(others, [&](auto const& of) { return std::find(names.begin(), names.end(), of.name) == names.end(); });
  auto const which = random.bits() % (names.size() + others.size());
  auto loss = which < names.size()
                  ? made_token_loss(names[which])
                  : made_token_loss(others[which - names.size()].name, others[which - names.size()].values);
  double const none = std::numeric_limits<double>::infinity();
  loss.aggregation = {every_aggregation[random.bits() % 7], pick(1, 16, 0.3)};
  loss.kl.estimator = static_cast<kl_estimator>(random.bits() % 10);
  if (loss.kl.estimator != kl_estimator::none) loss.kl.coefficient = pick(0, 0.04, 1.5);
  loss.kl.log_ratio_limit = pick(none, none, 0.25);
  loss.kl.value_limit = pick(none, none, 0.015625);
  loss.kl.is_corrected = random.chance(0.5);
  loss.correction.mode = static_cast<correction_mode>(random.bits() % 8);
  loss.correction.low = pick(0, 0.9, 0.5);
  loss.correction.high = pick(1.05, 2, none);
  loss.correction.off_policy_limit = pick(none, none, none, 0.01, -0.03);
  loss.entropy_coefficient = pick(0, 0, 0.01, -0.5);
  loss.log_ratio_limit = pick(none, none, 0.125, 20);
  return loss;
}

/// For messages.
inline std::string description(prefopt::any_token_loss const& loss) {
  std::string text = loss.surrogate.name();
  for (auto const& [name, value] : loss.surrogate.parameters())
    text += " " + std::string{name} + "=" + std::to_string(value);
  auto const add = [&](char const* name, double x) { text += std::string{" "} + name + "=" + std::to_string(x); };
  text += " kl=" + std::string{name_of(loss.kl.estimator)};
  add("coefficient", loss.kl.coefficient);
  add("kl.log_ratio_limit", loss.kl.log_ratio_limit);
  add("kl.value_limit", loss.kl.value_limit);
  add("is_corrected", loss.kl.is_corrected);
  text += " correction=" + std::string{name_of(loss.correction.mode)};
  add("low", loss.correction.low);
  add("high", loss.correction.high);
  add("off_policy_limit", loss.correction.off_policy_limit);
  text += " aggregation=" + std::string{name_of(loss.aggregation.mode)};
  add("horizon", loss.aggregation.horizon);
  add("entropy_coefficient", loss.entropy_coefficient);
  add("log_ratio_limit", loss.log_ratio_limit);
  return text;
}
