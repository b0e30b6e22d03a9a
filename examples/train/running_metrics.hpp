#pragma once

#include "objective.hpp"
#include "training_metrics.hpp"

/// Means over batches, as they come in.
class running_metrics {
 public:
  void add(objective::evaluation const& batch) {
    auto const& seen = batch.report;
    auto const count = static_cast<double>(seen.count), pairs = static_cast<double>(batch.pairs);
    sum_.loss += seen.loss * count;
    sum_.accuracy += seen.accuracy * pairs;
    sum_.margin += seen.margin * count;
    sum_.best_probability += seen.best_probability * count;
    count_ += count;
    pairs_ += pairs;
    weight_ += seen.weight;
  }

  loss_metrics mean() const {
    auto const divided = [](double sum, double by) { return by > 0 ? sum / by : 0; };
    return {divided(sum_.loss, weight_), divided(sum_.accuracy, pairs_), divided(sum_.margin, count_),
            divided(sum_.best_probability, count_)};
  }

 private:
  loss_metrics sum_;
  double count_ = 0, pairs_ = 0, weight_ = 0;
};
