// Every check on entry: its exact words, and that nothing is written before it.
#include "groups.hpp"

using namespace prefopt;

namespace {

using groups_in_double = list_batch<double>;

/// Three groups of 2, 1 and 5 candidates, whose members can be changed.
struct eight {
  std::vector<double> logp{-1, -2, -3, -4, -5, -6, -7, -8}, values{1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<int> offsets{0, 2, 3, 8};
  [[nodiscard]] groups_in_double batch() const { return {.logp = logp, .offsets = offsets}; }
};

std::string refused_offsets(std::vector<int> const& offsets) {
  std::vector<double> const logp(8, -1.0);
  return refusal_of(made("info_nce"), groups_in_double{.logp = logp, .offsets = offsets});
}

}  // namespace

TEST_CASE("offsets that do not span the candidates in groups are refused") {
  CHECK(refused_offsets({0, 2, 3, 8}) == "outputs were written before the error: no error");
  CHECK(refused_offsets({}) == "prefopt::evaluate: offsets is empty, expected the number of groups + 1 entries");
  CHECK(refusal_of(made("info_nce"), groups_in_double{}) ==
        "prefopt::evaluate: offsets is empty, expected the number of groups + 1 entries");
  CHECK(refused_offsets({1, 2, 8}) == "prefopt::evaluate: offsets[0] is 1, expected 0");
  CHECK(refused_offsets({-1, 2, 8}) == "prefopt::evaluate: offsets[0] is -1, expected 0");
  CHECK(refused_offsets({9}) == "prefopt::evaluate: offsets[0] is 9, expected 0");
  CHECK(refused_offsets({0, 3, 2, 8}) == "prefopt::evaluate: offsets[2] is 2, expected a number from 3 to 8");
  CHECK(refused_offsets({0, -2, 8}) == "prefopt::evaluate: offsets[1] is -2, expected a number from 0 to 8");
  CHECK(refused_offsets({0, 4, 9, 8}) == "prefopt::evaluate: offsets[2] is 9, expected a number from 4 to 8");
  CHECK(refused_offsets({0, 4, 9}) == "prefopt::evaluate: offsets[2] is 9, expected a number from 4 to 8");
  CHECK(refused_offsets({0, 4, 7}) == "prefopt::evaluate: offsets end at 7, logp has 8 elements");
  CHECK(refused_offsets({0}) == "prefopt::evaluate: offsets end at 0, logp has 8 elements");
  std::vector<int> const two{0, 2};
  CHECK(refusal_of(made("info_nce"), groups_in_double{.offsets = two}) ==
        "prefopt::evaluate: offsets[1] is 2, expected a number from 0 to 0");
  std::vector<std::uint64_t> const wraps{0, ~std::uint64_t{0}, 2};
  std::vector<double> const logp{-1, -2};
  CHECK(refusal_of(made("info_nce"), groups_in_double{.logp = logp, .offsets = wraps}) ==
        "prefopt::evaluate: offsets[1] is -1, expected a number from 0 to 2");
  // Far into a large batch, where they are looked at in pieces.
  for (std::size_t const at : {std::size_t{255}, std::size_t{256}, std::size_t{257}, std::size_t{1999}}) {
    std::vector<int> offsets(2001);
    std::iota(offsets.begin(), offsets.end(), 0);
    std::vector<double> const many(2000, -1.0);
    offsets[at] = static_cast<int>(at) - 2;
    CHECK(refusal_of(made("info_nce"), groups_in_double{.logp = many, .offsets = offsets}) ==
          "prefopt::evaluate: offsets[" + std::to_string(at) + "] is " + std::to_string(at - 2) +
              ", expected a number from " + std::to_string(at - 1) + " to 2000");
    offsets[at] = 2001;
    CHECK(refusal_of(made("info_nce"), groups_in_double{.logp = many, .offsets = offsets}) ==
          "prefopt::evaluate: offsets[" + std::to_string(at) + "] is 2001, expected a number from " +
              std::to_string(at - 1) + " to 2000");
  }
}

TEST_CASE("sizes that differ are refused, naming the column and both sizes") {
  eight const data;
  std::vector<double> const seven(7, 1.0), one(1, 1.0), nine(9, 1.0), two(2, 1.0);
  auto const refused = [&](any_list_loss const& loss, column<double> groups_in_double::*member,
                           column<double> const& values) {
    auto batch = data.batch();
    if (loss.needs(columns::length)) batch.length = data.values;
    if (loss.needs(columns::reward)) batch.reward = data.values;
    batch.*member = values;
    return refusal_of(loss, batch);
  };
  CHECK(refused(made("info_nce"), &groups_in_double::ref_logp, seven) ==
        "prefopt::evaluate: ref_logp has 7 elements, logp has 8");
  CHECK(refused(made("info_nce"), &groups_in_double::ref_logp, one) ==
        "prefopt::evaluate: ref_logp has 1 element, logp has 8");
  CHECK(refused(made("pro"), &groups_in_double::length, nine) ==
        "prefopt::evaluate: length has 9 elements, logp has 8");
  CHECK(refused(made("plackett_luce"), &groups_in_double::reward, seven) ==
        "prefopt::evaluate: reward has 7 elements, logp has 8");
  CHECK(refused(made("adpo"), &groups_in_double::target, two) ==
        "prefopt::evaluate: target has 2 elements, logp has 8");
  // Weights: one a group (3), or one a candidate (8).
  CHECK(refused(made("info_nce"), &groups_in_double::weight, seven) ==
        "prefopt::evaluate: weight has 7 elements, expected 3, one a group, or 8, one a candidate");
  CHECK(refused(made("info_nce"), &groups_in_double::weight, two) ==
        "prefopt::evaluate: weight has 2 elements, expected 3, one a group, or 8, one a candidate");
  CHECK(refused(made("info_nce"), &groups_in_double::weight, one) ==
        "prefopt::evaluate: weight has 1 element, expected 3, one a group, or 8, one a candidate");
  // Columns without candidates.
  std::vector<int> const no_group{0};
  CHECK(refusal_of(made("plackett_luce"), groups_in_double{.reward = two, .offsets = no_group}) ==
        "prefopt::evaluate: reward has 2 elements, logp has 0");
}

TEST_CASE("outputs of another size are refused") {
  eight const data;
  auto const loss = made("info_nce");
  for (std::size_t const size : {std::size_t{1}, std::size_t{2}, std::size_t{4}, std::size_t{8}}) {
    std::vector<double> losses(size, 7.0), gradients(8, 7.0);
    CHECK(refusal([&] { static_cast<void>(evaluate(loss, data.batch(), {.loss = losses, .d_logp = gradients})); }) ==
          "prefopt::evaluate: loss has " + std::to_string(size) + (size == 1 ? " element" : " elements") +
              ", the number of groups is 3");
    CHECK(losses == std::vector<double>(size, 7.0));
    CHECK(gradients == std::vector<double>(8, 7.0));
  }
  for (std::size_t const size : {std::size_t{1}, std::size_t{3}, std::size_t{9}}) {
    std::vector<double> losses(3, 7.0), gradients(size, 7.0);
    CHECK(refusal([&] { static_cast<void>(evaluate(loss, data.batch(), {.loss = losses, .d_logp = gradients})); }) ==
          "prefopt::evaluate: d_logp has " + std::to_string(size) + (size == 1 ? " element" : " elements") +
              ", logp has 8");
    CHECK(losses == std::vector<double>(3, 7.0));
    CHECK(gradients == std::vector<double>(size, 7.0));
  }
}

TEST_CASE("a column that is needed is needed of one candidate, and of none is not") {
  std::vector<double> const logp{-1}, one{0.5};
  std::vector<int> const offsets{0, 1}, none{0};
  auto const adpo = made("adpo"), real = made("real");
  std::string const text = "prefopt::evaluate: adpo needs one of the columns reward and target, got ";
  CHECK(refusal_of(adpo, groups_in_double{.logp = logp, .ref_logp = one, .offsets = offsets}) == text + "none");
  CHECK(refusal_of(adpo,
                   groups_in_double{.logp = logp, .ref_logp = one, .reward = one, .target = one, .offsets = offsets}) ==
        text + "both");
  CHECK(refusal_of(real, groups_in_double{.logp = logp, .offsets = offsets}) ==
        "prefopt::evaluate: real needs the column ref_logp, which is not given");
  for (auto const& loss : {adpo, real}) {
    CHECK(refusal_of(loss, groups_in_double{.offsets = none}) == "no error");
  }
}

TEST_CASE("a matrix loss takes groups of square sizes") {
  auto const sami = made("sami");
  for (std::size_t const size :
       std::vector<std::size_t>{2, 3, 5, 8, 10, 15, 24, 63, 65, 80, 99, 101, 1023, 1025, 999999}) {
    std::vector<double> const logp(4 + size, -1.0);
    std::vector<std::size_t> const offsets{0, 4, 4 + size};
    CHECK(refusal_of(sami, groups_in_double{.logp = logp, .offsets = offsets}) ==
          "prefopt::evaluate: group 1 has " + std::to_string(size) + " candidates, sami expects a square number");
  }
  for (std::size_t const size : std::vector<std::size_t>{1, 4, 9, 16, 49, 64, 81, 100, 1024}) {
    std::vector<double> const logp(size, -1.0);
    std::vector<std::size_t> const offsets{0, size};
    CHECK_NOTHROW(evaluate(sami, groups_in_double{.logp = logp, .offsets = offsets}));
  }
}

TEST_CASE("a group of more candidates than can be told apart is refused") {
  float const x = -1;
  double const y = -1;
  std::vector<std::int64_t> const offsets{0, 3, (std::int64_t{1} << 24) + 4}, more{0, (std::int64_t{1} << 32) + 1};
  CHECK(refusal([&] {
          static_cast<void>(evaluate(
              made("info_nce"), list_batch<float>{.logp = {&x, (std::size_t{1} << 24) + 4, 0}, .offsets = offsets}));
        }) == "prefopt::evaluate: group 1 has 16777217 candidates, expected at most 16777216");
  CHECK(refusal([&] {
          static_cast<void>(evaluate(made("info_nce"),
                                     list_batch<double>{.logp = {&y, (std::size_t{1} << 32) + 1, 0}, .offsets = more}));
        }) == "prefopt::evaluate: group 0 has 4294967297 candidates, expected at most 4294967296");
}

TEST_CASE("values out of a column's range are refused, with the first of the first such group") {
  // Small groups, large ones, and several windows.
  groups<double> data{[] {
    std::vector<std::size_t> sizes(3000, 3);
    sizes[4] = 70;
    sizes[2500] = 100;
    return sizes;
  }()};
  std::size_t const n = data.candidates();
  auto const check = [&](any_list_loss const& loss, column<double> groups_in_double::*member,
                         std::vector<double> const& good, std::string const& name,
                         std::vector<double> const& bad_values, std::string const& expected) {
    for (double const bad : bad_values) {
      for (std::size_t const at : {std::size_t{0}, std::size_t{13}, std::size_t{14}, std::size_t{80}, std::size_t{4000},
                                   data.begin(2500) + 99, n - 1}) {
        auto values = good;
        values[at] = bad;
        values[n - 1] = bad;
        auto batch = data.batch(loss);
        if (name == "target") batch.reward = {};
        batch.*member = values;
        CHECK(refusal_of(loss, batch) == "prefopt::evaluate: " + name + "[" + std::to_string(at) + "] is " +
                                             detail::text(bad) + ", expected " + expected);
      }
    }
  };
  double const below = -std::numeric_limits<double>::denorm_min();
  check(made("pro"), &groups_in_double::length, data.length, "length", {-1, below, -infinity<double>}, "a number >= 0");
  check(made("info_nce"), &groups_in_double::length, data.length, "length", {-0.5}, "a number >= 0");
  check(made("adpo"), &groups_in_double::target, data.target, "target", {-1, below, -infinity<double>},
        "a number >= 0");
  check(made("rank_dpo"), &groups_in_double::reward, data.reward, "reward",
        {101, std::nextafter(100.0, 200.0), infinity<double>}, "at most 100 with rank_dpo");
  // Weights one a group.
  for (double const bad : {-1.0, below, -infinity<double>, infinity<double>, not_a_number<double>}) {
    for (std::size_t const group : {std::size_t{0}, std::size_t{4}, std::size_t{1024}, std::size_t{2500}}) {
      auto changed = data;
      changed.weight[group] = bad;
      changed.weight.back() = bad;
      CHECK(refusal_of(made("info_nce"), changed.weighted(made("info_nce"))) ==
            "prefopt::evaluate: weight[" + std::to_string(group) + "] is " + detail::text(bad) +
                ", expected a finite number >= 0");
      auto const spread = changed.spread_weight();
      auto batch = changed.batch(made("info_nce"));
      batch.weight = spread;
      CHECK(refusal_of(made("info_nce"), batch) == "prefopt::evaluate: weight[" + std::to_string(changed.begin(group)) +
                                                       "] is " + detail::text(bad) + ", expected a finite number >= 0");
    }
  }
  // The bounds themselves, and a negative zero, are in.
  std::vector<double> const logp{-1, -2, -3}, edge{0.0, -0.0, 100.0};
  std::vector<int> const offsets{0, 3}, lengths{3, -2, 4};
  CHECK_NOTHROW(evaluate(made("rank_dpo"), groups_in_double{.logp = logp, .reward = edge, .offsets = offsets}));
  CHECK_NOTHROW(evaluate(made("adpo"), groups_in_double{.logp = logp, .target = edge, .offsets = offsets}));
  CHECK_NOTHROW(evaluate(made("rrhf"), groups_in_double{.logp = logp, .length = edge, .offsets = offsets}, {},
                         {.empty = on_invalid::propagate}));
  CHECK(refusal_of(made("rrhf"), groups_in_double{.logp = logp, .length = lengths, .offsets = offsets}) ==
        "prefopt::evaluate: length[1] is -2, expected a number >= 0");
  std::vector<float> const in_float{-1, -2, -3}, too_high{1, 100.5F, 3};
  CHECK(refusal_of(made("rank_dpo"), list_batch<float>{.logp = in_float, .reward = too_high, .offsets = offsets}) ==
        "prefopt::evaluate: reward[1] is 100.5, expected at most 100 with rank_dpo");
}

TEST_CASE("a weight that differs within its group is refused") {
  eight const data;
  auto batch = data.batch();
  std::vector<double> weight{1, 1, 2, 0.5, 0.5, 0.5, 0.25, 0.5};
  batch.weight = weight;
  CHECK(refusal_of(made("info_nce"), batch) ==
        "prefopt::evaluate: weight[6] is 0.25, expected 0.5 as at the first candidate of group 2");
  weight[1] = 0;
  CHECK(refusal_of(made("info_nce"), batch) ==
        "prefopt::evaluate: weight[1] is 0, expected 1 as at the first candidate of group 0");
  weight[1] = not_a_number<double>;
  for (auto const how : {on_invalid::propagate, on_invalid::error, on_invalid::skip}) {
    CHECK(refusal_of(made("info_nce"), batch, {.non_finite = how}) ==
          "prefopt::evaluate: weight[1] is nan, expected 1 as at the first candidate of group 0");
  }
  weight = {1, 1, 2, 0.5, 0.5, 0.5, 0.5, -0.5};
  CHECK(refusal_of(made("info_nce"), batch) ==
        "prefopt::evaluate: weight[7] is -0.5, expected 0.5 as at the first candidate of group 2");
  weight = {0.0, -0.0, 2, 1, 1, 1, 1, 1};
  CHECK_NOTHROW(evaluate(made("info_nce"), batch));
}

TEMPLATE_TEST_CASE("ties are refused where they have no meaning, in small groups and large ones", "", float, double) {
  using T = TestType;
  for (auto const& loss : {made("plackett_luce"), made("list_mle"), made("list_mle", {{"top_k", 1}})}) {
    for (std::size_t const size : std::vector<std::size_t>{2, 5, 63, 64, 65, 66, 300, 1000}) {
      groups<T> const data{{3, size, 4}};
      std::size_t const first = 3, last = 3 + size - 1, middle = 3 + size / 2;
      for (auto const& [i, j] : {std::pair{first, last}, std::pair{first, first + 1}, std::pair{last - 1, last},
                                 std::pair{middle - 1, last}}) {
        if (i == j) continue;
        for (auto const& [x, y, shown] :
             {std::tuple{T(0.5), T(0.5), "0.5"}, std::tuple{T(0), -T(0), "-0"}, std::tuple{-T(0), T(0), "0"},
              std::tuple{T(1e30), T(1e30), sizeof(T) == 4 ? "1.0000000150474662e+30" : "1e+30"},
              std::tuple{infinity<T>, infinity<T>, "inf"}, std::tuple{-infinity<T>, -infinity<T>, "-inf"}}) {
          CAPTURE(loss.name(), size, i, j, shown);
          auto changed = data;
          changed.reward[i] = x;
          changed.reward[j] = y;
          auto const expected = "prefopt::evaluate: reward[" + std::to_string(i) + "] and reward[" + std::to_string(j) +
                                "] of group 1 are both " + shown + ", " + loss.name() +
                                " expects different ones unless break_ties is set";
          CHECK(refusal_of(loss, changed.batch(loss)) == expected);
          // The first of two groups with ties is named, whatever the executor does.
          changed.reward[3 + size] = changed.reward[3 + size + 3];
          auto const backwards = [](std::size_t parts, executor::task const& work) {
            while (parts-- > 0) work(parts);
          };
          CHECK(refusal_of(loss, changed.batch(loss), {.executor = backwards}) == expected);
        }
      }
    }
  }
  groups<T> tied{{4, 70}};
  std::fill(tied.reward.begin(), tied.reward.end(), T(1));
  for (auto const& loss : every_list_loss()) {
    if (loss.name() == "plackett_luce" || loss.name() == "list_mle" || is_square(loss)) continue;
    CAPTURE(loss.name());
    CHECK_NOTHROW(evaluate(loss, tied.batch(loss)));
  }
  CHECK_NOTHROW(evaluate(made("plackett_luce", {{"break_ties", 1}}), tied.batch(made("plackett_luce"))));
  CHECK_NOTHROW(evaluate(made("list_mle", {{"break_ties", 1}}), tied.batch(made("list_mle"))));
  // Without rewards there is nothing to tie, and the rewards of two groups may be the same.
  CHECK_NOTHROW(evaluate(made("plackett_luce"), tied.batch(made("plackett_luce"), {.reward = false})));
  groups<T> same{{2, 2, 70, 70}};
  for (std::size_t i = 0; i < 2; ++i) same.reward[2 + i] = same.reward[i];
  for (std::size_t i = 0; i < 70; ++i) same.reward[74 + i] = same.reward[4 + i];
  CHECK_NOTHROW(evaluate(made("plackett_luce"), same.batch(made("plackett_luce"))));
}

TEMPLATE_TEST_CASE("NaN rewards are no ties and hide none", "", float, double) {
  using T = TestType;
  auto const loss = made("plackett_luce");
  for (std::size_t const size : std::vector<std::size_t>{5, 64, 65, 70, 500}) {
    CAPTURE(size);
    groups<T> data{{size}};
    data.reward[1] = data.reward[3] = not_a_number<T>;
    CHECK_NOTHROW(evaluate(loss, data.batch(loss)));
    // -inf is what a NaN is sorted as.
    for (std::size_t const nan : std::vector<std::size_t>{0, 1, 2, 3, 4}) {
      for (std::size_t const low : std::vector<std::size_t>{0, 1, 2, 3, 4}) {
        for (std::size_t other = 0; other < low; ++other) {
          if (nan == low || nan == other) continue;
          auto changed = groups<T>{{size}};
          changed.reward[nan] = not_a_number<T>;
          changed.reward[low] = changed.reward[other] = -infinity<T>;
          CHECK(refusal_of(loss, changed.batch(loss)) ==
                "prefopt::evaluate: reward[" + std::to_string(other) + "] and reward[" + std::to_string(low) +
                    "] of group 0 are both -inf, plackett_luce expects different ones unless break_ties is set");
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a tie is found wherever its group stands, among groups of one size or of several", "", float,
                   double) {
  using T = TestType;
  auto const loss = made("plackett_luce");
  for (std::size_t const size : std::vector<std::size_t>{2, 7, 8, 63, 64}) {
    for (std::size_t const other : {size, std::size_t{3}}) {
      std::vector<std::size_t> sizes(37, size);
      for (std::size_t g = 1; g < sizes.size(); g += 2) sizes[g] = other;
      groups<T> const data{sizes};
      REQUIRE_NOTHROW(evaluate(loss, data.batch(loss)));
      std::size_t begin = 0;
      for (std::size_t g = 0; g < sizes.size(); begin += sizes[g++]) {
        CAPTURE(size, other, g);
        auto changed = data;
        changed.reward[begin + sizes[g] - 1] = changed.reward[begin];
        auto const named = refusal_of(loss, changed.batch(loss));
        CHECK(named.find("of group " + std::to_string(g) + " are both") != std::string::npos);
        std::vector<T> spread(2 * changed.reward.size());
        for (std::size_t i = 0; i < changed.reward.size(); ++i) spread[2 * i] = changed.reward[i];
        auto apart = changed.batch(loss);
        apart.reward = {spread.data(), changed.reward.size(), 2};
        CHECK(refusal_of(loss, apart) == named);
      }
    }
  }
}

TEST_CASE("options out of their range are refused") {
  eight const data;
  auto const loss = made("info_nce");
  for (double const bad : {0.0, -1.0, infinity<double>, -infinity<double>, not_a_number<double>}) {
    CHECK(refusal_of(loss, data.batch(), {.denominator = bad}) ==
          "prefopt::evaluate: denominator is " + detail::text(bad) + ", expected a finite number > 0");
  }
  for (auto const how : {reduction::sum, reduction::none}) {
    CHECK(refusal_of(loss, data.batch(), {.reduction = how, .denominator = 8.0}) ==
          "prefopt::evaluate: denominator is given, but only reduction::mean divides");
  }
  CHECK_NOTHROW(evaluate(loss, data.batch(), {}, {.denominator = 0.25}));
}

TEST_CASE("the first of several wrong groups is named, whatever the columns and the executor") {
  groups<double> data{std::vector<std::size_t>(20000, 4)};
  auto const backwards = [](std::size_t parts, executor::task const& work) {
    while (parts-- > 0) work(parts);
  };
  auto const loss = made("pro");
  data.weight[15000] = -1;
  data.length[4 * 9000 + 2] = -3;
  data.length[4 * 17000] = -1;
  CHECK(refusal_of(loss, data.weighted(loss), {.executor = backwards}) ==
        "prefopt::evaluate: length[36002] is -3, expected a number >= 0");
  data.length[4 * 9000 + 2] = 3;
  CHECK(refusal_of(loss, data.weighted(loss), {.executor = backwards}) ==
        "prefopt::evaluate: weight[15000] is -1, expected a finite number >= 0");
}
