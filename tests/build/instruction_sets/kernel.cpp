// Built once for each instruction set: the same work through every layer, as text of its bits.
#include <cstdint>
#include <cstring>
#include <prefopt/prefopt.hpp>
#include <string>
#include <vector>

namespace {

template <class T>
void mix(std::uint64_t& hash, std::vector<T> const& values) {
  for (T const x : values) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &x, sizeof x);
    hash = (hash ^ bits) * 1099511628211U;
  }
}

template <class T>
std::uint64_t hash_of_work() {
  constexpr std::size_t n = 1001;
  std::vector<T> a, b, ref_a, ref_b;
  std::vector<short> length;
  for (std::size_t i = 0; i < n; ++i) {
    auto const x = static_cast<double>(i % 97) / 7;
    a.push_back(static_cast<T>(-20 - x));
    b.push_back(static_cast<T>(-25 + x / 3));
    ref_a.push_back(static_cast<T>(-21 - x / 2));
    ref_b.push_back(static_cast<T>(-22 + x / 5));
    length.push_back(static_cast<short>(1 + i % 30));
  }
  std::uint64_t hash = 14695981039346656037U;
  std::vector<T> loss(n), d(n), posterior(n), eta(n, T(0.8));
  auto const run = [&](prefopt::any_pair_loss const& any) {
    prefopt::pair_batch<T> batch{.chosen = a, .rejected = b};
    if (any.needs(prefopt::columns::reference)) batch.ref_chosen = ref_a, batch.ref_rejected = ref_b;
    if (any.needs(prefopt::columns::length)) batch.chosen_length = length, batch.rejected_length = length;
    if (any.needs(prefopt::columns::reliability)) batch.reliability = eta;
    auto const seen = prefopt::evaluate(any, batch, {.loss = loss, .d_chosen = d});
    mix(hash, loss);
    mix(hash, d);
    mix(hash, std::vector<double>{seen.loss, seen.margin});
  };
  run(prefopt::dpo{});
  run(prefopt::simpo{});
  run(prefopt::lcpo<prefopt::dpo>{});

  std::vector<T> sums(7);
  prefopt::dense_tokens<T> const tokens{.log_prob = {a.data(), 7, 143}, .mask = {length.data(), 7, 143}};
  prefopt::sequence_log_probs(tokens, {.log_prob = sums});
  std::vector<T> back(n);
  prefopt::token_gradients(tokens, sums, {back.data(), 7, 143});
  mix(hash, sums);
  mix(hash, back);

  // The same numbers as logits, as they are and in 16 bits.
  auto const through_logits = [&](auto convert) {
    using stored = decltype(convert(T(0)));
    std::vector<stored> logits, d_logits(n);
    for (T const x : a) logits.push_back(convert(x));
    std::vector<int> const labels(7, 5);
    std::vector<double> mean(1);
    prefopt::logit_policy<stored> const policy{.logits = {logits.data(), 6, 143},
                                               .tokens = {.labels = {labels.data(), 6}, .tokens_per_sequence = 3},
                                               .d_logits = {d_logits.data(), 6, 143}};
    mean[0] = prefopt::evaluate(prefopt::cpo{}, policy, {}).loss;
    mix(hash, mean);
    mix(hash, d_logits);
  };
  through_logits([](T x) { return x; });
  through_logits([](T x) { return prefopt::bfloat16{static_cast<float>(x)}; });
  through_logits([](T x) { return prefopt::float16{static_cast<float>(x)}; });
  return hash;
}

}  // namespace

/// "32 bytes, f32 …, f64 …": the width of this file's lanes, and the bits of its results.
std::string KERNEL_NAME() {
  bool refuses = false;
  try {
    prefopt::evaluate(prefopt::dpo{.beta = -1}, prefopt::pair_batch<float>{});
  } catch (std::invalid_argument const&) {
    refuses = true;
  }
  return std::to_string(xsimd::batch<float>::size * sizeof(float)) + " bytes, f32 " +
         std::to_string(hash_of_work<float>()) + ", f64 " + std::to_string(hash_of_work<double>()) +
         (refuses ? "" : ", does not refuse");
}
