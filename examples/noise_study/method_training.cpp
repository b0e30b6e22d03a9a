#include "method_training.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <prefopt/chain/group_pairs.hpp>
#include <prefopt/train/annotator_reliability.hpp>
#include <prefopt/train/moving_reference.hpp>
#include <prefopt/train/step.hpp>
#include <random>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "adamw.hpp"
#include "group_offsets.hpp"
#include "random_generator.hpp"
#include "watched_policy.hpp"

namespace {

prefopt::options const strict{.non_finite = prefopt::on_invalid::error};

/// Batches of the training data: one epoch after the other, each in an order of its own.
class batches {
 public:
  batches(bandit_sample const& data, std::size_t size, std::uint64_t seed)
      : data_{data}, size_{size}, random_{random_generator(drawn_for::batches, {seed})} {
    order_.resize(static_cast<std::size_t>(data.size()));
    std::iota(order_.begin(), order_.end(), Eigen::Index{0});
    begin_ = order_.size();
  }

  void next(bandit_sample& batch) {
    if (begin_ + size_ > order_.size()) {
      std::ranges::shuffle(order_, random_);
      begin_ = 0;
    }
    std::span<Eigen::Index const> const chosen{order_.data() + begin_, size_};
    batch.contexts = data_.contexts(Eigen::seqN(0, data_.contexts.rows()), chosen);
    batch.rewards = data_.rewards(Eigen::seqN(0, data_.rewards.rows()), chosen);
    begin_ += size_;
  }

 private:
  bandit_sample const& data_;
  std::size_t size_, begin_;
  std::vector<Eigen::Index> order_;
  std::mt19937_64 random_;
};

/// A list loss: one call.
class list_training {
 public:
  list_training(prefopt::any_list_loss const& loss, std::vector<std::int64_t> const& offsets)
      : loss_{loss}, offsets_{offsets} {}

  template <class Anchor>
  void step(watched_policy& policy, Anchor& anchor, bandit_sample const& batch) {
    step_(loss_, policy, anchor, batch.contexts, {.offsets = offsets_, .reward = batch.rewards.reshaped()}, strict);
  }

  void after_update() {}

  std::span<float const> logp() const { return step_.logp(); }
  std::span<float const> ref_logp() const { return step_.ref_logp(); }

 private:
  prefopt::any_list_loss const& loss_;
  std::vector<std::int64_t> const& offsets_;
  prefopt::list_step<float> step_;
};

/// A pair loss on every pair of candidates.
class pair_training {
 public:
  pair_training(prefopt::any_pair_loss const& loss, std::optional<double> beta_reward,
                std::vector<std::int64_t> const& offsets)
      : loss_{loss}, beta_reward_{beta_reward}, offsets_{offsets} {
    for (auto* column : {&logp_, &ref_logp_, &d_logp_}) column->resize(static_cast<std::size_t>(offsets.back()));
  }

  template <class Anchor>
  void step(watched_policy& policy, Anchor& anchor, bandit_sample const& batch) {
    policy.log_probs(batch.contexts, {logp_, {}});
    anchor.log_probs(batch.contexts, prefopt::list_log_probs<float>{ref_logp_, {}});
    prefopt::list_batch<float> groups{.logp = logp_, .reward = batch.rewards.reshaped(), .offsets = offsets_};
    if (loss_.reads(prefopt::columns::reference)) groups.ref_logp = ref_logp_;
    prefopt::group_pairs<float> const pairs{groups, prefopt::pairing::every, beta_reward_};
    prefopt::pair_batch<float> columns = pairs.batch();
    if (loss_.needs(prefopt::columns::label) && !columns.label.is_given()) {
      observed_.assign(pairs.size(), 1);
      columns.label = observed_;
    }
    for (auto* column : {&d_chosen_, &d_rejected_}) column->resize(pairs.size());
    if (loss_.has_posterior()) {
      for (auto* column : {&reliability_, &posterior_}) column->resize(pairs.size());
      annotators_.assign(pairs.size(), 0);
      annotator_.fill(annotators_, reliability_);
      columns.reliability = reliability_;
    }
    prefopt::evaluate(loss_, columns, {.d_chosen = d_chosen_, .d_rejected = d_rejected_, .posterior = posterior_},
                      strict);
    std::ranges::fill(d_logp_, 0.0F);
    pairs.scatter(d_chosen_, d_rejected_, d_logp_);
    policy.backward(batch.contexts, {d_logp_});
  }

  void after_update() {
    if (!loss_.has_posterior()) return;
    annotator_.accumulate(annotators_, posterior_);
    annotator_.update();
  }

  std::span<float const> logp() const { return logp_; }
  std::span<float const> ref_logp() const { return ref_logp_; }

 private:
  prefopt::any_pair_loss const& loss_;
  std::optional<double> beta_reward_;
  std::vector<std::int64_t> const& offsets_;
  std::vector<float> logp_, ref_logp_, d_logp_, d_chosen_, d_rejected_, observed_, reliability_, posterior_;
  prefopt::annotator_reliability annotator_;
  std::vector<std::size_t> annotators_;  ///< of every pair the one and only
};

/// A loss of single candidates, each good or bad by its reward.
class unpaired_training {
 public:
  unpaired_training(prefopt::any_unpaired_loss const& loss, std::vector<std::int64_t> const& offsets) : loss_{loss} {
    for (auto* column : {&logp_, &ref_logp_, &d_logp_, &label_})
      column->resize(static_cast<std::size_t>(offsets.back()));
  }

  template <class Anchor>
  void step(watched_policy& policy, Anchor& anchor, bandit_sample const& batch) {
    policy.log_probs(batch.contexts, {logp_, {}});
    anchor.log_probs(batch.contexts, prefopt::list_log_probs<float>{ref_logp_, {}});
    Eigen::Map<Eigen::MatrixXf> label{label_.data(), batch.rewards.rows(), batch.rewards.cols()};
    for (Eigen::Index context = 0; context < label.cols(); ++context) {
      auto const rewards = batch.rewards.col(context).array();
      label.col(context) = (rewards > rewards.mean()).cast<float>();
    }
    prefopt::evaluate(loss_, prefopt::unpaired_batch<float>{.logp = logp_, .ref_logp = ref_logp_, .label = label_},
                      {.d_logp = d_logp_}, strict);
    policy.backward(batch.contexts, {d_logp_});
  }

  void after_update() {}

  std::span<float const> logp() const { return logp_; }
  std::span<float const> ref_logp() const { return ref_logp_; }

 private:
  prefopt::any_unpaired_loss const& loss_;
  std::vector<float> logp_, ref_logp_, d_logp_, label_;
};

/// Of the policy from the anchor, mean over the contexts; exact, as a context has few candidates.
template <class Training>
double divergence(Training const& training) {
  auto const logp = training.logp(), ref_logp = training.ref_logp();
  double sum = 0;
  for (std::size_t i = 0; i < logp.size(); ++i) {
    sum += static_cast<double>(std::exp(logp[i]) * (logp[i] - ref_logp[i]));
  }
  return sum * static_cast<double>(candidates) / static_cast<double>(logp.size());
}

template <class Training, class Anchor>
mlp_policy train(std::string_view name, Training training, Anchor anchor, bandit_problem const& problem,
                 bandit_settings const& settings, std::uint64_t seed) {
  mlp_policy policy = problem.reference;
  watched_policy watched{policy, name};
  adamw optimizer{policy.weights().size(), static_cast<float>(settings.learning_rate)};
  batches data{problem.training, settings.batch, seed};
  bandit_sample batch;
  for (std::size_t i = 0; i < settings.steps; ++i) {
    data.next(batch);
    training.step(watched, anchor, batch);
    optimizer.update(policy.weights(), policy.gradient());
    training.after_update();
    if constexpr (requires { anchor.update(policy, 0.0); }) {
      anchor.update(policy, divergence(training));
    } else if constexpr (requires { anchor.update(policy); }) {
      anchor.update(policy);
    }
  }
  return policy;
}

}  // namespace

mlp_policy train_by(method const& by, bandit_problem const& problem, bandit_settings const& settings,
                    std::uint64_t seed) {
  auto const offsets = group_offsets(static_cast<Eigen::Index>(settings.batch), candidates);
  auto const anchored = [&](auto training) {
    auto const at = [&](auto anchor) { return train(by.name, training, anchor, problem, settings, seed); };
    auto const following = [&](auto schedule) { return at(prefopt::moving_reference{problem.reference, schedule}); };
    switch (by.anchor) {
      case anchoring::none:
        break;
      case anchoring::fixed:
        return at(prefopt::frozen_reference{problem.reference});
      case anchoring::average:
        return following(prefopt::follow_average{.decay = 0.99});
      case anchoring::copies:
        return following(prefopt::copy_every{.steps = 100});
      case anchoring::copies_when_far:
        return following(prefopt::copy_when_far{.threshold = 0.1, .window = 10});
    }
    return at(prefopt::no_reference{});
  };
  if (auto const* const loss = std::get_if<prefopt::any_list_loss>(&by.loss)) {
    return anchored(list_training{*loss, offsets});
  }
  if (auto const* const loss = std::get_if<prefopt::any_unpaired_loss>(&by.loss)) {
    return anchored(unpaired_training{*loss, offsets});
  }
  return anchored(pair_training{std::get<prefopt::any_pair_loss>(by.loss), by.beta_reward, offsets});
}
