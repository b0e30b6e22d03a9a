// Random losses of every surrogate, KL, correction and aggregation over random batches, against the formulas in long
// double: every output and every field of the report.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "token_loss/token_oracle.hpp"

using namespace prefopt;

namespace {

using oracle::real;
using token_oracle::number;

template <class T>
struct comparison {
  real worst = 0;  ///< error in epsilons, of its bound
  std::string where;
  std::size_t wrong = 0, compared = 0;

  void operator()(char const* what, std::size_t i, double got, number const& right) {
    ++compared;
    real const error = std::fabs(static_cast<real>(got) - right.value);
    real const epsilon = std::numeric_limits<T>::epsilon();
    // What is so small is flushed to 0.
    real const tiny = 1024 * static_cast<real>(std::numeric_limits<T>::min());
    real const share = std::max(error - tiny, real(0)) / (epsilon * std::max(right.value_error, real(1e-300L)));
    bool const is_off = error > tiny && !(share <= 1);
    if (!is_off && share > worst) worst = share;
    if (!is_off) return;
    if (wrong++ == 0) {
      where = std::string{what} + "[" + std::to_string(i) + "]: got " + std::to_string(got) + ", expected " +
              std::to_string(static_cast<double>(right.value)) + ", off by " +
              std::to_string(static_cast<double>(share)) + " of the bound";
    }
  }
};

/// What clip_cov has left out, by its output: and whether it may have.
template <class T>
std::vector<bool> left_out(any_token_loss const& loss, tokens<T> const& data) {
  auto plain = made_token_loss("clip_cov", loss.surrogate.parameters());
  written<T> const got{plain, data};
  auto const cov = token_oracle::covariances(token_oracle::in_double(data));
  double low = 0, high = 0, share = 0, lowest = 0, highest = 0;
  for (auto const& [name, value] : loss.surrogate.parameters()) {
    if (name == "low") low = value;
    if (name == "high") high = value;
    if (name == "share") share = value;
    if (name == "lowest_covariance") lowest = value;
    if (name == "highest_covariance") highest = value;
  }
  std::vector<bool> out(data.size(), false);
  std::size_t selected = 0, candidates = 0, counted = 0;
  for (std::size_t s = 0; s < data.sequences(); ++s) {
    for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
      if (!data.mask.empty() && data.mask[t] == 0) continue;
      ++counted;
      T const a = data.advantage_at(s, t);
      double const ratio = std::exp(static_cast<double>(data.log_prob[t] - data.old_log_prob[t]));
      bool const is_clipped = a > 0 ? ratio > 1 + high : a < 0 && ratio < 1 - low;
      bool const may_be = !is_clipped && cov[t] > lowest && cov[t] < highest;
      candidates += may_be ? 1 : 0;
      out[t] = a != 0 && got.loss[t] == 0;
      if (!out[t]) continue;
      ++selected;
      CHECK(may_be);
    }
  }
  auto const wanted = static_cast<std::size_t>(std::max(1.0, std::floor(share * static_cast<double>(counted))));
  // One with an advantage of 0 cannot be told.
  CHECK(selected <= std::min(wanted, candidates));
  return out;
}

template <class T>
void check_random_losses(std::uint64_t seed, std::size_t rounds) {
  oracle::random_numbers random{seed};
  std::set<std::string> pairs_seen;
  std::map<std::string, std::size_t> count;
  std::size_t close = 0, compared = 0, failed = 0, reports = 0;
  real worst = 0;
  for (std::size_t round = 0; round < rounds && failed < 5; ++round) {
    auto const loss = random_loss(random);
    bool const is_of_sequences = random.chance(0.5);
    auto data = random_tokens<T>(random, is_of_sequences, 3, 9, 0.8, random.chance(0.3) ? 4 : 1);
    if (random.chance(0.1)) data.mask.clear();
    data.gives_rollout = random.chance(0.5);
    options options;
    if (random.chance(0.3)) options.reduction = random.chance(0.5) ? reduction::sum : reduction::none;
    if (options.reduction == reduction::mean && random.chance(0.3)) options.denominator = random.uniform(0.5, 100);
    bool const accumulates = random.chance(0.3);
    if (accumulates) options.gradient = gradient_write::accumulate;

    written<T> got{data.size()};
    got.seen = evaluate(loss, data.batch(loss), got.outputs(loss), options);
    std::string const name = loss.surrogate.name();
    auto const exact = token_oracle::in_double(data);
    std::vector<bool> selected;
    if (name == "clip_cov") selected = left_out(loss, data);
    if (name == "kl_cov") {
      auto const largest = token_oracle::largest_covariances(exact, loss.surrogate.parameters()[1].second);
      if (!largest) continue;
      selected = *largest;
    }
    auto const right = token_oracle::expected(loss, exact, options, selected, std::numeric_limits<T>::epsilon());

    comparison<T> compare;
    bool any_close = false;
    for (std::size_t i = 0; i < data.size(); ++i) {
      any_close = any_close || right.is_close[i];
      if (right.is_close[i]) {
        ++close;
        continue;
      }
      compare("loss", i, static_cast<double>(got.loss[i]), right.loss[i]);
      auto const added = [&](number x) {
        if (accumulates) x.value += written<T>::untouched, x.value_error += 2 * std::fabs(x.value) + 77;
        return x;
      };
      compare("d_log_prob", i, static_cast<double>(got.d_log_prob[i]), added(right.d_log_prob[i]));
      if (loss.entropy_coefficient != 0) {
        compare("d_entropy", i, static_cast<double>(got.d_entropy[i]), added(right.d_entropy[i]));
      } else {
        CHECK(got.d_entropy[i] == written<T>::untouched);
      }
    }
    if (!any_close) {
      ++reports;
      auto const& seen = got.seen;
      compare("report.loss", 0, seen.loss, right.total);
      compare("mean_ratio", 0, seen.mean_ratio, right.mean_ratio);
      compare("largest_ratio", 0, seen.largest_ratio, right.largest_ratio);
      compare("clipped_low", 0, seen.clipped_low, right.clipped_low);
      compare("clipped_high", 0, seen.clipped_high, right.clipped_high);
      compare("old_kl", 0, seen.old_kl, right.old_kl);
      compare("kl", 0, seen.kl, right.kl);
      compare("entropy", 0, seen.entropy, right.entropy);
      compare("mean_correction", 0, seen.mean_correction, right.mean_correction);
      compare("effective_sample_size", 0, seen.effective_sample_size, right.effective);
    }
    INFO(description(loss) << " reduction=" << static_cast<int>(options.reduction) << " accumulates=" << accumulates
                           << " round=" << round << ": " << compare.where);
    CHECK(compare.wrong == 0);
    CHECK(got.seen.count == right.count);
    CHECK(got.seen.sequences == right.sequences);
    CHECK(got.seen.empty == right.empty);
    CHECK(got.seen.skipped == 0);
    CHECK(got.seen.non_finite == 0);
    CHECK(got.seen.denominator == static_cast<double>(right.denominator));
    double const tokens = static_cast<double>(data.size());
    CHECK(std::fabs(got.seen.masked_share - (tokens == 0 ? 0 : 1 - static_cast<double>(right.count) / tokens)) < 1e-15);
    failed += compare.wrong != 0 ? 1 : 0;
    worst = std::max(worst, compare.worst);
    compared += compare.compared;
    ++count[name];
    pairs_seen.insert(name + " " + std::string{name_of(loss.kl.estimator)});
    pairs_seen.insert(name + " " + std::string{name_of(loss.correction.mode)} + " as correction");
    pairs_seen.insert(name + " " + std::string{name_of(loss.aggregation.mode)});
  }
  std::printf(
      "%zu random losses, %zu numbers compared, worst error %.2f of its bound; %zu tokens, %zu reports left out "
      "as too close to a bend\n",
      rounds, compared, static_cast<double>(worst), close, rounds - reports);
  CHECK(count.size() == surrogate_names().size());
  CHECK(pairs_seen.size() == surrogate_names().size() * (10 + 8 + 7));
  CHECK(static_cast<double>(close) < 1e-3 * static_cast<double>(compared));
}

}  // namespace

TEST_CASE("random policy-gradient losses agree with the formulas: double") { check_random_losses<double>(1, 4000); }
TEST_CASE("random policy-gradient losses agree with the formulas: float") { check_random_losses<float>(2, 4000); }
