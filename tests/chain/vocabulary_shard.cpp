// A head whose vocabulary lies on several ranks gives what one process gives.
#include <cstdio>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/loss/dpo.hpp>
#include <ranks/rank_group.hpp>

#include "host_products.hpp"
#include "linear_data.hpp"
#include "trained_head.hpp"

using prefopt::gradient_write;
using prefopt::linear_options;
using prefopt::vocabulary_shard;

namespace {

/// Where each rank's tokens begin: as many for each, ever more, and none for the first.
std::vector<std::vector<std::size_t>> ways_to_share(std::size_t vocabulary, std::size_t ranks) {
  std::vector<std::vector<std::size_t>> ways(3);
  for (std::size_t rank = 0; rank <= ranks; ++rank) {
    ways[0].push_back(vocabulary * rank / ranks);
    ways[1].push_back(vocabulary * rank * rank / (ranks * ranks));
    ways[2].push_back(rank < 2 ? 0 : vocabulary * (rank - 1) / (ranks - 1));
  }
  ways[2][ranks] = vocabulary;
  return ways;
}

template <class T>
struct rank_results {
  std::vector<T> log_prob, entropy, square_sum, highest;
  std::vector<double> log_sum_exp;
  std::vector<T> hidden, weight, bias;

  explicit rank_results(std::size_t rows)
      : log_prob(rows), entropy(rows), square_sum(rows), highest(rows), log_sum_exp(rows) {}
};

/// The head of one rank and what it finds.
template <class U, class Product>
auto run_rank(linear_data<U> const& data, std::size_t first, std::size_t count, vocabulary_shard const& shard,
              linear_options options, double before) {
  using T = prefopt::detail::computed_of<U>;
  rank_results<T> got{data.rows};
  prefopt::linear_head<U> head{.hidden = data.head().hidden,
                               .weight = {data.weight.data() + first * data.weight_stride(), count, data.width,
                                          static_cast<std::ptrdiff_t>(data.weight_stride())},
                               .bias = {data.bias.data() + first, count}};
  options.shard = shard;
  linear_token_logprobs(head, data.labels,
                        {.log_prob = got.log_prob,
                         .log_sum_exp = got.log_sum_exp,
                         .entropy = got.entropy,
                         .square_sum = got.square_sum,
                         .highest = got.highest},
                        Product{}, options);
  got.hidden.assign(data.rows * data.width, static_cast<T>(before));
  got.weight.assign(count * data.width, static_cast<T>(before));
  got.bias.assign(count, static_cast<T>(before));
  options.gradient = before != 0 ? gradient_write::accumulate : gradient_write::assign;
  linear_token_logprob_gradients(head, data.labels, got.log_sum_exp, data.d_log_prob,
                                 {.hidden = {got.hidden.data(), data.rows, data.width},
                                  .weight = {got.weight.data(), count, data.width},
                                  .bias = got.bias},
                                 Product{}, options);
  return got;
}

template <class T>
bool is_same(rank_results<T> const& a, rank_results<T> const& b) {
  return same_numbers(a.log_prob, b.log_prob) && same_numbers(a.entropy, b.entropy) &&
         same_numbers(a.square_sum, b.square_sum) && same_numbers(a.highest, b.highest) &&
         same_numbers(a.log_sum_exp, b.log_sum_exp) && same_numbers(a.hidden, b.hidden);
}

template <class U, class Product>
void check_shards(char const* name, std::size_t vocabulary) {
  using T = prefopt::detail::computed_of<U>;
  using factor = prefopt::detail::factor_of<Product, U>;
  linear_data<U> const data{11, vocabulary, 5};
  T const before = T(0.75);
  linear_truth<U, factor> const truth{data}, added{data, before};
  rank_results<T> one{data.rows};
  linear_token_logprobs(data.head(), data.labels,
                        {.entropy = one.entropy, .square_sum = one.square_sum, .highest = one.highest}, Product{});
  worst_share log_probs, gradients;
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    for (auto const& bounds : ways_to_share(vocabulary, ranks)) {
      if (ranks == 1 && bounds[1] != vocabulary) continue;
      for (std::size_t const rows_at_once : {1U, 3U, 100U}) {
        for (bool const adds : {false, true}) {
          INFO(name << ", " << ranks << " ranks, " << rows_at_once << " rows at once");
          std::vector<rank_results<T>> got(ranks, rank_results<T>{0});
          auto const outcomes = run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
            // The ranks have room for more or fewer rows, and go on with what all have.
            std::size_t const budget =
                4000 + (rows_at_once + rank) * (vocabulary + 16 + 2 * ranks * 16) * sizeof(double);
            got[rank] = run_rank<U, Product>(
                data, bounds[rank], bounds[rank + 1] - bounds[rank],
                {.all_reduce = sum, .first = bounds[rank], .vocabulary = vocabulary, .rank = rank, .ranks = ranks},
                {.memory_budget = budget}, adds ? static_cast<double>(before) : 0);
          });
          linear_results<T> all{data, adds ? before : linear_results<T>::untouched};
          for (std::size_t rank = 0; rank < ranks; ++rank) {
            REQUIRE(outcomes[rank].error == "no error");
            CHECK(is_same(got[rank], got[0]));
            for (std::size_t j = bounds[rank]; j < bounds[rank + 1]; ++j) {
              std::size_t const own = j - bounds[rank];
              std::copy_n(got[rank].weight.data() + own * data.width, data.width, all.weight.data() + j * all.stride);
              all.bias[j] = got[rank].bias[own];
            }
          }
          for (std::size_t i = 0; i < data.rows; ++i) {
            std::copy_n(got[0].hidden.data() + i * data.width, data.width, all.hidden.data() + i * all.stride);
            double const tolerance = std::same_as<T, float> ? 1e-6 : 1e-13;
            CHECK(std::fabs(got[0].entropy[i] - one.entropy[i]) <=
                  tolerance * (1 + static_cast<double>(one.entropy[i])));
            CHECK(std::fabs(got[0].square_sum[i] - one.square_sum[i]) <= tolerance);
            CHECK(got[0].highest[i] == one.highest[i]);
          }
          truth.check_log_probs(got[0].log_prob, log_probs);
          (adds ? added : truth).check_gradients(all, gradients);
        }
      }
    }
  }
  std::printf("%-20s over ranks: largest error of log-probs %.3Lf, of gradients %.3Lf of the bounds of one process\n",
              name, log_probs.share, gradients.share);
}

}  // namespace

TEST_CASE("a vocabulary on 1 to 4 ranks, in even and uneven shards, is within the bounds of one process") {
  check_shards<double, plain_product<double>>("double", 13);
  check_shards<float, plain_product<float>>("float", 600);
  check_shards<prefopt::bfloat16, plain_product<float>>("bfloat16 as float", 13);
  check_shards<prefopt::bfloat16, plain_half_product<prefopt::bfloat16>>("bfloat16 as it is", 13);
}

TEST_CASE("logits of any size, of masked tokens and of none that can be, over ranks") {
  double const infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  // One hidden state a row, and weights of 1: the bias is the logits. Each row has its own, so each is its own call.
  std::vector<std::vector<double>> const rows{{3e300, -3e300, 1e300, 2.9e300, -1},
                                              {-infinity, 2, 3, -infinity, -infinity},
                                              {-800, -1600, 800, 900, 1000},
                                              {-infinity, -infinity, 1, 2, 3},
                                              {5, 5, 5, 5, 5},
                                              {-1e5, -1e5 - 800, -1e5 + 1, 0, 1},
                                              {1, 2, nan, 3, 4},
                                              {1, 2, infinity, 3, 4},
                                              {-infinity, -infinity, -infinity, -infinity, -infinity}};
  // A factor above 1 takes the lowest number beyond all.
  std::vector<prefopt::logit_transform> const transforms{
      {}, {.temperature = 0.5}, {.soft_cap = 30, .temperature = 0.5}, {.scale = 0.5, .soft_cap = 2, .temperature = 4}};
  for (std::size_t which = 0; which < rows.size() * transforms.size(); ++which) {
    auto const& logits = rows[which / transforms.size()];
    auto const& transform = transforms[which % transforms.size()];
    for (std::int64_t label = 0; label < 5; ++label) {
      std::vector<double> const hidden{0};
      std::vector<double> weight(5, 1.0);
      std::vector<std::int64_t> const labels{label};
      auto const run = [&](std::size_t first, std::size_t count, vocabulary_shard const& shard) {
        std::vector<double> found(5 + 5);
        prefopt::linear_head<double> const head{.hidden = {hidden.data(), 1, 1},
                                                .weight = {weight.data(), count, 1},
                                                .bias = {logits.data() + first, count}};
        linear_options const options{.transform = transform, .shard = shard};
        linear_token_logprobs(head, labels,
                              {.log_prob = {found.data(), 1},
                               .log_sum_exp = {found.data() + 1, 1},
                               .entropy = {found.data() + 2, 1},
                               .square_sum = {found.data() + 3, 1},
                               .highest = {found.data() + 4, 1}},
                              plain_product<double>{}, options);
        std::vector<double> const log_sum_exp{found[1]}, slope{1};
        linear_token_logprob_gradients(head, labels, log_sum_exp, slope, {.bias = {found.data() + 5 + first, count}},
                                       plain_product<double>{}, options);
        return found;
      };
      auto const one = run(0, 5, {});
      for (std::size_t const split : {1U, 2U, 4U}) {
        std::vector<std::vector<double>> got(2);
        auto const outcomes = run_ranks(2, [&](std::size_t rank, rank_sum& sum) {
          std::size_t const first = rank == 0 ? 0 : split;
          got[rank] = run(first, rank == 0 ? split : 5 - split,
                          {.all_reduce = sum, .first = first, .vocabulary = 5, .rank = rank, .ranks = 2});
        });
        CHECK(outcomes[0].error + outcomes[1].error == "no errorno error");
        for (std::size_t i = 0; i < one.size(); ++i) {
          double const seen = i < 5 ? got[0][i] : got[i < 5 + split ? 0 : 1][i];
          INFO("label " << label << " of " << logits[0] << ", " << logits[1] << " …, split at " << split << ", number "
                        << i << " under transform " << which % transforms.size() << " is " << seen
                        << ", of one process " << one[i]);
          bool const is_near =
              same_number(seen, one[i]) || std::fabs(seen - one[i]) <= 1e-13 * std::fabs(one[i]) + 1e-300;
          CHECK(is_near);
        }
      }
    }
  }
}

TEST_CASE("a shard's traffic is what its documentation says") {
  linear_data<double> const data{11, 13, 5};
  std::size_t const counted = data.counted();
  for (std::size_t const ranks : {1U, 2U, 4U}) {
    std::vector<std::size_t> calls(ranks), numbers(ranks);
    run_ranks(ranks, [&](std::size_t rank, rank_sum& sum) {
      auto counting = [&](std::span<double> values) {
        ++calls[rank];
        numbers[rank] += values.size();
        sum(values);
      };
      std::size_t const first = 13 * rank / ranks, last = 13 * (rank + 1) / ranks;
      std::vector<double> log_prob(11), log_sum_exp(11), d_hidden(11 * 5);
      prefopt::linear_head<double> head = data.head();
      head.weight = head.weight.rows_from(first, last - first);
      head.bias = {};
      linear_options const options{
          .shard = {.all_reduce = counting, .first = first, .vocabulary = 13, .rank = rank, .ranks = ranks}};
      linear_token_logprobs(head, data.labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp},
                            plain_product<double>{}, options);
      linear_token_logprob_gradients(head, data.labels, log_sum_exp, data.d_log_prob,
                                     {.hidden = {d_hidden.data(), 11, 5}}, plain_product<double>{}, options);
    });
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      CHECK(numbers[rank] == 2 * (1 + 7 * ranks) + counted * (1 + 2 * ranks) + counted * 5);
      CHECK(calls[rank] == 4);
    }
  }
}

TEST_CASE("what one rank refuses all ranks refuse, and so do they shards that do not fit") {
  linear_data<double> const data{6, 13, 5};
  auto const errors = [&](auto const& change) {
    std::vector<double> log_prob(6, -77);
    auto const outcomes = run_ranks(2, [&](std::size_t rank, rank_sum& sum) {
      vocabulary_shard shard{
          .all_reduce = sum, .first = rank == 0 ? 0U : 6U, .vocabulary = 13, .rank = rank, .ranks = 2};
      std::size_t count = rank == 0 ? 6 : 7;
      auto labels = data.labels;
      change(rank, shard, count, labels);
      prefopt::linear_head<double> const head{.hidden = data.head().hidden,
                                              .weight = data.head().weight.rows_from(0, count)};
      std::vector<double> own(6, -77);
      try {
        linear_token_logprobs(head, labels, {.log_prob = own}, plain_product<double>{}, {.shard = shard});
      } catch (...) {
        if (own != log_prob) throw std::runtime_error{"something has been written"};
        throw;
      }
    });
    return std::pair{outcomes[0].error, outcomes[1].error};
  };
  std::string const where = "prefopt::linear_token_logprobs: ", head = "prefopt::linear head: ";
  using labels_type = std::vector<std::int64_t>;
  CHECK(errors([](std::size_t, vocabulary_shard&, std::size_t&, labels_type&) {}) ==
        std::pair<std::string, std::string>{"no error", "no error"});
  auto const refused = errors([](std::size_t rank, vocabulary_shard&, std::size_t&, labels_type& labels) {
    if (rank == 1) labels[0] = 13;
  });
  CHECK(refused.first == head + "another rank refused its shard");
  CHECK(refused.second == where + "labels[0] is 13, expected a token in [0, 13) or -100, which is ignored");
  auto const gap = errors([](std::size_t rank, vocabulary_shard&, std::size_t& count, labels_type&) {
    if (rank == 0) count = 5;
  });
  CHECK(gap.first == head + "the shard of rank 1 begins with token 6, expected 5, behind those of the ranks before it");
  CHECK(gap.second == gap.first);
  auto const few = errors([](std::size_t rank, vocabulary_shard&, std::size_t& count, labels_type&) {
    if (rank == 1) count = 6;
  });
  CHECK(few.first == head + "the shards have 12 tokens together, shard.vocabulary is 13");
  auto const other = errors([](std::size_t rank, vocabulary_shard&, std::size_t&, labels_type& labels) {
    if (rank == 1) labels[2] = -100;
  });
  CHECK(other.first == head + "rows that count: 3 on rank 1, 4 on rank 0: expected the same on all");
  auto const beyond = errors([](std::size_t rank, vocabulary_shard& shard, std::size_t&, labels_type&) {
    if (rank == 1) shard.first = 7;
  });
  CHECK(beyond.second == where + "weight has 7 rows from token 7 on, shard.vocabulary is 13");
  auto const outside =
      errors([](std::size_t, vocabulary_shard& shard, std::size_t&, labels_type&) { shard.rank += 2; });
  CHECK(outside.second == where + "shard.rank is 3, expected less than shard.ranks, 2");
  auto const one_outside = errors([](std::size_t rank, vocabulary_shard& shard, std::size_t&, labels_type&) {
    if (rank == 1) shard.rank = 2;
  });
  CHECK(one_outside.first == head + "another rank refused its shard");
  CHECK(one_outside.second == where + "shard.rank is 2, expected less than shard.ranks, 2");
  auto const alone =
      errors([](std::size_t, vocabulary_shard& shard, std::size_t&, labels_type&) { shard.all_reduce = {}; });
  CHECK(alone.first == where + "shard has no all_reduce, which tells the other ranks");
}

TEST_CASE("ranks that share a head have to want the same of it") {
  linear_data<double> const data{6, 13, 5};
  // What the last rank has of its own is named with the numbers of both.
  auto const error = [&](bool forward, unsigned first_wants, unsigned last_wants, std::size_t last_width = 5) {
    auto const outcomes = run_ranks(2, [&](std::size_t rank, rank_sum& sum) {
      unsigned const wants = rank == 0 ? first_wants : last_wants;
      std::size_t const first = rank == 0 ? 0 : 6, count = rank == 0 ? 6 : 7, width = rank == 0 ? 5 : last_width;
      prefopt::linear_head<double> const head{.hidden = {data.hidden.data(), 6, width, 5},
                                              .weight = {data.weight.data() + first * 5, count, width, 5}};
      linear_options const options{
          .shard = {.all_reduce = sum, .first = first, .vocabulary = 13, .rank = rank, .ranks = 2}};
      std::vector<double> log_prob(6), entropy(6), log_sum_exp(6, 3), d_hidden(6 * width), d_weight(count * width);
      if (forward) {
        prefopt::token_logprob_outputs<double> outputs{.log_prob = log_prob};
        if (wants != 0) outputs.entropy = entropy;
        return linear_token_logprobs(head, data.labels, outputs, plain_product<double>{}, options);
      }
      prefopt::linear_gradients<double> targets{.weight = {d_weight.data(), count, width}};
      if (wants != 0) targets.hidden = {d_hidden.data(), 6, width};
      linear_token_logprob_gradients(head, data.labels, log_sum_exp, data.d_log_prob, targets, plain_product<double>{},
                                     options);
    });
    CHECK(outcomes[0].error == outcomes[1].error);
    return outcomes[0].error;
  };
  std::string const where = "prefopt::linear head: ", same = " on rank 0: expected the same on all",
                    wanted = where + "gradients and entropies (as bits): ";
  CHECK(error(true, 0, 0) == "no error");
  CHECK(error(false, 1, 1) == "no error");
  CHECK(error(true, 0, 2) == wanted + "2 on rank 1, 0" + same);
  CHECK(error(true, 2, 0) == wanted + "0 on rank 1, 2" + same);
  CHECK(error(false, 0, 1) == wanted + "1 on rank 1, 0" + same);
  CHECK(error(false, 1, 0) == wanted + "0 on rank 1, 1" + same);
  CHECK(error(false, 1, 1, 4) == where + "a width of 4 on rank 1, 5" + same);
}

TEST_CASE("a loss of a policy over ranks, filtered and by a workspace, is that of one process") {
  trained_head<double> const data{192, 1500, 20, 12};
  std::vector<double> const reference{-200, -210};
  struct results {
    double loss = 0;
    std::vector<double> hidden, weight;
    prefopt::filter_report report{};
  };
  auto const step = [&](std::size_t first, std::size_t count, vocabulary_shard const& shard, double tolerance) {
    results got{.hidden = std::vector<double>(data.hidden.size()), .weight = std::vector<double>(count * data.width)};
    prefopt::linear_workspace space;
    prefopt::linear_policy<double, plain_product<double>> policy{
        .head = {.hidden = {data.hidden.data(), data.rows, data.width},
                 .weight = {data.weight.data() + first * data.width, count, data.width}},
        .tokens = {.labels = data.labels, .tokens_per_sequence = 96},
        .memory_budget = 2000000,
        .workspace = &space,
        .filter = {.tolerance = tolerance, .report = &got.report},
        .shard = shard};
    policy.gradients = {.hidden = {got.hidden.data(), data.rows, data.width},
                        .weight = {got.weight.data(), count, data.width}};
    got.loss = evaluate(prefopt::dpo{}, policy, {.ref_log_prob = reference}).loss;
    return got;
  };
  auto const far = [](std::vector<double> const& a, double const* b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return std::sqrt(sum);
  };
  auto const one = step(0, 1500, {}, 0);
  for (double const tolerance : {0.0, 0x1p-10}) {
    std::vector<results> got(3);
    auto const outcomes = run_ranks(3, [&](std::size_t rank, rank_sum& sum) {
      std::size_t const first = 500 * rank;
      got[rank] = step(first, 500, {.all_reduce = sum, .first = first, .vocabulary = 1500, .rank = rank, .ranks = 3},
                       tolerance);
    });
    double bound = 0;
    for (auto const& of_rank : got) bound += of_rank.report.hidden_error;
    for (std::size_t rank = 0; rank < 3; ++rank) {
      REQUIRE(outcomes[rank].error == "no error");
      CHECK(std::fabs(got[rank].loss - one.loss) <= 1e-12);
      CHECK(same_numbers(got[rank].hidden, got[0].hidden));
      CHECK(far(got[rank].hidden, one.hidden.data()) <= bound + 1e-12);
      CHECK(far(got[rank].weight, one.weight.data() + 500 * rank * 20) <= got[rank].report.weight_error + 1e-12);
      CHECK((got[rank].report.kept < 1) == (tolerance > 0));
    }
  }
}
