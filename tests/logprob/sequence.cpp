// Token log-probs to sequence log-probs and back: dense and packed, against loops written out.
#include <Eigen/Core>
#include <array>
#include <catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <prefopt/adapter/eigen.hpp>
#include <prefopt/prefopt.hpp>
#include <random>
#include <refusal.hpp>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace prefopt;

namespace {

constexpr std::size_t sequences = 13, width = 300;

template <class T>
constexpr T nan_value = std::numeric_limits<T>::quiet_NaN();

/// Row-major [sequences, width]: log-probs, and a mask with a prompt before and padding behind. The masked places hold
/// what must never be read.
template <class T>
struct ragged {
  std::vector<T> log_prob, mask;
  std::vector<std::size_t> prompt, length;

  ragged() : log_prob(sequences * width, nan_value<T>), mask(sequences * width, T(0)) {
    std::mt19937 engine{3};
    for (std::size_t s = 0; s < sequences; ++s) {
      // Empty, one token, the whole row, and what lies between.
      std::size_t const tokens = s == 0 ? 0 : s == 1 ? 1 : s == 2 ? width : engine() % width;
      std::size_t const before = s == 2 ? 0 : engine() % (width - tokens + 1);
      prompt.push_back(before);
      length.push_back(tokens);
      for (std::size_t i = before; i < before + tokens; ++i) {
        // A token can be certain: its log-prob of 0 counts as one.
        log_prob[s * width + i] = i % 9 == 0 ? T(0) : static_cast<T>(-static_cast<double>(engine()) / 1e9);
        mask[s * width + i] = T(1);
      }
      if (before > 0) log_prob[s * width] = -std::numeric_limits<T>::infinity();
    }
  }

  [[nodiscard]] dense_tokens<T> dense() const {
    return {.log_prob = {log_prob.data(), sequences, width}, .mask = {mask.data(), sequences, width}};
  }

  [[nodiscard]] long double sum(std::size_t s) const {
    long double total = 0;
    for (std::size_t i = 0; i < length[s]; ++i) total += static_cast<long double>(log_prob[s * width + prompt[s] + i]);
    return total;
  }
};

template <class T>
struct sums {
  std::vector<T> log_prob = std::vector<T>(sequences, T(77)), length = log_prob;
  bool operator==(sums const&) const = default;
};

template <class Tokens>
sums<typename Tokens::value_type> sums_of(Tokens const& tokens) {
  sums<typename Tokens::value_type> got;
  sequence_log_probs(tokens, {.log_prob = got.log_prob, .length = got.length});
  return got;
}

template <class T>
using as_rows = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

TEMPLATE_TEST_CASE("dense sums and lengths; what is masked is never read", "", float, double) {
  using T = TestType;
  ragged<T> const data;
  auto const got = sums_of(data.dense());
  for (std::size_t s = 0; s < sequences; ++s) {
    CAPTURE(s, data.length[s]);
    CHECK(got.length[s] == static_cast<T>(data.length[s]));
    // Rounded once from a sum in double, whose own error only double can show.
    long double const total = data.sum(s), error = std::fabs(static_cast<long double>(got.log_prob[s]) - total);
    CHECK(error <= std::numeric_limits<T>::epsilon() * (sizeof(T) == 4 ? 0.5L : 8.0L) * std::fabs(total));
  }
  CHECK(got.log_prob[0] == 0);
  // Either output alone, and strided ones.
  std::vector<T> alone(sequences), wide(2 * sequences, T(5));
  sequence_log_probs(data.dense(), {.log_prob = alone});
  CHECK(alone == got.log_prob);
  sequence_log_probs(data.dense(), {.length = alone});
  CHECK(alone == got.length);
  sequence_log_probs(data.dense(), {.log_prob = {wide.data() + 1, sequences, 2}});
  for (std::size_t s = 0; s < sequences; ++s) {
    CHECK(wide[2 * s + 1] == got.log_prob[s]);
    CHECK(wide[2 * s] == 5);
  }
  sequence_log_probs(data.dense(), {});
}

TEST_CASE("spans are Eigen arrays, to write or to read only") {
  std::vector<float> values{1, 2, 3};
  as_array(std::span{values})(2) = 4;
  CHECK(values == std::vector<float>{1, 2, 4});
  auto const read = as_array(std::span<float const>{values});
  CHECK(read(2) == 4);
  CHECK(read.data() == values.data());
  static_assert(!std::is_assignable_v<decltype(read(0)), float>);
}

TEMPLATE_TEST_CASE("any storage order, stride and mask type gives the same bits", "", float, double) {
  using T = TestType;
  ragged<T> const data;
  auto const expected = sums_of(data.dense());

  as_rows<T> rows = Eigen::Map<as_rows<T> const>(data.log_prob.data(), sequences, width);
  as_rows<T> marks = Eigen::Map<as_rows<T> const>(data.mask.data(), sequences, width);
  Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic> const columns_ = rows, column_marks = marks;
  Eigen::Array<bool, Eigen::Dynamic, Eigen::Dynamic> const flags = marks != T(0);
  Eigen::Array<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> const bytes =
      flags.template cast<std::uint8_t>();
  Eigen::Array<int, Eigen::Dynamic, Eigen::Dynamic> const integers = flags.template cast<int>() * 3;
  CHECK(sums_of(tokens_of(rows, marks)) == expected);
  CHECK(sums_of(tokens_of(columns_, column_marks)) == expected);
  CHECK(sums_of(tokens_of(columns_, marks)) == expected);
  CHECK(sums_of(tokens_of(rows, flags)) == expected);
  CHECK(sums_of(tokens_of(columns_, bytes)) == expected);
  CHECK(sums_of(tokens_of(columns_, integers)) == expected);

  // A block of a larger matrix, a transposed one, backwards rows.
  Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic> large =
      Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic>::Constant(sequences + 3, width + 5, nan_value<T>);
  large.block(2, 4, sequences, width) = rows;
  CHECK(sums_of(tokens_of(large.block(2, 4, sequences, width), flags)) == expected);
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> const across = rows.matrix().transpose();
  CHECK(sums_of(tokens_of(across.transpose(), flags)) == expected);
  dense_tokens<T> const upside_down{
      .log_prob = {data.log_prob.data() + (sequences - 1) * width, sequences, width,
                   -static_cast<std::ptrdiff_t>(width)},
      .mask = {data.mask.data() + (sequences - 1) * width, sequences, width, -static_cast<std::ptrdiff_t>(width)}};
  auto reversed = sums_of(upside_down);
  std::reverse(reversed.log_prob.begin(), reversed.log_prob.end());
  CHECK(reversed.log_prob == expected.log_prob);
}

TEST_CASE("Eigen's 16-bit numbers and integers are summed in float") {
  ragged<float> const data;
  Eigen::Array<Eigen::half, Eigen::Dynamic, Eigen::Dynamic> const halves =
      Eigen::Map<as_rows<float> const>(data.log_prob.data(), sequences, width).cast<Eigen::half>();
  as_rows<float> const widened = halves.cast<float>();
  as_rows<float> const marks = Eigen::Map<as_rows<float> const>(data.mask.data(), sequences, width);
  static_assert(std::is_same_v<decltype(tokens_of(halves, marks)), dense_tokens<float>>);
  static_assert(std::is_same_v<decltype(tokens_of(halves)), dense_tokens<float>>);
  CHECK(sums_of(tokens_of(halves, marks)) == sums_of(tokens_of(widened, marks)));
  Eigen::ArrayXXi const integers = Eigen::ArrayXXi::Constant(sequences, 3, -2);
  CHECK(sums_of(tokens_of(integers)).log_prob == std::vector<float>(sequences, -6));
}

TEMPLATE_TEST_CASE("packed sequences with offsets of any integer type are the dense ones", "", float, double) {
  using T = TestType;
  ragged<T> const data;
  auto const expected = sums_of(data.dense());
  std::vector<T> flat;
  std::vector<std::int64_t> offsets{0};
  for (std::size_t s = 0; s < sequences; ++s) {
    auto const* row = data.log_prob.data() + s * width + data.prompt[s];
    flat.insert(flat.end(), row, row + data.length[s]);
    offsets.push_back(static_cast<std::int64_t>(flat.size()));
  }
  auto const with = [&](auto tag) {
    std::vector<decltype(tag)> const other(offsets.begin(), offsets.end());
    return sums_of(packed_tokens<T>{.log_prob = flat, .offsets = other});
  };
  // The order in which a sequence is added up depends on its own tokens alone.
  CHECK(with(std::int32_t{}) == expected);
  CHECK(with(std::int64_t{}) == expected);
  CHECK(with(std::size_t{}) == expected);
  CHECK(with(std::uint16_t{}) == expected);
  // Gaps before the first and behind the last sequence are allowed, and a mask drops tokens.
  std::vector<T> const three{T(-1), T(-2), T(-4)}, mask{T(1), T(0), T(1)};
  std::vector<int> const inner{1, 2};
  std::vector<T> sum(1), length(1);
  sequence_log_probs(packed_tokens<T>{.log_prob = three, .offsets = inner}, {.log_prob = sum, .length = length});
  CHECK(sum[0] == -2);
  CHECK(length[0] == 1);
  std::vector<int> const all{0, 3};
  sequence_log_probs(packed_tokens<T>{.log_prob = three, .offsets = all, .mask = mask},
                     {.log_prob = sum, .length = length});
  CHECK(sum[0] == -5);
  CHECK(length[0] == 2);
}

TEMPLATE_TEST_CASE("the width of the padding, on either side, does not show in the result", "", float, double) {
  using T = TestType;
  std::mt19937 engine{11};
  std::size_t differing_right = 0, differing_left = 0;
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<T> tokens;
    for (std::size_t i = 0; i < 40 + static_cast<std::size_t>(trial) * 13; ++i) {
      tokens.push_back(static_cast<T>(-static_cast<double>(engine()) / 1e8));
    }
    auto const padded = [&](std::size_t left, std::size_t right) {
      std::vector<T> row(left, nan_value<T>), mask(left, T(0));
      row.insert(row.end(), tokens.begin(), tokens.end());
      mask.resize(row.size(), T(1));
      row.resize(row.size() + right, -std::numeric_limits<T>::infinity());
      mask.resize(row.size(), T(0));
      T sum = 0;
      sequence_log_probs(dense_tokens<T>{.log_prob = {row.data(), 1, row.size()}, .mask = {mask.data(), 1, row.size()}},
                         {.log_prob = {&sum, 1}});
      return sum;
    };
    T const plain = padded(0, 0);
    for (std::size_t const pad : {std::size_t{1}, std::size_t{7}, std::size_t{256}, std::size_t{301}}) {
      differing_right += padded(0, pad) == plain ? 0 : 1;
      differing_left += padded(pad, 3) == plain ? 0 : 1;
    }
  }
  CHECK(differing_right == 0);
  CHECK(differing_left == 0);
}

TEST_CASE("100,000 tokens in float add up to the nearest float") {
  constexpr std::size_t n = 100000;
  std::mt19937 engine{5};
  std::vector<float> tokens(n);
  long double total = 0;
  for (auto& x : tokens) {
    x = -static_cast<float>(engine()) * 1e-9F;
    total += static_cast<long double>(x);
  }
  std::vector<int> const offsets{0, static_cast<int>(n)};
  std::vector<float> sum(1), length(1);
  sequence_log_probs(packed_tokens<float>{.log_prob = tokens, .offsets = offsets}, {.log_prob = sum, .length = length});
  CHECK(sum[0] == static_cast<float>(total));
  CHECK(length[0] == static_cast<float>(n));
  std::vector<double> wide(tokens.begin(), tokens.end()), wide_sum(1);
  sequence_log_probs(packed_tokens<double>{.log_prob = wide, .offsets = offsets}, {.log_prob = wide_sum});
  CHECK(std::fabs(static_cast<long double>(wide_sum[0]) - total) < 1e-12L * std::fabs(total));
}

TEMPLATE_TEST_CASE("a token that counts passes NaN and -inf on, to its own sequence", "", float, double) {
  using T = TestType;
  std::vector<T> const tokens{-1, nan_value<T>, -1, -std::numeric_limits<T>::infinity(), -2, -3};
  std::vector<int> const offsets{0, 2, 4, 6};
  std::vector<T> sum(3);
  sequence_log_probs(packed_tokens<T>{.log_prob = tokens, .offsets = offsets}, {.log_prob = sum});
  CHECK(std::isnan(sum[0]));
  CHECK(sum[1] == -std::numeric_limits<T>::infinity());
  CHECK(sum[2] == -5);
}

TEMPLATE_TEST_CASE("each token gets its sequence's gradient, masked ones 0; accumulate adds", "", float, double) {
  using T = TestType;
  ragged<T> const data;
  std::vector<T> d(sequences), out(sequences * width, T(9));
  for (std::size_t s = 0; s < sequences; ++s) d[s] = static_cast<T>(s) + T(0.5);
  output_matrix<T> const target{out.data(), sequences, width};
  std::size_t wrong = 0;
  auto const each = [&](auto const& expected) {
    wrong = 0;
    for (std::size_t s = 0; s < sequences; ++s) {
      for (std::size_t i = 0; i < width; ++i) {
        bool const counts = i >= data.prompt[s] && i < data.prompt[s] + data.length[s];
        wrong += out[s * width + i] == expected(s, counts) ? 0 : 1;
      }
    }
    return wrong;
  };
  token_gradients(data.dense(), d, target);
  CHECK(each([&](std::size_t s, bool counts) { return counts ? d[s] : T(0); }) == 0);
  std::fill(out.begin(), out.end(), T(9));
  token_gradients(data.dense(), d, target, gradient_write::accumulate);
  CHECK(each([&](std::size_t s, bool counts) { return counts ? T(9) + d[s] : T(9); }) == 0);

  // Column-major and packed targets.
  Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic> column_major =
      Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic>::Constant(sequences, width, T(9));
  token_gradients(data.dense(), d, column_major);
  token_gradients(data.dense(), d, target);
  CHECK((column_major == Eigen::Map<as_rows<T>>(out.data(), sequences, width)).all());
  token_gradients(data.dense(), d, column_major, gradient_write::accumulate);
  CHECK((column_major == 2 * Eigen::Map<as_rows<T>>(out.data(), sequences, width)).all());

  std::vector<T> const flat(10, T(-1)), mask{1, 1, 1, 0, 1, 1, 1, 1, 1, 1}, two{T(2), T(3)};
  std::vector<int> const offsets{1, 5, 8};
  std::vector<T> got(10, T(7));
  token_gradients(packed_tokens<T>{.log_prob = flat, .offsets = offsets, .mask = mask}, two, got);
  // Tokens of no sequence are left alone.
  CHECK(got == std::vector<T>{7, 2, 2, 0, 2, 3, 3, 3, 7, 7});
}

TEST_CASE("results do not depend on the executor") {
  constexpr std::size_t many = 1000, long_ = 77;
  std::vector<float> tokens(many * long_), serial(many), pooled(many), d(many, 1.5F), out(tokens.size()),
      other(tokens.size());
  std::mt19937 engine{5};
  for (auto& x : tokens) x = -static_cast<float>(engine()) * 1e-9F;
  dense_tokens<float> const dense{.log_prob = {tokens.data(), many, long_}};
  std::size_t parts_run = 0;
  auto const backwards = [&](std::size_t parts, executor::task const& work) {
    parts_run = parts;
    while (parts-- > 0) work(parts);
  };
  sequence_log_probs(dense, {.log_prob = serial});
  sequence_log_probs(dense, {.log_prob = pooled}, backwards);
  CHECK(serial == pooled);
  CHECK(parts_run > 1);
  token_gradients(dense, d, {out.data(), many, long_});
  token_gradients(dense, d, {other.data(), many, long_}, gradient_write::assign, backwards);
  CHECK(out == other);
}

TEST_CASE("no sequences and no tokens are nothing to do") {
  std::vector<int> const only_one{0};
  std::vector<double> const none;
  CHECK_NOTHROW(sequence_log_probs(packed_tokens<double>{.log_prob = none, .offsets = only_one}, {}));
  CHECK_NOTHROW(sequence_log_probs(dense_tokens<double>{}, {}));
  double value = 3, number = 3;
  std::vector<int> const empty{0, 0};
  sequence_log_probs(packed_tokens<double>{.offsets = empty}, {.log_prob = {&value, 1}, .length = {&number, 1}});
  CHECK(value == 0);
  CHECK(number == 0);
  // Rows without a column.
  sequence_log_probs(dense_tokens<double>{.log_prob = {&value, 1, 0}}, {.log_prob = {&number, 1}});
  CHECK(number == 0);
}

TEST_CASE("shapes and offsets that do not fit are refused before anything is written") {
  std::vector<double> const tokens(6, -1.0), mask(6, 1.0), five(5, 1.0);
  std::vector<double> out(2, 5.0), three(3, 5.0), d_tokens(6, 5.0), d(2, 1.0);
  dense_tokens<double> const dense{.log_prob = {tokens.data(), 2, 3}};
  auto const refused = [&](auto const& view) { return refusal([&] { sequence_log_probs(view, {.log_prob = out}); }); };

  // One of the two numbers alone, and both.
  for (auto const& [rows, columns] : {std::pair{1U, 3U}, std::pair{2U, 2U}, std::pair{3U, 2U}}) {
    std::string const shape = std::to_string(rows) + " x " + std::to_string(columns) + ", log_prob is 2 x 3";
    CHECK(refused(dense_tokens<double>{.log_prob = {tokens.data(), 2, 3}, .mask = {mask.data(), rows, columns}}) ==
          "prefopt::sequence_log_probs: mask is " + shape);
    CHECK(refused(dense_tokens<double>{.log_prob = {tokens.data(), 2, 3}, .weight = {mask.data(), rows, columns}}) ==
          "prefopt::sequence_log_probs: weight is " + shape);
    CHECK(refusal([&, r = rows, c = columns] {
            token_gradients(dense, d, {d_tokens.data(), r, c});
          }) == "prefopt::token_gradients: the gradient is " + shape);
  }
  CHECK(refusal([&] { sequence_log_probs(dense, {.log_prob = three}); }) ==
        "prefopt::sequence_log_probs: output log_prob has 3 elements, there are 2 sequences");
  CHECK(refusal([&] { sequence_log_probs(dense, {.log_prob = out, .length = three}); }) ==
        "prefopt::sequence_log_probs: output length has 3 elements, there are 2 sequences");

  auto const packed = [&](std::vector<int> const& offsets) {
    return refused(packed_tokens<double>{.log_prob = tokens, .offsets = offsets});
  };
  CHECK(packed({}) == "prefopt::sequence_log_probs: offsets is empty, expected the number of sequences + 1 entries");
  CHECK(packed({-1, 3, 6}) == "prefopt::sequence_log_probs: offsets[0] is -1, expected a number from 0 to 6");
  CHECK(packed({0, 4, 3}) == "prefopt::sequence_log_probs: offsets[2] is 3, expected a number from 4 to 6");
  CHECK(packed({0, 4, 7}) == "prefopt::sequence_log_probs: offsets[2] is 7, expected a number from 4 to 6");
  CHECK(packed({0, 3, 6}) == "no error");
  out = {5.0, 5.0};
  std::vector<std::uint64_t> const huge{0, 3, std::numeric_limits<std::uint64_t>::max()};
  CHECK(refused(packed_tokens<double>{.log_prob = tokens, .offsets = huge}) != "no error");
  std::vector<int> const offsets{0, 3, 6};
  CHECK(refused(packed_tokens<double>{.log_prob = tokens, .offsets = offsets, .mask = five}) ==
        "prefopt::sequence_log_probs: mask has 5 elements, log_prob has 6");
  CHECK(out == std::vector<double>{5.0, 5.0});

  CHECK(refusal([&] {
          token_gradients(dense, three, {d_tokens.data(), 2, 3});
        }) == "prefopt::token_gradients: d_sequence has 3 elements, there are 2 sequences");
  CHECK(refusal([&] {
          token_gradients(packed_tokens<double>{.log_prob = tokens, .offsets = offsets}, d, {d_tokens.data(), 5});
        }) == "prefopt::token_gradients: the gradient has 5 elements, log_prob has 6");
  CHECK(d_tokens == std::vector<double>(6, 5.0));
}
