// KTO's reference point from completions of other prompts: of the batch, of all ranks, at least the parameter.
#include <limits>
#include <ranks/rank_group.hpp>

#include "completions.hpp"

using namespace prefopt;

namespace {

struct with_kl {
  std::vector<double> logp{-3, -5, -7, -2}, ref_logp{-4, -4, -4, -4}, label{1, 0, 1, 0}, kl_logp, ref_kl_logp, weight{};

  explicit with_kl(std::vector<double> const& ratios) {
    for (double const ratio : ratios) {
      kl_logp.push_back(ratio - 6);
      ref_kl_logp.push_back(-6);
    }
  }
  [[nodiscard]] unpaired_batch<double> batch() const {
    unpaired_batch<double> all{.logp = logp, .ref_logp = ref_logp, .label = label};
    if (!kl_logp.empty()) all.kl_logp = kl_logp, all.ref_kl_logp = ref_kl_logp;
    if (!weight.empty()) all.weight = weight;
    return all;
  }
};

any_unpaired_loss kto_around(double kl) { return make_unpaired_loss("kto", {{"beta", 0.5}, {"kl", kl}}); }

/// The batch with its columns is that without them, around that point.
void check_around(any_unpaired_loss const& loss, with_kl const& given, double kl, options const& how = {}) {
  auto without = given;
  without.kl_logp.clear();
  without.ref_kl_logp.clear();
  written<double> const got{loss, given.batch(), how}, expected{kto_around(kl), without.batch(), how};
  CHECK(same(got, expected));
}

}  // namespace

TEST_CASE("KTO's reference point is the mean log-ratio of other prompts' completions, at least its parameter") {
  check_around(kto_around(0), with_kl{{0.5, -1, 3, 0.5}}, 0.75);
  check_around(kto_around(0), with_kl{{-1, -2, -1, -4}}, 0);
  check_around(kto_around(0.5), with_kl{{-1, -2, -1, -4}}, 0.5);
  check_around(kto_around(0.5), with_kl{{0.5, -1, 3, 0.5}}, 0.75);
  check_around(kto_around(0.5), with_kl{{}}, 0.5);
  // Weights are of the completions, not of the others.
  auto weighted = with_kl{{0.5, -1, 3, 0.5}};
  weighted.weight = {0, 5, 1, 2};
  check_around(kto_around(0), weighted, 0.75, {.reduction = reduction::sum});
}

TEST_CASE("KTO's reference point leaves out what is skipped") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  options const skip{.reduction = reduction::sum, .non_finite = on_invalid::skip};
  // The third completion is out, with its 3, whichever column says so.
  for (bool const is_other : {false, true}) {
    auto bad = with_kl{{0.5, -1, 3, 2}};
    (is_other ? bad.kl_logp : bad.logp)[2] = nan;
    written<double> const got{kto_around(0), bad.batch(), skip};
    CHECK(got.seen.count == 3);
    CHECK(got.seen.non_finite == 1);
    CHECK(got.loss[2] == 0);
    auto without = bad;
    without.kl_logp.clear();
    without.ref_kl_logp.clear();
    written<double> const expected{kto_around(0.5), without.batch(), skip};
    for (std::size_t const i : {0U, 1U, 3U}) {
      CHECK(got.loss[i] == expected.loss[i]);
      CHECK(got.d_logp[i] == expected.d_logp[i]);
    }
  }
  // Nothing is left.
  auto none = with_kl{{nan, nan, nan, nan}};
  written<double> const got{kto_around(0.25), none.batch(), skip};
  CHECK(got.seen.count == 0);
  CHECK(got.seen.loss == 0);
}

TEMPLATE_TEST_CASE("KTO's reference point is that of all ranks", "", float, double) {
  using T = TestType;
  auto const loss = kto_around(0);
  completions<T> const data{101};
  written<T> const whole{loss, data.batch(loss, true, true), {}};
  double const tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  for (auto const& cuts :
       {std::vector<std::size_t>{0, 101}, {0, 0, 101}, {0, 50, 101}, {0, 101, 101}, {0, 1, 40, 101}}) {
    std::size_t const ranks = cuts.size() - 1;
    std::vector<std::vector<T>> d_logp(ranks), value(ranks);
    std::vector<report> seen(ranks);
    auto const outcomes = run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
      written<T> const own{loss, data.batch(loss, true, true, cuts[rank], cuts[rank + 1]), {.all_reduce = sum}};
      value[rank] = own.loss;
      d_logp[rank] = own.d_logp;
      seen[rank] = own.seen;
    });
    std::vector<T> values, gradients;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      CHECK(outcomes[rank].error == "no error");
      // The statistic, and the sums.
      CHECK(outcomes[rank].calls == 2);
      values.insert(values.end(), value[rank].begin(), value[rank].end());
      gradients.insert(gradients.end(), d_logp[rank].begin(), d_logp[rank].end());
      CHECK(std::fabs(seen[rank].loss - whole.seen.loss) <= tolerance * whole.seen.loss);
      CHECK(seen[rank].count == 101);
    }
    REQUIRE(values.size() == 101);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 101; ++i) {
      wrong += std::fabs(static_cast<double>(values[i] - whole.loss[i])) <= tolerance ? 0 : 1;
      wrong += std::fabs(static_cast<double>(gradients[i] - whole.d_logp[i])) <=
                       tolerance * std::fabs(static_cast<double>(whole.d_logp[i])) + 1e-37
                   ? 0
                   : 1;
    }
    CHECK(wrong == 0);
  }
}
