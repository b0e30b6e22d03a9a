// A loss chosen at run time is the static one, bit for bit; what cannot be made says what can; parameters have ranges.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <special_numbers.hpp>

#include "pairs.hpp"

using namespace prefopt;

namespace {

template <class T, class L>
bool same_as_static(any_pair_loss const& made, L const& loss) {
  constexpr std::size_t n = 259;
  static pairs<T> const data{n};
  results<T> by_name{n, made}, by_type{n, made};
  auto const named = evaluate(made, data.batch(made), by_name.outputs());
  auto const typed = evaluate(loss, data.batch(made), by_type.outputs());
  return same_bits(named, typed) && by_name.same_bits(by_type);
}

pair_loss_card const& card_of(std::string_view name) {
  return *std::find_if(pair_loss_cards().begin(), pair_loss_cards().end(),
                       [&](auto const& card) { return card.card.name == name; });
}

bool goes_over(std::string_view modifier, std::string_view base) {
  auto const& bases = card_of(modifier).bases;
  return std::find(bases.begin(), bases.end(), base) != bases.end();
}

std::vector<std::string> names(std::vector<std::string_view> const& views) { return {views.begin(), views.end()}; }

std::string parameter_message(std::string const& loss, std::string_view name, double got, range const& valid) {
  return "prefopt::" + loss + ": " + std::string{name} + " is " + detail::text(got) + ", expected " +
         (valid.is_whole ? "" : "a finite number ") + valid.text();
}

std::vector<double> inside(range const& valid) {
  std::vector<double> good{valid.low_is_in ? valid.low : std::nextafter(valid.low, infinity<double>)};
  if (valid.high < std::numeric_limits<double>::max()) {
    good.push_back(valid.high_is_in ? valid.high : std::nextafter(valid.high, -infinity<double>));
  }
  return good;
}

}  // namespace

TEMPLATE_TEST_CASE("every name makes the static loss", "", float, double) {
  std::size_t made = 0;
  pair_losses::for_each([&]<class L> {
    CAPTURE(std::string{L::card.name});
    if constexpr (detail::matches_of<detail::resolved<L>>() == rank_matching::none) {
      CHECK(same_as_static<TestType>(make_pair_loss(L::card.name), L{}));
    }
    CHECK(make_pair_loss(L::card.name).name() == L::card.name);
    ++made;
    modifiers_of<L>::type::for_each([&]<class M> {
      CAPTURE(std::string{M::card.name});
      // Of modifiers over losses that do not fuse, which all go one way, some as types, too.
      constexpr bool as_type = detail::fuses<L>() || std::same_as<L, apo_zero> || std::same_as<L, tdpo>;
      if (!goes_over(M::card.name, L::card.name)) {
        // A name could not tell the two parameters of one name apart: only as a type.
        if constexpr (as_type) CHECK(same_as_static<TestType>(any_pair_loss{M{}}, M{}));
        return;
      }
      auto const over = make_pair_loss(M::card.name, {}, L::card.name);
      if constexpr (as_type) CHECK(same_as_static<TestType>(over, M{}));
      CHECK(over.name() == std::string{M::card.name} + "<" + std::string{L::card.name} + ">");
      CHECK(over.has_posterior() == (M::card.name == "lcpo"));
      ++made;
    });
  });
  CHECK(made == every_loss().size());
  CHECK(made >= 60 + 250);
}

TEST_CASE("parameters by name reach the loss and its base") {
  CHECK(same_as_static<double>(make_pair_loss("simpo", {{"gamma", 0.5}, {"beta", 3}}), simpo{.beta = 3, .gamma = 0.5}));
  CHECK(same_as_static<double>(make_pair_loss("smoothed", {{"beta", 3}, {"gamma", 0.5}, {"epsilon", 0.2}}, "simpo"),
                               smoothed<simpo>{.base = {.beta = 3, .gamma = 0.5}, .epsilon = 0.2}));
  CHECK(
      same_as_static<float>(make_pair_loss("lcpo", {{"tau", 0.7}}, "ipo_mean"), lcpo<ipo_mean>{.base = {.tau = 0.7}}));
  CHECK(same_as_static<float>(make_pair_loss("rdpo", {{"epsilon", 0.3}}), unbiased<dpo>{.epsilon = 0.3}));
  CHECK(same_as_static<float>(make_pair_loss("cdpo", {{"epsilon", 0.3}}), smoothed<dpo>{.epsilon = 0.3}));
  // Losses of any type become run-time ones, also what no name makes.
  CHECK(same_as_static<double>(any_pair_loss{lcpo<labelled<simpo>>{}}, lcpo<labelled<simpo>>{}));
}

TEST_CASE("where a modifier and its base have a parameter of one name, none is out of reach") {
  CHECK_FALSE(goes_over("unbiased", "rdpo"));
  CHECK_FALSE(goes_over("smoothed", "cdpo"));
  CHECK(goes_over("lcpo", "rdpo"));
  CHECK(goes_over("labelled", "cdpo"));
  for (auto const& card : pair_loss_cards()) {
    if (!card.is_modifier) continue;
    for (auto const base : card.bases) {
      std::set<std::string> seen;
      for (auto const& own : card.parameters) seen.insert(std::string{own.name});
      for (auto const& other : pair_loss_cards()) {
        if (other.card.name != base) continue;
        for (auto const& p : other.parameters) {
          CAPTURE(std::string{card.card.name}, std::string{base}, std::string{p.name});
          CHECK(seen.insert(std::string{p.name}).second);
        }
      }
    }
  }
}

TEST_CASE("what cannot be made is refused with what can") {
  auto const refused = [](auto const&... arguments) {
    return refusal([&] { static_cast<void>(make_pair_loss(arguments...)); });
  };
  std::string known;
  for (auto const& card : pair_loss_cards()) known.append(known.empty() ? "" : ", ").append(card.card.name);
  CHECK(known.starts_with("dpo, cdpo, rdpo, ipo, "));
  CHECK(known.ends_with("smoothed, labelled, unbiased, lcpo, with_nll"));
  CHECK(refused("dpoo") == "prefopt::make_pair_loss: there is no loss \"dpoo\", known are " + known);
  CHECK(refused("").starts_with("prefopt::make_pair_loss: there is no loss \"\", known are dpo"));
  CHECK(refused("DPO").starts_with("prefopt::make_pair_loss: there is no loss \"DPO\""));
  CHECK(refused("dpo", parameter_values{{"betta", 1}}) ==
        "prefopt::make_pair_loss: dpo has no parameter \"betta\", it has beta");
  CHECK(refused("simpo", parameter_values{{"tau", 1}}) ==
        "prefopt::make_pair_loss: simpo has no parameter \"tau\", it has beta, gamma");
  CHECK(refused("smoothed", parameter_values{{"tau", 1}}, "simpo") ==
        "prefopt::make_pair_loss: smoothed<simpo> has no parameter \"tau\", it has epsilon, beta, gamma");
  CHECK(refused("dpo", parameter_values{{"beta", 1}, {"beta", 2}}) ==
        "prefopt::make_pair_loss: the parameter \"beta\" is given twice");
  CHECK(refused("dpo", parameter_values{}, "simpo") ==
        "prefopt::make_pair_loss: dpo is not a modifier and takes no base, got base \"simpo\"");
  CHECK(refused("lcpo").starts_with("prefopt::make_pair_loss: lcpo is a modifier and needs a base, one of dpo, "));
  CHECK(refused("lcpo", parameter_values{}, "lcpo")
            .starts_with("prefopt::make_pair_loss: lcpo does not go over \"lcpo\", it goes over dpo, "));
  CHECK(refused("smoothed", parameter_values{}, "rdpo")
            .starts_with("prefopt::make_pair_loss: smoothed does not go over \"rdpo\", it goes over dpo, "));
  CHECK(refused("dpo", parameter_values{{"beta", -2}}) == "prefopt::dpo: beta is -2, expected a finite number > 0");
  CHECK(refused("lcpo", parameter_values{{"beta", 0}}, "dpo") ==
        "prefopt::dpo: beta is 0, expected a finite number > 0");
}

TEST_CASE("the cards show the list, in order, with defaults and ranges") {
  std::vector<std::string> shown, listed;
  for (auto const& card : pair_loss_cards()) {
    CHECK_FALSE(card.card.formula.empty());
    CHECK_FALSE(card.card.source.empty());
    CHECK(card.is_modifier == !card.bases.empty());
    if (!card.is_modifier) shown.emplace_back(card.card.name);
    for (auto const& p : card.parameters) CHECK(p.valid.contains(p.standard));
    if (!card.is_modifier) {
      auto const loss = make_pair_loss(card.card.name);
      CHECK(loss.needs(card.needs));
      CHECK(loss.reads(card.takes));
    }
  }
  pair_losses::for_each([&]<class L> { listed.emplace_back(L::card.name); });
  CHECK(shown == listed);
  CHECK(card_of("simpo").needs == columns::length);
  CHECK(card_of("dpo").needs == columns::reference);
  CHECK(card_of("ln_dpo").needs == (columns::reference | columns::length));
  CHECK(card_of("bradley_terry").needs == columns::none);
  CHECK(card_of("bradley_terry").takes == columns::margin);
  CHECK(card_of("lcpo").needs == columns::reliability);
  CHECK(card_of("labelled").needs == columns::label);
  CHECK(card_of("smoothed").needs == columns::none);
  CHECK(card_of("smoothed").parameters.size() == 1);
  CHECK(card_of("lcpo").parameters.empty());
  for (auto const& base : names(card_of("lcpo").bases)) CHECK(std::ranges::find(listed, base) != listed.end());
  CHECK(card_of("dpo").parameters[0].standard == 0.1);
  CHECK(card_of("dpo").parameters[0].valid.text() == "> 0");
  CHECK(card_of("rdpo").parameters[1].valid.text() == "in [0, 0.5)");
}

TEST_CASE("every pair loss has the standard parameters that its header says") {
  std::vector<std::pair<std::string, parameter_values>> const standard{
      {"dpo", {{"beta", 0.1}}},
      {"cdpo", {{"beta", 0.1}, {"epsilon", 0.1}}},
      {"rdpo", {{"beta", 0.1}, {"epsilon", 0.1}}},
      {"ipo", {{"tau", 0.1}}},
      {"ipo_mean", {{"tau", 0.1}}},
      {"simpo", {{"beta", 2}, {"gamma", 1}}},
      {"ln_dpo", {{"beta", 5}}},
      {"hinge", {{"beta", 0.1}}},
      {"cpo", {{"beta", 0.1}, {"sft", 0}}},
      {"bradley_terry", {{"temperature", 1}, {"center", 0}}},
      {"exo_pair", {{"beta", 0.1}, {"epsilon", 0.001}}},
      {"discopop", {{"beta", 0.1}, {"tau", 0.05}}},
      {"rpo_bwd_kl", {{"beta", 0.1}, {"scale", 1}}},
      {"rpo_fwd_kl", {{"beta", 0.1}, {"scale", 1}}},
      {"rpo_sq", {{"beta", 0.1}, {"scale", 1}}},
      {"irepo", {{"beta", 0.1}}},
      {"soft_ipo", {{"tau", 0.1}}},
      {"cauchy_dpo", {{"beta", 0.1}}},
      {"focal_po", {{"beta", 0.1}, {"gamma", 0.05}}},
      {"focal_bt", {{"gamma", 2}}},
      {"r_dpo", {{"beta", 0.1}, {"alpha", 0.05}}},
      {"odpo", {{"beta", 0.1}, {"alpha", 1}}},
      {"modpo", {{"beta", 0.1}, {"weight", 0.5}}},
      {"smpo", {{"beta", 5000}, {"scale", 10}}},
      {"mallows_dpo", {{"beta", 0.1}}},
      {"tdpo", {{"beta", 0.1}, {"alpha", 0.5}, {"version", 2}}},
      {"diffusion_dpo", {{"beta", 5000}}},
      {"repo", {{"gamma", 0.5}}},
      {"rao_kupper", {{"kappa", 0.5}}},
      {"davidson", {{"kappa", 0.5}}},
      {"noise_mixture", {{"rho0", 0.2}, {"rho1", 0.1}}},
      {"gaussian_bt", {{"probit_matched", 0}}},
      {"beta_dpo", {{"beta", 0.1}, {"a", 0.6}, {"offset", 0}, {"lowest", 0.001}}},
      {"alpha_dpo", {{"beta", 2.5}, {"gamma", 1.5}, {"alpha", 0.1}, {"mean", 0}, {"deviation", 1}}},
      {"aot", {{"beta", 0.1}, {"epsilon", 0}}},
      {"aot_unpaired", {{"beta", 0.1}, {"epsilon", 0}}},
      {"nca_pair", {{"beta", 0.1}}},
      {"bco_pair", {{"beta", 0.1}, {"delta", 0}}},
      {"sppo", {{"beta", 0.001}}},
      {"apo_zero", {{"beta", 0.1}}},
      {"apo_down", {{"beta", 0.1}}},
      {"slic", {{"delta", 1}, {"sft", 0.1}}},
      {"smooth_hinge", {{"delta", 1}, {"gamma", 5}}},
      {"orpo", {{"beta", 0.1}, {"sft", 1}}},
      {"alpha_po", {{"beta", 2}, {"gamma", 1}, {"alpha", 0.25}}},
      {"dpop", {{"beta", 0.3}, {"lambda", 50}}},
      {"dpop_outside", {{"beta", 0.1}, {"lambda", 50}}},
      {"dpo_shift", {{"beta", 0.1}, {"lambda", 1}}},
      {"f_dpo_reverse_kl", {{"beta", 0.1}}},
      {"f_dpo_forward_kl", {{"beta", 0.1}}},
      {"f_dpo_js", {{"beta", 0.1}}},
      {"f_dpo_alpha", {{"beta", 0.1}, {"alpha", 0.5}}},
      {"cal_dpo", {{"beta", 0.001}, {"calibration", 0.5}}},
      {"simper", {}},
      {"cost_model", {{"scale", 1}, {"regularization", 0}}},
      {"rationale_dpo", {{"beta", 0.1}, {"gamma", 0.1}}},
      {"tpo", {{"beta", 0.01}, {"epsilon", 0}, {"sft", 1}}},
      {"tpo_l", {{"beta", 2}, {"gamma", 0.5}, {"sft", 1}}},
      {"xpo", {{"beta", 0.1}, {"alpha", 1e-05}}},
      {"sft", {{"mode", 0}}},
      {"smoothed", {{"epsilon", 0.1}}},
      {"labelled", {}},
      {"unbiased", {{"epsilon", 0.1}}},
      {"lcpo", {}},
      {"with_nll", {{"nll", 1}, {"nll_mode", 0}}}};
  CHECK(standard.size() == pair_loss_cards().size());
  for (auto const& [name, values] : standard) {
    CAPTURE(name);
    parameter_values got;
    for (auto const& p : card_of(name).parameters) got.emplace_back(p.name, p.standard);
    CHECK(got == values);
  }
}

TEST_CASE("a run-time loss is a value") {
  auto made = make_pair_loss("simpo", {{"beta", 3}});
  auto const copy = made;
  made = make_pair_loss("dpo");
  CHECK(same_as_static<double>(copy, simpo{.beta = 3}));
  CHECK(same_as_static<double>(made, dpo{}));
}

TEST_CASE("the ends of a parameter's range are in it") {
  std::size_t walked = 0;
  for (auto const& card : pair_loss_cards()) {
    if (card.is_modifier) continue;
    for (auto const& own : card.parameters) {
      CAPTURE(std::string{card.card.name}, std::string{own.name});
      ++walked;
      for (double const good : inside(own.valid)) {
        parameter_values values{{std::string{own.name}, good}};
        // Two rates are held to their sum.
        if (own.name == "rho0") values.emplace_back("rho1", 0);
        if (own.name == "rho1") values.emplace_back("rho0", 0);
        CHECK_NOTHROW(evaluate(make_pair_loss(card.card.name, values), pair_batch<double>{}));
      }
    }
  }
  CHECK(walked >= 100);
  CHECK(refusal([] { static_cast<void>(evaluate(ipo{.tau = 0}, pair_batch<double>{})); }) ==
        parameter_message("ipo", "tau", 0, range::positive()));
  CHECK(refusal([] { static_cast<void>(evaluate(any_pair_loss{simpo{.beta = -1}}, pair_batch<float>{})); }) ==
        parameter_message("simpo", "beta", -1, range::positive()));
  CHECK(refusal([] {
          static_cast<void>(make_pair_loss("noise_mixture", {{"rho0", 0.5}, {"rho1", 0.5}}));
        }) == "prefopt::noise_mixture: rho0 + rho1 has to be below 1, or the labels say the opposite, or nothing");
}

TEST_CASE("parameters of a modifier and of what it goes over are held to their ranges") {
  auto const refused = [](auto const& loss) {
    return refusal([&] { static_cast<void>(evaluate(loss, pair_batch<double>{})); });
  };
  CHECK(refused(dpo{.beta = -1}) == "prefopt::dpo: beta is -1, expected a finite number > 0");
  CHECK(refused(simpo{.gamma = -0.25}) == "prefopt::simpo: gamma is -0.25, expected a finite number >= 0");
  CHECK(refused(rdpo{.epsilon = 0.5}) == "prefopt::rdpo: epsilon is 0.5, expected a finite number in [0, 0.5)");
  CHECK(refused(cdpo{.epsilon = 0.75}) == "prefopt::cdpo: epsilon is 0.75, expected a finite number in [0, 0.5]");
  CHECK(refused(unbiased<dpo>{.base = {.beta = 0}}) == "prefopt::dpo: beta is 0, expected a finite number > 0");
  CHECK(refused(lcpo<smoothed<dpo>>{.base = {.base = {.beta = not_a_number<double>}}}) ==
        "prefopt::dpo: beta is nan, expected a finite number > 0");
  CHECK(refused(lcpo<smoothed<dpo>>{.base = {.epsilon = -1}}) ==
        "prefopt::smoothed<dpo>: epsilon is -1, expected a finite number in [0, 0.5]");
}
