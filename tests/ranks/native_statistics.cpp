// A loss with a statistic of the batch, over ranks: that of all their pairs.
#include <chain/thread_pool.hpp>
#include <engine/centered.hpp>
#include <engine/pairs.hpp>
#include <oracle/same_numbers.hpp>
#include <stdexcept>

#include "refusals.hpp"

using namespace prefopt;

namespace {

/// The outputs of pairs [begin, begin + count).
pair_outputs<double> part_of(results<double>& all, std::size_t begin, std::size_t count) {
  auto const part = [&](std::vector<double>& values) {
    return values.empty() ? output<double>{} : output<double>{values.data() + begin, count};
  };
  return {part(all.loss),          part(all.d_chosen),        part(all.d_rejected),
          part(all.chosen_reward), part(all.rejected_reward), part(all.posterior)};
}

/// On 2 and 3 ranks, some of them without a pair, what one process does.
template <class L>
void check_ranks(L const& loss, pairs<double> const& data, bool weighted, options const& given = {}) {
  any_pair_loss const like{loss};
  std::size_t const n = data.size();
  results<double> whole{n, like};
  auto const expected = evaluate(loss, data.batch(like, weighted), whole.outputs(), given);
  for (auto const& bounds : shards_of(n)) {
    if (bounds.size() != 3 && bounds.size() != 4) continue;
    CAPTURE(n, bounds, weighted);
    results<double> written{n, like};
    std::vector<report> reports(bounds.size() - 1);
    auto const outcomes = run_ranks(reports.size(), [&](std::size_t rank, rank_sum& sum) {
      std::size_t const begin = bounds[rank], count = bounds[rank + 1] - begin;
      options own = given;
      own.all_reduce = sum;
      reports[rank] = evaluate(loss, data.batch(like, begin, count, weighted), part_of(written, begin, count), own);
    });
    // Two calls: the statistic, and the sums.
    check_outcomes(outcomes, 2);
    for (auto const& of_rank : reports) check_report(of_rank, expected, 1e-12);
    auto const check = [](std::vector<double> const& got, std::vector<double> const& right) {
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < got.size(); ++i) wrong += !is_near(got[i], right[i], 1e-12);
      CHECK(wrong == 0);
    };
    check(written.loss, whole.loss);
    check(written.d_chosen, whole.d_chosen);
    check(written.d_rejected, whole.d_rejected);
    check(written.posterior, whole.posterior);
    CHECK(oracle::same_numbers(written.chosen_reward, whole.chosen_reward));
    CHECK(oracle::same_numbers(written.rejected_reward, whole.rejected_reward));
  }
}

}  // namespace

TEST_CASE("a statistic over ranks") {
  for (std::size_t const n : {0U, 1U, 7U, 1000U}) {
    pairs<double> const data{n};
    for (bool const weighted : {false, true}) {
      check_ranks(centered_sums{}, data, weighted);
      check_ranks(any_pair_loss{centered_sums{}}, data, weighted);
      check_ranks(lcpo<centered_sums>{}, data, weighted, {.reduction = reduction::sum});
    }
  }
  thread_pool const two{2};
  check_ranks(centered_sums{}, pairs<double>{9001}, true, {.executor = two});
}

TEST_CASE("a statistic over ranks, of the counted pairs only") {
  pairs<double> data{300};
  for (std::size_t i = 0; i < data.size(); i += 4) data.chosen[i] = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 1; i < data.size(); i += 4) data.chosen_length[i] = 0, data.chosen[i] = -1e6;
  // A rank without a pair that counts.
  for (std::size_t i = 0; i < data.size() / 4; ++i) data.rejected_length[i] = 0;
  options const skipping{.non_finite = on_invalid::skip, .empty = on_invalid::skip};
  check_ranks(centered_means{}, data, false, skipping);
  check_ranks(centered_means{}, data, true, skipping);
}

TEST_CASE("a statistic over ranks: one refuses its batch, all throw") {
  for (std::size_t bad = 0; bad < ranks; ++bad) {
    for (bool const bad_loss : {false, true}) {
      std::vector<std::string> told(ranks, "no error");
      std::vector<std::size_t> calls(ranks);
      auto const outcomes = run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
        pairs<double> data{5 + rank};
        results<double> written{data.size(), false};
        any_pair_loss const loss{centered_sums{.beta = bad_loss && rank == bad ? -1.0 : 1.0}};
        if (!bad_loss && rank == bad) data.chosen[rank] = std::numeric_limits<double>::quiet_NaN();
        try {
          evaluate(loss, data.batch(loss), written.outputs(), {.non_finite = on_invalid::error, .all_reduce = sum});
        } catch (std::invalid_argument const& error) {
          told[rank] = error.what();
        }
        calls[rank] = sum.calls;
        if (!written.is_untouched()) throw std::logic_error{"outputs were written although a rank refused"};
        // All are in step for what comes next.
        pairs<double> const next{4};
        evaluate(centered_sums{}, next.batch(loss), {}, {.all_reduce = sum});
      });
      check_outcomes(outcomes, 3);
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        CAPTURE(rank, bad, told[rank]);
        CHECK(calls[rank] == 1);
        if (rank == bad) {
          CHECK(told[rank].find(bad_loss ? "beta is -1" : "chosen[") != std::string::npos);
        } else {
          CHECK(told[rank] == "prefopt::evaluate: another rank refused its batch");
        }
      }
    }
  }
}

TEST_CASE("a statistic over ranks: one fails between the two calls, all throw") {
  std::vector<std::string> told(ranks, "no error");
  auto const outcomes = run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
    pairs<double> const data{5 + rank};
    results<double> written{data.size(), false};
    std::size_t passes = 0;
    auto const executor = [&](std::size_t parts, executor::task const& work) {
      if (rank == 1 && ++passes == 2) throw std::runtime_error{"no thread is left"};
      for (std::size_t i = 0; i < parts; ++i) work(i);
    };
    try {
      any_pair_loss const loss{centered_sums{}};
      evaluate(loss, data.batch(loss, false), written.outputs(), {.executor = executor, .all_reduce = sum});
    } catch (std::exception const& error) {
      told[rank] = error.what();
    }
    if (!written.is_untouched()) throw std::logic_error{"outputs were written although a rank failed"};
  });
  check_outcomes(outcomes, 2);
  CHECK(told[0] == "prefopt::evaluate: another rank refused its batch");
  CHECK(told[1] == "no thread is left");
  CHECK(told[2] == "prefopt::evaluate: another rank refused its batch");
}
