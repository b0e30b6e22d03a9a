// std::mdspan and its like as columns, outputs, matrices and rows: small ones of our own, as <mdspan> is younger than
// C++20.
#include <array>
#include <catch.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/logprob/token_logprobs.hpp>
#include <prefopt/logprob/tokens.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/view/row_major.hpp>
#include <refusal.hpp>
#include <type_traits>
#include <vector>

using namespace prefopt;

namespace {

/// What std::mdspan with layout_stride tells of itself, no more.
template <class E, std::size_t Rank, class Index = std::size_t>
class strided {
 public:
  using element_type = E;
  using reference = E&;

  strided(E* first, std::array<Index, Rank> extents, std::array<Index, Rank> strides)
      : first_{first}, extents_{extents}, strides_{strides} {}

  static constexpr std::size_t rank() noexcept { return Rank; }
  static constexpr bool is_always_strided() noexcept { return true; }
  E* const& data_handle() const noexcept { return first_; }
  Index extent(std::size_t dimension) const { return extents_.at(dimension); }
  Index stride(std::size_t dimension) const { return strides_.at(dimension); }

 private:
  E* first_;
  std::array<Index, Rank> extents_, strides_;
};

/// The least that is accepted: no typedefs, and a rank that is signed, as some libraries have it.
struct bare {
  float const* first;
  int count;
  static constexpr int rank() { return 1; }
  float const* data_handle() const { return first; }
  int extent(int) const { return count; }
  int stride(int) const { return 1; }
};

/// Runs backwards: index 0 is not where the handle points.
struct reversed : strided<double, 1, std::ptrdiff_t> {
  struct mapping_type {
    std::ptrdiff_t last;
    constexpr std::ptrdiff_t operator()(std::ptrdiff_t index) const {
      if (last < 0) throw std::out_of_range("an empty view has no index 0");
      return last - index;
    }
  };
  reversed(double* first, std::ptrdiff_t count) : strided{first, {count}, {-1}} {}
  mapping_type mapping() const { return {extent(0) - 1}; }
};

/// A matrix turned by half a circle.
struct turned : strided<float, 2, std::ptrdiff_t> {
  struct mapping_type {
    std::ptrdiff_t last;
    constexpr std::ptrdiff_t operator()(std::ptrdiff_t row, std::ptrdiff_t column) const {
      return last - 3 * row - column;
    }
  };
  explicit turned(float* first) : strided{first, {2, 3}, {-3, -1}} {}
  static mapping_type mapping() { return {5}; }
};

/// An accessor that scales, as std::linalg::scaled has: the handle is a pointer, the elements are others.
struct scaled : strided<double, 1> {
  using strided::strided;
  using reference = double;
};

/// A layout in tiles.
struct tiled : strided<double, 1> {
  using strided::strided;
  static constexpr bool is_always_strided() noexcept { return false; }
};

/// A handle that is no pointer.
struct counted : strided<double, 1> {
  using strided::strided;
  std::shared_ptr<double> data_handle() const { return {}; }
};

/// Frees its elements, as a view with a reference count does once it is the last.
struct owner : strided<double, 1> {
  using strided::strided;
  ~owner() {}
};

template <class To, class From>
constexpr bool makes = std::is_constructible_v<To, From>;

using numbers = strided<double, 1>;
using read_only = strided<double const, 1>;
using table = strided<double, 2>;
using read_only_table = strided<double const, 2>;

// Views may be temporaries.
static_assert(makes<column<double>, numbers> && makes<column<double>, numbers&> &&
              makes<column<double>, numbers const&>);
static_assert(makes<column<double>, read_only> && makes<output<double>, numbers> &&
              makes<output<double>, numbers const&>);
static_assert(makes<column<double>, strided<float, 1>> && makes<column<float>, strided<int const, 1>>);
static_assert(makes<column<float>, bare> && makes<column<double>, reversed> && makes<column<double>, turned> == false);
static_assert(std::is_convertible_v<numbers, column<double>> && std::is_convertible_v<table, matrix<double>>);
static_assert(makes<matrix<double>, table> && makes<matrix<double>, read_only_table&> &&
              makes<output_matrix<double>, table>);
static_assert(makes<matrix<double>, strided<std::uint8_t, 2>> && makes<row_major<double>, table> &&
              makes<row_major<double const>, table> && makes<row_major<double const>, read_only_table>);

// What is read-only is not written to, what would be narrowed is not read, dimensions are as many as there are.
static_assert(!makes<output<double>, read_only> && !makes<output_matrix<double>, read_only_table> &&
              !makes<row_major<double>, read_only_table>);
static_assert(!makes<column<float>, numbers> && !makes<output<float>, numbers> && !makes<output<double>, bare> &&
              !makes<matrix<float>, table> && !makes<row_major<float const>, table> &&
              !makes<output_matrix<double>, strided<float, 2>>);
static_assert(!makes<column<std::int64_t>, numbers> && !makes<column<double>, strided<char*, 1>>);
static_assert(!makes<column<double>, table> && !makes<matrix<double>, numbers> && !makes<row_major<double>, numbers> &&
              !makes<column<double>, strided<double, 0>> && !makes<matrix<double>, strided<double, 3>>);
static_assert(!makes<column<double>, scaled> && !makes<output<double>, scaled&>);
static_assert(!makes<column<double>, tiled> && !makes<column<double>, counted>);
// What may own its elements is viewed where it stays.
static_assert(!makes<column<double>, owner> && !makes<output<double>, owner> && makes<column<double>, owner&> &&
              makes<output<double>, owner const&>);

// Half types are numbers with a fraction: no offsets, no labels.
static_assert(makes<column<float>, strided<bfloat16, 1>> && !makes<column<std::int64_t>, strided<bfloat16, 1>> &&
              !makes<column<std::int64_t>, std::vector<float16>&>);

template <class M>
std::vector<double> values_of(M const& view) {
  std::vector<double> values;
  for (std::size_t i = 0; i < view.size(); ++i) values.push_back(static_cast<double>(view[i]));
  return values;
}

}  // namespace

TEST_CASE("columns and outputs of strided views of one dimension") {
  std::vector<double> memory{0, 1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(values_of(column<double>{numbers{memory.data() + 1, {3}, {2}}}) == std::vector<double>{1, 3, 5});
  CHECK(values_of(column<double>{strided<double, 1, int>{memory.data() + 5, {3}, {-2}}}) ==
        std::vector<double>{5, 3, 1});
  CHECK(values_of(column<double>{strided<double, 1, std::uint8_t>{memory.data(), {3}, {4}}}) ==
        std::vector<double>{0, 4, 8});
  CHECK(column<double>{numbers{memory.data(), {9}, {1}}}.in_place() == memory.data());
  CHECK(column<double>{numbers{nullptr, {0}, {1}}}.empty());
  CHECK(values_of(column<double>{reversed{memory.data(), 3}}) == std::vector<double>{2, 1, 0});
  CHECK(column<double>{reversed{memory.data(), 0}}.empty());
  std::vector<float> const few{1, 2};
  CHECK(values_of(column<float>{bare{few.data(), 2}}) == std::vector<double>{1, 2});

  std::vector<double> const results{-1, -2, -3};
  output<double>{strided<double, 1, std::int16_t>{memory.data() + 8, {3}, {-4}}}.commit(0, 3, results.data());
  CHECK(memory == std::vector<double>{-3, 1, 2, 3, -2, 5, 6, 7, -1});
  output<double>{reversed{memory.data(), 3}}.commit(0, 3, results.data());
  CHECK(memory == std::vector<double>{-3, -2, -1, 3, -2, 5, 6, 7, -1});
  CHECK(output<double>{numbers{memory.data(), {9}, {1}}}.in_place() == memory.data());
}

TEST_CASE("matrices and rows of strided views of two dimensions") {
  std::vector<double> memory(24);
  std::iota(memory.begin(), memory.end(), 0.0);
  table const right{memory.data(), {4, 3}, {6, 1}}, left{memory.data(), {3, 4}, {1, 6}};
  matrix<double> const rows = right, columns = left;
  CHECK(rows.rows() == 4);
  CHECK(rows.columns() == 3);
  CHECK(values_of(rows[2]) == std::vector<double>{12, 13, 14});
  CHECK(values_of(columns[2]) == std::vector<double>{2, 8, 14, 20});

  output_matrix<double> const target = left;
  std::vector<double> const results{-1, -2, -3, -4};
  target[1].commit(0, 4, results.data());
  CHECK(memory[1] == -1);
  CHECK(memory[19] == -4);
  CHECK(memory[2] == 2);

  row_major const deduced = right;
  static_assert(std::is_same_v<decltype(deduced), row_major<double> const>);
  CHECK(deduced.stride() == 6);
  CHECK(deduced[3] == memory.data() + 18);
  CHECK(row_major<double const>{read_only_table{memory.data(), {4, 3}, {6, 1}}}.rows() == 4);
  std::vector<float> small{0, 1, 2, 3, 4, 5};
  CHECK(values_of(matrix<float>{turned{small.data()}}[0]) == std::vector<double>{5, 4, 3});
  CHECK(values_of(matrix<float>{turned{small.data()}}[1]) == std::vector<double>{2, 1, 0});
}

TEST_CASE("logits as a view of two dimensions: by rows as they lie, by columns refused") {
  constexpr std::size_t tokens = 5, vocabulary = 7;
  std::vector<float> memory(2 * tokens * vocabulary), expected(tokens), got(tokens);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i % 11);
  std::vector<int> labels{0, 6, 3, 3, 1};
  token_logprobs(row_major<float const>{memory.data(), tokens, vocabulary, 2 * vocabulary}, labels,
                 {.log_prob = expected});
  row_major const logits = strided<float const, 2>{memory.data(), {tokens, vocabulary}, {2 * vocabulary, 1}};
  token_logprobs(logits, strided<int, 1>{labels.data(), {tokens}, {1}},
                 {.log_prob = strided<float, 1>{got.data(), {tokens}, {1}}});
  CHECK(got == expected);
  row_major const wrong = strided<float const, 2>{memory.data(), {tokens, vocabulary}, {1, tokens}};
  CHECK(refusal([&] { token_logprobs(wrong, labels, {.log_prob = got}); }) ==
        "prefopt::token_logprobs: logits has a column stride of 5, expected rows that are contiguous (row-major)");
}

TEST_CASE("a batch of views gives the bits of a batch of vectors") {
  std::vector<double> both(200), chosen, rejected;
  for (std::size_t i = 0; i < both.size(); ++i) both[i] = -static_cast<double>(i * i % 37) / 3;
  for (std::size_t i = 0; i < both.size(); i += 2) {
    chosen.push_back(both[i]);
    rejected.push_back(both[i + 1]);
  }
  std::size_t const n = chosen.size();
  std::vector<double> expected(n), got(3 * n, 42.0);
  evaluate(cpo{}, pair_batch<double>{.chosen = chosen, .rejected = rejected}, {.d_chosen = expected});
  evaluate(
      cpo{},
      pair_batch<double>{.chosen = read_only{both.data(), {n}, {2}}, .rejected = read_only{both.data() + 1, {n}, {2}}},
      {.d_chosen = numbers{got.data(), {n}, {3}}});
  for (std::size_t i = 0; i < n; ++i) {
    REQUIRE(got[3 * i] == expected[i]);
    REQUIRE(got[3 * i + 1] == 42.0);
  }
  dense_tokens<double> const dense{.log_prob = table{both.data(), {20, 10}, {10, 1}}};
  CHECK(dense.sequences() == 20);
  CHECK(dense.values(1)[3] == both[13]);
}
