// The general preference model's margins, and the gradients by its vectors.
#include <prefopt/vectors/skew.hpp>

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
long double skew_of(random_rows<T> const& v, random_rows<T> const& w, std::size_t row, random_rows<T> const* c) {
  long double sum = 0;
  for (std::size_t i = 0; i < v.columns / 2; ++i) {
    long double const scale = c == nullptr ? 1.0L : static_cast<long double>(c->at(row, i));
    sum += scale * (static_cast<long double>(v.at(row, 2 * i)) * w.at(row, 2 * i + 1) -
                    static_cast<long double>(v.at(row, 2 * i + 1)) * w.at(row, 2 * i));
  }
  return sum;
}

template <class T>
std::vector<T> skews(row_major<T const> const& v, row_major<T const> const& w) {
  std::vector<T> margin(v.rows());
  skew_margins(skew_pairs<T>{.chosen = v, .rejected = w}, margin);
  return margin;
}

}  // namespace

TEST_CASE("the general preference model by bradley_terry: a worked example") {
  std::vector<double> const v{.6, -.8, 1, .5}, w{.2, .4, -.3, .9}, zero{0};
  std::vector<double> margin(1), loss(1), d(1), d_v(4), d_w(4);
  skew_pairs<double> const pairs{.chosen = {v.data(), 1, 4}, .rejected = {w.data(), 1, 4}};
  skew_margins(pairs, margin);
  CHECK(std::fabs(margin[0] - 1.45) < 1e-15);
  evaluate(bradley_terry{.temperature = 0.1}, pair_batch<double>{.chosen = margin, .rejected = zero},
           {.loss = loss, .d_chosen = d});
  CHECK(std::fabs(loss[0] / 5.0434753538464882e-07 - 1) < 1e-14);
  skew_gradients(pairs, d, {.d_chosen = {d_v.data(), 1, 4}, .d_rejected = {d_w.data(), 1, 4}});
  std::array const of_v{-2.0173896328058079e-06, 1.0086948164029039e-06, -4.5391266738130677e-06,
                        -1.5130422246043559e-06},
      of_w{-4.0347792656116158e-06, -3.0260844492087118e-06, 2.5217370410072599e-06, -5.0434740820145197e-06};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(std::fabs(d_v[i] / of_v[i] - 1) < 1e-14);
    CHECK(std::fabs(d_w[i] / of_w[i] - 1) < 1e-14);
  }
}

TEMPLATE_TEST_CASE("margins and gradients of skew pairs are their formulas, with and without scales of blocks", "",
                   float, double) {
  using T = TestType;
  for (std::size_t const dimension : {2U, 4U, 10U, 64U}) {
    constexpr std::size_t n = 70;
    random_rows<T> const v{n, dimension, 1}, w{n, dimension, 2, 0}, c{n, dimension / 2, 3, 1};
    random_rows<T> d_v{n, dimension, 4, 5}, d_w{n, dimension, 5}, d_c{n, dimension / 2, 6};
    auto const before_v = d_v, before_w = d_w, before_c = d_c;
    std::vector<T> margin(2 * n, T(7)), d(n);
    for (std::size_t i = 0; i < n; ++i) d[i] = static_cast<T>(0.1) * static_cast<T>(i) - 3;
    for (bool const scaled : {false, true}) {
      CAPTURE(dimension, scaled);
      skew_pairs<T> pairs{.chosen = v.read(), .rejected = w.read()};
      if (scaled) pairs.block_scale = c.read();
      skew_margins(pairs, {margin.data(), n, 2});
      double const unit = std::numeric_limits<T>::epsilon();
      for (std::size_t i = 0; i < n; ++i) {
        long double const expected = skew_of(v, w, i, scaled ? &c : nullptr);
        CHECK(std::fabs(margin[2 * i] - expected) <= unit * (1 + std::fabs(expected)) + 1e-13L);
        CHECK(margin[2 * i + 1] == 7);
      }
      for (bool const adds : {false, true}) {
        d_v = before_v;
        d_w = before_w;
        d_c = before_c;
        skew_gradients(pairs, d,
                       {.d_chosen = d_v.write(),
                        .d_rejected = d_w.write(),
                        .d_block_scale = scaled ? d_c.write() : row_major<T>{}},
                       adds ? gradient_write::accumulate : gradient_write::assign);
        bool right = true;
        for (std::size_t i = 0; i < n; ++i) {
          auto const check = [&](T got, T before, long double expected) {
            long double const all = expected + (adds ? static_cast<long double>(before) : 0);
            right = right && std::fabs(got - all) <= 2 * unit * (std::fabs(all) + std::fabs(expected));
          };
          for (std::size_t k = 0; k < dimension / 2; ++k) {
            long double const scale = scaled ? static_cast<long double>(c.at(i, k)) : 1, by = d[i] * scale;
            check(d_v.at(i, 2 * k), before_v.at(i, 2 * k), by * w.at(i, 2 * k + 1));
            check(d_v.at(i, 2 * k + 1), before_v.at(i, 2 * k + 1), -by * w.at(i, 2 * k));
            check(d_w.at(i, 2 * k), before_w.at(i, 2 * k), -by * v.at(i, 2 * k + 1));
            check(d_w.at(i, 2 * k + 1), before_w.at(i, 2 * k + 1), by * v.at(i, 2 * k));
            long double const of_block = static_cast<long double>(v.at(i, 2 * k)) * w.at(i, 2 * k + 1) -
                                         static_cast<long double>(v.at(i, 2 * k + 1)) * w.at(i, 2 * k);
            if (scaled) {
              long double const all = d[i] * of_block + (adds ? static_cast<long double>(before_c.at(i, k)) : 0);
              right = right && std::fabs(d_c.at(i, k) - all) <= 8 * unit * (1 + std::fabs(all));
            }
          }
        }
        CHECK(right);
        // Between the rows nothing is written.
        CHECK(d_v.memory[dimension] == before_v.memory[dimension]);
        if (!scaled) CHECK(d_c.memory == before_c.memory);
      }
    }
  }
}

TEMPLATE_TEST_CASE("skew-symmetry is exact: a vector against itself has 0, sides exchanged the negative", "", float,
                   double) {
  using T = TestType;
  random_rows<T> v{300, 34, 11}, w{300, 34, 12};
  // Of all sizes, so that sums round.
  for (std::size_t i = 0; i < 300; ++i) {
    for (std::size_t j = 0; j < 34; ++j) v.at(i, j) *= static_cast<T>(std::pow(10.0, static_cast<double>(j % 7)));
  }
  auto const itself = skews<T>(v.read(), v.read()), one = skews<T>(v.read(), w.read()),
             other = skews<T>(w.read(), v.read());
  for (std::size_t i = 0; i < 300; ++i) {
    CHECK(itself[i] == 0);
    CHECK(one[i] == -other[i]);
  }
  // Turned by an angle within a block, both, the margin is the same; preferences can go round in a circle.
  std::vector<double> const a{1, 0}, b{-0.5, std::sqrt(0.75)}, c{-0.5, -std::sqrt(0.75)};
  auto const beats = [](std::vector<double> const& x, std::vector<double> const& y) {
    return skews<double>({x.data(), 1, 2}, {y.data(), 1, 2})[0];
  };
  CHECK(beats(a, b) > 0.8);
  CHECK(beats(b, c) > 0.8);
  CHECK(beats(c, a) > 0.8);
}

TEST_CASE("one row of scales for all pairs, and a NaN stays in its pair") {
  random_rows<double> v{3, 4, 1}, w{3, 4, 2};
  std::vector<double> const scale{2, 0.5};
  std::vector<double> margin(3);
  v.at(1, 2) = std::numeric_limits<double>::quiet_NaN();
  skew_margins(skew_pairs<double>{.chosen = v.read(), .rejected = w.read(), .block_scale = {scale.data(), 3, 2, 0}},
               margin);
  for (std::size_t const i : {0U, 2U}) {
    double const first = v.at(i, 0) * w.at(i, 1) - v.at(i, 1) * w.at(i, 0);
    double const second = v.at(i, 2) * w.at(i, 3) - v.at(i, 3) * w.at(i, 2);
    CHECK(std::fabs(margin[i] - (2 * first + 0.5 * second)) < 1e-14);
  }
  CHECK(margin[1] != margin[1]);
  skew_margins(skew_pairs<double>{}, {});
}

TEST_CASE("skew pairs that do not fit are refused before anything is written") {
  std::vector<double> v(12, 1.0), w(12, 1.0), margin(3, 5.0), d(12, 5.0), ones(3, 1.0);
  auto const rows = [](std::vector<double> const& of, std::size_t n, std::size_t m) {
    return row_major<double const>{of.data(), n, m};
  };
  auto const margins = [&](skew_pairs<double> const& pairs) { return refusal([&] { skew_margins(pairs, margin); }); };
  CHECK(margins({.chosen = rows(v, 3, 3), .rejected = rows(w, 3, 3)}) ==
        "prefopt::skew_margins: vectors of dimension 3, expected an even one");
  CHECK(margins({.chosen = rows(v, 3, 4), .rejected = rows(w, 2, 4)}) ==
        "prefopt::skew_margins: rejected is 2 x 4, expected 3 x 4");
  CHECK(margins({.chosen = rows(v, 3, 4), .rejected = rows(w, 3, 4), .block_scale = rows(w, 3, 4)}) ==
        "prefopt::skew_margins: block_scale is 3 x 4, expected 3 x 2");
  CHECK(margins({.chosen = rows(v, 2, 4), .rejected = rows(w, 2, 4)}) ==
        "prefopt::skew_margins: margin has 3 elements, there are 2 rows");
  CHECK(margins({.chosen = {v.data(), 3, 2, 4, 2}, .rejected = rows(w, 3, 2)}) ==
        "prefopt::skew_margins: chosen has a column stride of 2, expected rows that are contiguous (row-major)");
  skew_pairs<double> const good{.chosen = rows(v, 3, 4), .rejected = rows(w, 3, 4)};
  auto const gradients = [&](std::vector<double> const& by, skew_gradient_outputs<double> const& to) {
    return refusal([&] { skew_gradients(good, by, to); });
  };
  CHECK(gradients(d, {}) == "prefopt::skew_gradients: d_margin has 12 elements, there are 3 rows");
  CHECK(gradients(ones, {.d_chosen = {d.data(), 3, 2}}) ==
        "prefopt::skew_gradients: d_chosen is 3 x 2, what it is the gradient by is 3 x 4");
  CHECK(gradients(ones, {.d_chosen = {d.data(), 3, 4}, .d_rejected = {d.data(), 3, 4}}) ==
        "prefopt::skew_gradients: d_chosen overlaps d_rejected");
  CHECK(gradients(ones, {.d_rejected = {v.data(), 3, 4}}) == "prefopt::skew_gradients: d_rejected overlaps chosen");
  CHECK(gradients(ones, {.d_chosen = {d.data(), 3, 4, 1}}) ==
        "prefopt::skew_gradients: the rows of d_chosen overlap: row stride 1, 4 columns");
  CHECK(gradients(ones, {.d_block_scale = {d.data(), 3, 2}}) ==
        "prefopt::skew_gradients: d_block_scale is given, but block_scale is not");
  CHECK(margin == std::vector<double>(3, 5.0));
  CHECK(d == std::vector<double>(12, 5.0));
}
