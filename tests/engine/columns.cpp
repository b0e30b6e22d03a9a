// What a column or an output can be made from, and that it means the same numbers.
#include <Eigen/Core>
#include <array>
#include <cmath>
#include <list>
#include <span>
#include "pairs.hpp"

using namespace prefopt;

namespace {

/// The upper half of a float, as bfloat16 types of other libraries are.
struct upper_half {
  std::uint16_t bits = 0;
  upper_half() = default;
  explicit upper_half(float value) {
    std::uint32_t whole;
    std::memcpy(&whole, &value, 4);
    bits = static_cast<std::uint16_t>(whole >> 16);
  }
  explicit operator float() const {
    std::uint32_t const whole = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &whole, 4);
    return value;
  }
};

template <class To, class From>
constexpr bool makes = std::is_constructible_v<To, From>;

using vector = std::vector<double>;
using array = std::array<double, 3>;
using eigen_vector = Eigen::VectorXd;
using eigen_matrix = Eigen::MatrixXd;

// Lvalues, constant or not, and views.
static_assert(makes<column<double>, vector&> && makes<column<double>, vector const&> && makes<column<double>, array&>);
static_assert(makes<column<double>, std::span<double>> && makes<column<double>, std::span<double const, 3>>);
static_assert(makes<column<double>, double (&)[3]> && makes<column<double>, eigen_vector&>);
static_assert(makes<column<double>, eigen_vector const&> && makes<column<double>, Eigen::Vector3d&>);
static_assert(makes<column<double>, Eigen::Map<eigen_vector>> && makes<column<double>, Eigen::Map<eigen_vector const>>);
static_assert(makes<column<double>, Eigen::Map<eigen_vector, 0, Eigen::InnerStride<>>>);
static_assert(makes<column<double>, Eigen::Ref<eigen_vector>> &&
              makes<column<double>, Eigen::Ref<eigen_vector const>&>);
static_assert(makes<column<double>, decltype(std::declval<eigen_matrix&>().col(0))>);
static_assert(makes<column<double>, decltype(std::declval<eigen_matrix const&>().row(0))>);
static_assert(makes<column<double>, decltype(std::declval<eigen_matrix&>().diagonal())>);
static_assert(makes<column<double>, decltype(std::declval<eigen_vector&>().array())>);
static_assert(makes<column<double>, Eigen::ArrayXf&> && makes<column<float>, Eigen::VectorXi&>);
static_assert(makes<output<double>, vector&> && makes<output<double>, std::span<double>> &&
              makes<output<double>, eigen_vector&>);
static_assert(makes<output<double>, decltype(std::declval<eigen_matrix&>().row(0))>);
static_assert(makes<output<double>, Eigen::Ref<eigen_vector>>);

// Temporaries that own their elements would dangle, expressions have none.
static_assert(!makes<column<double>, vector> && !makes<column<double>, vector const> && !makes<column<double>, array>);
static_assert(!makes<column<double>, eigen_vector> && !makes<column<double>, eigen_vector const>);
static_assert(!makes<column<double>, Eigen::Vector3d> && !makes<column<double>, Eigen::ArrayXd>);
static_assert(!makes<column<double>, decltype((std::declval<eigen_vector&>() + std::declval<eigen_vector&>()).eval())>);
static_assert(!makes<column<double>, decltype(std::declval<eigen_vector&>() + std::declval<eigen_vector&>())>);
static_assert(!makes<column<double>, Eigen::Ref<eigen_vector const>>);
static_assert(!makes<output<double>, vector> && !makes<output<double>, eigen_vector> && !makes<output<double>, array>);

// What is not one-dimensional or not contiguous, and what would be narrowed.
static_assert(!makes<column<double>, eigen_matrix&> && !makes<column<double>, std::list<double>&>);
static_assert(!makes<column<double>, std::vector<bool>&>);
static_assert(!makes<column<float>, vector&> && !makes<column<float>, eigen_vector&>);
static_assert(!makes<column<double>, std::vector<std::string>&> &&
              !makes<column<double>, std::vector<std::complex<float>>&>);
static_assert(!makes<column<double>, double> && !makes<column<double>, int>);
static_assert(!makes<output<double>, vector const&> && !makes<output<double>, std::span<double const>>);
static_assert(!makes<output<double>, eigen_vector const&> && !makes<output<double>, Eigen::Map<eigen_vector const>>);
static_assert(!makes<output<double>, std::vector<float>&> && !makes<output<float>, std::vector<double>&>);
static_assert(!makes<output<double>, std::vector<int>&>);

constexpr std::size_t pair_count = 700;

template <class U>
std::vector<U> converted(std::vector<double> const& values) {
  std::vector<U> result;
  for (double const x : values) result.push_back(static_cast<U>(x));
  return result;
}

/// Bits of loss and both gradients of simpo.
template <class T>
std::vector<std::vector<T>> simpo_of(pair_batch<T> const& batch) {
  results<T> got{batch.chosen.size(), false};
  evaluate(simpo{}, batch, got.outputs());
  return {got.loss, got.d_chosen, got.d_rejected, got.chosen_reward, got.rejected_reward};
}

}  // namespace

TEMPLATE_TEST_CASE("strided, reversed and repeated columns give the bits of contiguous ones", "", float, double) {
  using T = TestType;
  pairs<T> const data{pair_count};
  auto const loss = any_pair_loss{lcpo<bradley_terry>{}};
  results<T> expected{pair_count, true};
  auto const seen = evaluate(loss, data.batch(loss), expected.outputs());

  // Every column interleaved into one array of structures; one of them backwards.
  std::vector<T> rows(5 * pair_count), backwards(data.rejected.rbegin(), data.rejected.rend());
  for (std::size_t i = 0; i < pair_count; ++i) {
    rows[5 * i] = data.chosen[i];
    rows[5 * i + 1] = data.weight[i];
    rows[5 * i + 2] = data.margin[i];
    rows[5 * i + 3] = data.reliability[i];
    rows[5 * i + 4] = T(99);
  }
  auto const field = [&](std::size_t k) { return column<T>{rows.data() + k, pair_count, 5}; };
  pair_batch<T> const strided{.chosen = field(0),
                              .rejected = {backwards.data() + pair_count - 1, pair_count, -1},
                              .weight = field(1),
                              .margin = field(2),
                              .reliability = field(3)};
  results<T> got{pair_count, true};
  CHECK(same_bits(evaluate(loss, strided, got.outputs()), seen));
  CHECK(got.same_bits(expected));

  // Strided and reversed outputs, assigned and accumulated; what lies between is not touched.
  std::vector<T> wide(3 * pair_count, T(7));
  evaluate(
      loss, strided,
      {.loss = {wide.data(), pair_count, 3}, .d_chosen = {wide.data() + 1 + 3 * (pair_count - 1), pair_count, -3}});
  for (std::size_t i = 0; i < pair_count; ++i) {
    REQUIRE(wide[3 * i] == expected.loss[i]);
    REQUIRE(wide[3 * (pair_count - 1 - i) + 1] == expected.d_chosen[i]);
    REQUIRE(wide[3 * i + 2] == T(7));
  }
  options const adds{.gradient = gradient_write::accumulate};
  for (auto const gradient : {&pair_outputs<T>::d_chosen, &pair_outputs<T>::d_rejected}) {
    std::vector<T> plain(pair_count, T(0.5)), spread(2 * pair_count, T(0.5));
    pair_outputs<T> together, apart;
    together.*gradient = plain;
    apart.*gradient = {spread.data(), pair_count, 2};
    evaluate(loss, strided, together, adds);
    evaluate(loss, strided, apart, adds);
    for (std::size_t i = 0; i < pair_count; ++i) {
      REQUIRE(plain[i] == spread[2 * i]);
      REQUIRE(spread[2 * i + 1] == T(0.5));
    }
  }

  // Stride 0 repeats one value.
  T const eta = T(0.75);
  std::vector<T> const etas(pair_count, eta);
  auto repeated = strided, filled = strided;
  repeated.reliability = {&eta, pair_count, 0};
  filled.reliability = etas;
  results<T> one{pair_count, true}, many{pair_count, true};
  CHECK(same_bits(evaluate(loss, repeated, one.outputs()), evaluate(loss, filled, many.outputs())));
  CHECK(one.same_bits(many));
}

TEMPLATE_TEST_CASE("lengths of any integer type give the bits of lengths in T", "", float, double) {
  using T = TestType;
  pairs<T> const data{pair_count};
  pair_batch<T> const plain{.chosen = data.chosen,
                            .rejected = data.rejected,
                            .chosen_length = data.chosen_length,
                            .rejected_length = data.rejected_length};
  auto const expected = simpo_of(plain);
  auto const with = [&]<class U>(U) {
    std::vector<U> better, worse;
    for (std::size_t i = 0; i < pair_count; ++i) {
      better.push_back(static_cast<U>(data.chosen_length[i]));
      worse.push_back(static_cast<U>(data.rejected_length[i]));
    }
    auto batch = plain;
    batch.chosen_length = better;
    batch.rejected_length = worse;
    return simpo_of(batch) == expected;
  };
  CHECK(with(int{}));
  CHECK(with(std::int64_t{}));
  CHECK(with(std::uint64_t{}));
  CHECK(with(std::int16_t{}));
  CHECK(with(std::uint8_t{}));
  CHECK(with(std::size_t{}));
}

TEST_CASE("labels as bool, uint8 and half types") {
  pairs<double> const data{pair_count};
  std::array<bool, pair_count> flags;
  std::vector<std::uint8_t> bytes;
  std::vector<upper_half> halves;
  std::vector<Eigen::bfloat16> eigen_halves;
  std::vector<Eigen::half> other_halves;
  std::vector<double> labels;
  for (std::size_t i = 0; i < pair_count; ++i) {
    flags[i] = i % 3 != 0;
    bytes.push_back(flags[i]);
    labels.push_back(flags[i] ? 1 : 0);
    halves.emplace_back(static_cast<float>(labels[i]));
    eigen_halves.emplace_back(static_cast<float>(labels[i]));
    other_halves.emplace_back(static_cast<float>(labels[i]));
  }
  auto const labelled_of = [&](column<double> const& label) {
    results<double> got{pair_count, false};
    evaluate(labelled<cpo>{}, pair_batch<double>{.chosen = data.chosen, .rejected = data.rejected, .label = label},
             got.outputs());
    return got;
  };
  auto const expected = labelled_of(labels);
  CHECK(labelled_of(flags).same_bits(expected));
  CHECK(labelled_of(bytes).same_bits(expected));
  CHECK(labelled_of(halves).same_bits(expected));
  CHECK(labelled_of(eigen_halves).same_bits(expected));
  CHECK(labelled_of(other_halves).same_bits(expected));
}

TEST_CASE("log-probs in half or float compute as their values in the batch's type") {
  pairs<double> const data{pair_count};
  auto const halves = converted<float>(data.chosen);
  std::vector<upper_half> low;
  std::vector<float> low_values;
  for (float const x : halves) {
    low.emplace_back(x);
    low_values.push_back(static_cast<float>(low.back()));
  }
  std::vector<float> const other = converted<float>(data.rejected);
  auto const evaluated = [&](auto tag, auto const& a, auto const& b) {
    using T = decltype(tag);
    results<T> got{pair_count, false};
    evaluate(cpo{}, pair_batch<T>{.chosen = a, .rejected = b}, got.outputs());
    return got;
  };
  CHECK(evaluated(0.0F, low, other).same_bits(evaluated(0.0F, low_values, other)));
  CHECK(evaluated(0.0, low, other)
            .same_bits(evaluated(0.0, std::vector<double>(low_values.begin(), low_values.end()),
                                 std::vector<double>(other.begin(), other.end()))));
  CHECK(evaluated(0.0, halves, other)
            .same_bits(evaluated(0.0, std::vector<double>(halves.begin(), halves.end()),
                                 std::vector<double>(other.begin(), other.end()))));
}

TEST_CASE("Eigen's vectors, maps, refs and blocks, as inputs and as outputs") {
  pairs<double> const data{pair_count};
  auto const size = static_cast<Eigen::Index>(pair_count);
  results<double> expected{pair_count, false};
  auto const seen = evaluate(cpo{}, data.batch(cpo{}), expected.outputs());

  Eigen::MatrixXd columns_(size, 4);
  Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> lines(size, 3);
  for (Eigen::Index i = 0; i < size; ++i) {
    auto const k = static_cast<std::size_t>(i);
    columns_(i, 1) = data.chosen[k];
    lines(i, 2) = data.rejected[k];
    columns_(i, 3) = data.weight[k];
  }
  Eigen::VectorXd const weight = columns_.col(3);
  Eigen::VectorXd d_chosen(size), d_rejected(size);
  Eigen::MatrixXd out(2, size);
  CHECK(same_bits(
      evaluate(cpo{}, pair_batch<double>{.chosen = columns_.col(1), .rejected = lines.col(2), .weight = weight},
               {.loss = out.row(1), .d_chosen = d_chosen, .d_rejected = Eigen::Ref<Eigen::VectorXd>{d_rejected}}),
      seen));
  Eigen::Map<Eigen::VectorXd const> const d{expected.d_chosen.data(), size}, other{expected.d_rejected.data(), size},
      loss{expected.loss.data(), size};
  CHECK(d_chosen == d);
  CHECK(d_rejected == other);
  CHECK(out.row(1).transpose() == loss);

  Eigen::Map<Eigen::VectorXd, 0, Eigen::InnerStride<>> const strided{lines.data() + 2, size, Eigen::InnerStride<>{3}};
  Eigen::Ref<Eigen::VectorXd const> const reference{columns_.col(1)};
  Eigen::VectorXd again(size);
  evaluate(cpo{},
           pair_batch<double>{.chosen = reference, .rejected = strided, .weight = columns_.rightCols(1).col(0).array()},
           {.d_chosen = again.head(size)});
  CHECK(again == d);
  // A row of a column-major matrix and a diagonal have inner strides.
  Eigen::MatrixXd square = Eigen::MatrixXd::Zero(8, 8);
  for (Eigen::Index i = 0; i < 8; ++i) {
    square(3, i) = data.chosen[static_cast<std::size_t>(i)];
  }
  for (Eigen::Index i = 0; i < 8; ++i) {
    if (i != 3) square(i, i) = data.rejected[static_cast<std::size_t>(i)];
  }
  Eigen::VectorXd d_row(8), d_plain(8);
  Eigen::VectorXd const row = square.row(3), diagonal = square.diagonal();
  evaluate(cpo{}, pair_batch<double>{.chosen = square.row(3), .rejected = square.diagonal()}, {.d_chosen = d_row});
  evaluate(cpo{}, pair_batch<double>{.chosen = row, .rejected = diagonal}, {.d_chosen = d_plain});
  CHECK(d_row == d_plain);
}

TEST_CASE("a column tells its size and its elements") {
  std::vector<int> const values{3, -1, 4, 1, 5};
  column<double> const plain = values, reversed{values.data() + 4, 5, -1};
  CHECK(plain.size() == 5);
  CHECK(plain[2] == 4.0);
  CHECK(reversed[0] == 5.0);
  CHECK(reversed[4] == 3.0);
  CHECK(column<double>{}.empty());
  CHECK(column<double>{std::vector<double>{}.data(), 0}.empty());
}
