#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <prefopt/core/parts.hpp>
#include <prefopt/core/parts_that_throw.hpp>
#include <prefopt/logprob/matrix_product.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {

/// The last layer of a language model: logits = hidden weight^T + bias, which never exist whole.
template <class U>
struct linear_head {
  row_major<U const> hidden{};            ///< [tokens, width]
  row_major<U const> weight{};            ///< [vocabulary, width]
  column<detail::computed_of<U>> bias{};  ///< one a token of the vocabulary, or not given
};

/// Where gradients go, each or not. For 16-bit inputs they are float.
template <class T>
struct linear_gradients {
  row_major<T> hidden{};  ///< [tokens, width]
  row_major<T> weight{};  ///< [vocabulary, width]
  output<T> bias{};       ///< one a token of the vocabulary
};

struct linear_options {
  std::int64_t ignore_index = -100;
  gradient_write gradient = gradient_write::assign;
  /// Bytes that the call may allocate for logits and for what it multiplies, beside some 40 bytes a token.
  std::size_t memory_budget = std::size_t{256} << 20;
  prefopt::executor executor{};
  logit_transform transform{};  ///< the same in both passes
};

namespace detail {

/// Columns of a product that are one part of the work. They depend on the shape alone, so that bits do not depend on
/// the number of threads.
inline constexpr std::size_t vocabulary_part = 512, width_part = 256;

/// The head with its numbers in the library's own types.
template <class U>
linear_head<storage_of<U>> stored_head(linear_head<U> const& head) noexcept {
  if constexpr (std::same_as<U, storage_of<U>>) {
    return head;
  } else {
    auto const stored = [](row_major<U const> const& m) {
      return row_major<storage_of<U> const>{reinterpret_cast<storage_of<U> const*>(m.data()), m.rows(), m.columns(),
                                            m.stride(), m.column_stride()};
    };
    return {stored(head.hidden), stored(head.weight), head.bias};
  }
}

/// Kernels on chunks of logits, which are T, and the one that rounds their gradient to a factor.
template <class T>
struct linear_kernels {
  row_kernels<T> rows;
  rounding_kernel<T> round = nullptr;
};
template <class Arch, class factor, class T>
linear_kernels<T> linear_kernels_for() {
  if constexpr (std::same_as<factor, T>) {
    return {row_kernels_for<Arch>::template plain<T>(), nullptr};
  } else {
    return {row_kernels_for<Arch>::template plain<T>(), row_kernels_for<Arch>::template rounding<factor>()};
  }
}

/// Numbers stored as U, multiplied as `factor`.
template <class U, class factor>
class linear_work {
 public:
  using T = computed_of<U>;

  /// Everything that can be wrong is found here.
  static void check(std::string_view where, linear_head<U> const& head, column<std::int64_t> const& labels,
                    linear_gradients<T> const& gradients, linear_options const& options) {
    check_arithmetic<T>(where, head.hidden.rows());
    checked_transform(where, options.transform);
    check_rows(where, "hidden", head.hidden);
    check_rows(where, "weight", head.weight);
    if (head.weight.columns() != head.hidden.columns()) {
      fail(where, "weight is " + shape(head.weight) + ", hidden is " + shape(head.hidden) +
                      ": their widths, the columns, differ");
    }
    std::size_t const vocabulary = head.weight.rows();
    if (head.bias.is_given() && head.bias.size() != vocabulary) {
      fail(where, "bias has " + elements(head.bias.size()) + ", weight has " + text(vocabulary) + " rows");
    }
    if (labels.size() != head.hidden.rows()) {
      fail(where, "labels has " + elements(labels.size()) + ", hidden has " + text(head.hidden.rows()) + " rows");
    }
    check_labels(where, labels, head.hidden.rows(), vocabulary, options.ignore_index);
    auto const check_apart = [&](std::string const& name, auto const& target) {
      if (overlap(target, head.hidden)) fail(where, name + " overlaps hidden");
      if (overlap(target, head.weight)) fail(where, name + " overlaps weight");
    };
    if (gradients.hidden.given()) {
      check_target(where, "gradient hidden", gradients.hidden, head.hidden.rows(), head.hidden.columns(), "hidden");
      check_apart("gradient hidden", gradients.hidden);
    }
    if (gradients.weight.given()) {
      check_target(where, "gradient weight", gradients.weight, vocabulary, head.weight.columns(), "weight");
      check_apart("gradient weight", gradients.weight);
    }
    if (gradients.hidden.given() && gradients.weight.given() && overlap(gradients.hidden, gradients.weight)) {
      fail(where, "gradient hidden overlaps gradient weight");
    }
    if (!gradients.bias.empty() && gradients.bias.size() != vocabulary) {
      fail(where,
           "gradient bias has " + elements(gradients.bias.size()) + ", weight has " + text(vocabulary) + " rows");
    }
    // Libraries that multiply matrices take rows in order only.
    auto const check_order = [&](std::string const& name, auto const& rows) {
      if (rows.rows() < 2 || rows.stride() >= static_cast<std::ptrdiff_t>(rows.columns())) return;
      fail(where, name + " has a row stride of " + std::to_string(rows.stride()) + ", expected at least its " +
                      text(rows.columns()) + " columns");
    };
    check_order("weight", head.weight);
    check_order("gradient weight", gradients.weight);
    std::size_t const least = bytes_a_row(head) + bytes_beside(head, gradients, 1);
    if (options.memory_budget < least) {
      fail(where, "memory_budget is " + text(options.memory_budget) + " bytes, one row of logits takes " + text(least));
    }
  }

  /// Of arguments that have been checked.
  linear_work(linear_head<U> const& head, column<std::int64_t> const& labels, linear_gradients<T> const& gradients,
              linear_options const& options, product_ref<factor, T> const& product, linear_kernels<T> const& kernels)
      : head_{head},
        labels_{labels},
        gradients_{gradients},
        options_{options},
        transform_{checked_transform("linear head", options.transform)},
        product_{product},
        kernels_{kernels} {
    for (std::size_t row = 0; row < labels.size(); ++row) {
      if (labels[row] != options.ignore_index) rows_.push_back(row);
    }
    std::size_t const vocabulary = head.weight.rows(), width = head.weight.columns();
    std::size_t const row_bytes = std::max<std::size_t>(1, bytes_a_row(head));
    std::size_t const left = options.memory_budget - bytes_a_row(head);
    // An eighth of the memory for the weights that are converted at a time.
    weights_at_once_ = converts_weight ? std::clamp<std::size_t>(left / 8 / (width * sizeof(T) + 1), 1,
                                                                 std::max<std::size_t>(1, vocabulary))
                                       : vocabulary;
    while (weights_at_once_ > 1 && bytes_beside(head, gradients, weights_at_once_) > left) weights_at_once_ /= 2;
    std::size_t const most = (options.memory_budget - bytes_beside(head, gradients, weights_at_once_)) / row_bytes;
    std::size_t const chunks = std::max<std::size_t>(1, (rows_.size() + most - 1) / std::max<std::size_t>(most, 1));
    rows_at_once_ = std::max<std::size_t>(1, (rows_.size() + chunks - 1) / chunks);
    if (rows_.empty()) return;
    logits_ = std::make_unique_for_overwrite<T[]>(rows_at_once_ * vocabulary);
    hidden_ = std::make_unique_for_overwrite<factor[]>(rows_at_once_ * width);
    if (gradients.hidden.given()) d_hidden_ = std::make_unique_for_overwrite<T[]>(rows_at_once_ * width);
    if constexpr (converts_weight) weight_ = std::make_unique_for_overwrite<T[]>(weights_at_once_ * width);
    if (!gradients.bias.empty()) d_bias_.resize(vocabulary);
  }

  /// Calls seen(row, result) for each row that counts; the last chunk's logits stay for the backward pass.
  template <class Seen>
  void forward(bool statistics, Seen const& seen) {
    auto const read = statistics ? kernels_.rows.read_statistics : kernels_.rows.read;
    for (std::size_t begin = 0; begin < rows_.size(); begin += rows_at_once_) {
      compute_logits(begin);
      stored_rows const logits{chunk()};
      for_each_in_parts(logits.rows, rows_of_part(logits.columns), options_.executor, [&](std::size_t i) noexcept {
        std::size_t const row = rows_[begin + i];
        row_result<T> result{};
        read(logits[i], logits.columns, label_of(row), transform_, result);
        seen(row, result);
      });
    }
  }

  /// Gradients from softmax(row) and d(row), its row_slopes, of each row that counts. Goes backwards over the chunks:
  /// the last one's logits need not be computed again after forward.
  template <class Softmax, class Slopes>
  void backward(gradient_write how, Softmax const& softmax, Slopes const& d) {
    bool const adds = how == gradient_write::accumulate;
    if (!adds) clear();
    bool first = true;
    for (std::size_t chunks = (rows_.size() + rows_at_once_ - 1) / rows_at_once_; chunks-- > 0;) {
      std::size_t const begin = chunks * rows_at_once_;
      if (begin != computed_ || rows_in_chunk_ == 0) compute_logits(begin);
      stored_rows const logits{chunk()};
      for_each_in_parts(logits.rows, rows_of_part(logits.columns), options_.executor, [&](std::size_t i) noexcept {
        std::size_t const row = rows_[begin + i];
        write_gradient_row(kernels_.rows, logits, i, label_of(row), transform_, softmax(row), d(row), logits,
                           gradient_write::assign);
      });
      multiply_back(begin, adds, adds || !first);
      first = false;
      rows_in_chunk_ = 0;
    }
    for (std::size_t i = 0; i < d_bias_.size(); ++i) {
      put(gradients_.bias, i, d_bias_[i] + (adds ? static_cast<double>(read(gradients_.bias, i)) : 0));
    }
  }

 private:
  static constexpr bool converts_weight = !std::same_as<factor, storage_of<U>>;
  /// A product that takes 16-bit factors gets the logits' gradient rounded to that type.
  static constexpr bool rounds_gradient = !std::same_as<factor, T>;

  static std::size_t bytes_a_row(linear_head<U> const& head) noexcept {
    return head.weight.rows() * sizeof(T) + head.weight.columns() * (sizeof(factor) + sizeof(T));
  }

  static std::size_t bytes_beside(linear_head<U> const& head, linear_gradients<T> const& gradients,
                                  std::size_t weights) noexcept {
    return (converts_weight ? weights * head.weight.columns() * sizeof(T) : 0) +
           (gradients.bias.empty() ? 0 : head.weight.rows() * sizeof(double));
  }

  static T read(output<T> const& from, std::size_t index) noexcept {
    T buffer;
    return *from.block(index, 1, &buffer, true);
  }

  [[nodiscard]] std::size_t label_of(std::size_t row) const noexcept { return static_cast<std::size_t>(labels_[row]); }

  [[nodiscard]] row_major<T> chunk() const noexcept { return {logits_.get(), rows_in_chunk_, head_.weight.rows()}; }

  /// Gradients of rows that do not count, and all of them if no row does.
  void clear() const {
    std::size_t counted = 0;
    for (std::size_t row = 0; gradients_.hidden.given() && row < head_.hidden.rows(); ++row) {
      if (counted < rows_.size() && rows_[counted] == row) {
        ++counted;
      } else {
        std::fill_n(gradients_.hidden[row], gradients_.hidden.columns(), T(0));
      }
    }
    if (!rows_.empty()) return;
    for (std::size_t row = 0; gradients_.weight.given() && row < gradients_.weight.rows(); ++row) {
      std::fill_n(gradients_.weight[row], gradients_.weight.columns(), T(0));
    }
    for (std::size_t i = 0; i < gradients_.bias.size(); ++i) put(gradients_.bias, i, 0);
  }

  static void convert(U const* from, std::size_t count, factor* to) noexcept {
    if constexpr (converts_weight) {
      for (std::size_t i = 0; i < count; ++i) to[i] = load_number(from + i);
    } else {
      std::memcpy(static_cast<void*>(to), static_cast<void const*>(from), count * sizeof(U));
    }
  }

  /// Calls f(first, weights) for pieces of the vocabulary, their weights in a type that can be multiplied.
  template <class F>
  void for_each_weights(F const& f) {
    for (std::size_t first = 0; first < head_.weight.rows(); first += weights_at_once_) {
      std::size_t const count = std::min(weights_at_once_, head_.weight.rows() - first);
      if constexpr (converts_weight) {
        std::size_t const width = head_.weight.columns();
        for_each_in_parts(count, 64, options_.executor, [&](std::size_t i) noexcept {
          convert(head_.weight[first + i], width, weight_.get() + i * width);
        });
        f(first, row_major<factor const>{weight_.get(), count, width});
      } else {
        f(first, row_major<factor const>{reinterpret_cast<factor const*>(head_.weight[first]), count,
                                         head_.weight.columns(), head_.weight.stride()});
      }
    }
  }

  template <class W>
  static row_major<W> columns_of(row_major<W> const& m, std::size_t begin, std::size_t count) noexcept {
    return {m.data() + begin, m.rows(), count, m.stride()};
  }

  void compute_logits(std::size_t begin) {
    rows_in_chunk_ = std::min(rows_at_once_, rows_.size() - begin);
    computed_ = begin;
    std::size_t const width = head_.hidden.columns();
    for_each_in_parts(rows_in_chunk_, 64, options_.executor, [&](std::size_t i) noexcept {
      convert(head_.hidden[rows_[begin + i]], width, hidden_.get() + i * width);
    });
    row_major<factor const> const hidden{hidden_.get(), rows_in_chunk_, width};
    row_major<T> const logits = chunk();
    for_each_weights([&](std::size_t first, row_major<factor const> const& weights) {
      in_parts_that_throw(weights.rows(), vocabulary_part, options_.executor, [&](std::size_t at, std::size_t count) {
        row_major<T> const target = columns_of(logits, first + at, count);
        product_(matrix_factor<factor>{hidden}, matrix_factor<factor>{weights.rows_from(at, count), true}, target,
                 false);
        if (head_.bias.empty()) return;
        T buffer[vocabulary_part];
        T const* const bias = head_.bias.block(first + at, count, buffer);
        for (std::size_t i = 0; i < target.rows(); ++i) {
          for (std::size_t j = 0; j < count; ++j) target[i][j] += bias[j];
        }
      });
    });
  }

  void multiply_back(std::size_t begin, bool adds_to_hidden, bool adds_to_weight) {
    row_major<T> const d_logits = chunk();
    std::size_t const rows = d_logits.rows(), vocabulary = d_logits.columns(), width = head_.weight.columns();
    if (!d_bias_.empty()) {
      in_parts_that_throw(vocabulary, vocabulary_part, options_.executor, [&](std::size_t at, std::size_t count) {
        for (std::size_t i = 0; i < rows; ++i) {
          for (std::size_t j = at; j < at + count; ++j) d_bias_[j] += static_cast<double>(d_logits[i][j]);
        }
      });
    }
    if (!gradients_.hidden.given() && !gradients_.weight.given()) return;
    row_major<factor const> gradient;
    if constexpr (rounds_gradient) {
      // In place: a row's 16-bit numbers take the first half of its memory.
      auto* const rounded = reinterpret_cast<factor*>(d_logits.data());
      for_each_in_parts(rows, rows_of_part(vocabulary), options_.executor, [&](std::size_t i) noexcept {
        kernels_.round(d_logits[i], vocabulary, rounded + 2 * i * vocabulary);
      });
      gradient = {rounded, rows, vocabulary, static_cast<std::ptrdiff_t>(2 * vocabulary)};
    } else {
      gradient = d_logits;
    }
    row_major<factor const> const hidden{hidden_.get(), rows, width};
    for_each_weights([&](std::size_t first, row_major<factor const> const& weights) {
      auto const of_piece = columns_of(gradient, first, weights.rows());
      if (gradients_.hidden.given()) {
        row_major<T> const d_hidden{d_hidden_.get(), rows, width};
        in_parts_that_throw(width, width_part, options_.executor, [&](std::size_t at, std::size_t count) {
          product_(matrix_factor<factor>{of_piece}, matrix_factor<factor>{columns_of(weights, at, count)},
                   columns_of(d_hidden, at, count), first != 0);
        });
      }
      if (gradients_.weight.given()) {
        in_parts_that_throw(weights.rows(), vocabulary_part, options_.executor, [&](std::size_t at, std::size_t count) {
          product_(matrix_factor<factor>{columns_of(of_piece, at, count), true}, matrix_factor<factor>{hidden},
                   gradients_.weight.rows_from(first + at, count), adds_to_weight);
        });
      }
    });
    if (!gradients_.hidden.given()) return;
    for_each_in_parts(rows, 64, options_.executor, [&](std::size_t i) noexcept {
      T* const to = gradients_.hidden[rows_[begin + i]];
      T const* const from = d_hidden_.get() + i * width;
      for (std::size_t j = 0; j < width; ++j) to[j] = adds_to_hidden ? to[j] + from[j] : from[j];
    });
  }

  linear_head<U> head_;
  column<std::int64_t> labels_;
  linear_gradients<T> gradients_;
  linear_options options_;
  row_transform transform_;
  product_ref<factor, T> product_;
  linear_kernels<T> kernels_;
  std::vector<std::size_t> rows_;  ///< those that count
  std::size_t rows_at_once_ = 1, weights_at_once_ = 1;
  std::size_t computed_ = 0, rows_in_chunk_ = 0;  ///< which rows' logits are in logits_
  std::unique_ptr<T[]> logits_, d_hidden_, weight_;
  std::unique_ptr<factor[]> hidden_;
  std::vector<double> d_bias_;
};

}  // namespace detail

/// Token log-probs from hidden states and the output matrix, as token_logprobs of logits = hidden weight^T + bias.
///     memory     chunks of tokens, as large as options.memory_budget allows; rows with an ignored label cost nothing
///     product    eigen_product, cblas_product, onednn_product (in adapter/), or one of the host's. Factors are
///                converted to float, piece by piece, unless the product takes 16-bit ones
///     error      that of the product, sums in T: width 2^-24 sum |h w| in float, and then as token_logprobs
///     throws     as token_logprobs; a memory_budget that is too small for one row of logits; and what the product
///                throws
template <class Arch = default_instruction_set, class U, class Product>
void linear_token_logprobs(linear_head<U> const& head, std::type_identity_t<column<std::int64_t>> const& labels,
                           token_logprob_outputs<detail::computed_of<U>> const& outputs, Product const& product,
                           linear_options const& options = {}) {
  constexpr char const* where = "linear_token_logprobs";
  using factor = detail::factor_of<Product, U>;
  using T = detail::computed_of<U>;
  using work = detail::linear_work<detail::storage_of<U>, factor>;
  auto const stored = detail::stored_head(head);
  work::check(where, stored, labels, {}, options);
  detail::check_row_outputs(where, outputs, labels.size());
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] == options.ignore_index) detail::put_ignored(outputs, row);
  }
  auto const put = [&](std::size_t row, auto const& seen) noexcept { detail::put(outputs, row, seen); };
  work{stored,
       labels,
       {},
       options,
       detail::product_ref<factor, T>{product},
       detail::linear_kernels_for<Arch, factor, T>()}
      .forward(detail::wants_statistics(outputs), put);
}

/// The gradients by hidden states, weight and bias, from those by each row's log_prob and, if given, entropy, as
/// token_logprob_gradients. Logits are computed again, chunk by chunk.
///     slopes     as linear_token_logprobs gave log_sum_exp and entropy
///     rows       with an ignored label have gradient 0
///     error      that of the products, in T; with a product that takes 16-bit factors the gradient by the logits is
///                rounded to that type before it is multiplied
template <class Arch = default_instruction_set, class U, class Product>
void linear_token_logprob_gradients(linear_head<U> const& head,
                                    std::type_identity_t<column<std::int64_t>> const& labels,
                                    token_logprob_slopes<std::type_identity_t<detail::computed_of<U>>> const& slopes,
                                    linear_gradients<detail::computed_of<U>> const& gradients, Product const& product,
                                    linear_options const& options = {}) {
  constexpr char const* where = "linear_token_logprob_gradients";
  using T = detail::computed_of<U>;
  using factor = detail::factor_of<Product, U>;
  using work = detail::linear_work<detail::storage_of<U>, factor>;
  auto const stored = detail::stored_head(head);
  work::check(where, stored, labels, gradients, options);
  detail::check_slopes(where, slopes, labels.size());
  auto const transform = detail::checked_transform(where, options.transform);
  work chunks{stored,
              labels,
              gradients,
              options,
              detail::product_ref<factor, T>{product},
              detail::linear_kernels_for<Arch, factor, T>()};
  chunks.backward(
      options.gradient,
      [&](std::size_t row) noexcept { return detail::softmax_of<T>(slopes.log_sum_exp[row], transform); },
      [&](std::size_t row) noexcept {
        return detail::slopes_of_row(slopes.d_log_prob, slopes.d_entropy, slopes.entropy, row);
      });
}

/// Of log-probs alone.
template <class Arch = default_instruction_set, class U, class Product>
void linear_token_logprob_gradients(linear_head<U> const& head,
                                    std::type_identity_t<column<std::int64_t>> const& labels,
                                    column<double> const& log_sum_exp,
                                    std::type_identity_t<column<detail::computed_of<U>>> const& d_log_prob,
                                    linear_gradients<detail::computed_of<U>> const& gradients, Product const& product,
                                    linear_options const& options = {}) {
  using T = detail::computed_of<U>;
  linear_token_logprob_gradients<Arch>(head, labels,
                                       token_logprob_slopes<T>{.log_sum_exp = log_sum_exp, .d_log_prob = d_log_prob},
                                       gradients, product, options);
}

}  // namespace prefopt::inline PREFOPT_ABI
