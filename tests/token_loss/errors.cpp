// Every error's message, once; nothing is written when one is thrown.
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <prefopt/surrogate/cispo.hpp>
#include <prefopt/surrogate/gspo.hpp>
#include <prefopt/token/policy_gradient.hpp>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <utility>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

/// Two sequences of two tokens and one, and everything that can be given.
struct call {
  any_token_loss loss = made_token_loss("ppo_clip");
  std::vector<double> log_prob{-1, -2, -3}, old_log_prob{-1, -2, -3}, ref_log_prob{-1, -2, -3},
      rollout_log_prob{-1, -2, -3}, advantage{1, 2, 3}, mask{1, 1, 1}, entropy{1, 1, 1};
  std::vector<std::int64_t> offsets{0, 2, 3}, group_offsets{0, 2};
  token_batch<double> batch{.log_prob = log_prob,
                            .old_log_prob = old_log_prob,
                            .advantage = advantage,
                            .mask = mask,
                            .entropy = entropy,
                            .offsets = offsets,
                            .group_offsets = group_offsets};
  written<double> to{3};
  token_outputs<double> outputs{.loss = to.loss, .d_log_prob = to.d_log_prob};
  prefopt::options options{};

  call() = default;
  call(call const&) = delete;
};

/// The message of a call that is changed so.
std::string told(std::function<void(call&)> const& change) {
  call c;
  change(c);
  auto const message = refusal([&] { evaluate(c.loss, c.batch, c.outputs, c.options); });
  CHECK(c.to.same_bits(0, 3, written<double>{3}, 0));
  return message;
}

}  // namespace

TEST_CASE("columns and outputs that are missing, not read or of another size") {
  CHECK(refusal([] {
          call c;
          evaluate(c.loss, c.batch, c.outputs, c.options);
        }) == "no error");
  CHECK(told([](call& c) { c.batch.log_prob = {}; }) ==
        "prefopt::evaluate: offsets[1] is 2, expected a number from 0 to 0");
  CHECK(told([](call& c) { c.batch.advantage = {}; }) ==
        "prefopt::evaluate: ppo_clip needs the column advantage, which is not given");
  CHECK(told([](call& c) { c.batch.old_log_prob = {}; }) ==
        "prefopt::evaluate: ppo_clip needs the column old_log_prob, which is not given");
  CHECK(told([](call& c) { c.batch.ref_log_prob = c.ref_log_prob; }) ==
        "prefopt::evaluate: ppo_clip does not read the column ref_log_prob, which is given");
  CHECK(told([](call& c) { c.batch.rollout_log_prob = c.rollout_log_prob; }) ==
        "prefopt::evaluate: ppo_clip does not read the column rollout_log_prob, which is given");
  CHECK(told([](call& c) { c.loss.kl = {.estimator = kl_estimator::k3, .coefficient = 1}; }) ==
        "prefopt::evaluate: ppo_clip needs the column ref_log_prob, which is not given");
  CHECK(told([](call& c) {
          c.loss = made_token_loss("reinforce");
          c.loss.kl = {.estimator = kl_estimator::k3_corrected, .coefficient = 1};
          c.batch.ref_log_prob = c.ref_log_prob;
          c.batch.old_log_prob = {};
        }) == "prefopt::evaluate: reinforce needs the column old_log_prob, which is not given");
  CHECK(told([](call& c) { c.loss.correction.mode = correction_mode::token_mask; }) ==
        "prefopt::evaluate: ppo_clip needs the column rollout_log_prob, which is not given");
  CHECK(told([](call& c) {
          c.loss = made_token_loss("reinforce");
          c.loss.correction.off_policy_limit = 1;
          c.batch.old_log_prob = {};
        }) == "prefopt::evaluate: reinforce needs the column old_log_prob, which is not given");
  CHECK(told([](call& c) {
          c.loss.entropy_coefficient = 0.1;
          c.batch.entropy = {};
        }) == "prefopt::evaluate: ppo_clip needs the column entropy, which is not given");
  CHECK(told([](call& c) { c.outputs.d_entropy = c.to.d_entropy; }) ==
        "prefopt::evaluate: ppo_clip does not write the output d_entropy, which is given");

  std::vector<double> two{-1, -1}, four{-1, -1, -1, -1};
  CHECK(told([&](call& c) { c.batch.old_log_prob = two; }) ==
        "prefopt::evaluate: old_log_prob has 2 elements, log_prob has 3");
  CHECK(told([&](call& c) { c.batch.mask = four; }) == "prefopt::evaluate: mask has 4 elements, log_prob has 3");
  CHECK(told([&](call& c) { c.batch.entropy = two; }) == "prefopt::evaluate: entropy has 2 elements, log_prob has 3");
  CHECK(told([&](call& c) { c.batch.advantage = four; }) ==
        "prefopt::evaluate: advantage has 4 elements, expected 2, one a sequence, or 3, one a token");
  CHECK(told([&](call& c) { c.outputs.loss = two; }) ==
        "prefopt::evaluate: output loss has 2 elements, log_prob has 3");
  CHECK(told([&](call& c) { c.outputs.d_log_prob = four; }) ==
        "prefopt::evaluate: output d_log_prob has 4 elements, log_prob has 3");
}

TEST_CASE("offsets that do not span the tokens, groups that do not span the sequences") {
  std::vector<std::int64_t> offsets;
  auto const with = [&](std::vector<std::int64_t> given) {
    offsets = std::move(given);
    return told([&](call& c) { c.batch.offsets = offsets; });
  };
  CHECK(with({}) == "prefopt::evaluate: offsets is empty, expected the number of sequences + 1 entries");
  CHECK(with({1, 2, 3}) == "prefopt::evaluate: offsets[0] is 1, expected 0");
  CHECK(with({0, 2, 1}) == "prefopt::evaluate: offsets[2] is 1, expected a number from 2 to 3");
  CHECK(with({0, -1, 3}) == "prefopt::evaluate: offsets[1] is -1, expected a number from 0 to 3");
  CHECK(with({0, 2, 4}) == "prefopt::evaluate: offsets[2] is 4, expected a number from 2 to 3");
  CHECK(with({0, 2}) == "prefopt::evaluate: offsets end at 2, log_prob has 3 elements");
  auto const with_groups = [&](std::vector<std::int64_t> given) {
    offsets = std::move(given);
    return told([&](call& c) { c.batch.group_offsets = offsets; });
  };
  CHECK(with_groups({}) == "prefopt::evaluate: group_offsets is empty, expected the number of groups + 1 entries");
  CHECK(with_groups({1, 2}) == "prefopt::evaluate: group_offsets[0] is 1, expected 0");
  CHECK(with_groups({0, 3}) == "prefopt::evaluate: group_offsets[1] is 3, expected a number from 0 to 2");
  CHECK(with_groups({0, 1}) ==
        "prefopt::evaluate: group_offsets end at 1, the batch's number of sequences has 2 elements");
  CHECK(told([](call& c) {
          c.loss.aggregation.mode = aggregation_mode::prompt_mean;
          c.batch.group_offsets = {};
        }) == "prefopt::evaluate: prompt_mean needs group_offsets, which are not given");
  // Three advantages for three tokens in three sequences, of which one is empty.
  std::vector<std::int64_t> const three{0, 0, 2, 3};
  CHECK(told([&](call& c) {
          c.batch.offsets = three;
          c.batch.group_offsets = {};
        }) ==
        "prefopt::evaluate: advantage has 3 elements, which are as many as tokens and as sequences, and not every "
        "sequence has one token: which it is cannot be told");
}

TEST_CASE("masks that are neither 0 nor 1") {
  for (auto const& [value, text] :
       {std::pair{0.5, "0.5"}, {2.0, "2"}, {-1.0, "-1"}, {not_a_number<double>, "nan"}, {infinity<double>, "inf"}}) {
    for (auto const mode : {on_invalid::error, on_invalid::skip, on_invalid::propagate}) {
      CHECK(told([&, x = value](call& c) {
              c.mask[1] = x;
              c.options.non_finite = mode;
            }) == "prefopt::evaluate: mask[1] is " + std::string{text} + ", expected 0 or 1");
    }
  }
}

TEST_CASE("terms out of their range") {
  double const inf = infinity<double>, nan = not_a_number<double>;
  auto const is = [](std::string const& what, std::function<void(call&)> const& change) {
    CHECK(told(change) == "prefopt::ppo_clip: " + what);
  };
  is("kl.coefficient is -1, expected a finite number >= 0",
     [](call& c) { c.loss.kl = {.estimator = kl_estimator::k1, .coefficient = -1}; });
  is("kl.coefficient is inf, expected a finite number >= 0", [&](call& c) { c.loss.kl.coefficient = inf; });
  is("kl.coefficient is nan, expected a finite number >= 0", [&](call& c) { c.loss.kl.coefficient = nan; });
  is("kl.coefficient is 0.1, but kl.estimator is none", [](call& c) { c.loss.kl.coefficient = 0.1; });
  is("kl.log_ratio_limit is 0, expected a number > 0", [](call& c) { c.loss.kl.log_ratio_limit = 0; });
  is("kl.log_ratio_limit is nan, expected a number > 0", [&](call& c) { c.loss.kl.log_ratio_limit = nan; });
  is("kl.value_limit is -1, expected a number > 0", [](call& c) { c.loss.kl.value_limit = -1; });
  is("correction.low is -0.5, expected a finite number >= 0", [](call& c) { c.loss.correction.low = -0.5; });
  is("correction.low is inf, expected a finite number >= 0", [&](call& c) { c.loss.correction.low = inf; });
  is("correction.high is 1, expected at least correction.low", [](call& c) {
    c.loss.correction.low = 2;
    c.loss.correction.high = 1;
  });
  is("correction.high is nan, expected at least correction.low", [&](call& c) { c.loss.correction.high = nan; });
  is("correction.off_policy_limit is nan, expected a number",
     [&](call& c) { c.loss.correction.off_policy_limit = nan; });
  is("correction.drops_off_policy is set, but correction.off_policy_limit is infinity",
     [](call& c) { c.loss.correction.drops_off_policy = true; });
  is("aggregation.horizon is 0, expected a finite number > 0", [](call& c) { c.loss.aggregation.horizon = 0; });
  is("aggregation.horizon is inf, expected a finite number > 0", [&](call& c) { c.loss.aggregation.horizon = inf; });
  CHECK(told([](call& c) {
          c.loss.aggregation = {.mode = aggregation_mode::sequence_mean_of_sums_scaled, .horizon = 1e-310};
        }) ==
        "prefopt::evaluate: aggregation.horizon is 1e-310, by which nothing can be divided in the type of the batch");
  is("entropy_coefficient is inf, expected a finite number", [&](call& c) { c.loss.entropy_coefficient = inf; });
  is("log_ratio_limit is 0, expected a number > 0", [](call& c) { c.loss.log_ratio_limit = 0; });
  is("log_ratio_limit is nan, expected a number > 0", [&](call& c) { c.loss.log_ratio_limit = nan; });
  CHECK(told([](call& c) { c.options.denominator = 0.0; }) ==
        "prefopt::evaluate: denominator is 0, expected a finite number > 0");
  CHECK(told([](call& c) {
          c.options.denominator = 2.0;
          c.options.reduction = reduction::sum;
        }) == "prefopt::evaluate: denominator is given, but only reduction::mean divides");
  // A preset is called by its name.
  call c;
  token_batch<double> batch = c.batch;
  batch.old_log_prob = {};
  batch.ref_log_prob = c.ref_log_prob;
  CHECK(refusal([&] { evaluate(grpo{}, batch); }) ==
        "prefopt::evaluate: grpo needs the column old_log_prob, which is not given");
  CHECK(refusal([&] { evaluate(dr_grpo{.horizon = 0}, c.batch); }) ==
        "prefopt::dr_grpo: horizon is 0, expected a finite number > 0");
}

TEST_CASE("parameters of surrogates out of their range, and unknown ones") {
  auto const made = [](char const* name, parameter_values const& values) {
    return refusal([&] { made_token_loss(name, values); });
  };
  struct row {
    char const *name, *parameter;
    double value;
    char const* text;
  };
  for (row const& of :
       {row{"ppo_clip", "low", 1.5, "low is 1.5, expected a finite number in [0, 1]"},
        row{"ppo_clip", "high", -1, "high is -1, expected a finite number >= 0"},
        row{"ppo_clip", "dual", 0.5, "dual is less than 1, expected 0, which is none, or a number >= 1"},
        row{"cispo_around_one", "low", 2, "low is 2, expected a finite number in [0, 1]"},
        row{"sapo", "tau_pos", 0, "tau_pos is 0, expected a finite number > 0"},
        row{"sapo", "tau_neg", -1, "tau_neg is -1, expected a finite number > 0"},
        row{"gspo_token", "limit", -1, "limit is -1, expected a finite number >= 0"},
        row{"sequence_clip", "low", -0.1, "low is -0.1, expected a finite number in [0, 1]"},
        row{"gmpo", "low", -0.1, "low is -0.1, expected a finite number >= 0"},
        row{"vespo", "k_neg", -1, "k_neg is -1, expected a finite number >= 0"},
        row{"dro_token", "beta", -1, "beta is -1, expected a finite number >= 0"},
        row{"dppo_tv", "cap", 0, "cap is 0, expected a finite number > 0"},
        row{"dppo_kl", "high", -1, "high is -1, expected a finite number >= 0"},
        row{"masked_ratio", "kl_tau", -1, "kl_tau is -1, expected a finite number >= 0"},
        row{"fipo", "half_life", 0, "half_life is 0, expected a finite number > 0"},
        row{"fipo", "weight_low", 2, "weight_low is above weight_high, expected weight_low <= weight_high"},
        row{"fipo", "dual", 0.5, "dual is less than 1, expected 0, which is none, or a number >= 1"},
        row{"clip_cov", "share", 0, "share is 0, expected a finite number in (0, 1]"},
        row{"clip_cov", "lowest_covariance", 6, "lowest_covariance is above highest_covariance, expected it not to be"},
        row{"kl_cov", "coefficient", -1, "coefficient is -1, expected a finite number >= 0"},
        row{"kl_cov", "share", 1.5, "share is 1.5, expected a finite number in (0, 1]"},
        row{"cispo", "low", 6, "low is above high, expected low <= high"},
        row{"grpo", "kl_coefficient", -1, "kl_coefficient is -1, expected a finite number >= 0"},
        row{"ppo", "dual", 0.5, "dual is less than 1, expected 0, which is none, or a number >= 1"}}) {
    CAPTURE(of.name, of.parameter, of.value);
    auto const message = made(of.name, {{of.parameter, of.value}});
    CHECK(message == "prefopt::" + std::string{of.name} + ": " + of.text);
    CHECK(refusal([&] { made_token_loss(of.name, {{of.parameter, not_a_number<double>}}); }) != "no error");
  }
  auto const unknown = made("pop", {});
  CHECK(unknown.rfind(
            "prefopt::make_token_loss: there is no loss of tokens \"pop\", known are grpo, dr_grpo, dapo, gspo, "
            "cispo, rloo, reinforce_pp, ppo, ",
            0) == 0);
  for (auto const name : surrogate_names()) CHECK(unknown.find(std::string{name}) != std::string::npos);
  CHECK(unknown.find("gspo, ") == unknown.rfind("gspo, "));
  CHECK(made("ppo_clip", {{"lo", 1}}).find("\"lo\"") != std::string::npos);
}

TEST_CASE("every parameter of a loss of tokens has the range that its header says") {
  std::map<std::string, std::vector<double>> const outside{
      {"in [0, 1]", {-0.5, 1.5}}, {"in (0, 1]", {0, 1.5}}, {">= 0", {-0.5}}, {"> 0", {0}}};
  std::vector<std::pair<std::string, std::map<std::string, std::string>>> const ranges{
      {"grpo", {{"low", "in [0, 1]"}, {"high", ">= 0"}, {"kl_coefficient", ">= 0"}}},
      {"dr_grpo", {{"low", "in [0, 1]"}, {"high", ">= 0"}, {"horizon", "> 0"}}},
      {"dapo", {{"low", "in [0, 1]"}, {"high", ">= 0"}}},
      {"gspo", {{"low", "in [0, 1]"}, {"high", ">= 0"}}},
      {"cispo", {{"low", ">= 0"}, {"high", ">= 0"}}},
      {"reinforce_pp", {{"low", "in [0, 1]"}, {"high", ">= 0"}}},
      {"ppo", {{"low", "in [0, 1]"}, {"high", ">= 0"}, {"dual", ">= 0"}}},
      {"ppo_clip", {{"low", "in [0, 1]"}, {"high", ">= 0"}, {"dual", ">= 0"}}},
      {"cispo_around_one", {{"low", "in [0, 1]"}, {"high", ">= 0"}}},
      {"sapo", {{"tau_pos", "> 0"}, {"tau_neg", "> 0"}}},
      {"gspo_token", {{"low", "in [0, 1]"}, {"high", ">= 0"}, {"limit", ">= 0"}}},
      {"sequence_clip", {{"low", "in [0, 1]"}, {"high", ">= 0"}}},
      {"gmpo", {{"low", ">= 0"}, {"high", ">= 0"}}},
      {"vespo", {{"k_pos", ">= 0"}, {"lambda_pos", ">= 0"}, {"k_neg", ">= 0"}, {"lambda_neg", ">= 0"}}},
      {"dro_token", {{"beta", ">= 0"}}},
      {"dppo_tv", {{"low", "in [0, 1]"}, {"high", "in [0, 1]"}, {"cap", "> 0"}}},
      {"dppo_kl", {{"low", ">= 0"}, {"high", ">= 0"}, {"cap", "> 0"}}},
      {"fipo",
       {{"low", "in [0, 1]"},
        {"high", ">= 0"},
        {"dual", ">= 0"},
        {"half_life", "> 0"},
        {"weight_low", "> 0"},
        {"weight_high", "> 0"},
        {"safety", "> 0"}}},
      {"clip_cov", {{"low", "in [0, 1]"}, {"high", ">= 0"}, {"share", "in (0, 1]"}}},
      {"kl_cov", {{"coefficient", ">= 0"}, {"share", "in (0, 1]"}}},
      {"masked_ratio", {{"low", "in [0, 1]"}, {"high", "in [0, 1]"}, {"kl_tau", ">= 0"}}}};
  for (auto const& [name, parameters] : ranges) {
    for (auto const& [parameter, range] : parameters) {
      for (double const value : outside.at(range)) {
        CHECK(refusal([&, &loss = name, &which = parameter] {
                made_token_loss(loss, {{which, value}});
              }) == "prefopt::" + name + ": " + parameter + " is " + detail::text(value) +
                        ", expected a finite number " + range);
      }
    }
  }
}

TEST_CASE("names of what a loss is composed of") {
  CHECK(refusal([] { kl_estimator_of("k4"); }) ==
        "prefopt::make_token_loss: there is no KL estimator \"k4\", known are none, k1, k2, k3, abs, k1_straight, "
        "k3_straight, k1_corrected, k3_corrected, sdar");
  CHECK(refusal([] { correction_mode_of("token"); }) ==
        "prefopt::make_token_loss: there is no correction \"token\", known are none, token_truncate, token_mask, "
        "sequence_truncate, sequence_mask, geometric_truncate, geometric_mask, geometric_mask_token");
  CHECK(refusal([] { aggregation_mode_of("mean"); }) ==
        "prefopt::make_token_loss: there is no aggregation \"mean\", known are token_mean, token_sum, "
        "sequence_mean_of_sums, sequence_mean_of_means, sequence_mean_of_sums_scaled, prompt_mean, "
        "length_weighted_sequence_mean");
  auto const unknown = refusal([] { advantage_mode_of("grpo"); });
  CHECK(unknown.find("there is no mode \"grpo\", known are centered, group_std, ") != std::string::npos);
  for (int i = 0; i < 10; ++i) {
    CHECK(kl_estimator_of(name_of(static_cast<kl_estimator>(i))) == static_cast<kl_estimator>(i));
  }
  for (int i = 0; i < 11; ++i) {
    CHECK(advantage_mode_of(name_of(static_cast<advantage_mode>(i))) == static_cast<advantage_mode>(i));
  }
  for (int i = 0; i < 8; ++i) {
    CHECK(correction_mode_of(name_of(static_cast<correction_mode>(i))) == static_cast<correction_mode>(i));
  }
  for (auto const mode : every_aggregation) CHECK(aggregation_mode_of(name_of(mode)) == mode);
}

TEST_CASE("an output that is not finite is reported where it stands") {
  // The first of several is named.
  CHECK(told([](call& c) {
          c.options.non_finite = on_invalid::error;
          c.log_prob[2] = c.old_log_prob[1] = infinity<double>;
        }) == "prefopt::evaluate: old_log_prob[1] is inf, expected a finite number");
  std::vector<double> const of_sequences{1, not_a_number<double>};
  CHECK(told([&](call& c) {
          c.options.non_finite = on_invalid::error;
          c.batch.advantage = of_sequences;
        }) == "prefopt::evaluate: advantage[1] is nan, expected a finite number");
}

TEST_CASE("a loss that is chosen at run time is the plainest one before") {
  static_assert(std::is_default_constructible_v<any_token_loss>);
  static_assert(!std::is_default_constructible_v<any_pair_loss> && !std::is_default_constructible_v<any_list_loss> &&
                !std::is_default_constructible_v<any_unpaired_loss>);
  any_token_loss const loss;
  CHECK(loss.surrogate.name() == "reinforce");
  std::vector<double> const log_prob{-1, -2}, advantage{3, 0.5};
  std::vector<std::int64_t> const offsets{0, 2};
  std::vector<double> gradient(2);
  token_batch<double> const batch{.log_prob = log_prob, .advantage = advantage, .offsets = offsets};
  CHECK(evaluate(loss, batch, {.d_log_prob = gradient}).loss == 2);
  CHECK(gradient == std::vector<double>{-1.5, -0.25});
}

TEST_CASE("surrogates whose names are those of presets have their own standard parameters") {
  CHECK(surrogate::cispo{}.low == 0);
  CHECK(surrogate::cispo{}.high == 5);
  CHECK(surrogate::gspo{}.low == 3e-4);
  CHECK(surrogate::gspo{}.high == 4e-4);
}
