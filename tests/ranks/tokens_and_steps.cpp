// Token log-probs, policies' logits and training steps over ranks: the numbers of one process, in one call each.
#include <chain/sequences.hpp>
#include <engine/pairs.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/loss/adpo.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/simpo.hpp>
#include <prefopt/train/step.hpp>

#include "shards.hpp"

using namespace prefopt;

namespace {

constexpr std::size_t examples = 24;

/// Two candidates of one token an example; logits are parameters, one a candidate, and the log-prob is linear in them.
struct linear_host {
  std::vector<double> weights, gradient = std::vector<double>(weights.size(), 0.0);

  static double feature(std::size_t candidate, std::size_t k) {
    return std::sin(static_cast<double>(candidate * 13 + k * 7 + 1));
  }
  [[nodiscard]] double score(std::size_t candidate) const {
    double sum = -1;
    for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * feature(candidate, k);
    return sum;
  }
  void add(std::size_t candidate, double d) {
    for (std::size_t k = 0; k < weights.size(); ++k) gradient[k] += d * feature(candidate, k);
  }

  using batch = std::vector<std::size_t>;
  void log_probs(batch const& indices, pair_log_probs<double> const& out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      out.chosen[i] = score(2 * indices[i]);
      out.rejected[i] = score(2 * indices[i] + 1);
      if (!out.chosen_length.empty()) out.chosen_length[i] = out.rejected_length[i] = 2;
    }
  }
  void backward(batch const& indices, pair_gradients<double> const& d) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      add(2 * indices[i], d.chosen[i]);
      add(2 * indices[i] + 1, d.rejected[i]);
    }
  }
  void log_probs(batch const& indices, list_log_probs<double> const& out) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      out.logp[2 * i] = score(2 * indices[i]);
      out.logp[2 * i + 1] = score(2 * indices[i] + 1);
      if (!out.length.empty()) out.length[2 * i] = out.length[2 * i + 1] = 2;
    }
  }
  void backward(batch const& indices, list_gradients<double> const& d) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      add(2 * indices[i], d.logp[2 * i]);
      add(2 * indices[i] + 1, d.logp[2 * i + 1]);
    }
  }
};

std::vector<std::size_t> indices_from(std::size_t begin, std::size_t end) {
  std::vector<std::size_t> indices;
  for (std::size_t i = begin; i < end; ++i) indices.push_back(i);
  return indices;
}

std::vector<double> some_weights() {
  std::vector<double> weights;
  for (std::size_t i = 0; i < examples; ++i) weights.push_back(static_cast<double>(i * 5 % 7) / 3);
  return weights;
}

/// A host that trains for some steps, each rank on its part of all examples; the gradient is added up like the sums.
/// `step(host, begin, end, options)` returns the report of one step.
template <class Step>
std::pair<std::vector<double>, report> trained(std::vector<std::size_t> const& bounds, Step const& step) {
  std::size_t const ranks = bounds.size() - 1;
  std::vector<linear_host> hosts(ranks, linear_host{std::vector<double>(5, 0.1)});
  std::vector<report> reports(ranks);
  constexpr int steps = 6;
  auto const outcomes = run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
    auto& host = hosts[rank];
    auto take = step();
    for (int i = 0; i < steps; ++i) {
      reports[rank] = take(host, bounds[rank], bounds[rank + 1], options{.all_reduce = sum});
      sum(host.gradient);
      for (std::size_t k = 0; k < host.weights.size(); ++k) {
        host.weights[k] -= 0.5 * host.gradient[k];
        host.gradient[k] = 0;
      }
    }
  });
  for (auto const& outcome : outcomes) {
    CHECK(outcome.error == "no error");
    CHECK(outcome.calls == 2 * steps);
  }
  for (std::size_t rank = 1; rank < ranks; ++rank) {
    CHECK(hosts[rank].weights == hosts[0].weights);
    check_report(reports[rank], reports[0], 0);
  }
  return {hosts[0].weights, reports[0]};
}

template <class Step>
void check_training(Step const& step) {
  auto const [weights, expected] = trained({0, examples}, step);
  CHECK(weights != std::vector<double>(5, 0.1));
  for (auto const& bounds : shards_of(examples)) {
    CAPTURE(bounds);
    auto const [got, seen] = trained(bounds, step);
    check_gradients(got, weights, 1e-12);
    check_report(seen, expected, 1e-12);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("token log-probs over ranks", "", float, double) {
  using T = TestType;
  double const tolerance = std::is_same_v<T, double> ? 1e-12 : 2e-6;
  // A completion without a token among them, which follows options.empty.
  std::vector<T> chosen, rejected, reference_chosen, reference_rejected, weight;
  std::vector<std::int64_t> offsets{0};
  oracle::random_numbers random{3};
  for (std::size_t i = 0; i < examples; ++i) {
    offsets.push_back(offsets.back() + (i == 4 ? 0 : static_cast<std::int64_t>(1 + i % 5)));
    reference_chosen.push_back(static_cast<T>(random.uniform(-9, 0)));
    reference_rejected.push_back(static_cast<T>(random.uniform(-9, 0)));
    weight.push_back(static_cast<T>(random.uniform()));
  }
  for (std::int64_t k = 0; k < offsets.back(); ++k) {
    chosen.push_back(static_cast<T>(random.uniform(-4, 0)));
    rejected.push_back(static_cast<T>(random.uniform(-4, 0)));
  }
  auto const evaluate_part = [&](std::size_t begin, std::size_t end, std::vector<T>& d_chosen,
                                 std::vector<T>& d_rejected, options const& given) {
    std::size_t const n = end - begin;
    auto const first = static_cast<std::size_t>(offsets[begin]);
    auto const tokens = static_cast<std::size_t>(offsets[end]) - first;
    std::vector<std::int64_t> own;
    for (std::size_t i = begin; i <= end; ++i) own.push_back(offsets[i] - offsets[begin]);
    using view = packed_tokens<T>;
    return evaluate(dpo{},
                    token_pair_batch<view>{.chosen = {.log_prob = {chosen.data() + first, tokens}, .offsets = own},
                                           .rejected = {.log_prob = {rejected.data() + first, tokens}, .offsets = own},
                                           .ref_chosen = {reference_chosen.data() + begin, n},
                                           .ref_rejected = {reference_rejected.data() + begin, n},
                                           .weight = {weight.data() + begin, n}},
                    {.d_chosen = {d_chosen.data() + first, tokens}, .d_rejected = {d_rejected.data() + first, tokens}},
                    given);
  };
  std::vector<T> const empty(chosen.size(), T(-77));
  auto whole_chosen = empty, whole_rejected = empty;
  auto const expected = evaluate_part(0, examples, whole_chosen, whole_rejected, options{.empty = on_invalid::skip});
  CHECK(expected.skipped == 1);
  for (auto const& bounds : shards_of(examples)) {
    CAPTURE(bounds);
    auto d_chosen = empty, d_rejected = empty;
    std::vector<report> reports(bounds.size() - 1);
    check_outcomes(run_ranks(reports.size(), [&](std::size_t rank, rank_sum& sum) {
      reports[rank] = evaluate_part(bounds[rank], bounds[rank + 1], d_chosen, d_rejected,
                                    options{.empty = on_invalid::skip, .all_reduce = sum});
    }));
    for (auto const& of_rank : reports) check_report(of_rank, expected, tolerance);
    check_gradients(d_chosen, whole_chosen, tolerance);
    check_gradients(d_rejected, whole_rejected, tolerance);
  }
}

TEMPLATE_TEST_CASE("logits over ranks: as pairs and as groups, into memory of their own and in place", "", float,
                   double) {
  using T = TestType;
  double const tolerance = std::is_same_v<T, double> ? 1e-12 : 4e-6;
  sequences<T> const data{2 * examples, 11, 5};
  std::vector<T> const reference(2 * examples, T(-3));
  std::vector<T> weight;
  for (double const w : some_weights()) weight.push_back(static_cast<T>(w));

  // Example i is sequences 2 i and 2 i + 1.
  auto const evaluate_part = [&](bool as_groups, std::size_t begin, std::size_t end, T const* logits, T* gradient,
                                 options const& given) {
    std::size_t const n = end - begin, first = static_cast<std::size_t>(data.offsets[2 * begin]),
                      rows = static_cast<std::size_t>(data.offsets[2 * end]) - first;
    std::vector<std::int64_t> offsets, chosen, rejected, groups{0};
    for (std::size_t i = 2 * begin; i <= 2 * end; ++i) offsets.push_back(data.offsets[i] - data.offsets[2 * begin]);
    for (std::size_t i = 0; i < n; ++i) {
      chosen.push_back(static_cast<std::int64_t>(2 * i));
      rejected.push_back(static_cast<std::int64_t>(2 * i + 1));
      groups.push_back(static_cast<std::int64_t>(2 * i + 2));
    }
    auto const stride = static_cast<std::ptrdiff_t>(data.stride);
    logit_policy<T> const policy{.logits = {logits + first * data.stride, rows, data.vocabulary, stride},
                                 .tokens = {.labels = {data.labels.data() + first, rows}, .offsets = offsets},
                                 .d_logits = {gradient + first * data.stride, rows, data.vocabulary, stride}};
    column<T> const of_reference{reference.data() + 2 * begin, 2 * n}, of_weight{weight.data() + begin, n};
    if (as_groups) {
      std::vector<T> rewards;
      for (std::size_t i = 0; i < n; ++i) rewards.insert(rewards.end(), {T(1), T(0)});
      return evaluate(
          adpo{}, policy,
          policy_groups<T>{.offsets = groups, .ref_log_prob = of_reference, .reward = rewards, .weight = of_weight}, {},
          given);
    }
    return evaluate(
        dpo{}, policy,
        policy_pairs<T>{.chosen = chosen, .rejected = rejected, .ref_log_prob = of_reference, .weight = of_weight}, {},
        given);
  };
  for (bool const as_groups : {false, true}) {
    auto whole = data.memory;
    auto const expected = evaluate_part(as_groups, 0, examples, data.memory.data(), whole.data(), options{});
    for (auto const& bounds : shards_of(examples)) {
      for (bool const in_place : {false, true}) {
        CAPTURE(as_groups, bounds, in_place);
        auto gradient = data.memory;
        std::vector<report> reports(bounds.size() - 1);
        check_outcomes(run_ranks(reports.size(), [&](std::size_t rank, rank_sum& sum) {
          reports[rank] =
              evaluate_part(as_groups, bounds[rank], bounds[rank + 1], in_place ? gradient.data() : data.memory.data(),
                            gradient.data(), options{.all_reduce = sum});
        }));
        for (auto const& of_rank : reports) check_report(of_rank, expected, tolerance);
        check_gradients(gradient, whole, tolerance);
      }
    }
  }
}

TEST_CASE("steps over ranks train as one process does: pairs") {
  auto const weights = some_weights();
  check_training([&] {
    return [&, step = pair_step<double>{}, reference = frozen_reference{linear_host{std::vector<double>(5, 0.05)}}](
               linear_host& host, std::size_t begin, std::size_t end, options const& given) mutable {
      return step(dpo{}, host, reference, indices_from(begin, end), {.weight = {weights.data() + begin, end - begin}},
                  given);
    };
  });
  check_training([&] {
    return [step = pair_step<double>{}, reference = no_reference{}](linear_host& host, std::size_t begin,
                                                                    std::size_t end, options const& given) mutable {
      return step(any_pair_loss{simpo{}}, host, reference, indices_from(begin, end), {}, given);
    };
  });
}

TEST_CASE("steps over ranks train as one process does: groups") {
  auto const weights = some_weights();
  check_training([&] {
    return [&, step = list_step<double>{}, reference = frozen_reference{linear_host{std::vector<double>(5, 0.05)}}](
               linear_host& host, std::size_t begin, std::size_t end, options const& given) mutable {
      std::vector<std::int64_t> offsets{0};
      std::vector<double> reward;
      for (std::size_t i = begin; i < end; ++i) {
        offsets.push_back(offsets.back() + 2);
        reward.insert(reward.end(), {1.0, 0.0});
      }
      return step(any_list_loss{adpo{}}, host, reference, indices_from(begin, end),
                  {.offsets = offsets, .reward = reward, .weight = {weights.data() + begin, end - begin}}, given);
    };
  });
}
