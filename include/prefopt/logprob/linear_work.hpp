#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <prefopt/core/parts.hpp>
#include <prefopt/core/parts_that_throw.hpp>
#include <prefopt/logprob/column_filter.hpp>
#include <prefopt/logprob/linear_head.hpp>
#include <prefopt/logprob/linear_plan.hpp>
#include <prefopt/logprob/matrix_product.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Kernels on chunks of logits, which are T, and the one that rounds their gradient to a factor.
template <class T>
struct linear_kernels {
  row_kernels<T> rows;
  filter_kernels<T> filter;
  rounding_kernel<T> round = nullptr;
};
template <class Arch, class factor, class T>
linear_kernels<T> linear_kernels_for() {
  if constexpr (std::same_as<factor, T>) {
    return {row_kernels_for<Arch>::template plain<T>(), row_kernels_for<Arch>::template filter<T>(), nullptr};
  } else {
    return {row_kernels_for<Arch>::template plain<T>(), row_kernels_for<Arch>::template filter<T>(),
            row_kernels_for<Arch>::template rounding<factor>()};
  }
}

/// Numbers stored as U, multiplied as `factor`.
template <class U, class factor>
class linear_work {
 public:
  using T = computed_of<U>;
  using plan = linear_plan<U, factor>;

  /// Everything that can be wrong is found here, but what the other ranks have, which `meet` tells.
  static void check(std::string_view where, linear_head<U> const& head, column<std::int64_t> const& labels,
                    linear_gradients<T> const& gradients, linear_options const& options) {
    telling(options.shard, [&] { check_own(where, head, labels, gradients, options); });
  }

  /// Tells the other ranks nothing.
  static void check_own(std::string_view where, linear_head<U> const& head, column<std::int64_t> const& labels,
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
    check_shard(where, options.shard, vocabulary);
    check_labels(where, labels, head.hidden.rows(), options.shard.all_reduce ? options.shard.vocabulary : vocabulary,
                 options.ignore_index);
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
    check_filter(where, options.filter, gradients.hidden.given() || gradients.weight.given(), vocabulary);
    std::size_t const least = plan{head, gradients, options}.bytes_of(1);
    if (options.memory_budget < least) {
      fail(where, "memory_budget is " + text(options.memory_budget) + " bytes, one row of logits takes " + text(least));
    }
  }

  /// Runs a check; if it throws, the ranks that share the head are told.
  template <class Check>
  static void telling([[maybe_unused]] vocabulary_shard const& shard, Check const& check) {
#if defined(__cpp_exceptions)
    try {
      check();
    } catch (...) {
      any_rank_refuses(shard, true);
      throw;
    }
#else
    check();
#endif
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
        kernels_{kernels},
        rows_{counted(labels, options.ignore_index)},
        plan_{head, gradients, options, rows_},
        memory_{options.workspace} {
    if (plan_.filters) {
      filter_.emplace(head_, options_, product_, kernels_.filter, plan_.rows_at_once, plan_.columns_at_once);
    }
    take_memory();
  }

  /// What the ranks that share the head have to know of each other before anything is computed.
  void meet(bool statistics) {
    if (!options_.shard.all_reduce) return;
    auto terms = meet_shards("linear head", options_.shard,
                             {.rows = plan_.vocabulary,
                              .counted = plan_.rows,
                              .width = plan_.width,
                              .wanted = (plan_.wants_hidden ? 1U : 0U) + (statistics ? 2U : 0U),
                              .rows_at_once = plan_.rows_at_once});
    bounds_ = std::move(terms.bounds);
    plan_.rows_at_once = terms.rows_at_once;
  }

  /// Calls seen(row, result) for each row that counts; the last chunk's logits stay for the backward pass.
  template <class Seen>
  PREFOPT_HIDDEN void forward(bool statistics, Seen const& seen) {
    meet(statistics);
    auto const read = statistics ? kernels_.rows.read_statistics : kernels_.rows.read;
    shard_sums const sums{options_.shard.ranks, statistics};
    for (std::size_t index = 0; index < plan_.chunks(); ++index) {
      compute_logits(index);
      stored_rows const logits{chunk()};
      bool const is_shard = !bounds_.empty();
      if (is_shard) std::fill_n(sums_, logits.rows * sums.of_row(), 0.0);
      for_each_row([&](std::size_t i, std::size_t row) noexcept {
        auto const [column, size] = place_of_label(row);
        row_result<T> result{};
        read(logits[i], size, column, transform_, result);
        if (!is_shard) return seen(row, result);
        T const* const own = chunk()[i];
        sums.put(sums_ + i * sums.of_row(), options_.shard.rank, result, column < plan_.vocabulary,
                 transformed(own[column]), statistics ? transformed(*std::max_element(own, own + size)) : T(0));
      });
      if (!is_shard) continue;
      options_.shard.all_reduce({sums_, logits.rows * sums.of_row()});
      for_each_row([&](std::size_t i, std::size_t row) noexcept {
        auto const owner = std::upper_bound(bounds_.begin(), bounds_.end(), label_of(row)) - bounds_.begin() - 1;
        seen(row, sums.combined<T>(sums_ + i * sums.of_row(), static_cast<std::size_t>(owner), transform_));
      });
    }
  }

  /// Gradients from softmax(row) and d(row), its row_slopes, of each row that counts. Goes backwards over the chunks:
  /// the last one's logits need not be computed again after forward.
  template <class Softmax, class Slopes>
  PREFOPT_HIDDEN void backward(gradient_write how, Softmax const& softmax, Slopes const& d) {
    bool const adds = how == gradient_write::accumulate;
    if (!adds) clear();
    if (rows_.empty()) {
      if (filter_ && options_.filter.report != nullptr) *options_.filter.report = {};
      return;
    }
    if (!memory_.holds()) take_memory();
    if (plan_.sums_bias) std::fill_n(d_bias_, plan_.vocabulary, 0.0);
    if (filter_) filter_->begin();
    bool first = true;
    for (std::size_t index = plan_.chunks(); index-- > 0;) {
      if (index != computed_ || rows_in_chunk_ == 0) compute_logits(index);
      stored_rows logits{chunk()};
      for_each_row([&](std::size_t i, std::size_t row) noexcept {
        auto const [column, size] = place_of_label(row);
        row_slopes const slopes = d(row);
        stored_rows of_row = logits;
        of_row.columns = size;
        write_gradient_row(kernels_.rows, of_row, i, column, transform_, softmax(row), slopes, of_row,
                           gradient_write::assign);
        if (filter_) filter_->note(i, slopes, transform_.factor * transform_.inner);
      });
      multiply_back(adds, adds || !first);
      first = false;
      rows_in_chunk_ = 0;
    }
    for (std::size_t i = 0; plan_.sums_bias && i < plan_.vocabulary; ++i) {
      put(gradients_.bias, i, d_bias_[i] + (adds ? static_cast<double>(read(gradients_.bias, i)) : 0));
    }
    if (filter_) filter_->finish();
  }

 private:
  /// A product that takes 16-bit factors gets the logits' gradient rounded to that type.
  static constexpr bool rounds_gradient = !std::same_as<factor, T>;

  static std::vector<std::size_t> counted(column<std::int64_t> const& labels, std::int64_t ignore_index) {
    std::vector<std::size_t> rows;
    for (std::size_t row = 0; row < labels.size(); ++row) {
      if (labels[row] != ignore_index) rows.push_back(row);
    }
    return rows;
  }

  /// v of a logit, rounded otherwise than by a kernel, but in the same order.
  [[nodiscard]] T transformed(T x) const noexcept {
    bool const is_capped = transform_.kind == row_transform::kinds::capped && !std::isinf(x);
    return is_capped ? static_cast<T>(std::tanh(transform_.inner * static_cast<double>(x))) : x;
  }

  void take_memory() {
    rows_in_chunk_ = 0;
    if (rows_.empty()) return;
    std::size_t const rows = plan_.rows_at_once, vocabulary = plan_.vocabulary, width = plan_.width;
    constexpr std::size_t lines_of_pieces = 6 * 64;
    memory_.take(plan_.bytes_of(rows) + lines_of_pieces);
    logits_ = memory_.piece<T>(rows * plan_.row_stride);
    hidden_ = memory_.piece<factor>(plan_.copies_hidden ? rows * width : 0);
    d_hidden_ = memory_.piece<T>(plan_.copies_d_hidden ? rows * width : 0);
    sums_ = memory_.piece<double>(rows * plan_.sums_of_row);
    weight_ = memory_.piece<T>(plan::converts_weight ? plan_.weights_at_once * width : 0);
    d_bias_ = memory_.piece<double>(plan_.sums_bias ? vocabulary : 0);
    if (filter_) filter_->take(memory_);
  }

  static T read(output<T> const& from, std::size_t index) noexcept {
    T buffer;
    return *from.block(index, 1, &buffer, true);
  }

  [[nodiscard]] std::size_t label_of(std::size_t row) const noexcept { return static_cast<std::size_t>(labels_[row]); }

  /// Where a row has its label, and how long it is. One whose label is in another shard has a logit of -inf behind its own
  /// for it.
  [[nodiscard]] std::pair<std::size_t, std::size_t> place_of_label(std::size_t row) const noexcept {
    std::size_t const column = label_of(row) - options_.shard.first, vocabulary = plan_.vocabulary;
    if (column < vocabulary) return {column, vocabulary};
    return {vocabulary, vocabulary + 1};
  }

  [[nodiscard]] row_major<T> chunk() const noexcept {
    return {logits_, rows_in_chunk_, plan_.vocabulary, static_cast<std::ptrdiff_t>(plan_.row_stride)};
  }

  /// Calls f(i, row) for the rows of the chunk.
  template <class F>
  PREFOPT_HIDDEN void for_each_row(F const& f) const {
    for_each_in_parts(rows_in_chunk_, rows_of_part(plan_.vocabulary), options_.executor,
                      [&](std::size_t i) noexcept { f(i, rows_[begin_ + i]); });
  }

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

  /// Calls f(first, weights) for pieces of the vocabulary, their weights in a type that can be multiplied.
  template <class F>
  void for_each_weights(F const& f) const {
    for (std::size_t first = 0; first < plan_.vocabulary; first += plan_.weights_at_once) {
      std::size_t const count = std::min(plan_.weights_at_once, plan_.vocabulary - first);
      if constexpr (plan::converts_weight) {
        for_each_in_parts(count, 64, options_.executor, [&](std::size_t i) noexcept {
          copy_factors(head_.weight[first + i], plan_.width, weight_ + i * plan_.width);
        });
        f(first, row_major<factor const>{weight_, count, plan_.width});
      } else {
        f(first, row_major<factor const>{reinterpret_cast<factor const*>(head_.weight[first]), count, plan_.width,
                                         head_.weight.stride()});
      }
    }
  }

  /// The hidden states of the chunk.
  [[nodiscard]] row_major<factor const> hidden() const noexcept {
    if (plan_.copies_hidden) return {hidden_, rows_in_chunk_, plan_.width};
    auto const* const first = reinterpret_cast<factor const*>(head_.hidden[rows_[begin_]]);
    return {first, rows_in_chunk_, plan_.width, head_.hidden.stride()};
  }

  void compute_logits(std::size_t index) {
    auto const [begin, end] = plan_.bounds(index);
    computed_ = index;
    begin_ = begin;
    rows_in_chunk_ = end - begin;
    if (plan_.copies_hidden) {
      for_each_in_parts(rows_in_chunk_, 64, options_.executor, [&](std::size_t i) noexcept {
        copy_factors(head_.hidden[rows_[begin_ + i]], plan_.width, hidden_ + i * plan_.width);
      });
    }
    row_major<T> const logits = chunk();
    for_each_weights([&](std::size_t first, row_major<factor const> const& weights) {
      in_parts_that_throw(weights.rows(), vocabulary_part, options_.executor, [&](std::size_t at, std::size_t count) {
        row_major<T> const target = columns_of(logits, first + at, count);
        product_(matrix_factor<factor>{hidden()}, matrix_factor<factor>{weights.rows_from(at, count), true}, target,
                 false);
        if (head_.bias.empty()) return;
        T buffer[vocabulary_part];
        T const* const bias = head_.bias.block(first + at, count, buffer);
        for (std::size_t i = 0; i < target.rows(); ++i) {
          for (std::size_t j = 0; j < count; ++j) target[i][j] += bias[j];
        }
      });
    });
    if (!options_.shard.all_reduce) return;
    for (std::size_t i = 0; i < rows_in_chunk_; ++i) {
      logits[i][plan_.vocabulary] = -std::numeric_limits<T>::infinity();
    }
  }

  void multiply_back(bool adds_to_hidden, bool adds_to_weight) {
    row_major<T> const d_logits = chunk();
    if (plan_.sums_bias) {
      in_parts_that_throw(plan_.vocabulary, vocabulary_part, options_.executor, [&](std::size_t at, std::size_t count) {
        for (std::size_t i = 0; i < d_logits.rows(); ++i) {
          for (std::size_t j = at; j < at + count; ++j) d_bias_[j] += static_cast<double>(d_logits[i][j]);
        }
      });
    }
    gradient_chunk<T, factor> of{.d_logits = d_logits,
                                 .hidden = hidden(),
                                 .d_weight = gradients_.weight,
                                 .adds_to_hidden = adds_to_hidden && !plan_.copies_d_hidden,
                                 .adds_to_weight = adds_to_weight};
    if (plan_.wants_hidden) {
      of.d_hidden = plan_.copies_d_hidden ? row_major<T>{d_hidden_, rows_in_chunk_, plan_.width}
                                          : gradients_.hidden.rows_from(rows_[begin_], rows_in_chunk_);
    }
    if (filter_) {
      filter_->multiply(
          of, [&](std::size_t i) noexcept { return place_of_label(rows_[begin_ + i]).first; },
          [&](auto const& f) { for_each_weights(f); });
    } else if (of.d_hidden.given() || of.d_weight.given()) {
      multiply_all(of);
    }
    if (!plan_.copies_d_hidden) return;
    add_up_d_hidden(of.d_hidden);
    for_each_in_parts(rows_in_chunk_, 64, options_.executor, [&](std::size_t i) noexcept {
      T* const to = gradients_.hidden[rows_[begin_ + i]];
      T const* const from = of.d_hidden[i];
      for (std::size_t j = 0; j < plan_.width; ++j) to[j] = adds_to_hidden ? to[j] + from[j] : from[j];
    });
  }

  void multiply_all(gradient_chunk<T, factor> const& of) const {
    row_major<factor const> gradient;
    if constexpr (rounds_gradient) {
      // In place: a row's 16-bit numbers take the first half of its memory.
      auto* const rounded = reinterpret_cast<factor*>(of.d_logits.data());
      std::size_t const stride = 2 * plan_.row_stride;
      for_each_row([&](std::size_t i, std::size_t) noexcept {
        kernels_.round(of.d_logits[i], plan_.vocabulary, rounded + i * stride);
      });
      gradient = {rounded, of.d_logits.rows(), plan_.vocabulary, static_cast<std::ptrdiff_t>(stride)};
    } else {
      gradient = of.d_logits;
    }
    if (of.d_hidden.given() && plan_.vocabulary == 0)
      std::fill_n(of.d_hidden.data(), rows_in_chunk_ * plan_.width, T(0));
    for_each_weights([&](std::size_t first, row_major<factor const> const& weights) {
      auto const of_piece = columns_of(gradient, first, weights.rows());
      if (of.d_hidden.given()) {
        in_parts_that_throw(plan_.width, width_part, options_.executor, [&](std::size_t at, std::size_t count) {
          product_(matrix_factor<factor>{of_piece}, matrix_factor<factor>{columns_of(weights, at, count)},
                   columns_of(of.d_hidden, at, count), of.adds_to_hidden || first != 0);
        });
      }
      if (of.d_weight.given()) {
        in_parts_that_throw(weights.rows(), vocabulary_part, options_.executor, [&](std::size_t at, std::size_t count) {
          product_(matrix_factor<factor>{columns_of(of_piece, at, count), true}, matrix_factor<factor>{of.hidden},
                   of.d_weight.rows_from(first + at, count), of.adds_to_weight);
        });
      }
    });
  }

  /// Over the ranks, in pieces for which there is room.
  void add_up_d_hidden(row_major<T> const& d_hidden) const {
    std::size_t const size = d_hidden.rows() * plan_.width, room = plan_.rows_at_once * plan_.sums_of_row;
    for (std::size_t at = 0; !bounds_.empty() && at < size; at += room) {
      std::span<double> const piece{sums_, std::min(room, size - at)};
      std::copy_n(d_hidden.data() + at, piece.size(), piece.data());
      options_.shard.all_reduce(piece);
      std::transform(piece.begin(), piece.end(), d_hidden.data() + at, [](double x) { return static_cast<T>(x); });
    }
  }

  linear_head<U> head_;
  column<std::int64_t> labels_;
  linear_gradients<T> gradients_;
  linear_options options_;
  row_transform transform_;
  product_ref<factor, T> product_;
  linear_kernels<T> kernels_;
  std::vector<std::size_t> rows_;  ///< those that count
  plan plan_;
  std::vector<std::size_t> bounds_;  ///< of all ranks, once they have met
  workspace_lease memory_;
  std::optional<column_filter<U, factor>> filter_;
  std::size_t computed_ = 0, begin_ = 0, rows_in_chunk_ = 0;  ///< which chunk's logits are in logits_
  T *logits_ = nullptr, *d_hidden_ = nullptr, *weight_ = nullptr;
  factor* hidden_ = nullptr;
  double *sums_ = nullptr, *d_bias_ = nullptr;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
