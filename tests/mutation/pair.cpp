// One pair loss, or a modifier over one, against the oracle: LOSS_NAME in the environment is dpo, or lcpo<dpo>.
#include <catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pair_checks.hpp"
#include "oracle/pair_oracle.hpp"
#include "oracle/pair_results.hpp"
#include "oracle/pairs.hpp"
#include "oracle/undefined_at_infinity.hpp"
#include "ranges.hpp"

namespace {

oracle::named_loss named(std::string const& text) {
  auto const open = text.find('<');
  if (open == std::string::npos) return {text};
  return oracle::modified(text.substr(0, open), named(text.substr(open + 1, text.size() - open - 2)));
}

std::vector<oracle::pair> pairs_with_labels() {
  std::vector<oracle::pair> pairs;
  for (double const eta : {0., 0.25, 0.5, 1.})
    pairs.push_back({.chosen = 0, .rejected = 0, .label = eta, .reliability = eta});
  return pairs;
}

template <class T>
void check() {
  oracle::random_numbers random{1};
  auto pairs = oracle::random_pairs(203, random);
  for (auto const& p : oracle::extreme_pairs<T>()) pairs.push_back(p);
  // Both alike, and so large that exponentials of them are infinite.
  for (oracle::real const size : {-900, -90, 90, 900}) pairs.push_back({.chosen = size, .rejected = size});
  auto const standard = named(std::getenv("LOSS_NAME"));
  auto losses = oracle::variants_of(standard, 4, random);
  for (auto const& p : oracle::parameters_of(standard.name)) {
    for (double const end : {0.0, 1.0}) {
      bool const is_in = (p.low_is_in ? end >= p.low : end > p.low) && (p.high_is_in ? end <= p.high : end < p.high);
      if (!is_in) continue;
      losses.push_back(standard);
      losses.back().given.emplace_back(p.name, end);
    }
  }
  for (auto const& loss : losses) oracle::check_against_oracle<T>(loss, pairs);
  auto const admitted = oracle::admitted(standard, {pairs.front()});
  check_ranges(standard, [&](oracle::named_loss const& loss) { oracle::results_of<T>(loss, admitted); });
  // Weights: a power of two is a factor of every number.
  auto const obeying = oracle::admitted(standard, pairs);
  auto const plain = oracle::results_of<T>(standard, obeying),
             doubled = oracle::results_of<T>(standard, obeying, std::vector<T>(obeying.size(), T(2)));
  for (std::size_t i = 0; i < obeying.size(); ++i) {
    CHECK(doubled.loss[i] == 2 * plain.loss[i]);
    CHECK(doubled.d_chosen[i] == 2 * plain.d_chosen[i]);
    CHECK(doubled.d_rejected[i] == 2 * plain.d_rejected[i]);
  }
  // At infinity what there is before has its limit.
  bool const is_undefined = oracle::may_be_undefined_at_infinity(standard);
  for (auto const column : {&oracle::pair::chosen, &oracle::pair::rejected}) {
    for (double const sign : {1, -1}) {
      auto const at = [&](double size) {
        auto pairs = oracle::admitted(standard, pairs_with_labels());
        for (auto& p : pairs) p.*column = sign * size;
        return oracle::results_of<T>(standard, oracle::obeying(standard, pairs));
      };
      auto const end = at(std::numeric_limits<double>::infinity()), before = at(1e30);
      for (std::size_t i = 0; i < end.loss.size(); ++i) {
        for (auto const number :
             {&oracle::results<T>::loss, &oracle::results<T>::d_chosen, &oracle::results<T>::d_rejected}) {
          T const x = (end.*number)[i], y = (before.*number)[i];
          CHECK((std::isinf(x) || (is_undefined && std::isnan(x)) ||
                 std::fabs(x - y) <= T(1e-5) * std::fabs(x) + T(1e-20)));
        }
      }
    }
  }
  // Shares are in [0, 1].
  auto const reads = oracle::facts_of_pair_loss(standard).reads;
  for (auto const& column : oracle::pair_column_table) {
    if (column.name != std::string{"label"} && column.name != std::string{"reliability"}) continue;
    if (column.kind == nullptr || !(reads.*column.kind)) continue;
    for (double const outside : {-0.001, 1.001}) {
      auto bad = admitted;
      bad.front().*column.value = outside;
      CHECK(refusal([&] { oracle::results_of<T>(standard, bad); }) != "no error");
    }
  }
  // No number is made of what is none, not of one that does not count either.
  for (auto const column : {&oracle::pair::chosen, &oracle::pair::rejected}) {
    auto none = oracle::admitted(standard, {pairs.front(), {.chosen = -3, .rejected = -5, .label = 0.5}});
    for (auto& p : none) p.*column = std::numeric_limits<T>::quiet_NaN();
    auto const seen = oracle::results_of<T>(standard, none);
    for (std::size_t i = 0; i < none.size(); ++i) {
      CHECK(std::isnan(seen.loss[i]));
      CHECK(std::isnan(column == &oracle::pair::chosen ? seen.d_chosen[i] : seen.d_rejected[i]));
    }
  }
}

}  // namespace

TEST_CASE("agrees with the oracle: double") { check<double>(); }
TEST_CASE("agrees with the oracle: float") { check<float>(); }
