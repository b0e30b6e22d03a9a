#include <catch.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "oracle/pair_results.hpp"

// Where the losses of the papers end: far from 0, at infinity, at the edge of their domain. No loss may give NaN there, and
// a slope whose factor is 0 is 0, however steep the other.

namespace ends_of_papers {
namespace {

using oracle::named_loss;
using oracle::pair;
using oracle::results_of;

constexpr double inf = std::numeric_limits<double>::infinity();
double const log_two = std::log(2.0);

/// The loss and its two slopes at a pair.
struct end {
  pair at;
  double loss, d_chosen, d_rejected;
};

template <class T>
void check_ends(named_loss const& loss, std::vector<end> const& ends) {
  for (std::size_t i = 0; i < ends.size(); ++i) {
    auto const r = results_of<T>(loss, {ends[i].at});
    CAPTURE(oracle::describe(loss), i);
    auto const check = [](T got, double expected) {
      auto const right = static_cast<T>(expected);
      CAPTURE(got, right);
      CHECK((got == right || std::fabs(got - right) <= 8 * std::numeric_limits<T>::epsilon() * (1 + std::fabs(right))));
    };
    check(r.loss[0], ends[i].loss);
    check(r.d_chosen[0], ends[i].d_chosen);
    check(r.d_rejected[0], ends[i].d_rejected);
  }
}

double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }

}  // namespace

TEMPLATE_TEST_CASE("losses of the margin have their ends", "", float, double) {
  using T = TestType;
  auto const check = [](named_loss const& loss, std::vector<end> const& ends) { check_ends<T>(loss, ends); };
  for (double const far : {1e4, inf}) {
    CAPTURE(far);
    pair const right{.chosen = far}, wrong{.chosen = -far};
    check({"exo_pair", {{"beta", 1}, {"epsilon", 0.25}}},
          {{right, -std::log1p(-0.25), 0, 0}, {wrong, -std::log(0.25), 0, 0}});
    check({"discopop", {{"beta", 1}}}, {{right, 0, 0, 0}, {wrong, far, -1, 1}});
    // The exponential is worth 1 there; with a larger tau it grows.
    check({"discopop", {{"beta", 1}, {"tau", 1}}}, {{right, 0, 0, 0}, {wrong, far + 1, -1, 1}});
    check({"rpo_fwd_kl", {{"beta", 1}}},
          {{{.chosen = far, .target = 1}, softplus(-1), 0, 0}, {{.chosen = -far, .target = 1}, softplus(1), 0, 0}});
    check({"rpo_bwd_kl", {{"beta", 1}}},
          {{right, far / 2 - log_two, 0.5, -0.5}, {wrong, far / 2 - log_two, -0.5, 0.5}});
    check({"focal_po", {{"beta", 1}, {"gamma", 0.5}}}, {{right, 0, 0, 0}, {wrong, 0, 0, 0}});
    check({"focal_bt"}, {{right, 0, 0, 0}, {wrong, far, -1, 1}});
    check({"smooth_hinge"}, {{right, 0, 0, 0}, {wrong, far + 1 - 2.5, -1, 1}});
    check({"repo"}, {{right, 0, 0, 0}, {wrong, far + 0.5, -1, 1}});
    check({"slic", {{"sft", 0}}}, {{right, 0, 0, 0}, {wrong, far + 1, -1, 1}});
    // All of these are logistic.
    for (named_loss const& loss : {named_loss{"r_dpo", {{"beta", 1}}},
                                   {"odpo", {{"beta", 1}}},
                                   {"mallows_dpo", {{"beta", 1}}},
                                   {"modpo", {{"beta", 0.5}, {"weight", 0.5}}},
                                   {"tdpo", {{"beta", 1}}}}) {
      check(loss, {{{.chosen = far, .target = 1}, 0, 0, 0}, {{.chosen = -far, .target = 1}, far, -1, 1}});
    }
    // Errors: less is better.
    check({"diffusion_dpo", {{"beta", 2}}}, {{right, far, 1, -1}, {wrong, 0, 0, 0}});
    check({"smpo", {{"beta", 2}, {"scale", 1}}}, {{right, far, 1, -1}, {wrong, 0, 0, 0}});

    named_loss const with_ties{"rao_kupper", {{"kappa", 0.5}}}, also_with_ties{"davidson", {{"kappa", 0.5}}};
    double const of_tie = far + 0.5 - std::log(std::expm1(1.0));
    check(with_ties, {{{.chosen = far, .label = 1}, 0, 0, 0},
                      {{.chosen = -far, .label = 1}, far + 0.5, -1, 1},
                      {{.chosen = far, .label = 0}, far + 0.5, 1, -1},
                      {{.chosen = far, .label = 0.5}, of_tie, 1, -1},
                      {{.chosen = -far, .label = 0.5}, of_tie, -1, 1}});
    check(also_with_ties, {{{.chosen = far, .label = 1}, 0, 0, 0},
                           {{.chosen = -far, .label = 1}, far, -1, 1},
                           {{.chosen = far, .label = 0}, far, 1, -1},
                           {{.chosen = far, .label = 0.5}, far / 2 - 0.5, 0.5, -0.5},
                           {{.chosen = -far, .label = 0.5}, far / 2 - 0.5, -0.5, 0.5}});
    check({"noise_mixture", {{"rho0", 0.25}, {"rho1", 0.125}}},
          {{{.chosen = far, .label = 1}, -std::log(0.875), 0, 0},
           {{.chosen = -far, .label = 1}, -std::log(0.25), 0, 0},
           {{.chosen = far, .label = 0}, -std::log(0.125), 0, 0},
           {{.chosen = -far, .label = 0}, -std::log(0.75), 0, 0}});
  }
  // Without a threshold there are no ties.
  auto const tie = results_of<T>({"rao_kupper", {{"kappa", 0}}}, {{.chosen = 1, .label = 0.5}});
  CHECK(tie.loss[0] == std::numeric_limits<T>::infinity());
  // (e^40)^(1 - 1 / 2)
  auto const steep = results_of<T>({"discopop", {{"beta", 1}, {"tau", 2}}}, {{.chosen = -40}});
  CHECK(std::fabs(steep.loss[0] / static_cast<T>(std::exp(20.0)) - 1) <= T(1e-5));
  // The kinks of hinges are flat; that which is smooth bends.
  check({"repo", {{"gamma", 0.5}}}, {{{.chosen = 0.5}, 0, 0, 0}});
  check({"slic", {{"delta", 2}, {"sft", 0}}}, {{{.chosen = 2}, 0, 0, 0}});
  check({"smooth_hinge", {{"delta", 1}, {"gamma", 4}}}, {{{.chosen = 1}, 0, 0, 0},
                                                         {{.chosen = -1}, 0.5, -0.5, 0.5},
                                                         {{.chosen = -3}, 2, -1, 1},
                                                         {{.chosen = -4}, 3, -1, 1}});
}

TEMPLATE_TEST_CASE("losses of both scores have their ends", "", float, double) {
  using T = TestType;
  auto const check = [](named_loss const& loss, std::vector<end> const& ends) { check_ends<T>(loss, ends); };
  for (double const far : {1e4, inf}) {
    CAPTURE(far);
    pair const a{.chosen = far}, not_a{.chosen = -far}, b{.rejected = far}, not_b{.rejected = -far};
    check({"nca_pair", {{"beta", 1}}}, {{a, far / 2 + log_two / 2, 0.5, 0.25},
                                        {not_a, far + log_two / 2, -1, 0.25},
                                        {b, 1.5 * log_two + far / 2, -0.25, 0.5},
                                        {not_b, 1.5 * log_two, -0.25, 0}});
    check({"bco_pair", {{"beta", 1}}}, {{a, log_two, 0, 0.5},
                                        {not_a, far + log_two, -1, 0.5},
                                        {b, far + log_two, -0.5, 1},
                                        {not_b, log_two, -0.5, 0}});
    check({"apo_zero", {{"beta", 1}}},
          {{a, 0.5, 0, 0.25}, {not_a, 1.5, 0, 0.25}, {b, 1.5, -0.25, 0}, {not_b, 0.5, -0.25, 0}});
    check({"apo_down", {{"beta", 1}}}, {{a, 1, 0, 0}, {not_a, 1, 0, 0}, {b, 1.5, 0.25, 0}, {not_b, 0.5, 0.25, 0}});
    // Below the reference the penalty makes it 1 + lambda times as steep.
    check({"dpop", {{"beta", 0.5}, {"lambda", 1}}}, {{a, 0, 0, 0}, {not_a, far, -1, 0.5}, {b, far / 2, -0.5, 0.5}});
    check({"dpo_shift", {{"beta", 1}, {"lambda", 0.5}}},
          {{not_a, far, -1, 0.5}, {b, far / 2, -1, 0.5}, {not_b, 0, 0, 0}});
    check({"f_dpo_js", {{"beta", 1}}},
          {{a, std::log(1.5), -1.0 / 3 * 0, 1.0 / 6}, {not_b, 0, 0, 0}, {not_a, far - log_two, -1, 0.5}});
    // Scores whose exponentials overflow.
    for (named_loss const& loss : {named_loss{"f_dpo_forward_kl"}, {"f_dpo_alpha"}}) {
      auto const good = results_of<T>(loss, {not_b}), bad = results_of<T>(loss, {not_a});
      CAPTURE(loss.name);
      CHECK(good.loss[0] == 0);
      CHECK(good.d_chosen[0] == 0);
      CHECK(good.d_rejected[0] == 0);
      CHECK(bad.loss[0] == std::numeric_limits<T>::infinity());
      CHECK(bad.d_chosen[0] < 0);
      CHECK(bad.d_rejected[0] > 0);
    }
    named_loss const alpha_po{"alpha_po", {{"alpha", 0.25}}};
    check(alpha_po, {{not_b, 0, 0, 0}});
    CHECK(results_of<T>(alpha_po, {not_a}).loss[0] == std::numeric_limits<T>::infinity());
    // A probability of 0 is as far as a mean log-prob goes.
    check({"simper"}, {{{.chosen = -far}, 1, 0, 1}, {{.rejected = -far}, -1, -1, 0}});
    check({"rationale_dpo", {{"gamma", 1}}},
          {{{.rationale = far}, log_two, -0.05, 0.05}, {{.rationale = -far}, log_two + far, -0.05, 0.05}});
  }
  // Equal scores are equal scores, though their difference is none elsewhere.
  for (char const* name : {"f_dpo_forward_kl", "f_dpo_alpha", "f_dpo_js"}) {
    for (double const x : {inf, -inf}) {
      CAPTURE(name, x);
      T const got = results_of<T>({name}, {{.chosen = x, .rejected = x}}).loss[0];
      CHECK(std::fabs(got - static_cast<T>(log_two)) <= 2 * std::numeric_limits<T>::epsilon());
    }
  }
  CHECK(std::isnan(results_of<T>({"dpo"}, {{.chosen = inf, .rejected = inf}}).loss[0]));
  CHECK(std::isnan(results_of<T>({"dpo"}, {{.chosen = -inf, .ref_chosen = -inf}}).loss[0]));
}

TEMPLATE_TEST_CASE("ORPO at probabilities of 1 and 0", "", float, double) {
  using T = TestType;
  named_loss const orpo{"orpo", {{"beta", 0.5}, {"sft", 2}}};
  double const odds = 1 / std::expm1(3.0);  // of a mean log-prob of -3
  check_ends<T>(orpo,
                {// Chosen for sure: nothing is lost, and the slope is finite.
                 {{.chosen = 0, .rejected = -6, .chosen_length = 4, .rejected_length = 2}, 0, -(0.5 * odds + 2) / 4, 0},
                 {{.chosen = -inf, .rejected = -3, .chosen_length = 4}, inf, -(0.5 + 2) / 4, 0.5 * (1 + odds)},
                 {{.chosen = -3, .rejected = -inf}, 6, -2, 0}});
  auto const sure = results_of<T>(orpo, {{.chosen = -3, .rejected = 0}, {}});
  CHECK(sure.loss[0] == std::numeric_limits<T>::infinity());
  CHECK(sure.d_rejected[0] == std::numeric_limits<T>::infinity());
  // Both for sure: the odds of one against the other are no number.
  CHECK(std::isnan(sure.loss[1]));
}

}  // namespace ends_of_papers
