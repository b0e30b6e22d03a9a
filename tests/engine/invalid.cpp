// What is done with pairs that hold a NaN or an infinity, and with empty completions.
#include <cmath>
#include <optional>
#include <special_numbers.hpp>

#include "pairs.hpp"

using namespace prefopt;

TEMPLATE_TEST_CASE("non-finite pairs that are skipped are as good as not there", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 600;
  auto data = pairs<T>{n};
  std::vector<std::size_t> const bad{0, 5, 255, 256, 257, 511, n - 1};
  T const kinds[] = {not_a_number<T>, infinity<T>, -infinity<T>};
  for (std::size_t k = 0; k < bad.size(); ++k) {
    // Whatever column the loss reads.
    data.chosen[bad[k]] = kinds[k % 3];
    if (k % 2 == 0) data.rejected[bad[k]] = kinds[(k + 1) % 3];
  }
  auto left = data;
  for (auto* column : left.all()) {
    for (std::size_t k = bad.size(); k-- > 0;) column->erase(column->begin() + static_cast<std::ptrdiff_t>(bad[k]));
  }
  for (auto const& loss : every_independent_loss()) {
    for (auto const how : {reduction::mean, reduction::sum}) {
      CAPTURE(loss.name());
      options const skip{.reduction = how, .non_finite = on_invalid::skip};
      results<T> got{n, loss}, clean{left.size(), loss};
      auto const seen = evaluate(loss, data.batch(loss), got.outputs(), skip);
      auto const expected = evaluate(loss, left.batch(loss), clean.outputs(), skip);
      CHECK(seen.count == n - bad.size());
      CHECK(seen.skipped == bad.size());
      CHECK(seen.non_finite == bad.size());
      double const tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
      auto const near = [&](double x, double y) { return std::fabs(x - y) <= tolerance * std::max(1.0, std::fabs(y)); };
      CHECK(near(seen.loss, expected.loss));
      CHECK(near(seen.accuracy, expected.accuracy));
      CHECK(near(seen.margin, expected.margin));
      CHECK(near(seen.chosen_reward, expected.chosen_reward));
      CHECK(near(seen.weight, expected.weight));
      std::size_t i = 0, next = 0, wrong = 0;
      for (std::size_t at = 0; at < n; ++at) {
        if (next < bad.size() && bad[next] == at) {
          ++next;
          CHECK(got.loss[at] == 0);
          CHECK(got.d_chosen[at] == 0);
          CHECK(got.d_rejected[at] == 0);
          CHECK(got.chosen_reward[at] == 0);
          CHECK(got.rejected_reward[at] == 0);
          // Without evidence the posterior is the prior.
          if (loss.has_posterior()) CHECK(got.posterior[at] == data.reliability[at]);
          continue;
        }
        wrong += got.loss[at] == clean.loss[i] && std::fabs(got.d_chosen[at] - clean.d_chosen[i]) <=
                                                      static_cast<T>(tolerance) * std::fabs(clean.d_chosen[i])
                     ? 0
                     : 1;
        ++i;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a non-finite value in any column that is read skips its pair; accumulate leaves its gradient alone") {
  constexpr std::size_t n = 40, bad = 33;
  pairs<double> const clean{n};
  for (auto const& loss : every_independent_loss()) {
    for (std::size_t c = 0; c < 10; ++c) {
      for (double const value : {not_a_number<double>, infinity<double>}) {
        auto data = clean;
        (*data.all()[c])[bad] = value;
        // Whichever labels the loss takes.
        if (c == 8) data.outcome[bad] = data.doubt[bad] = value;
        CAPTURE(loss.name(), c, value);
        results<double> got{n, loss};
        std::optional<report> seen;
        options const skip{.gradient = gradient_write::accumulate, .non_finite = on_invalid::skip};
        try {
          seen = evaluate(loss, data.batch(loss), got.outputs(), skip);
        } catch (std::invalid_argument const&) {
          // An infinite label or reliability is out of its range.
          CHECK(value > 1);
          CHECK((c == 8 || c == 9));
          continue;
        }
        bool const reads = c < 2 || c == 6 || (c < 4 && loss.reads(columns::reference)) ||
                           ((c == 4 || c == 5) && loss.reads(columns::length)) ||
                           (c == 7 && loss.reads(columns::margin)) || (c == 8 && loss.reads(columns::label)) ||
                           (c == 9 && loss.reads(columns::reliability));
        CHECK(seen->non_finite == (reads ? 1 : 0));
        CHECK(seen->skipped == (reads ? 1 : 0));
        CHECK(std::isfinite(seen->loss));
        CHECK(std::isfinite(seen->weight));
        if (reads) CHECK(got.d_chosen[bad] == results<double>::untouched);
      }
    }
  }
}

TEST_CASE("error names the first non-finite value; propagate counts it and gives NaN there") {
  constexpr std::size_t n = 20000;
  auto data = pairs<double>{n};
  data.ref_rejected[17000] = not_a_number<double>;
  data.rejected[4000] = -infinity<double>;
  data.chosen[4000] = not_a_number<double>;
  CHECK(refusal_of(dpo{}, data.batch(dpo{}), {.non_finite = on_invalid::error}) ==
        "prefopt::evaluate: chosen[4000] is nan, expected a finite number");
  data.chosen[4000] = 0;
  CHECK(refusal_of(dpo{}, data.batch(dpo{}), {.non_finite = on_invalid::error}) ==
        "prefopt::evaluate: rejected[4000] is -inf, expected a finite number");
  data.rejected[4000] = 0;
  CHECK(refusal_of(dpo{}, data.batch(dpo{}), {.non_finite = on_invalid::error}) ==
        "prefopt::evaluate: ref_rejected[17000] is nan, expected a finite number");

  results<double> got{n, false};
  auto const seen = evaluate(dpo{}, data.batch(dpo{}), got.outputs());
  CHECK(seen.non_finite == 1);
  CHECK(seen.count == n);
  CHECK(seen.skipped == 0);
  CHECK(std::isnan(seen.loss));
  CHECK(std::isnan(seen.margin));
  CHECK(seen.accuracy > 0);
  CHECK(std::isnan(got.loss[17000]));
  CHECK(std::isnan(got.d_chosen[17000]));
  CHECK(std::isfinite(got.loss[16999]));
}

TEMPLATE_TEST_CASE("an empty completion follows its option", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 530;
  auto data = pairs<T>{n};
  data.chosen_length[3] = 0;
  data.rejected_length[300] = 0;
  data.chosen_length[n - 1] = data.rejected_length[n - 1] = 0;
  for (auto const& loss : every_independent_loss()) {
    if (!loss.reads(columns::length)) continue;
    CAPTURE(loss.name());
    CHECK(refusal_of(loss, data.batch(loss)) ==
          "prefopt::evaluate: pair 3 has a completion of length 0, which options.empty calls an error");

    results<T> got{n, loss};
    auto const skipped = evaluate(loss, data.batch(loss), got.outputs(), {.empty = on_invalid::skip});
    CHECK(skipped.empty == 3);
    CHECK(skipped.skipped == 3);
    CHECK(skipped.count == n - 3);
    CHECK(std::isfinite(skipped.loss));
    for (std::size_t const at : {std::size_t{3}, std::size_t{300}, n - 1}) {
      CHECK(got.loss[at] == 0);
      CHECK(got.d_chosen[at] == 0);
      CHECK(got.d_rejected[at] == 0);
      CHECK(got.chosen_reward[at] == 0);
    }

    options const propagate{.empty = on_invalid::propagate};
    if (loss.facts().refuses_empty) {
      CHECK(refusal_of(loss, data.batch(loss), propagate) ==
            "prefopt::evaluate: pair 3 has a completion of length 0, of which there is no " + loss.name());
      continue;
    }
    auto const kept = evaluate(loss, data.batch(loss), got.outputs(), propagate);
    CHECK(kept.empty == 3);
    CHECK(kept.skipped == 0);
    CHECK(kept.count == n);
    CHECK(std::isfinite(kept.loss));
    // A loss may read the lengths and not divide by them.
    auto longer = data;
    for (T& length : longer.chosen_length) length *= 2;
    results<T> of_longer{n, loss};
    evaluate(loss, longer.batch(loss), of_longer.outputs(), propagate);
    if (of_longer.chosen_reward[5] != got.chosen_reward[5]) {
      CHECK(got.chosen_reward[3] == 0);
      CHECK(got.d_chosen[3] == 0);
      CHECK(got.rejected_reward[300] == 0);
      CHECK(got.d_rejected[300] == 0);
    }
    for (T const x : got.d_chosen) CHECK(std::isfinite(x));
    // An empty completion is no non-finite one.
    CHECK(kept.non_finite == 0);
  }
}

TEST_CASE("a pair that is empty and not finite is counted in both and skipped once") {
  std::vector<double> const a{not_a_number<double>, -1, -1}, b{-1, -1, -1}, length{0, 0, 4}, other{4, 4, 4};
  pair_batch<double> const batch{.chosen = a, .rejected = b, .chosen_length = length, .rejected_length = other};
  auto const seen = evaluate(simpo{}, batch, {}, {.non_finite = on_invalid::skip, .empty = on_invalid::skip});
  CHECK(seen.non_finite == 1);
  CHECK(seen.empty == 2);
  CHECK(seen.skipped == 2);
  CHECK(seen.count == 1);
  CHECK(seen.weight == 1);
}

TEST_CASE("a mean over nothing but skipped pairs is 0") {
  std::vector<double> const a{not_a_number<double>, infinity<double>}, weight{1, 2};
  auto const seen = evaluate(cpo{}, pair_batch<double>{.chosen = a, .rejected = a, .weight = weight}, {},
                             {.non_finite = on_invalid::skip});
  CHECK(seen.loss == 0);
  CHECK(seen.accuracy == 0);
  CHECK(seen.margin == 0);
  CHECK(seen.weight == 0);
  CHECK(seen.count == 0);
  CHECK(seen.skipped == 2);
}
