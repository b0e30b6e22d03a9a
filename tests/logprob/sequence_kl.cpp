// KL(reference || policy) of whole sequences, for TDPO, and the way back into the logits.
#include <prefopt/logprob/sequence_kl.hpp>

#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <random>
#include <refusal.hpp>
#include <vector>

using namespace prefopt;

namespace {

template <class U>
struct kl_logits {
  std::size_t rows, vocabulary, stride;
  std::vector<U> memory;

  kl_logits(std::size_t n, std::size_t size, unsigned seed, double deviation = 2)
      : rows{n}, vocabulary{size}, stride{size + 3} {
    std::mt19937 engine{seed};
    std::normal_distribution<double> normal;
    for (std::size_t i = 0; i < rows * stride; ++i) memory.push_back(number(deviation * normal(engine)));
  }
  static U number(double x) {
    if constexpr (std::floating_point<U>) {
      return static_cast<U>(x);
    } else {
      return U(static_cast<float>(x));
    }
  }
  static long double exact(U x) {
    if constexpr (std::floating_point<U>) {
      return static_cast<long double>(x);
    } else {
      return static_cast<long double>(static_cast<float>(x));
    }
  }
  [[nodiscard]] row_major<U const> read() const {
    return {memory.data(), rows, vocabulary, static_cast<std::ptrdiff_t>(stride)};
  }
  [[nodiscard]] row_major<U> write() { return {memory.data(), rows, vocabulary, static_cast<std::ptrdiff_t>(stride)}; }
  [[nodiscard]] std::vector<long double> probabilities(std::size_t row) const {
    std::vector<long double> p;
    long double sum = 0;
    for (std::size_t j = 0; j < vocabulary; ++j) {
      p.push_back(std::exp(exact(memory[row * stride + j])));
      sum += p.back();
    }
    for (long double& x : p) x /= sum;
    return p;
  }
};

std::vector<std::int64_t> const kl_labels{1, -100, 0, 4, -100, 2, 3}, kl_offsets{0, 3, 4, 4, 7};

}  // namespace

TEMPLATE_TEST_CASE("divergences of sequences and their gradients are the formulas", "", float, double, bfloat16,
                   float16) {
  using U = TestType;
  using T = prefopt::detail::computed_of<U>;
  for (std::size_t const vocabulary : {5U, 130U}) {
    kl_logits<float> const reference{7, vocabulary, 1};
    kl_logits<U> const policy{7, vocabulary, 2};
    token_rows const rows{.labels = kl_labels, .offsets = kl_offsets};
    std::vector<T> kl(4, T(9));
    sequence_kl(reference.read(), policy.read(), rows, kl);
    std::vector<T> const d{T(0.5), -2, 3, T(0.125)};
    kl_logits<U> assigned{7, vocabulary, 3}, added{7, vocabulary, 4};
    auto const before = added, gap = assigned;
    auto in_place = policy;
    sequence_kl_gradients(reference.read(), policy.read(), rows, d, assigned.write());
    sequence_kl_gradients(reference.read(), policy.read(), rows, d, added.write(), gradient_write::accumulate);
    sequence_kl_gradients(reference.read(), in_place.read(), rows, d, in_place.write());
    double const unit = std::same_as<U, bfloat16>  ? 0x1p-8
                        : std::same_as<U, float16> ? 0x1p-11
                                                   : std::numeric_limits<T>::epsilon();
    std::vector<long double> expected(4);
    bool right = true;
    for (std::size_t i = 0; i < 4; ++i) {
      for (auto row = static_cast<std::size_t>(kl_offsets[i]); row < static_cast<std::size_t>(kl_offsets[i + 1]);
           ++row) {
        auto const p = policy.probabilities(row), r = reference.probabilities(row);
        bool const counts = kl_labels[row] >= 0;
        for (std::size_t j = 0; j < vocabulary; ++j) {
          if (counts) expected[i] += r[j] * std::log(r[j] / p[j]);
          std::size_t const at = row * policy.stride + j;
          long double const own = counts ? static_cast<long double>(d[i]) * (p[j] - r[j]) : 0;
          long double const all = own + kl_logits<U>::exact(before.memory[at]);
          // Half precision may round to a subnormal number.
          right = right && std::fabs(kl_logits<U>::exact(assigned.memory[at]) - own) <=
                               unit * std::fabs(own) + 3e-8L * (sizeof(U) == 2) + 1e-15L;
          right = right && std::fabs(kl_logits<U>::exact(added.memory[at]) - all) <=
                               unit * std::fabs(all) + 3e-8L * (sizeof(U) == 2) + 1e-15L;
          right = right && kl_logits<U>::exact(in_place.memory[at]) == kl_logits<U>::exact(assigned.memory[at]);
        }
        std::size_t const behind = row * policy.stride + vocabulary;
        right = right && kl_logits<U>::exact(assigned.memory[behind]) == kl_logits<U>::exact(gap.memory[behind]);
      }
      CHECK(std::fabs(kl[i] - expected[i]) <= std::numeric_limits<T>::epsilon() * expected[i] + 1e-14L);
    }
    CHECK(right);
    CHECK(kl[2] == 0);
  }
}

TEST_CASE("a policy that is its reference is at distance 0, and no nearer with any rounding") {
  for (double const deviation : {0.0, 1e-3, 3.0, 200.0}) {
    kl_logits<double> const reference{7, 300, 5, deviation};
    auto policy = reference;
    token_rows const rows{.labels = kl_labels, .offsets = kl_offsets};
    std::vector<double> kl(4, 9.0);
    sequence_kl(reference.read(), policy.read(), rows, kl);
    CHECK(kl == std::vector<double>(4, 0.0));
    // A shift of a row's logits is none of its distribution.
    for (double& x : policy.memory) x += 1.7;
    sequence_kl(reference.read(), policy.read(), rows, kl);
    for (double const x : kl) {
      CHECK(x >= 0);
      CHECK(x < 1e-12);
    }
  }
}

TEST_CASE("divergences where probabilities are 0, and of rows that are no distribution") {
  double const inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::int64_t> const labels{0}, offsets{0, 1};
  token_rows const rows{.labels = labels, .offsets = offsets};
  auto const kl_of = [&](std::vector<double> const& reference, std::vector<double> const& policy) {
    std::vector<double> kl(1);
    sequence_kl(row_major<double const>{reference.data(), 1, reference.size()},
                row_major<double const>{policy.data(), 1, policy.size()}, rows, kl);
    return kl[0];
  };
  CHECK(std::fabs(kl_of({0, -inf}, {0, 0}) - std::log(2.0)) < 1e-15);
  CHECK(kl_of({0, 0}, {0, -inf}) == inf);
  CHECK(kl_of({0, -inf}, {3, -inf}) == 0);
  CHECK(std::fabs(kl_of({1e300, -1e300}, {0, 0}) - std::log(2.0)) < 1e-15);
  for (auto const& bad : {std::vector<double>{0, nan}, {0, inf}, {-inf, -inf}}) {
    CHECK(kl_of(bad, {0, 1}) != kl_of(bad, {0, 1}));
    CHECK(kl_of({0, 1}, bad) != kl_of({0, 1}, bad));
  }
  // What does not count is not read.
  std::vector<double> const numbers{nan, nan}, d{1};
  std::vector<double> kl(1), d_logits(2, 5.0);
  std::vector<std::int64_t> const ignored{-100};
  token_rows const none{.labels = ignored, .offsets = offsets};
  row_major<double const> const read{numbers.data(), 1, 2};
  sequence_kl(read, read, none, kl);
  CHECK(kl[0] == 0);
  sequence_kl_gradients(read, read, none, d, {d_logits.data(), 1, 2}, gradient_write::accumulate);
  CHECK(d_logits == std::vector<double>{5, 5});
  sequence_kl_gradients(read, read, none, d, {d_logits.data(), 1, 2});
  CHECK(d_logits == std::vector<double>{0, 0});
}

TEST_CASE("TDPO from logits to the gradient by them") {
  constexpr std::size_t vocabulary = 6;
  kl_logits<double> const reference{6, vocabulary, 8};
  kl_logits<double> const policy{6, vocabulary, 9};
  // Two pairs: the first half of the sequences is chosen.
  std::vector<std::int64_t> const labels{1, 5, 0, -100, 2, 3}, offsets{0, 2, 3, 5, 6};
  token_rows const rows{.labels = labels, .offsets = offsets};
  std::vector<double> ref_log_prob(6), ref_sum(4);
  token_logprobs(reference.read(), labels, {.log_prob = ref_log_prob});
  std::vector<double> mask{1, 1, 1, 0, 1, 1};
  sequence_log_probs(packed_tokens<double>{.log_prob = ref_log_prob, .offsets = offsets, .mask = mask},
                     {.log_prob = ref_sum});
  auto const loss_of = [&](kl_logits<double> const& at, tdpo const& loss, kl_logits<double>* d_logits,
                           std::vector<double> const& held) {
    std::vector<double> log_prob(6), sum(4), kl(4);
    token_logprobs(at.read(), labels, {.log_prob = log_prob});
    sequence_log_probs(packed_tokens<double>{.log_prob = log_prob, .offsets = offsets, .mask = mask},
                       {.log_prob = sum});
    sequence_kl(reference.read(), at.read(), rows, kl);
    // Version 2 holds the chosen side's constant.
    if (!held.empty()) std::copy(held.begin(), held.begin() + 2, kl.begin());
    std::vector<double> d_sum(4), d_kl(4);
    double const value = evaluate(loss,
                                  pair_batch<double>{.chosen = {sum.data(), 2},
                                                     .rejected = {sum.data() + 2, 2},
                                                     .ref_chosen = {ref_sum.data(), 2},
                                                     .ref_rejected = {ref_sum.data() + 2, 2},
                                                     .chosen_kl = {kl.data(), 2},
                                                     .rejected_kl = {kl.data() + 2, 2}},
                                  {.d_chosen = {d_sum.data(), 2},
                                   .d_rejected = {d_sum.data() + 2, 2},
                                   .d_chosen_kl = {d_kl.data(), 2},
                                   .d_rejected_kl = {d_kl.data() + 2, 2}})
                             .loss;
    if (d_logits != nullptr) {
      std::vector<double> d_log_prob(6), log_sum_exp(6);
      token_gradients(packed_tokens<double>{.log_prob = log_prob, .offsets = offsets, .mask = mask}, d_sum, d_log_prob);
      token_logprobs(at.read(), labels, {.log_sum_exp = log_sum_exp});
      token_logprob_gradients(at.read(), labels, log_sum_exp, d_log_prob, d_logits->write());
      sequence_kl_gradients(reference.read(), at.read(), rows, d_kl, d_logits->write(), gradient_write::accumulate);
    }
    return value;
  };
  std::vector<double> kl(4);
  sequence_kl(reference.read(), policy.read(), rows, kl);
  for (tdpo const& loss : {tdpo{.beta = 0.5, .version = 1}, tdpo{.beta = 0.5, .alpha = 0.7, .version = 2}}) {
    auto const held = loss.version == 1 ? std::vector<double>{} : kl;
    kl_logits<double> d{6, vocabulary, 0};
    loss_of(policy, loss, &d, {});
    for (std::size_t row = 0; row < 6; ++row) {
      for (std::size_t j = 0; j < vocabulary; ++j) {
        std::size_t const at = row * policy.stride + j;
        auto up = policy, down = policy;
        up.memory[at] += 1e-5;
        down.memory[at] -= 1e-5;
        double const slope = (loss_of(up, loss, nullptr, held) - loss_of(down, loss, nullptr, held)) / 2e-5;
        CAPTURE(loss.version, row, j);
        CHECK(std::fabs(d.memory[at] - slope) < 1e-9);
      }
    }
  }
}

TEST_CASE("divergences refuse rows that do not fit") {
  std::vector<double> a(14), b(14), kl(4, 5.0), four(4);
  token_rows const rows{.labels = kl_labels, .offsets = kl_offsets};
  row_major<double const> const good{a.data(), 7, 2}, narrow{b.data(), 7, 1};
  CHECK(refusal([&] { sequence_kl(narrow, good, rows, kl); }) ==
        "prefopt::sequence_kl: reference is 7 x 1, logits is 7 x 2");
  CHECK(refusal([&] { sequence_kl(good, good, rows, kl); }) ==
        "prefopt::sequence_kl: labels[3] is 4, expected a token in [0, 2) or -100, which is ignored");
  std::vector<std::int64_t> const labels(7, 1);
  token_rows const right{.labels = labels, .offsets = kl_offsets};
  CHECK(refusal([&] {
          sequence_kl(good, good, right, {kl.data(), 3});
        }) == "prefopt::sequence_kl: kl has 3 elements, there are 4 sequences");
  auto const gradients = [&](column<double> const& d_kl, row_major<double> const& to) {
    return refusal([&] { sequence_kl_gradients(row_major<double const>{b.data(), 7, 2}, good, right, d_kl, to); });
  };
  CHECK(gradients({four.data(), 3}, {a.data(), 7, 2}) ==
        "prefopt::sequence_kl_gradients: d_kl has 3 elements, there are 4 sequences");
  CHECK(gradients(four, {b.data(), 7, 2}) == "prefopt::sequence_kl_gradients: d_logits overlaps reference");
  CHECK(gradients(four, {kl.data(), 2, 2}) == "prefopt::sequence_kl_gradients: d_logits is 2 x 2, logits is 7 x 2");
  CHECK(kl == std::vector<double>(4, 5.0));
}

TEST_CASE("divergences of transformed logits are those of logits transformed by hand, gradients have the slope") {
  kl_logits<double> const reference{7, 60, 31}, policy{7, 60, 32};
  token_rows const rows{.labels = kl_labels, .offsets = kl_offsets};
  kl_transforms const by{.policy = {.scale = 2, .soft_cap = 3, .temperature = 0.5}, .reference = {.temperature = 1.5}};
  auto by_hand = policy, reference_by_hand = reference, gradient = policy, gradient_by_hand = policy;
  for (double& x : by_hand.memory) x = 3 * std::tanh(2 * x / 3) / 0.5;
  for (double& x : reference_by_hand.memory) x /= 1.5;
  std::vector<double> kl(4, 9.0), right(4, 9.0);
  std::vector<double> const d{0.5, -2, 3, 0.125};
  sequence_kl(reference.read(), policy.read(), rows, kl, {}, by);
  sequence_kl(reference_by_hand.read(), by_hand.read(), rows, right);
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::fabs(kl[i] - right[i]) < 1e-13 * (1 + right[i]));
  sequence_kl_gradients(reference.read(), policy.read(), rows, d, gradient.write(), gradient_write::assign, {}, by);
  sequence_kl_gradients(reference_by_hand.read(), by_hand.read(), rows, d, gradient_by_hand.write());
  for (std::size_t row = 0; row < 7; ++row) {
    for (std::size_t j = 0; j < 60; ++j) {
      std::size_t const at = row * policy.stride + j;
      double const outer = std::cosh(2 * policy.memory[at] / 3), slope = 4 / (outer * outer);
      CHECK(std::fabs(gradient.memory[at] - slope * gradient_by_hand.memory[at]) < 1e-14);
    }
  }
  CHECK(refusal([&] { sequence_kl(reference.read(), policy.read(), rows, kl, {}, {.reference = {.scale = 0}}); }) ==
        "prefopt::sequence_kl: scale is 0, expected a finite number > 0");
}
