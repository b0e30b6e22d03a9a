// Padding, splitting, and batches with nothing in them: what a host may do to a batch without another gradient.
#include <algorithm>
#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

template <class T>
constexpr double rounding = std::is_same_v<T, double> ? 1e-13 : 2e-5;

template <class T>
bool is_within_rounding(T got, T expected, double size = 1) {
  return std::fabs(got - expected) <= rounding<T> * (size + std::fabs(static_cast<double>(expected)));
}

/// Each sequence with tokens that do not count before, behind, and, if wanted, between its own: full of garbage.
template <class T>
struct padded {
  tokens<T> data;
  std::vector<std::size_t> place;  ///< of each token of the packed batch

  padded(tokens<T> const& packed, oracle::random_numbers& random) {
    T const garbage[]{not_a_number<T>, infinity<T>, -infinity<T>, std::numeric_limits<T>::max(), T(0)};
    data.group_offsets = packed.group_offsets;
    data.is_advantage_of_sequences = packed.is_advantage_of_sequences;
    if (packed.is_advantage_of_sequences) data.advantage = packed.advantage;
    auto const pad = [&](std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        for (auto* x :
             {&data.log_prob, &data.old_log_prob, &data.ref_log_prob, &data.rollout_log_prob, &data.entropy}) {
          x->push_back(garbage[random.bits() % 5]);
        }
        if (!data.is_advantage_of_sequences) data.advantage.push_back(garbage[random.bits() % 5]);
        data.mask.push_back(0);
      }
    };
    for (std::size_t s = 0; s < packed.sequences(); ++s) {
      pad(random.bits() % 5);
      for (std::size_t t = packed.begin(s); t < packed.end(s); ++t) {
        place.push_back(data.size());
        data.log_prob.push_back(packed.log_prob[t]);
        data.old_log_prob.push_back(packed.old_log_prob[t]);
        data.ref_log_prob.push_back(packed.ref_log_prob[t]);
        data.rollout_log_prob.push_back(packed.rollout_log_prob[t]);
        data.entropy.push_back(packed.entropy[t]);
        if (!data.is_advantage_of_sequences) data.advantage.push_back(packed.advantage[t]);
        data.mask.push_back(packed.mask[t]);
      }
      pad(random.bits() % 40);
      data.offsets.push_back(static_cast<std::int64_t>(data.size()));
    }
  }
};

void check_reports(token_report const& got, token_report const& expected, double tolerance) {
  for (auto const& [name, field] : {std::pair{"loss", &token_report::loss},
                                    {"mean_ratio", &token_report::mean_ratio},
                                    {"largest_ratio", &token_report::largest_ratio},
                                    {"clipped_low", &token_report::clipped_low},
                                    {"clipped_high", &token_report::clipped_high},
                                    {"old_kl", &token_report::old_kl},
                                    {"kl", &token_report::kl},
                                    {"entropy", &token_report::entropy},
                                    {"mean_correction", &token_report::mean_correction},
                                    {"effective_sample_size", &token_report::effective_sample_size},
                                    {"denominator", &token_report::denominator}}) {
    INFO(name << ": got " << got.*field << ", expected " << expected.*field);
    CHECK(std::fabs(got.*field - expected.*field) <= tolerance * (1 + std::fabs(expected.*field)));
  }
  CHECK(got.count == expected.count);
  CHECK(got.sequences == expected.sequences);
  CHECK(got.non_finite == expected.non_finite);
}

}  // namespace

TEMPLATE_TEST_CASE("padded and packed batches give the same numbers, whatever the padding holds", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{3};
  for (std::size_t round = 0; round < 600; ++round) {
    auto const loss = random_loss(random);
    INFO(description(loss));
    auto packed = random_tokens<T>(random, random.chance(0.5));
    if (packed.size() == packed.sequences()) continue;
    padded<T> const with{packed, random};
    if (with.data.size() == with.data.sequences()) continue;
    written<T> const expected{loss, packed}, got{loss, with.data};
    std::size_t wrong = 0, of_padding = 0;
    std::vector<bool> is_own(with.data.size(), false);
    for (std::size_t i = 0; i < packed.size(); ++i) {
      std::size_t const at = with.place[i];
      is_own[at] = true;
      wrong += is_within_rounding(got.loss[at], expected.loss[i]) ? 0 : 1;
      wrong += is_within_rounding(got.d_log_prob[at], expected.d_log_prob[i]) ? 0 : 1;
      wrong += loss.entropy_coefficient == 0 || is_within_rounding(got.d_entropy[at], expected.d_entropy[i]) ? 0 : 1;
    }
    for (std::size_t i = 0; i < with.data.size(); ++i) {
      if (is_own[i]) continue;
      of_padding += got.loss[i] == 0 && got.d_log_prob[i] == 0 ? 0 : 1;
      of_padding += loss.entropy_coefficient == 0 || got.d_entropy[i] == 0 ? 0 : 1;
    }
    CHECK(wrong == 0);
    CHECK(of_padding == 0);
    check_reports(got.seen, expected.seen, rounding<T>);
  }
}

TEMPLATE_TEST_CASE("garbage under the mask changes no bit of an output", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{4};
  T const garbage[]{not_a_number<T>, infinity<T>, -infinity<T>, std::numeric_limits<T>::max(), T(-0.0)};
  for (std::size_t round = 0; round < 600; ++round) {
    auto const loss = random_loss(random);
    INFO(description(loss));
    auto const clean = random_tokens<T>(random, false, 3, 9, 0.6);
    auto soiled = clean;
    for (std::size_t i = 0; i < clean.size(); ++i) {
      if (clean.mask[i] != 0) continue;
      for (auto* x : {&soiled.log_prob, &soiled.old_log_prob, &soiled.ref_log_prob, &soiled.rollout_log_prob,
                      &soiled.entropy, &soiled.advantage}) {
        (*x)[i] = garbage[random.bits() % 5];
      }
    }
    for (auto const mode : {on_invalid::propagate, on_invalid::error, on_invalid::skip}) {
      written<T> const expected{loss, clean, {.non_finite = mode}}, got{loss, soiled, {.non_finite = mode}};
      CHECK(got.same_bits(0, clean.size(), expected, 0));
      CHECK(oracle::same_bits(got.seen.loss, expected.seen.loss));
      check_reports(got.seen, expected.seen, 0);
      CHECK(got.seen.non_finite == 0);
    }
  }
}

TEMPLATE_TEST_CASE("micro-batches with the true denominator give the gradient of the whole", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{5};
  std::size_t rounds = 0;
  for (std::size_t round = 0; round < 800; ++round) {
    auto loss = random_loss(random);
    // These pick tokens out of what a call gets.
    if (loss.surrogate.name() == "clip_cov" || loss.surrogate.name() == "kl_cov") continue;
    loss.aggregation.mode = every_aggregation[round % 7];
    INFO(description(loss));
    auto const data = random_tokens<T>(random, random.chance(0.5), 4);
    written<T> const whole{loss, data};
    bool const by_groups = loss.aggregation.mode == aggregation_mode::prompt_mean;
    std::vector<std::size_t> cuts{0};
    while (cuts.back() != data.sequences()) {
      if (by_groups) {
        std::size_t next = cuts.back();
        for (auto const g : data.group_offsets) {
          if (static_cast<std::size_t>(g) > cuts.back()) {
            next = static_cast<std::size_t>(g);
            break;
          }
        }
        cuts.push_back(next);
      } else {
        cuts.push_back(std::min(data.sequences(), cuts.back() + 1 + random.bits() % 3));
      }
    }
    double sum = 0, size = 0;
    std::size_t wrong = 0;
    bool ambiguous = false;
    for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
      auto part = data.part(cuts[c], cuts[c + 1]);
      if (!by_groups) part.group_offsets = {0, static_cast<std::int64_t>(part.sequences())};
      ambiguous = ambiguous || part.size() == part.sequences();
      if (ambiguous) break;
      written<T> const of_part{loss, part, {.denominator = whole.seen.denominator}};
      sum += of_part.seen.loss;
      size += std::fabs(of_part.seen.loss);
      CHECK(of_part.seen.denominator == whole.seen.denominator);
      std::size_t const begin = data.begin(cuts[c]);
      for (std::size_t i = 0; i < part.size(); ++i) {
        // Their own losses to the bit; gradients to the rounding of the factor.
        wrong += oracle::same_bits(of_part.loss[i], whole.loss[begin + i]) ? 0 : 1;
        T const d = whole.d_log_prob[begin + i];
        wrong += std::fabs(of_part.d_log_prob[i] - d) <= 4 * std::numeric_limits<T>::epsilon() * std::fabs(d) ? 0 : 1;
      }
    }
    if (ambiguous) continue;
    ++rounds;
    CHECK(wrong == 0);
    CHECK(is_within_rounding(static_cast<T>(sum), static_cast<T>(whole.seen.loss), 1 + size));
  }
  CHECK(rounds > 300);
}

TEMPLATE_TEST_CASE("batches without a token that counts", "", float, double) {
  using T = TestType;
  std::vector<std::int64_t> const no_sequence{0}, empty_sequences{0, 0, 0, 0}, masked{0, 2, 2, 3}, groups{0, 1, 3};
  std::vector<T> const three{-1, -2, -3}, nothing, zeros{0, 0, 0};
  for (auto const& surrogate : every_surrogate()) {
    CAPTURE(surrogate.surrogate.name());
    auto loss = surrogate;
    loss.kl = {.estimator = kl_estimator::k3, .coefficient = 1};
    loss.correction = {.mode = correction_mode::geometric_truncate, .off_policy_limit = 1};
    loss.entropy_coefficient = 1;
    for (auto const mode : every_aggregation) {
      CAPTURE(name_of(mode));
      loss.aggregation.mode = mode;
      auto const check = [&](token_report const& seen, std::size_t empty, double masked_share) {
        check_reports(seen, {.denominator = 1}, 0);
        CHECK(seen.empty == empty);
        CHECK(seen.masked_share == masked_share);
        CHECK(seen.skipped == 0);
      };
      for (auto const invalid : {on_invalid::propagate, on_invalid::skip, on_invalid::error}) {
        std::vector<std::int64_t> const no_group{0};
        check(evaluate(loss, token_batch<T>{.log_prob = nothing, .offsets = no_sequence, .group_offsets = no_group}, {},
                       {.non_finite = invalid}),
              0, 0);
        check(evaluate(loss, token_batch<T>{.log_prob = nothing, .offsets = empty_sequences, .group_offsets = groups},
                       {}, {.non_finite = invalid}),
              3, 0);
        std::vector<T> written(3, T(5)), gradient(3, T(5)), d_entropy(3, T(5));
        std::vector<T> const garbage{not_a_number<T>, infinity<T>, -infinity<T>}, two{1, -1, 1};
        // As many sequences as tokens: advantages have to be of tokens or of sequences.
        std::vector<std::int64_t> const two_sequences{0, 2, 3}, one_group{0, 2};
        check(evaluate(loss,
                       token_batch<T>{.log_prob = garbage,
                                      .old_log_prob = garbage,
                                      .ref_log_prob = garbage,
                                      .rollout_log_prob = garbage,
                                      .advantage = garbage,
                                      .mask = zeros,
                                      .entropy = garbage,
                                      .offsets = two_sequences,
                                      .group_offsets = one_group},
                       {.loss = written, .d_log_prob = gradient, .d_entropy = d_entropy}, {.non_finite = invalid}),
              2, 1);
        for (auto const* x : {&written, &gradient, &d_entropy}) CHECK(*x == zeros);
      }
    }
  }
}

TEMPLATE_TEST_CASE("a sequence without a counted token has no part in a mean", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{6};
  for (std::size_t round = 0; round < 300; ++round) {
    auto const loss = random_loss(random);
    INFO(description(loss));
    auto data = random_tokens<T>(random, true, 3, 9, 0.8);
    auto more = data;
    // One that is masked, and one without a token, in groups of their own.
    more.log_prob.insert(more.log_prob.end(), 2, T(-1));
    for (auto* x : {&more.old_log_prob, &more.ref_log_prob, &more.rollout_log_prob}) x->insert(x->end(), 2, T(-2));
    more.entropy.insert(more.entropy.end(), 2, T(1));
    more.mask.insert(more.mask.end(), 2, T(0));
    more.advantage.insert(more.advantage.end(), 2, T(3));
    more.offsets.push_back(static_cast<std::int64_t>(more.size()));
    more.offsets.push_back(static_cast<std::int64_t>(more.size()));
    more.end_group();
    if (data.size() == data.sequences() || more.size() == more.sequences()) continue;
    written<T> const expected{loss, data}, got{loss, more};
    CHECK(got.same_bits(0, data.size(), expected, 0));
    check_reports(got.seen, expected.seen, 1e-15);
    CHECK(got.seen.empty == expected.seen.empty + 2);
  }
}

TEMPLATE_TEST_CASE("gradients are added where that is asked for, and nothing else is", "", float, double) {
  using T = TestType;
  oracle::random_numbers random{7};
  for (std::size_t round = 0; round < 100; ++round) {
    auto const loss = random_loss(random);
    INFO(description(loss));
    auto const data = random_tokens<T>(random, false);
    written<T> const once{loss, data};
    written<T> twice{loss, data};
    evaluate(loss, data.batch(loss), twice.outputs(loss), {.gradient = gradient_write::accumulate});
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
      wrong += oracle::same_bits(twice.loss[i], once.loss[i]) ? 0 : 1;
      wrong += oracle::same_bits(twice.d_log_prob[i], T(2 * once.d_log_prob[i])) ? 0 : 1;
      if (loss.entropy_coefficient != 0)
        wrong += oracle::same_bits(twice.d_entropy[i], T(2 * once.d_entropy[i])) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}
