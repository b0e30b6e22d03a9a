#include "linear_benchmarks.hpp"

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <prefopt/adapter/eigen_product.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/linear_policy.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/loss/dpo.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "huge_pages.hpp"
#include "library_threads.hpp"
#include "peak_memory.hpp"
#include "take_turns.hpp"

#if defined(PREFOPT_BENCH_CBLAS)
#include <prefopt/adapter/cblas_product.hpp>
#endif
#if defined(PREFOPT_BENCH_ONEDNN)
#include <prefopt/adapter/onednn_product.hpp>
#endif

namespace {

struct shape {
  std::size_t sequences, tokens_of_sequence, width, vocabulary, budget_mebibytes;
  [[nodiscard]] std::size_t tokens() const { return sequences * tokens_of_sequence; }
};

template <class U>
huge_vector<U> normal_numbers(std::size_t count, float deviation) {
  std::mt19937 random{7};
  std::normal_distribution<float> spread{0, deviation};
  huge_vector<U> numbers(count);
  for (U& number : numbers) number = U(spread(random));
  return numbers;
}

template <class U, class Product>
class linear_data {
 public:
  using factor = prefopt::detail::factor_of<Product, U>;

  /// With hidden states of deviation 4 a row of 32,000 logits has some 2.5 nats of entropy, as a trained model's.
  explicit linear_data(shape const& of, float deviation = 1)
      : of_{of},
        hidden_{normal_numbers<U>(of.tokens() * of.width, deviation)},
        weight_{normal_numbers<U>(of.vocabulary * of.width, 0.03F)},
        labels_(of.tokens()),
        reference_(of.sequences, -10.0F * static_cast<float>(of.tokens_of_sequence)),
        d_hidden_(hidden_.size()),
        d_weight_(weight_.size()) {
    std::mt19937 random{11};
    for (auto& label : labels_) label = static_cast<std::int64_t>(random() % of.vocabulary);
  }

  /// DPO on the first half of the sequences against the second.
  void step(bool backward, prefopt::gradient_filter const& filter = {}) {
    prefopt::linear_policy<U, Product> policy{
        .head = {.hidden = {hidden_.data(), of_.tokens(), of_.width},
                 .weight = {weight_.data(), of_.vocabulary, of_.width}},
        .tokens = {.labels = labels_, .tokens_per_sequence = of_.tokens_of_sequence},
        .memory_budget = of_.budget_mebibytes << 20,
        .workspace = &space_,
        .filter = filter};
    if (backward) {
      policy.gradients = {.hidden = d_hidden(), .weight = d_weight()};
    }
    benchmark::DoNotOptimize(prefopt::evaluate(prefopt::dpo{}, policy, {.ref_log_prob = reference_}).loss);
  }

  /// What is multiplied, once each, with all logits there at once: without a chunk, and nothing else done.
  class bare_products {
   public:
    explicit bare_products(linear_data& data)
        : data_{data},
          hidden_(data.hidden_.begin(), data.hidden_.end()),
          weight_(data.weight_.begin(), data.weight_.end()),
          logits_(data.of_.tokens() * data.of_.vocabulary),
          d_logits_(std::is_same_v<factor, float> ? 0 : logits_.size()) {}

    void operator()(bool backward) {
      shape const& of = data_.of_;
      using view = prefopt::row_major<factor const>;
      using side = prefopt::matrix_factor<factor>;
      view const hidden{hidden_.data(), of.tokens(), of.width}, weight{weight_.data(), of.vocabulary, of.width};
      Product const product;
      product(side{hidden}, side{weight, true}, prefopt::row_major<float>{logits_.data(), of.tokens(), of.vocabulary},
              false);
      if (!backward) return;
      auto const* gradient = d_logits_.data();
      if constexpr (std::is_same_v<factor, float>) gradient = logits_.data();
      view const d_logits{gradient, of.tokens(), of.vocabulary};
      product(side{d_logits}, side{weight}, data_.d_hidden(), false);
      product(side{d_logits, true}, side{hidden}, data_.d_weight(), false);
    }

   private:
    linear_data& data_;
    huge_vector<factor> hidden_, weight_;
    huge_vector<float> logits_;
    huge_vector<factor> d_logits_;
  };

 private:
  prefopt::row_major<float> d_hidden() { return {d_hidden_.data(), of_.tokens(), of_.width}; }
  prefopt::row_major<float> d_weight() { return {d_weight_.data(), of_.vocabulary, of_.width}; }

  shape of_;
  huge_vector<U> hidden_, weight_;
  std::vector<std::int64_t> labels_;
  std::vector<float> reference_;
  huge_vector<float> d_hidden_, d_weight_;
  prefopt::linear_workspace space_;
};

template <class U, class Product>
void linear(benchmark::State& state, shape const& of, bool backward) {
  give_libraries_one_thread();
  using data_type = linear_data<U, Product>;
  data_type data{of};
  auto const call = [&] { data.step(backward); };
  state.counters["extra_MiB"] = peak_extra_mebibytes(call);
  state.counters["all_logits_MiB"] = peak_extra_mebibytes([&] { typename data_type::bare_products{data}(backward); });
  typename data_type::bare_products products{data};
  take_turns_prepared(
      state, thread_seconds, of.tokens() * of.vocabulary, "logits_per_second", 1, [] {}, call,
      std::pair{"of_products", [&] { products(backward); }});
}

/// The step with a filter against one without.
template <class U, class Product>
void filtered(benchmark::State& state, shape const& of) {
  give_libraries_one_thread();
  linear_data<U, Product> data{of, 4};
  prefopt::filter_report report;
  data.step(true, {.tolerance = 0x1p-11, .report = &report});
  state.counters["kept"] = report.kept;
  state.counters["dropped"] = report.dropped;
  take_turns_prepared(
      state, thread_seconds, of.tokens() * of.vocabulary, "logits_per_second", 1, [] {},
      [&] { data.step(true, {.tolerance = 0x1p-11}); }, std::pair{"of_plain_step", [&] { data.step(true); }});
}

template <class U, class Product>
void add(char const* type, char const* product) {
  auto const name = [&](char const* what, shape const& of) {
    return std::string{"linear/"} + what + '/' + type + '/' + product + "/tokens:" + std::to_string(of.tokens()) +
           "/H:" + std::to_string(of.width) + "/V:" + std::to_string(of.vocabulary) +
           "/MiB:" + std::to_string(of.budget_mebibytes);
  };
  for (bool const backward : {false, true}) {
    for (shape const& of : {shape{4, 256, 1024, 32000, 256}, {4, 256, 1024, 32000, 64}, {4, 16, 64, 1000, 1}}) {
      benchmark::RegisterBenchmark(name(backward ? "step" : "forward", of).c_str(),
                                   [=](benchmark::State& state) { linear<U, Product>(state, of, backward); });
    }
  }
  shape const large{4, 256, 1024, 32000, 256};
  benchmark::RegisterBenchmark(name("filtered_step", large).c_str(),
                               [=](benchmark::State& state) { filtered<U, Product>(state, large); });
}

}  // namespace

void add_linear_benchmarks() {
  add<float, prefopt::eigen_product>("f32", "eigen");
  add<prefopt::bfloat16, prefopt::eigen_product>("bf16", "eigen");
#if defined(PREFOPT_BENCH_CBLAS)
  add<float, prefopt::cblas_product>("f32", "cblas");
#endif
#if defined(PREFOPT_BENCH_ONEDNN)
  add<float, prefopt::onednn_product>("f32", "onednn");
  add<prefopt::bfloat16, prefopt::onednn_product>("bf16", "onednn");
#endif
}
