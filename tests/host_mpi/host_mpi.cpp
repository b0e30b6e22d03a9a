// The library over the ranks of MPI: run with any number of ranks, it gives the numbers of one process.
#include <mpi.h>

#include <algorithm>
#include <chain/host_products.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <prefopt/adapter/mpi.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/loss/adpo.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/modifier/lcpo.hpp>
#include <prefopt/train/annotator_reliability.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using namespace prefopt;

namespace {

int rank = 0, failures = 0;
double worst = 0;

void check(bool holds, std::string const& what) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "rank %d: FAILED: %s\n", rank, what.c_str());
}

void check_near(double got, double expected, std::string const& what) {
  double const error = std::fabs(got - expected) / std::max(1.0, std::fabs(expected));
  worst = std::max(worst, error);
  check(error <= 1e-12, what + " is " + std::to_string(got) + ", expected " + std::to_string(expected));
}

void check_report(report const& got, report const& expected, std::string const& what) {
  check_near(got.loss, expected.loss, what + ": loss");
  check_near(got.accuracy, expected.accuracy, what + ": accuracy");
  check_near(got.margin, expected.margin, what + ": margin");
  check_near(got.chosen_reward, expected.chosen_reward, what + ": chosen_reward");
  check_near(got.rejected_reward, expected.rejected_reward, what + ": rejected_reward");
  check_near(got.best_probability, expected.best_probability, what + ": best_probability");
  check_near(got.weight, expected.weight, what + ": weight");
  check(got.count == expected.count && got.skipped == expected.skipped && got.non_finite == expected.non_finite &&
            got.empty == expected.empty,
        what + ": counts");
}

/// Of numbers that all have one divisor: relative to their size.
void check_gradients(std::vector<double> const& got, std::vector<double> const& expected, std::size_t from,
                     std::string const& what) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    double const right = expected[from + i], error = std::fabs(got[i] - right);
    check(error <= 1e-12 * std::fabs(right), what + ": gradient of " + std::to_string(from + i));
    if (right != 0) worst = std::max(worst, error / std::fabs(right));
  }
}

struct shard {
  std::size_t begin, end;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

/// This rank's shard: as many for each, all for the last, more for higher ranks, and nothing for the first.
std::vector<shard> shards(std::size_t n, std::size_t ranks) {
  auto const own = static_cast<std::size_t>(rank);
  auto const square = [&](std::size_t r) { return n * r * r / (ranks * ranks); };
  std::vector<shard> all{{n * own / ranks, n * (own + 1) / ranks},
                         own + 1 == ranks ? shard{0, n} : shard{0, 0},
                         {square(own), square(own + 1)}};
  if (ranks > 1) {
    all.push_back(own == 0 ? shard{0, 0} : shard{n * (own - 1) / (ranks - 1), n * own / (ranks - 1)});
  }
  return all;
}

constexpr std::size_t pairs = 1000;

struct columns_of_pairs {
  std::vector<double> chosen, rejected, ref_chosen, ref_rejected, weight;
  std::vector<int> annotator;

  columns_of_pairs() {
    for (std::size_t i = 0; i < pairs; ++i) {
      auto const x = static_cast<double>(i);
      chosen.push_back(-30 + 5 * std::sin(3 * x));
      rejected.push_back(-30 + 5 * std::cos(7 * x));
      ref_chosen.push_back(-29 + std::sin(x * x));
      ref_rejected.push_back(-31 + std::cos(x * x));
      weight.push_back(1 + std::sin(x));
      annotator.push_back(static_cast<int>(i * i % 5));
    }
  }

  [[nodiscard]] pair_batch<double> batch(shard const& of) const {
    auto const part = [&](std::vector<double> const& column) {
      return prefopt::column<double>{column.data() + of.begin, of.size()};
    };
    return {.chosen = part(chosen),
            .rejected = part(rejected),
            .ref_chosen = part(ref_chosen),
            .ref_rejected = part(ref_rejected),
            .weight = part(weight)};
  }
};

void compare_pairs(columns_of_pairs const& data, shard const& own, mpi_sum const& sum) {
  std::vector<double> whole_chosen(pairs), whole_rejected(pairs), d_chosen(own.size()), d_rejected(own.size());
  auto const expected =
      evaluate(dpo{}, data.batch({0, pairs}), {.d_chosen = whole_chosen, .d_rejected = whole_rejected});
  auto const seen =
      evaluate(dpo{}, data.batch(own), {.d_chosen = d_chosen, .d_rejected = d_rejected}, {.all_reduce = sum});
  check_report(seen, expected, "pairs");
  check_gradients(d_chosen, whole_chosen, own.begin, "chosen");
  check_gradients(d_rejected, whole_rejected, own.begin, "rejected");
}

/// Four candidates a group: the log-probs of pairs 2 i and 2 i + 1.
void compare_groups(columns_of_pairs const& data, shard const& own, mpi_sum const& sum) {
  std::vector<double> logp, reward;
  for (std::size_t i = 0; i < pairs; i += 2) {
    logp.insert(logp.end(), {data.chosen[i], data.rejected[i], data.chosen[i + 1], data.rejected[i + 1]});
    reward.insert(reward.end(), {1.0, 0.0, 0.5, -0.5});
  }
  auto const batch = [&](shard const& of, std::vector<int>& offsets) {
    for (std::size_t i = 0; i <= of.size(); ++i) offsets.push_back(static_cast<int>(4 * i));
    return list_batch<double>{.logp = {logp.data() + 4 * of.begin, 4 * of.size()},
                              .reward = {reward.data() + 4 * of.begin, 4 * of.size()},
                              .weight = {data.weight.data() + of.begin, of.size()},
                              .offsets = offsets};
  };
  std::vector<double> whole(logp.size()), d_logp(4 * own.size());
  std::vector<int> whole_offsets, offsets;
  auto const expected = evaluate(adpo{}, batch({0, pairs / 2}, whole_offsets), {.d_logp = whole});
  auto const seen = evaluate(adpo{}, batch(own, offsets), {.d_logp = d_logp}, {.all_reduce = sum});
  check_report(seen, expected, "groups");
  check_gradients(d_logp, whole, 4 * own.begin, "candidates");
}

/// Five epochs of a loss that learns how reliable each annotator is; the last of them has no pair.
std::vector<double> learnt(columns_of_pairs data, shard const& own, all_reduce const& sum) {
  annotator_reliability reliability{6, 0.7, 0.5};
  std::vector<int> const ids{data.annotator.begin() + static_cast<std::ptrdiff_t>(own.begin),
                             data.annotator.begin() + static_cast<std::ptrdiff_t>(own.end)};
  std::vector<double> column(own.size()), posterior(own.size()), d_chosen(own.size());
  for (int epoch = 0; epoch < 5; ++epoch) {
    reliability.fill(ids, column);
    auto batch = data.batch(own);
    batch.reliability = column;
    evaluate(lcpo<dpo>{.base = {.beta = 0.3}}, batch, {.d_chosen = d_chosen, .posterior = posterior},
             {.all_reduce = sum});
    reliability.accumulate(ids, posterior);
    reliability.update(sum);
    for (std::size_t i = 0; i < own.size(); ++i) data.chosen[own.begin + i] -= 500 * d_chosen[i];
  }
  return {reliability.values().begin(), reliability.values().end()};
}

void compare_reliability(columns_of_pairs const& data, shard const& own, mpi_sum const& sum) {
  auto const expected = learnt(data, {0, pairs}, {}), got = learnt(data, own, sum);
  for (std::size_t k = 0; k < expected.size(); ++k) {
    check_near(got[k], expected[k], "reliability of annotator " + std::to_string(k));
  }
  check(expected[0] != 0.7 && expected[5] == 0.7, "reliabilities are learnt where there are pairs");
}

template <class Call>
std::string refusal(Call const& call) {
  try {
    call();
  } catch (std::invalid_argument const& error) {
    return error.what();
  }
  return "no error";
}

/// Each rank in turn gets a loss that it must refuse: all throw, each with its reason, and all go on.
void compare_refusals(columns_of_pairs const& data, shard const& own, mpi_sum const& sum) {
  for (int bad = 0; bad < sum.ranks(); ++bad) {
    std::vector<double> d_chosen(own.size(), -1);
    auto const text = refusal([&] {
      evaluate(dpo{.beta = rank == bad ? -1.0 : 0.1}, data.batch(own), {.d_chosen = d_chosen}, {.all_reduce = sum});
    });
    std::string const expected = rank == bad ? "prefopt::dpo: beta is -1" : "prefopt::evaluate: another rank refused";
    check(text.starts_with(expected), "a refusal says '" + text + "', expected '" + expected + "'");
    check(std::all_of(d_chosen.begin(), d_chosen.end(), [](double x) { return x == -1; }), "nothing is written");
    compare_pairs(data, own, sum);
  }
}

/// Two halves of the ranks, each with a batch of its own.
void compare_halves(columns_of_pairs const& data) {
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
  mpi_sum const sum{half};
  std::size_t const from = rank % 2 == 0 ? 0 : 400, count = rank % 2 == 0 ? 400 : 600;
  auto const own = static_cast<std::size_t>(sum.rank()), ranks = static_cast<std::size_t>(sum.ranks());
  auto const seen = evaluate(dpo{}, data.batch({from + count * own / ranks, from + count * (own + 1) / ranks}), {},
                             {.all_reduce = sum});
  check_report(seen, evaluate(dpo{}, data.batch({from, from + count})), "half of the ranks");
  MPI_Comm_free(&half);
}

/// A head whose vocabulary lies on the ranks, under a loss: each has more of it than the one before, and the first, of
/// many, has none.
void compare_heads(mpi_sum const& sum) {
  constexpr std::size_t rows = 24, vocabulary = 301, width = 6;
  std::vector<double> hidden(rows * width), weight(vocabulary * width);
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] = 2 * std::sin(static_cast<double>(i * i));
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = std::cos(static_cast<double>(3 * i * i + i));
  for (std::size_t i = 0; i < rows; ++i)
    labels.push_back(i % 5 == 3 ? -100 : static_cast<std::int64_t>(i * 97 % vocabulary));
  std::vector<double> const reference{-30, -40, -35, -50};
  struct results {
    double loss;
    std::vector<double> hidden, weight;
  };
  auto const step = [&](std::size_t first, std::size_t count, vocabulary_shard const& shard) {
    results got{0, std::vector<double>(hidden.size()), std::vector<double>(count * width)};
    linear_policy<double, plain_product<double>> policy{
        .head = {.hidden = {hidden.data(), rows, width}, .weight = {weight.data() + first * width, count, width}},
        .tokens = {.labels = labels, .tokens_per_sequence = 6},
        .memory_budget = 40000,
        .shard = shard};
    policy.gradients = {.hidden = {got.hidden.data(), rows, width}, .weight = {got.weight.data(), count, width}};
    got.loss = evaluate(dpo{}, policy, {.ref_log_prob = reference}).loss;
    return got;
  };
  auto const expected = step(0, vocabulary, {});
  auto const ranks = static_cast<std::size_t>(sum.ranks()), own = static_cast<std::size_t>(rank);
  auto const begin = [&](std::size_t r) { return vocabulary * r * r / (ranks * ranks); };
  auto const got =
      step(begin(own), begin(own + 1) - begin(own),
           {.all_reduce = sum, .first = begin(own), .vocabulary = vocabulary, .rank = own, .ranks = ranks});
  check_near(got.loss, expected.loss, "head: loss");
  for (std::size_t i = 0; i < hidden.size(); ++i) check_near(got.hidden[i], expected.hidden[i], "head: d_hidden");
  for (std::size_t i = 0; i < got.weight.size(); ++i) {
    check_near(got.weight[i], expected.weight[begin(own) * width + i], "head: d_weight");
  }
  auto const text = refusal([&] {
    step(begin(own), begin(own + 1) - begin(own),
         {.all_reduce = sum, .first = begin(own), .vocabulary = vocabulary + 1, .rank = own, .ranks = ranks});
  });
  check(text == "prefopt::linear head: the shards have 301 tokens together, shard.vocabulary is 302",
        "a shard too few says '" + text + "'");
}

void check_errors() {
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  auto const text = refusal([] { static_cast<void>(mpi_sum{MPI_COMM_NULL}.rank()); });
  check(text.starts_with("prefopt::mpi_sum: ") && text.size() > 25, "an error of MPI says '" + text + "'");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  mpi_sum const sum;
  rank = sum.rank();
  columns_of_pairs const data;
  auto const ranks = static_cast<std::size_t>(sum.ranks());
  for (auto const& own : shards(pairs, ranks)) {
    compare_pairs(data, own, sum);
    compare_reliability(data, own, sum);
    compare_refusals(data, own, sum);
  }
  for (auto const& own : shards(pairs / 2, ranks)) compare_groups(data, own, sum);
  compare_halves(data);
  compare_heads(sum);
  check_errors();

  sum({});
  double total[] = {worst, static_cast<double>(failures)};
  MPI_Allreduce(MPI_IN_PLACE, total, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  sum({total + 1, 1});
  if (rank == 0) std::printf("%zu ranks: largest difference to one process %.2g\n", ranks, total[0]);
  MPI_Finalize();
  return total[1] == 0 ? 0 : 1;
}
