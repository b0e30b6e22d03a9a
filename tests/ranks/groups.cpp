// Groups over ranks: the numbers of one process, and what happens when a rank refuses its own.
#include <functional>
#include <list_engine/groups.hpp>
#include <prefopt/loss/adpo.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <prefopt/loss/pro.hpp>

#include "refusals.hpp"
#include "shards.hpp"

using namespace prefopt;

namespace {

/// By scores, by rank, and per token.
std::vector<any_list_loss> const& some_list_losses() {
  static std::vector<any_list_loss> const losses{adpo{}, plackett_luce{}, pro{}};
  return losses;
}

/// `exact`: gradients have the very bits of one process.
template <class T>
void check_ranks(any_list_loss const& loss, groups<T> const& data, bool weighted, bool exact,
                 options const& given_options = {}) {
  auto const batch_of = [&](groups<T> const& part) { return weighted ? part.weighted(loss) : part.batch(loss); };
  list_results<T> whole{data};
  auto const expected = evaluate(loss, batch_of(data), whole.outputs(), given_options);
  for (auto const& bounds : shards_of(data.count())) {
    CAPTURE(loss.name(), data.count(), bounds, weighted);
    std::size_t const ranks = bounds.size() - 1;
    std::vector<report> reports(ranks);
    list_results<T> written{data};
    check_outcomes(run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
      groups<T> part;
      for (std::size_t group = bounds[rank]; group < bounds[rank + 1]; ++group) part.append(data, group);
      options own = given_options;
      own.all_reduce = sum;
      reports[rank] = evaluate(loss, batch_of(part),
                               {.loss = {written.loss.data() + bounds[rank], part.count()},
                                .d_logp = {written.d_logp.data() + data.begin(bounds[rank]), part.candidates()}},
                               own);
    }));
    for (auto const& of_rank : reports) check_report(of_rank, expected, tolerance<T>);
    if (ranks == 1) CHECK(same_bits(reports[0], expected));
    CHECK(same_bits(written.loss, whole.loss));
    if (ranks == 1 || exact) {
      CHECK(same_bits(written.d_logp, whole.d_logp));
    } else {
      check_gradients(written.d_logp, whole.d_logp, tolerance<T>);
    }
  }
}

std::vector<std::size_t> some_sizes(std::size_t count) {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < count; ++i) sizes.push_back(i % 17 == 5 ? 70 : 1 + i * 7 % 9);
  return sizes;
}

}  // namespace

TEMPLATE_TEST_CASE("groups over ranks: report, losses, gradients", "", float, double) {
  for (std::size_t const n : {0U, 1U, 2U, 5U, 150U}) {
    groups<TestType> const data{some_sizes(n)};
    for (auto const& loss : some_list_losses()) {
      check_ranks(loss, data, false, true);
      check_ranks(loss, data, true, false);
    }
  }
}

TEST_CASE("groups over ranks: the bits of sums, of losses left alone, of a given divisor, and added once") {
  groups<double> const data{some_sizes(40)};
  for (auto const& loss : some_list_losses()) {
    check_ranks(loss, data, true, true, {.reduction = reduction::sum});
    check_ranks(loss, data, true, true, {.reduction = reduction::none});
    check_ranks(loss, data, true, true, {.denominator = 7});
    check_ranks(loss, data, false, true, {.gradient = gradient_write::accumulate});
  }
}

TEMPLATE_TEST_CASE("groups over ranks: what cannot be computed", "", float, double) {
  using T = TestType;
  auto sizes = some_sizes(30);
  sizes[0] = sizes[7] = sizes[29] = 0;
  groups<T> data{sizes};
  data.logp[data.begin(3)] = std::numeric_limits<T>::quiet_NaN();
  data.length[data.begin(12)] = 0;
  any_list_loss const per_token{pro{}};
  for (auto const empty : {on_invalid::skip, on_invalid::propagate}) {
    check_ranks(per_token, data, false, true, {.non_finite = on_invalid::skip, .empty = empty});
    check_ranks(per_token, data, true, false, {.non_finite = on_invalid::skip, .empty = empty});
    check_ranks(per_token, data, false, true, {.empty = empty});
  }
  // Nothing left on any rank.
  for (T& x : data.logp) x = infinity<T>;
  check_ranks(per_token, data, true, true, {.non_finite = on_invalid::skip, .empty = on_invalid::skip});
}

TEST_CASE("groups over ranks: gradients in the place of the log-probs") {
  groups<double> data{some_sizes(20)};
  any_list_loss const loss{adpo{}};
  list_results<double> whole{data};
  auto const expected = evaluate(loss, data.weighted(loss), whole.outputs());
  std::vector<std::size_t> const first{0, 1, 2};
  std::vector<std::size_t> rest(17);
  std::iota(rest.begin(), rest.end(), std::size_t{3});
  std::vector<groups<double>> parts{data.picked(first), data.picked({}), data.picked(rest)};
  std::vector<report> reports(3);
  check_outcomes(run_ranks(3, [&](std::size_t rank, rank_sum& sum) {
    auto& part = parts[rank];
    reports[rank] = evaluate(loss, part.weighted(loss), {.d_logp = part.logp}, {.all_reduce = sum});
  }));
  for (auto const& of_rank : reports) check_report(of_rank, expected, 1e-12);
  std::vector<double> together;
  for (auto const& part : parts) together.insert(together.end(), part.logp.begin(), part.logp.end());
  check_gradients(together, whole.d_logp, 1e-12);
}

TEST_CASE("a rank refuses its groups") {
  struct group_attempt {
    list_batch<double> batch;
    prefopt::options options;
  };
  static std::vector<std::int64_t> const falling{0, 3, 2, 6}, too_short{0, 3}, with_none{0, 3, 3, 6};
  static std::vector<double> const equal(6, 0.5);
  auto const check = [](std::string const& message, std::function<void(group_attempt&)> const& spoil) {
    check_refusals(message, [&](std::size_t rank, bool is_bad, rank_sum& sum) {
      groups<double> const data{{2, 1, 3}, rank};
      any_list_loss const loss{plackett_luce{}};
      list_results<double> written{data};
      group_attempt attempt{data.batch(loss), {.all_reduce = sum}};
      if (is_bad) spoil(attempt);
      try {
        static_cast<void>(evaluate(loss, attempt.batch, written.outputs(), attempt.options));
      } catch (...) {
        if (!written.is_untouched()) throw std::logic_error{"outputs were written although a rank refused"};
        throw;
      }
    });
  };
  check("offsets", [](auto& attempt) { attempt.batch.offsets = falling; });
  check("the number of groups is 1", [](auto& attempt) { attempt.batch.offsets = too_short; });
  check("the number of groups is 0", [](auto& attempt) { attempt.batch.offsets = {}; });
  check("has no candidate", [](auto& attempt) { attempt.batch.offsets = with_none; });
  check("reward[0] and reward[1] of group 0 are both", [](auto& attempt) { attempt.batch.reward = equal; });
  check("weight has 5", [](auto& attempt) { attempt.batch.weight = {equal.data(), 5}; });
  check("denominator is -1", [](auto& attempt) { attempt.options.denominator = -1; });
}
