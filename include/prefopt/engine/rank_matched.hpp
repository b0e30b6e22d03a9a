#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <prefopt/batch/options.hpp>
#include <prefopt/batch/pairs.hpp>
#include <prefopt/contract/loss_facts.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/evaluate_batch.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

/// A batch of pairs in the order of ranks, for a loss that compares what has the same rank, and the way back.
template <class T>
class rank_matched {
  using f = pair_family;

 public:
  rank_matched(loss_facts const& facts, pair_batch<T> const& batch, pair_outputs<T> const& outputs,
               options const& options) {
    std::string const name{facts.name};
    if (!batch.weight.empty()) fail_evaluate(name + " does not read the column weight, which is given");
    if (options.non_finite == on_invalid::skip || options.empty == on_invalid::skip) {
      fail_evaluate(name + " sorts the whole batch, expected no option that skips");
    }
    std::size_t const n = batch.chosen.size();
    bool const of_references = facts.matches == rank_matching::of_references;
    // A reference that is missing, or of another size, is the engine's to refuse.
    auto const difference = [&](column<T> const& a, column<T> const& b, std::size_t i) {
      return i < b.size() && i < a.size() ? static_cast<double>(a[i]) - static_cast<double>(b[i]) : 0;
    };
    auto const order_by = [&](column<T> const& a, column<T> const& b) {
      std::vector<double> keys(n);
      for (std::size_t i = 0; i < n; ++i) keys[i] = difference(a, b, i);
      std::vector<std::size_t> order(n);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
        return std::isnan(keys[j]) ? !std::isnan(keys[i]) : keys[i] < keys[j];
      });
      return order;
    };
    first_ = of_references ? order_by(batch.chosen, batch.rejected) : order_by(batch.chosen, batch.ref_chosen);
    second_ =
        of_references ? order_by(batch.ref_chosen, batch.ref_rejected) : order_by(batch.rejected, batch.ref_rejected);
    for (std::size_t c = 0; c < f::input_count; ++c) {
      auto const values = f::inputs<T>[c].values;
      auto const& given = batch.*values;
      if (!given.is_given()) continue;
      auto const& order = of(f::inputs<T>[c].name, of_references);
      for (std::size_t k = 0; k < given.size(); ++k) columns_[c].push_back(given[k < n ? order[k] : k]);
      batch_.*values = columns_[c];
    }
    for (std::size_t c = 0; c < f::output_count; ++c) {
      auto const values = f::results<T>[c].values;
      bool const is_reward = c == f::chosen_reward || c == f::rejected_reward;
      if ((outputs.*values).empty() || is_reward) continue;
      results_[c].resize((outputs.*values).size());
      outputs_.*values = results_[c];
    }
    of_references_ = of_references;
  }
  rank_matched(rank_matched const&) = delete;
  rank_matched& operator=(rank_matched const&) = delete;

  [[nodiscard]] pair_batch<T> const& batch() const noexcept { return batch_; }
  [[nodiscard]] pair_outputs<T> const& outputs() const noexcept { return outputs_; }

  /// Gradients to the pairs that they are of; the losses stay in the order of ranks.
  void put_back(pair_outputs<T> const& outputs, gradient_write how) const noexcept {
    for (std::size_t c = 0; c < f::output_count; ++c) {
      auto const& row = f::results<T>[c];
      auto const& to = outputs.*row.values;
      auto const& order = of(row.name, of_references_);
      bool const add = how == gradient_write::accumulate && row.gradient_of >= 0;
      for (std::size_t k = 0; k < results_[c].size(); ++k) {
        std::size_t const i = c == f::loss ? k : order[k];
        T buffer{};
        T* const at = to.block(i, 1, &buffer, add);
        *at = add ? *at + results_[c][k] : results_[c][k];
        to.commit(i, 1, &buffer);
      }
    }
  }

  /// Pairs of the batch, as they were given, whose rewards are in order; equal ones are half a pair.
  static double ordered_right(pair_batch<T> const& batch) noexcept {
    double right = 0;
    for (std::size_t i = 0; i < batch.chosen.size(); ++i) {
      T const better = batch.chosen[i] - batch.ref_chosen[i], worse = batch.rejected[i] - batch.ref_rejected[i];
      right += better > worse ? 1 : better == worse ? 0.5 : 0;
    }
    return right;
  }

  /// Of a completion and its own reference, whatever rank it has.
  static void write_rewards(pair_batch<T> const& batch, pair_outputs<T> const& outputs, double scale) {
    auto const rewards = [&](output<T> const& to, column<T> const& policy, column<T> const& reference) {
      std::vector<T> all(to.size());
      for (std::size_t i = 0; i < to.size(); ++i) all[i] = static_cast<T>(scale) * (policy[i] - reference[i]);
      return all;
    };
    // Both before either is written: an output may lie where an input does.
    auto const chosen = rewards(outputs.chosen_reward, batch.chosen, batch.ref_chosen),
               rejected = rewards(outputs.rejected_reward, batch.rejected, batch.ref_rejected);
    for (std::size_t i = 0; i < chosen.size(); ++i) put(outputs.chosen_reward, i, static_cast<double>(chosen[i]));
    for (std::size_t i = 0; i < rejected.size(); ++i) put(outputs.rejected_reward, i, static_cast<double>(rejected[i]));
  }

 private:
  /// The order that a column follows: of references, the policy's log-probs one and the reference's the other; of sides,
  /// all of the chosen completion one and of the rejected the other. What is a pair's goes with the first.
  [[nodiscard]] std::vector<std::size_t> const& of(std::string_view name, bool of_references) const noexcept {
    bool const is_second = of_references ? name.starts_with("ref_") : name.find("rejected") != name.npos;
    return is_second ? second_ : first_;
  }

  std::vector<std::size_t> first_, second_;
  std::array<std::vector<T>, f::input_count> columns_;
  std::array<std::vector<T>, f::output_count> results_;
  pair_batch<T> batch_;
  pair_outputs<T> outputs_;
  bool of_references_ = false;
};

/// The batch has been checked; its pairs are now put in the order of ranks.
template <class T>
report evaluate_rank_matched(loss_ref<pair_family, T> const& loss, pair_batch<T> const& batch,
                             pair_outputs<T> const& outputs, options const& options, bool lengths_mark_empty) {
  auto own = options;
  own.gradient = gradient_write::assign;
  auto of_ranks = loss;
  of_ranks.by_rank = nullptr;
  rank_matched<T> const matched{loss.facts, batch, outputs, options};
  report seen = evaluate_batch<pair_family, T>(of_ranks, matched.batch(), matched.outputs(), own, lengths_mark_empty);
  // Of pairs that share a rank the order is that of no two completions to one prompt.
  std::array<double, 2> right{rank_matched<T>::ordered_right(batch), static_cast<double>(batch.chosen.size())};
  if (options.all_reduce) add_up_ranks(options.all_reduce, right);
  seen.accuracy = right[1] == 0 ? 0 : right[0] / right[1];
  rank_matched<T>::write_rewards(batch, outputs, loss.facts.reward_scale);
  matched.put_back(outputs, options.gradient);
  return seen;
}

}  // namespace prefopt::inline PREFOPT_ABI::detail
