// A row's results depend on that row alone: not on its place, its neighbours, its stride or alignment, the executor, or
// what else is asked for. Bit for bit.
#include <sys/mman.h>
#include <unistd.h>
#include <atomic>
#include <cstring>
#include <guarded.hpp>
#include <thread>
#include "logit_rows.hpp"

using namespace prefopt;

namespace {

/// Runs the parts on so many threads, in no order.
struct threads {
  std::size_t count;

  void operator()(std::size_t parts, executor::task const& work) const {
    std::atomic<std::size_t> next{0};
    auto const worker = [&] {
      for (std::size_t part; (part = next++) < parts;) work(part);
    };
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < count; ++i) others.emplace_back(worker);
    worker();
    for (auto& thread : others) thread.join();
  }
};

template <class U>
U const untouched = stored<U>(1234);

/// All that the three functions find out of rows, each gradient in rows without gaps.
template <class U>
struct all_results {
  using T = computed<U>;
  std::size_t columns;
  std::vector<T> log_prob, entropy, square_sum, highest, fused_log_prob, fused_entropy;
  std::vector<double> log_sum_exp;
  std::vector<U> separate, fused, added, fused_added;

  all_results(row_major<U const> const& logits, column<std::int64_t> const& labels, executor const& run = {},
              std::int64_t ignored = -100)
      : columns{logits.columns()},
        log_prob(logits.rows(), T(7)),
        entropy{log_prob},
        square_sum{log_prob},
        highest{log_prob},
        fused_log_prob{log_prob},
        fused_entropy{log_prob},
        log_sum_exp(logits.rows(), 7),
        separate(logits.rows() * columns, untouched<U>),
        fused{separate},
        added{separate},
        fused_added{separate} {
    std::size_t const rows = logits.rows();
    token_logprobs(logits, labels,
                   {.log_prob = log_prob,
                    .log_sum_exp = log_sum_exp,
                    .entropy = entropy,
                    .square_sum = square_sum,
                    .highest = highest},
                   {.ignore_index = ignored, .executor = run});
    auto const slope = [](std::size_t, T at) noexcept { return 0.5 + 0.01 * static_cast<double>(at); };
    std::vector<T> d;
    for (std::size_t row = 0; row < rows; ++row) d.push_back(static_cast<T>(slope(row, log_prob[row])));
    for (bool const adds : {false, true}) {
      token_options const options{.ignore_index = ignored,
                                  .gradient = adds ? gradient_write::accumulate : gradient_write::assign,
                                  .executor = run};
      token_logprob_gradients(logits, labels, log_sum_exp, d, {(adds ? added : separate).data(), rows, columns},
                              options);
      token_logprobs_and_gradients(logits, labels, slope, {(adds ? fused_added : fused).data(), rows, columns},
                                   {.log_prob = fused_log_prob, .entropy = fused_entropy}, options);
    }
  }

  [[nodiscard]] bool row_is(std::size_t i, all_results const& other, std::size_t j) const {
    auto const same = [&](auto const& mine, auto const& theirs) { return same_number(mine[i], theirs[j]); };
    auto const same_row = [&](std::vector<U> const& mine, std::vector<U> const& theirs) {
      for (std::size_t k = 0; k < columns; ++k) {
        if (!same_number(mine[i * columns + k], theirs[j * columns + k])) return false;
      }
      return true;
    };
    return same(log_prob, other.log_prob) && same(entropy, other.entropy) && same(square_sum, other.square_sum) &&
           same(highest, other.highest) && same(log_sum_exp, other.log_sum_exp) &&
           same(fused_log_prob, other.fused_log_prob) && same(fused_entropy, other.fused_entropy) &&
           same_row(separate, other.separate) && same_row(fused, other.fused) && same_row(added, other.added) &&
           same_row(fused_added, other.fused_added);
  }

  [[nodiscard]] bool is(all_results const& other) const {
    for (std::size_t i = 0; i < log_prob.size(); ++i) {
      if (!row_is(i, other, i)) return false;
    }
    return true;
  }
};

/// Rows of many kinds without gaps, and their labels, some of them ignored.
template <class U>
struct sample {
  std::size_t rows, columns;
  std::vector<U> logits;
  std::vector<std::int64_t> labels;

  sample(std::size_t count, std::size_t size, std::int64_t ignored = -100) : rows{count}, columns{size} {
    oracle::random_numbers random{21};
    for (std::size_t row = 0; row < rows; ++row) {
      std::size_t const label = row == 0 ? 0 : row == 1 ? size - 1 : random.bits() % size;
      auto const kind = every_spread[row % std::size(every_spread)];
      auto const values = row_of<U>(kind, size, label, random);
      logits.insert(logits.end(), values.begin(), values.end());
      labels.push_back(row % 5 == 4 ? ignored : static_cast<std::int64_t>(label));
      // Nothing of an ignored row may get into any result.
      if (row % 5 == 4) logits.back() = stored<U>(row % 2 == 0 ? NAN : -INFINITY);
    }
  }
  [[nodiscard]] row_major<U const> view() const { return {logits.data(), rows, columns}; }
  [[nodiscard]] U const* row(std::size_t i) const { return logits.data() + i * columns; }
};

}  // namespace

TEMPLATE_TEST_CASE("a row's results do not depend on place, neighbours, stride or alignment", "", float, double,
                   bfloat16, float16) {
  using U = TestType;
  for (std::size_t const columns : {std::size_t{2}, std::size_t{37}, std::size_t{513}, std::size_t{1056}}) {
    CAPTURE(columns);
    sample<U> const data{15, columns};
    all_results<U> const together{data.view(), data.labels};
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < data.rows; ++row) {
      for (std::size_t const shift : {std::size_t{0}, std::size_t{1}, std::size_t{7}}) {
        std::vector<U> moved(shift + columns, stored<U>(NAN));
        std::copy_n(data.row(row), columns, moved.data() + shift);
        all_results<U> const alone{row_major<U const>{moved.data() + shift, 1, columns}, {&data.labels[row], 1}};
        wrong += alone.row_is(0, together, row) ? 0 : 1;
      }
    }
    CHECK(wrong == 0);

    // Gaps of NaN between the rows; the same backwards.
    std::size_t const stride = columns + 3;
    std::vector<U> apart(data.rows * stride, stored<U>(NAN));
    for (std::size_t row = 0; row < data.rows; ++row) std::copy_n(data.row(row), columns, &apart[row * stride]);
    auto const step = static_cast<std::ptrdiff_t>(stride);
    CHECK(all_results<U>{{apart.data(), data.rows, columns, step}, data.labels}.is(together));
    all_results<U> const backwards{{&apart[(data.rows - 1) * stride], data.rows, columns, -step},
                                   {&data.labels[data.rows - 1], data.rows, -1}};
    for (std::size_t row = 0; row < data.rows; ++row) CHECK(backwards.row_is(data.rows - 1 - row, together, row));

    // One row for every label.
    std::vector<std::int64_t> const labels{data.labels[0], static_cast<std::int64_t>(columns) - 1, -100, 1};
    all_results<U> const repeated{row_major<U const>{data.row(0), labels.size(), columns, 0}, labels};
    for (std::size_t i = 0; i < labels.size(); ++i) {
      CHECK(repeated.row_is(i, all_results<U>{row_major<U const>{data.row(0), 1, columns}, {&labels[i], 1}}, 0));
    }
  }
}

TEMPLATE_TEST_CASE("results do not depend on the executor", "", float, double, bfloat16, float16) {
  using U = TestType;
  // 16 rows a part, seven parts, one of them short; and each row a part.
  for (auto const& shape : {std::pair{std::size_t{99}, std::size_t{4097}}, {9, 65536}}) {
    std::size_t const rows = shape.first, columns = shape.second;
    sample<U> const data{rows, columns};
    all_results<U> const serial{data.view(), data.labels};
    for (std::size_t const count : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
      threads const run{count};
      CAPTURE(rows, columns, count);
      CHECK(all_results<U>{data.view(), data.labels, run}.is(serial));
    }
  }
}

TEMPLATE_TEST_CASE("labels of any integer type and stride, outputs of any stride, any selection", "", float, double,
                   bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  sample<U> const data{15, 600};
  all_results<U> const right{data.view(), data.labels};
  std::vector<std::int32_t> const narrow(data.labels.begin(), data.labels.end());
  CHECK(all_results<U>{data.view(), narrow}.is(right));
  std::vector<std::int32_t> spaced(3 * data.rows, 599);
  std::vector<std::int64_t> wide(2 * data.rows, 77777);
  for (std::size_t i = 0; i < data.rows; ++i) wide[2 * i] = spaced[3 * i] = narrow[i];
  CHECK(all_results<U>{data.view(), {spaced.data(), data.rows, 3}}.is(right));
  CHECK(all_results<U>{data.view(), {wide.data(), data.rows, 2}}.is(right));

  // Another ignored label; -100 is then refused, and a token may be ignored, too.
  sample<U> const other{15, 600, -1};
  all_results<U> const with_other{other.view(), other.labels, {}, -1};
  for (std::size_t i = 0; i < data.rows; ++i) CHECK(with_other.row_is(i, right, i));
  auto labels = data.labels;
  std::replace(labels.begin(), labels.end(), std::int64_t{-100}, std::int64_t{0});
  labels[0] = 5;
  all_results<U> const without_0{data.view(), labels, {}, 0};
  for (std::size_t i = 1; i < data.rows; ++i) CHECK(without_0.row_is(i, right, i));

  std::vector<T> spread(3 * data.rows, T(7)), alone(data.rows);
  token_logprobs(data.view(), data.labels, {.log_prob = {spread.data(), data.rows, 3}});
  for (std::size_t i = 0; i < spread.size(); ++i) CHECK(same_number(spread[i], i % 3 == 0 ? right.log_prob[i / 3] : 7));
  token_logprobs(data.view(), data.labels, {.entropy = alone});
  CHECK(same_numbers(alone, right.entropy));
  token_logprobs(data.view(), data.labels, {.square_sum = alone});
  CHECK(same_numbers(alone, right.square_sum));
  token_logprobs(data.view(), data.labels, {.highest = alone});
  CHECK(same_numbers(alone, right.highest));
  std::vector<double> sums(data.rows);
  token_logprobs(data.view(), data.labels, {.log_sum_exp = sums});
  CHECK(same_numbers(sums, right.log_sum_exp));
  // Fused: the same log-probs, with statistics or without.
  CHECK(same_numbers(right.fused_log_prob, right.log_prob));
  CHECK(same_numbers(right.fused_entropy, right.entropy));
  std::vector<U> gradients(data.logits.size());
  token_logprobs_and_gradients(data.view(), data.labels,
                               [](std::size_t, T at) noexcept { return 0.5 + 0.01 * static_cast<double>(at); },
                               {gradients.data(), data.rows, data.columns}, {.log_prob = alone});
  CHECK(same_numbers(alone, right.log_prob));
  CHECK(same_numbers(gradients, right.fused));
}

TEMPLATE_TEST_CASE("gradients are written to rows of any stride, and to nothing between them", "", float, double,
                   bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  constexpr std::size_t columns = 517, stride = 530;
  sample<U> const data{15, columns};
  all_results<U> const right{data.view(), data.labels};
  std::vector<T> d;
  for (T const at : right.log_prob) d.push_back(static_cast<T>(0.5 + 0.01 * static_cast<double>(at)));
  for (bool const backwards : {false, true}) {
    for (bool const in_place : {false, true}) {
      std::vector<U> memory(data.rows * stride, untouched<U>);
      row_major<U> const rows =
          backwards ? row_major<U>{&memory[(data.rows - 1) * stride], data.rows, columns, -std::ptrdiff_t{stride}}
                    : row_major<U>{memory.data(), data.rows, columns, stride};
      auto const fill = [&] {
        for (std::size_t row = 0; row < data.rows; ++row) std::copy_n(data.row(row), columns, rows[row]);
      };
      auto const count_wrong = [&](std::vector<U> const& expected) {
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < data.rows; ++row) {
          for (std::size_t k = 0; k < columns; ++k) wrong += !same_number(rows[row][k], expected[row * columns + k]);
          std::size_t const place = backwards ? data.rows - 1 - row : row;
          for (std::size_t k = columns; k < stride; ++k)
            wrong += !same_number(memory[place * stride + k], untouched<U>);
        }
        return wrong;
      };
      row_major<U const> const from = in_place ? row_major<U const>{rows} : data.view();
      CAPTURE(backwards, in_place);
      if (in_place) fill();
      token_logprob_gradients(from, data.labels, right.log_sum_exp, d, rows);
      CHECK(count_wrong(right.separate) == 0);
      if (in_place) fill();
      token_logprobs_and_gradients(
          from, data.labels, [](std::size_t, T at) noexcept { return 0.5 + 0.01 * static_cast<double>(at); }, rows);
      CHECK(count_wrong(right.fused) == 0);
    }
  }
}

TEMPLATE_TEST_CASE("ignored rows have 0 in every output and gradient; what is added to keeps its value", "", float,
                   double, bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  sample<U> const data{15, 600};
  all_results<U> const seen{data.view(), data.labels};
  for (std::size_t row = 0; row < data.rows; ++row) {
    CAPTURE(row);
    bool const ignored = data.labels[row] == -100;
    bool const all_0 = same_number(seen.log_prob[row], T(0)) && same_number(seen.log_sum_exp[row], 0.0) &&
                       same_number(seen.entropy[row], T(0)) && same_number(seen.square_sum[row], T(0)) &&
                       same_number(seen.highest[row], T(0)) && same_number(seen.fused_log_prob[row], T(0)) &&
                       same_number(seen.fused_entropy[row], T(0));
    CHECK(all_0 == ignored);
    for (std::size_t k = row * 600; k < (row + 1) * 600 && ignored; ++k) {
      if (!(same_number(seen.separate[k], stored<U>(0)) && same_number(seen.fused[k], stored<U>(0)) &&
            same_number(seen.added[k], untouched<U>) && same_number(seen.fused_added[k], untouched<U>))) {
        FAIL_CHECK("logit " << k);
        break;
      }
    }
  }

  // gradient() is called once for every row that counts, with its log_prob.
  std::vector<std::size_t> calls(data.rows);
  std::vector<U> target(data.logits.size());
  token_logprobs_and_gradients(data.view(), data.labels,
                               [&](std::size_t row, T at) noexcept {
                                 calls[row] += same_number(at, seen.log_prob[row]) ? 1 : 100;
                                 return 1.0;
                               },
                               {target.data(), data.rows, data.columns});
  for (std::size_t row = 0; row < data.rows; ++row) CHECK(calls[row] == (data.labels[row] == -100 ? 0 : 1));

  // What is saved for an ignored row is not read, either.
  auto sums = seen.log_sum_exp;
  std::vector<T> d(data.rows, T(1));
  token_logprob_gradients(data.view(), data.labels, sums, d, {target.data(), data.rows, data.columns});
  for (std::size_t row = 4; row < data.rows; row += 5) sums[row] = NAN, d[row] = static_cast<T>(NAN);
  std::vector<U> again(data.logits.size());
  token_logprob_gradients(data.view(), data.labels, sums, d, {again.data(), data.rows, data.columns});
  CHECK(same_numbers(again, target));
}

TEMPLATE_TEST_CASE("an ignored row is not read: it may lie where nothing may be read", "", float, double, bfloat16,
                   float16) {
  using U = TestType;
  auto const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const memory = mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  REQUIRE(mprotect(static_cast<char*>(memory) + page, page, PROT_NONE) == 0);
  std::size_t const columns = page / sizeof(U);
  row_major<U const> const logits{static_cast<U const*>(memory), 3, columns};
  std::vector<int> const labels{3, -100, 0};
  all_results<U> const seen{logits, labels};
  CHECK(seen.log_prob[2] == seen.log_prob[0]);
  CHECK(std::fabs(static_cast<double>(seen.log_prob[0]) + std::log(static_cast<double>(columns))) < 1e-5);
  munmap(memory, 3 * page);
}

TEMPLATE_TEST_CASE("nothing outside the rows is touched", "", float, double, bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  using against = typename guarded<U>::against;
  constexpr std::size_t lanes = xsimd::batch<T>::size;
  for (auto const side : {against::end, against::begin}) {
    for (std::size_t const columns : {std::size_t{1}, std::size_t{2}, lanes - 1, lanes, lanes + 1, 4 * lanes - 1,
                                      std::size_t{511}, std::size_t{512}, std::size_t{513}, std::size_t{2049}}) {
      oracle::random_numbers random{22};
      auto const values = row_of<U>(spread::normal, columns, 0, random);
      guarded<U> const logits{values, side}, target{values, side}, in_place{values, side};
      row_major<U const> const view{logits.values().data(), 1, columns};
      row_major<U> const here{in_place.values().data(), 1, columns};
      for (std::size_t const label : {std::size_t{0}, columns - 1}) {
        all_results<U> const seen{view, {&label, 1}};
        T const d = 1;
        auto const one = [](std::size_t, T) noexcept { return 1.0; };
        for (auto const how : {gradient_write::assign, gradient_write::accumulate}) {
          row_major<U> const there{target.values().data(), 1, columns};
          token_logprob_gradients(view, {&label, 1}, seen.log_sum_exp, {&d, 1}, there, {.gradient = how});
          token_logprobs_and_gradients(view, {&label, 1}, one, there, {}, {.gradient = how});
        }
        token_logprob_gradients(here, {&label, 1}, seen.log_sum_exp, {&d, 1}, here);
        token_logprobs_and_gradients(here, {&label, 1}, one, here);
        CHECK(same_numbers(seen.log_prob, seen.fused_log_prob));
      }
    }
  }
}
