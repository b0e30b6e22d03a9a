// PAL's margins, and the gradients by its points.
#include <prefopt/vectors/distance.hpp>

#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <vector>

#include "vector_pairs.hpp"

using namespace prefopt;

namespace {

template <class T>
long double exact_distance(random_rows<T> const& a, random_rows<T> const& b, std::size_t row) {
  long double sum = 0;
  for (std::size_t i = 0; i < a.columns; ++i) {
    long double const off = static_cast<long double>(a.at(row, i)) - b.at(row, i);
    sum += off * off;
  }
  return std::sqrt(sum);
}

template <class T>
std::vector<T> distances(random_rows<T> const& v, random_rows<T> const& w, random_rows<T> const& u, double scale = 1) {
  std::vector<T> margin(v.rows);
  distance_margins(distance_pairs<T>{.chosen = v.read(), .rejected = w.read(), .user = u.read(), .scale = scale},
                   margin);
  return margin;
}

}  // namespace

TEST_CASE("PAL by bradley_terry and by its hinges: a worked example") {
  std::vector<double> const v{.6, -.8, 1, .5}, w{.2, .4, -.3, .9}, u{.5, 0, .25, -.5}, zero{0};
  std::vector<double> margin(1), loss(1), d(1), d_v(4), d_w(4), d_u(4);
  distance_pairs<double> const pairs{
      .chosen = {v.data(), 1, 4}, .rejected = {w.data(), 1, 4}, .user = {u.data(), 1, 4}};
  distance_margins(pairs, margin);
  CHECK(std::fabs(margin[0] - 0.097639270350384125) < 1e-15);
  evaluate(bradley_terry{}, pair_batch<double>{.chosen = margin, .rejected = zero}, {.loss = loss, .d_chosen = d});
  CHECK(std::fabs(loss[0] - 0.64551875070891385) < 1e-15);
  distance_gradients(pairs, d,
                     {.d_chosen = {d_v.data(), 1, 4}, .d_rejected = {d_w.data(), 1, 4}, .d_user = {d_u.data(), 1, 4}});
  std::array const of_v{0.031974880685954984, -0.25579904548763988, 0.23981160514466238, 0.31974880685954987},
      of_u{-0.12199069026602731, 0.37582012492773631, -0.404840589374795, 0.10032497118078768};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(std::fabs(d_v[i] - of_v[i]) < 1e-15);
    CHECK(std::fabs(d_u[i] - of_u[i]) < 1e-15);
    CHECK(std::fabs(d_v[i] + d_w[i] + d_u[i]) < 1e-16);
  }
  evaluate(hinge{.beta = 1},
           pair_batch<double>{.chosen = margin, .rejected = zero, .ref_chosen = zero, .ref_rejected = zero},
           {.loss = loss});
  CHECK(std::fabs(loss[0] - 0.90236072964961589) < 1e-15);
  evaluate(smooth_hinge{}, pair_batch<double>{.chosen = margin, .rejected = zero}, {.loss = loss});
  CHECK(std::fabs(loss[0] - 0.081425488641378718) < 1e-15);
}

TEMPLATE_TEST_CASE("margins and gradients of distance pairs are their formulas", "", float, double) {
  using T = TestType;
  for (std::size_t const dimension : {1U, 3U, 32U}) {
    constexpr std::size_t n = 70;
    random_rows<T> const v{n, dimension, 1}, w{n, dimension, 2, 0}, u{n, dimension, 3, 1};
    random_rows<T> d_v{n, dimension, 4, 5}, d_w{n, dimension, 5}, d_u{n, dimension, 6};
    auto const before_v = d_v, before_w = d_w, before_u = d_u;
    double const scale = 1 / 0.07, unit = std::numeric_limits<T>::epsilon();
    distance_pairs<T> const pairs{.chosen = v.read(), .rejected = w.read(), .user = u.read(), .scale = scale};
    auto const margin = distances(v, w, u, scale);
    std::vector<T> d(n);
    for (std::size_t i = 0; i < n; ++i) {
      d[i] = static_cast<T>(0.1) * static_cast<T>(i) - 3;
      long double const expected = scale * (exact_distance(w, u, i) - exact_distance(v, u, i));
      CHECK(std::fabs(margin[i] - expected) <= unit * std::fabs(expected) + 1e-12L);
    }
    for (bool const adds : {false, true}) {
      d_v = before_v;
      d_w = before_w;
      d_u = before_u;
      distance_gradients(pairs, d, {.d_chosen = d_v.write(), .d_rejected = d_w.write(), .d_user = d_u.write()},
                         adds ? gradient_write::accumulate : gradient_write::assign);
      bool right = true;
      for (std::size_t i = 0; i < n; ++i) {
        auto const check = [&](T got, T before, long double expected) {
          long double const all = expected + (adds ? static_cast<long double>(before) : 0);
          right = right && std::fabs(got - all) <= unit * std::fabs(all) + 1e-12L;
        };
        long double const near = exact_distance(v, u, i), far = exact_distance(w, u, i), by = d[i] * scale;
        for (std::size_t k = 0; k < dimension; ++k) {
          long double const of_v = -by * (static_cast<long double>(v.at(i, k)) - u.at(i, k)) / near;
          long double const of_w = by * (static_cast<long double>(w.at(i, k)) - u.at(i, k)) / far;
          check(d_v.at(i, k), before_v.at(i, k), of_v);
          check(d_w.at(i, k), before_w.at(i, k), of_w);
          check(d_u.at(i, k), before_u.at(i, k), -of_v - of_w);
        }
      }
      CHECK(right);
      CHECK(d_v.memory[dimension] == before_v.memory[dimension]);
    }
  }
}

TEST_CASE("moved and turned together, points have the same margin; equal completions have 0") {
  random_rows<double> v{40, 2, 1}, w{40, 2, 2}, u{40, 2, 3};
  auto const margin = distances(v, w, u);
  for (double const x : distances(v, v, u)) CHECK(x == 0);
  for (auto* rows : {&v, &w, &u}) {
    for (std::size_t i = 0; i < 40; ++i) {
      double const x = rows->at(i, 0), y = rows->at(i, 1);
      rows->at(i, 0) = 0.6 * x - 0.8 * y + 3;
      rows->at(i, 1) = 0.8 * x + 0.6 * y - 5;
    }
  }
  auto const moved = distances(v, w, u);
  for (std::size_t i = 0; i < 40; ++i) CHECK(std::fabs(moved[i] - margin[i]) < 1e-14);
}

TEMPLATE_TEST_CASE("a completion at the ideal point has no slope, and one user may be all pairs'", "", float, double) {
  using T = TestType;
  std::vector<T> const points{1, 2, 4, 6}, ideal{1, 2};
  std::vector<T> margin(2), d_v(4, T(9)), d_w(4, T(9));
  std::vector<T> const d{1, 1}, others{4, 6, 1, 2};
  distance_pairs<T> const pairs{
      .chosen = {points.data(), 2, 2}, .rejected = {others.data(), 2, 2}, .user = {ideal.data(), 2, 2, 0}};
  distance_margins(pairs, margin);
  CHECK(margin == std::vector<T>{5, -5});
  distance_gradients(pairs, d, {.d_chosen = {d_v.data(), 2, 2}, .d_rejected = {d_w.data(), 2, 2}});
  CHECK(d_v == std::vector<T>{0, 0, T(-0.6), T(-0.8)});
  CHECK(d_w == std::vector<T>{T(0.6), T(0.8), 0, 0});
}

TEMPLATE_TEST_CASE("distances whose squares are out of range", "", float, double) {
  using T = TestType;
  for (T const size : {std::numeric_limits<T>::max() / 8, std::numeric_limits<T>::min() * 4}) {
    std::vector<T> const v{size, 0}, w{size * T(1.5), size * 2}, u{0, 0}, one{1};
    std::vector<T> margin(1), d_w(2);
    distance_pairs<T> const pairs{.chosen = {v.data(), 1, 2}, .rejected = {w.data(), 1, 2}, .user = {u.data(), 1, 2}};
    distance_margins(pairs, margin);
    CHECK(std::fabs(margin[0] / size - T(1.5)) <= 4 * std::numeric_limits<T>::epsilon());
    distance_gradients(pairs, one, {.d_rejected = {d_w.data(), 1, 2}});
    CHECK(std::fabs(d_w[0] - T(0.6)) <= std::numeric_limits<T>::epsilon());
    CHECK(std::fabs(d_w[1] - T(0.8)) <= std::numeric_limits<T>::epsilon());
  }
}

TEST_CASE("distance pairs that do not fit are refused before anything is written") {
  std::vector<double> v(12, 1.0), w(12, 2.0), u(12, 0.0), margin(3, 5.0), d(12, 5.0), ones(3, 1.0);
  auto const rows = [](std::vector<double> const& of, std::size_t n, std::size_t m) {
    return row_major<double const>{of.data(), n, m};
  };
  auto const margins = [&](distance_pairs<double> const& pairs) {
    return refusal([&] { distance_margins(pairs, margin); });
  };
  distance_pairs<double> good{.chosen = rows(v, 3, 4), .rejected = rows(w, 3, 4), .user = rows(u, 3, 4)};
  auto pairs = good;
  pairs.rejected = rows(w, 3, 3);
  CHECK(margins(pairs) == "prefopt::distance_margins: rejected is 3 x 3, expected 3 x 4");
  pairs = good;
  pairs.user = rows(u, 1, 4);
  CHECK(margins(pairs) == "prefopt::distance_margins: user is 1 x 4, expected 3 x 4");
  pairs = good;
  pairs.scale = 0;
  CHECK(margins(pairs) == "prefopt::distance_margins: scale is 0, expected a finite number > 0");
  CHECK(refusal([&] { distance_margins(good, output<double>{}); }) ==
        "prefopt::distance_margins: margin has 0 elements, there are 3 rows");
  auto const gradients = [&](distance_gradient_outputs<double> const& to) {
    return refusal([&] { distance_gradients(good, ones, to); });
  };
  CHECK(gradients({.d_user = {u.data(), 3, 4}}) == "prefopt::distance_gradients: d_user overlaps user");
  CHECK(gradients({.d_user = {d.data(), 3, 4, 0}}) ==
        "prefopt::distance_gradients: the rows of d_user overlap: row stride 0, 4 columns");
  CHECK(gradients({.d_rejected = {d.data(), 2, 4}}) ==
        "prefopt::distance_gradients: d_rejected is 2 x 4, what it is the gradient by is 3 x 4");
  CHECK(margin == std::vector<double>(3, 5.0));
  CHECK(d == std::vector<double>(12, 5.0));
}
