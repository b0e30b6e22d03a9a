// prefopt's loss as the objective of ensmallen's L-BFGS, on Armadillo's column-major matrices: the ranking of four
// journals, which has a published optimum, and a linear reward model.

#include <algorithm>
#include <armadillo>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ensmallen.hpp>
#include <prefopt/prefopt.hpp>
#include <vector>

#include "reward_task.hpp"

namespace {

/// How often journals of statistics cite each other: to be cited is to win. Columns: winner, loser, times.
/// Stigler, Statistical Science 9 (1994) 94-108; Agresti, Categorical Data Analysis, 2nd ed. (2002), p. 448.
arma::mat const citations{{0, 1, 730}, {1, 0, 33},  {0, 2, 498}, {2, 0, 320}, {0, 3, 221}, {3, 0, 284},
                          {1, 2, 68},  {2, 1, 813}, {1, 3, 17},  {3, 1, 276}, {2, 3, 142}, {3, 2, 325}};
constexpr char const* journals[]{"Biometrika", "Comm. Statist.", "JASA", "JRSS-B"};
/// Relative to Biometrika, as R's BradleyTerry2 prints them, and to more digits by Newton steps.
arma::vec const published{-2.9491, -0.4796, 0.2690}, exact{-2.949072, -0.479570, 0.268954};
constexpr double exact_loss = 1622.889809;

/// The negative log-likelihood of the strengths of all journals but the first, which has 0.
class citation_loss {
 public:
  double EvaluateWithGradient(arma::mat const& coordinates, arma::mat& gradient) {
    arma::vec const strength = arma::join_cols(arma::vec{0}, arma::vectorise(coordinates));
    arma::vec const chosen = strength.elem(winner_), rejected = strength.elem(loser_);
    arma::vec d_chosen(chosen.n_elem), d_rejected(chosen.n_elem);
    // A vector of Armadillo is a column as it is; so is one of a matrix, by where it begins.
    double const loss =
        prefopt::evaluate(
            prefopt::bradley_terry{},
            prefopt::pair_batch<double>{
                .chosen = chosen, .rejected = rejected, .weight = {citations.colptr(2), citations.n_rows}},
            {.d_chosen = d_chosen, .d_rejected = d_rejected}, {.reduction = prefopt::reduction::sum})
            .loss;
    arma::vec d_strength(strength.n_elem, arma::fill::zeros);
    for (arma::uword i = 0; i < chosen.n_elem; ++i) {
      d_strength(winner_(i)) += d_chosen(i);
      d_strength(loser_(i)) += d_rejected(i);
    }
    gradient = d_strength.tail(coordinates.n_elem);
    return loss;
  }

 private:
  arma::uvec winner_ = arma::conv_to<arma::uvec>::from(citations.col(0));
  arma::uvec loser_ = arma::conv_to<arma::uvec>::from(citations.col(1));
};

/// The mean loss of a linear reward. Chosen and rejected are neighbouring columns of the features.
class reward_loss {
 public:
  explicit reward_loss(std::vector<reward_task::pair> const& pairs)
      : features_(reward_task::features, 2 * pairs.size()) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      std::copy(pairs[i].chosen.begin(), pairs[i].chosen.end(), features_.begin_col(2 * i));
      std::copy(pairs[i].rejected.begin(), pairs[i].rejected.end(), features_.begin_col(2 * i + 1));
    }
  }

  double EvaluateWithGradient(arma::mat const& coordinates, arma::mat& gradient) const {
    arma::mat d_reward(2, features_.n_cols / 2);
    double const loss = evaluate(coordinates, {.d_chosen = {d_reward.memptr(), d_reward.n_cols, 2},
                                               .d_rejected = {d_reward.memptr() + 1, d_reward.n_cols, 2}})
                            .loss;
    gradient = features_ * arma::vectorise(d_reward);
    return loss;
  }

  [[nodiscard]] prefopt::report evaluate(arma::mat const& coordinates,
                                         prefopt::pair_outputs<double> const& outputs = {}) const {
    // Two rows, chosen and rejected: column-major, so that a row's neighbours are two numbers apart.
    arma::mat const reward = arma::reshape(features_.t() * coordinates, 2, features_.n_cols / 2);
    return prefopt::evaluate(prefopt::bradley_terry{},
                             prefopt::pair_batch<double>{.chosen = {reward.memptr(), reward.n_cols, 2},
                                                         .rejected = {reward.memptr() + 1, reward.n_cols, 2}},
                             outputs);
  }

 private:
  arma::mat features_;
};

/// The largest difference of the gradient from central differences, as a share of the largest slope.
template <class Function>
double gradient_error(Function& function, arma::mat coordinates) {
  arma::mat gradient, ignored;
  function.EvaluateWithGradient(coordinates, gradient);
  double largest = 0, worst = 0;
  for (arma::uword i = 0; i < coordinates.n_elem; ++i) {
    double const at = coordinates(i), step = 1e-5;
    coordinates(i) = at + step;
    double const above = function.EvaluateWithGradient(coordinates, ignored);
    coordinates(i) = at - step;
    double const below = function.EvaluateWithGradient(coordinates, ignored);
    coordinates(i) = at;
    double const slope = (above - below) / (2 * step);
    largest = std::max(largest, std::abs(slope));
    worst = std::max(worst, std::abs(slope - gradient(i)));
  }
  return worst / largest;
}

bool ranks_journals() {
  citation_loss loss;
  arma::mat strength(3, 1, arma::fill::zeros);
  double const error = gradient_error(loss, strength);
  ens::L_BFGS optimizer;
  optimizer.MinGradientNorm() = 1e-8;
  double const value = optimizer.Optimize(loss, strength);
  std::printf("journals: gradient differs from finite differences by %.1e of its largest entry\n", error);
  std::printf("  %-14s %9s %10s %10s\n", "", "strength", "published", "exact");
  for (arma::uword i = 0; i < 3; ++i) {
    std::printf("  %-14s %9.6f %10.4f %10.6f\n", journals[i + 1], strength(i), published(i), exact(i));
  }
  std::printf("  negative log-likelihood %.6f, exact %.6f\n", value, exact_loss);
  double const distance = arma::abs(arma::vectorise(strength) - exact).max();
  return error < 1e-6 && distance < 1e-6 && std::abs(value - exact_loss) < 1e-6;
}

bool learns_rewards() {
  reward_task const task;
  reward_loss train{task.train};
  reward_loss const held_out{task.held_out};
  arma::mat weights(reward_task::features, 1, arma::fill::zeros);
  double const error = gradient_error(train, weights);
  auto const before = train.evaluate(weights), held_out_before = held_out.evaluate(weights);
  ens::L_BFGS optimizer;
  optimizer.Optimize(train, weights);
  auto const after = train.evaluate(weights), held_out_after = held_out.evaluate(weights);
  std::printf("rewards: gradient differs from finite differences by %.1e of its largest entry\n", error);
  std::printf("loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", before.loss, after.loss, held_out_before.accuracy,
              held_out_after.accuracy);
  return error < 1e-6 && held_out_after.accuracy > 0.93;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    bool const help = std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0;
    std::fprintf(help ? stdout : stderr,
                 "usage: ensmallen_bradley_terry\n"
                 "Ranks four journals by their citations under ensmallen's L-BFGS, which must reach the published\n"
                 "optimum, and trains a linear reward model; gradients are compared with finite differences.\n"
                 "Takes no arguments. Exit status 1 if any of it fails.\n");
    return help ? 0 : 2;
  }
  bool const ranks = ranks_journals(), learns = learns_rewards();
  return ranks && learns ? 0 : 1;
}
