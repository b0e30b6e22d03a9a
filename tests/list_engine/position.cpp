// A group's result depends on the group alone: not on its place, its neighbours, how many groups there are, the
// alignment, the stride or type of the columns, or the executor. Bit for bit, for every loss, in float and double.
#include <atomic>
#include <thread>
#include "groups.hpp"

using namespace prefopt;

namespace {

/// Groups of every size to 70 and of some larger ones, several of the small.
template <class T>
groups<T> pool_for(any_list_loss const& loss) {
  auto sizes = sizes_up_to(70);
  sizes.insert(sizes.end(), {100, 257, 1000});
  for (int copies = 0; copies < 4; ++copies) {
    for (std::size_t size = 1; size <= 9; ++size) sizes.push_back(size);
  }
  return groups<T>{fitting(loss, sizes), 11};
}

/// The results of every group evaluated alone, one behind the other.
template <class T>
list_results<T> each_alone(any_list_loss const& loss, groups<T> const& pool, given const& which) {
  list_results<T> all{0, 0};
  for (std::size_t group = 0; group < pool.count(); ++group) {
    auto const one = pool.picked({group});
    list_results<T> got{one};
    evaluate(loss, one.weighted(loss, which), got.outputs(), {.reduction = reduction::none});
    all.loss.push_back(got.loss[0]);
    all.d_logp.insert(all.d_logp.end(), got.d_logp.begin(), got.d_logp.end());
  }
  return all;
}

/// How many of the groups, `which` of the pool, differ from what they give alone.
template <class T>
std::size_t differing(list_results<T> const& got, std::vector<std::size_t> const& which, groups<T> const& pool,
                      list_results<T> const& alone) {
  std::size_t count = 0, at = 0;
  for (std::size_t group = 0; group < which.size(); ++group) {
    std::size_t const from = pool.begin(which[group]), size = pool.size(which[group]);
    bool const same = same_bits(&got.loss[group], &alone.loss[which[group]], 1) &&
                      same_bits(got.d_logp.data() + at, alone.d_logp.data() + from, size);
    count += same ? 0 : 1;
    at += size;
  }
  return count;
}

/// Groups of the pool by chance, small ones more often.
std::vector<std::size_t> by_chance(std::size_t count, std::size_t pool, oracle::random_numbers& random) {
  std::vector<std::size_t> which(count);
  for (std::size_t& group : which) {
    bool const any = count < 100 ? random.chance(0.5) : random.chance(0.02);
    group = random.bits() % (any ? pool : 12);
  }
  return which;
}

/// Runs the parts on so many threads, in no order.
struct thread_pool {
  std::size_t threads;

  void operator()(std::size_t parts, executor::task const& work) const {
    std::atomic<std::size_t> next{0};
    auto const worker = [&] {
      for (std::size_t part; (part = next++) < parts;) work(parts - 1 - part);
    };
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < threads; ++i) others.emplace_back(worker);
    worker();
    for (auto& thread : others) thread.join();
  }
};

std::vector<given> ways_of_giving(any_list_loss const& loss) {
  std::vector<given> ways{{}, {.reference = false, .length = false}};
  if (contains(loss.one_of(), columns::target)) ways.push_back({.length = false, .target = true});
  if (loss.reads(columns::reward) && !loss.needs(columns::reward) && loss.one_of() == columns::none) {
    ways.push_back({.reward = false});
  }
  return ways;
}

}  // namespace

TEMPLATE_TEST_CASE("a group's result does not depend on its neighbours, its place or their number", "", float, double) {
  using T = TestType;
  constexpr std::size_t lanes = xsimd::batch<T>::size;
  options const each{.reduction = reduction::none};
  for (auto const& loss : every_list_loss()) {
    auto const pool = pool_for<T>(loss);
    for (given const& which : ways_of_giving(loss)) {
      CAPTURE(loss.name(), which.reference, which.reward, which.target);
      auto const alone = each_alone(loss, pool, which);
      CHECK(std::none_of(alone.d_logp.begin(), alone.d_logp.end(),
                         [](T x) { return x == list_results<T>::untouched || std::isnan(x); }));

      oracle::random_numbers random{3};
      for (std::size_t const count : {std::size_t{1}, lanes - 1, lanes, lanes + 1, std::size_t{200}}) {
        auto const chosen = by_chance(count, pool.count(), random);
        auto const batch = pool.picked(chosen);
        list_results<T> got{batch};
        auto const seen = evaluate(loss, batch.weighted(loss, which), got.outputs(), each);
        CAPTURE(count);
        CHECK(seen.count == count);
        CHECK(differing(got, chosen, pool, alone) == 0);
      }
      // All of the pool, forward and back: every group is behind and before every larger one.
      std::vector<std::size_t> chosen(pool.count());
      std::iota(chosen.begin(), chosen.end(), std::size_t{0});
      chosen.insert(chosen.end(), chosen.rbegin(), chosen.rend());
      auto const batch = pool.picked(chosen);
      list_results<T> got{batch};
      evaluate(loss, batch.weighted(loss, which), got.outputs(), each);
      CHECK(differing(got, chosen, pool, alone) == 0);
      // One more of the same size, and one fewer, than a lane each.
      for (std::size_t const size : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{63}}) {
        for (std::size_t const count : {lanes - 1, lanes, lanes + 1, 2 * lanes + 1}) {
          std::vector<std::size_t> const same(count, size);
          auto const copies = pool.picked(same);
          list_results<T> of_copies{copies};
          evaluate(loss, copies.weighted(loss, which), of_copies.outputs(), each);
          CHECK(differing(of_copies, same, pool, alone) == 0);
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a group's result does not depend on windows and parts of a batch", "", float, double) {
  using T = TestType;
  options const each{.reduction = reduction::none};
  for (auto const& loss : every_list_loss()) {
    CAPTURE(loss.name());
    auto const pool = pool_for<T>(loss);
    auto const alone = each_alone(loss, pool, {});
    oracle::random_numbers random{5};
    for (std::size_t const count : std::vector<std::size_t>{1023, 1024, 1025, 5000}) {
      CAPTURE(count);
      auto const chosen = by_chance(count, pool.count(), random);
      auto const batch = pool.picked(chosen);
      list_results<T> got{batch};
      CHECK(evaluate(loss, batch.weighted(loss), got.outputs(), each).count == count);
      CHECK(differing(got, chosen, pool, alone) == 0);
    }
    // All of one size but one.
    for (std::size_t const at : std::vector<std::size_t>{0, 1, 511, 1022, 1023, 1024}) {
      CAPTURE(at);
      std::vector<std::size_t> chosen(1030, 2);
      chosen[at] = 4;
      auto const batch = pool.picked(chosen);
      list_results<T> got{batch};
      evaluate(loss, batch.weighted(loss), got.outputs(), each);
      CHECK(differing(got, chosen, pool, alone) == 0);
    }
  }
}

TEMPLATE_TEST_CASE("one group larger than several parts' share is still one group", "", float, double) {
  using T = TestType;
  auto const loss = made("plackett_luce", {{"smoothing", 0.1}});
  groups<T> const pool{{100000, 5, 1, 70, 2}};
  auto const alone = each_alone(loss, pool, {});
  for (auto const& chosen : {std::vector<std::size_t>{0}, {1, 0, 2}, {0, 0, 1, 3}, {2, 1, 3, 4, 0, 1, 0}}) {
    auto const batch = pool.picked(chosen);
    list_results<T> got{batch};
    auto const seen = evaluate(loss, batch.weighted(loss), got.outputs(), {.reduction = reduction::none});
    CHECK(seen.count == chosen.size());
    CHECK(differing(got, chosen, pool, alone) == 0);
  }
}

TEMPLATE_TEST_CASE("any executor gives the bits of the serial one, report and outputs", "", float, double) {
  using T = TestType;
  for (auto const& loss : {made("plackett_luce"), made("pro"), made("pro", {{"temperatures", 0}}), made("adpo"),
                           made("adpo_ranked"), made("sami")}) {
    CAPTURE(loss.name());
    auto const pool = pool_for<T>(loss);
    oracle::random_numbers random{17};
    auto const batch = pool.picked(by_chance(8000, pool.count(), random));
    for (bool const weighted : {false, true}) {
      for (auto const how : {on_invalid::propagate, on_invalid::skip}) {
        list_results<T> serial{batch};
        auto columns = batch.batch(loss);
        if (weighted) columns.weight = batch.weight;
        auto const expected = evaluate(loss, columns, serial.outputs(), {.non_finite = how});
        CHECK(expected.count == 8000);
        for (std::size_t const threads : std::vector<std::size_t>{1, 2, 3, 7}) {
          thread_pool const run{threads};
          list_results<T> got{batch};
          CHECK(same_bits(evaluate(loss, columns, got.outputs(), {.non_finite = how, .executor = run}), expected));
          CHECK(same_bits(got, serial));
        }
      }
    }
  }
}

TEST_CASE("an executor runs each part once, at most 64 of them, and none for an empty batch") {
  std::size_t calls = 0, most = 0;
  std::vector<std::size_t> times(64);
  auto const counting = [&](std::size_t parts, executor::task const& work) {
    ++calls;
    most = std::max(most, parts);
    for (std::size_t i = 0; i < parts; ++i) {
      ++times[i];
      work(i);
    }
  };
  auto const loss = made("info_nce");
  std::vector<std::int64_t> const none{0};
  CHECK(evaluate(loss, list_batch<double>{.offsets = none}, {}, {.executor = counting}).count == 0);
  CHECK(calls == 0);
  double const one = -1;
  constexpr std::size_t count = 400000;
  std::vector<std::int64_t> offsets(count + 1);
  for (std::size_t i = 0; i <= count; ++i) offsets[i] = static_cast<std::int64_t>(3 * i);
  list_batch<double> const batch{.logp = {&one, 3 * count, 0}, .offsets = offsets};
  CHECK(evaluate(loss, batch, {}, {.executor = counting}).count == count);
  CHECK(calls == 1);
  CHECK(most == 64);
  CHECK(times == std::vector<std::size_t>(64, 1));
}

TEMPLATE_TEST_CASE("misaligned columns and outputs give the bits of aligned ones", "", float, double) {
  using T = TestType;
  constexpr std::size_t lanes = xsimd::batch<T>::size;
  for (auto const& loss : {made("plackett_luce"), made("pro"), made("adpo"), made("sami")}) {
    CAPTURE(loss.name());
    groups<T> const data{fitting(loss, {3, 1, 64, 65, 8, 100, 2, 2, 9})};
    list_results<T> expected{data};
    auto const seen = evaluate(loss, data.weighted(loss), expected.outputs());
    std::size_t const n = data.candidates();
    for (std::size_t shift = 1; shift <= lanes; ++shift) {
      auto const shifted = [&](std::vector<T> const& values, std::size_t by) {
        std::vector<T> moved(by, T(99));
        moved.insert(moved.end(), values.begin(), values.end());
        return moved;
      };
      auto const logp = shifted(data.logp, shift), ref_logp = shifted(data.ref_logp, shift + 1),
                 length = shifted(data.length, shift), reward = shifted(data.reward, shift + 2),
                 weight = shifted(data.weight, shift);
      auto const from = [](std::vector<T> const& values, column<T> const& like) {
        return like.empty() ? like : column<T>{values.data() + values.size() - like.size(), like.size()};
      };
      auto const like = data.weighted(loss);
      list_batch<T> const batch{.logp = from(logp, like.logp),
                                .ref_logp = from(ref_logp, like.ref_logp),
                                .length = from(length, like.length),
                                .reward = from(reward, like.reward),
                                .weight = from(weight, like.weight),
                                .offsets = data.offsets};
      list_results<T> got{data.count() + shift + 1, n + shift + 1};
      CHECK(same_bits(
          evaluate(loss, batch,
                   {.loss = {got.loss.data() + shift, data.count()}, .d_logp = {got.d_logp.data() + shift, n}}),
          seen));
      CHECK(same_bits(got.loss.data() + shift, expected.loss.data(), data.count()));
      CHECK(same_bits(got.d_logp.data() + shift, expected.d_logp.data(), n));
      for (std::size_t i = 0; i < shift; ++i) CHECK(got.d_logp[i] == list_results<T>::untouched);
      CHECK(got.d_logp.back() == list_results<T>::untouched);
      CHECK(got.loss.back() == list_results<T>::untouched);
    }
  }
}

TEMPLATE_TEST_CASE("strided, reversed and repeated columns give the bits of contiguous ones", "", float, double) {
  using T = TestType;
  for (auto const& loss : every_list_loss()) {
    for (bool const by_target : {false, true}) {
      CAPTURE(loss.name(), by_target);
      groups<T> const data{fitting(loss, {5, 1, 64, 65, 8, 100, 2, 2, 9, 300})};
      std::size_t const n = data.candidates(), count = data.count();
      given const which{.target = by_target};
      list_results<T> expected{data};
      auto const like = data.weighted(loss, which);
      auto const seen = evaluate(loss, like, expected.outputs());

      std::vector<T> rows(5 * n);
      for (std::size_t i = 0; i < n; ++i) {
        rows[5 * i] = data.logp[i];
        rows[5 * i + 1] = data.length[i];
        rows[5 * i + 2] = data.reward[i];
        rows[5 * i + 3] = data.target[i];
        rows[5 * i + 4] = T(99);
      }
      std::vector<T> const backwards(data.ref_logp.rbegin(), data.ref_logp.rend());
      std::vector<std::int64_t> wide(3 * (count + 1), -7);
      std::vector<T> weight(2 * n, T(-99));
      auto const spread = data.spread_weight();
      for (std::size_t i = 0; i <= count; ++i) wide[3 * i] = data.offsets[i];
      for (std::size_t i = 0; i < n; ++i) weight[2 * i] = spread[i];
      auto const field = [&](std::size_t k, column<T> const& as) {
        return as.empty() ? as : column<T>{rows.data() + k, n, 5};
      };
      list_batch<T> const strided{
          .logp = field(0, like.logp),
          .ref_logp = like.ref_logp.empty() ? like.ref_logp : column<T>{backwards.data() + n - 1, n, -1},
          .length = field(1, like.length),
          .reward = field(2, like.reward),
          .target = field(3, like.target),
          .weight = {weight.data(), n, 2},
          .offsets = {wide.data(), count + 1, 3}};
      list_results<T> got{data};
      CHECK(same_bits(evaluate(loss, strided, got.outputs()), seen));
      CHECK(same_bits(got, expected));
      // In parts, too, the values are looked at before.
      CHECK(same_bits(evaluate(loss, strided, got.outputs(), {.non_finite = on_invalid::error}), seen));
      CHECK(same_bits(got, expected));
    }
  }
  // Stride 0 repeats one value.
  groups<T> data{{4, 70, 3}};
  T const half = T(0.5), eight = T(8);
  std::fill(data.length.begin(), data.length.end(), eight);
  std::fill(data.weight.begin(), data.weight.end(), half);
  auto const loss = made("pro");
  list_results<T> filled{data}, repeated{data};
  auto batch = data.weighted(loss);
  auto const seen = evaluate(loss, batch, filled.outputs());
  batch.length = {&eight, data.candidates(), 0};
  batch.weight = {&half, data.count(), 0};
  CHECK(same_bits(evaluate(loss, batch, repeated.outputs()), seen));
  CHECK(same_bits(filled, repeated));
  batch.weight = {&half, data.candidates(), 0};
  CHECK(same_bits(evaluate(loss, batch, repeated.outputs()), seen));
  CHECK(same_bits(filled, repeated));
}

TEST_CASE("columns of other types give the bits of their values in the batch's type") {
  groups<double> data{{5, 1, 64, 65, 8, 100, 2, 2, 9, 300}};
  auto const halves = [](std::vector<double>& values) {
    std::vector<float> rounded(values.begin(), values.end());
    values.assign(rounded.begin(), rounded.end());
    return rounded;
  };
  auto const logp = halves(data.logp), ref_logp = halves(data.ref_logp), reward = halves(data.reward),
             target = halves(data.target), weight = halves(data.weight);
  std::vector<int> const length(data.length.begin(), data.length.end());
  std::vector<std::uint8_t> const bytes(data.length.begin(), data.length.end());
  std::vector<std::size_t> const sizes(data.length.begin(), data.length.end());
  std::vector<int> const offsets(data.offsets.begin(), data.offsets.end());
  std::vector<std::size_t> const offsets_of_sizes(data.offsets.begin(), data.offsets.end());
  std::vector<std::int32_t> const offsets_32(data.offsets.begin(), data.offsets.end());
  std::vector<std::uint16_t> const offsets_16(data.offsets.begin(), data.offsets.end());
  for (auto const& loss : every_list_loss()) {
    if (is_square(loss)) continue;
    for (bool const by_target : {false, true}) {
      CAPTURE(loss.name(), by_target);
      auto const like = data.weighted(loss, {.target = by_target});
      list_results<double> expected{data};
      auto const seen = evaluate(loss, like, expected.outputs());
      auto const same_with = [&](column<double> const& lengths, column<std::int64_t> const& groups_at) {
        auto const as = [](column<double> const& other, column<double> const& values) {
          return other.empty() ? other : values;
        };
        list_batch<double> const batch{.logp = logp,
                                       .ref_logp = as(like.ref_logp, ref_logp),
                                       .length = as(like.length, lengths),
                                       .reward = as(like.reward, reward),
                                       .target = as(like.target, target),
                                       .weight = weight,
                                       .offsets = groups_at};
        list_results<double> got{data};
        return same_bits(evaluate(loss, batch, got.outputs()), seen) && same_bits(got, expected);
      };
      CHECK(same_with(length, offsets));
      CHECK(same_with(bytes, offsets_of_sizes));
      CHECK(same_with(sizes, offsets_32));
      CHECK(same_with(length, offsets_16));
    }
  }
  // Ranks as rewards: integers in float.
  groups<float> few{{4, 9, 70}};
  std::vector<int> ranks;
  for (std::size_t group = 0; group < few.count(); ++group) {
    for (std::size_t i = 0; i < few.size(group); ++i) ranks.push_back(static_cast<int>((i * 37) % few.size(group)));
  }
  few.reward.assign(ranks.begin(), ranks.end());
  auto const loss = made("plackett_luce");
  list_results<float> by_number{few}, by_rank{few};
  auto batch = few.batch(loss);
  auto const seen = evaluate(loss, batch, by_number.outputs());
  batch.reward = ranks;
  CHECK(same_bits(evaluate(loss, batch, by_rank.outputs()), seen));
  CHECK(same_bits(by_number, by_rank));
}

TEMPLATE_TEST_CASE("candidates permuted with their rewards give permuted gradients", "", float, double) {
  using T = TestType;
  std::vector<std::size_t> const sizes{2, 3, 4, 5, 9, 33, 63, 64, 65, 70, 200, 1000, 5, 5, 5};
  groups<T> const data{sizes};
  for (auto const& loss : every_list_loss()) {
    if (!is_ranked(loss)) continue;
    CAPTURE(loss.name());
    list_results<T> expected{data};
    auto const seen = evaluate(loss, data.weighted(loss), expected.outputs());
    oracle::random_numbers random{23};
    for (int round = 0; round < 6; ++round) {
      // Where each candidate comes from: shuffled, and in the last rounds worst first and best first.
      std::vector<std::size_t> from(data.candidates());
      std::iota(from.begin(), from.end(), std::size_t{0});
      for (std::size_t group = 0; group < data.count(); ++group) {
        auto const begin = from.begin() + data.offsets[group], end = from.begin() + data.offsets[group + 1];
        if (round >= 4) {
          std::sort(begin, end, [&](std::size_t a, std::size_t b) {
            return round == 4 ? data.reward[a] < data.reward[b] : data.reward[a] > data.reward[b];
          });
        } else {
          for (std::size_t i = data.size(group); i > 1; --i) {
            std::iter_swap(begin + static_cast<std::ptrdiff_t>(i - 1),
                           begin + static_cast<std::ptrdiff_t>(random.bits() % i));
          }
        }
      }
      auto moved = data;
      auto const originals = std::vector{data.logp, data.ref_logp, data.length, data.reward, data.target};
      auto const columns = moved.columns();
      for (std::size_t c = 0; c < columns.size(); ++c) {
        for (std::size_t i = 0; i < from.size(); ++i) (*columns[c])[i] = originals[c][from[i]];
      }
      list_results<T> got{moved};
      CHECK(same_bits(evaluate(loss, moved.weighted(loss), got.outputs()), seen));
      CHECK(same_bits(got.loss, expected.loss));
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < from.size(); ++i) {
        wrong += same_bits(&got.d_logp[i], &expected.d_logp[from[i]], 1) ? 0 : 1;
      }
      CHECK(wrong == 0);
      // Best first without rewards is the same ranking.
      if (round == 5 && !loss.needs(columns::reward)) {
        list_results<T> as_given{moved};
        CHECK(same_bits(evaluate(loss, moved.weighted(loss, {.reward = false}), as_given.outputs()), seen));
        CHECK(same_bits(as_given, got));
      }
    }
  }
}

TEMPLATE_TEST_CASE("equal rewards keep their order, in small groups and large ones", "", float, double) {
  using T = TestType;
  auto const loss = made("plackett_luce", {{"break_ties", 1}, {"beta", 0.01}});
  for (std::size_t const size : std::vector<std::size_t>{2, 3, 5, 8, 31, 64, 65, 100, 777}) {
    CAPTURE(size);
    groups<T> data{{size, size}};
    // Three rewards, in no order; -0 and 0 are one of them.
    for (std::size_t i = 0; i < data.candidates(); ++i) {
      T const values[] = {T(1), T(0), -T(0), T(-1)};
      data.reward[i] = values[(i * 7 + i / 3) % 4];
    }
    std::vector<std::size_t> from(data.candidates());
    std::iota(from.begin(), from.end(), std::size_t{0});
    auto sorted = data;
    for (std::size_t group = 0; group < data.count(); ++group) {
      std::stable_sort(from.begin() + data.offsets[group], from.begin() + data.offsets[group + 1],
                       [&](std::size_t a, std::size_t b) { return data.reward[a] > data.reward[b]; });
    }
    for (std::size_t i = 0; i < from.size(); ++i) {
      sorted.logp[i] = data.logp[from[i]];
      sorted.ref_logp[i] = data.ref_logp[from[i]];
      sorted.length[i] = data.length[from[i]];
    }
    list_results<T> got{data}, expected{data};
    evaluate(loss, data.batch(loss), got.outputs());
    evaluate(loss, sorted.batch(loss, {.reward = false}), expected.outputs());
    CHECK(same_bits(got.loss, expected.loss));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      wrong += same_bits(&got.d_logp[from[i]], &expected.d_logp[i], 1) ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}
