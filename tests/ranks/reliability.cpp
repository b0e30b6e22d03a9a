// lcpo over ranks: every annotator's reliability is learnt from all ranks' posteriors.
#include <engine/pairs.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/modifier/lcpo.hpp>
#include <prefopt/train/annotator_reliability.hpp>

#include "shards.hpp"

using namespace prefopt;

namespace {

constexpr std::size_t annotators = 4;  // the last one has no pair

struct course {
  std::vector<double> eta;  ///< of all annotators, after every epoch
  std::vector<double> posterior;
  std::vector<report> reports;
};

/// Some epochs on one rank's pairs; the log-probs move, or nothing would be learnt after the first.
template <class T>
course learnt(pairs<T> const& data, std::size_t begin, std::size_t end, double rate, all_reduce const& sum) {
  constexpr int epochs = 5;
  std::size_t const n = end - begin;
  std::vector<std::uint32_t> ids;
  std::vector<T> chosen, rejected;
  for (std::size_t i = begin; i < end; ++i) {
    ids.push_back(static_cast<std::uint32_t>(i * i % 3));
    chosen.push_back(data.chosen[i]);
    rejected.push_back(data.rejected[i]);
  }
  annotator_reliability reliability{annotators, 0.8, rate};
  std::vector<T> column(n), posterior(n), d_chosen(n), d_rejected(n);
  course result;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    reliability.fill(ids, column);
    result.reports.push_back(evaluate(lcpo<dpo>{.base = {.beta = 0.5}},
                                      pair_batch<T>{.chosen = chosen,
                                                    .rejected = rejected,
                                                    .ref_chosen = {data.ref_chosen.data() + begin, n},
                                                    .ref_rejected = {data.ref_rejected.data() + begin, n},
                                                    .weight = {data.weight.data() + begin, n},
                                                    .reliability = column},
                                      {.d_chosen = d_chosen, .d_rejected = d_rejected, .posterior = posterior},
                                      {.all_reduce = sum}));
    reliability.accumulate(ids, posterior);
    reliability.update(sum);
    result.eta.insert(result.eta.end(), reliability.values().begin(), reliability.values().end());
    for (std::size_t i = 0; i < n; ++i) {
      chosen[i] -= 50 * d_chosen[i];
      rejected[i] -= 50 * d_rejected[i];
    }
  }
  result.posterior.assign(posterior.begin(), posterior.end());
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("the reliabilities that ranks learn are those of one process, and the same on every rank", "", float,
                   double) {
  pairs<TestType> const data{90};
  double const tolerance = std::is_same_v<TestType, double> ? 1e-12 : 1e-5;
  for (double const rate : {1.0, 0.1}) {
    auto const expected = learnt(data, 0, data.size(), rate, {});
    CHECK(expected.eta[annotators - 1] == 0.8);
    CHECK(expected.eta[0] != 0.8);
    for (auto const& bounds : shards_of(data.size())) {
      CAPTURE(rate, bounds);
      std::vector<course> courses(bounds.size() - 1);
      auto const outcomes = run_ranks(courses.size(), [&](std::size_t rank, rank_sum& sum) {
        courses[rank] = learnt(data, bounds[rank], bounds[rank + 1], rate, sum);
      });
      std::vector<double> posterior;
      for (std::size_t rank = 0; rank < courses.size(); ++rank) {
        CHECK(outcomes[rank].error == "no error");
        CHECK(outcomes[rank].values == 2 * annotators);
        CHECK(courses[rank].eta == courses[0].eta);
        check_gradients(courses[rank].eta, expected.eta, tolerance);
        REQUIRE(courses[rank].reports.size() == expected.reports.size());
        for (std::size_t i = 0; i < expected.reports.size(); ++i) {
          check_report(courses[rank].reports[i], expected.reports[i], tolerance);
        }
        posterior.insert(posterior.end(), courses[rank].posterior.begin(), courses[rank].posterior.end());
      }
      // Posteriors may be as small as the sigmoid of a large margin.
      for (std::size_t i = 0; i < posterior.size(); ++i) CHECK(is_near(posterior[i], expected.posterior[i], tolerance));
      if (courses.size() == 1) CHECK(courses[0].eta == expected.eta);
    }
  }
}

TEST_CASE("one rank's update with an all-reduce is its update without") {
  std::vector<int> const ids{0, 1, 1};
  std::vector<double> const posterior{0.25, 1, 0.5};
  annotator_reliability with{2}, without{2};
  with.accumulate(ids, posterior);
  without.accumulate(ids, posterior);
  with.update(all_reduce{});
  without.update();
  CHECK(std::vector(with.values().begin(), with.values().end()) ==
        std::vector(without.values().begin(), without.values().end()));
}
