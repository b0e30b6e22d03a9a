#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/core/parts.hpp>
#include <prefopt/core/parts_that_throw.hpp>
#include <prefopt/logprob/filter_kernel.hpp>
#include <prefopt/logprob/linear_head.hpp>
#include <prefopt/logprob/matrix_product.hpp>

namespace prefopt::inline PREFOPT_ABI::detail {

/// Columns of a product that are one part of the work. They depend on the shape alone, so that bits do not depend on
/// the number of threads.
inline constexpr std::size_t vocabulary_part = 512, width_part = 256;

/// A chunk of the gradient by the logits and what it is multiplied with.
template <class T, class factor>
struct gradient_chunk {
  row_major<T> d_logits{};
  row_major<factor const> hidden{};
  row_major<T> d_hidden{}, d_weight{};  ///< each or not
  bool adds_to_hidden = false, adds_to_weight = false;
};

/// The products of a gradient by the logits with the weight and the hidden states, without the columns that are dropped,
/// see gradient_filter. Of those, G, stands in a tile of rows the product c q of rank 1 that has its sums by row, and, each
/// row times a sign, by column.
template <class U, class factor>
class column_filter {
 public:
  using T = computed_of<U>;

  static std::size_t bytes_of_tile(std::size_t vocabulary, std::size_t width) noexcept {
    using lease = workspace_lease;
    return lease::bytes_of<T>(vocabulary) + lease::bytes_of<factor>(vocabulary) + lease::bytes_of<factor>(width) +
           lease::bytes_of<T>(width) + 4 * lease::bytes_of<T>(filter_tile);
  }
  static std::size_t bytes_beside(std::size_t vocabulary, std::size_t width, std::size_t columns_at_once) noexcept {
    using lease = workspace_lease;
    return 2 * lease::bytes_of<T>(vocabulary) + lease::bytes_of<std::uint32_t>(vocabulary) +
           2 * lease::bytes_of<row_tail>(parts_of(vocabulary) * filter_tile) +
           lease::bytes_of<factor>(columns_at_once * width) + lease::bytes_of<T>(columns_at_once * width) +
           lease::bytes_of<factor>(columns_at_once * filter_tile) + lease::bytes_of<double>(width);
  }

  column_filter(linear_head<U> const& head, linear_options const& options, product_ref<factor, T> const& product,
                filter_kernels<T> const& kernels, std::size_t rows_at_once, std::size_t columns_at_once)
      : head_{head},
        options_{options},
        product_{product},
        kernels_{kernels},
        tiles_{(rows_at_once + filter_tile - 1) / filter_tile},
        columns_at_once_{columns_at_once} {}

  /// Takes its pieces of the memory.
  void take(workspace_lease& memory) {
    std::size_t const vocabulary = head_.weight.rows(), width = head_.weight.columns(), rows = tiles_ * filter_tile;
    keeps_ = memory.piece<T>(tiles_ * vocabulary);
    columns_ = memory.piece<factor>(tiles_ * vocabulary);
    rows_ = memory.piece<factor>(tiles_ * width);
    d_hidden_ = memory.piece<T>(tiles_ * width);
    limits_ = memory.piece<T>(rows);
    signs_ = memory.piece<T>(rows);
    scales_ = memory.piece<T>(rows);
    shares_ = memory.piece<T>(rows);
    sums_ = memory.piece<T>(vocabulary);
    norms_ = memory.piece<T>(vocabulary);
    kept_ = memory.piece<std::uint32_t>(vocabulary);
    tails_ = memory.piece<row_tail>(parts_of(vocabulary) * filter_tile);
    distances_ = memory.piece<row_distance>(parts_of(vocabulary) * filter_tile);
    weight_ = memory.piece<factor>(columns_at_once_ * width);
    d_weight_ = memory.piece<T>(columns_at_once_ * width);
    gathered_ = memory.piece<factor>(columns_at_once_ * filter_tile);
    mean_ = memory.piece<double>(width);
  }

  /// Before the first chunk.
  void begin() {
    columns_seen_ = columns_kept_ = 0;
    size_dropped_ = size_ = hidden_square_ = weight_error_ = 0;
    if (options_.filter.report == nullptr) return;
    for_each_in_parts(head_.weight.rows(), 64, options_.executor, [&](std::size_t j) noexcept {
      norms_[j] = static_cast<T>(norm(head_.weight[j], head_.weight.columns()) * roundings);
    });
  }

  /// Of row i of the chunk, whose gradient is by a logit that becomes `outer` times as much.
  void note(std::size_t i, row_slopes const& d, double outer) noexcept {
    double const size = outer * (std::abs(d.log_prob) + std::abs(d.entropy));
    T const limit = static_cast<T>(options_.filter.tolerance * size);
    // Without a gradient there is nothing to keep.
    limits_[i] = size == 0 ? std::numeric_limits<T>::max() : limit;
    constexpr double most = std::numeric_limits<T>::max();
    scales_[i] = size == 0 ? T(0) : static_cast<T>(std::min(most, 1 / options_.filter.tolerance / size));
    signs_[i] = d.log_prob < 0 || (d.log_prob == 0 && d.entropy < 0) ? T(1) : T(-1);
  }

  /// `label(i)` is the column that row i has its label in, or none of them. Calls for_each_weights as linear_work has it.
  template <class Label, class ForEachWeights>
  void multiply(gradient_chunk<T, factor> const& chunk, Label const& label, ForEachWeights const& for_each_weights) {
    std::size_t const rows = chunk.d_logits.rows(), tiles = (rows + filter_tile - 1) / filter_tile;
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      std::size_t const begin = tile * filter_tile;
      drop(tile, chunk.d_logits.rows_from(begin, std::min(filter_tile, rows - begin)),
           [&](std::size_t i) noexcept { return label(begin + i); });
      add_rows(tile, chunk.hidden.rows_from(begin, std::min(filter_tile, rows - begin)));
    }
    multiply_tails(chunk, tiles, for_each_weights);
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      std::size_t const begin = tile * filter_tile;
      multiply_kept(chunk, tile, begin, std::min(filter_tile, rows - begin));
    }
  }

  /// After the last chunk.
  void finish() const noexcept {
    if (options_.filter.report == nullptr) return;
    *options_.filter.report = {
        .kept = columns_seen_ != 0 ? static_cast<double>(columns_kept_) / static_cast<double>(columns_seen_) : 1,
        .dropped = size_ > 0 ? size_dropped_ / size_ : 0,
        .hidden_error = std::sqrt(hidden_square_),
        .weight_error = weight_error_};
  }

 private:
  /// What sums in T may lose of a bound.
  static constexpr double roundings = 1.001;

  static constexpr std::size_t parts_of(std::size_t vocabulary) noexcept {
    return (vocabulary + vocabulary_part - 1) / vocabulary_part;
  }

  template <class N>
  static double norm(N const* numbers, std::size_t count) noexcept {
    constexpr std::size_t lanes = 8;
    double squares[lanes]{};
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      for (std::size_t k = 0; k < lanes; ++k) {
        double const number = static_cast<double>(load_number(numbers + i + k));
        squares[k] += number * number;
      }
    }
    for (; i < count; ++i) {
      double const number = static_cast<double>(load_number(numbers + i));
      squares[0] += number * number;
    }
    double sum = 0;
    for (double const square : squares) sum += square;
    return std::sqrt(sum);
  }

  template <class F>
  void for_each_part(F const& f) const {
    std::size_t const vocabulary = head_.weight.rows();
    for_each_in_parts(parts_of(vocabulary), 1, options_.executor, [&](std::size_t part) noexcept {
      std::size_t const at = part * vocabulary_part;
      f(part, at, std::min(vocabulary_part, vocabulary - at));
    });
  }

  /// Which columns of a tile stay, and c and q of the others.
  template <class Label>
  void drop(std::size_t tile, row_major<T> const& g, Label const& label) {
    std::size_t const vocabulary = head_.weight.rows(), rows = g.rows(), begin = tile * filter_tile;
    T* const keeps = keeps_ + tile * vocabulary;
    std::fill_n(keeps, vocabulary, T(0));
    for (std::size_t i = 0; i < rows; ++i) {
      if (std::size_t const column = label(i); column < vocabulary && scales_[begin + i] != T(0)) keeps[column] = T(1);
    }
    auto const part_of = [&](std::size_t at, std::size_t count) {
      return gradient_columns<T>{g.data() + at, g.stride(), rows, count};
    };
    for_each_part([&](std::size_t part, std::size_t at, std::size_t count) noexcept {
      kernels_.drop(part_of(at, count), limits_ + begin, signs_ + begin, keeps + at, sums_ + at,
                    tails_ + part * filter_tile);
    });
    double total = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      row_tail all{};
      for (std::size_t part = 0; part < parts_of(vocabulary); ++part) {
        row_tail const& tail = tails_[part * filter_tile + i];
        all = {all.sum + tail.sum, all.size + tail.size, all.all + tail.all};
      }
      tails_[i] = all;
      total += static_cast<double>(signs_[begin + i]) * all.sum;
      size_dropped_ += all.size;
      size_ += all.all;
    }
    // Of size 1 at most, so that 16-bit factors hold them.
    T highest = 0;
    for (std::size_t j = 0; j < vocabulary; ++j) highest = std::max(highest, std::abs(sums_[j]));
    bool const stands_in = total > 0 && highest > 0 && total < std::numeric_limits<T>::max();
    for (std::size_t i = 0; i < rows; ++i) {
      double const share = stands_in ? tails_[i].sum / total * static_cast<double>(highest) : 0;
      shares_[begin + i] = static_cast<T>(share);
    }
    T const scale = stands_in ? 1 / highest : T(0);
    factor* const columns = columns_ + tile * vocabulary;
    for_each_part([&](std::size_t, std::size_t at, std::size_t count) noexcept {
      for (std::size_t j = at; j < at + count; ++j) {
        store_number(sums_[j] * scale, columns + j);
        sums_[j] = load_number(columns + j);
      }
    });
    if (options_.filter.report == nullptr) return;
    for_each_part([&](std::size_t part, std::size_t at, std::size_t count) noexcept {
      kernels_.measure(part_of(at, count), shares_ + begin, scales_ + begin, keeps + at, sums_ + at, norms_ + at,
                       distances_ + part * filter_tile);
    });
    tile_square_ = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      double weighted = 0, squares = 0;
      for (std::size_t part = 0; part < parts_of(vocabulary); ++part) {
        weighted += distances_[part * filter_tile + i].weighted;
        squares += distances_[part * filter_tile + i].squares;
      }
      double const unit = scales_[begin + i] != T(0) ? roundings / static_cast<double>(scales_[begin + i]) : 0;
      hidden_square_ += unit * weighted * unit * weighted;
      tile_square_ += unit * unit * squares;
    }
  }

  /// The hidden states of a tile, each times its c.
  void add_rows(std::size_t tile, row_major<factor const> const& hidden) {
    std::size_t const width = hidden.columns();
    factor* const to = rows_ + tile * width;
    std::fill_n(mean_, width, 0.0);
    for (std::size_t i = 0; i < hidden.rows(); ++i) {
      double const share = static_cast<double>(shares_[tile * filter_tile + i]);
      if (share == 0) continue;
      for (std::size_t k = 0; k < width; ++k) mean_[k] += share * static_cast<double>(load_number(hidden[i] + k));
    }
    for (std::size_t k = 0; k < width; ++k) {
      store_number(static_cast<T>(mean_[k]), to + k);
      mean_[k] -= static_cast<double>(load_number(to + k));
    }
    if (options_.filter.report == nullptr) return;
    double square = 0;
    for (std::size_t i = 0; i < hidden.rows(); ++i) {
      double const one = norm(hidden[i], width);
      square += one * one;
    }
    weight_error_ += std::sqrt(tile_square_ * square) + norm(sums_, head_.weight.rows()) * norm(mean_, width);
  }

  /// c q in the place of all that is dropped, for all tiles in one product each.
  template <class ForEachWeights>
  void multiply_tails(gradient_chunk<T, factor> const& chunk, std::size_t tiles,
                      ForEachWeights const& for_each_weights) {
    std::size_t const vocabulary = head_.weight.rows(), width = head_.weight.columns();
    row_major<factor const> const columns{columns_, tiles, vocabulary}, rows{rows_, tiles, width};
    row_major<T> const d_hidden{d_hidden_, tiles, width};
    if (chunk.d_hidden.given()) {
      for_each_weights([&](std::size_t first, row_major<factor const> const& weights) {
        in_parts_that_throw(width, width_part, options_.executor, [&](std::size_t at, std::size_t count) {
          product_(matrix_factor<factor>{columns_of(columns, first, weights.rows())},
                   matrix_factor<factor>{columns_of(weights, at, count)}, columns_of(d_hidden, at, count), first != 0);
        });
      });
    }
    if (chunk.d_weight.given()) {
      in_parts_that_throw(vocabulary, vocabulary_part, options_.executor, [&](std::size_t at, std::size_t count) {
        product_(matrix_factor<factor>{columns_of(columns, at, count), true}, matrix_factor<factor>{rows},
                 chunk.d_weight.rows_from(at, count), chunk.adds_to_weight);
      });
    }
  }

  void multiply_kept(gradient_chunk<T, factor> const& chunk, std::size_t tile, std::size_t begin, std::size_t rows) {
    std::size_t const vocabulary = head_.weight.rows(), width = head_.weight.columns();
    T const* const keeps = keeps_ + tile * vocabulary;
    std::size_t kept = 0;
    for (std::size_t j = 0; j < vocabulary; ++j) {
      kept_[kept] = static_cast<std::uint32_t>(j);
      kept += keeps[j] != T(0);
    }
    columns_kept_ += kept;
    columns_seen_ += vocabulary;
    row_major<factor const> const hidden = chunk.hidden.rows_from(begin, rows);
    row_major<T> const d_hidden = chunk.d_hidden.given() ? chunk.d_hidden.rows_from(begin, rows) : row_major<T>{};
    bool adds = chunk.adds_to_hidden;
    for (std::size_t first = 0; first < kept; first += columns_at_once_) {
      std::size_t const count = std::min(columns_at_once_, kept - first);
      row_major<factor const> const gradient = gather(chunk.d_logits.rows_from(begin, rows), first, count);
      if (d_hidden.given()) {
        row_major<factor const> const weights{weight_, gradient.columns(), width};
        in_parts_that_throw(width, width_part, options_.executor, [&](std::size_t at, std::size_t size) {
          product_(matrix_factor<factor>{gradient}, matrix_factor<factor>{columns_of(weights, at, size)},
                   columns_of(d_hidden, at, size), adds);
        });
        adds = true;
      }
      if (!chunk.d_weight.given()) continue;
      in_parts_that_throw(
          gradient.columns(), vocabulary_part, options_.executor, [&](std::size_t at, std::size_t size) {
            product_(matrix_factor<factor>{columns_of(gradient, at, size), true}, matrix_factor<factor>{hidden},
                     row_major<T>{d_weight_ + at * width, size, width}, false);
          });
      for_each_in_parts(count, 64, options_.executor, [&](std::size_t k) noexcept {
        T* const to = chunk.d_weight[kept_[first + k]];
        T const* const from = d_weight_ + k * width;
        for (std::size_t column = 0; column < width; ++column) to[column] += from[column];
      });
    }
    if (!d_hidden.given()) return;
    for_each_in_parts(rows, 16, options_.executor, [&](std::size_t i) noexcept {
      T const share = shares_[begin + i], *const of_tail = d_hidden_ + tile * width;
      for (std::size_t k = 0; k < width; ++k) d_hidden[i][k] = (adds ? d_hidden[i][k] : T(0)) + share * of_tail[k];
    });
  }

  /// Kept columns of a tile, and their weights if they are multiplied, with zeros behind them up to one of few sizes.
  row_major<factor const> gather(row_major<T> const& g, std::size_t first, std::size_t count) {
    std::size_t const width = head_.weight.columns(),
                      padded = std::min((count + padding - 1) / padding * padding, columns_at_once_);
    for_each_in_parts(g.rows(), 8, options_.executor, [&](std::size_t i) noexcept {
      factor* const to = gathered_ + i * padded;
      for (std::size_t k = 0; k < count; ++k) store_number(g[i][kept_[first + k]], to + k);
      std::fill(to + count, to + padded, factor{});
    });
    for_each_in_parts(padded, 64, options_.executor, [&](std::size_t k) noexcept {
      factor* const to = weight_ + k * width;
      if (k < count) {
        copy_factors(head_.weight[kept_[first + k]], width, to);
      } else {
        std::fill_n(to, width, factor{});
      }
    });
    return {gathered_, g.rows(), padded};
  }

  /// Libraries compile a product for each shape.
  static constexpr std::size_t padding = 64;

  linear_head<U> head_;
  linear_options options_;
  product_ref<factor, T> product_;
  filter_kernels<T> kernels_;
  std::size_t tiles_, columns_at_once_;
  T *keeps_ = nullptr, *limits_ = nullptr, *signs_ = nullptr, *scales_ = nullptr, *shares_ = nullptr;
  T *sums_ = nullptr, *norms_ = nullptr, *d_hidden_ = nullptr, *d_weight_ = nullptr;
  factor *columns_ = nullptr, *rows_ = nullptr, *weight_ = nullptr, *gathered_ = nullptr;
  std::uint32_t* kept_ = nullptr;
  row_tail* tails_ = nullptr;
  row_distance* distances_ = nullptr;
  double* mean_ = nullptr;
  std::size_t columns_seen_ = 0, columns_kept_ = 0;
  double size_dropped_ = 0, size_ = 0, hidden_square_ = 0, weight_error_ = 0, tile_square_ = 0;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
