// A loss from token log-probs to the gradient of every token.
#include <Eigen/Core>
#include <catch.hpp>
#include <cmath>
#include <limits>
#include <prefopt/adapter/eigen.hpp>
#include <prefopt/prefopt.hpp>
#include <random>
#include <refusal.hpp>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

using matrix_of = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Eigen::Index pairs_ = 9, pair_width = 20;

/// Nine pairs; masked places hold NaN.
struct completions {
  matrix_of chosen{pairs_, pair_width}, rejected{pairs_, pair_width}, chosen_mask{pairs_, pair_width},
      rejected_mask{pairs_, pair_width};
  Eigen::ArrayXd ref_chosen{pairs_}, ref_rejected{pairs_}, weight{pairs_}, reliability{pairs_};

  completions() {
    std::mt19937 engine{2};
    auto const uniform = [&] { return static_cast<double>(engine()) / 4294967296.0; };
    for (auto* side : {&chosen, &rejected}) {
      auto& mask = side == &chosen ? chosen_mask : rejected_mask;
      for (Eigen::Index i = 0; i < pairs_; ++i) {
        auto const begin = static_cast<Eigen::Index>(engine() % 5),
                   end = pair_width - static_cast<Eigen::Index>(engine() % 7);
        for (Eigen::Index t = 0; t < pair_width; ++t) {
          mask(i, t) = t >= begin && t < end ? 1 : 0;
          (*side)(i, t) = mask(i, t) != 0 ? -3 * uniform() : std::numeric_limits<double>::quiet_NaN();
        }
      }
    }
    for (Eigen::Index i = 0; i < pairs_; ++i) {
      ref_chosen(i) = -24 * uniform();
      ref_rejected(i) = -24 * uniform();
      weight(i) = 0.5 + uniform();
      reliability(i) = 0.6 + 0.4 * uniform();
    }
  }

  [[nodiscard]] token_pair_batch<dense_tokens<double>> batch(any_pair_loss const& loss) const {
    token_pair_batch<dense_tokens<double>> all{
        .chosen = tokens_of(chosen, chosen_mask), .rejected = tokens_of(rejected, rejected_mask), .weight = weight};
    if (loss.needs(columns::reference)) {
      all.ref_chosen = ref_chosen;
      all.ref_rejected = ref_rejected;
    }
    if (loss.needs(columns::reliability)) all.reliability = reliability;
    return all;
  }
};

std::vector<any_pair_loss> some_losses() {
  return {dpo{}, simpo{}, ln_dpo{}, ipo_mean{}, cpo{.sft = 0.2}, lcpo<simpo>{}};
}

}  // namespace

TEST_CASE("token gradients are the finite differences of the loss") {
  completions data;
  // The posterior of lcpo is held constant in its gradient, which a difference does not see.
  for (auto const& loss : some_losses()) {
    if (loss.has_posterior()) continue;
    CAPTURE(loss.name());
    matrix_of d_chosen(pairs_, pair_width), d_rejected(pairs_, pair_width);
    evaluate(loss, data.batch(loss), {.d_chosen = d_chosen, .d_rejected = d_rejected});
    for (auto* side : {&data.chosen, &data.rejected}) {
      auto const& mask = side == &data.chosen ? data.chosen_mask : data.rejected_mask;
      auto const& d = side == &data.chosen ? d_chosen : d_rejected;
      for (Eigen::Index i = 0; i < pairs_; ++i) {
        for (Eigen::Index t = 0; t < pair_width; t += 3) {
          if (mask(i, t) == 0) {
            REQUIRE(d(i, t) == 0);
            continue;
          }
          double& token = (*side)(i, t);
          double const middle = token, step = 1e-5;
          token = middle + step;
          double const above = evaluate(loss, data.batch(loss)).loss;
          token = middle - step;
          double const below = evaluate(loss, data.batch(loss)).loss;
          token = middle;
          REQUIRE(std::fabs((above - below) / (2 * step) - d(i, t)) < 1e-8);
        }
      }
    }
  }
}

TEST_CASE("the token level is the sequence level between two sums") {
  completions const data;
  auto const n = static_cast<std::size_t>(pairs_);
  for (auto const& loss : some_losses()) {
    for (auto const how : {reduction::mean, reduction::sum, reduction::none}) {
      CAPTURE(loss.name());
      std::vector<double> a(n), b(n), a_length(n), b_length(n), value(n), other_value(n), d_a(n), d_b(n), reward(n),
          other_reward(n), posterior(loss.has_posterior() ? n : 0), other_posterior(posterior);
      auto const tokens = data.batch(loss);
      sequence_log_probs(tokens.chosen, {.log_prob = a, .length = a_length});
      sequence_log_probs(tokens.rejected, {.log_prob = b, .length = b_length});
      pair_batch<double> whole{.chosen = a,
                               .rejected = b,
                               .ref_chosen = tokens.ref_chosen,
                               .ref_rejected = tokens.ref_rejected,
                               .weight = tokens.weight,
                               .reliability = tokens.reliability};
      if (loss.needs(columns::length)) {
        whole.chosen_length = a_length;
        whole.rejected_length = b_length;
      }
      auto const expected = evaluate(
          loss, whole,
          {.loss = value, .d_chosen = d_a, .d_rejected = d_b, .rejected_reward = reward, .posterior = posterior},
          {.reduction = how});
      matrix_of d_chosen(pairs_, pair_width), d_rejected = matrix_of::Constant(pairs_, pair_width, 4.0);
      auto const seen = evaluate(
          loss, tokens,
          {.loss = other_value, .d_chosen = d_chosen, .rejected_reward = other_reward, .posterior = other_posterior},
          {.reduction = how});
      CHECK(seen.loss == expected.loss);
      CHECK(seen.accuracy == expected.accuracy);
      CHECK(seen.weight == expected.weight);
      CHECK(seen.count == n);
      CHECK(value == other_value);
      CHECK(reward == other_reward);
      CHECK(posterior == other_posterior);
      for (Eigen::Index i = 0; i < pairs_; ++i) {
        for (Eigen::Index t = 0; t < pair_width; ++t) {
          REQUIRE(d_chosen(i, t) == (data.chosen_mask(i, t) != 0 ? d_a[static_cast<std::size_t>(i)] : 0));
        }
      }
      // Only the other side, added to what is there.
      evaluate(loss, tokens, {.d_rejected = d_rejected}, {.reduction = how, .gradient = gradient_write::accumulate});
      for (Eigen::Index i = 0; i < pairs_; ++i) {
        for (Eigen::Index t = 0; t < pair_width; ++t) {
          REQUIRE(d_rejected(i, t) == 4 + (data.rejected_mask(i, t) != 0 ? d_b[static_cast<std::size_t>(i)] : 0));
        }
      }
    }
  }
}

TEST_CASE("packed tokens give what dense ones give") {
  completions const data;
  std::vector<double> flat[2];
  std::vector<int> offsets[2]{{0}, {0}};
  for (std::size_t side = 0; side < 2; ++side) {
    auto const& rows = side == 0 ? data.chosen : data.rejected;
    auto const& mask = side == 0 ? data.chosen_mask : data.rejected_mask;
    for (Eigen::Index i = 0; i < pairs_; ++i) {
      for (Eigen::Index t = 0; t < pair_width; ++t) {
        if (mask(i, t) != 0) flat[side].push_back(rows(i, t));
      }
      offsets[side].push_back(static_cast<int>(flat[side].size()));
    }
  }
  for (auto const& loss : some_losses()) {
    CAPTURE(loss.name());
    auto const dense = data.batch(loss);
    token_pair_batch<packed_tokens<double>> const packed{.chosen = {.log_prob = flat[0], .offsets = offsets[0]},
                                                         .rejected = {.log_prob = flat[1], .offsets = offsets[1]},
                                                         .ref_chosen = dense.ref_chosen,
                                                         .ref_rejected = dense.ref_rejected,
                                                         .weight = dense.weight,
                                                         .reliability = dense.reliability};
    matrix_of d_dense(pairs_, pair_width);
    std::vector<double> d_packed(flat[0].size());
    auto const one = evaluate(loss, dense, {.d_chosen = d_dense}),
               other = evaluate(loss, packed, {.d_chosen = d_packed});
    CHECK(one.loss == other.loss);
    std::size_t at = 0;
    for (Eigen::Index i = 0; i < pairs_; ++i) {
      for (Eigen::Index t = 0; t < pair_width; ++t) {
        if (data.chosen_mask(i, t) != 0) REQUIRE(d_dense(i, t) == d_packed[at++]);
      }
    }
  }
}

TEST_CASE("an empty completion follows the option for losses of sums and of means alike") {
  for (auto const& loss : some_losses()) {
    completions data;
    data.rejected_mask.row(4).setZero();
    data.rejected.row(4).setConstant(std::numeric_limits<double>::quiet_NaN());
    data.ref_rejected(4) = 0;
    CAPTURE(loss.name());
    matrix_of d_chosen = matrix_of::Constant(pairs_, pair_width, 5.0), d_rejected = d_chosen;
    std::vector<double> value(static_cast<std::size_t>(pairs_), 5.0);
    auto const run = [&](options const& chosen_options) {
      return evaluate(loss, data.batch(loss), {.loss = value, .d_chosen = d_chosen, .d_rejected = d_rejected},
                      chosen_options);
    };
    CHECK(refusal([&] { run({}); }) ==
          "prefopt::evaluate: pair 4 has a completion of length 0, which options.empty calls an error");
    CHECK((d_chosen == 5.0).all());
    CHECK(value == std::vector<double>(static_cast<std::size_t>(pairs_), 5.0));

    auto const skipped = run({.empty = on_invalid::skip});
    CHECK(skipped.empty == 1);
    CHECK(skipped.skipped == 1);
    CHECK(skipped.count == 8);
    CHECK(std::isfinite(skipped.loss));
    CHECK((d_chosen.row(4) == 0).all());
    CHECK(value[4] == 0);

    auto const kept = run({.empty = on_invalid::propagate});
    CHECK(kept.empty == 1);
    CHECK(kept.count == 9);
    CHECK(std::isfinite(kept.loss));
    CHECK((d_rejected.row(4) == 0).all());
    CHECK(d_chosen.allFinite());
    CHECK((d_chosen.row(4) != 0).any());
  }
}

TEST_CASE("a NaN in a token that counts stays in its pair") {
  completions data;
  matrix_of clean(pairs_, pair_width), d(pairs_, pair_width);
  options const eight{.denominator = 8.0};
  evaluate(dpo{}, data.batch(dpo{}), {.d_chosen = clean}, eight);
  data.rejected(2, 10) = std::numeric_limits<double>::quiet_NaN();
  REQUIRE(data.rejected_mask(2, 10) == 1);
  auto const seen = evaluate(dpo{}, data.batch(dpo{}), {.d_chosen = d}, eight);
  CHECK(seen.non_finite == 1);
  for (Eigen::Index i = 0; i < pairs_; ++i) {
    if (i != 2) CHECK((d.row(i) == clean.row(i)).all());
  }
  CHECK(refusal([&] { evaluate(dpo{}, data.batch(dpo{}), {.d_chosen = d}, {.non_finite = on_invalid::error}); }) ==
        "prefopt::evaluate: rejected[2] is nan, expected a finite number");
}

TEST_CASE("what does not fit together is refused before anything is written") {
  completions const data;
  matrix_of d = matrix_of::Constant(pairs_, pair_width, 5.0), narrow = matrix_of::Constant(pairs_, 4, 5.0);
  std::vector<double> value(static_cast<std::size_t>(pairs_), 5.0);
  auto const refused = [&](token_pair_batch<dense_tokens<double>> const& batch) {
    return refusal([&] { evaluate(dpo{}, batch, {.loss = value, .d_chosen = d}); });
  };
  auto batch = data.batch(dpo{});
  batch.chosen.mask = narrow;
  CHECK(refused(batch) == "prefopt::evaluate: chosen: mask is 9 x 4, log_prob is 9 x 20");
  batch = data.batch(dpo{});
  batch.rejected.mask = narrow;
  CHECK(refused(batch) == "prefopt::evaluate: rejected: mask is 9 x 4, log_prob is 9 x 20");
  batch = data.batch(dpo{});
  batch.rejected = {.log_prob = {data.rejected.data(), 3, pair_width}};
  CHECK(refused(batch) == "prefopt::evaluate: rejected has 3 sequences, chosen has 9");
  batch = data.batch(dpo{});
  batch.ref_chosen = {};
  CHECK(refused(batch) == "prefopt::evaluate: dpo needs the column ref_chosen, which is not given");
  batch = data.batch(dpo{});
  batch.reliability = data.reliability;
  CHECK(refused(batch) == "prefopt::evaluate: dpo does not read the column reliability, which is given");
  batch = data.batch(dpo{});
  batch.ref_rejected = {data.ref_rejected.data(), 3};
  CHECK(refused(batch) == "prefopt::evaluate: ref_rejected has 3 elements, chosen has 9");
  CHECK(refusal([&] { evaluate(dpo{}, data.batch(dpo{}), {.loss = value, .d_chosen = narrow}); }) ==
        "prefopt::evaluate: d_chosen: the gradient is 9 x 4, log_prob is 9 x 20");
  CHECK(refusal([&] { evaluate(dpo{}, data.batch(dpo{}), {.loss = value, .d_chosen = d, .d_rejected = narrow}); }) ==
        "prefopt::evaluate: d_rejected: the gradient is 9 x 4, log_prob is 9 x 20");
  CHECK(refusal([&] { evaluate(dpo{.beta = 0}, data.batch(dpo{}), {.loss = value, .d_chosen = d}); }) ==
        "prefopt::dpo: beta is 0, expected a finite number > 0");
  std::vector<double> short_value(3);
  CHECK(refusal([&] { evaluate(dpo{}, data.batch(dpo{}), {.loss = short_value, .d_chosen = d}); }) ==
        "prefopt::evaluate: output loss has 3 elements, chosen has 9");
  CHECK((d == 5.0).all());
  CHECK((narrow == 5.0).all());
  CHECK(value == std::vector<double>(static_cast<std::size_t>(pairs_), 5.0));
  CHECK(evaluate(dpo{}, token_pair_batch<dense_tokens<double>>{}).count == 0);
}

TEST_CASE("gradients may lie where the token log-probs lie") {
  completions data;
  matrix_of apart(pairs_, pair_width);
  evaluate(simpo{}, data.batch(simpo{}), {.d_chosen = apart});
  evaluate(simpo{}, data.batch(simpo{}), {.d_chosen = data.chosen, .d_rejected = data.rejected});
  CHECK((apart == data.chosen).all());
}

TEST_CASE("float tokens and a pool") {
  completions const data;
  Eigen::ArrayXXf const chosen = data.chosen.cast<float>(), rejected = data.rejected.cast<float>();
  Eigen::Array<bool, Eigen::Dynamic, Eigen::Dynamic> const chosen_mask = data.chosen_mask != 0,
                                                           rejected_mask = data.rejected_mask != 0;
  Eigen::ArrayXXf d(pairs_, pair_width), other(pairs_, pair_width);
  auto const backwards = [](std::size_t parts, executor::task const& work) {
    while (parts-- > 0) work(parts);
  };
  token_pair_batch<dense_tokens<float>> const batch{.chosen = tokens_of(chosen, chosen_mask),
                                                    .rejected = tokens_of(rejected, rejected_mask)};
  auto const one = evaluate(simpo{}, batch, {.d_chosen = d});
  auto const two = evaluate(simpo{}, batch, {.d_chosen = other}, {.executor = backwards});
  CHECK(one.loss == two.loss);
  CHECK((d == other).all());
  CHECK(std::fabs(one.loss - evaluate(simpo{},
                                      token_pair_batch<dense_tokens<double>>{
                                          .chosen = tokens_of(data.chosen, data.chosen_mask),
                                          .rejected = tokens_of(data.rejected, data.rejected_mask)})
                                 .loss) < 1e-6);
}

TEST_CASE("token log-probs as a policy's give what separate sides give, and groups take them, too") {
  completions const data;
  matrix_of both{2 * pairs_, pair_width}, mask{2 * pairs_, pair_width},
      d = matrix_of::Constant(2 * pairs_, pair_width, 7);
  both << data.chosen, data.rejected;
  mask << data.chosen_mask, data.rejected_mask;
  token_policy<dense_tokens<double>> const policy{.tokens = tokens_of(both, mask), .d_tokens = d};

  matrix_of d_chosen{pairs_, pair_width}, d_rejected{pairs_, pair_width};
  report const apart =
      evaluate(cpo{},
               token_pair_batch<dense_tokens<double>>{.chosen = tokens_of(data.chosen, data.chosen_mask),
                                                      .rejected = tokens_of(data.rejected, data.rejected_mask)},
               {.d_chosen = d_chosen, .d_rejected = d_rejected});
  report const together = evaluate(cpo{}, policy, {});
  CHECK(together.loss == apart.loss);
  CHECK((d.topRows(pairs_) == d_chosen).all());
  CHECK((d.bottomRows(pairs_) == d_rejected).all());

  std::vector<std::int64_t> const groups{0, 5, 7, 2 * pairs_};
  Eigen::ArrayXd log_prob{2 * pairs_}, d_sequence{2 * pairs_};
  report const ranked = evaluate(list_mle{}, policy, {.offsets = groups}, {.log_prob = log_prob});
  report const by_sequence =
      evaluate(list_mle{}, list_batch<double>{.logp = log_prob, .offsets = groups}, {.d_logp = d_sequence});
  CHECK(ranked.loss == by_sequence.loss);
  for (Eigen::Index i = 0; i < 2 * pairs_; ++i) {
    CHECK((d.row(i) == (mask.row(i) != 0).select(matrix_of::Constant(1, pair_width, d_sequence(i)), 0)).all());
  }
}
