#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <prefopt/logprob/column_filter.hpp>
#include <prefopt/logprob/linear_head.hpp>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI::detail {

/// How a linear head's call divides its memory_budget: the rows that count go in chunks, and the last of them, whose
/// logits need not be computed again for the gradients, has as many as there is room for.
template <class U, class factor>
struct linear_plan {
  using T = computed_of<U>;
  static constexpr bool converts_weight = !std::same_as<factor, storage_of<U>>;

  /// What a shard has beside its tokens: room for a label that is another's.
  static constexpr std::size_t beside_shard = 16;

  std::size_t vocabulary, width, row_stride;
  std::size_t rows = 0, rows_at_once = 1, weights_at_once = 1, columns_at_once = 0;
  /// Whether rows are gathered; if not, they are read, and their gradient is written, where they are.
  bool copies_hidden = true, copies_d_hidden = true;
  bool filters, sums_bias, wants_hidden;
  std::size_t sums_of_row = 0;

  /// Of any rows: what one of them takes at least.
  linear_plan(linear_head<U> const& head, linear_gradients<T> const& gradients, linear_options const& options) noexcept
      : vocabulary{head.weight.rows()},
        width{head.weight.columns()},
        row_stride{vocabulary + (options.shard.all_reduce ? beside_shard : 0)},
        filters{options.filter.is_on()},
        sums_bias{!gradients.bias.empty()},
        wants_hidden{gradients.hidden.given()},
        sums_of_row{options.shard.all_reduce ? shard_sums{options.shard.ranks, true}.of_row() : 0} {
    columns_at_once = filters ? 1 : 0;
  }

  /// Of the rows that count, in order.
  linear_plan(linear_head<U> const& head, linear_gradients<T> const& gradients, linear_options const& options,
              std::vector<std::size_t> const& counted) noexcept
      : linear_plan{head, gradients, options} {
    rows = counted.size();
    std::size_t const left = options.memory_budget - bytes_of(1);
    auto const in_an_eighth = [&](std::size_t bytes) {
      return std::clamp<std::size_t>(left / 8 / (bytes + 1), 1, std::max<std::size_t>(1, vocabulary));
    };
    weights_at_once = converts_weight ? in_an_eighth(width * sizeof(T)) : vocabulary;
    if (filters) {
      columns_at_once = std::min(most_columns, in_an_eighth(width * (sizeof(factor) + sizeof(T))));
      if (columns_at_once > filter_tile) columns_at_once -= columns_at_once % filter_tile;
    }
    while (bytes_of(1) > options.memory_budget && (weights_at_once > 1 || columns_at_once > 1)) {
      weights_at_once = std::max<std::size_t>(1, weights_at_once / 2);
      columns_at_once = columns_at_once / 2 + (columns_at_once == 1 ? 1 : 0);
    }
    bool const is_gathered = rows != 0 && counted.back() - counted.front() + 1 != rows;
    auto const in_order = [&](auto const& m) {
      return !is_gathered && (rows < 2 || m.stride() >= static_cast<std::ptrdiff_t>(width));
    };
    copies_hidden = converts_weight || !in_order(head.hidden);
    copies_d_hidden = wants_hidden && (options.shard.all_reduce || !in_order(gradients.hidden));
    std::size_t most = rows;
    if (bytes_of(most) > options.memory_budget) {
      most = 1;
      for (std::size_t step = std::bit_floor(rows); step != 0; step /= 2) {
        if (most + step <= rows && bytes_of(most + step) <= options.memory_budget) most += step;
      }
      if (filters && most > filter_tile) most -= most % filter_tile;
    }
    rows_at_once = std::max<std::size_t>(1, most);
  }

  [[nodiscard]] std::size_t bytes_of(std::size_t count) const noexcept {
    std::size_t const tiles = filters ? (count + filter_tile - 1) / filter_tile : 0;
    return count * row_stride * sizeof(T) + (copies_hidden ? count * width * sizeof(factor) : 0) +
           (copies_d_hidden ? count * width * sizeof(T) : 0) + count * sums_of_row * sizeof(double) +
           (converts_weight ? weights_at_once * width * sizeof(T) : 0) + (sums_bias ? vocabulary * sizeof(double) : 0) +
           (filters ? tiles * column_filter<U, factor>::bytes_of_tile(vocabulary, width) +
                          column_filter<U, factor>::bytes_beside(vocabulary, width, columns_at_once)
                    : 0);
  }

  /// The chunks: so many rows each, but the last, which begins with `last`.
  [[nodiscard]] std::size_t last() const noexcept { return rows - std::min(rows, rows_at_once); }
  [[nodiscard]] std::size_t before_last() const noexcept {
    std::size_t const chunks = (last() + rows_at_once - 1) / rows_at_once;
    std::size_t const each = chunks == 0 ? 1 : (last() + chunks - 1) / chunks;
    return filters && each > filter_tile ? std::min(rows_at_once, (each + filter_tile - 1) / filter_tile * filter_tile)
                                         : each;
  }
  [[nodiscard]] std::size_t chunks() const noexcept {
    return rows == 0 ? 0 : (last() + before_last() - 1) / before_last() + 1;
  }
  /// The first row of a chunk and the one behind its last.
  [[nodiscard]] std::pair<std::size_t, std::size_t> bounds(std::size_t chunk) const noexcept {
    if (chunk + 1 == chunks()) return {last(), rows};
    return {chunk * before_last(), std::min(last(), (chunk + 1) * before_last())};
  }

 private:
  /// More columns of a tile at once are no quicker.
  static constexpr std::size_t most_columns = 2048;
};

}  // namespace prefopt::inline PREFOPT_ABI::detail
