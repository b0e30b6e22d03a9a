// Policy-gradient losses and advantages over ranks: the numbers of one process.
#include <algorithm>
#include <cmath>
#include <prefopt/token/advantages.hpp>
#include <prefopt/token/gdpo_advantages.hpp>
#include <prefopt/token/whiten.hpp>
#include <special_numbers.hpp>
#include <token_loss/tokens.hpp>

#include "refusals.hpp"

using namespace prefopt;

namespace {

/// Groups of sequences, some of them without a token that counts.
template <class T>
tokens<T> groups_of_tokens(std::size_t groups, bool is_advantage_of_sequences) {
  oracle::random_numbers random{91};
  tokens<T> data;
  data.is_advantage_of_sequences = is_advantage_of_sequences;
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t k = g % 4; k-- > 0;) data.add_sequence(random.bits() % 9, random);
    data.end_group();
  }
  return data;
}

/// The outputs of tokens [begin, begin + count).
template <class T>
token_outputs<T> part_of(written<T>& all, any_token_loss const& loss, std::size_t begin, std::size_t count) {
  auto const part = [&](std::vector<T>& values) { return output<T>{values.data() + begin, count}; };
  token_outputs<T> to{.loss = part(all.loss), .d_log_prob = part(all.d_log_prob)};
  if (loss.entropy_coefficient != 0) to.d_entropy = part(all.d_entropy);
  return to;
}

void check_token_report(token_report const& got, token_report const& expected, double tolerance) {
  for (auto const& [name, field] : {std::pair{"loss", &token_report::loss},
                                    {"mean_ratio", &token_report::mean_ratio},
                                    {"clipped_low", &token_report::clipped_low},
                                    {"clipped_high", &token_report::clipped_high},
                                    {"old_kl", &token_report::old_kl},
                                    {"kl", &token_report::kl},
                                    {"entropy", &token_report::entropy},
                                    {"mean_correction", &token_report::mean_correction},
                                    {"effective_sample_size", &token_report::effective_sample_size},
                                    {"masked_share", &token_report::masked_share},
                                    {"denominator", &token_report::denominator}}) {
    INFO(name << ": got " << got.*field << ", expected " << expected.*field);
    CHECK(is_near(got.*field, expected.*field, tolerance));
  }
  CHECK(got.count == expected.count);
  CHECK(got.skipped == expected.skipped);
  CHECK(got.non_finite == expected.non_finite);
  CHECK(got.sequences == expected.sequences);
  CHECK(got.empty == expected.empty);
}

/// On as many ranks as the bounds of groups say, what one process does.
template <class T>
void check_token_ranks(any_token_loss const& loss, tokens<T> const& data, options const& given) {
  written<T> const whole{loss, data, given};
  for (auto const& bounds : shards_of(data.group_offsets.size() - 1)) {
    CAPTURE(bounds);
    std::vector<std::size_t> cuts;
    bool is_ambiguous = false;
    for (std::size_t const b : bounds) cuts.push_back(static_cast<std::size_t>(data.group_offsets[b]));
    std::vector<tokens<T>> parts;
    for (std::size_t rank = 0; rank + 1 < cuts.size(); ++rank) {
      auto part = data.part(cuts[rank], cuts[rank + 1]);
      part.group_offsets.clear();
      for (std::size_t g = bounds[rank]; g <= bounds[rank + 1]; ++g) {
        part.group_offsets.push_back(data.group_offsets[g] - data.group_offsets[bounds[rank]]);
      }
      is_ambiguous = is_ambiguous || (part.size() == part.sequences() && part.size() != 0);
      parts.push_back(std::move(part));
    }
    if (is_ambiguous) continue;
    written<T> got{data.size()};
    std::vector<token_report> reports(parts.size());
    check_outcomes(run_ranks(parts.size(),
                             [&](std::size_t rank, rank_sum& sum) {
                               options own = given;
                               own.all_reduce = sum;
                               auto const& part = parts[rank];
                               reports[rank] = evaluate(loss, part.batch(loss),
                                                        part_of(got, loss, data.begin(cuts[rank]), part.size()), own);
                             }),
                   2);
    double largest = 0;
    for (auto const& of_rank : reports) {
      check_token_report(of_rank, whole.seen, tolerance<T>);
      largest = std::max(largest, of_rank.largest_ratio);
    }
    // That is each rank's own.
    CHECK(largest == whole.seen.largest_ratio);
    CHECK(oracle::same_bits(got.loss.front(), whole.loss.front()));
    check_gradients(got.d_log_prob, whole.d_log_prob, tolerance<T>);
    if (loss.entropy_coefficient != 0) check_gradients(got.d_entropy, whole.d_entropy, tolerance<T>);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("tokens over ranks, every aggregation", "", float, double) {
  using T = TestType;
  std::size_t round = 0;
  for (char const* name : {"ppo_clip", "gspo", "vespo", "fipo", "cispo"}) {
    for (auto const mode : every_aggregation) {
      auto loss = made_token_loss(name);
      loss.aggregation = {mode, 7};
      if (round % 2 == 1) {
        loss.kl = {.estimator = kl_estimator::k3, .coefficient = 0.3};
        loss.correction = {.mode = static_cast<correction_mode>(1 + round % 7), .low = 0.5, .high = 2};
        loss.entropy_coefficient = 0.1;
      }
      if (round % 4 >= 2) {
        loss.correction.off_policy_limit = 0.001;
        loss.correction.drops_off_policy = round % 4 == 3;
      }
      INFO(description(loss));
      auto data = groups_of_tokens<T>(13, round % 3 == 0);
      options given;
      if (round % 5 == 1) given.reduction = reduction::sum;
      if (round % 5 == 2) given.reduction = reduction::none;
      if (round % 5 == 3) given.denominator = 11.0;
      if (round % 4 == 3) {
        data.log_prob[3] = not_a_number<T>;
        data.old_log_prob[data.size() - 2] = infinity<T>;
        given.non_finite = on_invalid::skip;
      }
      check_token_ranks(loss, data, given);
      ++round;
    }
  }
}

TEST_CASE("a rank that refuses its tokens makes all throw, and none has written") {
  auto const data = groups_of_tokens<double>(6, true);
  enum class fault { mask, offsets, column, not_finite, parameter, no_groups };
  struct row {
    fault what;
    char const* message;
  };
  for (row const& of :
       {row{fault::mask, "mask[2] is 3, expected 0 or 1"}, row{fault::offsets, "offsets[0] is 1, expected 0"},
        row{fault::column, "ppo_clip needs the column old_log_prob, which is not given"},
        row{fault::not_finite, "log_prob[1] is nan, expected a finite number"},
        row{fault::parameter, "log_ratio_limit is 0, expected a number > 0"},
        row{fault::no_groups, "prompt_mean needs group_offsets, which are not given"}}) {
    check_refusals(
        of.message,
        [&](std::size_t, bool is_bad, rank_sum& sum) {
          auto loss = made_token_loss("ppo_clip");
          loss.aggregation.mode = aggregation_mode::prompt_mean;
          auto own = data;
          own.mask.assign(own.size(), 1.0);
          std::vector<double> const untouched(own.size(), -77.0);
          std::vector<double> value = untouched, gradient = untouched;
          auto batch = own.batch(loss);
          if (is_bad) {
            if (of.what == fault::mask) own.mask[2] = 3;
            if (of.what == fault::offsets) own.offsets[0] = 1;
            if (of.what == fault::column) batch.old_log_prob = {};
            if (of.what == fault::not_finite) own.log_prob[1] = not_a_number<double>;
            if (of.what == fault::parameter) loss.log_ratio_limit = 0;
            if (of.what == fault::no_groups) batch.group_offsets = {};
          }
          try {
            evaluate(loss, batch, {.loss = value, .d_log_prob = gradient},
                     {.non_finite = on_invalid::error, .all_reduce = sum});
          } catch (std::exception const&) {
            expect_untouched({&value, &gradient}, -77.0);
            throw;
          }
        },
        2);
  }
}

TEST_CASE("advantages of the whole batch over ranks") {
  oracle::random_numbers random{92};
  std::vector<double> reward;
  std::vector<std::int64_t> groups{0};
  for (std::size_t g = 0; g < 14; ++g) {
    for (std::size_t k = g % 5; k-- > 0;) reward.push_back(random.chance(0.3) ? 0 : 1000 + random.normal());
    groups.push_back(static_cast<std::int64_t>(reward.size()));
  }
  reward[4] = not_a_number<double>;
  for (auto const mode : {advantage_mode::batch_std, advantage_mode::gpg, advantage_mode::group_std}) {
    CAPTURE(name_of(mode));
    advantage_options const options{.mode = mode, .non_finite = on_invalid::skip};
    std::vector<double> whole(reward.size());
    advantages<double>(reward, groups, whole, options);
    for (auto const& bounds : shards_of(groups.size() - 1)) {
      CAPTURE(bounds);
      std::vector<double> got(reward.size());
      auto const outcomes = run_ranks(bounds.size() - 1, [&](std::size_t rank, rank_sum& sum) {
        auto const begin = static_cast<std::size_t>(groups[bounds[rank]]);
        std::vector<std::int64_t> own;
        for (std::size_t g = bounds[rank]; g <= bounds[rank + 1]; ++g) own.push_back(groups[g] - groups[bounds[rank]]);
        auto const n = static_cast<std::size_t>(own.back());
        auto with_sum = options;
        with_sum.all_reduce = sum;
        advantages<double>({reward.data() + begin, n}, own, {got.data() + begin, n}, with_sum);
      });
      for (auto const& outcome : outcomes) {
        CHECK(outcome.error == "no error");
        CHECK(outcome.calls == (mode == advantage_mode::batch_std ? 3 : mode == advantage_mode::gpg ? 1 : 0));
      }
      check_gradients(got, whole, 1e-12);
    }
  }
  // One rank that refuses its rewards.
  for (auto const& [mode, calls] : {std::pair{advantage_mode::batch_std, 3}, {advantage_mode::gpg, 1}}) {
    check_refusals(
        "reward[1] is nan, expected a finite number",
        [&, of = mode](std::size_t, bool is_bad, rank_sum& sum) {
          std::vector<double> const own{1, is_bad ? not_a_number<double> : 2, 3};
          std::vector<std::int64_t> const one{0, 3};
          std::vector<double> out(3, -77.0);
          try {
            advantages<double>(own, one, out, {.mode = of, .all_reduce = sum});
          } catch (std::exception const&) {
            expect_untouched({&out}, -77.0);
            throw;
          }
        },
        static_cast<std::size_t>(calls), "advantages");
  }
}

TEST_CASE("advantages from several rewards over ranks") {
  oracle::random_numbers random{94};
  std::vector<double> first, second;
  std::vector<std::int64_t> groups{0};
  for (std::size_t g = 0; g < 14; ++g) {
    for (std::size_t k = g % 5; k-- > 0;) {
      first.push_back(random.normal());
      second.push_back(100 * random.normal());
    }
    groups.push_back(static_cast<std::int64_t>(first.size()));
  }
  std::vector<double> const weights{1, 0.5};
  std::vector<double> whole(first.size());
  gdpo_advantages<double>(std::vector<column<double>>{first, second}, weights, groups, whole);
  for (auto const& bounds : shards_of(groups.size() - 1)) {
    CAPTURE(bounds);
    std::vector<double> got(first.size());
    check_outcomes(
        run_ranks(bounds.size() - 1,
                  [&](std::size_t rank, rank_sum& sum) {
                    auto const begin = static_cast<std::size_t>(groups[bounds[rank]]);
                    std::vector<std::int64_t> own;
                    for (std::size_t g = bounds[rank]; g <= bounds[rank + 1]; ++g) {
                      own.push_back(groups[g] - groups[bounds[rank]]);
                    }
                    auto const n = static_cast<std::size_t>(own.back());
                    std::vector<column<double>> const of_rank{{first.data() + begin, n}, {second.data() + begin, n}};
                    gdpo_advantages<double>(of_rank, weights, own, {got.data() + begin, n}, {.all_reduce = sum});
                  }),
        3);
    // Of a lone sample nothing is left but the rounding of the mean.
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < got.size(); ++i) wrong += std::fabs(got[i] - whole[i]) <= 1e-12 ? 0 : 1;
    CHECK(wrong == 0);
  }
  check_refusals(
      "rewards[0][1] is nan, expected a finite number",
      [&](std::size_t, bool is_bad, rank_sum& sum) {
        std::vector<double> const own{1, is_bad ? not_a_number<double> : 2, 3};
        std::vector<std::int64_t> const one{0, 3};
        std::vector<double> out(3, -77.0);
        try {
          gdpo_advantages<double>(std::vector<column<double>>{own}, {}, one, out, {.all_reduce = sum});
        } catch (std::exception const&) {
          expect_untouched({&out}, -77.0);
          throw;
        }
      },
      3, "gdpo_advantages");
}

TEST_CASE("equal values are whitened to 0 over ranks, too") {
  std::vector<double> const value(10, 0.1);
  for (auto const& bounds : shards_of(value.size())) {
    std::vector<double> got(value.size(), 7);
    check_outcomes(
        run_ranks(
            bounds.size() - 1,
            [&](std::size_t rank, rank_sum& sum) {
              std::size_t const begin = bounds[rank], n = bounds[rank + 1] - begin;
              whiten<double>({value.data() + begin, n}, {}, {got.data() + begin, n}, {.epsilon = 0, .all_reduce = sum});
            }),
        3);
    CHECK(got == std::vector<double>(value.size()));
  }
}

TEST_CASE("whitened over ranks") {
  oracle::random_numbers random{93};
  std::vector<double> value, mask;
  for (int i = 0; i < 101; ++i) {
    value.push_back(1e3 + random.normal());
    mask.push_back(random.chance(0.7) ? 1 : 0);
  }
  for (bool const keeps_mean : {false, true}) {
    whitening const how{.keeps_mean = keeps_mean};
    std::vector<double> whole(value.size());
    whiten<double>(value, mask, whole, how);
    for (auto const& bounds : shards_of(value.size())) {
      std::vector<double> got(value.size());
      check_outcomes(
          run_ranks(bounds.size() - 1,
                    [&](std::size_t rank, rank_sum& sum) {
                      std::size_t const begin = bounds[rank], n = bounds[rank + 1] - begin;
                      auto own = how;
                      own.all_reduce = sum;
                      whiten<double>({value.data() + begin, n}, {mask.data() + begin, n}, {got.data() + begin, n}, own);
                    }),
          3);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < got.size(); ++i) wrong += is_near(got[i], whole[i], 1e-11) ? 0 : 1;
      CHECK(wrong == 0);
    }
  }
  check_refusals(
      "mask[0] is 2, expected 0 or 1",
      [&](std::size_t, bool is_bad, rank_sum& sum) {
        std::vector<double> const own{1, 2}, of{is_bad ? 2.0 : 1.0, 1};
        std::vector<double> out(2);
        whiten<double>(own, of, out, {.all_reduce = sum});
      },
      3, "whiten");
}
