// A user's list loss gets all that the library's own get: columns, ranking, parameters, weights, a name at run time.
#include "groups.hpp"

using namespace prefopt;

namespace {

/// sum_i scale * reward_i * score_i: every candidate's gradient is its own reward.
struct rewarded {
  double scale = 1;

  using score = as_given;
  static constexpr columns needs = columns::reward;
  [[nodiscard]] constexpr double reward_scale() const noexcept { return scale; }

  template <class Group>
  auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    group.for_each([&](auto const& c) { c.set_gradient(V(math::constant<V>(scale) * c.reward())); });
    return group.sum([](auto const& c) { return V(c.gradient() * c.score()); });
  }

  static constexpr loss_card card{"rewarded", "sum scale r s", "a test"};
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"scale", &rewarded::scale, range{.low = -2, .high = 2}}};
  }
};

/// Ranked, and everything that a list loss may say of itself: sum_i (1 + rank_i) s_i + target_i s_i, of which the best
/// has a likelihood term.
struct placed {
  bool strict = true, wants_length = false;
  double likelihood = 0;

  using score = as_given;
  static constexpr bool is_ranked = true;
  static constexpr columns takes = columns::target;
  static constexpr double highest_reward = 10;
  [[nodiscard]] constexpr bool refuses_ties() const noexcept { return strict; }
  [[nodiscard]] constexpr columns needs_too() const noexcept { return wants_length ? columns::length : columns::none; }
  [[nodiscard]] constexpr double sft_weight(std::size_t size) const noexcept {
    return likelihood * static_cast<double>(size);
  }

  template <class Group>
  auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const one = math::constant<V>(1);
    group.for_each([&](auto const& c) {
      V const place = one + c.number();
      c.set_gradient(group.has_target() ? V(place + c.target()) : place);
    });
    return group.sum([](auto const& c) { return V(c.gradient() * c.score()); });
  }

  static constexpr loss_card card{"placed", "sum (1 + rank + target) s", "a test"};
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"strict", &placed::strict, range::yes_or_no()},
                      parameter{"wants_length", &placed::wants_length, range::yes_or_no()},
                      parameter{"likelihood", &placed::likelihood, range::non_negative()}};
  }
};

/// What else a group offers, without a card: highest, from_first, from_last, at, part, kept.
/// The score of the first of the highest rewards, plus sums from both ends and of the second half.
struct walked {
  using score = prefopt::sum;
  static constexpr columns one_of = columns::reward | columns::target;

  template <class Group>
  auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    V const zero = math::constant<V>(0), one = math::constant<V>(1);
    auto const top = group.highest([&](auto const& c) { return group.has_target() ? c.target() : c.reward(); });
    group.for_each([&](auto const& c) {
      c.template keep<2>(c.score());
      c.set_gradient(V(math::select(c.number() == top.number, one, zero)));
    });
    V value = group.sum([](auto const& c) { return V(c.gradient() * c.template kept<2>()); });
    // Candidate i counts i + 1 times from the first on, and once more as often as there are behind it.
    group.from_first(0, []<class S>(S const& before, auto const& c) {
      S const count = before + math::constant<S>(1);
      c.set_gradient(S(c.gradient() + count));
      c.template keep<0>(S(count * c.score()));
      return count;
    });
    group.from_last(0, []<class S>(S const& behind, auto const& c) {
      c.set_gradient(S(c.gradient() + behind));
      c.template keep<1>(S(behind * c.score()));
      return S(behind + math::constant<S>(1));
    });
    std::array<V, 2> const sums = group.sum([](auto const& c) {
      return std::array<V, 2>{c.template kept<0>(), c.template kept<1>()};
    });
    std::size_t const half = group.size() / 2;
    auto const second = group.part(half, group.size() - half);
    V const more = second.sum([&](auto const& c) {
      c.set_gradient(V(c.gradient() + c.number()));
      return V(c.number() * c.score());
    });
    auto const last = group.at(group.size() - 1);
    last.set_gradient(V(last.gradient() + one));
    return V(value + sums[0] + sums[1] + more + last.score());
  }
};

/// The trace of a matrix.
struct trace {
  using score = prefopt::sum;
  static constexpr bool is_square = true;

  template <class Group>
  auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(group.size()))));
    V value = math::constant<V>(0);
    group.for_each([](auto const& c) { c.set_gradient(math::constant<V>(0)); });
    for (std::size_t i = 0; i < side; ++i) {
      group.at(i * side + i).set_gradient(math::constant<V>(1));
      value = value + group.at(i * side + i).score();
    }
    return value;
  }
};

/// Another name for a loss that exists.
struct renamed {
  double beta = 2;
  [[nodiscard]] constexpr rewarded composition() const noexcept { return {.scale = beta}; }
};

/// A score of one's own: half of the log-prob, and the reference.
struct half_score {
  static constexpr columns needs = columns::reference;
  template <lane V>
  scored<V> operator()(completion<V> const& c) const noexcept {
    return {V(math::constant<V>(0.5) * c.log_prob + c.reference), math::constant<V>(0.5)};
  }
};

struct squared_scores {
  using score = half_score;
  template <class Group>
  auto operator()(Group const& group) const noexcept -> typename Group::lane_type {
    using V = typename Group::lane_type;
    group.for_each([](auto const& c) { c.set_gradient(V(c.score() + c.score())); });
    return group.sum([](auto const& c) { return V(c.score() * c.score()); });
  }
};

static_assert(list_loss<rewarded> && list_loss<placed> && list_loss<walked> && list_loss<trace> && list_loss<renamed>);
static_assert(list_loss<squared_scores> && !pair_loss<rewarded> && !list_loss<dpo> && !list_loss<int>);

/// Small whole numbers everywhere: products and sums are exact, also in float.
template <class T>
groups<T> whole(std::vector<std::size_t> const& sizes) {
  groups<T> data{sizes};
  oracle::random_numbers random{41};
  for (std::size_t group = 0; group < data.count(); ++group) {
    std::size_t const size = data.size(group), begin = data.begin(group);
    for (std::size_t i = 0; i < size; ++i) {
      data.logp[begin + i] = -static_cast<T>(random.bits() % 16);
      data.ref_logp[begin + i] = -static_cast<T>(random.bits() % 8);
      data.length[begin + i] = static_cast<T>(1 << random.bits() % 3);
      // A permutation: 7919 is a prime.
      data.reward[begin + i] = static_cast<T>(i * 7919 % size) / T(-8) + T(4);
      data.target[begin + i] = static_cast<T>(random.bits() % 4);
    }
    data.weight[group] = static_cast<T>(random.bits() % 4);
  }
  return data;
}

std::vector<std::size_t> every_way() {
  auto sizes = sizes_up_to(70);
  sizes.insert(sizes.end(), {3, 3, 3, 3, 3, 5, 130, 300});
  return sizes;
}

/// Places by reward, stably.
template <class T>
std::vector<std::size_t> ranks(groups<T> const& data, std::size_t group) {
  std::vector<std::size_t> order(data.size(group)), rank(order.size());
  std::iota(order.begin(), order.end(), data.begin(group));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return data.reward[a] > data.reward[b]; });
  for (std::size_t k = 0; k < order.size(); ++k) rank[order[k] - data.begin(group)] = k;
  return rank;
}

template <class T>
T score_of(groups<T> const& data, std::size_t i) {
  return (data.logp[i] - data.ref_logp[i]) / data.length[i];
}

}  // namespace

TEMPLATE_TEST_CASE("a list loss of one's own gets its columns, weights and chain rule right", "", float, double) {
  using T = TestType;
  auto const data = whole<T>(every_way());
  rewarded const loss{.scale = 0.5};
  list_batch<T> const batch{.logp = data.logp,
                            .ref_logp = data.ref_logp,
                            .length = data.length,
                            .reward = data.reward,
                            .weight = data.weight,
                            .offsets = data.offsets};
  list_results<T> got{data};
  auto const seen = evaluate(loss, batch, got.outputs(), {.reduction = reduction::sum});
  std::size_t wrong = 0;
  double total = 0;
  for (std::size_t group = 0; group < data.count(); ++group) {
    T value = 0;
    for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) {
      value += T(0.5) * data.reward[i] * score_of(data, i);
      wrong += got.d_logp[i] == T(0.5) * data.reward[i] / data.length[i] * data.weight[group] ? 0 : 1;
    }
    wrong += got.loss[group] == value * data.weight[group] ? 0 : 1;
    total += static_cast<double>(got.loss[group]);
  }
  CHECK(wrong == 0);
  CHECK(std::fabs(seen.loss - total) <= 1e-5 * std::fabs(total));

  // The same at run time, and as another name.
  any_list_loss const erased{loss}, of_renamed{renamed{.beta = 0.5}};
  CHECK(erased.name() == "rewarded");
  CHECK(erased.needs(columns::reward));
  CHECK(erased.reads(columns::reference | columns::length | columns::reward));
  CHECK_FALSE(erased.reads(columns::target));
  CHECK(of_renamed.name() == "this loss");
  list_results<T> by_value{data}, by_name{data};
  CHECK(same_bits(evaluate(erased, batch, by_value.outputs(), {.reduction = reduction::sum}), seen));
  CHECK(same_bits(evaluate(of_renamed, batch, by_name.outputs(), {.reduction = reduction::sum}), seen));
  CHECK(same_bits(by_value, got));
  CHECK(same_bits(by_name, got));
}

TEMPLATE_TEST_CASE("a ranked loss of one's own sees its candidates best first, with all their columns", "", float,
                   double) {
  using T = TestType;
  auto const data = whole<T>(every_way());
  std::vector<T> capped = data.reward;
  for (bool const with_target : {false, true}) {
    for (bool const strict : {false, true}) {
      for (double const likelihood : {0.0, 0.25}) {
        CAPTURE(with_target, strict, likelihood);
        list_batch<T> batch{.logp = data.logp,
                            .ref_logp = data.ref_logp,
                            .length = data.length,
                            .reward = data.reward,
                            .weight = data.weight,
                            .offsets = data.offsets};
        if (with_target) batch.target = data.target;
        list_results<T> got{data};
        evaluate(placed{.strict = strict, .likelihood = likelihood}, batch, got.outputs(),
                 {.reduction = reduction::none});
        std::size_t wrong = 0;
        for (std::size_t group = 0; group < data.count(); ++group) {
          auto const rank = ranks(data, group);
          auto const sft = static_cast<T>(likelihood * static_cast<double>(data.size(group)));
          T value = 0;
          for (std::size_t k = 0; k < rank.size(); ++k) {
            std::size_t const i = data.begin(group) + k;
            T const slope = static_cast<T>(rank[k] + 1) + (with_target ? data.target[i] : T(0));
            value += slope * score_of(data, i) - (rank[k] == 0 ? sft * data.logp[i] : T(0));
            T const d = (slope / data.length[i] - (rank[k] == 0 ? sft : T(0))) * data.weight[group];
            wrong += got.d_logp[i] == d ? 0 : 1;
          }
          wrong += got.loss[group] == value * data.weight[group] ? 0 : 1;
        }
        CHECK(wrong == 0);
        list_results<T> erased{data};
        evaluate(any_list_loss{placed{.strict = strict, .likelihood = likelihood}}, batch, erased.outputs(),
                 {.reduction = reduction::none});
        CHECK(same_bits(erased, got));
      }
    }
  }
}

TEMPLATE_TEST_CASE("a loss of one's own walks its candidates from both ends, in parts, and finds the highest", "",
                   float, double) {
  using T = TestType;
  auto const data = whole<T>(every_way());
  for (bool const by_target : {false, true}) {
    list_batch<T> batch{.logp = data.logp, .offsets = data.offsets};
    (by_target ? batch.target : batch.reward) = by_target ? data.target : data.reward;
    list_results<T> got{data};
    evaluate(walked{}, batch, got.outputs(), {.reduction = reduction::none});
    std::size_t wrong = 0;
    for (std::size_t group = 0; group < data.count(); ++group) {
      std::size_t const begin = data.begin(group), size = data.size(group), half = size / 2;
      auto const& evidence = by_target ? data.target : data.reward;
      std::size_t const top = static_cast<std::size_t>(
          std::max_element(evidence.begin() + data.offsets[group], evidence.begin() + data.offsets[group + 1]) -
          evidence.begin());
      T value = 0;
      for (std::size_t k = 0; k < size; ++k) {
        T const slope = (begin + k == top ? T(1) : T(0)) + static_cast<T>(k + 1) + static_cast<T>(size - 1 - k) +
                        (k >= half ? static_cast<T>(k - half) : T(0)) + (k + 1 == size ? T(1) : T(0));
        wrong += got.d_logp[begin + k] == slope ? 0 : 1;
        value += slope * data.logp[begin + k];
      }
      wrong += got.loss[group] == value ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEMPLATE_TEST_CASE("matrices and scores of one's own", "", float, double) {
  using T = TestType;
  auto const data = whole<T>({1, 4, 9, 16, 64, 81, 4, 4, 400});
  list_results<T> got{data};
  auto const seen = evaluate(trace{}, list_batch<T>{.logp = data.logp, .offsets = data.offsets}, got.outputs(),
                             {.reduction = reduction::sum});
  CHECK(seen.accuracy == 0);
  std::size_t wrong = 0;
  for (std::size_t group = 0; group < data.count(); ++group) {
    auto const side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(data.size(group)))));
    T value = 0;
    for (std::size_t k = 0; k < data.size(group); ++k) {
      bool const diagonal = k % (side + 1) == 0;
      wrong += got.d_logp[data.begin(group) + k] == (diagonal ? T(1) : T(0)) ? 0 : 1;
      if (diagonal) value += data.logp[data.begin(group) + k];
    }
    wrong += got.loss[group] == value ? 0 : 1;
  }
  CHECK(wrong == 0);

  evaluate(squared_scores{}, list_batch<T>{.logp = data.logp, .ref_logp = data.ref_logp, .offsets = data.offsets},
           got.outputs(), {.reduction = reduction::sum});
  for (std::size_t group = 0; group < data.count(); ++group) {
    T value = 0;
    for (std::size_t i = data.begin(group); i < data.begin(group + 1); ++i) {
      T const score = T(0.5) * data.logp[i] + data.ref_logp[i];
      value += score * score;
      wrong += got.d_logp[i] == score ? 0 : 1;
    }
    wrong += got.loss[group] == value ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("errors of a loss of one's own: its ranges, its columns, its ties, its name") {
  auto const data = whole<double>({3, 2});
  list_batch<double> const plain{.logp = data.logp, .offsets = data.offsets};
  auto batch = plain;
  CHECK(refusal_of(rewarded{}, batch) == "prefopt::evaluate: rewarded needs the column reward, which is not given");
  CHECK(refusal_of(renamed{}, batch) == "prefopt::evaluate: this loss needs the column reward, which is not given");
  CHECK(refusal_of(squared_scores{}, batch) ==
        "prefopt::evaluate: this loss needs the column ref_logp, which is not given");
  CHECK(refusal_of(walked{}, batch) ==
        "prefopt::evaluate: this loss needs one of the columns reward and target, got none");
  CHECK(refusal_of(trace{}, batch) == "prefopt::evaluate: group 0 has 3 candidates, this loss expects a square number");
  CHECK(refusal_of(placed{.wants_length = true}, batch) ==
        "prefopt::evaluate: placed needs the column length, which is not given");
  batch.reward = data.reward;
  CHECK(refusal_of(rewarded{.scale = 3}, batch) ==
        "prefopt::rewarded: scale is 3, expected a finite number in [-2, 2]");
  CHECK(refusal_of(any_list_loss{rewarded{.scale = -2.5}}, batch) ==
        "prefopt::rewarded: scale is -2.5, expected a finite number in [-2, 2]");
  CHECK(refusal_of(trace{}, batch) == "prefopt::evaluate: this loss does not read the column reward, which is given");
  std::vector<double> const high{1, 2, 3, 10, 11}, tied{1, 2, 1, 4, 5}, level{1, 2, 3, 10, 10};
  batch.reward = high;
  CHECK(refusal_of(placed{}, batch) == "prefopt::evaluate: reward[4] is 11, expected at most 10 with placed");
  batch.reward = tied;
  CHECK(refusal_of(placed{}, batch) ==
        "prefopt::evaluate: reward[0] and reward[2] of group 0 are both 1, placed expects different ones unless "
        "break_ties is set");
  CHECK_NOTHROW(evaluate(placed{.strict = false}, batch));
  batch.reward = level;
  CHECK_NOTHROW(evaluate(placed{.strict = false}, batch));
}

TEST_CASE("a list of one's own makes one's own list losses and nothing else") {
  using own = loss_list<rewarded, placed>;
  auto const data = whole<double>({3, 70});
  list_batch<double> const batch{.logp = data.logp, .reward = data.reward, .offsets = data.offsets};
  list_results<double> named{data}, typed{data};
  evaluate(make_list_loss<own>("rewarded", {{"scale", 1.5}}), batch, named.outputs());
  evaluate(rewarded{.scale = 1.5}, batch, typed.outputs());
  CHECK(same_bits(named, typed));
  CHECK(refusal([] { static_cast<void>(make_list_loss<own>("adpo")); }) ==
        "prefopt::make_list_loss: there is no list loss \"adpo\", known are rewarded, placed");
  CHECK(refusal([] {
          static_cast<void>(make_list_loss<own>("rewarded", {{"scale", 2.5}}));
        }) == "prefopt::rewarded: scale is 2.5, expected a finite number in [-2, 2]");
  CHECK(refusal([] {
          static_cast<void>(make_list_loss<own>("rewarded", {{"size", 2}}));
        }) == "prefopt::make_list_loss: rewarded has no parameter \"size\", it has scale");
  CHECK(refusal([] {
          static_cast<void>(make_list_loss<own>("placed", {{"strict", 0.5}}));
        }) == "prefopt::placed: strict is 0.5, expected 0 or 1");
  auto const& cards = list_loss_cards<own>();
  REQUIRE(cards.size() == 2);
  CHECK(cards[1].card.name == "placed");
  CHECK(cards[1].takes == (columns::reference | columns::length | columns::reward | columns::target));
  CHECK(cards[1].parameters[0].standard == 1);
  CHECK(make_list_loss<own>("placed", {{"wants_length", 1}}).needs(columns::length));
  CHECK_FALSE(make_list_loss<own>("placed").needs(columns::length));
}
