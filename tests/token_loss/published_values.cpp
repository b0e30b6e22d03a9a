// Values worked out by hand or with many digits: three tokens under every surrogate, a token under every KL estimator,
// three weights under every correction, four rewards under every mode of advantages.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <refusal.hpp>
#include <string>
#include <utility>
#include <vector>

#include "token_loss/made.hpp"

using namespace prefopt;

namespace {

using numbers = std::vector<double>;

void check_published(numbers const& got, numbers const& right) {
  REQUIRE(got.size() == right.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("at " << i << ": got " << got[i] << ", expected " << right[i]);
    CHECK(std::fabs(got[i] - right[i]) <= 1e-14 * (1 + std::fabs(right[i])));
  }
}

struct published_surrogate {
  char const* name;
  parameter_values values;
  numbers good, d_good, bad, d_bad;  ///< at advantage 1 and -1
};

std::vector<std::int64_t> const three_tokens{0, 3};

}  // namespace

TEST_CASE("every surrogate has the parameters that it was published with, each its own and in its range") {
  enum class numbers { any, not_negative, positive, share, share_not_0, yes_or_no };
  struct row {
    std::string name;
    double standard;
    numbers range;
  };
  using enum numbers;
  std::vector<std::pair<std::string, std::vector<row>>> const published{
      {"reinforce", {}},
      {"ppo_clip", {{"low", 0.2, share}, {"high", 0.2, not_negative}, {"dual", 0, not_negative}}},
      {"cispo", {{"low", 0, not_negative}, {"high", 5, not_negative}}},
      {"cispo_around_one", {{"low", 0.2, share}, {"high", 0.2, not_negative}}},
      {"topr", {}},
      {"sapo", {{"tau_pos", 1, positive}, {"tau_neg", 1.05, positive}}},
      {"gspo", {{"low", 3e-4, share}, {"high", 4e-4, not_negative}}},
      {"gspo_token", {{"low", 3e-4, share}, {"high", 4e-4, not_negative}, {"limit", 0, not_negative}}},
      {"sequence_clip", {{"low", 0.2, share}, {"high", 0.2, not_negative}}},
      {"gmpo", {{"low", 0.4, not_negative}, {"high", 0.4, not_negative}}},
      {"vespo",
       {{"k_pos", 2, not_negative},
        {"lambda_pos", 3, not_negative},
        {"k_neg", 3, not_negative},
        {"lambda_neg", 2, not_negative}}},
      {"dro_token", {{"beta", 0.1, not_negative}}},
      {"dppo_tv", {{"low", 0.2, share}, {"high", 0.2, share}, {"cap", 20, positive}}},
      {"dppo_kl", {{"low", 0.05, not_negative}, {"high", 0.05, not_negative}, {"cap", 20, positive}}},
      {"fipo",
       {{"low", 0.2, share},
        {"high", 0.28, not_negative},
        {"dual", 0, not_negative},
        {"half_life", 32, positive},
        {"weight_low", 1, positive},
        {"weight_high", 1.2, positive},
        {"safety", 4, positive}}},
      {"clip_cov",
       {{"low", 0.2, share},
        {"high", 0.2, not_negative},
        {"share", 2e-4, share_not_0},
        {"lowest_covariance", 1, any},
        {"highest_covariance", 5, any}}},
      {"kl_cov", {{"coefficient", 1, not_negative}, {"share", 2e-4, share_not_0}}},
      {"masked_ratio",
       {{"low", 0.2, share}, {"high", 0.2, share}, {"kl_tau", 1e-3, not_negative}, {"both_sides", 0, yes_or_no}}}};
  double const least = std::numeric_limits<double>::denorm_min(), above_1 = std::nextafter(1.0, 2.0);
  CHECK(published.size() == surrogate_names().size());
  for (auto const& [name, rows] : published) {
    parameter_values standard;
    for (row const& p : rows) standard.emplace_back(p.name, p.standard);
    CAPTURE(name);
    CHECK(made_token_loss(name).surrogate.parameters() == standard);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      row const& p = rows[k];
      CAPTURE(p.name);
      bool const may_be_0 = p.range == not_negative || p.range == share || p.range == yes_or_no;
      for (double const value : {1.0, may_be_0 ? 0.0 : 1.0}) {
        auto expected = standard;
        expected[k].second = value;
        CHECK(made_token_loss(name, {{p.name, value}}).surrogate.parameters() == expected);
      }
      std::vector<double> refused{std::nan(""), std::numeric_limits<double>::infinity()};
      if (p.range != any) refused.push_back(p.range == positive || p.range == share_not_0 ? 0 : -least);
      if (p.range == share || p.range == share_not_0) refused.push_back(above_1);
      if (p.range == yes_or_no) refused.insert(refused.end(), {0.5, above_1});
      for (double const value : refused) {
        auto const said = refusal([&, of = name] { made_token_loss(of, {{p.name, value}}); });
        INFO(value << ": " << said);
        CHECK(said.find(p.name + " is ") != std::string::npos);
      }
    }
  }
}

TEST_CASE("a surrogate that shares its name with a preset is held to its ranges by its type") {
  std::vector<double> const one{1};
  std::vector<std::int64_t> const offsets{0, 1};
  auto const said = [&]<class S>(S const& surrogate) {
    token_batch<double> const batch{.log_prob = one, .old_log_prob = one, .advantage = one, .offsets = offsets};
    return refusal([&] { evaluate(policy_gradient<S>{.surrogate = surrogate}, batch); });
  };
  double const above_1 = std::nextafter(1.0, 2.0), least = std::numeric_limits<double>::denorm_min();
  CHECK(said(surrogate::gspo{.low = 0, .high = 0}) == "no error");
  CHECK(said(surrogate::gspo{.low = 1, .high = 2}) == "no error");
  CHECK(said(surrogate::gspo{.low = above_1}).find("low is 1") != std::string::npos);
  CHECK(said(surrogate::gspo{.low = -least}).find("low is -") != std::string::npos);
  CHECK(said(surrogate::gspo{.high = -least}).find("high is -") != std::string::npos);
  CHECK(said(surrogate::cispo{.low = 0, .high = 0}) == "no error");
  CHECK(said(surrogate::cispo{.low = -least}).find("low is -") != std::string::npos);
  CHECK(said(surrogate::cispo{.low = -least, .high = -least}).find(" is -") != std::string::npos);
}

TEST_CASE("every surrogate at three tokens") {
  numbers const log_prob{-1.2, -0.5, -2}, old_log_prob{-1.4, -0.3, -1.5};
  // clang-format off
  std::vector<published_surrogate> const table{
      {"reinforce", {},
       {1.2, 0.5, 2},
       {-1, -1, -1},
       {-1.2, -0.5, -2},
       {1, 1, 1}},
      {"ppo_clip", {},
       {-1.2, -0.8187307530779818, -0.6065306597126334},
       {0, -0.8187307530779818, -0.6065306597126334},
       {1.2214027581601699, 0.8187307530779818, 0.8},
       {1.2214027581601699, 0.8187307530779818, 0}},
      {"cispo", {},
       {1.4656833097922037, 0.4093653765389909, 1.2130613194252668},
       {-1.2214027581601699, -0.8187307530779818, -0.6065306597126334},
       {-1.4656833097922037, -0.4093653765389909, -1.2130613194252668},
       {1.2214027581601699, 0.8187307530779818, 0.6065306597126334}},
      {"topr", {},
       {1.2, 0.5, 2},
       {-1, -1, -1},
       {-1.2, -0.4093653765389909, -1.2130613194252668},
       {1, 0.8187307530779818, 0.6065306597126334}},
      {"fipo", {},
       {-1.2214027581601699, -0.8187307530779818, -0.6065306597126334},
       {-1.2214027581601699, -0.8187307530779818, -0.6065306597126334},
       {1.2214027581601699, 0.8187307530779818, 0.8},
       {1.2214027581601699, 0.8187307530779818, 0}},
      {"sapo", {},
       {-2.220502754484925, -1.819225481102408, -1.6115296295262025},
       {-1.2065561603767567, -0.81204184017347, -0.5836478911971332},
       {2.1251729046842947, 1.724037912461507, 1.5167953328585437},
       {1.2050480035304199, 0.811360348394678, 0.5813678009099889}},
      {"gspo", {},
       {-0.8464817248906141, -0.8464817248906141, -0.8464817248906141},
       {-0.8464817248906141, -0.8464817248906141, -0.8464817248906141},
       {0.9997, 0.9997, 0.9997},
       {0, 0, 0}},
      {"sequence_clip", {},
       {-0.6065306597126334, -0.6065306597126334, -0.6065306597126334},
       {-1.8195919791379003, -1.8195919791379003, -1.8195919791379003},
       {0.8, 0.8, 0.8},
       {0, 0, 0}},
      {"gmpo", {},
       {-0.8464817248906141, -0.8464817248906141, -0.8464817248906141},
       {-0.8464817248906141, -0.8464817248906141, -0.8464817248906141},
       {0.8751733190429475, 0.8751733190429475, 0.8751733190429475},
       {0.8751733190429475, 0.8751733190429475, 0}},
      {"vespo", {},
       {1.4372471429435683, 0.5988529762264868, 2.3954119049059472},
       {-1.1977059524529736, -1.1977059524529736, -1.1977059524529736},
       {-0.5881697027341424, -0.24507070947255935, -0.9802828378902374},
       {0.4901414189451187, 0.4901414189451187, 0.4901414189451187}},
      {"dro_token", {},
       {1.202, 0.502, 2.0125},
       {-0.98, -1.02, -1.05},
       {-1.198, -0.498, -1.9875},
       {1.02, 0.98, 0.95}},
      {"dppo_tv", {},
       {1.4656833097922037, 0.4093653765389909, 1.2130613194252668},
       {-1.2214027581601699, -0.8187307530779818, -0.6065306597126334},
       {-1.4656833097922037, -0.4093653765389909, -1.2130613194252668},
       {1.2214027581601699, 0.8187307530779818, 0.6065306597126334}},
      {"dppo_kl", {},
       {1.4656833097922037, 0.4093653765389909, 1.2130613194252668},
       {-1.2214027581601699, -0.8187307530779818, -0.6065306597126334},
       {-1.4656833097922037, -0.4093653765389909, -1.2130613194252668},
       {1.2214027581601699, 0.8187307530779818, 0.6065306597126334}},
      {"ppo_clip", {{"dual", 1.1}},
       {-1.2, -0.8187307530779818, -0.6065306597126334},
       {0, -0.8187307530779818, -0.6065306597126334},
       {1.1, 0.8187307530779818, 0.8},
       {0, 0.8187307530779818, 0}},
  };
  // clang-format on
  for (auto const& row : table) {
    CAPTURE(row.name);
    auto loss = made_token_loss(row.name, row.values);
    loss.aggregation.mode = aggregation_mode::token_sum;
    for (double const sign : {1.0, -1.0}) {
      CAPTURE(sign);
      numbers const advantage{sign};
      numbers written(3), gradient(3);
      token_batch<double> batch{.log_prob = log_prob, .advantage = advantage, .offsets = three_tokens};
      if (std::string{row.name} != "reinforce") batch.old_log_prob = old_log_prob;
      evaluate(loss, batch, {.loss = written, .d_log_prob = gradient});
      check_published(written, sign > 0 ? row.good : row.bad);
      check_published(gradient, sign > 0 ? row.d_good : row.d_bad);
    }
  }
}

TEST_CASE("every estimator of the KL at a token") {
  struct row {
    char const* name;
    double value, slope;
  };
  numbers const log_prob{-1.2}, old_log_prob{-1.4}, ref_log_prob{-1.5}, advantage{0.0};
  std::vector<std::int64_t> const offsets{0, 1};
  for (row const& of : {row{"k1", 0.3, 1}, row{"k2", 0.045, 0.3}, row{"k3", 0.040818220681717865, 0.25918177931828212},
                        row{"abs", 0.3, 1}, row{"k1_straight", 0.3, 0.3}, row{"k3_straight", 0.040818220681717865, 0.3},
                        row{"k1_corrected", 0.36642082744805093, 1.5878235856082208},
                        row{"k3_corrected", 0.049855487323840687, 0.36642082744805093},
                        row{"sdar", -0.054727657141906902, -0.18242552380635635}}) {
    CAPTURE(of.name);
    auto loss = made_token_loss("reinforce");
    loss.kl = {.estimator = kl_estimator_of(of.name), .coefficient = 1};
    CHECK(name_of(loss.kl.estimator) == of.name);
    numbers written(1), gradient(1);
    auto const seen = evaluate(loss,
                               token_batch<double>{.log_prob = log_prob,
                                                   .old_log_prob = old_log_prob,
                                                   .ref_log_prob = ref_log_prob,
                                                   .advantage = advantage,
                                                   .offsets = offsets},
                               {.loss = written, .d_log_prob = gradient});
    check_published({written[0], gradient[0], seen.kl}, {of.value, of.slope, of.value});
  }
}

TEST_CASE("every correction of a sampler at three tokens") {
  struct row {
    char const* name;
    numbers weights;
  };
  numbers const old_log_prob{0.4, -0.3, 0.5}, rollout_log_prob{0, 0, 0}, ones{1, 1, 1}, advantage{-1, -1, -1};
  for (row const& of :
       {row{"token_truncate", {1.4918246976412703, 0.8, 1.6}}, row{"token_mask", {1.4918246976412703, 0, 0}},
        row{"sequence_truncate", {1.6, 1.6, 1.6}}, row{"sequence_mask", {0, 0, 0}},
        row{"geometric_truncate", {1.2214027581601699, 1.2214027581601699, 1.2214027581601699}},
        row{"geometric_mask", {1.2214027581601699, 1.2214027581601699, 1.2214027581601699}},
        row{"geometric_mask_token", {1.4918246976412703, 0.74081822068171788, 1.6487212707001282}}}) {
    CAPTURE(of.name);
    auto loss = made_token_loss("reinforce");
    loss.correction = {.mode = correction_mode_of(of.name), .low = 0.8, .high = 1.6};
    CHECK(name_of(loss.correction.mode) == of.name);
    numbers written(3);
    evaluate(loss,
             token_batch<double>{.log_prob = ones,
                                 .old_log_prob = old_log_prob,
                                 .rollout_log_prob = rollout_log_prob,
                                 .advantage = advantage,
                                 .offsets = three_tokens},
             {.loss = written});
    check_published(written, of.weights);
  }
}

TEST_CASE("every mode of advantages at four rewards") {
  struct row {
    char const* name;
    numbers advantages;
  };
  numbers const reward{1, 0, 0, 0.5, 1, 1}, length{10, 20, 30, 40, 7, 9};
  std::vector<std::int64_t> const groups{0, 4, 6};
  for (row const& of :
       {row{"centered", {0.625, -0.375, -0.375, 0.125}},
        row{"group_std", {1.3053097493539774, -0.78318584961238646, -0.78318584961238646, 0.26106194987079551}},
        row{"group_std_population",
            {1.5075566865251826, -0.90453401191510963, -0.90453401191510963, 0.30151133730503654}},
        row{"batch_std", {1.2711105011970403, -0.76266630071822417, -0.76266630071822417, 0.25422210023940806}},
        row{"leave_one_out", {0.83333333333333337, -0.5, -0.5, 0.16666666666666666}},
        row{"leave_one_out_std", {2.8867413459827698, -0.99999800000399997, -0.99999800000399997, 0.28867463459567888}},
        row{"mean_scaled", {1.6666622222340741, -0.99999733334044438, -0.99999733334044438, 0.33333244444681481}},
        row{"length_weighted", {0.7, -0.3, -0.3, 0.2}}, row{"best_of_k", {1.0444637539205628, 0, 0, 0}},
        // 4 of the 6 rewards are not 0.
        row{"gpg", {0.9375, -0.5625, -0.5625, 0.1875}}}) {
    CAPTURE(of.name);
    auto const mode = advantage_mode_of(of.name);
    CHECK(name_of(mode) == of.name);
    numbers written(6);
    column<double> lengths;
    if (mode == advantage_mode::length_weighted) lengths = length;
    advantages<double>(reward, groups, written, {.mode = mode}, lengths);
    check_published({written.begin(), written.begin() + 4}, of.advantages);
    check_published({written[4], written[5]}, {0, 0});
  }
}

TEST_CASE("what is alone in its group and gets its reward has the factor of the batch, where there is one") {
  std::vector<std::int64_t> const groups{0, 1, 4};
  numbers const reward{1, 0, 0.5, 0.5};
  numbers written(4);
  // 3 of the 4 rewards are not 0, the mean of the other group is 1/3.
  advantages<double>(reward, groups, written, {.mode = advantage_mode::gpg, .lone = lone_sample::reward});
  check_published(written, {4.0 / 3, -4.0 / 9, 2.0 / 9, 2.0 / 9});
  advantages<double>(reward, groups, written, {.mode = advantage_mode::centered, .lone = lone_sample::reward});
  check_published(written, {1, -1.0 / 3, 1.0 / 6, 1.0 / 6});
  numbers const none(4);
  advantages<double>(none, groups, written, {.mode = advantage_mode::gpg, .lone = lone_sample::reward});
  check_published(written, none);
}
