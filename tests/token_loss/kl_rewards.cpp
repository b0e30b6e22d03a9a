// The KL in the reward.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/token/discounted_advantages.hpp>
#include <prefopt/token/kl_rewards.hpp>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

TEMPLATE_TEST_CASE("rewards less the KL are those that the loss would show of the same tokens", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{97};
  for (std::size_t round = 0; round < 200; ++round) {
    auto data = random_tokens<T>(random, false, 3, 9, 0.7);
    std::vector<T> reward, out(data.size(), T(-77));
    for (std::size_t s = 0; s < data.sequences(); ++s) reward.push_back(static_cast<T>(random.normal()));
    auto loss = made_token_loss("reinforce");
    loss.kl = {.estimator = static_cast<kl_estimator>(1 + random.bits() % 9), .coefficient = random.uniform(0, 2)};
    if (random.chance(0.3)) loss.kl.log_ratio_limit = 0.25;
    if (random.chance(0.3)) loss.kl.value_limit = 0.0625;
    INFO(description(loss));
    kl_rewards<T>(reward, data.log_prob, data.ref_log_prob, data.mask, data.offsets, out, loss.kl);
    // A loss without advantages is the KL alone, where the policy is the old one.
    auto plain = data;
    plain.old_log_prob = data.log_prob;
    std::fill(plain.advantage.begin(), plain.advantage.end(), T(0));
    written<T> const shown{loss, plain};
    std::size_t wrong = 0;
    for (std::size_t s = 0; s < data.sequences(); ++s) {
      bool is_last = true;
      for (std::size_t t = data.end(s); t-- > data.begin(s);) {
        T expected = 0;
        if (data.mask[t] != 0) {
          expected = -shown.loss[t] + (is_last ? reward[s] : T(0));
          is_last = false;
        }
        wrong +=
            std::fabs(out[t] - expected) <= 16 * std::numeric_limits<T>::epsilon() * (1 + std::fabs(expected)) ? 0 : 1;
      }
    }
    CHECK(wrong == 0);
    // In place.
    auto over = data.log_prob;
    kl_rewards<T>(reward, over, data.ref_log_prob, data.mask, data.offsets, over, loss.kl);
    CHECK(over == out);
  }
}

TEST_CASE("the KL in the reward: small and far differences, masked tokens, errors") {
  std::vector<std::int64_t> const offsets{0, 3, 4, 4}, few{0, 2};
  std::vector<double> const log_prob{-1, -2, not_a_number<double>, -5}, mask{1, 1, 0, 0}, reward{10, 20, 30}, two(2);
  std::vector<double> ref{-1.5, -2.25, 0, 0}, out(4, -77.0);
  kl_rewards<double>(reward, log_prob, ref, mask, offsets, out, {.estimator = kl_estimator::k1, .coefficient = 2});
  CHECK(out == std::vector<double>{-1, 9.5, 0, 0});
  // Returns of REINFORCE++.
  discounted_advantages<double>(out, {}, mask, offsets, out);
  CHECK(out == std::vector<double>{8.5, 9.5, 0, 0});
  kl_rewards<double>(reward, log_prob, ref, mask, offsets, out, {});
  CHECK(out == std::vector<double>{0, 10, 0, 0});
  // e^-d - 1 + d keeps its digits: d^2 / 2 - d^3 / 6 + d^4 / 24.
  std::vector<double> const zero{0}, none{0};
  std::vector<std::int64_t> const one{0, 1};
  std::vector<double> single(1);
  for (double const d : {0x1p-30, -0x1p-20, 0x1p-10, -0x1p-4, 0.12, 0.13, -3.0}) {
    std::vector<double> const l{d};
    kl_rewards<double>(none, l, zero, {}, one, single, {.estimator = kl_estimator::k3, .coefficient = 1});
    long double exact = 0, term = -d;
    for (int n = 2; n < 40; ++n) exact += term *= -static_cast<long double>(d) / n;
    CAPTURE(d);
    CHECK(std::fabs(single[0] + exact) <= 8 * std::numeric_limits<double>::epsilon() * exact);
  }
  std::vector<double> const far{1e4}, infinite{infinity<double>};
  kl_rewards<double>(none, far, zero, {}, one, single, {.estimator = kl_estimator::k3, .coefficient = 1});
  CHECK(single[0] == -9999);
  kl_rewards<double>(none, infinite, zero, {}, one, single, {.estimator = kl_estimator::sdar, .coefficient = 1});
  CHECK(single[0] == 0);
  kl_rewards<double>(none, zero, infinite, {}, one, single, {.estimator = kl_estimator::k3, .coefficient = 1});
  CHECK(single[0] == -infinity<double>);
  kl_rewards<double>(none, infinite, zero, {}, one, single,
                     {.estimator = kl_estimator::k1, .coefficient = 1, .value_limit = 10});
  CHECK(single[0] == -10);

  out.assign(4, -77.0);
  auto const told = [&](std::vector<double> const& of_reward, std::vector<double> const& of_ref,
                        std::vector<std::int64_t> const& of, kl_penalty const& penalty = {}) {
    auto const message = refusal([&] { kl_rewards<double>(of_reward, log_prob, of_ref, mask, of, out, penalty); });
    CHECK(out == std::vector<double>(4, -77.0));
    return message;
  };
  CHECK(told(reward, ref, few) == "prefopt::kl_rewards: offsets end at 2, log_prob has 4 elements");
  CHECK(told(reward, two, offsets) == "prefopt::kl_rewards: ref_log_prob has 2 elements, log_prob has 4");
  CHECK(told(two, ref, offsets) == "prefopt::kl_rewards: reward has 2 elements, there are 3 sequences");
  CHECK(told(reward, ref, offsets, {.coefficient = 1}) ==
        "prefopt::kl_rewards: kl.coefficient is 1, but kl.estimator is none");
  CHECK(told(reward, ref, offsets, {.estimator = kl_estimator::k1, .coefficient = -1}) ==
        "prefopt::kl_rewards: kl.coefficient is -1, expected a finite number >= 0");
  CHECK(told(reward, ref, offsets, {.estimator = kl_estimator::k1, .value_limit = 0}) ==
        "prefopt::kl_rewards: kl.value_limit is 0, expected a number > 0");
  CHECK(told(reward, ref, offsets, {.estimator = kl_estimator::k1, .is_corrected = true}) ==
        "prefopt::kl_rewards: penalty.is_corrected is set, but a reward has no correction");
}
