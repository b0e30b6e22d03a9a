// -inf, +inf, NaN and the largest numbers: what the header says of them, in every type, at every place.
#include <special_numbers.hpp>

#include "logit_rows.hpp"

using namespace prefopt;

namespace {

template <class U>
struct seen_of_row {
  using T = computed<U>;
  T log_prob = 7, entropy = 7, square_sum = 7, highest = 7;
  double log_sum_exp = 7;
  std::vector<U> separate, fused;

  seen_of_row(std::vector<U> const& row, std::size_t label) : separate(row.size()), fused(row.size()) {
    row_major<U const> const view{row.data(), 1, row.size()};
    token_logprobs(view, {&label, 1},
                   {.log_prob = {&log_prob, 1},
                    .log_sum_exp = {&log_sum_exp, 1},
                    .entropy = {&entropy, 1},
                    .square_sum = {&square_sum, 1},
                    .highest = {&highest, 1}});
    T const one = 1;
    token_logprob_gradients(view, {&label, 1}, {&log_sum_exp, 1}, {&one, 1}, {separate.data(), 1, row.size()});
    token_logprobs_and_gradients(view, {&label, 1}, [](std::size_t, T) noexcept { return 1.0; },
                                 {fused.data(), 1, row.size()});
  }

  [[nodiscard]] bool all_nan() const {
    return std::isnan(log_prob) && std::isnan(entropy) && std::isnan(square_sum) && std::isnan(highest);
  }
  [[nodiscard]] bool gradients_nan() const {
    auto const nan = [](U x) { return std::isnan(exact(x)); };
    return std::all_of(separate.begin(), separate.end(), nan) && std::all_of(fused.begin(), fused.end(), nan);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a NaN or +inf anywhere makes NaN of its row's outputs and gradients", "", float, double, bfloat16,
                   float16) {
  using U = TestType;
  oracle::random_numbers random{31};
  for (double const special : {static_cast<double>(NAN), infinity<double>}) {
    for (std::size_t const size : {std::size_t{2}, std::size_t{65}, std::size_t{512}, std::size_t{1100}}) {
      for (std::size_t const label : {std::size_t{0}, size - 1}) {
        for (std::size_t const at : {std::size_t{0}, size / 2, size - 1}) {
          // Amid numbers, and amid nothing.
          for (spread const kind : {spread::normal, spread::one_possible}) {
            auto row = row_of<U>(kind, size, label, random);
            row[at] = stored<U>(special);
            seen_of_row<U> const seen{row, label};
            CAPTURE(special, size, label, at, name_of(kind));
            CHECK(seen.all_nan());
            CHECK(std::isnan(seen.log_sum_exp));
            CHECK(seen.gradients_nan());
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a row of -inf alone has no distribution", "", float, double, bfloat16, float16) {
  using U = TestType;
  for (std::size_t const size : {std::size_t{2}, std::size_t{64}, std::size_t{1025}}) {
    seen_of_row<U> const seen{std::vector<U>(size, stored<U>(-infinity<double>)), size / 2};
    CHECK(seen.all_nan());
    CHECK(seen.log_sum_exp == -infinity<double>);
    CHECK(seen.gradients_nan());
  }
}

TEMPLATE_TEST_CASE("a logit of -inf has probability 0, also at the label", "", float, double, bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  for (std::size_t const size : {std::size_t{3}, std::size_t{64}, std::size_t{1030}}) {
    for (std::size_t const label : {std::size_t{0}, size - 1}) {
      std::vector<U> row(size, stored<U>(-infinity<double>));
      std::size_t const first = (label + 1) % size, second = (label + 2) % size;
      row[first] = row[second] = stored<U>(-60);
      seen_of_row<U> const seen{row, label};
      CHECK(seen.log_prob == -std::numeric_limits<T>::infinity());
      CHECK(std::fabs(seen.log_sum_exp - (std::log(2.0) - 60)) < 1e-13);
      CHECK(std::fabs(static_cast<double>(seen.entropy) - std::log(2.0)) < 1e-6);
      CHECK(seen.square_sum == T(0.5));
      CHECK(seen.highest == T(0));
      for (auto const& gradient : {seen.separate, seen.fused}) {
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < size; ++i) {
          long double const right = i == label ? 1 : i == first || i == second ? -0.5L : 0;
          // log_sum_exp is off by half an ULP of 60, which is 16 ULP of 1.
          wrong += std::fabs(exact(gradient[i]) - right) > 4 * rounding<T> + 64 * rounding<double> ? 1 : 0;
          wrong += right == 0 && exact(gradient[i]) != 0 ? 1 : 0;
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEMPLATE_TEST_CASE("the label's alone is certain: log-prob 0, nothing to learn", "", float, double, bfloat16, float16) {
  using U = TestType;
  using T = computed<U>;
  for (double const logit : {0.0, -5e4, 5e4}) {
    for (std::size_t const label : {std::size_t{0}, std::size_t{700}}) {
      std::vector<U> row(701, stored<U>(-infinity<double>));
      row[label] = stored<U>(logit);
      seen_of_row<U> const seen{row, label};
      CHECK(oracle::same_bits(seen.log_prob, T(0)));
      CHECK(seen.log_sum_exp == static_cast<double>(exact(row[label])));
      CHECK(seen.entropy == T(0));
      CHECK(seen.square_sum == T(1));
      CHECK(seen.highest == T(1));
      auto const is_0 = [](U x) { return exact(x) == 0; };
      CHECK(std::all_of(seen.separate.begin(), seen.separate.end(), is_0));
      CHECK(std::all_of(seen.fused.begin(), seen.fused.end(), is_0));
    }
  }
}

TEST_CASE("the top-1 hit: no logit above the label's, ties count") {
  auto const hit = [](std::vector<float> const& row, std::size_t label) {
    return seen_of_row<float>{row, label}.highest == 1.0F;
  };
  std::vector<float> row(1200, 1.0F);
  CHECK(hit(row, 0));
  CHECK(hit(row, 1199));
  row[1199] = std::nextafter(1.0F, 2.0F);
  CHECK_FALSE(hit(row, 0));
  CHECK(hit(row, 1199));
  row[0] = row[1199];
  CHECK(hit(row, 0));
  CHECK_FALSE(hit(row, 600));
  CHECK(hit({-INFINITY, std::numeric_limits<float>::lowest()}, 1));
  CHECK(hit({-0.0F, 0.0F}, 0));
}

TEST_CASE("numbers may be as large as they can be, and as far apart") {
  // An earlier block so far below a later one that their distance, or its product with the sum, is infinite.
  for (double const high : {1e306, 1.7e308}) {
    for (double const low : {0.0, -high}) {
      std::vector<double> row(1024, low);
      std::fill(row.begin() + 512, row.end(), high);
      for (std::size_t const label : {std::size_t{3}, std::size_t{1000}}) {
        seen_of_row<double> const seen{row, label};
        CAPTURE(high, low, label);
        CHECK(seen.log_sum_exp == high);
        CHECK(std::fabs(seen.entropy - std::log(512)) < 1e-13);
        CHECK(seen.square_sum == 1.0 / 512);
        CHECK(seen.highest == (label == 3 ? 0 : 1));
        if (label == 1000) CHECK(std::fabs(seen.log_prob + std::log(512)) < 1e-14);
        if (label == 3) CHECK(seen.log_prob <= -high);
      }
    }
  }
  // Beyond the range of float.
  float const most = std::numeric_limits<float>::max();
  seen_of_row<float> const beyond{{most, -most, most}, 1};
  CHECK(beyond.log_prob == -std::numeric_limits<float>::infinity());
  CHECK(beyond.square_sum == 0.5F);
}

TEST_CASE("what is too far below the highest counts as -inf") {
  std::vector<float> row(1000, -95.0F);
  row[7] = 0;
  seen_of_row<float> const seen{row, 7};
  CHECK(seen.log_prob == 0);
  CHECK(seen.log_sum_exp == 0);
  CHECK(std::all_of(seen.fused.begin(), seen.fused.end(), [](float x) { return x == 0; }));
}
