#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/core/ranks.hpp>
#include <prefopt/engine/check.hpp>
#include <prefopt/engine/list_parts.hpp>
#include <prefopt/engine/loss_ref.hpp>
#include <prefopt/engine/select_tokens.hpp>
#include <prefopt/simd/arithmetic.hpp>
#include <prefopt/token/policy_gradient.hpp>
#include <prefopt/token/token_report.hpp>
#include <prefopt/view/offsets.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

inline void check_terms(std::string_view loss, token_terms const& terms) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  auto const expect = [&](bool holds, std::string_view name, double got, std::string_view expected) {
    if (!holds) fail(loss, {name, " is ", text(got), ", expected ", expected});
  };
  auto const& [kl, correction, aggregation, entropy_coefficient, log_ratio_limit] = terms;
  check_penalty(loss, kl);
  expect(correction.low >= 0 && correction.low < infinity, "correction.low", correction.low, "a finite number >= 0");
  expect(correction.high >= correction.low, "correction.high", correction.high, "at least correction.low");
  expect(!std::isnan(correction.off_policy_limit), "correction.off_policy_limit", correction.off_policy_limit,
         "a number");
  if (correction.drops_off_policy && !masks_off_policy(correction)) {
    fail(loss, "correction.drops_off_policy is set, but correction.off_policy_limit is infinity");
  }
  expect(aggregation.horizon > 0 && aggregation.horizon < infinity, "aggregation.horizon", aggregation.horizon,
         "a finite number > 0");
  expect(std::isfinite(entropy_coefficient), "entropy_coefficient", entropy_coefficient, "a finite number");
  expect(log_ratio_limit > 0, "log_ratio_limit", log_ratio_limit, "a number > 0");
}

/// Runs a policy-gradient loss over a batch of tokens.
template <class T>
class token_engine {
  using f = token_family;

 public:
  token_engine(loss_ref<f, T> const& loss, token_terms const& terms, token_batch<T> const& batch,
               token_outputs<T> const& outputs, options const& options)
      : loss_{loss},
        terms_{terms},
        batch_{batch},
        outputs_{outputs},
        options_{options},
        split_{checked(), batch.log_prob.size()},
        mask_{batch.mask},
        counts_(sequences()) {
    fill_work();
  }

  [[nodiscard]] token_report evaluate() {
    token_inspection seen = count();
    if (terms_.correction.drops_off_policy) {
      drop_off_policy();
      seen.counted = count().counted;
    }
    double live = 0, prompts = 0;
    std::vector<double> of_group;
    for (T const n : counts_) live += n > 0 ? 1 : 0;
    if (terms_.aggregation.mode == aggregation_mode::prompt_mean) {
      of_group.resize(groups());
      for_each_group_member(
          [&](std::size_t group, std::size_t s) { of_group[group] += static_cast<double>(counts_[s]); });
      for (double const n : of_group) prompts += n > 0 ? 1 : 0;
    }
    // A rank without a token has no ratio, either.
    std::array<double, 7> all{seen.counted,
                              live,
                              prompts,
                              static_cast<double>(batch_.log_prob.size()),
                              static_cast<double>(sequences()),
                              seen.skipped,
                              batch_.old_log_prob.empty() ? 0 : seen.counted};
    auto const selected = select();
    if (options_.all_reduce) add_up_ranks(options_.all_reduce, all);

    auto const mode = terms_.aggregation.mode;
    double const number = mode == aggregation_mode::token_mean    ? all[0]
                          : mode == aggregation_mode::token_sum   ? 1
                          : mode == aggregation_mode::prompt_mean ? all[2]
                                                                  : all[1];
    double const denominator = options_.denominator.value_or(number == 0 ? 1 : number);
    bool const divides = options_.reduction == reduction::mean;
    if (divides) check_denominator<T>(denominator);
    double const scale = 1 / (divides ? denominator : 1);
    if (mode == aggregation_mode::prompt_mean) {
      factors_.resize(sequences());
      for_each_group_member([&](std::size_t group, std::size_t s) {
        factors_[s] = of_group[group] == 0 ? T(0) : static_cast<T>(scale / of_group[group]);
      });
    } else if (mode == aggregation_mode::sequence_mean_of_means) {
      factors_.resize(sequences());
      for (std::size_t s = 0; s < sequences(); ++s) {
        factors_[s] = counts_[s] == 0 ? T(0) : static_cast<T>(scale / static_cast<double>(counts_[s]));
      }
    }
    work_.factors = factors_.empty() ? nullptr : factors_.data();
    bool const is_scaled = mode == aggregation_mode::sequence_mean_of_sums_scaled;
    double const factor = is_scaled ? scale / terms_.aggregation.horizon : scale;
    if (!(factor <= static_cast<double>(std::numeric_limits<T>::max()))) {
      fail_evaluate({"aggregation.horizon is ", text(terms_.aggregation.horizon),
                     ", by which nothing can be divided in the type of the batch"});
    }
    work_.settings.factor = static_cast<T>(factor);
    work_.counts = counts_.data();
    work_.selected = selected.empty() ? nullptr : selected.data();
    token_sums sums = run();
    // Nothing can fail from here on: the ranks meet.
    if (options_.all_reduce) add_up_ranks(options_.all_reduce, sums.of);
    return report_of(sums, all, options_.reduction == reduction::none ? denominator : 1, denominator);
  }

 private:
  [[nodiscard]] std::size_t sequences() const noexcept { return batch_.offsets.size() - 1; }
  [[nodiscard]] std::size_t groups() const noexcept { return batch_.group_offsets.size() - 1; }

  template <class Body>
  void for_each_group_member(Body const& body) const {
    for (std::size_t group = 0; group < groups(); ++group) {
      auto const end = static_cast<std::size_t>(batch_.group_offsets[group + 1]);
      for (auto s = static_cast<std::size_t>(batch_.group_offsets[group]); s < end; ++s) body(group, s);
    }
  }

  /// What the terms make the loss read.
  [[nodiscard]] loss_facts facts_of_terms() const noexcept {
    loss_facts facts = loss_.facts;
    facts.takes = facts.takes | columns::old_policy | columns::entropy;
    if (terms_.kl.estimator != kl_estimator::none) facts.needs = facts.needs | columns::reference;
    if (uses_ratio(terms_.kl.estimator)) facts.needs = facts.needs | columns::old_policy;
    if (terms_.correction.mode != correction_mode::none) {
      facts.needs = facts.needs | columns::rollout | columns::old_policy;
    }
    if (masks_off_policy(terms_.correction)) {
      facts.takes = facts.takes | columns::rollout;
      if (!batch_.rollout_log_prob.is_given()) facts.needs = facts.needs | columns::old_policy;
    }
    if (terms_.entropy_coefficient != 0) {
      facts.needs = facts.needs | columns::entropy;
      facts.writes = 1U << f::d_entropy;
    }
    return facts;
  }

  [[nodiscard]] column<std::int64_t> const& checked() const {
    std::size_t const tokens = batch_.log_prob.size();
    bool is_one_each = true;
    check_offsets("evaluate", batch_.offsets, tokens, [&](std::size_t, std::size_t size) { is_one_each &= size == 1; },
                  {"offsets", "sequence", "log_prob"});
    std::size_t const of_sequences = batch_.offsets.size() - 1;
    check_columns<f, T>(facts_of_terms(), batch_, outputs_, of_sequences, tokens, false);
    if (batch_.advantage.size() == tokens && tokens == of_sequences && !is_one_each) {
      fail_evaluate("advantage has " + elements(tokens) +
                    ", which are as many as tokens and as sequences, and not every sequence has one token: which it is "
                    "cannot be told");
    }
    if (terms_.aggregation.mode == aggregation_mode::prompt_mean && !batch_.group_offsets.is_given()) {
      fail_evaluate("prompt_mean needs group_offsets, which are not given");
    }
    if (batch_.group_offsets.is_given()) {
      check_offsets("evaluate", batch_.group_offsets, of_sequences, [](std::size_t, std::size_t) {},
                    {"group_offsets", "group", "the batch's number of sequences"});
    }
    return batch_.offsets;
  }

  void fill_work() noexcept {
    work_.surrogate = loss_.kernels.surrogate;
    work_.statistic = loss_.kernels.statistic;
    work_.slopes = loss_.kernels.slopes;
    work_.loss = loss_.loss;
    for (std::size_t c = 0; c < f::input_count; ++c) work_.in[c] = (batch_.*f::inputs<T>[c].values).memory();
    for (std::size_t c = 0; c < f::output_count; ++c) work_.out[c] = (outputs_.*f::results<T>[c].values).memory();
    work_.offsets = batch_.offsets.memory();
    auto const& facts = loss_.facts.surrogate;
    work_.takes_mean = facts.takes_mean;
    work_.takes_exp = facts.takes_exp;
    work_.takes_correction = facts.takes_correction;
    work_.decay = facts.decay;
    work_.estimator = static_cast<unsigned char>(terms_.kl.estimator);
    work_.correction = static_cast<unsigned char>(terms_.correction.mode);
    work_.settings.is_corrected = terms_.kl.is_corrected;
    work_.settings.accumulate = options_.gradient == gradient_write::accumulate;
    work_.needs_finite = options_.non_finite != on_invalid::propagate;
    work_.skip_non_finite = options_.non_finite == on_invalid::skip;
    work_.advantage_of_sequences = batch_.advantage.size() != batch_.log_prob.size();
    work_.settings.log_ratio_limit = static_cast<T>(terms_.log_ratio_limit);
    work_.settings.kl_coefficient = static_cast<T>(terms_.kl.coefficient);
    work_.kl_log_ratio_limit = static_cast<T>(terms_.kl.log_ratio_limit);
    work_.kl_value_limit = static_cast<T>(terms_.kl.value_limit);
    work_.settings.entropy_coefficient = static_cast<T>(terms_.entropy_coefficient);
    work_.correction_low = terms_.correction.low;
    work_.correction_high = terms_.correction.high;
    work_.off_policy_limit = terms_.correction.off_policy_limit;
  }

  /// Leaves the tokens out that the off-policy mask takes.
  void drop_off_policy() {
    auto const& sampler = batch_.rollout_log_prob.empty() ? batch_.old_log_prob : batch_.rollout_log_prob;
    kept_.resize(batch_.log_prob.size());
    for (std::size_t s = 0; s < sequences(); ++s) {
      auto const begin = static_cast<std::size_t>(batch_.offsets[s]),
                 end = static_cast<std::size_t>(batch_.offsets[s + 1]);
      double sum = 0, counted = 0;
      for (std::size_t i = begin; i < end; ++i) {
        kept_[i] = counts(i) ? T(1) : T(0);
        if (kept_[i] == 0) continue;
        sum += static_cast<double>(sampler[i] - batch_.log_prob[i]);
        counted += 1;
      }
      if (counted == 0 || !(sum / counted > terms_.correction.off_policy_limit)) continue;
      for (std::size_t i = begin; i < end; ++i) {
        if (batch_.advantage[work_.advantage_of_sequences ? s : i] < 0) kept_[i] = 0;
      }
    }
    mask_ = kept_;
    work_.in[f::mask] = mask_.memory();
    work_.off_policy_limit = std::numeric_limits<double>::infinity();
  }

  /// Whether the mask, and what the options leave out, let a token count.
  [[nodiscard]] bool counts(std::size_t token) const noexcept {
    return (mask_.empty() || mask_[token] != 0) && !(work_.skip_non_finite && !is_finite(token));
  }

  /// How many tokens count, of each sequence and in all; fails for what the options call an error.
  [[nodiscard]] token_inspection count() {
    constexpr token_inspection nothing{0, 0, no_example, no_example};
    std::array<token_inspection, most_parts> of_part;
    auto const count_part = [&](std::size_t part) noexcept {
      std::size_t const begin = split_.begin(part);
      of_part[part] = nothing;
      loss_.kernels.count(work_, begin, split_.begin(part + 1), counts_.data() + begin, of_part[part]);
    };
    options_.executor(split_.count(), executor::task{count_part});
    token_inspection seen = nothing;
    for (std::size_t part = 0; part < split_.count(); ++part) {
      seen.counted += of_part[part].counted;
      seen.skipped += of_part[part].skipped;
      seen.not_a_mask = std::min(seen.not_a_mask, of_part[part].not_a_mask);
      seen.non_finite = std::min(seen.non_finite, of_part[part].non_finite);
    }
    if (seen.not_a_mask != no_example) {
      fail_value("mask", seen.not_a_mask, static_cast<double>(batch_.mask[seen.not_a_mask]), "0 or 1");
    }
    if (options_.non_finite == on_invalid::error && seen.non_finite != no_example) fail_for_token(seen.non_finite);
    return seen;
  }

  [[noreturn]] PREFOPT_COLD void fail_for_token(std::size_t token) const {
    std::size_t const place = advantage_of(token);
    if (T const x = batch_.advantage[place]; !std::isfinite(x)) {
      fail_value("advantage", place, static_cast<double>(x), "a finite number");
    }
    fail_for_non_finite<f, T>(batch_, token, token + 1);
  }

  /// Where a token's advantage stands.
  [[nodiscard]] std::size_t advantage_of(std::size_t token) const noexcept {
    if (!work_.advantage_of_sequences) return token;
    std::size_t low = 0, high = sequences();
    while (high - low > 1) {
      std::size_t const middle = low + (high - low) / 2;
      (static_cast<std::size_t>(batch_.offsets[middle]) <= token ? low : high) = middle;
    }
    return low;
  }

  [[nodiscard]] std::vector<unsigned char> select() const {
    auto const& facts = loss_.facts.surrogate;
    if (facts.may_select == nullptr) return {};
    return select_tokens(loss_.loss, facts, batch_.log_prob.size(), [&](std::size_t i) -> read_token {
      T const log_prob = batch_.log_prob[i], advantage = batch_.advantage[advantage_of(i)],
              log_ratio = log_prob - batch_.old_log_prob[i];
      return {counts(i), static_cast<double>(log_prob), static_cast<double>(advantage), static_cast<double>(log_ratio)};
    });
  }

  [[nodiscard]] bool is_finite(std::size_t token) const noexcept {
    bool all = std::isfinite(batch_.advantage[advantage_of(token)]);
    for (auto const& row : f::inputs<T>) {
      auto const& column = batch_.*row.values;
      if (row.per == entries::of_items && !column.empty() && row.when != presence::optional) {
        all &= std::isfinite(column[token]);
      }
    }
    return all;
  }

  [[nodiscard]] token_sums run() const {
    std::array<token_sums, most_parts> of_part{};
    auto const run_part = [&](std::size_t part) noexcept {
      loss_.kernels.run(work_, split_.begin(part), split_.begin(part + 1), of_part[part]);
    };
    options_.executor(split_.count(), executor::task{run_part});
    token_sums total{};
    for (std::size_t part = 0; part < split_.count(); ++part) {
      for (std::size_t i = 0; i < token_sum_count; ++i) total.of[i] += of_part[part].of[i];
      total.largest_ratio = std::max(total.largest_ratio, of_part[part].largest_ratio);
    }
    return total;
  }

  [[nodiscard]] token_report report_of(token_sums const& sums, std::array<double, 7> const& all, double divisor,
                                       double denominator) const noexcept {
    double const counted = all[0] == 0 ? 1 : all[0];
    auto const mean = [&](token_sum which) { return sums.of[which] / counted; };
    bool const has_ratio = all[6] != 0;
    bool const is_corrected = terms_.correction.mode != correction_mode::none;
    double const squares = sums.of[correction_square_sum];
    double const effective = squares == 0 ? 0 : sums.of[correction_sum] * (sums.of[correction_sum] / squares);
    double const none = all[0] == 0 ? 0 : 1;
    return {.loss = sums.of[token_loss_sum] / divisor,
            .mean_ratio = has_ratio ? mean(ratio_sum) : none,
            .largest_ratio = has_ratio ? sums.largest_ratio : none,
            .clipped_low = mean(below_sum),
            .clipped_high = mean(above_sum),
            .old_kl = mean(squared_log_ratio_sum) / 2,
            .kl = mean(kl_sum),
            .entropy = mean(entropy_sum),
            .mean_correction = is_corrected ? mean(correction_sum) : none,
            .effective_sample_size = is_corrected ? effective : all[0],
            .masked_share = all[3] == 0 ? 0 : 1 - all[0] / all[3],
            .denominator = denominator,
            .count = static_cast<std::size_t>(all[0]),
            .skipped = static_cast<std::size_t>(all[5]),
            .non_finite = static_cast<std::size_t>(sums.of[token_non_finite_sum] + all[5]),
            .sequences = static_cast<std::size_t>(all[1]),
            .empty = static_cast<std::size_t>(all[4] - all[1])};
  }

  loss_ref<f, T> const& loss_;
  token_terms const& terms_;
  token_batch<T> const& batch_;
  token_outputs<T> const& outputs_;
  options const& options_;
  list_parts split_;
  column<T> mask_;  ///< the batch's, or what is kept of it
  std::vector<T> kept_, counts_, factors_;
  token_work<T> work_{};
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
