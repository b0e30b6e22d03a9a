// Kernels picked at run time: those asked for, with their own bits, and with everything that crosses between
// translation units built for different instruction sets.
#include <catch.hpp>
#include <cstdlib>
#include <cstring>
#include <prefopt/kernels.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "refusal.hpp"

#define PREFOPT_DIRECT_NAMESPACE through_kernels
#define PREFOPT_FRONT prefopt::kernels
#include "kernels/direct_calls.hpp"

using namespace prefopt;

namespace {

direct_results direct(std::string_view isa, direct_data const& data) {
#if defined(PREFOPT_DIRECT_sse2)
  if (isa == "sse2") return direct_sse2(data);
#endif
#if defined(PREFOPT_DIRECT_sse4_2)
  if (isa == "sse4_2") return direct_sse4_2(data);
#endif
#if defined(PREFOPT_DIRECT_avx2)
  if (isa == "avx2") return direct_avx2(data);
#endif
#if defined(PREFOPT_DIRECT_avx512)
  if (isa == "avx512") return direct_avx512(data);
#endif
#if defined(PREFOPT_DIRECT_neon)
  if (isa == "neon") return direct_neon(data);
#endif
  throw std::runtime_error("no direct calls for " + std::string{isa});
}

struct columns_of_pairs {
  std::vector<float> chosen = std::vector<float>(300), rejected = chosen, ref_chosen = chosen, ref_rejected = chosen;

  columns_of_pairs() {
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      chosen[i] = -static_cast<float>(i % 17);
      rejected[i] = -static_cast<float>(i % 13);
    }
  }
  [[nodiscard]] pair_batch<float> batch() const {
    return {.chosen = chosen, .rejected = rejected, .ref_chosen = ref_chosen, .ref_rejected = ref_rejected};
  }
};

}  // namespace

void multiply_strided(strided_matrix const& a, strided_matrix const& b, float* c, std::ptrdiff_t c_row,
                      std::size_t rows, std::size_t inner, std::size_t columns, bool accumulate) {
  auto const at = [](strided_matrix const& m, std::size_t i, std::size_t j) {
    return m.first[static_cast<std::ptrdiff_t>(i) * m.row + static_cast<std::ptrdiff_t>(j) * m.column];
  };
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      float& sum = c[static_cast<std::ptrdiff_t>(i) * c_row + static_cast<std::ptrdiff_t>(j)];
      if (!accumulate) sum = 0;
      for (std::size_t k = 0; k < inner; ++k) sum += at(a, i, k) * at(b, k, j);
    }
  }
}

TEST_CASE("the instruction set is the one asked for, or the best that this CPU has") {
  auto const here = kernels::instruction_sets();
  REQUIRE(!here.empty());
  if (char const* const forced = std::getenv("PREFOPT_ISA"); forced != nullptr) {
    CHECK(kernels::instruction_set() == forced);
  } else {
    CHECK(kernels::instruction_set() == here.front());
  }
}

TEST_CASE("kernels give the bits of the same calls compiled for their instruction set") {
  direct_data const data;
  auto const got = through_kernels::call_everything(data), expected = direct(kernels::instruction_set(), data);
  REQUIRE(got.size() == expected.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < got.size(); ++i) different += std::memcmp(&got[i], &expected[i], sizeof(double)) != 0;
  CHECK(different == 0);
}

TEST_CASE("kernels: errors are those of the library") {
  columns_of_pairs const data;
  CHECK(refusal([&] { kernels::evaluate(dpo{.beta = -1}, data.batch()); }) ==
        "prefopt::dpo: beta is -1, expected a finite number > 0");
  CHECK(refusal([&] { kernels::evaluate(simpo{}, data.batch()); }).find("simpo") != std::string::npos);
  CHECK(refusal([&] { kernels::make_pair_loss("no_such_loss"); }).find("there is no loss \"no_such_loss\"") !=
        std::string::npos);
}

TEST_CASE("kernels: what a product throws arrives") {
  std::vector<float> const numbers(64, 0.5F);
  std::vector<int> const labels{1, 2}, one{1};
  std::vector<float> log_prob(2);
  auto const throwing = [](matrix_factor<float> const&, matrix_factor<float> const&, row_major<float> const&, bool) {
    throw std::runtime_error("no memory on the device");
  };
  linear_head<float> const head{.hidden = {numbers.data(), 2, 8}, .weight = {numbers.data() + 16, 5, 8}};
  CHECK_THROWS_WITH(kernels::linear_token_logprobs(head, labels, {.log_prob = log_prob}, throwing),
                    "no memory on the device");
  CHECK(refusal([&] { kernels::linear_token_logprobs(head, one, {.log_prob = log_prob}, throwing); }) ==
        "prefopt::linear_token_logprobs: labels has 1 element, hidden has 2 rows");
}

TEST_CASE("kernels: losses by name, and losses made for this CPU in the library's own functions") {
  columns_of_pairs const data;
  std::vector<float> by_type(300), by_name(300), in_place(300);
  kernels::evaluate(smoothed<dpo>{.base = {.beta = 0.5}, .epsilon = 0.25}, data.batch(), {.d_chosen = by_type});
  auto const named = kernels::make_pair_loss("smoothed", {{"beta", 0.5}, {"epsilon", 0.25}}, "dpo");
  kernels::evaluate(named, data.batch(), {.d_chosen = by_name});
  evaluate(kernels::for_this_cpu(smoothed<dpo>{.base = {.beta = 0.5}, .epsilon = 0.25}), data.batch(),
           {.d_chosen = in_place});
  CHECK(named.name() == "smoothed<dpo>");
  CHECK(by_name == by_type);
  CHECK(in_place == by_type);

  std::vector<int> const offsets{0, 100, 300};
  list_batch<float> const groups{.logp = data.chosen, .reward = data.rejected, .offsets = offsets};
  auto const one = kernels::evaluate(adpo{.tau = 0.5}, groups, {.d_logp = by_type});
  auto const other = evaluate(kernels::make_list_loss("adpo", {{"tau", 0.5}}), groups, {.d_logp = by_name});
  CHECK(by_name == by_type);
  CHECK(one.loss == other.loss);
}

TEST_CASE("kernels: the host's executor and all-reduce are called across instruction sets") {
  columns_of_pairs const data;
  std::vector<float> serial(300), threaded(300);
  std::size_t parts_run = 0, reduced = 0;
  auto const threads = [&](std::size_t parts, executor::task const& work) {
    std::vector<std::thread> running;
    for (std::size_t i = 0; i < parts; ++i) running.emplace_back([&work, i] { work(i); });
    for (auto& thread : running) thread.join();
    parts_run += parts;
  };
  auto const twice = [&](std::span<double> values) {
    for (double& value : values) value *= 2;
    ++reduced;
  };
  auto const one = kernels::evaluate(dpo{}, data.batch(), {.d_chosen = serial});
  auto const other =
      kernels::evaluate(dpo{}, data.batch(), {.d_chosen = threaded}, {.executor = threads, .all_reduce = twice});
  CHECK(parts_run > 0);
  CHECK(reduced == 1);
  CHECK(other.count == 2 * one.count);
  CHECK(other.loss == one.loss);
  for (std::size_t i = 0; i < serial.size(); ++i) CHECK(threaded[i] == serial[i] / 2);
}

// Alone in a process it is the first use: cmake/threads.sh runs it so.
TEST_CASE("kernels: several threads may be the first to use them") {
  columns_of_pairs const data;
  std::vector<report> seen(8);
  std::vector<std::thread> running;
  for (auto& of_thread : seen) {
    running.emplace_back([&data, &of_thread] { of_thread = kernels::evaluate(dpo{}, data.batch(), {}); });
  }
  for (auto& thread : running) thread.join();
  for (auto const& of_thread : seen) CHECK(of_thread.loss == seen.front().loss);
  CHECK(seen.front().count == 300);
}

TEST_CASE("kernels: columns of other types, strides, and steps") {
  columns_of_pairs const data;
  std::vector<int> const chosen(data.chosen.begin(), data.chosen.end());
  std::vector<float> spread(600, -7), plain(300), strided(300);
  for (std::size_t i = 0; i < 300; ++i) spread[2 * i] = data.rejected[i];
  kernels::evaluate(dpo{}, data.batch(), {.d_rejected = plain});
  auto batch = data.batch();
  batch.chosen = chosen;
  batch.rejected = {spread.data(), 300, 2};
  kernels::evaluate(dpo{}, batch, {.d_rejected = strided});
  CHECK(strided == plain);

  stored_reference<float> policy{data.chosen, data.rejected}, reference{data.ref_chosen, data.ref_rejected};
  std::vector<std::size_t> const everything(300);
  pair_step<float> step;
  auto const loss = kernels::for_this_cpu(dpo{});
  CHECK(step.forward(loss, policy, reference, data.chosen).loss == kernels::evaluate(dpo{}, data.batch()).loss);
}
