#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/offsets.hpp>
#include <string_view>
#include <type_traits>

// Advantages of tokens that a teacher has a say in: T is its log-prob of the sampled token, o the old policy's.

namespace prefopt::inline PREFOPT_ABI {

/// On-policy distillation: A + coefficient (T - o). With A = 0 and a coefficient of 1 what is descended is the reverse KL to
/// the teacher.
///     special   a coefficient of 0 gives A, also where the teacher gives a token no probability; NaN gives NaN
///     source    swift
struct opd {
  double coefficient = 1;  ///< finite
};

/// RLSD, a reward told by a teacher which tokens it is due to: A ((1 - lambda) + lambda clip(e^(sgn(A) (T - o)), 1 - epsilon,
/// 1 + epsilon)). The sign stays A's.
///     special   A = 0 gives 0, also where the teacher gives a token no probability; NaN gives NaN
///     source    swift
struct rlsd {
  double lambda = 1;     ///< in [0, 1]; 0 leaves A
  double epsilon = 0.2;  ///< in [0, 1]
};

namespace detail {

/// Writes of each token what f makes of its advantage and of T - o.
template <class T, class F>
void write_teacher_advantages(std::string_view where, column<T> const& advantage, column<T> const& teacher,
                              column<T> const& old, column<std::int64_t> const& offsets, output<T> const& written,
                              F const& f) {
  std::size_t const n = teacher.size();
  bool is_one_each = true;
  check_offsets(where, offsets, n, [&](std::size_t, std::size_t size) { is_one_each &= size == 1; },
                {"offsets", "sequence", "teacher_log_prob"});
  std::size_t const sequences = offsets.size() - 1;
  auto const expect_size = [&](std::string_view name, std::size_t size) {
    if (size != n) fail(where, {name, " has ", elements(size), ", teacher_log_prob has ", text(n)});
  };
  expect_size("old_log_prob", old.size());
  expect_size("output", written.size());
  if (advantage.size() != n && advantage.size() != sequences) {
    fail(where, {"advantage has ", elements(advantage.size()), ", expected one a token, ", text(n),
                 ", or one a sequence, ", text(sequences)});
  }
  if (n == sequences && !is_one_each) {
    fail(where, {"advantage has ", elements(n),
                 ", which are as many as tokens and as sequences, and not every sequence has one token: which it is "
                 "cannot be told"});
  }
  bool const is_of_tokens = advantage.size() == n;
  for (std::size_t s = 0; s < sequences; ++s) {
    auto const end = static_cast<std::size_t>(offsets[s + 1]);
    for (auto i = static_cast<std::size_t>(offsets[s]); i < end; ++i) {
      put(written, i,
          f(static_cast<double>(advantage[is_of_tokens ? i : s]),
            static_cast<double>(teacher[i]) - static_cast<double>(old[i])));
    }
  }
}

}  // namespace detail

/// Advantages of tokens from those of tokens or of sequences, and a teacher.
///     teacher_log_prob, old_log_prob    one a token; a token that is not to count may hold anything, and gets anything
///     computed   in double; over an advantage a token, in place, too
///     throws     std::invalid_argument, before anything is written: sizes that differ, offsets that fall or do not span the
///                tokens, a parameter out of its range
template <class T>
void opd_advantages(std::type_identity_t<column<T>> const& advantage, column<T> const& teacher_log_prob,
                    std::type_identity_t<column<T>> const& old_log_prob, column<std::int64_t> const& offsets,
                    std::type_identity_t<output<T>> const& written, opd const& by = {}) {
  constexpr std::string_view where = "opd_advantages";
  if (!std::isfinite(by.coefficient))
    detail::fail(where, {"coefficient is ", detail::text(by.coefficient), ", expected a finite number"});
  detail::write_teacher_advantages<T>(where, advantage, teacher_log_prob, old_log_prob, offsets, written,
                                      [&](double a, double apart) {
                                        // A teacher that gives a token no probability has no say without a coefficient.
                                        bool const has_say = by.coefficient != 0 || std::isnan(apart);
                                        return has_say ? a + by.coefficient * apart : a;
                                      });
}

/// The same by RLSD.
template <class T>
void rlsd_advantages(std::type_identity_t<column<T>> const& advantage, column<T> const& teacher_log_prob,
                     std::type_identity_t<column<T>> const& old_log_prob, column<std::int64_t> const& offsets,
                     std::type_identity_t<output<T>> const& written, rlsd const& by = {}) {
  constexpr std::string_view where = "rlsd_advantages";
  auto const expect_share = [&](std::string_view name, double x) {
    if (!(x >= 0 && x <= 1)) detail::fail(where, {name, " is ", detail::text(x), ", expected a number in [0, 1]"});
  };
  expect_share("lambda", by.lambda);
  expect_share("epsilon", by.epsilon);
  detail::write_teacher_advantages<T>(
      where, advantage, teacher_log_prob, old_log_prob, offsets, written, [&](double a, double apart) {
        // NaN stays; no reward is due to no token, also where the teacher gives it no probability.
        double const lean = a < 0 ? -apart : apart, weight = std::exp(a == 0 && !std::isnan(apart) ? 0 : lean);
        double const clipped = weight < 1 - by.epsilon ? 1 - by.epsilon : std::min(weight, 1 + by.epsilon);
        return a * ((1 - by.lambda) + by.lambda * (std::isnan(weight) ? weight : clipped));
      });
}

}  // namespace prefopt::inline PREFOPT_ABI
