// Pairs over ranks: the numbers of one process.
#include <chain/thread_pool.hpp>
#include <engine/pairs.hpp>
#include <oracle/same_numbers.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/loss/bradley_terry.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/simpo.hpp>
#include <prefopt/modifier/lcpo.hpp>

#include "shards.hpp"

using namespace prefopt;

namespace {

/// With and without a reference, lengths, margins, a posterior.
std::vector<any_pair_loss> const& some_pair_losses() {
  static std::vector<any_pair_loss> const losses{dpo{}, cpo{.sft = 0.5}, bradley_terry{.center = 0.01}, lcpo<dpo>{}};
  return losses;
}

/// The outputs of pairs [begin, begin + count).
template <class T>
pair_outputs<T> part_of(results<T>& all, std::size_t begin, std::size_t count) {
  auto const part = [&](std::vector<T>& values) {
    return values.empty() ? output<T>{} : output<T>{values.data() + begin, count};
  };
  return {part(all.loss),          part(all.d_chosen),        part(all.d_rejected),
          part(all.chosen_reward), part(all.rejected_reward), part(all.posterior)};
}

template <class T>
struct over_ranks {
  std::vector<report> reports;
  results<T> written;
  std::vector<rank_outcome> outcomes;

  over_ranks(any_pair_loss const& loss, pairs<T> const& data, std::vector<std::size_t> const& bounds, bool weighted,
             options const& given = {})
      : reports(bounds.size() - 1), written{data.size(), loss} {
    outcomes = run_ranks(reports.size(), [&](std::size_t rank, rank_sum& sum) {
      std::size_t const begin = bounds[rank], count = bounds[rank + 1] - begin;
      options own = given;
      own.all_reduce = sum;
      reports[rank] = evaluate(loss, data.batch(loss, begin, count, weighted), part_of(written, begin, count), own);
    });
  }
};

/// All ranks report what one process does, and together write what it writes. `exact`: gradients have its very bits.
template <class T>
void check_ranks(any_pair_loss const& loss, pairs<T> const& data, bool weighted, bool exact,
                 options const& given = {}) {
  results<T> whole{data.size(), loss};
  auto const expected = evaluate(loss, data.batch(loss, weighted), whole.outputs(), given);
  for (auto const& bounds : shards_of(data.size())) {
    CAPTURE(loss.name(), data.size(), bounds, weighted);
    over_ranks<T> got{loss, data, bounds, weighted, given};
    check_outcomes(got.outcomes);
    for (auto const& of_rank : got.reports) check_report(of_rank, expected, tolerance<T>);
    bool const one = bounds.size() == 2;
    if (one) CHECK(same_bits(got.reports[0], expected));
    if (one || exact) {
      CHECK(got.written.same_bits(whole));
      continue;
    }
    check_gradients(got.written.d_chosen, whole.d_chosen, tolerance<T>);
    check_gradients(got.written.d_rejected, whole.d_rejected, tolerance<T>);
    // What is each pair's own does not know of ranks.
    CHECK(oracle::same_numbers(got.written.loss, whole.loss));
    CHECK(oracle::same_numbers(got.written.chosen_reward, whole.chosen_reward));
    CHECK(oracle::same_numbers(got.written.rejected_reward, whole.rejected_reward));
    CHECK(oracle::same_numbers(got.written.posterior, whole.posterior));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("pairs over ranks: report, losses, gradients", "", float, double) {
  for (std::size_t const n : {0U, 1U, 2U, 3U, 7U, 1000U}) {
    pairs<TestType> const data{n};
    for (auto const& loss : some_pair_losses()) {
      // A number of pairs is a sum without rounding, and so every gradient has the same divisor.
      check_ranks(loss, data, false, true);
      check_ranks(loss, data, true, false);
    }
  }
}

TEST_CASE("pairs over ranks: more than one part a rank") {
  pairs<double> const data{9001};
  thread_pool const two{2};
  check_ranks(any_pair_loss{dpo{}}, data, true, false);
  check_ranks(any_pair_loss{dpo{}}, data, true, false, {.executor = two});
}

TEMPLATE_TEST_CASE("pairs over ranks: sums, losses left alone and a given divisor have the same bits", "", float,
                   double) {
  pairs<TestType> const data{203};
  for (auto const& loss : some_pair_losses()) {
    for (bool const weighted : {false, true}) {
      check_ranks(loss, data, weighted, true, {.reduction = reduction::sum});
      check_ranks(loss, data, weighted, true, {.reduction = reduction::none});
      check_ranks(loss, data, weighted, true, {.denominator = 3.5});
    }
  }
}

TEST_CASE("pairs over ranks: gradients are added once") {
  pairs<double> const data{203};
  for (auto const& loss : some_pair_losses()) {
    check_ranks(loss, data, false, true, {.gradient = gradient_write::accumulate});
    check_ranks(loss, data, true, true, {.reduction = reduction::sum, .gradient = gradient_write::accumulate});
  }
}

TEMPLATE_TEST_CASE("pairs over ranks: what cannot be computed", "", float, double) {
  using T = TestType;
  pairs<T> data{120};
  data.chosen[0] = std::numeric_limits<T>::quiet_NaN();
  data.ref_rejected[50] = std::numeric_limits<T>::infinity();
  data.weight[119] = std::numeric_limits<T>::quiet_NaN();
  any_pair_loss const loss{dpo{}};
  check_ranks(loss, data, false, true, {.non_finite = on_invalid::skip});
  check_ranks(loss, data, true, false, {.non_finite = on_invalid::skip});
  check_ranks(loss, data, false, true, {.non_finite = on_invalid::propagate});

  // A rank with nothing but pairs to be skipped, and all of them.
  for (std::size_t i = 0; i < 45; ++i) data.rejected[i] = std::numeric_limits<T>::quiet_NaN();
  check_ranks(loss, data, true, false, {.non_finite = on_invalid::skip});
  for (T& x : data.rejected) x = std::numeric_limits<T>::quiet_NaN();
  check_ranks(loss, data, true, true, {.non_finite = on_invalid::skip});
}

TEST_CASE("pairs over ranks: completions of length 0") {
  pairs<double> data{120};
  data.chosen_length[3] = data.rejected_length[64] = data.rejected_length[65] = 0;
  for (auto const& loss : {any_pair_loss{cpo{}}, any_pair_loss{simpo{}}}) {
    for (auto const empty : {on_invalid::skip, on_invalid::propagate}) {
      check_ranks(loss, data, false, true, {.empty = empty});
      check_ranks(loss, data, true, false, {.empty = empty});
    }
  }
}

TEST_CASE("pairs over ranks: no weight at all") {
  pairs<double> data{40};
  for (double& weight : data.weight) weight = 0;
  check_ranks(any_pair_loss{dpo{}}, data, true, true);
  // On some ranks only.
  data.weight[39] = 2;
  check_ranks(any_pair_loss{dpo{}}, data, true, true);
}

TEST_CASE("pairs over ranks: gradients in the place of the log-probs") {
  pairs<double> data{100};
  any_pair_loss const loss{dpo{}};
  results<double> whole{100, loss};
  auto const expected = evaluate(loss, data.batch(loss), whole.outputs());
  std::vector<report> reports(3);
  std::size_t const bounds[] = {0, 30, 30, 100};
  check_outcomes(run_ranks(3, [&](std::size_t rank, rank_sum& sum) {
    std::size_t const begin = bounds[rank], count = bounds[rank + 1] - begin;
    reports[rank] = evaluate(loss, data.batch(loss, begin, count),
                             {.loss = {data.ref_chosen.data() + begin, count},
                              .d_chosen = {data.chosen.data() + begin, count},
                              .d_rejected = {data.rejected.data() + begin, count}},
                             {.all_reduce = sum});
  }));
  for (auto const& of_rank : reports) check_report(of_rank, expected, 1e-12);
  check_gradients(data.chosen, whole.d_chosen, 1e-12);
  check_gradients(data.rejected, whole.d_rejected, 1e-12);
  CHECK(oracle::same_numbers(data.ref_chosen, whole.loss));
}

TEST_CASE(
    "pairs over ranks: one rank may know its loss by type, another by name, and one gets nothing but the report") {
  pairs<double> const data{60};
  any_pair_loss const named{dpo{}};
  auto const expected = evaluate(named, data.batch(named));
  std::vector<report> reports(2);
  check_outcomes(run_ranks(2, [&](std::size_t rank, rank_sum& sum) {
    auto const batch = data.batch(named, rank * 20, rank == 0 ? 20 : 40);
    reports[rank] =
        rank == 0 ? evaluate(dpo{}, batch, {}, {.all_reduce = sum}) : evaluate(named, batch, {}, {.all_reduce = sum});
  }));
  for (auto const& of_rank : reports) check_report(of_rank, expected, 1e-12);
}
