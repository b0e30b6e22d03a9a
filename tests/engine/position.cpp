// A pair's result depends on the pair alone: not on its place, the batch's size, its neighbours, the alignment or the
// executor. Bit for bit, for every loss, in float and double.
#include <algorithm>
#include <limits>
#include <mutex>
#include <thread>
#include "pairs.hpp"

using namespace prefopt;

namespace {

constexpr std::size_t period = 1103;

/// Runs the parts on three threads, last part first.
struct backward_pool {
  void operator()(std::size_t parts, executor::task const& work) const {
    std::mutex mutex;
    auto const worker = [&] {
      for (;;) {
        std::size_t part;
        {
          std::lock_guard const lock{mutex};
          if (parts == 0) return;
          part = --parts;
        }
        work(part);
      }
    };
    std::thread first{worker}, second{worker};
    worker();
    first.join();
    second.join();
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a pair's result does not depend on the size of the batch or its place in it", "", float, double) {
  using T = TestType;
  constexpr std::size_t lanes = xsimd::batch<T>::size, most = 30011;
  pairs<T> const data{most, period};
  options const each{.reduction = reduction::none};
  for (auto const& loss : every_independent_loss()) {
    CAPTURE(loss.name());
    results<T> once{period, loss};
    evaluate(loss, data.batch(loss, 0, period), once.outputs(), each);
    CHECK(std::find(once.loss.begin(), once.loss.end(), results<T>::untouched) == once.loss.end());

    for (std::size_t const n : {std::size_t{0}, std::size_t{1}, lanes - 1, lanes, lanes + 1, std::size_t{255},
                                std::size_t{256}, std::size_t{257}, std::size_t{4095}, std::size_t{4097}, most}) {
      results<T> batch{n, loss};
      auto const seen = evaluate(loss, data.batch(loss, 0, n), batch.outputs(), each);
      CHECK(seen.count == n);
      std::size_t differing = 0;
      for (std::size_t i = 0; i < n; i += period) {
        differing += batch.same_bits(i, std::min(period, n - i), once, 0) ? 0 : 1;
      }
      CAPTURE(n);
      CHECK(differing == 0);
    }

    std::size_t differing_alone = 0, differing_shifted = 0;
    for (std::size_t i = 0; i < period; ++i) {
      results<T> alone{1, loss};
      evaluate(loss, data.batch(loss, i, 1), alone.outputs(), each);
      differing_alone += alone.same_bits(0, 1, once, i) ? 0 : 1;
    }
    // Every first place modulo the lanes, with every length of the tail: also the alignment changes.
    for (std::size_t shift = 1; shift <= lanes + 1; ++shift) {
      for (std::size_t rest = 0; rest <= lanes; ++rest) {
        std::size_t const n = 2 * lanes + rest;
        results<T> moved{n + shift, loss};
        auto const where = moved.outputs();
        auto const from = [&](output<T> const& target) {
          return target.empty() ? target : output<T>{target.block(shift, n, nullptr, false), n};
        };
        evaluate(loss, data.batch(loss, shift, n),
                 {.loss = from(where.loss),
                  .d_chosen = from(where.d_chosen),
                  .d_rejected = from(where.d_rejected),
                  .chosen_reward = from(where.chosen_reward),
                  .rejected_reward = from(where.rejected_reward),
                  .posterior = from(where.posterior)},
                 each);
        differing_shifted += moved.same_bits(shift, n, once, shift) ? 0 : 1;
        // Nothing outside the given memory is written.
        for (std::size_t i = 0; i < shift; ++i) differing_shifted += moved.loss[i] == results<T>::untouched ? 0 : 1;
      }
    }
    CHECK(differing_alone == 0);
    CHECK(differing_shifted == 0);
  }
}

TEMPLATE_TEST_CASE("a NaN, an infinity or an extreme value in one pair leaves every other pair alone", "", float,
                   double) {
  using T = TestType;
  constexpr std::size_t n = 300;
  pairs<T> const clean{n};
  // The last is in a tail of the lanes, the one before it in the last whole batch.
  for (std::size_t const bad : {std::size_t{0}, std::size_t{17}, std::size_t{255}, std::size_t{256}, n - 20, n - 1}) {
    for (auto const& loss : every_independent_loss()) {
      CAPTURE(loss.name(), bad);
      results<T> expected{n, loss};
      evaluate(loss, clean.batch(loss), expected.outputs(), {.denominator = 10.0});
      for (T const value : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                            -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::max()}) {
        // A log-prob that is none is refused.
        if (loss.rule().values == allowed_values::log_prob && value == std::numeric_limits<T>::max()) continue;
        auto data = clean;
        data.chosen[bad] = value;
        data.ref_rejected[bad] = value;
        results<T> written{n, loss};
        evaluate(loss, data.batch(loss), written.outputs(), {.denominator = 10.0});
        CHECK(written.same_bits(0, bad, expected, 0));
        CHECK(written.same_bits(bad + 1, n - bad - 1, expected, bad + 1));
        if (value != value) {
          CHECK(written.loss[bad] != written.loss[bad]);
          CHECK(written.chosen_reward[bad] != written.chosen_reward[bad]);
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a NaN in any further column leaves every other pair alone", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 100, bad = 41;
  pairs<T> const clean{n};
  for (auto const& loss : every_independent_loss()) {
    results<T> expected{n, loss};
    evaluate(loss, clean.batch(loss), expected.outputs(), {.denominator = 10.0});
    for (std::size_t c = 0; c < 10; ++c) {
      auto data = clean;
      (*data.all()[c])[bad] = std::numeric_limits<T>::quiet_NaN();
      CAPTURE(loss.name(), c);
      results<T> written{n, loss};
      try {
        evaluate(loss, data.batch(loss), written.outputs(), {.denominator = 10.0});
      } catch (std::invalid_argument const&) {
        CHECK(written.is_untouched());
        continue;
      }
      CHECK(written.same_bits(0, bad, expected, 0));
      CHECK(written.same_bits(bad + 1, n - bad - 1, expected, bad + 1));
    }
  }
}

TEMPLATE_TEST_CASE("a weight that is not finite does not reach the other pairs through the mean", "", float, double) {
  using T = TestType;
  std::vector<T> const a{1, 2, 3}, b{0, 0, 0};
  for (T const bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
    std::vector<T> const weight{1, bad, 1};
    results<T> written{3, false};
    try {
      evaluate(bradley_terry{}, pair_batch<T>{.chosen = a, .rejected = b, .weight = weight}, written.outputs());
    } catch (std::invalid_argument const&) {
      CHECK(written.is_untouched());
      continue;
    }
    CHECK(written.d_chosen[0] < 0);
    CHECK(written.d_chosen[2] < 0);
  }
}

TEMPLATE_TEST_CASE("any executor gives the bits of the serial one, report and outputs", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 300000;
  pairs<T> const data{n};
  backward_pool const pool;
  for (auto const& loss : {any_pair_loss{dpo{}}, any_pair_loss{lcpo<simpo>{}}, any_pair_loss{bradley_terry{}}}) {
    CAPTURE(loss.name());
    results<T> serial{n, loss}, pooled{n, loss};
    auto const alone = evaluate(loss, data.batch(loss), serial.outputs());
    auto const together = evaluate(loss, data.batch(loss), pooled.outputs(), {.executor = pool});
    CHECK(same_bits(alone, together));
    CHECK(serial.same_bits(pooled));
    CHECK(alone.count == n);
  }
}

TEST_CASE("an executor runs each part once, and none for an empty batch") {
  std::size_t calls = 0, tasks = 0, most = 0;
  auto const counting = [&](std::size_t parts, executor::task const& work) {
    ++calls;
    most = std::max(most, parts);
    for (std::size_t i = 0; i < parts; ++i, ++tasks) work(i);
  };
  evaluate(cpo{}, pair_batch<double>{}, {}, {.executor = counting});
  CHECK(calls == 0);
  pairs<double> const data{300000};
  evaluate(cpo{}, data.batch(cpo{}, false), {}, {.executor = counting});
  CHECK(calls == 1);
  CHECK(tasks == most);
  CHECK(most > 1);
  CHECK(most <= 64);
}

TEMPLATE_TEST_CASE("outputs may lie where the inputs lie", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 777;
  pairs<T> const data{n};
  for (auto const& loss : every_independent_loss()) {
    CAPTURE(loss.name());
    for (auto const how : {gradient_write::assign, gradient_write::accumulate}) {
      results<T> apart{n, loss};
      apart.d_chosen = data.chosen;
      apart.d_rejected = data.rejected;
      options const chosen_options{.gradient = how, .non_finite = on_invalid::skip};
      auto const expected = evaluate(loss, data.batch(loss), apart.outputs(), chosen_options);
      auto place = data;
      auto const in_place =
          pair_outputs<T>{.loss = place.weight,
                          .d_chosen = place.chosen,
                          .d_rejected = place.rejected,
                          .chosen_reward = loss.reads(columns::reference) ? place.ref_chosen : place.label,
                          .rejected_reward = loss.reads(columns::length) ? place.rejected_length : place.margin};
      auto const seen = evaluate(loss, place.batch(loss), in_place, chosen_options);
      CHECK(same_bits(seen, expected));
      CHECK(place.weight == apart.loss);
      CHECK(place.chosen == apart.d_chosen);
      CHECK(place.rejected == apart.d_rejected);
      CHECK((loss.reads(columns::reference) ? place.ref_chosen : place.label) == apart.chosen_reward);
      CHECK((loss.reads(columns::length) ? place.rejected_length : place.margin) == apart.rejected_reward);
    }
  }
}

TEST_CASE("strided outputs may lie where strided inputs lie") {
  constexpr std::size_t n = 600;
  pairs<double> const data{n};
  std::vector<double> both(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    both[2 * i] = data.chosen[i];
    both[2 * i + 1] = data.rejected[i];
  }
  results<double> apart{n, false};
  evaluate(cpo{}, data.batch(cpo{}), apart.outputs());
  evaluate(
      cpo{},
      pair_batch<double>{.chosen = {both.data(), n, 2}, .rejected = {both.data() + 1, n, 2}, .weight = data.weight},
      {.d_chosen = {both.data(), n, 2}, .d_rejected = {both.data() + 1, n, 2}});
  for (std::size_t i = 0; i < n; ++i) {
    REQUIRE(both[2 * i] == apart.d_chosen[i]);
    REQUIRE(both[2 * i + 1] == apart.d_rejected[i]);
  }
}
