#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <prefopt/batch/options.hpp>
#include <prefopt/core/parts.hpp>
#include <prefopt/logprob/filter_kernel.hpp>
#include <prefopt/logprob/logit_kernel.hpp>
#include <prefopt/logprob/logit_transform.hpp>
#include <prefopt/simd/arithmetic.hpp>
#include <prefopt/simd/instruction_set.hpp>
#include <prefopt/view/column.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>
#include <type_traits>

namespace prefopt::inline PREFOPT_ABI {

/// What is found out of each row of logits, one value a row, or left empty. A row whose label is ignored has 0 in all.
template <class T>
struct token_logprob_outputs {
  output<T> log_prob{};          ///< log p(label), natural logarithm
  output<double> log_sum_exp{};  ///< log of the sum of exp(logits); in double, so that the backward pass loses nothing
  output<T> entropy{};           ///< -sum of p log p, in nats
  output<T> square_sum{};        ///< sum of p^2 (WPO, arXiv:2406.11827, eq. 6)
  output<T> highest{};           ///< 1 if no logit is above the label's, else 0
};

struct token_options {
  std::int64_t ignore_index = -100;  ///< rows with this label are not read
  /// Whether a gradient replaces what stands in its place or is added to it (not in place).
  gradient_write gradient = gradient_write::assign;
  prefopt::executor executor{};
  logit_transform transform{};  ///< the same in both passes
};

/// What the backward pass takes, one value a row.
template <class T>
struct token_logprob_slopes {
  column<double> log_sum_exp{};  ///< as token_logprobs gave it
  column<T> d_log_prob{};        ///< the loss's gradient by log_prob; if only d_entropy is given, 0
  column<T> d_entropy{};         ///< that by entropy, as an entropy bonus has one; not given: 0
  column<T> entropy{};           ///< as token_logprobs gave it; d_entropy needs it
};

/// A loss's gradient by one row's log_prob and entropy.
struct token_slope {
  double log_prob = 0, entropy = 0;
};

namespace detail {

/// The element types of logits that may be written through `row_major<U>`, or only read.
template <class U>
using stored_of = std::remove_const_t<U>;

/// Labels are given for every row and are tokens, or ignored.
inline void check_labels(std::string_view where, column<std::int64_t> const& labels, std::size_t rows,
                         std::size_t vocabulary, std::int64_t ignore_index) {
  if (labels.size() != rows) {
    fail(where, "labels has " + elements(labels.size()) + ", logits has " + text(rows) + " rows");
  }
  for (std::size_t i = 0; i < rows; ++i) {
    std::int64_t const label = labels[i];
    if (label == ignore_index || (label >= 0 && static_cast<std::uint64_t>(label) < vocabulary)) continue;
    fail(where, "labels[" + text(i) + "] is " + std::to_string(label) + ", expected a token in [0, " +
                    text(vocabulary) + ") or " + std::to_string(ignore_index) + ", which is ignored");
  }
}

inline void check_row_column(std::string_view where, char const* name, std::size_t size, std::size_t rows) {
  if (size != 0 && size != rows) {
    fail(where, std::string{name} + " has " + elements(size) + ", logits has " + text(rows) + " rows");
  }
}

template <class T>
void check_slopes(std::string_view where, token_logprob_slopes<T> const& slopes, std::size_t rows) {
  if (slopes.log_sum_exp.empty() && rows != 0) fail(where, "log_sum_exp is not given");
  if (slopes.d_log_prob.empty() && slopes.d_entropy.empty() && rows != 0) fail(where, "d_log_prob is not given");
  if (!slopes.d_entropy.empty() && slopes.entropy.empty()) fail(where, "entropy is not given, which d_entropy needs");
  check_row_column(where, "log_sum_exp", slopes.log_sum_exp.size(), rows);
  check_row_column(where, "d_log_prob", slopes.d_log_prob.size(), rows);
  check_row_column(where, "d_entropy", slopes.d_entropy.size(), rows);
  check_row_column(where, "entropy", slopes.entropy.size(), rows);
}

/// Of columns that have been checked, or a policy's, which are empty if they are not given.
template <class Slopes, class Entropies, class Values>
row_slopes slopes_of_row(Slopes const& d_log_prob, Entropies const& d_entropy, Values const& entropy,
                         std::size_t row) noexcept {
  row_slopes slopes;
  if (!d_log_prob.empty()) slopes.log_prob = static_cast<double>(d_log_prob[row]);
  if (!d_entropy.empty()) {
    slopes.entropy = static_cast<double>(d_entropy[row]);
    slopes.entropy_value = static_cast<double>(entropy[row]);
  }
  return slopes;
}

template <class T>
void check_row_outputs(std::string_view where, token_logprob_outputs<T> const& outputs, std::size_t rows) {
  check_row_column(where, "output log_prob", outputs.log_prob.size(), rows);
  check_row_column(where, "output log_sum_exp", outputs.log_sum_exp.size(), rows);
  check_row_column(where, "output entropy", outputs.entropy.size(), rows);
  check_row_column(where, "output square_sum", outputs.square_sum.size(), rows);
  check_row_column(where, "output highest", outputs.highest.size(), rows);
}

template <class U>
void check_logits(std::string_view where, row_major<U> const& logits, column<std::int64_t> const& labels,
                  std::int64_t ignore_index) {
  check_arithmetic<computed_of<stored_of<U>>>(where, logits.rows());
  check_rows(where, "logits", logits);
  check_labels(where, labels, logits.rows(), logits.columns(), ignore_index);
}

/// The gradient is either in place of the logits or apart from them.
template <class U, class W>
void check_logit_gradient(std::string_view where, row_major<U> const& logits, row_major<W> const& d_logits,
                          gradient_write how) {
  check_target(where, "d_logits", d_logits, logits.rows(), logits.columns(), "logits");
  if (!overlap(logits, d_logits)) return;
  bool const same = static_cast<void const*>(logits.data()) == static_cast<void const*>(d_logits.data()) &&
                    (logits.stride() == d_logits.stride() || logits.rows() == 1);
  if (!same) fail(where, "d_logits overlaps logits but is not the same rows");
  if (how == gradient_write::accumulate) {
    fail(where, "d_logits is the memory of logits, which cannot be accumulated into");
  }
}

template <class T>
void put(token_logprob_outputs<T> const& outputs, std::size_t row, row_result<T> const& seen) noexcept {
  bool const defined = seen.log_prob == seen.log_prob;
  put(outputs.log_prob, row, seen.log_prob);
  put(outputs.log_sum_exp, row, seen.log_sum_exp);
  put(outputs.entropy, row, seen.entropy);
  put(outputs.square_sum, row, seen.square_sum);
  put(outputs.highest, row, defined ? (seen.highest ? 1.0 : 0.0) : seen.log_prob);
}

template <class T>
void put_ignored(token_logprob_outputs<T> const& outputs, std::size_t row) noexcept {
  for (auto const* target : {&outputs.log_prob, &outputs.entropy, &outputs.square_sum, &outputs.highest}) {
    put(*target, row, 0);
  }
  put(outputs.log_sum_exp, row, 0);
}

template <class T>
bool wants_statistics(token_logprob_outputs<T> const& outputs) noexcept {
  return !outputs.entropy.empty() || !outputs.square_sum.empty();
}

/// Rows are handed to the executor in parts of at least this many logits.
constexpr std::size_t rows_of_part(std::size_t vocabulary) noexcept { return 65536 / (vocabulary + 1) + 1; }

/// Rows of stored numbers without their type. What is read only is not written to.
struct stored_rows {
  unsigned char* first = nullptr;
  std::size_t rows = 0, columns = 0;
  std::ptrdiff_t stride = 0;  ///< in bytes
  std::size_t row_bytes = 0;

  stored_rows() = default;
  template <class U>
  explicit stored_rows(row_major<U> const& m) noexcept
      : first{reinterpret_cast<unsigned char*>(const_cast<std::remove_const_t<U>*>(m.data()))},
        rows{m.rows()},
        columns{m.columns()},
        stride{m.stride() * static_cast<std::ptrdiff_t>(sizeof(U))},
        row_bytes{m.columns() * sizeof(U)} {}

  [[nodiscard]] void* operator[](std::size_t row) const noexcept {
    return first + static_cast<std::ptrdiff_t>(row) * stride;
  }
  void clear(std::size_t row) const noexcept { std::memset((*this)[row], 0, row_bytes); }
};

/// Calls f(row, label) for the rows that count and ignored(row) for the others.
template <class F, class Ignored>
void for_each_token(std::size_t rows, std::size_t vocabulary, column<std::int64_t> const& labels,
                    std::int64_t ignore_index, executor const& run, F const& f, Ignored const& ignored) {
  for_each_in_parts(rows, rows_of_part(vocabulary), run, [&](std::size_t row) noexcept {
    std::int64_t const label = labels[row];
    if (label == ignore_index) {
      ignored(row);
    } else {
      f(row, static_cast<std::size_t>(label));
    }
  });
}

/// What is kept of a row between the passes: of this namespace, so that a container of it is each file's own.
template <class T>
struct kept_softmax : row_softmax<T> {};

/// Forward over rows that have been checked: seen(row, result) for the rows that count, ignored(row) for the others.
template <class T, class Seen, class Ignored>
void read_rows(row_kernels<T> const& kernels, stored_rows const& logits, column<std::int64_t> const& labels,
               row_transform const& transform, bool statistics, std::int64_t ignore_index, executor const& run,
               Seen const& seen, Ignored const& ignored) {
  auto const read = statistics ? kernels.read_statistics : kernels.read;
  for_each_token(
      logits.rows, logits.columns, labels, ignore_index, run,
      [&](std::size_t row, std::size_t label) noexcept {
        row_result<T> result{};
        read(logits[row], logits.columns, label, transform, result);
        seen(row, result);
      },
      ignored);
}

/// The gradient by the logits of one row that counts.
template <class T>
void write_gradient_row(row_kernels<T> const& kernels, stored_rows const& logits, std::size_t row, std::size_t label,
                        row_transform const& transform, row_softmax<T> const& softmax, row_slopes const& d,
                        stored_rows const& d_logits, gradient_write how) noexcept {
  if (how == gradient_write::accumulate) {
    if (!d.none()) kernels.add_gradient(logits[row], logits.columns, label, transform, softmax, d, d_logits[row]);
  } else if (d.none()) {
    d_logits.clear(row);
  } else {
    kernels.assign_gradient(logits[row], logits.columns, label, transform, softmax, d, d_logits[row]);
  }
}

/// Backward over rows that have been checked: softmax(row) is their distribution, d(row) their row_slopes.
template <class T, class Softmax, class Slopes>
void write_rows(row_kernels<T> const& kernels, stored_rows const& logits, column<std::int64_t> const& labels,
                row_transform const& transform, Softmax const& softmax, Slopes const& d, stored_rows const& d_logits,
                std::int64_t ignore_index, gradient_write how, executor const& run) {
  for_each_token(
      logits.rows, logits.columns, labels, ignore_index, run,
      [&](std::size_t row, std::size_t label) noexcept {
        write_gradient_row(kernels, logits, row, label, transform, softmax(row), d(row), d_logits, how);
      },
      [&](std::size_t row) noexcept {
        if (how == gradient_write::assign) d_logits.clear(row);
      });
}

/// Where the kernels on rows of U are for an instruction set.
template <class Arch>
struct row_kernels_for {
  template <class U>
  static constexpr row_kernels<computed_of<U>> plain() noexcept {
    return row_kernels_of<Arch, U>();
  }
  template <class U>
  static constexpr kept_row_kernels<computed_of<U>> kept() noexcept {
    return kept_row_kernels_of<Arch, U>();
  }
  template <class U>
  static constexpr rounding_kernel<computed_of<U>> rounding() noexcept {
    return &round_numbers<Arch, U>;
  }
  template <class T>
  static constexpr filter_kernels<T> filter() noexcept {
    return filter_kernels_of<Arch, T>();
  }
};

/// What says the gradient by a row's log-prob, or by that and its entropy.
template <class F, class T>
concept slope_of_log_prob = std::is_nothrow_invocable_r_v<double, F const&, std::size_t, T>;
template <class F, class T>
concept slope_of_row =
    slope_of_log_prob<F, T> || std::is_nothrow_invocable_r_v<token_slope, F const&, std::size_t, T, T>;

/// The same without its type; refers to it.
template <class T>
struct slope_function {
  void const* function;
  token_slope (*call)(void const*, std::size_t, T log_prob, T entropy) noexcept;
  bool of_entropy;
};

template <class T, slope_of_row<T> F>
slope_function<T> slope_function_of(F const& function) noexcept {
  return {&function,
          [](void const* of, std::size_t row, T log_prob, [[maybe_unused]] T entropy) noexcept -> token_slope {
            F const& call = *static_cast<F const*>(of);
            if constexpr (slope_of_log_prob<F, T>) {
              return {call(row, log_prob), 0};
            } else {
              return call(row, log_prob, entropy);
            }
          },
          !slope_of_log_prob<F, T>};
}

/// Both passes over one row after the other, each written while it is in the cache.
template <class T>
void read_and_write_rows(row_kernels<T> const& kernels, kept_row_kernels<T> const& kept, stored_rows const& logits,
                         column<std::int64_t> const& labels, row_transform const& transform,
                         slope_function<T> const& slope, stored_rows const& d_logits,
                         token_logprob_outputs<T> const& outputs, token_options const& options) {
  std::size_t const vocabulary = logits.columns;
  bool const statistics = wants_statistics(outputs) || slope.of_entropy;
  // The gradient by the entropy needs the logits.
  bool const keeps =
      options.gradient == gradient_write::assign && !slope.of_entropy && vocabulary <= most_kept_blocks * block_logits;
  bool const converts = kernels.bytes != sizeof(T);
  auto const find_slopes = [&](std::size_t row, row_result<T> const& seen) noexcept {
    put(outputs, row, seen);
    token_slope const d = slope.call(slope.function, row, static_cast<T>(seen.log_prob), static_cast<T>(seen.entropy));
    return row_slopes{d.log_prob, d.entropy, seen.entropy};
  };
  auto const do_row = [&](std::size_t row, std::size_t label, T* room) noexcept {
    row_result<T> seen{};
    if (!converts) room = static_cast<T*>(d_logits[row]);
    if (keeps && room != nullptr) {
      std::array<T, most_kept_blocks> references;
      auto const read = statistics ? kept.read_statistics : kept.read;
      read(logits[row], vocabulary, label, transform, room, references.data(), seen);
      row_slopes const d = find_slopes(row, seen);
      if (d.none()) {
        d_logits.clear(row);
      } else {
        kept.scale(room, vocabulary, label, transform, seen, d.log_prob, references.data(), d_logits[row]);
      }
      return;
    }
    auto const read = statistics ? kernels.read_statistics : kernels.read;
    read(logits[row], vocabulary, label, transform, seen);
    write_gradient_row(kernels, logits, row, label, transform, seen.softmax, find_slopes(row, seen), d_logits,
                       options.gradient);
  };
  in_parts(logits.rows, rows_of_part(vocabulary), options.executor, [&](std::size_t begin, std::size_t end) noexcept {
    // 16-bit rows have no room for what is kept between the passes. Without memory for it, it is computed twice.
    std::unique_ptr<T[]> room;
    if (keeps && converts) room.reset(new (std::nothrow) T[vocabulary + block_logits]);
    for (std::size_t row = begin; row < end; ++row) {
      if (std::int64_t const label = labels[row]; label != options.ignore_index) {
        do_row(row, static_cast<std::size_t>(label), room.get());
        continue;
      }
      put_ignored(outputs, row);
      if (options.gradient == gradient_write::assign) d_logits.clear(row);
    }
  });
}

/// The distribution of a row from its log-sum-exp. The reference is the largest T that is not above log_sum_exp / factor,
/// but for what that is rounded by: no v of the row is larger, and the largest is no further below than log(V) / factor.
template <class T>
row_softmax<T> softmax_of(double log_sum_exp, row_transform const& transform) noexcept {
  if (!(log_sum_exp < std::numeric_limits<double>::infinity())) {
    return {T(0), std::numeric_limits<double>::quiet_NaN()};
  }
  constexpr T highest = std::numeric_limits<T>::max(), lowest = std::numeric_limits<T>::lowest();
  double const value = log_sum_exp / transform.factor;
  T reference = value > static_cast<double>(highest)  ? highest
                : value < static_cast<double>(lowest) ? lowest
                                                      : static_cast<T>(value);
  if (static_cast<double>(reference) > value + std::fabs(value) * 0x1p-50)
    reference = std::nextafter(reference, lowest);
  return {reference, std::fma(-transform.factor, static_cast<double>(reference), log_sum_exp)};
}

}  // namespace detail

/// Log-probs of the labels under the softmax of each row of logits [tokens, vocabulary].
///     log_prob   logit[label] - log sum exp(logits), natural logarithm; every logit is read from memory once
///     labels     tokens in [0, vocabulary), or options.ignore_index: such a row is not read and has 0 in every output
///     types      float and 16-bit logits are computed in float, double in double; sums over the vocabulary in blocks
///                of 512, then in double
///     error      log_prob: 2 ULP where p(label) <= 1/2, above that 2 + |log(1 - p)| ULP; besides, absolutely, from the
///                roundings of x - highest and of the sums, 2^-24 (sum p |x - highest| + 4 + 32 / lanes) in float and
///                2^-53 (sum p |x - highest| + 4 + 32 / lanes + V / 512) in double. entropy, square_sum: 1e-6 (1 + value)
///                in float, 1e-14 (1 + value) in double. A logit more than 87.3 (double: 708.3) below the highest
///                counts as -inf
///     special    -inf has probability 0, and log_prob -inf where it is the label's; a row with NaN or +inf, or of -inf
///                alone, makes NaN of all its own outputs but log_sum_exp, which is -inf for -inf alone; magnitudes up
///                to the largest number are fine
///     results    of a row depend on that row alone: not on its place, its neighbours, its stride or the executor
///     throws     std::invalid_argument, before anything is written: rows that are not contiguous, sizes that differ, a
///                label that is neither a token nor ignored
template <class Arch = default_instruction_set, class U>
void token_logprobs(row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
                    token_logprob_outputs<detail::computed_of<detail::stored_of<U>>> const& outputs,
                    token_options const& options = {}) {
  constexpr char const* where = "token_logprobs";
  detail::check_logits(where, logits, labels, options.ignore_index);
  detail::check_row_outputs(where, outputs, logits.rows());
  using S = detail::stored_of<U>;
  auto const transform = detail::checked_transform(where, options.transform);
  detail::read_rows(
      detail::row_kernels_for<Arch>::template plain<detail::storage_of<S>>(), detail::stored_rows{logits}, labels,
      transform, detail::wants_statistics(outputs), options.ignore_index, options.executor,
      [&](std::size_t row, auto const& seen) noexcept { detail::put(outputs, row, seen); },
      [&](std::size_t row) noexcept { detail::put_ignored(outputs, row); });
}

/// The gradient of a loss by the logits, from its gradients by each row's log_prob and, if given, entropy:
///     d_logits   d_log_prob (onehot(label) - p) - d_entropy p (log p + entropy), p = softmax(logits); with a transform
///                times its slope. May be the memory of logits (not when accumulating)
///     log_sum_exp  as token_logprobs gave it; a float column does, too, at a relative error of 6e-8 |log_sum_exp|
///     rows       with an ignored label or both gradients 0 have gradient 0 (under accumulate they are left alone)
///     error      relative, at every logit but the label's: 2^-23 (1 + 32 / lanes + |x - log_sum_exp|) in float, and
///                2^-53 |log_sum_exp| from the rounding of that; at the label 1 - p keeps its digits where p is close
///                to 1, but for an absolute d 2^-53 |log_sum_exp|. 0 where p, or d p, is below the smallest normal
///                number. By the entropy, absolutely: d_entropy p (|log p| + entropy) times as much. 16-bit results:
///                rounded once more
///     special    a row with NaN or +inf, or of -inf alone, gets NaN; -inf in another row gets 0
///     throws     as token_logprobs; and for d_logits that overlaps logits without being the same rows
template <class Arch = default_instruction_set, class U>
void token_logprob_gradients(
    row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
    token_logprob_slopes<std::type_identity_t<detail::computed_of<detail::stored_of<U>>>> const& slopes,
    std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits, token_options const& options = {}) {
  constexpr char const* where = "token_logprob_gradients";
  using T = detail::computed_of<detail::stored_of<U>>;
  detail::check_logits(where, logits, labels, options.ignore_index);
  detail::check_slopes(where, slopes, logits.rows());
  detail::check_logit_gradient(where, logits, d_logits, options.gradient);
  auto const transform = detail::checked_transform(where, options.transform);
  detail::write_rows(
      detail::row_kernels_for<Arch>::template plain<detail::storage_of<detail::stored_of<U>>>(),
      detail::stored_rows{logits}, labels, transform,
      [&](std::size_t row) noexcept { return detail::softmax_of<T>(slopes.log_sum_exp[row], transform); },
      [&](std::size_t row) noexcept {
        return detail::slopes_of_row(slopes.d_log_prob, slopes.d_entropy, slopes.entropy, row);
      },
      detail::stored_rows{d_logits}, options.ignore_index, options.gradient, options.executor);
}

/// Of log-probs alone.
template <class Arch = default_instruction_set, class U>
void token_logprob_gradients(row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
                             column<double> const& log_sum_exp,
                             std::type_identity_t<column<detail::computed_of<detail::stored_of<U>>>> const& d_log_prob,
                             std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits,
                             token_options const& options = {}) {
  using T = detail::computed_of<detail::stored_of<U>>;
  token_logprob_gradients<Arch>(
      logits, labels, token_logprob_slopes<T>{.log_sum_exp = log_sum_exp, .d_log_prob = d_log_prob}, d_logits, options);
}

/// Both in one pass over memory, for a loss whose gradient by a token's log-prob is known as soon as that log-prob is:
/// gradient(row, log_prob), a number, or gradient(row, log_prob, entropy), a token_slope, is called once for every row
/// that counts, perhaps from several threads, and the row's gradient is written while the row is still in the cache. All
/// else as in the two functions above. 16-bit logits take one row of floats for each part that runs at once.
template <class Arch = default_instruction_set, class U, class Gradient>
  requires(detail::slope_of_row<Gradient, detail::computed_of<detail::stored_of<U>>>)
void token_logprobs_and_gradients(row_major<U> const& logits, std::type_identity_t<column<std::int64_t>> const& labels,
                                  Gradient const& gradient,
                                  std::type_identity_t<row_major<detail::stored_of<U>>> const& d_logits,
                                  token_logprob_outputs<detail::computed_of<detail::stored_of<U>>> const& outputs = {},
                                  token_options const& options = {}) {
  constexpr char const* where = "token_logprobs_and_gradients";
  using S = detail::stored_of<U>;
  using T = detail::computed_of<S>;
  detail::check_logits(where, logits, labels, options.ignore_index);
  detail::check_row_outputs(where, outputs, logits.rows());
  detail::check_logit_gradient(where, logits, d_logits, options.gradient);
  using kernels = detail::row_kernels_for<Arch>;
  detail::read_and_write_rows<T>(
      kernels::template plain<detail::storage_of<S>>(), kernels::template kept<detail::storage_of<S>>(),
      detail::stored_rows{logits}, labels, detail::checked_transform(where, options.transform),
      detail::slope_function_of<T>(gradient), detail::stored_rows{d_logits}, outputs, options);
}

}  // namespace prefopt::inline PREFOPT_ABI

#if defined(PREFOPT_AT_RUN_TIME)
#include <prefopt/engine/at_run_time.hpp>
#endif
