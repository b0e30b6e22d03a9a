// Log-ratios of 1e4 and without end, advantages of 0 beside them, and numbers that are none.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

/// One token more in a sequence of three.
template <class T>
tokens<T> with_token(T log_prob, T old_log_prob, T ref_log_prob, T rollout_log_prob, T advantage) {
  tokens<T> data;
  data.log_prob = {T(-1), log_prob, T(-2)};
  data.old_log_prob = {T(-1), old_log_prob, T(-2)};
  data.ref_log_prob = {T(-1), ref_log_prob, T(-2)};
  data.rollout_log_prob = {T(-1), rollout_log_prob, T(-2)};
  data.entropy = {T(1), T(1), T(1)};
  data.advantage = {advantage, advantage, advantage};
  data.mask = {T(1), T(1), T(1)};
  data.offsets = {0, 3};
  data.group_offsets = {0, 1};
  return data;
}

template <class T>
bool has_nan(std::vector<T> const& xs) {
  for (T const x : xs) {
    if (std::isnan(x)) return true;
  }
  return false;
}

/// A loss's surrogate with the parameters that leave nothing of a term.
std::vector<any_token_loss> surrogates_at_their_ends() {
  auto all = every_surrogate();
  all.push_back(made_token_loss("dro_token", {{"beta", 0}}));
  all.push_back(made_token_loss("masked_ratio", {{"kl_tau", 0}}));
  all.push_back(made_token_loss("kl_cov", {{"coefficient", 0}, {"share", 1}}));
  all.push_back(made_token_loss("kl_cov", {{"share", 1}}));
  all.push_back(made_token_loss("ppo_clip", {{"dual", 3}}));
  all.push_back(made_token_loss("fipo", {{"dual", 3}}));
  all.push_back(made_token_loss("fipo", {{"half_life", 1e-4}}));
  all.push_back(made_token_loss("gspo_token", {{"limit", 10}}));
  all.push_back(made_token_loss("cispo", {{"low", 0}, {"high", 0}}));
  all.push_back(made_token_loss("vespo", {{"k_pos", 0}, {"lambda_pos", 0}, {"k_neg", 0}, {"lambda_neg", 0}}));
  return all;
}

template <class T>
struct place {
  T log_prob, old_log_prob;
};
template <class T>
std::vector<place<T>> far_places() {
  return {{T(-10001), T(-1)},    {T(-1), T(-10001)},   {-infinity<T>, T(-1)},
          {T(-1), -infinity<T>}, {T(0), -infinity<T>}, {-infinity<T>, T(0)}};
}

}  // namespace

TEMPLATE_TEST_CASE("far and infinite log-ratios give no NaN", "", float, double) {
  using T = TestType;
  for (auto const& surrogate : surrogates_at_their_ends()) {
    for (auto const& [l, o] : far_places<T>()) {
      for (T const advantage : {T(-1.5), T(0), T(2)}) {
        for (auto const limit : {infinity<double>, 20.0}) {
          auto loss = surrogate;
          loss.log_ratio_limit = limit;
          INFO(description(loss) << " l=" << l << " o=" << o << " A=" << advantage);
          auto const data = with_token<T>(l, o, T(-1), o, advantage);
          written<T> const got{loss, data};
          CHECK(!has_nan(got.loss));
          CHECK(!has_nan(got.d_log_prob));
          CHECK(!std::isnan(got.seen.loss));
          CHECK(got.seen.non_finite == (std::isinf(l) || std::isinf(o) ? 1 : 0));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("an advantage of 0 leaves nothing of a surrogate, whatever the ratio and the correction", "", float,
                   double) {
  using T = TestType;
  for (auto const& surrogate : every_surrogate()) {
    std::string const name = surrogate.surrogate.name();
    // Their squares and penalties stay.
    if (name == "dro_token" || name == "masked_ratio" || name == "kl_cov") continue;
    for (auto const& [l, o] : far_places<T>()) {
      for (auto const mode : {correction_mode::none, correction_mode::token_truncate,
                              correction_mode::sequence_truncate, correction_mode::geometric_mask_token}) {
        for (T const rollout : {o, T(-1), T(-10001), -infinity<T>}) {
          if (std::isinf(o) && std::isinf(rollout)) continue;
          auto loss = surrogate;
          loss.correction = {.mode = mode, .low = 0, .high = infinity<double>};
          INFO(description(loss) << " l=" << l << " o=" << o << " b=" << rollout);
          written<T> const got{loss, with_token<T>(l, o, T(-1), rollout, T(0))};
          for (std::size_t i = 0; i < 3; ++i) {
            CHECK(got.loss[i] == 0);
            CHECK(got.d_log_prob[i] == 0);
          }
          CHECK(got.seen.loss == 0);
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("surrogates at the ends have the limits of their formulas", "", float, double) {
  using T = TestType;
  T const inf = infinity<T>;
  struct row {
    char const* name;
    parameter_values values;
    T log_prob, old_log_prob, advantage, loss, slope;
  };
  double const k = 1.05;
  for (row const& of : std::vector<row>{{"reinforce", {}, -inf, T(-1), T(2), inf, T(-2)},
                                        {"reinforce", {}, -inf, T(-1), T(-2), -inf, T(2)},
                                        {"ppo_clip", {}, T(-1), -inf, T(2), T(-2.4), T(0)},
                                        {"ppo_clip", {}, T(-1), -inf, T(-2), inf, inf},
                                        {"ppo_clip", {{"dual", 3}}, T(-1), -inf, T(-2), T(6), T(0)},
                                        {"ppo_clip", {}, -inf, T(-1), T(2), T(0), T(0)},
                                        {"ppo_clip", {}, -inf, T(-1), T(-2), T(1.6), T(0)},
                                        {"cispo", {}, T(-1), -inf, T(2), T(10), T(-10)},
                                        {"cispo", {}, -inf, T(-1), T(2), T(0), T(0)},
                                        {"cispo_around_one", {}, T(-1), T(-10001), T(2), T(2.4), T(-2.4)},
                                        {"topr", {}, -inf, T(-1), T(-2), T(0), T(0)},
                                        {"topr", {}, T(-1), -inf, T(-2), T(-2), T(2)},
                                        {"sapo", {}, T(-1), -inf, T(2), T(-8), T(0)},
                                        {"sapo", {}, T(-1), -inf, T(-2), static_cast<T>(8 / k), T(0)},
                                        {"gspo", {}, -inf, T(-1), T(2), T(0), T(0)},
                                        {"gspo", {}, T(-1), -inf, T(2), static_cast<T>(-2 * (1 + 4e-4)), T(0)},
                                        {"gspo_token",
                                         {{"limit", 10}, {"low", 0}, {"high", 0}},
                                         T(-1),
                                         -inf,
                                         T(-2),
                                         static_cast<T>(2 * std::exp(10.0)),
                                         T(0)},
                                        {"sequence_clip", {}, -inf, T(-1), T(-2), T(1.6), T(0)},
                                        {"gmpo", {}, -inf, T(-1), T(2), T(0), T(0)},
                                        // The other two tokens are at 0.
                                        {"gmpo", {}, T(-1), -inf, T(2), static_cast<T>(-2 * std::exp(0.4 / 3)), T(0)},
                                        {"vespo", {}, T(-1), -inf, T(2), T(0), T(0)},
                                        {"dro_token", {}, -inf, T(-1), T(2), inf, -inf},
                                        {"dro_token", {}, -inf, T(-1), T(-2), inf, -inf},
                                        {"dro_token", {{"beta", 0}}, T(-1), -inf, T(2), T(2), T(-2)},
                                        {"dppo_tv", {}, T(-3), -inf, T(2), T(120), T(-40)},
                                        {"dppo_tv", {}, T(-1), -inf, T(2), T(0), T(0)},
                                        {"dppo_kl", {}, T(-1), -inf, T(-2), T(-40), T(40)},
                                        {"dppo_kl", {}, -inf, T(-1), T(-2), T(0), T(0)},
                                        {"masked_ratio", {}, T(-3), -inf, T(2), -inf, -inf},
                                        {"masked_ratio", {}, T(-3), -inf, T(-2), inf, inf},
                                        {"masked_ratio", {{"kl_tau", 0}}, -inf, T(-3), T(2), T(0), T(0)},
                                        {"kl_cov", {{"share", 1}}, T(-1), -inf, T(2), -inf, -inf},
                                        {"fipo", {}, T(-1), -inf, T(2), static_cast<T>(-2 * 1.28 * 1.2), T(0)}}) {
    CAPTURE(of.name, of.log_prob, of.old_log_prob, of.advantage);
    auto loss = made_token_loss(of.name, of.values);
    loss.aggregation.mode = aggregation_mode::token_sum;
    written<T> const got{loss, with_token<T>(of.log_prob, of.old_log_prob, T(-1), T(-1), of.advantage)};
    auto const check = [&](T x, T right) {
      INFO("got " << x << ", expected " << right);
      CHECK((x == right || std::fabs(x - right) <= 8 * std::numeric_limits<T>::epsilon() * std::fabs(right)));
    };
    check(got.loss[1], of.loss);
    check(got.d_log_prob[1], of.slope);
  }
}

TEMPLATE_TEST_CASE("every estimator of the KL has the limits of its formula", "", float, double) {
  using T = TestType;
  T const inf = infinity<T>;
  struct row {
    kl_estimator estimator;
    T log_prob, old_log_prob, ref_log_prob, value, slope;
  };
  for (row const& of :
       std::vector<row>{{kl_estimator::k1, T(-1), T(-1), -inf, inf, T(1)},
                        {kl_estimator::k1, -inf, T(-1), T(-1), -inf, T(1)},
                        {kl_estimator::k2, T(-1), T(-1), -inf, inf, inf},
                        {kl_estimator::k2, -inf, T(-1), T(-1), inf, -inf},
                        {kl_estimator::k3, T(-1), T(-1), -inf, inf, T(1)},
                        {kl_estimator::k3, -inf, T(-1), T(-1), inf, -inf},
                        {kl_estimator::k3, T(-1), T(-1), T(-10001), T(9999), T(1)},
                        {kl_estimator::abs, -inf, T(-1), T(-1), inf, T(-1)},
                        {kl_estimator::abs, T(-1), T(-1), T(-1), T(0), T(0)},
                        {kl_estimator::k1_straight, -inf, T(-1), T(-1), -inf, -inf},
                        {kl_estimator::k3_straight, T(-1), T(-1), -inf, inf, inf},
                        {kl_estimator::sdar, -inf, T(-1), T(-1), inf, T(-1)},
                        {kl_estimator::sdar, T(-1), T(-1), -inf, T(0), T(0)},
                        {kl_estimator::sdar, T(-10001), T(-1), T(-1), T(10000), T(-1)},
                        {kl_estimator::k1_corrected, -inf, T(-1), T(-1), T(0), T(0)},
                        {kl_estimator::k1_corrected, T(-1), -inf, T(-2), inf, inf},
                        {kl_estimator::k3_corrected, T(-1), T(-1), -inf, inf, inf},
                        // e^(l - o) (e^(r - l) - 1 + l - r) goes to e^(r - o).
                        {kl_estimator::k3_corrected, -inf, T(-1), T(-3), static_cast<T>(std::exp(-2.0)), T(0)},
                        {kl_estimator::k3_corrected, T(-10001), T(-3), T(-1), static_cast<T>(std::exp(2.0)), T(0)},
                        {kl_estimator::k3_corrected, sizeof(T) == 4 ? T(-90) : T(-710), T(-5), T(-1),
                         static_cast<T>(std::exp(4.0)), T(0)}}) {
    CAPTURE(name_of(of.estimator), of.log_prob, of.old_log_prob, of.ref_log_prob);
    auto loss = made_token_loss("reinforce");
    loss.kl = {.estimator = of.estimator, .coefficient = 1};
    loss.aggregation.mode = aggregation_mode::token_sum;
    written<T> const got{loss, with_token<T>(of.log_prob, of.old_log_prob, of.ref_log_prob, T(-1), T(0))};
    auto const check = [&](T x, T right) {
      INFO("got " << x << ", expected " << right);
      CHECK((x == right || std::fabs(x - right) <= 1e-30 + 16 * std::numeric_limits<T>::epsilon() * std::fabs(right)));
    };
    check(got.loss[1], of.value);
    check(got.d_log_prob[1], of.slope);
  }
}

TEMPLATE_TEST_CASE("limits of log-ratios do not come between the factors of k3_corrected", "", float, double) {
  using T = TestType;
  double const inf = std::numeric_limits<double>::infinity();
  // Far beyond where e^-d is a number of the type, with what is left of it by the ratio.
  double const far = sizeof(T) == 4 ? 120 : 800;
  struct row {
    double log_prob, old_log_prob, ref_log_prob, ratio_limit, kl_limit, value, slope;
  };
  // Of r (e^-d - 1 + d), r = e^(log_prob - old), d = log_prob - ref: by the ratio r d, else -r (e^-d - 1).
  for (row const& of :
       std::vector<row>{{-far, -3, -1, 2 * far, inf, std::exp(2.0), 0},
                        {-far, -3, -1, inf, 2 * far, std::exp(2.0), 0},
                        {-far, -3, -1, inf, far - 5, std::exp(-far + 3 + far - 5), 0},
                        {-far, -3, -1, far - 4, inf, std::exp(-(far - 4) + far - 1), -std::exp(-(far - 4) + far - 1)},
                        {-far, -3, -1, far - 4, far - 5, std::exp(-1.0), 0},
                        {-far, -3, -1, far - 3.5, 2 * far, std::exp(2.5), -std::exp(2.5)}}) {
    CAPTURE(of.ratio_limit, of.kl_limit);
    auto loss = made_token_loss("reinforce");
    loss.log_ratio_limit = of.ratio_limit;
    loss.kl = {.estimator = kl_estimator::k3_corrected, .coefficient = 1, .log_ratio_limit = of.kl_limit};
    loss.aggregation.mode = aggregation_mode::token_sum;
    written<T> const got{loss, with_token<T>(static_cast<T>(of.log_prob), static_cast<T>(of.old_log_prob),
                                             static_cast<T>(of.ref_log_prob), T(-1), T(0))};
    auto const check = [&](T x, double right) {
      INFO("got " << x << ", expected " << right);
      CHECK(std::fabs(x - right) <= 1e-30 + 16 * std::numeric_limits<T>::epsilon() * std::fabs(right));
    };
    check(got.loss[1], of.value);
    check(got.d_log_prob[1], of.slope);
  }
}

TEMPLATE_TEST_CASE("a number that is none stays in its token, or in its sequence", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{11};
  for (std::size_t round = 0; round < 500; ++round) {
    auto const loss = random_loss(random);
    std::string const name = loss.surrogate.name();
    bool const selects = name == "clip_cov" || name == "kl_cov";
    INFO(description(loss));
    auto const clean = random_tokens<T>(random, false);
    if (clean.size() == 0) continue;
    std::size_t const bad = random.bits() % clean.size(), own = clean.sequence_of(bad);
    if (clean.mask[bad] == 0) continue;
    for (std::size_t c = 0; c < 6; ++c) {
      for (T const value : {not_a_number<T>, infinity<T>, -infinity<T>}) {
        auto data = clean;
        std::vector<T>* const columns[]{&data.log_prob,         &data.old_log_prob, &data.ref_log_prob,
                                        &data.rollout_log_prob, &data.advantage,    &data.entropy};
        (*columns[c])[bad] = value;
        bool const is_read = (c != 2 || reads_reference(loss)) && (c != 3 || reads_rollout(loss));
        written<T> const expected{loss, clean}, got{loss, data};
        std::size_t const begin = clean.begin(own), end = clean.end(own);
        CAPTURE(c, value, bad, begin, end);
        bool const sums = name == "gspo" || name == "gspo_token" || name == "sequence_clip" || name == "gmpo" ||
                          name == "vespo" || name == "fipo" ||
                          loss.correction.mode >= correction_mode::sequence_truncate ||
                          std::isfinite(loss.correction.off_policy_limit);
        if (!selects) {
          CHECK(got.same_bits(0, begin, expected, 0));
          CHECK(got.same_bits(end, clean.size() - end, expected, end));
        }
        if (!sums && !selects) {
          CHECK(got.same_bits(begin, bad - begin, expected, begin));
          CHECK(got.same_bits(bad + 1, end - bad - 1, expected, bad + 1));
        }
        for (std::size_t i = 0; i < clean.size(); ++i) {
          if (i >= begin && i < end) continue;
          CHECK(!std::isnan(got.loss[i]));
          CHECK(!std::isnan(got.d_log_prob[i]));
        }
        CHECK(got.seen.non_finite == (is_read ? 1 : 0));
        if (c == 0 && std::isnan(value) && name == "reinforce" && clean.advantage[bad] != 0 &&
            loss.correction.mode == correction_mode::none && !std::isfinite(loss.correction.off_policy_limit)) {
          CHECK(std::isnan(got.loss[bad]));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("tokens that are not finite are skipped as if they were masked, or refused", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{12};
  char const* const names[]{"log_prob", "old_log_prob", "ref_log_prob", "rollout_log_prob", "advantage", "entropy"};
  for (std::size_t round = 0; round < 500; ++round) {
    auto loss = random_loss(random);
    INFO(description(loss));
    auto const clean = random_tokens<T>(random, random.chance(0.3));
    if (clean.size() == 0) continue;
    auto data = clean, masked = clean;
    std::size_t const c = random.bits() % 6;
    T const value = std::vector<T>{not_a_number<T>, infinity<T>, -infinity<T>}[random.bits() % 3];
    bool const is_read = (c != 2 || reads_reference(loss)) && (c != 3 || reads_rollout(loss));
    std::vector<T>* const columns[]{&data.log_prob,         &data.old_log_prob, &data.ref_log_prob,
                                    &data.rollout_log_prob, &data.advantage,    &data.entropy};
    std::size_t const bad = random.bits() % columns[c]->size();
    (*columns[c])[bad] = value;
    std::size_t skipped = 0;
    bool const of_sequence = c == 4 && data.is_advantage_of_sequences;
    for (std::size_t i = of_sequence ? data.begin(bad) : bad; is_read && i < (of_sequence ? data.end(bad) : bad + 1);
         ++i) {
      skipped += masked.mask[i] != 0 ? 1 : 0;
      masked.mask[i] = 0;
    }
    CAPTURE(names[c], bad, value, skipped);
    written<T> const expected{loss, masked}, got{loss, data, {.non_finite = on_invalid::skip}};
    CHECK(got.same_bits(0, data.size(), expected, 0));
    CHECK(got.seen.skipped == skipped);
    CHECK(got.seen.non_finite == skipped);
    CHECK(got.seen.count == expected.seen.count);
    CHECK(oracle::same_bits(got.seen.loss, expected.seen.loss));
    CHECK(got.seen.masked_share == expected.seen.masked_share);

    written<T> refused{data.size()};
    auto const told =
        refusal([&] { evaluate(loss, data.batch(loss), refused.outputs(loss), {.non_finite = on_invalid::error}); });
    if (skipped == 0) {
      CHECK(told == "no error");
    } else {
      CHECK(told == "prefopt::evaluate: " + std::string{names[c]} + "[" + std::to_string(bad) + "] is " +
                        (std::isnan(value) ? "nan"
                         : value > 0       ? "inf"
                                           : "-inf") +
                        ", expected a finite number");
      CHECK(refused.same_bits(0, data.size(), written<T>{data.size()}, 0));
    }
  }
}
