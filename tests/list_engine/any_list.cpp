// A list loss chosen at run time is the static one, bit for bit; what cannot be made says what can; parameters have
// ranges.
#include <set>
#include "groups.hpp"

using namespace prefopt;

namespace {

constexpr double highest_double = std::numeric_limits<double>::max();

template <class T, class L>
bool same_as_static(any_list_loss const& by_name, L const& loss) {
  static groups<T> const data{[] {
    auto sizes = sizes_up_to(20);
    sizes.insert(sizes.end(), {64, 65, 130, 3, 3, 3, 7, 7});
    return sizes;
  }()};
  static groups<T> const squares{{1, 4, 9, 16, 64, 81, 4, 9, 9, 4}};
  auto const& used = is_square(by_name) ? squares : data;
  bool same = true;
  for (bool const by_target : {false, true}) {
    list_results<T> named{used}, typed{used};
    auto const batch = used.weighted(by_name, {.target = by_target});
    same = same && same_bits(evaluate(by_name, batch, named.outputs()), evaluate(loss, batch, typed.outputs()));
    same = same && same_bits(named, typed) && named.d_logp[0] != list_results<T>::untouched;
  }
  return same;
}

list_loss_card const& card_of(std::string_view name) {
  return *std::find_if(list_loss_cards().begin(), list_loss_cards().end(),
                       [&](auto const& card) { return card.card.name == name; });
}

std::string parameter_message(std::string_view loss, std::string_view name, double got, range const& valid) {
  return "prefopt::" + std::string{loss} + ": " + std::string{name} + " is " + detail::text(got) + ", expected " +
         (valid.is_whole ? "" : "a finite number ") + valid.text();
}

/// Just outside and far outside an interval.
std::vector<double> outside(range const& valid) {
  std::vector<double> bad{not_a_number<double>, infinity<double>, -infinity<double>,
                          valid.low_is_in ? std::nextafter(valid.low, -infinity<double>) : valid.low, valid.low - 1};
  if (valid.high < highest_double) {
    bad.push_back(valid.high_is_in ? std::nextafter(valid.high, infinity<double>) : valid.high);
  }
  if (valid.is_whole) bad.insert(bad.end(), {0.5, 1.5, 0.999});
  return bad;
}

}  // namespace

TEMPLATE_TEST_CASE("every name makes the static list loss, bit for bit", "", float, double) {
  list_losses::for_each([&]<class L> {
    CAPTURE(std::string{L::card.name});
    CHECK(same_as_static<TestType>(make_list_loss(L::card.name), L{}));
    CHECK(same_as_static<TestType>(any_list_loss{L{}}, L{}));
    CHECK(make_list_loss(L::card.name).name() == L::card.name);
  });
}

TEMPLATE_TEST_CASE("parameters by name reach the list loss", "", float, double) {
  using T = TestType;
  CHECK(same_as_static<T>(
      made("plackett_luce", {{"beta", 0.3}, {"top_k", 2}, {"smoothing", 0.25}, {"mean", 1}, {"break_ties", 1}}),
      plackett_luce{.beta = 0.3, .top_k = 2, .smoothing = 0.25, .mean = true, .break_ties = true}));
  CHECK(same_as_static<T>(made("list_mle", {{"top_k", 2}}), list_mle{.top_k = 2}));
  CHECK(same_as_static<T>(made("pro", {{"temperatures", 0}, {"sft", 2}, {"eps_compat", 1}}),
                          pro{.temperatures = false, .sft = 2, .eps_compat = true}));
  CHECK(same_as_static<T>(
      made("adpo",
           {{"tau", 0.3}, {"beta_reward", 0.7}, {"standardize", 1}, {"kl", 1}, {"adapt", 0.9}, {"tau_min", 0.2}}),
      adpo{.tau = 0.3, .beta_reward = 0.7, .standardize = true, .kl = true, .adapt = 0.9, .tau_min = 0.2}));
  CHECK(
      same_as_static<T>(made("adpo_kde", {{"tau", 0.3}, {"beta_reward", 2}}), adpo_kde{.tau = 0.3, .beta_reward = 2}));
  CHECK(same_as_static<T>(made("adpo_ranked", {{"tau", 0.3}, {"top_k", 5}, {"smoothing", 0}}),
                          adpo_ranked{.tau = 0.3, .top_k = 5, .smoothing = 0}));
  CHECK(same_as_static<T>(made("list_net", {{"beta_reward", 3}}), list_net{.beta_reward = 3}));
  CHECK(same_as_static<T>(made("info_nce", {{"tau", 0.25}}), info_nce{.tau = 0.25}));
  CHECK(same_as_static<T>(made("rank_dpo", {{"beta", 2}}), rank_dpo{.beta = 2}));
  CHECK(same_as_static<T>(made("best_versus_worst", {{"beta", 2}}), best_versus_worst{.beta = 2}));
  CHECK(same_as_static<T>(made("rrhf", {{"sft", 0.5}}), rrhf{.sft = 0.5}));
  CHECK(same_as_static<T>(made("real", {{"tau", 2}}), real_loss{.tau = 2}));
}

TEST_CASE("no parameter by name is without effect") {
  groups<double> const data{{5, 6, 3, 70, 9}};
  auto const outcome = [&](any_list_loss const& loss, bool by_target) {
    list_results<double> got{data};
    evaluate(loss, data.batch(loss, {.target = by_target}), got.outputs());
    return got;
  };
  for (auto const& card : list_loss_cards()) {
    auto const name = card.card.name;
    for (auto const& p : card.parameters) {
      CAPTURE(std::string{name}, std::string{p.name});
      // Ties are broken where there are some.
      if (p.name == "break_ties") continue;
      parameter_values values;
      if (p.name == "tau_min") values = {{"adapt", 1}};
      bool const is_switch = p.valid.is_whole && p.valid.high == 1;
      auto changed = values;
      changed.emplace_back(std::string{p.name}, is_switch             ? 1 - p.standard
                                                : p.name == "top_k"   ? p.standard + 1
                                                : p.name == "tau_min" ? 0.7
                                                                      : p.standard + 0.25);
      CHECK_FALSE(same_bits(outcome(made(name, values), false), outcome(made(name, changed), false)));
    }
  }
}

TEST_CASE("results of groups say what they are the gradient of") {
  auto const& rows = list_family::results<double>;
  CHECK(rows[list_family::loss].gradient_of == -1);
  CHECK(rows[list_family::d_logp].gradient_of == list_family::logp);
}

TEST_CASE("every list loss has the standard parameters that its header says") {
  std::vector<std::pair<std::string, parameter_values>> const standard{
      {"plackett_luce", {{"beta", 1}, {"top_k", 0}, {"smoothing", 0}, {"mean", 0}, {"break_ties", 0}}},
      {"list_mle", {{"top_k", 0}, {"break_ties", 0}}},
      {"pro", {{"temperatures", 1}, {"sft", 0.05}, {"eps_compat", 0}}},
      {"adpo", {{"tau", 0.8}, {"beta_reward", 0.5}, {"standardize", 0}, {"kl", 0}, {"adapt", 0}, {"tau_min", 0.05}}},
      {"adpo_kde", {{"tau", 0.8}, {"beta_reward", 0.5}}},
      {"adpo_ranked", {{"tau", 0.8}, {"top_k", 3}, {"smoothing", 0.1}}},
      {"list_net", {{"beta_reward", 1}}},
      {"info_nce", {{"tau", 1}}},
      {"rank_dpo", {{"beta", 0.1}}},
      {"best_versus_worst", {{"beta", 1}}},
      {"rrhf", {{"sft", 1}}},
      {"sami", {}},
      {"real", {{"tau", 0.5}}}};
  CHECK(standard.size() == list_loss_cards().size());
  for (auto const& [name, values] : standard) {
    CAPTURE(name);
    CHECK(made(name).parameters() == values);
  }
}

TEST_CASE("list loss cards say what the losses are") {
  std::vector<std::string> listed, shown;
  list_losses::for_each([&]<class L> { listed.emplace_back(L::card.name); });
  for (auto const& card : list_loss_cards()) {
    shown.emplace_back(card.card.name);
    CAPTURE(shown.back());
    CHECK_FALSE(card.card.formula.empty());
    CHECK_FALSE(card.card.source.empty());
    auto const loss = make_list_loss(card.card.name);
    CHECK(loss.needs(card.needs));
    CHECK(loss.reads(card.takes));
    CHECK(loss.one_of() == card.one_of);
    std::set<std::string_view> names;
    for (auto const& p : card.parameters) {
      CHECK(names.insert(p.name).second);
      CHECK(p.valid.contains(p.standard));
    }
  }
  CHECK(shown == listed);
  CHECK(shown == std::vector<std::string>{"plackett_luce", "list_mle", "pro", "adpo", "adpo_kde", "adpo_ranked",
                                          "list_net", "info_nce", "rank_dpo", "best_versus_worst", "rrhf", "sami",
                                          "real"});
  auto const optional = columns::reference | columns::length;
  CHECK(card_of("plackett_luce").needs == columns::none);
  CHECK(card_of("plackett_luce").takes == (optional | columns::reward));
  CHECK(card_of("pro").needs == (columns::length | columns::reward));
  CHECK_FALSE(contains(card_of("pro").takes, columns::reference));
  CHECK(made("pro", {{"temperatures", 0}}).needs(columns::length));
  CHECK_FALSE(made("pro", {{"temperatures", 0}}).needs(columns::reward));
  CHECK(made("pro", {{"temperatures", 0}}).reads(columns::reward));
  CHECK(card_of("adpo").needs == columns::none);
  CHECK(card_of("adpo").takes == (optional | columns::reward | columns::target));
  CHECK(card_of("adpo").one_of == (columns::reward | columns::target));
  CHECK(card_of("list_net").one_of == (columns::reward | columns::target));
  CHECK(card_of("adpo_kde").needs == columns::reward);
  CHECK(card_of("adpo_kde").one_of == columns::none);
  CHECK(card_of("rank_dpo").needs == columns::reward);
  CHECK(card_of("rrhf").needs == columns::length);
  CHECK(card_of("rrhf").takes == columns::reward);
  CHECK(card_of("best_versus_worst").takes == (optional | columns::reward));
  CHECK(card_of("sami").needs == columns::none);
  CHECK(card_of("sami").takes == optional);
  CHECK(card_of("real").needs == (optional | columns::reward));
  CHECK(card_of("sami").parameters.empty());
  CHECK(card_of("plackett_luce").parameters.size() == 5);
  CHECK(card_of("pro").parameters[0].name == "temperatures");
  CHECK(card_of("pro").parameters[0].standard == 1);
  CHECK(card_of("pro").parameters[0].valid.text() == "0 or 1");
  CHECK(card_of("plackett_luce").parameters[1].valid.text() == "a whole number >= 0");
  CHECK(card_of("adpo").parameters[4].valid.text() == "in [0, 1]");
}

TEST_CASE("every list loss says which columns it needs and reads, and holds to it") {
  groups<double> const data{{4, 9, 1}};
  using batch = list_batch<double>;
  struct named {
    columns kind;
    column<double> batch::*member;
    std::string name;
  };
  std::vector<named> const all{{columns::reference, &batch::ref_logp, "ref_logp"},
                               {columns::length, &batch::length, "length"},
                               {columns::reward, &batch::reward, "reward"},
                               {columns::target, &batch::target, "target"}};
  for (auto const& loss : every_list_loss()) {
    for (auto const& [kind, member, name] : all) {
      CAPTURE(loss.name(), name);
      auto changed = data.batch(loss);
      if (loss.needs(kind)) {
        changed.*member = {};
        CHECK(refusal_of(loss, changed) ==
              "prefopt::evaluate: " + loss.name() + " needs the column " + name + ", which is not given");
      } else if (!loss.reads(kind)) {
        changed.*member = data.length;
        CHECK(refusal_of(loss, changed) ==
              "prefopt::evaluate: " + loss.name() + " does not read the column " + name + ", which is given");
      } else if (!contains(loss.one_of(), kind)) {
        changed.*member = {};
        CHECK_NOTHROW(evaluate(loss, changed));
      }
    }
    if (loss.one_of() != columns::none) {
      CAPTURE(loss.name());
      auto changed = data.batch(loss);
      changed.target = data.target;
      CHECK(refusal_of(loss, changed) ==
            "prefopt::evaluate: " + loss.name() + " needs one of the columns reward and target, got both");
      changed.reward = {};
      CHECK_NOTHROW(evaluate(loss, changed));
      changed.target = {};
      CHECK(refusal_of(loss, changed) ==
            "prefopt::evaluate: " + loss.name() + " needs one of the columns reward and target, got none");
    }
  }
}

TEST_CASE("what list loss cannot be made is refused with what can") {
  auto const refused = [](auto const&... arguments) {
    return refusal([&] { static_cast<void>(make_list_loss(arguments...)); });
  };
  CHECK(refused("dpo") ==
        "prefopt::make_list_loss: there is no list loss \"dpo\", known are plackett_luce, list_mle, pro, adpo, "
        "adpo_kde, adpo_ranked, list_net, info_nce, rank_dpo, best_versus_worst, rrhf, sami, real");
  CHECK(refused("").starts_with("prefopt::make_list_loss: there is no list loss \"\", known are plackett_luce, "));
  CHECK(refused("PRO").starts_with("prefopt::make_list_loss: there is no list loss \"PRO\""));
  CHECK(refused("adpo", parameter_values{{"beta", 1}}) ==
        "prefopt::make_list_loss: adpo has no parameter \"beta\", it has tau, beta_reward, standardize, kl, adapt, "
        "tau_min");
  CHECK(refused("sami", parameter_values{{"tau", 1}}) ==
        "prefopt::make_list_loss: sami has no parameter \"tau\", it has none");
  CHECK(refused("info_nce", parameter_values{{"tau", 1}, {"beta", 2}}) ==
        "prefopt::make_list_loss: info_nce has no parameter \"beta\", it has tau");
  CHECK(refused("pro", parameter_values{{"sft", 1}, {"eps_compat", 1}, {"sft", 1}}) ==
        "prefopt::make_list_loss: the parameter \"sft\" is given twice");
  CHECK(refused("pro", parameter_values{{"eps_compat", 0.5}}) == "prefopt::pro: eps_compat is 0.5, expected 0 or 1");
  CHECK(refused("adpo", parameter_values{{"kl", 2}}) == "prefopt::adpo: kl is 2, expected 0 or 1");
  CHECK(refused("adpo", parameter_values{{"kl", not_a_number<double>}}) == "prefopt::adpo: kl is nan, expected 0 or 1");
  CHECK(refused("plackett_luce", parameter_values{{"top_k", 1.5}}) ==
        "prefopt::plackett_luce: top_k is 1.5, expected a whole number >= 0");
  CHECK(refused("list_mle", parameter_values{{"top_k", -1}}) ==
        "prefopt::list_mle: top_k is -1, expected a whole number >= 0");
  CHECK(refused("adpo", parameter_values{{"adapt", 1.25}}) ==
        "prefopt::adpo: adapt is 1.25, expected a finite number in [0, 1]");
}

TEST_CASE("parameters of every list loss are held to their ranges") {
  groups<double> const data{{4}};
  std::size_t walked = 0;
  list_losses::for_each([&]<class L> {
    any_list_loss const standard{L{}};
    auto const batch = data.batch(standard);
    if constexpr (requires { L::parameters(); }) {
      std::apply(
          [&](auto const&... p) {
            auto const check = [&](auto const& q) {
              CAPTURE(std::string{L::card.name}, std::string{q.name});
              ++walked;
              for (double const bad : outside(q.valid)) {
                auto const expected = parameter_message(L::card.name, q.name, bad, q.valid);
                CHECK(refusal([&] {
                        static_cast<void>(make_list_loss(L::card.name, {{std::string{q.name}, bad}}));
                      }) == expected);
                L loss{};
                if constexpr (std::is_same_v<decltype(q.member), double L::*>) {
                  loss.*q.member = bad;
                  CHECK(refusal_of(loss, batch) == expected);
                  CHECK(refusal_of(any_list_loss{loss}, batch) == expected);
                  CHECK(refusal([&] { any_list_loss{loss}.check(); }) == expected);
                }
              }
              for (double const good :
                   {q.valid.low_is_in ? q.valid.low : 1.0,
                    q.valid.high_is_in && q.valid.high < 2 ? q.valid.high : 0x1p-1 + q.valid.is_whole * 0.5}) {
                CHECK_NOTHROW(evaluate(make_list_loss(L::card.name, {{std::string{q.name}, good}}), batch));
              }
            };
            (check(p), ...);
          },
          L::parameters());
    }
  });
  CHECK(walked == 27);
}

TEST_CASE("a run-time list loss is a value") {
  auto loss = made("plackett_luce", {{"beta", 3}});
  auto const copy = loss;
  loss = made("rrhf");
  CHECK(same_as_static<double>(copy, plackett_luce{.beta = 3}));
  CHECK(same_as_static<double>(loss, rrhf{}));
}
