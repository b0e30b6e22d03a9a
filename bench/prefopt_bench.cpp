#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <prefopt/prefopt.hpp>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "compiler_name.hpp"
#include "linear_benchmarks.hpp"
#include "take_turns.hpp"
#include "token_logprobs_benchmarks.hpp"

// pair/<loss>/<f32|f64>/<n>: a call of evaluate with value, both gradients and the report, on n pairs.
//     pairs_per_second  pairs / time of the call
// unpaired/<loss>/<f32|f64>/<n>: the same on n single completions, with the gradient.
//     completions_per_second
//     of_dpo_pair       time of pair/dpo on as many pairs as there are completions / time of the call
// list/<loss>/<f32|f64>/K:<k>/<groups>: the same for groups of k candidates, with rewards in any order where the loss
// takes rewards; pro_plain is pro without temperatures on groups that come best first.
//     candidates_per_second
//     of_dpo_pair       time of pair/dpo on as many pairs as there are candidates / time of the call
// tokens/<preset>/<f32|f64>/<n>: a call of evaluate with value, gradient and the report, on n tokens of sequences of 200 to
// 800, each with one advantage.
//     tokens_per_second
//     of_dpo_pair       time of pair/dpo on as many pairs as there are tokens / time of the call
// token_logprobs/<forward|backward|forward_backward_inplace>/<f32|bf16|f16>/V:<v>: log-probs of the labels, the
// gradient from a saved log-sum-exp, or both over the logits; 512 MiB of logits, or /in_cache so few that they stay
// there; N(0, 1). /threads:2 does the same on two threads, its limit too.
//     logits_per_second
//     log_prob_ulp      the largest error of a log-prob, in units of float's last place; log_prob_ulp_<rows> for rows
//                       of one kind (log_prob_error.hpp)
//     of_one_thread     time on one thread / time on two
//     of_onednn         forward of f32 and bf16 on one thread, where oneDNN is: time of its log-softmax, which writes the
//                       log-probs of all words beside the logits, / time of the call, which writes the labels'
// linear/<forward|step>/<f32|bf16>/<eigen|cblas|onednn>/tokens:<n>/H:<h>/V:<v>/MiB:<budget>: DPO from hidden states and
// the output matrix: the value, or with the gradients of both, on one thread; 4 sequences.
//     logits_per_second, where no logit is ever stored beyond the budget
//     of_products       time of the matrix products by themselves, all logits at once / time of the call
//     extra_MiB         resident memory at its peak during the call, less that before
//     all_logits_MiB    the same of the products by themselves, with what they need
// In all but linear
//     of_limit          time of the limit / time of the call; the limit only reads the same inputs and writes the same
//                       outputs
// In all
//     call_seconds      time of the call
// Times are the thread's CPU time, which other programs do not add to; with /threads:2 the time that passes. The call and
// what it is compared with take turns, and rates, times and ratios are medians over the turns.

namespace {

/// Columns of a family filled with random numbers: those that the loss needs.
template <class Family, class T>
struct filled_columns {
  std::vector<std::vector<T>> columns{Family::input_count};
  typename Family::template batch<T> batch;
  std::vector<T const*> in;

  filled_columns(std::size_t n, prefopt::detail::loss_facts const& facts) {
    std::mt19937 random{7};
    for (std::size_t c = 0; c < Family::input_count; ++c) {
      auto const& row = Family::template inputs<T>[c];
      bool const wanted = row.when == prefopt::presence::always ||
                          (row.when == prefopt::presence::as_read && contains(facts.needs, row.kind));
      if (!wanted) continue;
      auto const [low, high] = between(row, facts.rule);
      std::uniform_real_distribution<T> spread{low, high};
      columns[c].resize(n);
      for (T& x : columns[c]) x = is_outcome(row, facts.rule) ? T(random() % 2) : spread(random);
      batch.*row.values = columns[c];
      in.push_back(columns[c].data());
    }
  }

 private:
  /// Single completions are good or bad.
  template <class Row>
  static bool is_outcome(Row const& row, prefopt::column_rule const& rule) {
    bool const is_ruled = rule.kind == row.kind && (rule.values == prefopt::allowed_values::outcome ||
                                                    rule.values == prefopt::allowed_values::binary);
    return is_ruled || (std::same_as<Family, prefopt::unpaired_family> && row.kind == prefopt::columns::label);
  }
  /// Margins up to 8, as of rewards or of log-ratios in training.
  template <class Row>
  static std::pair<T, T> between(Row const& row, prefopt::column_rule const& rule) {
    bool const inside = rule.kind == row.kind && rule.values == prefopt::allowed_values::inside;
    if (row.kind == prefopt::columns::length) return {20, 200};
    if (row.range == prefopt::value_range::probability) return {inside ? T(0.1) : T(0), inside ? T(0.9) : T(1)};
    bool const is_log_prob = row.when == prefopt::presence::always || row.kind == prefopt::columns::reference;
    return is_log_prob ? std::pair<T, T>{-70, -62} : std::pair<T, T>{T(0.1), 2};
  }
};

template <class T>
struct pair_data : filled_columns<prefopt::pair_family, T> {
  std::vector<std::vector<T>> results{3};
  prefopt::pair_outputs<T> outputs;

  template <class L>
  pair_data(std::size_t n, L const& loss)
      : filled_columns<prefopt::pair_family, T>{n, prefopt::detail::facts_of_any(loss)} {
    for (auto& result : results) result.resize(n);
    outputs = {.loss = results[0], .d_chosen = results[1], .d_rejected = results[2]};
  }
};

/// Reads every input and writes every output once, and fetches both ahead as the kernels do: no call can be faster. A
/// template on the number of inputs, so that the compiler sees the whole loop.
template <std::size_t Inputs, class T, std::size_t Outputs>
[[gnu::noinline]] void read_and_write(std::vector<T const*> const& in, std::array<T*, Outputs> const& out,
                                      std::size_t n) {
  using V = xsimd::batch<T>;
  std::array<T const*, Inputs> from;
  std::copy_n(in.begin(), Inputs, from.begin());
  for (std::size_t i = 0; i < n; i += V::size) {
    V sum = prefopt::detail::load_ahead<V>(from[0] + i);
    for (std::size_t k = 1; k < Inputs; ++k) sum += prefopt::detail::load_ahead<V>(from[k] + i);
    for (T* target : out) prefopt::detail::store_ahead(sum, target + i);
  }
}

template <class T, std::size_t Outputs>
void limit(std::vector<T const*> const& in, std::array<T*, Outputs> const& out, std::size_t n) {
  switch (in.size()) {
    case 1:
      return read_and_write<1>(in, out, n);
    case 2:
      return read_and_write<2>(in, out, n);
    case 3:
      return read_and_write<3>(in, out, n);
    case 4:
      return read_and_write<4>(in, out, n);
    case 5:
      return read_and_write<5>(in, out, n);
    case 6:
      return read_and_write<6>(in, out, n);
    default:
      return read_and_write<7>(in, out, n);
  }
}

template <class L, class T>
void pair(benchmark::State& state, L const& loss) {
  auto const n = static_cast<std::size_t>(state.range(0));
  pair_data<T> data{n, loss};
  std::array<T*, 3> const out{data.results[0].data(), data.results[1].data(), data.results[2].data()};
  take_turns(
      state, n, "pairs_per_second",
      [&] { benchmark::DoNotOptimize(prefopt::evaluate(loss, data.batch, data.outputs).loss); },
      std::pair{"of_limit", [&] { limit(data.in, out, n); }});
}

template <class T>
void unpaired(benchmark::State& state, prefopt::any_unpaired_loss const& loss) {
  auto const n = static_cast<std::size_t>(state.range(0));
  filled_columns<prefopt::unpaired_family, T> data{n, loss.facts()};
  std::vector<T> value(n), d_logp(n);
  std::array<T*, 2> const out{value.data(), d_logp.data()};
  pair_data<T> pairs{n, prefopt::dpo{}};
  take_turns(
      state, n, "completions_per_second",
      [&] { benchmark::DoNotOptimize(prefopt::evaluate(loss, data.batch, {.loss = value, .d_logp = d_logp}).loss); },
      std::pair{"of_limit", [&] { limit(data.in, out, n); }},
      std::pair{"of_dpo_pair",
                [&] { benchmark::DoNotOptimize(prefopt::evaluate(prefopt::dpo{}, pairs.batch, pairs.outputs).loss); }});
}

template <class T>
struct token_data {
  std::vector<T> log_prob, old_log_prob, ref_log_prob, advantage;
  std::vector<std::int64_t> offsets{0};
  prefopt::token_batch<T> batch;
  std::vector<T const*> in;

  token_data(std::size_t n, prefopt::any_token_loss const& loss) {
    std::mt19937 random{7};
    std::normal_distribution<T> normal;
    auto const near = [&](std::vector<T> const& other, T spread) {
      std::vector<T> values = other;
      for (T& x : values) x += spread * normal(random);
      return values;
    };
    log_prob = near(std::vector<T>(n, T(-2)), T(0.5));
    old_log_prob = near(log_prob, T(0.1));
    ref_log_prob = near(log_prob, T(0.2));
    while (static_cast<std::size_t>(offsets.back()) < n) {
      auto const end = offsets.back() + 200 + static_cast<std::int64_t>(random() % 600);
      offsets.push_back(std::min(end, static_cast<std::int64_t>(n)));
    }
    advantage = near(std::vector<T>(offsets.size() - 1), T(1));
    batch = {.log_prob = log_prob, .old_log_prob = old_log_prob, .advantage = advantage, .offsets = offsets};
    in = {log_prob.data(), old_log_prob.data()};
    if (loss.kl.estimator == prefopt::kl_estimator::none) return;
    batch.ref_log_prob = ref_log_prob;
    in.push_back(ref_log_prob.data());
  }
};

template <class T>
void tokens(benchmark::State& state, prefopt::any_token_loss const& loss) {
  auto const n = static_cast<std::size_t>(state.range(0));
  token_data<T> data{n, loss};
  std::vector<T> value(n), d_log_prob(n);
  std::array<T*, 2> const out{value.data(), d_log_prob.data()};
  pair_data<T> pairs{n, prefopt::dpo{}};
  take_turns(
      state, n, "tokens_per_second",
      [&] {
        auto seen = prefopt::evaluate(loss, data.batch, {.loss = value, .d_log_prob = d_log_prob});
        benchmark::DoNotOptimize(seen.loss);
      },
      std::pair{"of_limit", [&] { limit(data.in, out, n); }},
      std::pair{"of_dpo_pair",
                [&] { benchmark::DoNotOptimize(prefopt::evaluate(prefopt::dpo{}, pairs.batch, pairs.outputs).loss); }});
}

template <class T>
struct list_data {
  std::vector<std::vector<T>> columns{5};
  std::vector<T> loss, d_logp;
  std::vector<std::int64_t> offsets;
  prefopt::list_batch<T> batch;
  std::vector<T const*> in;

  template <class L>
  list_data(std::size_t size, std::size_t groups, bool best_first, L const& loss_kind)
      : loss(groups), d_logp(groups * size), offsets(groups + 1) {
    std::mt19937 random{7};
    auto const facts = prefopt::detail::facts_of_any(loss_kind);
    auto const fill = [&](prefopt::column<T>& target, bool wanted, std::size_t index, T low, T high) {
      if (!wanted) return;
      std::uniform_real_distribution<T> spread{low, high};
      columns[index].resize(groups * size);
      std::generate(columns[index].begin(), columns[index].end(), [&] { return spread(random); });
      target = columns[index];
      in.push_back(columns[index].data());
    };
    fill(batch.logp, true, 0, -70, -62);
    // As a trainer gives them: an anchor where the loss takes one, lengths where it needs them, rewards in any order.
    fill(batch.ref_logp, facts.reads(prefopt::columns::reference) && !facts.is_square, 1, -70, -62);
    fill(batch.length, contains(facts.needs, prefopt::columns::length), 2, 20, 200);
    fill(batch.reward, facts.reads(prefopt::columns::reward) && !best_first, 3, -2, 2);
    // No two alike in a group: some losses refuse ties.
    for (std::size_t i = 0; i < columns[3].size(); i += size) {
      auto const group = columns[3].begin() + static_cast<std::ptrdiff_t>(i),
                 end = group + static_cast<std::ptrdiff_t>(size);
      for (std::size_t k = 0; k < size; ++k) columns[3][i + k] = T(4) * static_cast<T>(k) / static_cast<T>(size) - T(2);
      std::shuffle(group, end, random);
    }
    for (std::size_t g = 0; g <= groups; ++g) offsets[g] = static_cast<std::int64_t>(g * size);
    batch.offsets = offsets;
  }
};

template <class L, class T>
void list(benchmark::State& state, L const& loss, std::size_t size, bool best_first) {
  auto const groups = static_cast<std::size_t>(state.range(0));
  list_data<T> data{size, groups, best_first, loss};
  std::array<T*, 1> const out{data.d_logp.data()};
  auto const call = [&] {
    auto seen = prefopt::evaluate(loss, data.batch, {.loss = data.loss, .d_logp = data.d_logp});
    benchmark::DoNotOptimize(seen.loss);
  };
  pair_data<T> pairs{size * groups, prefopt::dpo{}};
  take_turns(state, size * groups, "candidates_per_second", call,
             std::pair{"of_limit", [&] { limit(data.in, out, size * groups); }},
             std::pair{"of_dpo_pair", [&] {
                         benchmark::DoNotOptimize(prefopt::evaluate(prefopt::dpo{}, pairs.batch, pairs.outputs).loss);
                       }});
}

constexpr std::int64_t example_counts[]{64, 4096, 1 << 16, 1 << 20, 1 << 23};

/// A loss by its type where a modifier over it is compiled with it, which users do; others at run time.
template <class L>
void add_pair_benchmarks() {
  using loss_type = std::conditional_t<prefopt::detail::fuses<L>(), L, prefopt::any_pair_loss>;
  loss_type const loss{L{}};
  auto const add = [&](char const* type, auto* function) {
    std::string const name = "pair/" + std::string{prefopt::detail::name_of<L>()} + '/' + type;
    auto* const family =
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { function(state, loss); });
    for (std::int64_t const n : example_counts) family->Arg(n);
  };
  add("f32", &pair<loss_type, float>);
  add("f64", &pair<loss_type, double>);
}

void add_unpaired_benchmarks(prefopt::any_unpaired_loss const& loss) {
  auto const add = [&](char const* type, auto* function) {
    auto* const family = benchmark::RegisterBenchmark(("unpaired/" + loss.name() + '/' + type).c_str(),
                                                      [=](benchmark::State& state) { function(state, loss); });
    for (std::int64_t const n : example_counts) family->Arg(n);
  };
  add("f32", &unpaired<float>);
  add("f64", &unpaired<double>);
}

void add_token_benchmarks(std::string_view name) {
  auto const add = [&](char const* type, auto* function) {
    auto* const family = benchmark::RegisterBenchmark(
        ("tokens/" + std::string{name} + '/' + type).c_str(),
        [=, loss = prefopt::make_token_loss(name)](benchmark::State& state) { function(state, loss); });
    for (std::int64_t const n : example_counts) family->Arg(n);
  };
  add("f32", &tokens<float>);
  add("f64", &tokens<double>);
}

template <class L>
void add_list_benchmarks(std::string_view name, L const& loss, bool best_first = false) {
  auto const add = [&](char const* type, auto* function) {
    for (std::int64_t const size : {2, 4, 8, 64}) {
      // Its groups are square matrices.
      if (prefopt::detail::is_square<prefopt::detail::resolved<L>>() && (size == 2 || size == 8)) continue;
      for (std::int64_t const candidates : {std::int64_t{1} << 12, std::int64_t{1} << 20}) {
        std::string const label = "list/" + std::string{name} + '/' + type + "/K:" + std::to_string(size);
        benchmark::RegisterBenchmark(label.c_str(), [=](benchmark::State& state) {
          function(state, loss, static_cast<std::size_t>(size), best_first);
        })->Arg(candidates / size);
      }
    }
  };
  add("f32", &list<L, float>);
  add("f64", &list<L, double>);
}

}  // namespace

int main(int argc, char** argv) {
  prefopt::pair_losses::for_each([]<class L> { add_pair_benchmarks<L>(); });
  prefopt::modifiers_of<prefopt::dpo>::type::for_each([]<class L> { add_pair_benchmarks<L>(); });
  prefopt::unpaired_losses::for_each([]<class L> { add_unpaired_benchmarks(L{}); });
  prefopt::list_losses::for_each([]<class L> { add_list_benchmarks(prefopt::detail::name_of<L>(), L{}); });
  prefopt::token_losses::for_each([]<class L> { add_token_benchmarks(L::card.name); });
  add_list_benchmarks("pro_plain", prefopt::pro{.temperatures = false}, true);
  add_list_benchmarks("pro_plain_by_reward", prefopt::pro{.temperatures = false});
  add_token_logprobs_benchmarks();
  add_linear_benchmarks();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("instruction_set", xsimd::default_arch::name());
  benchmark::AddCustomContext("compiler", compiler_name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
