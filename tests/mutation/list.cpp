// One list loss, LOSS_NAME in the environment, against the oracle.
#include <catch.hpp>
#include <cstdlib>
#include <string>

#include "oracle/list_checks.hpp"
#include "oracle/list_results.hpp"
#include "ranges.hpp"

namespace {

/// Equal rewards are refused where the loss says so, in groups of a lane and of many.
template <class T>
void check_ties(oracle::named_loss const& loss, oracle::random_numbers& random) {
  if (!oracle::facts_of_list_loss(loss).refuses_ties) return;
  for (std::size_t const size : {2, 3, 64, 65, 300}) {
    oracle::candidate_list group(size);
    for (std::size_t i = 0; i < size; ++i)
      group[i] = {.logp = random.uniform(-9, -1), .reward = static_cast<oracle::real>(i)};
    auto const seen = [&] {
      return refusal([&] { oracle::list_results_of<T>(loss, {group, group}, oracle::ways::by_reward); });
    };
    CHECK(seen() == "no error");
    for (auto const& [i, j] : {std::pair{std::size_t{0}, size - 1}, std::pair{std::size_t{0}, std::size_t{1}},
                               std::pair{size - 2, size - 1}}) {
      auto const kept = group[j].reward;
      group[j].reward = group[i].reward;
      CAPTURE(size, i, j);
      CHECK(seen().find("of group 0 are both") != std::string::npos);
      group[j].reward = kept;
    }
  }
}

}  // namespace

TEST_CASE("agrees with the oracle") {
  oracle::random_numbers random{31};
  std::string const name = std::getenv("LOSS_NAME");
  oracle::check_list_loss_against_oracle<double>(name, random);
  oracle::check_list_loss_against_oracle<float>(name, random);
  check_ties<double>({name}, random);
  check_ties<float>({name}, random);
  check_ranges({name}, [](oracle::named_loss const& loss) {
    oracle::list_results_of<double>(loss, {}, oracle::ways_of(loss).front());
  });
}
