// log_prob, log_sum_exp, entropy and square_sum against long double, for every kind of row: as exact as the header
// says.
#include <cstdio>
#include <logits/logit_rows.hpp>
#include <oracle/front.hpp>

using namespace prefopt;

namespace {

std::vector<std::size_t> sizes(std::size_t lanes) {
  return {2,   3,   lanes - 1, lanes, lanes + 1, 4 * lanes - 1, 4 * lanes, 4 * lanes + 1,
          511, 512, 513,       1000,  1024,      1025,          32000,     128257};
}

/// Largest errors over the rows of one kind, each as a part of its bound, and of log_prob in ULP.
struct errors {
  double ulp = 0, log_prob = 0, log_sum_exp = 0, entropy = 0, square_sum = 0;
};

void enlarge(double& worst, double error) {
  if (!(error <= worst)) worst = error;
}

/// Of an error that may be 0 where the bound is.
double part(double error, double bound) { return error == 0 ? 0 : error / bound; }

template <class U>
void measure(spread kind, std::vector<U> const& row, std::size_t label, errors& worst) {
  using T = computed<U>;
  softmax_of_row const right{row, label};
  T log_prob = 7, entropy = 7, square_sum = 7, highest = 7;
  double log_sum_exp = 7;
  front::token_logprobs(row_major<U const>{row.data(), 1, row.size()}, {&label, 1},
                        {.log_prob = {&log_prob, 1},
                         .log_sum_exp = {&log_sum_exp, 1},
                         .entropy = {&entropy, 1},
                         .square_sum = {&square_sum, 1},
                         .highest = {&highest, 1}});
  auto const off = [](auto got, long double exactly) {
    return static_cast<double>(std::fabs(static_cast<long double>(got) - exactly));
  };
  // Below the range of T: -inf.
  if (right.log_prob < static_cast<long double>(std::numeric_limits<T>::lowest())) {
    if (log_prob != -std::numeric_limits<T>::infinity()) worst.log_prob = INFINITY;
  } else {
    double const ulp = oracle::ulp_error(log_prob, right.log_prob);
    double bound = right.rest < 0.5L ? 2 + std::fabs(std::log(static_cast<double>(right.rest))) : 2;
    // All powers alike, so all off the same way: by the rounding of the distance, of the lanes' sums, in double also of
    // the blocks'.
    if (kind == spread::far_behind) {
      double const ulps = oracle::ulp_error(T(0), right.log_prob) / std::fabs(static_cast<double>(right.log_prob));
      auto const blocks = static_cast<double>(std::same_as<T, double> ? row.size() / 512 : 0);
      bound += rounding<T> * (static_cast<double>(right.mean_distance) + roundings_of_sum<T> + blocks) * ulps;
    }
    enlarge(worst.ulp, ulp);
    enlarge(worst.log_prob, part(ulp, bound));
  }
  constexpr double absolute = std::same_as<T, float> ? 1e-6 : 1e-14;
  enlarge(worst.log_sum_exp, part(off(log_sum_exp, right.log_sum_exp), log_sum_exp_bound<T>(right)));
  enlarge(worst.entropy, off(entropy, right.entropy) / (absolute * (1 + static_cast<double>(right.entropy))));
  enlarge(worst.square_sum,
          off(square_sum, right.square_sum) / (absolute * (1 + static_cast<double>(right.square_sum))));
  CHECK(highest == (right.highest ? T(1) : T(0)));
}

template <class U>
void check_accuracy(char const* type) {
  for (spread const kind : every_spread) {
    oracle::random_numbers random{11};
    errors worst;
    for (std::size_t const size : sizes(xsimd::batch<computed<U>>::size)) {
      std::size_t const times = size > 2000 ? 1 : 5;
      for (std::size_t i = 0; i < times; ++i) {
        for (std::size_t const label :
             {std::size_t{0}, size - 1, size / 2, static_cast<std::size_t>(random.bits() % size)}) {
          measure(kind, row_of<U>(kind, size, label, random), label, worst);
        }
      }
    }
    std::printf(
        "%-8s %-16s %6.2f ULP; parts of the bounds: log_prob %5.2f log_sum_exp %5.2f entropy "
        "%5.2f square_sum %5.2f\n",
        type, name_of(kind), worst.ulp, worst.log_prob, worst.log_sum_exp, worst.entropy, worst.square_sum);
    CAPTURE(type, name_of(kind), worst.ulp);
    CHECK(worst.log_prob <= 1);
    CHECK(worst.log_sum_exp <= 1);
    CHECK(worst.entropy <= 1);
    CHECK(worst.square_sum <= 1);
  }
}

}  // namespace

TEST_CASE("log-probs are as exact as stated: float") { check_accuracy<float>("float"); }
TEST_CASE("log-probs are as exact as stated: double") { check_accuracy<double>("double"); }
TEST_CASE("log-probs are as exact as stated: bfloat16") { check_accuracy<bfloat16>("bfloat16"); }
TEST_CASE("log-probs are as exact as stated: float16") { check_accuracy<float16>("float16"); }
