// A column knows whether it was given, whatever its size.
#include <array>
#include <catch.hpp>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <span>
#include <vector>

using namespace prefopt;

TEST_CASE("what is made of something is given, and a column of nothing is not") {
  std::vector<double> const none;
  std::vector<float> const one{1};
  CHECK_FALSE(column<double>{}.is_given());
  CHECK(column<double>{none}.is_given());
  CHECK(column<double>{none}.empty());
  CHECK(column<double>{std::span<double const>{}}.is_given());
  CHECK(column<double>{one}.is_given());
  CHECK(column<double>{one.data(), 0}.is_given());
  CHECK(column<double>{static_cast<double const*>(nullptr), 0}.is_given());
  CHECK_FALSE((pair_batch<double>{.chosen = none}.rejected.is_given()));
}

TEST_CASE("a column that is given and empty is an error where the loss reads it, and nothing where it does not") {
  std::vector<double> const none, two{-1, -2}, weight{1, 1};
  auto const refused = [](auto const& loss, auto const& batch) {
    return refusal([&] { static_cast<void>(evaluate(loss, batch)); });
  };
  pair_batch<double> batch{.chosen = two, .rejected = two};
  batch.weight = none;
  CHECK(refused(cpo{}, batch) == "prefopt::evaluate: weight has 0 elements, chosen has 2");
  batch.weight = {};
  batch.margin = none;
  CHECK(refused(bradley_terry{}, batch) == "prefopt::evaluate: margin has 0 elements, chosen has 2");
  CHECK(refused(cpo{}, batch) == "no error");
  batch.margin = {};
  batch.ref_chosen = batch.ref_rejected = none;
  CHECK(refused(dpo{}, batch) == "prefopt::evaluate: ref_chosen has 0 elements, chosen has 2");

  std::array<int, 2> const offsets{0, 2};
  list_batch<double> groups{.logp = two, .offsets = offsets};
  groups.reward = none;
  CHECK(refused(plackett_luce{}, groups) == "prefopt::evaluate: reward has 0 elements, logp has 2");
  groups.reward = {};
  groups.weight = none;
  CHECK(refused(plackett_luce{}, groups) ==
        "prefopt::evaluate: weight has 0 elements, expected 1, one a group, or 2, one a candidate");

  pair_batch<double> const nothing{.chosen = none, .rejected = none, .ref_chosen = none, .ref_rejected = none};
  CHECK(evaluate(dpo{}, nothing).count == 0);
  CHECK(evaluate(dpo{}, pair_batch<double>{}).count == 0);
}
