// Humanline's clamp of token log-probs around the reference's.
#include <prefopt/logprob/token_clamp.hpp>

#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <vector>

using namespace prefopt;

TEMPLATE_TEST_CASE("tokens are clamped around the reference, bounds included", "", float, double) {
  using T = TestType;
  T const inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> const log_prob{-1, -3, -4, T(-0.25), T(-0.5), -inf, nan, -inf},
      reference{-1, -2, -2, -2, -2, -3, -1, -inf};
  std::vector<T> clamped(8), inside(16, T(5));
  token_clamp(column<T>{log_prob}, reference, -1, 1.5, clamped, {inside.data(), 8, 2});
  std::vector<T> const expected{-1, -3, -3, T(-0.5), T(-0.5), -4}, marks{1, 1, 0, 0, 1, 0, 0, 0};
  for (std::size_t i = 0; i < 6; ++i) CHECK(clamped[i] == expected[i]);
  CHECK(clamped[6] != clamped[6]);
  CHECK(clamped[7] != clamped[7]);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(inside[2 * i] == marks[i]);
    CHECK(inside[2 * i + 1] == 5);
  }
  // In place; wide bounds change no bit.
  std::vector<T> own{T(-0.1), T(-3.7), T(-12.25)}, before = own;
  std::vector<T> const other{T(-0.7), T(-1.3), T(-0.3)};
  token_clamp(column<T>{own}, other, -std::numeric_limits<double>::infinity(), 1e9, own);
  CHECK(own == before);
}

TEST_CASE("a loss of clamped tokens, and its gradient by the tokens") {
  std::vector<double> const chosen{-1, -3, -0.5, -2}, rejected{-2, -2.25, -6, -1}, ref{-1.5, -1.5, -1.5, -1.5};
  std::vector<std::int64_t> const offsets{0, 2, 4};
  std::vector<double> const ref_sum{-3, -3};
  auto const loss_of = [&](std::vector<double> const& a, std::vector<double>* d_a) {
    std::vector<double> clamped_a(4), clamped_b(4), inside_a(4), d(4);
    token_clamp(column<double>{a}, ref, -1, 1.5, clamped_a, inside_a);
    token_clamp(column<double>{rejected}, ref, -1, 1.5, clamped_b);
    double const loss =
        evaluate(dpo{.beta = 0.5},
                 token_pair_batch<packed_tokens<double>>{.chosen = {.log_prob = clamped_a, .offsets = offsets},
                                                         .rejected = {.log_prob = clamped_b, .offsets = offsets},
                                                         .ref_chosen = ref_sum,
                                                         .ref_rejected = ref_sum},
                 {.d_chosen = d})
            .loss;
    for (std::size_t i = 0; d_a != nullptr && i < 4; ++i) (*d_a)[i] = d[i] * inside_a[i];
    return loss;
  };
  std::vector<double> d(4);
  long double const z[2]{0.5L * (0.5L - 1 - (-0.5L - 0.75L)), 0.5L * (1 - 0.5L - (-1 + 0.5L))};
  CHECK(std::fabs(loss_of(chosen, &d) - (std::log1p(std::exp(-z[0])) + std::log1p(std::exp(-z[1]))) / 2) < 1e-15L);
  for (std::size_t i = 0; i < 4; ++i) {
    auto up = chosen, down = chosen;
    up[i] += 1e-6;
    down[i] -= 1e-6;
    CHECK(std::fabs(d[i] - (loss_of(up, nullptr) - loss_of(down, nullptr)) / 2e-6) < 1e-9);
  }
  CHECK(d[1] == 0);
}

TEST_CASE("a clamp between equal bounds leaves one number, and what is at a bound is inside") {
  std::vector<double> const a{-1, -2, -3}, reference(3, -2.0);
  std::vector<double> to(3), inside(3);
  token_clamp(column<double>{a}, reference, 0, 0, to, inside);
  CHECK(to == reference);
  CHECK(inside == std::vector<double>{0, 1, 0});
  token_clamp(column<double>{a}, reference, -1, 1, to, inside);
  CHECK(to == a);
  CHECK(inside == std::vector<double>{1, 1, 1});
}

TEST_CASE("a clamp refuses bounds out of order and sizes that differ") {
  std::vector<double> const a(3, -1.0), b(2, -1.0);
  std::vector<double> to(3, 5.0);
  CHECK(refusal([&] { token_clamp(column<double>{a}, a, 1, -1, to); }) ==
        "prefopt::token_clamp: low is 1 and high -1, expected low <= high");
  CHECK(refusal([&] { token_clamp(column<double>{a}, a, std::nan(""), 1, to); }) ==
        "prefopt::token_clamp: low is nan and high 1, expected low <= high");
  CHECK(refusal([&] { token_clamp(column<double>{a}, b, -1, 1, to); }) ==
        "prefopt::token_clamp: reference has 2 elements, log_prob has 3");
  CHECK(refusal([&] {
          token_clamp(column<double>{a}, a, -1, 1, to, output<double>{to.data(), 2});
        }) == "prefopt::token_clamp: inside has 2 elements, log_prob has 3");
  CHECK(to == std::vector<double>(3, 5.0));
}
