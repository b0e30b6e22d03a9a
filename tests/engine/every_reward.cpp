// The implicit rewards of every loss: the scores in the units of its logit, whatever its own kernel makes of them.
#include <cmath>
#include <string>
#include <vector>

#include "pairs.hpp"

using namespace prefopt;

namespace every_reward {
namespace {

/// A parameter of the loss, or 1 where there is none of that name.
double value_of(parameter_values const& values, std::string_view name) {
  for (auto const& [known, value] : values) {
    if (known == name) return value;
  }
  return 1;
}

/// What a score is multiplied by, as the papers have it.
double scale_of(std::string const& loss, parameter_values const& values) {
  double const beta = value_of(values, "beta");
  if (loss == "modpo") return beta / value_of(values, "weight");
  // Of errors, which are the less the better.
  if (loss == "diffusion_dpo") return -beta / 2;
  if (loss == "smpo") return -beta / 2 * value_of(values, "scale");
  if (loss == "ipo" || loss == "ipo_mean" || loss == "soft_ipo") return value_of(values, "tau");
  // Its beta is a temperature of the targets.
  if (loss == "weighted_nll") return 1;
  return beta;
}

bool is_near(double got, double right) { return std::fabs(got - right) <= 1e-14 * std::fabs(right); }

}  // namespace

TEST_CASE("the implicit rewards of every loss are its scores times its beta") {
  std::vector<double> const chosen{-3}, rejected{-4}, ref_chosen{-5}, ref_rejected{-1}, one{1}, half{0.5};
  std::size_t losses = 0;
  auto const check_pairs = [&](any_pair_loss const& loss, std::string const& name) {
    using f = pair_family;
    pair_batch<double> batch{.chosen = chosen, .rejected = rejected};
    for (std::size_t c = f::ref_chosen; c < f::input_count; ++c) {
      auto const& row = f::inputs<double>[c];
      bool const is_doubtful = loss.rule().kind == row.kind && loss.rule().values == allowed_values::inside;
      if (loss.reads(row.kind) && row.when == presence::as_read) batch.*row.values = is_doubtful ? half : one;
    }
    // alpha_dpo's reference is in its target alone.
    bool const reads_reference = loss.reads(columns::reference), is_anchored = reads_reference && name != "alpha_dpo";
    if (reads_reference) batch.ref_chosen = ref_chosen, batch.ref_rejected = ref_rejected;
    std::vector<double> good(1), bad(1);
    auto const seen = evaluate(loss, batch, {.chosen_reward = good, .rejected_reward = bad});
    CAPTURE(loss.name());
    double const scale = scale_of(name, loss.parameters());
    CHECK(is_near(good[0], scale * (is_anchored ? 2 : -3)));
    CHECK(is_near(bad[0], scale * (is_anchored ? -3 : -4)));
    CHECK(seen.chosen_reward == good[0]);
    CHECK(seen.rejected_reward == bad[0]);
    CHECK(seen.accuracy == (good[0] > bad[0] ? 1 : 0));
    ++losses;
  };
  for (auto const& card : pair_loss_cards()) {
    std::string const name{card.card.name};
    for (auto const base : card.bases) check_pairs(make_pair_loss(name, {}, base), std::string{base});
    if (card.is_modifier) continue;
    check_pairs(make_pair_loss(name), name);
    for (auto const& parameter : card.parameters) {
      if (parameter.name == "beta" || parameter.name == "tau") {
        check_pairs(make_pair_loss(name, {{std::string{parameter.name}, 0.625}}), name);
      }
    }
  }
  for (auto const& card : unpaired_loss_cards()) {
    std::string const name{card.card.name};
    for (double const beta : {0.1, 0.625}) {
      bool const has_beta = value_of(make_unpaired_loss(name).parameters(), "beta") != 1 || name == "score_regression";
      auto const loss = has_beta ? make_unpaired_loss(name, {{"beta", beta}}) : make_unpaired_loss(name);
      unpaired_batch<double> batch{.logp = chosen};
      if (loss.reads(columns::reference)) batch.ref_logp = ref_chosen;
      if (loss.reads(columns::label)) batch.label = one;
      if (loss.reads(columns::target)) batch.target = one;
      std::vector<double> reward(1);
      evaluate(loss, batch, {.reward = reward});
      CAPTURE(name, beta);
      CHECK(is_near(reward[0], scale_of(name, loss.parameters()) * (loss.reads(columns::reference) ? 2 : -3)));
      ++losses;
    }
  }
  // Without a pull to the reference a reward is the log-ratio itself.
  std::vector<double> reward(1);
  evaluate(make_unpaired_loss("dro", {{"beta", 0}}),
           unpaired_batch<double>{.logp = chosen, .ref_logp = ref_chosen, .target = one}, {.reward = reward});
  CHECK(reward[0] == 2);
  CHECK(losses >= 60 + 250 + 18);
}

}  // namespace every_reward
