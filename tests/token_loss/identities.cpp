// What losses of tokens have to do with each other, and with themselves at special places.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

template <class T>
constexpr T close_to = 32 * std::numeric_limits<T>::epsilon();

template <class T>
bool is_near(T a, T b) {
  return std::fabs(a - b) <= close_to<T> * (1 + std::max(std::fabs(a), std::fabs(b)));
}

template <class T>
void check_near(std::vector<T> const& a, std::vector<T> const& b) {
  REQUIRE(a.size() == b.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < a.size(); ++i) wrong += is_near(a[i], b[i]) ? 0 : 1;
  CHECK(wrong == 0);
}

template <class T>
tokens<T> some_tokens(std::uint64_t seed, bool of_sequences = true, std::size_t groups = 6) {
  oracle::random_numbers random{seed};
  return random_tokens<T>(random, of_sequences, groups, 12);
}

/// One sequence of tokens that all count.
template <class T>
tokens<T> one_sequence(std::vector<T> log_prob, std::vector<T> old_log_prob, std::vector<T> advantage) {
  tokens<T> data;
  std::size_t const n = log_prob.size();
  data.ref_log_prob = data.rollout_log_prob = old_log_prob;
  data.log_prob = std::move(log_prob);
  data.old_log_prob = std::move(old_log_prob);
  data.advantage = std::move(advantage);
  data.mask.assign(n, T(1));
  data.entropy.assign(n, T(1));
  data.offsets = {0, static_cast<std::int64_t>(n)};
  data.group_offsets = {0, 1};
  return data;
}

any_token_loss summed(std::string const& name, parameter_values const& values = {}) {
  auto loss = made_token_loss(name, values);
  loss.aggregation.mode = aggregation_mode::token_sum;
  return loss;
}

}  // namespace

TEMPLATE_TEST_CASE("gspo_token has gspo's gradient where it should", "", float, double) {
  using T = TestType;
  auto const data = some_tokens<T>(71);
  for (parameter_values const& bounds : {parameter_values{}, {{"low", 0.1}, {"high", 0.2}}}) {
    auto whole = made_token_loss("gspo", bounds), token = made_token_loss("gspo_token", bounds);
    token.aggregation.mode = whole.aggregation.mode;
    CHECK(whole.aggregation.mode == aggregation_mode::sequence_mean_of_means);
    written<T> const a{whole, data}, b{token, data};
    check_near(a.d_log_prob, b.d_log_prob);
    CHECK(a.loss == b.loss);
  }
}

TEMPLATE_TEST_CASE("every surrogate at the old policy", "", float, double) {
  using T = TestType;
  auto data = some_tokens<T>(72, false);
  data.old_log_prob = data.log_prob;
  // A ratio of 1: S is -A and so is its slope, or what the log-prob makes of it.
  for (auto const& surrogate : every_surrogate()) {
    std::string const name = surrogate.surrogate.name();
    if (name == "clip_cov") continue;
    CAPTURE(name);
    auto loss = surrogate;
    loss.aggregation.mode = aggregation_mode::token_sum;
    written<T> const got{loss, data};
    bool const by_log_prob = name == "reinforce" || name == "cispo" || name == "cispo_around_one" || name == "topr" ||
                             name == "dro_token" || name == "dppo_tv" || name == "dppo_kl" || name == "vespo";
    std::size_t wrong = 0, wrong_slopes = 0;
    for (std::size_t s = 0; s < data.sequences(); ++s) {
      T mean = 0, n = 0;
      for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
        if (data.mask[t] == 0) continue;
        mean += data.advantage[t];
        n += 1;
      }
      for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
        if (data.mask[t] == 0) continue;
        T const a = data.advantage[t];
        // sapo: 4 / k sigma(0) is 2 / k; vespo's weight at W = 0 is exp(lambda - lambda) = 1.
        T value = by_log_prob ? -a * data.log_prob[t] : -a, slope = -a;
        if (name == "sapo") value = -2 * a / (a > 0 ? T(1) : T(1.05));
        if (name == "gspo" || name == "gmpo") slope = -mean / n;
        if (name == "sequence_clip") slope = -mean;
        wrong += is_near(got.loss[t], value) ? 0 : 1;
        wrong_slopes += is_near(got.d_log_prob[t], slope) || (name == "kl_cov") ? 0 : 1;
      }
    }
    CHECK(wrong == 0);
    CHECK(wrong_slopes == 0);
    if (name == "ppo_clip") {
      for (std::size_t t = 0; t < data.size(); ++t) {
        if (data.mask[t] != 0) CHECK((got.loss[t] == -data.advantage[t] && got.d_log_prob[t] == -data.advantage[t]));
      }
    }
    CHECK(got.seen.clipped_low + got.seen.clipped_high == 0);
    CHECK(got.seen.mean_ratio == 1);
    CHECK(got.seen.largest_ratio == 1);
    CHECK(got.seen.old_kl == 0);
  }
}

TEMPLATE_TEST_CASE("a sequence of one token: product, geometric mean and token are one", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{73};
  tokens<T> data;
  for (int i = 0; i < 300; ++i) data.add_sequence(1, random, 1, 0.8);
  data.end_group();
  for (auto const& [token, product, geometric] :
       {std::tuple{correction_mode::token_truncate, correction_mode::sequence_truncate,
                   correction_mode::geometric_truncate},
        std::tuple{correction_mode::token_mask, correction_mode::sequence_mask, correction_mode::geometric_mask}}) {
    auto loss = summed("reinforce");
    loss.correction = {.mode = token, .low = 0.8, .high = 1.25};
    written<T> const a{loss, data};
    loss.correction.mode = product;
    written<T> const b{loss, data};
    loss.correction.mode = geometric;
    written<T> const c{loss, data};
    check_near(a.loss, b.loss);
    CHECK(b.same_bits(0, data.size(), c, 0));
    CHECK(a.seen.effective_sample_size < 300);
  }
  // Likewise of the surrogates.
  parameter_values const bounds{{"low", 0.2}, {"high", 0.2}};
  written<T> const a{summed("ppo_clip", bounds), data}, b{summed("gspo", bounds), data},
      c{summed("sequence_clip", bounds), data}, d{summed("gspo_token", bounds), data};
  CHECK(a.same_bits(0, data.size(), b, 0));
  CHECK(a.same_bits(0, data.size(), c, 0));
  CHECK(a.same_bits(0, data.size(), d, 0));
  CHECK(oracle::same_bits(a.seen.clipped_high, c.seen.clipped_high));
  CHECK(a.seen.clipped_high > 0);
  CHECK(a.seen.clipped_low > 0);
}

TEMPLATE_TEST_CASE("a sampler that is the old policy corrects nothing", "", float, double) {
  using T = TestType;
  auto data = some_tokens<T>(74, false);
  data.rollout_log_prob = data.old_log_prob;
  for (auto const& surrogate : every_surrogate()) {
    CAPTURE(surrogate.surrogate.name());
    written<T> const plain{surrogate, data};
    for (int mode = 1; mode < 8; ++mode) {
      auto loss = surrogate;
      loss.correction = {.mode = static_cast<correction_mode>(mode), .low = 1, .high = 1};
      written<T> const got{loss, data};
      CAPTURE(name_of(loss.correction.mode));
      if (surrogate.surrogate.name() == "gmpo" || surrogate.surrogate.name() == "gspo" ||
          surrogate.surrogate.name() == "sequence_clip") {
        check_near(got.d_log_prob, plain.d_log_prob);
        CHECK(got.loss == plain.loss);
      } else {
        CHECK(got.same_bits(0, data.size(), plain, 0));
      }
      CHECK(got.seen.mean_correction == 1);
      CHECK(is_near(got.seen.effective_sample_size, static_cast<double>(got.seen.count)));
    }
  }
}

TEMPLATE_TEST_CASE("bounds are inside: of ratios and of corrections", "", float, double) {
  using T = TestType;
  T const half = std::log(T(2)), inf = infinity<T>;
  // A ratio of 1 at bounds of 1.
  auto const at_bound = one_sequence<T>({T(-1), T(-1)}, {T(-1), T(-1)}, {T(2), T(-3)});
  written<T> const exact{summed("ppo_clip", {{"low", 0}, {"high", 0}}), at_bound};
  CHECK(exact.loss == std::vector<T>{T(-2), T(3)});
  CHECK(exact.d_log_prob == std::vector<T>{T(-2), T(3)});
  CHECK(exact.seen.clipped_high + exact.seen.clipped_low == 0);
  // Beyond, on the side where the clipped value is the larger one, and on the other.
  auto const beyond = one_sequence<T>({half, half, -half, -half}, {0, 0, 0, 0}, {T(1), T(-1), T(1), T(-1)});
  written<T> const cut{summed("ppo_clip"), beyond};
  check_near(cut.loss, {T(-1.2), T(2), T(-0.5), T(0.8)});
  check_near(cut.d_log_prob, {T(0), T(2), T(-0.5), T(0)});
  CHECK(cut.seen.clipped_high == 0.25);
  CHECK(cut.seen.clipped_low == 0.25);
  // Dual clip: only A < 0.
  written<T> const dual{summed("ppo_clip", {{"dual", 1.5}}), beyond};
  check_near(dual.loss, {T(-1.2), T(1.5), T(-0.5), T(0.8)});
  check_near(dual.d_log_prob, {T(0), T(0), T(-0.5), T(0)});
  CHECK(dual.seen.clipped_high == 0.5);

  // Corrections of 1 at the bounds 1 and 1; of 2 just outside.
  auto sampled = one_sequence<T>({T(-1), T(-1)}, {T(-1), T(-1)}, {T(-1), T(-1)});
  sampled.rollout_log_prob = {T(-1), T(-1) - half};
  auto loss = summed("reinforce");
  loss.correction = {.mode = correction_mode::token_mask, .low = 1, .high = 1};
  CHECK(written<T>{loss, sampled}.loss == std::vector<T>{T(-1), T(0)});
  loss.correction.high = static_cast<double>(inf);
  check_near(written<T>{loss, sampled}.loss, {T(-1), T(-2)});
}

TEMPLATE_TEST_CASE("bounds of every surrogate that has them are inside", "", float, double) {
  using T = TestType;
  // Ratios of 1 at bounds of 1: nothing is clipped, and each slope is that of REINFORCE.
  for (auto const& [name, values] :
       std::vector<std::pair<char const*, parameter_values>>{{"ppo_clip", {{"low", 0}, {"high", 0}}},
                                                             {"ppo_clip", {{"low", 0}, {"high", 0}, {"dual", 1}}},
                                                             {"cispo", {{"low", 1}, {"high", 1}}},
                                                             {"cispo_around_one", {{"low", 0}, {"high", 0}}},
                                                             {"topr", {}},
                                                             {"gspo", {{"low", 0}, {"high", 0}}},
                                                             {"gspo_token", {{"low", 0}, {"high", 0}}},
                                                             {"gspo_token", {{"limit", 0}}},
                                                             {"sequence_clip", {{"low", 0}, {"high", 0}}},
                                                             {"gmpo", {{"low", 0}, {"high", 0}}},
                                                             {"dppo_tv", {{"low", 0}, {"high", 0}}},
                                                             {"dppo_kl", {{"low", 0}, {"high", 0}}},
                                                             {"masked_ratio", {{"low", 0}, {"high", 0}}},
                                                             {"fipo", {{"low", 0}, {"high", 0}}}}) {
    CAPTURE(name);
    for (T const advantage : {T(2), T(-3)}) {
      written<T> const got{summed(name, values), one_sequence<T>({T(-1)}, {T(-1)}, {advantage})};
      CHECK(got.seen.clipped_low == 0);
      CHECK(got.seen.clipped_high == 0);
      check_near(got.d_log_prob, {T(-advantage)});
    }
  }
  // The log-ratio of the sequence is the greatest that there is.
  auto const far = one_sequence<T>({T(-1)}, {T(-21)}, {T(1)});
  CHECK(written<T>{summed("vespo"), far}.seen.clipped_high == 0);
}

TEMPLATE_TEST_CASE("log-ratios are limited without a slope outside, by the log-prob with one", "", float, double) {
  using T = TestType;
  auto const data = one_sequence<T>({T(-1), T(-1), T(-4)}, {T(-1.25), T(-3), T(-1)}, {T(-1), T(-1), T(-1)});
  auto loss = summed("masked_ratio", {{"low", 1}, {"kl_tau", 0}});
  loss.log_ratio_limit = 0.25;
  T const e = std::exp(T(0.25));
  written<T> const by_ratio{loss, data};
  check_near(by_ratio.loss, {e, e, 1 / e});
  // At the limit it has one.
  check_near(by_ratio.d_log_prob, {e, T(0), T(0)});
  check_near<T>({static_cast<T>(by_ratio.seen.mean_ratio)},
                {static_cast<T>((2 * std::exp(0.25) + std::exp(-0.25)) / 3)});
  loss = summed("cispo");
  loss.log_ratio_limit = 0.25;
  check_near(written<T>{loss, data}.d_log_prob, {e, e, 1 / e});
}

TEMPLATE_TEST_CASE("estimators of the KL beside each other", "", float, double) {
  using T = TestType;
  auto data = some_tokens<T>(75, false);
  auto const with = [&](kl_estimator estimator) {
    auto loss = summed("reinforce");
    loss.kl = {.estimator = estimator, .coefficient = 1};
    auto none = data;
    std::fill(none.advantage.begin(), none.advantage.end(), T(0));
    return written<T>{loss, none};
  };
  check_near(with(kl_estimator::k1_straight).loss, with(kl_estimator::k1).loss);
  check_near(with(kl_estimator::k3_straight).loss, with(kl_estimator::k3).loss);
  CHECK(with(kl_estimator::k1_straight).d_log_prob == with(kl_estimator::k2).d_log_prob);
  CHECK(with(kl_estimator::k3_straight).d_log_prob == with(kl_estimator::k2).d_log_prob);
  for (auto const estimator : {kl_estimator::k2, kl_estimator::k3, kl_estimator::abs, kl_estimator::k3_corrected}) {
    auto const got = with(estimator);
    CHECK(std::all_of(got.loss.begin(), got.loss.end(), [](T x) { return x >= 0; }));
  }
  // At a ratio of 1 the corrected ones have the value of theirs, and k3 the slope of k2.
  data.old_log_prob = data.log_prob;
  CHECK(with(kl_estimator::k3_corrected).d_log_prob == with(kl_estimator::k2).d_log_prob);
  CHECK(with(kl_estimator::k3_corrected).loss == with(kl_estimator::k3).loss);
  CHECK(with(kl_estimator::k1_corrected).loss == with(kl_estimator::k1).loss);
  // At the reference there is none.
  data.ref_log_prob = data.log_prob;
  for (int i = 1; i < 10; ++i) {
    auto const got = with(static_cast<kl_estimator>(i));
    CHECK(std::all_of(got.loss.begin(), got.loss.end(), [](T x) { return x == 0; }));
    CHECK(got.seen.kl == 0);
  }
}

TEST_CASE("k1 and k3 are right on average: over all tokens of a distribution") {
  std::vector<double> const p{0.5, 0.3, 0.15, 0.05}, q{0.25, 0.25, 0.25, 0.25};
  double exact = 0;
  std::vector<double> l, r;
  for (std::size_t i = 0; i < 4; ++i) {
    exact += p[i] * std::log(p[i] / q[i]);
    l.push_back(std::log(p[i]));
    r.push_back(std::log(q[i]));
  }
  auto data = one_sequence<double>(l, l, {0, 0, 0, 0});
  data.ref_log_prob = r;
  for (auto const estimator : {kl_estimator::k1, kl_estimator::k3}) {
    auto loss = summed("reinforce");
    loss.kl = {.estimator = estimator, .coefficient = 1};
    written<double> const got{loss, data};
    double mean = 0;
    for (std::size_t i = 0; i < 4; ++i) mean += p[i] * got.loss[i];
    CHECK(std::fabs(mean - exact) < 1e-15);
  }
}

TEMPLATE_TEST_CASE("fipo's future reaches over blocks, and over what is masked", "", float, double) {
  using T = TestType;
  // One token far behind moves; all before it feel it, less and less.
  std::size_t const n = 1300, far = 1200;
  for (double const half_life : {32.0, 400.0, 1e6}) {
    std::vector<T> l(n, T(-1)), o(n, T(-1));
    l[far] = T(-0.5);
    auto data = one_sequence<T>(l, o, std::vector<T>(n, T(1)));
    for (std::size_t t = 3; t < n; t += 7) data.mask[t] = t == far ? T(1) : T(0);
    auto const loss =
        summed("fipo", {{"half_life", half_life}, {"weight_low", 0.001}, {"weight_high", 1000}, {"high", 100}});
    written<T> const got{loss, data};
    std::size_t wrong = 0;
    for (std::size_t t = 0; t < n; ++t) {
      if (data.mask[t] == 0) continue;
      long double const f =
          t > far ? 0 : 0.5L * std::exp2(-static_cast<long double>(far - t) / static_cast<long double>(half_life));
      long double const right = -std::exp(f) * (t == far ? std::exp(0.5L) : 1);
      // Of each step back, a rounding of the decay and one of the product.
      long double const rounding = close_to<T> + 2 * 1300 * std::numeric_limits<double>::epsilon();
      wrong += std::fabs(static_cast<long double>(got.loss[t]) - right) <= rounding * std::fabs(right) ? 0 : 1;
    }
    CAPTURE(half_life);
    CHECK(wrong == 0);
  }
  // Nothing of the next sequence is seen.
  auto two = one_sequence<T>({T(-1), T(-1), T(-1)}, {T(-1), T(-1), T(-2)}, {T(1), T(1), T(1)});
  two.offsets = {0, 2, 3};
  two.group_offsets = {0, 2};
  CHECK(written<T>{summed("fipo"), two}.loss[1] == T(-1));
  // A half life of next to nothing leaves each token its own.
  written<T> const own{summed("fipo", {{"half_life", 1e-4}, {"high", 9}, {"weight_high", 9}}),
                       one_sequence<T>({T(-1), T(-1)}, {T(-1), T(-2)}, {T(1), T(1)})};
  CHECK(own.loss[0] == T(-1));
}

TEMPLATE_TEST_CASE("surrogates that are others with other parameters", "", float, double) {
  using T = TestType;
  auto const data = some_tokens<T>(76, false, 10);
  auto const same = [&](any_token_loss const& a, any_token_loss const& b) {
    written<T> const of_a{a, data}, of_b{b, data};
    check_near(of_a.loss, of_b.loss);
    check_near(of_a.d_log_prob, of_b.d_log_prob);
    CHECK(is_near(of_a.seen.loss, of_b.seen.loss));
  };
  same(summed("cispo", {{"low", 0.8}, {"high", 1.28}}), summed("cispo_around_one", {{"low", 0.2}, {"high", 0.28}}));
  same(summed("cispo", {{"low", 1}, {"high", 1}}), summed("reinforce"));
  same(summed("dro_token", {{"beta", 0}}), summed("reinforce"));
  same(summed("vespo", {{"k_pos", 0}, {"lambda_pos", 0}, {"k_neg", 0}, {"lambda_neg", 0}}), summed("reinforce"));
  same(summed("fipo", {{"weight_low", 1}, {"weight_high", 1}}), summed("ppo_clip", {{"low", 0.2}, {"high", 0.28}}));
  same(summed("dppo_tv", {{"low", 1}, {"high", 1}}), summed("cispo", {{"low", 0}, {"high", 20}}));
  same(summed("dppo_kl", {{"low", 1e9}, {"high", 1e9}}), summed("cispo", {{"low", 0}, {"high", 20}}));
  same(summed("masked_ratio", {{"low", 1}, {"high", 1}, {"kl_tau", 0}}),
       summed("ppo_clip", {{"low", 1}, {"high", 1e9}}));
  same(summed("kl_cov", {{"coefficient", 0}}), summed("ppo_clip", {{"low", 1}, {"high", 1e9}}));
  same(summed("clip_cov", {{"lowest_covariance", 1e9}, {"highest_covariance", 1e9}}), summed("ppo_clip"));
  same(summed("gspo_token", {{"limit", 1e9}, {"low", 0.1}, {"high", 0.1}}),
       summed("gspo_token", {{"low", 0.1}, {"high", 0.1}}));
  same(summed("gmpo", {{"low", 1e9}, {"high", 1e9}}), summed("gspo", {{"low", 1}, {"high", 1e9}}));
}

TEMPLATE_TEST_CASE("aggregations beside each other", "", float, double) {
  using T = TestType;
  auto const data = some_tokens<T>(77, false, 8);
  auto const with = [&](aggregation_mode mode, double horizon = 1, options const& options = {}) {
    auto loss = made_token_loss("ppo_clip");
    loss.aggregation = {mode, horizon};
    return written<T>{loss, data, options};
  };
  auto const sum = with(aggregation_mode::token_sum);
  auto const n = static_cast<double>(sum.seen.count), live = static_cast<double>(sum.seen.sequences);
  REQUIRE(n > 20);
  auto const scaled = [&](written<T> const& by, double factor) {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
      wrong += is_near(by.d_log_prob[i], static_cast<T>(static_cast<double>(sum.d_log_prob[i]) * factor)) ? 0 : 1;
    }
    CHECK(wrong == 0);
    CHECK(std::fabs(by.seen.loss - sum.seen.loss * factor) <= close_to<T> * (1 + std::fabs(sum.seen.loss)));
    CHECK(by.loss == sum.loss);
  };
  scaled(with(aggregation_mode::token_mean), 1 / n);
  scaled(with(aggregation_mode::sequence_mean_of_sums), 1 / live);
  scaled(with(aggregation_mode::length_weighted_sequence_mean), 1 / live);
  scaled(with(aggregation_mode::sequence_mean_of_sums_scaled, 40), 1 / (40 * live));
  scaled(with(aggregation_mode::token_mean, 1, {.reduction = reduction::sum}), 1);
  scaled(with(aggregation_mode::token_mean, 1, {.denominator = 5.0}), 0.2);
  CHECK(with(aggregation_mode::token_mean, 1, {.denominator = 5.0}).seen.denominator == 5);
  CHECK(sum.seen.denominator == 1);
  // Under `none` gradients are each one's own, and the report is of the mean.
  auto const none = with(aggregation_mode::token_mean, 1, {.reduction = reduction::none});
  CHECK(none.d_log_prob == sum.d_log_prob);
  CHECK(is_near(none.seen.loss, sum.seen.loss / n));
}

TEMPLATE_TEST_CASE("presets are the compositions that their names stand for", "", float, double) {
  using T = TestType;
  auto data = some_tokens<T>(78, true, 8);
  struct row {
    char const* name;
    parameter_values values;
    any_token_loss composed;
    advantage_mode advantages;
  };
  auto const composed = [](char const* surrogate, parameter_values const& values, aggregation_mode mode,
                           double horizon = 1) {
    auto loss = made_token_loss(surrogate, values);
    loss.aggregation = {mode, horizon};
    return loss;
  };
  auto grpo = composed("ppo_clip", {}, aggregation_mode::sequence_mean_of_means);
  auto const grpo_of_trl = grpo;
  grpo.kl = {.estimator = kl_estimator::k3, .coefficient = 0.04};
  for (row const& of : std::vector<row>{
           {"grpo", {}, grpo, advantage_mode::group_std},
           {"grpo", {{"kl_coefficient", 0}}, grpo_of_trl, advantage_mode::group_std},
           {"dr_grpo",
            {{"horizon", 50}},
            composed("ppo_clip", {}, aggregation_mode::sequence_mean_of_sums_scaled, 50),
            advantage_mode::centered},
           {"dapo",
            {},
            composed("ppo_clip", {{"high", 0.28}}, aggregation_mode::token_mean),
            advantage_mode::group_std},
           {"dapo",
            {{"low", 0.01}, {"high", 0.02}},
            composed("ppo_clip", {{"low", 0.01}, {"high", 0.02}}, aggregation_mode::token_mean),
            advantage_mode::group_std},
           {"grpo",
            {{"low", 0.01}, {"high", 0.02}, {"kl_coefficient", 0}},
            composed("ppo_clip", {{"low", 0.01}, {"high", 0.02}}, aggregation_mode::sequence_mean_of_means),
            advantage_mode::group_std},
           {"dr_grpo",
            {{"low", 0.01}, {"high", 0.02}, {"horizon", 30}},
            composed("ppo_clip", {{"low", 0.01}, {"high", 0.02}}, aggregation_mode::sequence_mean_of_sums_scaled, 30),
            advantage_mode::centered},
           {"gspo",
            {},
            composed("gspo", {{"low", 3e-4}, {"high", 4e-4}}, aggregation_mode::sequence_mean_of_means),
            advantage_mode::group_std},
           {"gspo",
            {{"low", 0.01}, {"high", 0.02}},
            composed("gspo", {{"low", 0.01}, {"high", 0.02}}, aggregation_mode::sequence_mean_of_means),
            advantage_mode::group_std},
           {"cispo",
            {{"low", 0.9}, {"high", 1.1}},
            composed("cispo", {{"low", 0.9}, {"high", 1.1}}, aggregation_mode::token_mean),
            advantage_mode::group_std},
           {"reinforce_pp",
            {{"low", 0.01}, {"high", 0.02}},
            composed("ppo_clip", {{"low", 0.01}, {"high", 0.02}}, aggregation_mode::token_mean),
            advantage_mode::centered},
           {"ppo",
            {{"low", 0.01}, {"high", 0.02}, {"dual", 1.5}},
            composed("ppo_clip", {{"low", 0.01}, {"high", 0.02}, {"dual", 1.5}}, aggregation_mode::token_mean),
            advantage_mode::centered},
           {"cispo", {}, composed("cispo", {{"high", 5}}, aggregation_mode::token_mean), advantage_mode::group_std},
           {"rloo",
            {},
            composed("reinforce", {}, aggregation_mode::sequence_mean_of_sums),
            advantage_mode::leave_one_out},
           {"reinforce_pp", {}, composed("ppo_clip", {}, aggregation_mode::token_mean), advantage_mode::centered},
           {"ppo",
            {{"dual", 3}},
            composed("ppo_clip", {{"dual", 3}}, aggregation_mode::token_mean),
            advantage_mode::centered}}) {
    CAPTURE(of.name);
    auto const preset = made_token_loss(of.name, of.values);
    CHECK(preset.kl.coefficient == of.composed.kl.coefficient);
    CHECK(advantages_of_preset(of.name) == of.advantages);
    written<T> const a{preset, data}, b{of.composed, data};
    CHECK(a.same_bits(0, data.size(), b, 0));
    CHECK(oracle::same_bits(a.seen.loss, b.seen.loss));
  }
  CHECK(preset_names().size() == 8);
}

TEMPLATE_TEST_CASE("a preset by its type is the one by its name", "", float, double) {
  using T = TestType;
  auto const data = some_tokens<T>(79);
  auto const like = made_token_loss("dr_grpo", {{"horizon", 30}});
  written<T> const by_name{like, data};
  written<T> by_type{data.size()};
  auto const seen =
      evaluate(dr_grpo{.horizon = 30}, data.batch(like), {.loss = by_type.loss, .d_log_prob = by_type.d_log_prob});
  CHECK(by_type.same_bits(0, data.size(), by_name, 0));
  CHECK(oracle::same_bits(seen.loss, by_name.seen.loss));
}

TEMPLATE_TEST_CASE("the off-policy mask takes bad tokens of sequences that have gone far, and no other", "", float,
                   double) {
  using T = TestType;
  // Means of rollout - log_prob: 1 and 0.
  tokens<T> data =
      one_sequence<T>({T(-3), T(-2), T(-1), T(-1)}, {T(-2), T(-1), T(-1), T(-1)}, {T(-1), T(1), T(-1), T(1)});
  data.offsets = {0, 2, 4};
  data.group_offsets = {0, 2};
  data.ref_log_prob.assign(4, T(-1));
  for (auto const& surrogate : every_surrogate()) {
    CAPTURE(surrogate.surrogate.name());
    auto loss = surrogate;
    loss.aggregation.mode = aggregation_mode::token_sum;
    written<T> const all{loss, data};
    for (bool const gives_rollout : {false, true}) {
      data.gives_rollout = gives_rollout;
      loss.correction.off_policy_limit = 0.5;
      written<T> const masked{loss, data};
      CHECK(masked.loss[0] == 0);
      bool const sums = surrogate.surrogate.name() == "gspo" || surrogate.surrogate.name() == "gmpo" ||
                        surrogate.surrogate.name() == "sequence_clip";
      // Of a ratio of the whole sequence the other tokens' part is left.
      if (!sums) CHECK(masked.d_log_prob[0] == 0);
      CHECK(masked.same_bits(2, 2, all, 2));
      CHECK(oracle::same_bits(masked.loss[1], all.loss[1]));
      CHECK(masked.seen.denominator == all.seen.denominator);
      // At the limit nothing is masked.
      loss.correction.off_policy_limit = 1;
      CHECK(written<T>{loss, data}.same_bits(0, 4, all, 0));
    }
    // The KL stays.
    loss.correction.off_policy_limit = 0.5;
    loss.kl = {.estimator = kl_estimator::k1, .coefficient = 1};
    CHECK(written<T>{loss, data}.loss[0] == T(-2));
  }
}

TEMPLATE_TEST_CASE("a ratio that is limited before it is clipped is ppo_clip with other bounds", "", float, double) {
  using T = TestType;
  auto const data = some_tokens<T>(96, false);
  for (double const delta : {1.0, 1.05, 1.2, 1.3, 2.0}) {
    bool const is_within = delta < 1.2;
    auto const loss =
        summed("ppo_clip", {{"high", is_within ? delta - 1 : 0.2}, {"dual", is_within ? 1.2 : delta}, {"low", 0.2}});
    written<T> const got{loss, data};
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (data.mask[i] == 0) continue;
      // -min(min(r, delta) A, clip(r) A), and the slope of the one that is taken.
      double const a = static_cast<double>(data.advantage[i]),
                   r = std::exp(static_cast<double>(data.log_prob[i]) - static_cast<double>(data.old_log_prob[i])),
                   limited = std::min(r, delta) * a, clipped = std::min(std::max(r, 0.8), 1.2) * a;
      bool const is_limited = limited < clipped,
                 moves = is_limited ? r < delta : (r > 0.8 && r < 1.2) || limited == clipped;
      CHECK(is_near(got.loss[i], static_cast<T>(-std::min(limited, clipped))));
      CHECK(is_near(got.d_log_prob[i], static_cast<T>(moves && r <= std::max(delta, 1.2) ? -r * a : 0)));
    }
  }
}

TEMPLATE_TEST_CASE("corrections by their mean are advantages by it", "", float, double) {
  using T = TestType;
  auto data = some_tokens<T>(98, false);
  for (auto const name : {"reinforce", "ppo_clip", "cispo", "gspo", "sapo"}) {
    auto loss = summed(name);
    loss.correction = {.mode = correction_mode::token_truncate, .high = 2};
    written<T> const plain{loss, data};
    double const mean = plain.seen.mean_correction;
    CHECK(mean != 1);
    auto scaled = data;
    for (T& a : scaled.advantage) a = static_cast<T>(a / mean);
    written<T> const got{loss, scaled};
    auto expected = plain.loss, slopes = plain.d_log_prob;
    for (std::size_t i = 0; i < data.size(); ++i) {
      expected[i] = static_cast<T>(expected[i] / mean);
      slopes[i] = static_cast<T>(slopes[i] / mean);
    }
    check_near(got.loss, expected);
    check_near(got.d_log_prob, slopes);
  }
}

TEMPLATE_TEST_CASE("without an old policy the ratio is 1", "", float, double) {
  using T = TestType;
  auto const data = some_tokens<T>(79, false);
  auto const loss = summed("reinforce");
  written<T> const with_old{loss, data};
  auto batch = data.batch(loss);
  batch.old_log_prob = {};
  batch.entropy = {};
  written<T> got{data.size()};
  got.seen = evaluate(loss, batch, got.outputs(loss));
  CHECK(got.same_bits(0, data.size(), with_old, 0));
  CHECK(got.seen.mean_ratio == 1);
  CHECK(got.seen.largest_ratio == 1);
  CHECK(got.seen.old_kl == 0);
  CHECK(got.seen.entropy == 0);
  CHECK(with_old.seen.mean_ratio != 1);
  CHECK(with_old.seen.entropy > 0);
}
