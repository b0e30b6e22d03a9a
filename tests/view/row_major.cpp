// Where two views of rows meet, and rows that are no target: against the addresses of their elements.
#include <algorithm>
#include <catch.hpp>
#include <cstddef>
#include <cstdint>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <utility>
#include <vector>

using namespace prefopt;

namespace {

/// From the first byte of the elements to the one behind the last.
template <class U>
std::pair<std::uintptr_t, std::uintptr_t> touched(row_major<U> const& m) {
  std::pair<std::uintptr_t, std::uintptr_t> range{UINTPTR_MAX, 0};
  for (std::size_t row = 0; row < m.rows(); ++row) {
    for (std::size_t column = 0; column < m.columns(); ++column) {
      auto const at = reinterpret_cast<std::uintptr_t>(m[row] + column);
      range = {std::min(range.first, at), std::max(range.second, at + sizeof(U))};
    }
  }
  return range;
}

template <class U, class W>
bool meet(row_major<U> const& a, row_major<W> const& b) {
  auto const [a_first, a_last] = touched(a);
  auto const [b_first, b_last] = touched(b);
  return a_first < b_last && b_first < a_last;
}

template <class U, class W>
bool share(row_major<U> const& a, row_major<W> const& b) {
  bool found = false;
  for (std::size_t row = 0; row < a.rows(); ++row) {
    for (std::size_t other = 0; other < b.rows(); ++other) {
      found = found || meet(row_major<U>{a[row], 1, a.columns()}, row_major<W>{b[other], 1, b.columns()});
    }
  }
  return found;
}

/// Whether the rows of both repeat at one distance, or those of one alone.
template <class U, class W>
bool have_one_distance(row_major<U> const& a, row_major<W> const& b) {
  auto const distance = [](auto const& m, std::size_t size) {
    return m.rows() < 2 ? 0 : static_cast<std::size_t>(m.stride() < 0 ? -m.stride() : m.stride()) * size;
  };
  std::size_t const of_a = distance(a, sizeof(U)), of_b = distance(b, sizeof(W));
  return of_a == of_b || of_a == 0 || of_b == 0;
}

template <class U>
std::vector<row_major<U>> views(U* first, std::size_t size) {
  std::vector<row_major<U>> all;
  for (std::size_t begin = 0; begin < size; ++begin) {
    for (std::size_t rows = 0; rows <= 3; ++rows) {
      for (std::size_t columns = 0; columns <= 3; ++columns) {
        for (std::ptrdiff_t const stride : {-4, -2, 0, 2, 5}) {
          auto const last = static_cast<std::ptrdiff_t>(begin) + (static_cast<std::ptrdiff_t>(rows) - 1) * stride;
          if (rows > 0 && (last < 0 || last + 3 > static_cast<std::ptrdiff_t>(size))) continue;
          all.push_back({first + begin, rows, columns, stride});
        }
      }
    }
  }
  return all;
}

}  // namespace

TEST_CASE("views of rows overlap where they share an element, or at two distances what lies between their ends") {
  std::vector<double> memory(16);
  std::size_t compared = 0, wrong = 0, shared = 0, between = 0;
  for (auto const& a : views(memory.data(), 16)) {
    for (auto const& b : views(memory.data(), 16)) {
      bool const right = have_one_distance(a, b) ? share(a, b) : meet(a, b);
      between += meet(a, b) && !right ? 1 : 0;
      wrong += detail::overlap(a, b) != right ? 1 : 0;
      shared += right ? 1 : 0;
      ++compared;
    }
  }
  CHECK(wrong == 0);
  CHECK(shared > 1000);
  CHECK(compared - shared > 1000);
  CHECK(between > 100);
  // Of two types.
  auto* const floats = reinterpret_cast<float*>(memory.data());
  row_major<double> const wide{memory.data() + 4, 2, 2, -2};
  CHECK(detail::overlap(wide, row_major<float>{floats + 11, 1, 1}));
  CHECK(detail::overlap(wide, row_major<float>{floats + 4, 1, 1}));
  CHECK_FALSE(detail::overlap(wide, row_major<float>{floats + 3, 1, 1}));
  CHECK_FALSE(detail::overlap(wide, row_major<float>{floats + 12, 1, 1}));
  // Rows of two types between each other.
  row_major<double> const apart{memory.data(), 3, 2, 4};
  CHECK_FALSE(detail::overlap(apart, row_major<float>{floats + 4, 3, 4, 8}));
  CHECK_FALSE(detail::overlap(row_major<float>{floats + 20, 3, 4, -8}, apart));
  CHECK(detail::overlap(apart, row_major<float>{floats + 4, 3, 5, 8}));
  CHECK(detail::overlap(apart, row_major<float>{floats + 4, 3, 4, 4}));
}

TEST_CASE("rows of a target are contiguous and apart, forwards and backwards") {
  std::vector<double> memory(64);
  double* const middle = memory.data() + 32;
  auto const refused = [&](row_major<double> const& m) {
    return refusal([&] { detail::check_target("f", "d", m, 3, 4, "x"); });
  };
  CHECK(refused({middle, 3, 4}) == "no error");
  CHECK(refused({middle, 3, 4, -4}) == "no error");
  CHECK(refused({middle, 3, 4, 3}) == "prefopt::f: the rows of d overlap: row stride 3, 4 columns");
  CHECK(refused({middle, 3, 4, -3}) == "prefopt::f: the rows of d overlap: row stride -3, 4 columns");
  CHECK(refused({middle, 3, 4, 0}) == "prefopt::f: the rows of d overlap: row stride 0, 4 columns");
  CHECK(refused({middle, 4, 3}) == "prefopt::f: d is 4 x 3, x is 3 x 4");
  CHECK(refused({middle, 3, 3}) == "prefopt::f: d is 3 x 3, x is 3 x 4");
  CHECK(refused({middle, 3, 4, 8, 2}) ==
        "prefopt::f: d has a column stride of 2, expected rows that are contiguous (row-major)");
  // Of one row nobody asks where the next is, of one column nobody how far the next is.
  CHECK(refusal([&] { detail::check_target("f", "d", row_major<double>{middle, 1, 4, 0}, 1, 4, "x"); }) == "no error");
  CHECK(refusal([&] {
          detail::check_target("f", "d", row_major<double>{middle, 3, 1, 1, 9}, 3, 1, "x");
        }) == "no error");
}
