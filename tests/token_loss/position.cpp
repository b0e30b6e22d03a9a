// What is written for a sequence depends on the sequence alone, bit for bit: not on where it stands, what is beside it,
// how the columns lie in memory, or who runs the parts.
#include <algorithm>
#include <catch.hpp>
#include <chain/thread_pool.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <guarded.hpp>
#include <numeric>
#include <refusal.hpp>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "token_loss/tokens.hpp"

using namespace prefopt;

namespace {

/// Every surrogate that treats tokens by themselves, with several corrections and estimators.
std::vector<any_token_loss> independent_losses() {
  std::vector<any_token_loss> all;
  auto const surrogates = every_surrogate();
  for (std::size_t i = 0; i < surrogates.size(); ++i) {
    auto loss = surrogates[i];
    std::string const name = loss.surrogate.name();
    if (name == "clip_cov" || name == "kl_cov") continue;
    loss.aggregation.mode = aggregation_mode::sequence_mean_of_means;
    all.push_back(loss);
    loss.kl = {.estimator = static_cast<kl_estimator>(1 + i % 9), .coefficient = 0.5};
    loss.correction = {
        .mode = static_cast<correction_mode>(1 + i % 7), .low = 0.5, .high = 3, .off_policy_limit = 0.001};
    loss.entropy_coefficient = 0.25;
    loss.log_ratio_limit = 0.5;
    all.push_back(loss);
    loss.correction = {.mode = correction_mode::sequence_truncate, .low = 0, .high = 100};
    all.push_back(loss);
  }
  return all;
}

template <class T>
void append(tokens<T>& to, tokens<T> const& from) {
  auto const add = [](std::vector<T>& a, std::vector<T> const& b) { a.insert(a.end(), b.begin(), b.end()); };
  add(to.log_prob, from.log_prob);
  add(to.old_log_prob, from.old_log_prob);
  add(to.ref_log_prob, from.ref_log_prob);
  add(to.rollout_log_prob, from.rollout_log_prob);
  add(to.mask, from.mask);
  add(to.entropy, from.entropy);
  add(to.advantage, from.advantage);
  std::int64_t const before = to.offsets.back();
  for (std::size_t s = 0; s < from.sequences(); ++s) to.offsets.push_back(before + from.offsets[s + 1]);
}

template <class T>
tokens<T> sequences_of(std::vector<std::size_t> const& lengths, bool is_advantage_of_sequences, std::uint64_t seed) {
  oracle::random_numbers random{seed};
  tokens<T> data;
  data.is_advantage_of_sequences = is_advantage_of_sequences;
  for (auto const length : lengths) data.add_sequence(length, random, 0.9);
  data.end_group();
  return data;
}

/// Each sequence of the batch alone has the bits that it has in the batch.
template <class T>
std::size_t differing_alone(any_token_loss const& loss, tokens<T> const& data) {
  options const fixed{.denominator = 7.0};
  written<T> const whole{loss, data, fixed};
  std::size_t differing = 0;
  for (std::size_t s = 0; s < data.sequences(); ++s) {
    auto part = data.part(s, s + 1);
    part.group_offsets = {0, 1};
    written<T> const alone{loss, part, fixed};
    differing += alone.same_bits(0, part.size(), whole, data.begin(s)) ? 0 : 1;
  }
  return differing;
}

}  // namespace

TEMPLATE_TEST_CASE("a sequence has the same bits anywhere in a batch", "", float, double) {
  using T = TestType;
  std::vector<std::size_t> mixed, ones(600, 1);
  oracle::random_numbers random{21};
  for (int i = 0; i < 40; ++i) mixed.push_back(random.bits() % 60);
  for (auto const n : {510U, 1U, 511U, 512U, 513U, 3U, 1023U, 1025U, 0U, 700U, 17U, 4095U, 4096U, 4097U, 5U, 9000U}) {
    mixed.push_back(n);
  }
  auto shuffled = mixed;
  std::reverse(shuffled.begin(), shuffled.end());
  // Made once: with an advantage a token, and one a sequence.
  std::vector<tokens<T>> batches[2];
  for (bool const of_sequences : {false, true}) {
    batches[of_sequences] = {sequences_of<T>(mixed, of_sequences, 22), sequences_of<T>(shuffled, of_sequences, 23),
                             sequences_of<T>(ones, of_sequences, 24)};
  }
  auto const losses = independent_losses();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    INFO(description(losses[i]));
    for (std::size_t b = 0; b < 3; ++b) CHECK(differing_alone(losses[i], batches[(i + i / 3 + b) % 2][b]) == 0);
  }
}

TEMPLATE_TEST_CASE("around the limits of blocks and chunks a sequence has its bits", "", float, double) {
  using T = TestType;
  // 512 sequences or 4096 tokens a chunk, 512 tokens a block; empty sequences at every such place.
  std::vector<std::vector<std::size_t>> batches;
  for (std::size_t const n : {511U, 512U, 513U, 1024U, 1025U}) {
    batches.push_back(std::vector<std::size_t>(n, 2));
    batches.push_back(std::vector<std::size_t>(n, 0));
    batches.back()[n - 1] = 3;
    batches.back()[n / 2] = 5;
  }
  for (std::size_t const first : {4090U, 4095U, 4096U, 4097U}) batches.push_back({first, 0, 1, 0, 2, 600, 0});
  batches.push_back({2048, 0, 2048, 0, 1, 4096, 0, 4096, 1, 5000, 0, 3});
  batches.push_back({300, 213, 512, 1, 511, 100, 412, 0, 513});
  batches.push_back({0, 0, 0, 512, 0, 0, 512, 0});
  auto const losses = independent_losses();
  for (std::size_t i = 0; i < losses.size(); ++i) {
    INFO(description(losses[i]));
    for (std::size_t b = i % 3; b < batches.size(); b += 3) {
      CAPTURE(b);
      CHECK(differing_alone(losses[i], sequences_of<T>(batches[b], (i + b) % 2 == 0, 25 + b)) == 0);
    }
  }
}

TEMPLATE_TEST_CASE("a sequence of 100000 tokens, and 40000 sequences of one, in threads", "", float, double) {
  using T = TestType;
  thread_pool const three{3};
  auto const losses = independent_losses();
  auto const longest = sequences_of<T>({100000, 3, 20000}, true, 31);
  auto const shortest = sequences_of<T>(std::vector<std::size_t>(40000, 1), false, 32);
  // Of each surrogate the one with everything.
  for (std::size_t i = 1; i < losses.size(); i += 3) {
    auto const& loss = losses[i];
    INFO(description(loss));
    written<T> const a{loss, longest}, in_threads{loss, longest, {.executor = three}};
    CHECK(a.same_bits(0, longest.size(), in_threads, 0));
    CHECK(oracle::same_bits(a.seen.loss, in_threads.seen.loss));
    CHECK(oracle::same_bits(a.seen.mean_correction, in_threads.seen.mean_correction));
    CHECK(a.seen.count > 100000);
    written<T> const b{loss, shortest}, threaded{loss, shortest, {.executor = three}};
    CHECK(b.same_bits(0, shortest.size(), threaded, 0));
    CHECK(oracle::same_bits(b.seen.loss, threaded.seen.loss));
    CHECK(b.seen.count == threaded.seen.count);
    std::size_t differing = 0;
    for (std::size_t s = 0; s < shortest.sequences(); s += 997) {
      auto part = shortest.part(s, s + 1);
      part.group_offsets = {0, 1};
      written<T> const alone{loss, part, {.denominator = b.seen.denominator}};
      differing += alone.same_bits(0, 1, b, s) ? 0 : 1;
    }
    CHECK(differing == 0);
  }
}

TEMPLATE_TEST_CASE("a long sequence's mean and product are those of all its tokens", "", float, double) {
  using T = TestType;
  auto const data = sequences_of<T>({100000}, true, 33);
  long double sum = 0;
  std::size_t n = 0;
  for (std::size_t t = 0; t < data.size(); ++t) {
    if (data.mask[t] == 0) continue;
    sum += static_cast<long double>(data.log_prob[t]) - static_cast<long double>(data.old_log_prob[t]);
    ++n;
  }
  auto const ratio_of = [&](char const* name) { return written<T>{made_token_loss(name), data}.seen.mean_ratio; };
  double const u = static_cast<double>(std::numeric_limits<T>::epsilon());
  auto const mean = static_cast<double>(std::exp(sum / static_cast<long double>(n)));
  CHECK(std::fabs(ratio_of("gspo") - mean) <= 64 * u * mean);
  auto const product = static_cast<double>(std::exp(sum));
  if (product > static_cast<double>(std::numeric_limits<T>::max())) {
    CHECK(ratio_of("sequence_clip") == infinity<double>);
  } else {
    CHECK(std::fabs(ratio_of("sequence_clip") - product) <=
          64 * u * product * (1 + static_cast<double>(std::fabs(sum))));
  }
}

TEMPLATE_TEST_CASE("columns and outputs may lie in memory as they like", "", float, double) {
  using T = TestType;
  auto const data = sequences_of<T>({3, 40, 0, 513, 17, 700}, false, 41);
  std::size_t const n = data.size();
  auto const spread = [&](std::vector<T> const& x, std::size_t stride) {
    std::vector<T> out(x.size() * stride + 1, T(-99));
    for (std::size_t i = 0; i < x.size(); ++i) out[i * stride] = x[i];
    return out;
  };
  auto const strided_offsets = [&] {
    std::vector<std::int64_t> out;
    for (auto const o : data.offsets) out.insert(out.end(), {o, -5});
    return out;
  }();
  for (auto const& loss : independent_losses()) {
    INFO(description(loss));
    written<T> const plain{loss, data};
    bool const reads_entropy = loss.entropy_coefficient != 0;
    // Columns with strides of 2 to 4, outputs with strides of 3, offsets with one of 2.
    std::vector<T> const l = spread(data.log_prob, 2), o = spread(data.old_log_prob, 3),
                         r = spread(data.ref_log_prob, 4), b = spread(data.rollout_log_prob, 2),
                         a = spread(data.advantage, 3), m = spread(data.mask, 2), h = spread(data.entropy, 2);
    token_batch<T> batch{.log_prob = {l.data(), n, 2},
                         .old_log_prob = {o.data(), n, 3},
                         .advantage = {a.data(), n, 3},
                         .mask = {m.data(), n, 2},
                         .entropy = {h.data(), n, 2},
                         .offsets = {strided_offsets.data(), data.offsets.size(), 2}};
    if (reads_reference(loss)) batch.ref_log_prob = {r.data(), n, 4};
    if (reads_rollout(loss)) batch.rollout_log_prob = {b.data(), n, 2};
    std::vector<T> value(3 * n, T(-77)), gradient(3 * n, T(-77)), d_entropy(3 * n, T(-77));
    token_outputs<T> to{.loss = {value.data(), n, 3}, .d_log_prob = {gradient.data(), n, 3}};
    if (reads_entropy) to.d_entropy = {d_entropy.data(), n, 3};
    evaluate(loss, batch, to);
    std::size_t differing = 0;
    for (std::size_t i = 0; i < n; ++i) {
      differing += oracle::same_bits(value[3 * i], plain.loss[i]) ? 0 : 1;
      differing += oracle::same_bits(gradient[3 * i], plain.d_log_prob[i]) ? 0 : 1;
      differing += !reads_entropy || oracle::same_bits(d_entropy[3 * i], plain.d_entropy[i]) ? 0 : 1;
      for (auto const* x : {&value, &gradient, &d_entropy}) {
        differing += (*x)[3 * i + 1] == T(-77) && (*x)[3 * i + 2] == T(-77) ? 0 : 1;
      }
    }
    CHECK(differing == 0);

    // Against pages that may not be touched: nothing beyond the columns is read, nothing beyond the outputs written.
    for (auto const side : {guarded<T>::against::end, guarded<T>::against::begin}) {
      guarded<T> const gl{data.log_prob, side}, go{data.old_log_prob, side}, gr{data.ref_log_prob, side},
          gb{data.rollout_log_prob, side}, ga{data.advantage, side}, gm{data.mask, side}, gh{data.entropy, side},
          first{plain.loss, side}, second{plain.loss, side}, third{plain.loss, side};
      token_batch<T> tight{.log_prob = gl.values(),
                           .old_log_prob = go.values(),
                           .advantage = ga.values(),
                           .mask = gm.values(),
                           .entropy = gh.values(),
                           .offsets = data.offsets};
      if (reads_reference(loss)) tight.ref_log_prob = gr.values();
      if (reads_rollout(loss)) tight.rollout_log_prob = gb.values();
      token_outputs<T> tight_to{.loss = first.values(), .d_log_prob = second.values()};
      if (reads_entropy) tight_to.d_entropy = third.values();
      evaluate(loss, tight, tight_to);
      CHECK(std::equal(plain.loss.begin(), plain.loss.end(), first.values().begin(), oracle::same_bits<T>));
      CHECK(
          std::equal(plain.d_log_prob.begin(), plain.d_log_prob.end(), second.values().begin(), oracle::same_bits<T>));
    }

    // In place: each output over a column.
    auto over = data;
    auto in_place = over.batch(loss);
    token_outputs<T> onto{.loss = over.old_log_prob, .d_log_prob = over.log_prob};
    evaluate(loss, in_place, onto);
    CHECK(std::equal(plain.loss.begin(), plain.loss.end(), over.old_log_prob.begin(), oracle::same_bits<T>));
    CHECK(std::equal(plain.d_log_prob.begin(), plain.d_log_prob.end(), over.log_prob.begin(), oracle::same_bits<T>));
  }
}

TEMPLATE_TEST_CASE("any of the outputs may be left out", "", float, double) {
  using T = TestType;
  auto const data = sequences_of<T>({3, 40, 0, 513}, true, 51);
  for (auto const& loss : independent_losses()) {
    INFO(description(loss));
    written<T> const all{loss, data};
    auto const none = evaluate(loss, data.batch(loss));
    CHECK(oracle::same_bits(none.loss, all.seen.loss));
    written<T> one{data.size()};
    evaluate(loss, data.batch(loss), {.d_log_prob = one.d_log_prob});
    CHECK(std::equal(all.d_log_prob.begin(), all.d_log_prob.end(), one.d_log_prob.begin(), oracle::same_bits<T>));
    evaluate(loss, data.batch(loss), {.loss = one.loss});
    CHECK(std::equal(all.loss.begin(), all.loss.end(), one.loss.begin(), oracle::same_bits<T>));
  }
}

TEST_CASE("of the advantages of sequences nothing else is read, however they lie") {
  // More tokens than a page has advantages behind the last.
  std::size_t const each = 700;
  std::vector<double> const log_prob(2 * each, -1.5), old_log_prob(2 * each, -1.25), mask(2 * each, 1);
  std::vector<std::int64_t> const offsets{0, static_cast<std::int64_t>(each), static_cast<std::int64_t>(2 * each)};
  guarded<double> const apart{{2, 0, 0, -1}, guarded<double>::against::end};
  std::vector<double> const side_by_side{2, -1};
  auto const d_of = [&](column<double> const& advantage) {
    std::vector<double> d(2 * each);
    evaluate(made_token_loss("gspo"),
             token_batch<double>{.log_prob = log_prob,
                                 .old_log_prob = old_log_prob,
                                 .advantage = advantage,
                                 .mask = mask,
                                 .offsets = offsets},
             {.d_log_prob = d});
    return d;
  };
  CHECK(d_of({apart.values().data(), 2, 3}) == d_of(side_by_side));
}

TEST_CASE("finite numbers whose results are not, and go where they lie, are not counted as non-finite") {
  std::vector<float> log_prob(40, 2e38F), old_log_prob(40, -2e38F);
  std::vector<float> const advantage(40, -1);
  std::vector<std::int64_t> const offsets{0, 40};
  token_batch<float> const batch{
      .log_prob = log_prob, .old_log_prob = old_log_prob, .advantage = advantage, .offsets = offsets};
  CHECK(evaluate(made_token_loss("ppo"), batch, {.loss = old_log_prob, .d_log_prob = log_prob}).non_finite == 0);
  CHECK(std::ranges::none_of(log_prob, [](float d) { return std::isfinite(d); }));
  std::ranges::fill(log_prob, -1.0F);
  std::ranges::fill(old_log_prob, -1.0F);
  log_prob[3] = not_a_number<float>;
  CHECK(evaluate(made_token_loss("ppo"), batch, {.loss = old_log_prob, .d_log_prob = log_prob}).non_finite == 1);
}

TEST_CASE("narrower columns are read as what they are") {
  // Advantages and masks as a host may have them.
  std::vector<float> const log_prob{-1.5F, -0.25F, -3}, advantage{1, -2, 0.5F};
  std::vector<int> const mask{1, 0, 1};
  std::vector<std::int32_t> const offsets{0, 2, 3};
  std::vector<double> const wide_log_prob{-1.5, -0.25, -3}, wide_advantage{1, -2, 0.5}, wide_mask{1, 0, 1};
  std::vector<std::int64_t> const wide_offsets{0, 2, 3};
  auto const loss = made_token_loss("reinforce");
  std::vector<double> narrow(3), wide(3);
  auto const of_narrow = evaluate(
      loss, token_batch<double>{.log_prob = log_prob, .advantage = advantage, .mask = mask, .offsets = wide_offsets},
      {.d_log_prob = narrow});
  auto const of_wide =
      evaluate(loss,
               token_batch<double>{
                   .log_prob = wide_log_prob, .advantage = wide_advantage, .mask = wide_mask, .offsets = wide_offsets},
               {.d_log_prob = wide});
  CHECK(narrow == wide);
  CHECK(of_narrow.loss == of_wide.loss);
  CHECK(of_narrow.count == 2);
}

TEST_CASE("the draw of clip_cov is the same in each call, and with any executor") {
  auto loss = made_token_loss("clip_cov", {{"lowest_covariance", 0.01}, {"share", 0.1}});
  auto data = sequences_of<double>(std::vector<std::size_t>(2000, 30), true, 61);
  // Of one with an advantage of 0 the draw could not be seen.
  std::replace(data.advantage.begin(), data.advantage.end(), 0.0, 0.5);
  thread_pool const three{3};
  written<double> const once{loss, data}, again{loss, data}, threaded{loss, data, {.executor = three}};
  CHECK(once.same_bits(0, data.size(), again, 0));
  CHECK(once.same_bits(0, data.size(), threaded, 0));
  std::size_t left_out = 0, counted = 0;
  for (std::size_t s = 0; s < data.sequences(); ++s) {
    for (std::size_t t = data.begin(s); t < data.end(s); ++t) {
      counted += data.mask[t] != 0 ? 1 : 0;
      left_out += data.mask[t] != 0 && once.loss[t] == 0 ? 1 : 0;
    }
  }
  CHECK(left_out == counted / 10);
}

TEST_CASE("clip_cov draws of tokens without an advantage, too, which are not clipped") {
  // Of the first two one is drawn; the others, of no covariance, make it another draw.
  auto const loss = made_token_loss("clip_cov", {{"lowest_covariance", 0.5}, {"highest_covariance", 1.5}});
  std::size_t drawn = 0, rounds = 0;
  for (std::size_t more = 0; more < 32; ++more, ++rounds) {
    std::vector<double> log_prob(2 + more, -2), old_log_prob(2 + more, -2), advantage(2 + more, 1), result(2 + more);
    advantage[0] = 0, log_prob[0] = -3;
    advantage[1] = 2, log_prob[1] = old_log_prob[1] = -1;
    std::vector<std::int64_t> const offsets{0, static_cast<std::int64_t>(2 + more)};
    token_batch<double> const batch{
        .log_prob = log_prob, .old_log_prob = old_log_prob, .advantage = advantage, .offsets = offsets};
    evaluate(loss, batch, {.loss = result});
    drawn += result[1] == 0 ? 1 : 0;
  }
  CAPTURE(drawn);
  CHECK(drawn > 0);
  CHECK(drawn < rounds);
}

TEST_CASE("clip_cov draws no token that is clipped, each side by its own bound") {
  struct row {
    double advantage, ratio;
    bool is_clipped;
  };
  // clang-format off
  auto const [advantage, ratio, is_clipped] = GENERATE(
      row{2, 0.5, false}, row{2, 1.2, false}, row{2, 1.4, true},
      row{-2, 2, false}, row{-2, 0.95, false}, row{-2, 0.8, true});
  // clang-format on
  CAPTURE(advantage, ratio);
  auto const loss =
      made_token_loss("clip_cov", {{"low", 0.1}, {"high", 0.3}, {"lowest_covariance", 1}, {"highest_covariance", 2}});
  // The covariance of the first is 1.2, and 0.3 of the others.
  std::vector<double> const log_prob{-2 + 0.45 * advantage, -2, -2},
      advantages{advantage, -advantage / 2, -advantage / 2}, old_log_prob{log_prob[0] - std::log(ratio), -2, -2};
  std::vector<double> result(3);
  std::vector<std::int64_t> const offsets{0, 3};
  token_batch<double> const batch{
      .log_prob = log_prob, .old_log_prob = old_log_prob, .advantage = advantages, .offsets = offsets};
  evaluate(loss, batch, {.loss = result});
  CHECK((result[0] != 0) == is_clipped);
  CHECK(result[1] == advantage / 2);
}

TEMPLATE_TEST_CASE("a mask is not read behind its end to find what is wrong in it", "", float, double) {
  using T = TestType;
  auto const loss = made_token_loss("reinforce");
  for (std::size_t size = 1; size < 70; ++size) {
    std::vector<T> mask(size, T(1));
    mask.back() = T(0.5);
    std::vector<T> const ones(size, T(1));
    guarded<T> const end{mask, guarded<T>::against::end};
    std::vector<std::int64_t> const offsets{0, static_cast<std::int64_t>(size)};
    token_batch<T> const batch{.log_prob = ones, .advantage = ones, .mask = end.values(), .offsets = offsets};
    CHECK(refusal([&] { evaluate(loss, batch); }) ==
          "prefopt::evaluate: mask[" + std::to_string(size - 1) + "] is 0.5, expected 0 or 1");
  }
}
