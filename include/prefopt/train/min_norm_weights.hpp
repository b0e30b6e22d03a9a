#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/core/errors.hpp>
#include <prefopt/view/row_major.hpp>
#include <string>
#include <utility>
#include <vector>

namespace prefopt::inline PREFOPT_ABI {
namespace detail {

inline constexpr std::size_t most_tasks = 16;

/// A point of the simplex, and how far it is from the optimum.
struct min_norm_point {
  std::array<double, most_tasks> weights{};
  double excess = std::numeric_limits<double>::infinity();
};

class min_norm_search {
 public:
  min_norm_search(std::vector<double> gram, std::size_t tasks) : gram_{std::move(gram)}, tasks_{tasks} {}

  /// Small faces first, so that equal gradients share nothing and the first of them gets it all.
  [[nodiscard]] min_norm_point best() const noexcept {
    min_norm_point best;
    std::uint32_t const all = (std::uint32_t{1} << tasks_) - 1;
    for (std::size_t size = 1; size <= tasks_; ++size) {
      for (std::uint32_t face = (std::uint32_t{1} << size) - 1; face <= all; face = next_of_size(face)) {
        min_norm_point point;
        if (!stationary(face, point.weights)) continue;
        point.excess = excess(point.weights);
        if (point.excess < best.excess) best = point;
        // As good as rounding lets it be.
        if (best.excess <= 8) return best;
      }
    }
    return best;
  }

 private:
  [[nodiscard]] double at(std::size_t i, std::size_t j) const noexcept { return gram_[i * tasks_ + j]; }

  /// The next larger number with as many bits.
  static std::uint32_t next_of_size(std::uint32_t face) noexcept {
    std::uint32_t const lowest = face & (~face + 1), ripple = face + lowest;
    return ripple | (((face ^ ripple) >> 2) / lowest);
  }

  /// The point of the face's affine hull that is nearest to 0; false if it is not within the face, or if the gradients
  /// depend on each other: then a smaller face has it, too.
  bool stationary(std::uint32_t face, std::array<double, most_tasks>& weights) const noexcept {
    std::array<std::size_t, most_tasks> tasks{};
    std::size_t size = 0;
    for (std::size_t k = 0; k < tasks_; ++k) {
      if ((face >> k & 1U) != 0) tasks[size++] = k;
    }
    // By the differences to the shortest gradient: (g_i - g_0) . (g_j - g_0) a = -(g_i - g_0) . g_0. Of those to a long
    // one nothing would be left but that one.
    std::swap(tasks[0], *std::min_element(tasks.begin(), tasks.begin() + static_cast<std::ptrdiff_t>(size),
                                          [&](std::size_t a, std::size_t b) { return at(a, a) < at(b, b); }));
    std::size_t const n = size - 1, base = tasks[0];
    double system[most_tasks - 1][most_tasks];
    for (std::size_t i = 0; i < n; ++i) {
      std::size_t const a = tasks[i + 1];
      for (std::size_t j = 0; j < n; ++j) {
        std::size_t const b = tasks[j + 1];
        system[i][j] = (at(a, b) - at(a, base)) + (at(base, base) - at(base, b));
      }
      system[i][n] = at(base, base) - at(a, base);
    }
    std::array<double, most_tasks> left{};
    for (std::size_t i = 0; i < n; ++i) left[i] = system[i][i];
    for (std::size_t i = 0; i < n; ++i) {
      // A Schur complement: 0 where the difference is made of those before.
      if (!(system[i][i] > 16 * epsilon * left[i])) return false;
      for (std::size_t row = i + 1; row < n; ++row) {
        double const factor = system[row][i] / system[i][i];
        for (std::size_t c = i; c <= n; ++c) system[row][c] -= factor * system[i][c];
      }
    }
    double rest = 1;
    for (std::size_t i = n; i-- > 0;) {
      double sum = system[i][n];
      for (std::size_t c = i + 1; c < n; ++c) sum -= system[i][c] * weights[tasks[c + 1]];
      double const weight = sum / system[i][i];
      if (!(weight >= 0)) return false;
      weights[tasks[i + 1]] = weight;
      rest -= weight;
    }
    weights[base] = rest;
    return rest >= 0;
  }

  /// By how much the most violated condition (G lambda)_k >= lambda^T G lambda is violated, in units of what rounding
  /// can do to it.
  [[nodiscard]] double excess(std::array<double, most_tasks> const& weights) const noexcept {
    std::array<double, most_tasks> product{}, size{};
    double norm = 0, norm_size = 0;
    for (std::size_t k = 0; k < tasks_; ++k) {
      for (std::size_t j = 0; j < tasks_; ++j) {
        product[k] += at(k, j) * weights[j];
        size[k] += std::abs(at(k, j)) * weights[j];
      }
      norm += weights[k] * product[k];
      norm_size += weights[k] * size[k];
    }
    double worst = 0;
    for (std::size_t k = 0; k < tasks_; ++k) {
      double const short_by = norm - product[k];
      if (short_by > 0) worst = std::max(worst, short_by / (epsilon * (size[k] + norm_size)));
    }
    return worst;
  }

  static constexpr double epsilon = std::numeric_limits<double>::epsilon();

  std::vector<double> gram_;
  std::size_t tasks_;
};

}  // namespace detail

/// The weights of several tasks' losses that make the shortest gradient: the minimum of |sum_k lambda_k g_k|^2 over the
/// simplex.
///     gram       [K, K], G_ij = g_i . g_j of the gradients by shared parameters, for MORE the reward head's; K <= 16;
///                float or double, computed in double
///     lambda     >= 0, sum 1, with (G lambda)_k >= lambda^T G lambda for every k, equal where lambda_k > 0: a common
///                direction of descent, or 0 where there is none
///     exact      the stationary point of each face of the simplex is found, small faces first, and the first one that
///                meets the conditions taken. O(2^K K^3) at worst: a few milliseconds at K = 12, some 50 at 16
///     special    of equal gradients the first has it all; a gradient of 0 has it all, before the others; K = 1 is 1
///     throws     std::invalid_argument: K is 0 or above 16; not square; not symmetric, by more than a relative 1e-5; a
///                number that is not finite, or below 0 on the diagonal
///     source     Désidéri 2012 (MGDA); Sener and Koltun 2018, arXiv:1810.04650; MORE: Zeng et al. 2023,
///                arXiv:2312.07401, and its code
/// Constants of the loss sum_k lambda_k L_k. MORE's code multiplies them by K, and mixes them with the step before's.
template <class U>
std::vector<double> min_norm_weights(row_major<U> const& gram) {
  constexpr char const* where = "min_norm_weights";
  std::size_t const tasks = gram.rows();
  if (tasks == 0) detail::fail(where, "there is no task, expected at least 1");
  if (tasks > detail::most_tasks) {
    detail::fail(where,
                 "there are " + detail::text(tasks) + " tasks, expected at most " + detail::text(detail::most_tasks));
  }
  detail::check_rows(where, "gram", gram);
  if (gram.columns() != tasks) detail::fail(where, "gram is " + detail::shape(gram) + ", expected a square");
  auto const read = [&](std::size_t i, std::size_t j) { return static_cast<double>(detail::load_number(gram[i] + j)); };
  std::vector<double> numbers(tasks * tasks);
  for (std::size_t i = 0; i < tasks; ++i) {
    for (std::size_t j = 0; j < tasks; ++j) {
      double const number = read(i, j), mirrored = read(j, i);
      std::string const name = "gram[" + detail::text(i) + "][" + detail::text(j) + "] is " + detail::text(number);
      if (!std::isfinite(number)) detail::fail(where, name + ", expected a finite number");
      if (i == j && number < 0) detail::fail(where, name + ", expected a number >= 0");
      if (std::abs(number - mirrored) > 1e-5 * std::sqrt(read(i, i)) * std::sqrt(read(j, j))) {
        detail::fail(where, name + ", expected " + detail::text(mirrored) + " as on the other side of the diagonal");
      }
      numbers[i * tasks + j] = 0.5 * number + 0.5 * mirrored;
    }
  }
  auto const best = detail::min_norm_search{std::move(numbers), tasks}.best();
  return {best.weights.begin(), best.weights.begin() + static_cast<std::ptrdiff_t>(tasks)};
}

}  // namespace prefopt::inline PREFOPT_ABI
