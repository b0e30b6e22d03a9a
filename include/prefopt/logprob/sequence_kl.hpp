#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/parts.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/logprob/token_rows.hpp>
#include <prefopt/simd/half.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/row_major.hpp>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// What becomes of each model's logits before the softmax.
struct kl_transforms {
  logit_transform policy{}, reference{};
};

namespace detail {

/// p_j = e^(x_j - highest) / e^log_sum, in double. A NaN or +inf anywhere, or nothing but -inf, leaves NaN in log_sum.
struct double_softmax {
  row_transform transform;
  double highest = -std::numeric_limits<double>::infinity(), log_sum = 0;

  template <class U>
  double_softmax(U const* row, std::size_t size, row_transform const& by) noexcept : transform{by} {
    for (std::size_t j = 0; j < size; ++j) {
      double const x = transformed(by, static_cast<double>(load_number(row + j)));
      highest = x > highest ? x : highest;
    }
    double sum = 0;
    for (std::size_t j = 0; j < size; ++j) {
      sum += std::exp(transformed(by, static_cast<double>(load_number(row + j))) - highest);
    }
    log_sum = std::log(sum);
  }

  [[nodiscard]] double log_prob(double x) const noexcept { return (transformed(transform, x) - highest) - log_sum; }
};

/// KL(reference || policy) of two rows of logits.
template <class R, class P>
double row_kl(double_softmax const& under_reference, double_softmax const& under_policy, R const* reference,
              P const* policy, std::size_t size) noexcept {
  double kl = 0;
  for (std::size_t j = 0; j < size; ++j) {
    double const log_p = under_reference.log_prob(static_cast<double>(load_number(reference + j)));
    double const p = std::exp(log_p);
    // What the reference never says costs nothing, even where the policy never says it either.
    if (p != 0) kl += p * (log_p - under_policy.log_prob(static_cast<double>(load_number(policy + j))));
  }
  // Rounding may bring it below.
  return kl < 0 ? 0 : kl;
}

template <class R, class P>
void check_kl(char const* where, row_major<R> const& reference, row_major<P> const& logits, token_rows const& rows) {
  check_rows(where, "reference", reference);
  check_rows(where, "logits", logits);
  if (reference.rows() != logits.rows() || reference.columns() != logits.columns()) {
    fail(where, "reference is " + shape(reference) + ", logits is " + shape(logits));
  }
  check_labels(where, rows.labels, logits.rows(), logits.columns(), rows.ignore_index);
  rows.check(where);
}

}  // namespace detail

/// How far the policy is from the reference over each sequence, of the whole vocabulary: the columns chosen_kl and
/// rejected_kl of tdpo.
///     K          sum over the rows that count of KL(reference || policy) = sum_v p_ref (log p_ref - log p), in nats
///     reference  logits [tokens, vocabulary], logits alike, each float, double or of 16 bits; rows.weight is not read
///     transforms what becomes of each before the softmax, in double
///     sums       in double, rounded once; a row's error is some 1e-15 (1 + log vocabulary) absolutely, and
///                with a transform, or of logits beyond some tens, 2^-53 of the largest |x'| besides; never below 0
///     special    equal rows have 0, exactly; +inf where the policy never says what the reference does; a probability
///                below double's smallest number counts as 0; a row with NaN or +inf, or of -inf alone, makes NaN
///     cost       three exponentials for each logit, in double and one by one: some milliseconds a row where the
///                vocabulary has 100,000 tokens. Rows are handed to the executor
///     throws     std::invalid_argument, before anything is written: shapes that differ, rows that are not contiguous,
///                labels that are no tokens, offsets that do not span the rows
///     source     Zeng et al. 2024 (TDPO), arXiv:2404.11999
template <class R, class P>
void sequence_kl(row_major<R> const& reference, row_major<P> const& logits, token_rows const& rows,
                 std::type_identity_t<output<detail::computed_of<detail::stored_of<P>>>> const& kl,
                 executor const& run = {}, kl_transforms const& transforms = {}) {
  constexpr char const* where = "sequence_kl";
  detail::check_kl(where, reference, logits, rows);
  auto const of_policy = detail::checked_transform(where, transforms.policy),
             of_reference = detail::checked_transform(where, transforms.reference);
  if (kl.size() != rows.sequences()) {
    detail::fail(where, "kl has " + detail::elements(kl.size()) + ", there are " + detail::text(rows.sequences()) +
                            " sequences");
  }
  std::vector<double> of_rows(logits.rows());
  detail::for_each_in_parts(logits.rows(), detail::rows_of_part(logits.columns()), run, [&](std::size_t row) noexcept {
    if (rows.labels[row] == rows.ignore_index) return;
    std::size_t const vocabulary = logits.columns();
    of_rows[row] = detail::row_kl(detail::double_softmax{reference[row], vocabulary, of_reference},
                                  detail::double_softmax{logits[row], vocabulary, of_policy}, reference[row],
                                  logits[row], vocabulary);
  });
  for (std::size_t i = 0; i < rows.sequences(); ++i) {
    double sum = 0;
    for (std::size_t row = rows.begin(i); row < rows.end(i); ++row) sum += of_rows[row];
    detail::put(kl, i, sum);
  }
}

/// The gradient by the policy's logits, from d_kl, that by each sequence's K: tdpo's d_chosen_kl, d_rejected_kl.
///     d_logits   d_kl (p - p_ref), times the slope of the policy's transform; may be the memory of logits (not when
///                accumulating)
///     rows       that do not count, and those of a sequence with d_kl 0, have gradient 0 (under accumulate they are
///                left alone)
///     error      2^-52 (4 + |log p| + the largest |x'|) of p and p_ref each, rounded once
///     throws     as sequence_kl; and for d_logits that overlaps logits without being the same rows, or the reference
/// To be added to the gradient through the log-probs: gradient_write::accumulate into the same d_logits.
template <class R, class P>
void sequence_kl_gradients(row_major<R> const& reference, row_major<P> const& logits, token_rows const& rows,
                           std::type_identity_t<column<detail::computed_of<detail::stored_of<P>>>> const& d_kl,
                           std::type_identity_t<row_major<detail::stored_of<P>>> const& d_logits,
                           gradient_write how = gradient_write::assign, executor const& run = {},
                           kl_transforms const& transforms = {}) {
  constexpr char const* where = "sequence_kl_gradients";
  using S = detail::stored_of<P>;
  detail::check_kl(where, reference, logits, rows);
  auto const policy_transform = detail::checked_transform(where, transforms.policy),
             reference_transform = detail::checked_transform(where, transforms.reference);
  if (d_kl.size() != rows.sequences()) {
    detail::fail(where, "d_kl has " + detail::elements(d_kl.size()) + ", there are " + detail::text(rows.sequences()) +
                            " sequences");
  }
  detail::check_logit_gradient(where, logits, d_logits, how);
  if (detail::overlap(reference, d_logits)) detail::fail(where, "d_logits overlaps reference");
  std::vector<double> d_rows(logits.rows());
  for (std::size_t i = 0; i < rows.sequences(); ++i) {
    for (std::size_t row = rows.begin(i); row < rows.end(i); ++row) {
      if (rows.labels[row] != rows.ignore_index) d_rows[row] = static_cast<double>(d_kl[i]);
    }
  }
  bool const adds = how == gradient_write::accumulate;
  std::size_t const vocabulary = logits.columns();
  detail::for_each_in_parts(logits.rows(), detail::rows_of_part(vocabulary), run, [&](std::size_t row) noexcept {
    double const d = d_rows[row];
    S* const to = d_logits[row];
    if (d == 0) {
      if (!adds) detail::stored_rows{d_logits}.clear(row);
      return;
    }
    auto const* const p = logits[row];
    auto const* const r = reference[row];
    detail::double_softmax const under_reference{r, vocabulary, reference_transform},
        under_policy{p, vocabulary, policy_transform};
    for (std::size_t j = 0; j < vocabulary; ++j) {
      double const x = static_cast<double>(detail::load_number(p + j));
      double const of_policy = std::exp(under_policy.log_prob(x));
      double const of_reference = std::exp(under_reference.log_prob(static_cast<double>(detail::load_number(r + j))));
      double gradient = d * (of_policy - of_reference) * detail::transform_slope(policy_transform, x);
      if (adds) gradient += static_cast<double>(detail::load_number(to + j));
      detail::store_number(static_cast<detail::computed_of<S>>(gradient), to + j);
    }
  });
}

}  // namespace prefopt::inline PREFOPT_ABI
