// Every check on entry: its exact words, and that nothing is written before it.
#include <cmath>
#include <limits>
#include <special_numbers.hpp>

#include "pairs.hpp"

using namespace prefopt;

namespace {

/// A batch for dpo of 8 pairs whose members can be changed.
struct eight {
  std::vector<double> a = std::vector<double>(8, -1.0), b = a, ref_a = a, ref_b = a;
  [[nodiscard]] pair_batch<double> batch() const {
    return {.chosen = a, .rejected = b, .ref_chosen = ref_a, .ref_rejected = ref_b};
  }
};

}  // namespace

TEST_CASE("sizes that differ are refused, naming the column and both sizes") {
  std::vector<double> const eight_values(8, 1.0), seven(7, 1.0), one(1, 1.0);
  auto const loss = lcpo<bradley_terry>{};
  pair_batch<double> const good{
      .chosen = eight_values, .rejected = eight_values, .margin = eight_values, .reliability = eight_values};
  REQUIRE(refusal_of(loss, good) == "outputs were written before the error: no error");

  auto batch = good;
  batch.rejected = seven;
  CHECK(refusal_of(loss, batch) == "prefopt::evaluate: rejected has 7 elements, chosen has 8");
  batch = good;
  batch.margin = seven;
  CHECK(refusal_of(loss, batch) == "prefopt::evaluate: margin has 7 elements, chosen has 8");
  batch = good;
  batch.reliability = one;
  CHECK(refusal_of(loss, batch) == "prefopt::evaluate: reliability has 1 element, chosen has 8");
  batch = good;
  batch.weight = one;
  CHECK(refusal_of(loss, batch) == "prefopt::evaluate: weight has 1 element, chosen has 8");
  batch = good;
  batch.chosen = one;
  CHECK(refusal_of(loss, batch) == "prefopt::evaluate: rejected has 8 elements, chosen has 1");
  batch.chosen = {};
  CHECK(refusal_of(loss, batch) == "prefopt::evaluate: rejected has 8 elements, chosen has 0");

  eight data;
  data.ref_a.pop_back();
  CHECK(refusal_of(dpo{}, data.batch()) == "prefopt::evaluate: ref_chosen has 7 elements, chosen has 8");
  data = {};
  data.ref_b.push_back(0);
  CHECK(refusal_of(dpo{}, data.batch()) == "prefopt::evaluate: ref_rejected has 9 elements, chosen has 8");
  data = {};
  auto lengths = data.batch();
  lengths.chosen_length = eight_values;
  lengths.rejected_length = seven;
  CHECK(refusal_of(ipo_mean{}, lengths) == "prefopt::evaluate: rejected_length has 7 elements, chosen has 8");
  lengths.rejected_length = eight_values;
  lengths.chosen_length = seven;
  CHECK(refusal_of(ipo_mean{}, lengths) == "prefopt::evaluate: chosen_length has 7 elements, chosen has 8");
  auto labels = data.batch();
  labels.label = seven;
  CHECK(refusal_of(labelled<dpo>{}, labels) == "prefopt::evaluate: label has 7 elements, chosen has 8");
}

TEST_CASE("a column that the loss needs must be given") {
  eight const data;
  auto batch = data.batch();
  batch.ref_chosen = {};
  CHECK(refusal_of(dpo{}, batch) == "prefopt::evaluate: dpo needs the column ref_chosen, which is not given");
  batch = data.batch();
  batch.ref_rejected = {};
  CHECK(refusal_of(dpo{}, batch) == "prefopt::evaluate: dpo needs the column ref_rejected, which is not given");
  batch = data.batch();
  batch.rejected = {};
  CHECK(refusal_of(dpo{}, batch) == "prefopt::evaluate: dpo needs the column rejected, which is not given");
  CHECK(refusal_of(ln_dpo{}, data.batch()) ==
        "prefopt::evaluate: ln_dpo needs the column chosen_length, which is not given");
  CHECK(refusal_of(labelled<hinge>{}, data.batch()) ==
        "prefopt::evaluate: labelled<hinge> needs the column label, which is not given");
  CHECK(refusal_of(lcpo<dpo>{}, data.batch()) ==
        "prefopt::evaluate: lcpo<dpo> needs the column reliability, which is not given");
  CHECK(refusal_of(lcpo<smoothed<dpo>>{}, data.batch()) ==
        "prefopt::evaluate: lcpo<smoothed<dpo>> needs the column reliability, which is not given");
}

TEST_CASE("a column that the loss does not read must not be given") {
  eight const data;
  auto const refused = [&](auto const& loss, column<double> pair_batch<double>::*member) {
    auto batch = data.batch();
    batch.*member = data.a;
    return refusal_of(loss, batch);
  };
  using batch = pair_batch<double>;
  CHECK(refused(dpo{}, &batch::chosen_length) ==
        "prefopt::evaluate: dpo does not read the column chosen_length, which is given");
  CHECK(refused(dpo{}, &batch::rejected_length) ==
        "prefopt::evaluate: dpo does not read the column rejected_length, which is given");
  CHECK(refused(rdpo{}, &batch::margin) == "prefopt::evaluate: rdpo does not read the column margin, which is given");
  CHECK(refused(cdpo{}, &batch::label) == "prefopt::evaluate: cdpo does not read the column label, which is given");
  CHECK(refused(ipo{}, &batch::reliability) ==
        "prefopt::evaluate: ipo does not read the column reliability, which is given");
  CHECK(refusal_of(cpo{}, data.batch()) ==
        "prefopt::evaluate: cpo does not read the column ref_chosen, which is given");
  CHECK(refusal_of(smoothed<cpo>{}, data.batch()) ==
        "prefopt::evaluate: smoothed<cpo> does not read the column ref_chosen, which is given");
}

TEST_CASE("values out of a column's range are refused, with the first pair and the value") {
  constexpr std::size_t n = 20000;
  std::vector<double> const ones(n, 1.0);
  auto const check = [&](auto const& loss, column<double> pair_batch<double>::*member, std::string const& name,
                         std::string const& expected, std::vector<double> const& bad_values, pair_batch<double> batch) {
    for (double const bad : bad_values) {
      for (std::size_t const at : {std::size_t{0}, std::size_t{15}, std::size_t{256}, std::size_t{4097}, n - 1}) {
        auto column = ones;
        column[at] = bad;
        column[n - 1] = bad;
        batch.*member = column;
        CHECK(refusal_of(loss, batch) == "prefopt::evaluate: " + name + "[" + std::to_string(at) + "] is " +
                                             detail::text(bad) + ", expected a " +
                                             (name == "weight" ? "finite number " : "number ") + expected);
      }
    }
  };
  pair_batch<double> const plain{.chosen = ones, .rejected = ones};
  pair_batch<double> const anchored_{.chosen = ones, .rejected = ones, .ref_chosen = ones, .ref_rejected = ones};
  pair_batch<double> const measured{.chosen = ones, .rejected = ones, .chosen_length = ones, .rejected_length = ones};
  using batch = pair_batch<double>;
  double const below = -std::numeric_limits<double>::denorm_min(), above = std::nextafter(1.0, 2.0);
  check(simpo{}, &batch::chosen_length, "chosen_length", ">= 0", {-1, -infinity<double>, below}, measured);
  check(simpo{}, &batch::rejected_length, "rejected_length", ">= 0", {-0.5}, measured);
  check(cpo{}, &batch::weight, "weight", ">= 0", {-1, below, -infinity<double>, infinity<double>, not_a_number<double>},
        plain);
  check(labelled<dpo>{}, &batch::label, "label", "in [0, 1]", {-1, below, above, infinity<double>}, anchored_);
  check(lcpo<cpo>{}, &batch::reliability, "reliability", "in [0, 1]", {2, below, above, -infinity<double>}, plain);

  // The bounds themselves, and a negative zero, are in.
  std::vector<double> const edge{0.0, 1.0, -0.0};
  CHECK_NOTHROW(evaluate(labelled<cpo>{}, batch{.chosen = edge, .rejected = edge, .label = edge}));
  CHECK_NOTHROW(evaluate(lcpo<cpo>{}, batch{.chosen = edge, .rejected = edge, .weight = edge, .reliability = edge}));
  // An integer or boolean column is judged after its conversion.
  std::vector<int> const counts{3, -2, 4};
  CHECK(
      refusal_of(simpo{}, batch{.chosen = edge, .rejected = edge, .chosen_length = counts, .rejected_length = edge}) ==
      "prefopt::evaluate: chosen_length[1] is -2, expected a number >= 0");
  // In float, the value is the float's.
  std::vector<float> const f(3, 1.0F), above_one{1.0F, 1.5F, 1.0F};
  CHECK(refusal_of(labelled<cpo>{}, pair_batch<float>{.chosen = f, .rejected = f, .label = above_one}) ==
        "prefopt::evaluate: label[1] is 1.5, expected a number in [0, 1]");
}

TEST_CASE("the first of several wrong pairs is named, whatever the columns and the executor") {
  constexpr std::size_t n = 40000;
  std::vector<double> const ones(n, 1.0);
  std::vector<double> weight = ones, label = ones;
  weight[30000] = -1;
  label[20000] = 3;
  auto const backwards = [](std::size_t parts, executor::task const& work) {
    while (parts-- > 0) work(parts);
  };
  pair_batch<double> const batch{.chosen = ones, .rejected = ones, .weight = weight, .label = label};
  CHECK(refusal_of(labelled<cpo>{}, batch, {.executor = backwards}) ==
        "prefopt::evaluate: label[20000] is 3, expected a number in [0, 1]");
}

TEST_CASE("options out of their range are refused") {
  eight const data;
  for (double const bad : {0.0, -1.0, infinity<double>, -infinity<double>, not_a_number<double>}) {
    CHECK(refusal_of(dpo{}, data.batch(), {.denominator = bad}) ==
          "prefopt::evaluate: denominator is " + detail::text(bad) + ", expected a finite number > 0");
  }
  for (auto const how : {reduction::sum, reduction::none}) {
    CHECK(refusal_of(dpo{}, data.batch(), {.reduction = how, .denominator = 8.0}) ==
          "prefopt::evaluate: denominator is given, but only reduction::mean divides");
  }
  CHECK_NOTHROW(evaluate(dpo{}, data.batch(), {}, {.denominator = 0.25}));
}

TEST_CASE("a denominator, or weights, by which nothing can be divided are refused") {
  std::vector<float> const zeros(8), huge(8, 1e30F), tiny(8, 1e-45F);
  std::vector<float> d_chosen(8, 7.0F);
  pair_outputs<float> const outputs{.d_chosen = d_chosen};
  // A hinge that does not bind has a gradient of 0, which must not become 0 * inf.
  pair_batch<float> batch{.chosen = zeros, .rejected = zeros};
  auto const refused = [&](options const& options) {
    try {
      evaluate(cpo{}, batch, outputs, options);
    } catch (std::invalid_argument const& error) {
      CHECK(d_chosen == std::vector<float>(8, 7.0F));
      return std::string{error.what()};
    }
    return std::string{};
  };
  CHECK(
      refused({.denominator = 1e-45}).starts_with("prefopt::evaluate: denominator is 1e-45, expected more than 2.35"));
  CHECK(refused({.denominator = 5e-324})
            .starts_with("prefopt::evaluate: denominator is 5e-324, expected more than 2.35"));
  batch.weight = huge;
  CHECK(refused({.denominator = 1e-8}).starts_with("prefopt::evaluate: denominator is 1e-08, expected more than 2.35"));
  batch.weight = tiny;
  CHECK(refused({}).starts_with("prefopt::evaluate: the weights add up to 1.1"));
  batch.weight = huge;
  CHECK(refused({}).empty());
  CHECK(std::ranges::all_of(d_chosen, [](float d) { return std::isfinite(d); }));
}

TEST_CASE("outputs of another size are refused, and a posterior that no loss has") {
  pairs<double> const data{8};
  auto const loss = lcpo<dpo>{};
  auto const batch = data.batch(loss);
  using outputs = pair_outputs<double>;
  struct named {
    output<double> outputs::*member;
    std::string name;
  };
  for (auto const& [member, name] :
       {named{&outputs::loss, "loss"}, named{&outputs::d_chosen, "d_chosen"}, named{&outputs::d_rejected, "d_rejected"},
        named{&outputs::chosen_reward, "chosen_reward"}, named{&outputs::rejected_reward, "rejected_reward"},
        named{&outputs::posterior, "posterior"}}) {
    for (std::size_t const size : {std::size_t{1}, std::size_t{7}, std::size_t{9}}) {
      results<double> written{8, true};
      std::vector<double> wrong(size, results<double>::untouched);
      auto where = written.outputs();
      where.*member = wrong;
      CHECK(refusal([&] { static_cast<void>(evaluate(loss, batch, where)); }) ==
            "prefopt::evaluate: output " + name + " has " + std::to_string(size) +
                (size == 1 ? " element" : " elements") + ", chosen has 8");
      CHECK(written.is_untouched());
      CHECK(wrong == std::vector<double>(size, results<double>::untouched));
    }
  }
  for (auto const& one : every_independent_loss()) {
    if (one.has_posterior()) continue;
    results<double> written{8, true};
    CHECK(refusal([&] { static_cast<void>(evaluate(one, data.batch(one), written.outputs())); }) ==
          "prefopt::evaluate: " + one.name() + " does not write the output posterior, which is given");
    CHECK(written.is_untouched());
  }
}

TEST_CASE("an output that is not given is not computed, and the others do not change") {
  pairs<double> const data{261};
  for (auto const& loss : every_independent_loss()) {
    CAPTURE(loss.name());
    results<double> whole{261, loss};
    auto const seen = evaluate(loss, data.batch(loss), whole.outputs());
    CHECK(same_bits(seen, evaluate(loss, data.batch(loss))));
    results<double> some{261, loss};
    auto where = some.outputs();
    where.loss = {};
    where.d_rejected = {};
    where.posterior = {};
    CHECK(same_bits(seen, evaluate(loss, data.batch(loss), where)));
    CHECK(some.d_chosen == whole.d_chosen);
    CHECK(some.rejected_reward == whole.rejected_reward);
    CHECK(some.loss == std::vector<double>(261, results<double>::untouched));
    CHECK(some.d_rejected == some.loss);
  }
}

TEST_CASE("a wrong parameter is refused before anything is written") {
  pairs<double> const data{8};
  CHECK(refusal_of(ipo{.tau = 0}, data.batch(ipo{})) == "prefopt::ipo: tau is 0, expected a finite number > 0");
}
