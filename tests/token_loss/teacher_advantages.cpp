// Advantages of tokens that a teacher has a say in.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/token/teacher_advantages.hpp>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

TEMPLATE_TEST_CASE("a teacher adds to an advantage, or scales it", "", float, double) {
  using T = TestType;
  std::vector<T> const teacher{T(-1), T(-0.9), T(-2.5), T(-0.2)}, old{T(-1.4), T(-0.3), T(-1.5), T(-0.25)},
      of_sequences{2, T(-1.5)}, of_tokens{2, 2, T(-1.5), T(-1.5)};
  std::vector<std::int64_t> const offsets{0, 2, 4};
  auto const check = [&](std::vector<T> const& got, std::vector<double> const& right) {
    for (std::size_t i = 0; i < right.size(); ++i) {
      CAPTURE(i, got[i]);
      CHECK(std::fabs(got[i] - right[i]) <= 4 * std::numeric_limits<T>::epsilon() * std::fabs(right[i]));
    }
  };
  std::vector<T> out(4), over = of_tokens;
  opd_advantages<T>(of_sequences, teacher, old, offsets, out, {.coefficient = 0.5});
  check(out, {2.2, 1.7, -2, -1.475});
  opd_advantages<T>(over, teacher, old, offsets, over, {.coefficient = 0.5});
  CHECK(over == out);
  opd_advantages<T>(of_tokens, teacher, old, offsets, out, {.coefficient = 0});
  CHECK(out == of_tokens);
  rlsd_advantages<T>(of_sequences, teacher, old, offsets, out, {.lambda = 0.75, .epsilon = 0.2});
  check(out, {2.3, 1.7, -1.725, -1.4451331025633032});
  over = of_tokens;
  rlsd_advantages<T>(over, teacher, old, offsets, over, {.lambda = 0.75, .epsilon = 0.2});
  CHECK(over == out);
  rlsd_advantages<T>(of_tokens, teacher, old, offsets, out, {.lambda = 0});
  CHECK(out == of_tokens);
  rlsd_advantages<T>(of_tokens, teacher, old, offsets, out, {.epsilon = 0});
  CHECK(out == of_tokens);
  // Of small advantages it is the sign, too, that the teacher's word goes by.
  std::vector<T> const small{T(0.25), T(-0.25), T(0.25), T(-0.25)}, word{T(-1), T(-1), T(-1.25), T(-1.25)},
      before(4, T(-1.125));
  rlsd_advantages<T>(small, word, before, offsets, out, {.lambda = 1, .epsilon = 0.5});
  check(out, {0.25 * std::exp(0.125), -0.25 * std::exp(-0.125), 0.25 * std::exp(-0.125), -0.25 * std::exp(0.125)});
  // The teacher is the old policy: nothing is told.
  opd_advantages<T>(of_tokens, old, old, offsets, out);
  CHECK(out == of_tokens);
  rlsd_advantages<T>(of_tokens, old, old, offsets, out);
  CHECK(out == of_tokens);
}

TEST_CASE("far and special numbers of a teacher") {
  double const inf = infinity<double>, nan = not_a_number<double>;
  std::vector<double> const advantage{1, 1, -1, -1, 0, 0, 1}, teacher{-1e4, -1, -inf, -1, -inf, -1, nan},
      old{-1, -inf, -1, -1e4, -1, -1e4, -1};
  std::vector<std::int64_t> const offsets{0, 7};
  std::vector<double> out(7);
  rlsd_advantages<double>(advantage, teacher, old, offsets, out, {.lambda = 0.5});
  CHECK(out[0] == 0.9);
  CHECK(out[1] == 1.1);
  CHECK(out[2] == -1.1);
  CHECK(out[3] == -0.9);
  CHECK(out[4] == 0);
  CHECK(out[5] == 0);
  CHECK(std::isnan(out[6]));
  opd_advantages<double>(advantage, teacher, old, offsets, out);
  CHECK(out[0] == -9998);
  CHECK(out[1] == inf);
  CHECK(out[2] == -inf);
  opd_advantages<double>(advantage, teacher, old, offsets, out, {.coefficient = 0});
  for (std::size_t i = 0; i < 6; ++i) CHECK(out[i] == advantage[i]);
  CHECK(std::isnan(out[6]));
}

TEST_CASE("errors of a teacher's advantages") {
  std::vector<double> const three(3, -1.0), two(2, 1.0), four(4, 1.0);
  std::vector<std::int64_t> const offsets{0, 1, 3}, few{0, 2}, odd{0, 0, 1, 3};
  std::vector<double> out(3, -77.0), small(2);
  auto const told = [&](auto const& call) {
    auto const message = refusal(call);
    CHECK(out == std::vector<double>(3, -77.0));
    return message;
  };
  CHECK(told([&] { opd_advantages<double>(three, three, three, few, out); }) ==
        "prefopt::opd_advantages: offsets end at 2, teacher_log_prob has 3 elements");
  CHECK(told([&] { opd_advantages<double>(three, three, two, offsets, out); }) ==
        "prefopt::opd_advantages: old_log_prob has 2 elements, teacher_log_prob has 3");
  CHECK(told([&] { opd_advantages<double>(three, three, three, offsets, small); }) ==
        "prefopt::opd_advantages: output has 2 elements, teacher_log_prob has 3");
  CHECK(told([&] { opd_advantages<double>(four, three, three, offsets, out); }) ==
        "prefopt::opd_advantages: advantage has 4 elements, expected one a token, 3, or one a sequence, 2");
  CHECK(
      told([&] { opd_advantages<double>(three, three, three, odd, out); }) ==
      "prefopt::opd_advantages: advantage has 3 elements, which are as many as tokens and as sequences, and not every "
      "sequence has one token: which it is cannot be told");
  CHECK(told([&] { opd_advantages<double>(three, three, three, offsets, out, {.coefficient = infinity<double>}); }) ==
        "prefopt::opd_advantages: coefficient is inf, expected a finite number");
  CHECK(told([&] { rlsd_advantages<double>(three, three, three, offsets, out, {.lambda = 1.5}); }) ==
        "prefopt::rlsd_advantages: lambda is 1.5, expected a number in [0, 1]");
  CHECK(told([&] { rlsd_advantages<double>(three, three, three, offsets, out, {.epsilon = -0.1}); }) ==
        "prefopt::rlsd_advantages: epsilon is -0.1, expected a number in [0, 1]");
}
