// One pair loss, or a modifier over one, against the oracle: NAME is dpo, or lcpo<dpo>.
#include <catch.hpp>
#include <string>
#include <vector>

#include "oracle/named_loss.hpp"
#include "oracle/pair_checks.hpp"
#include "oracle/pair_oracle.hpp"
#include "oracle/pair_results.hpp"
#include "oracle/pairs.hpp"

namespace {

oracle::named_loss named(std::string const& text) {
  auto const open = text.find('<');
  if (open == std::string::npos) return {text};
  return oracle::modified(text.substr(0, open), named(text.substr(open + 1, text.size() - open - 2)));
}

template <class T>
void check() {
  oracle::random_numbers random{1};
  auto pairs = oracle::random_pairs(203, random);
  for (auto const& p : oracle::extreme_pairs<T>()) pairs.push_back(p);
  auto const standard = named(NAME);
  for (auto const& loss : oracle::variants_of(standard, 4, random)) oracle::check_against_oracle<T>(loss, pairs);
  // Weights: a power of two is a factor of every number.
  auto const obeying = oracle::admitted(standard, pairs);
  auto const plain = oracle::results_of<T>(standard, obeying),
             doubled = oracle::results_of<T>(standard, obeying, std::vector<T>(obeying.size(), T(2)));
  for (std::size_t i = 0; i < obeying.size(); ++i) {
    CHECK(doubled.loss[i] == 2 * plain.loss[i]);
    CHECK(doubled.d_chosen[i] == 2 * plain.d_chosen[i]);
    CHECK(doubled.d_rejected[i] == 2 * plain.d_rejected[i]);
  }
}

}  // namespace

TEST_CASE("agrees with the oracle: double") { check<double>(); }
TEST_CASE("agrees with the oracle: float") { check<float>(); }
