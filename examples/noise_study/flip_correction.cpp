#include "flip_correction.hpp"

#include <Eigen/Core>
#include <cmath>
#include <prefopt/prefopt.hpp>
#include <random>
#include <span>
#include <vector>

#include "gaussian_matrix.hpp"
#include "linear_fit.hpp"
#include "mean_interval.hpp"
#include "parallel_for.hpp"
#include "random_generator.hpp"
#include "text_table.hpp"

namespace {

constexpr Eigen::Index features = 8;
constexpr double rates[] = {0.1, 0.2, 0.3, 0.4};
constexpr double length_of_theta = 2;

/// Features of the completions that were called better, and below them of those called worse.
Eigen::MatrixXd draw_pairs(Eigen::VectorXd const& theta, Eigen::Index pairs, double flip_rate,
                           std::mt19937_64& random) {
  // The difference of two completions' features is standard normal.
  Eigen::MatrixXd drawn = gaussian_matrix<double>(2 * pairs, features, random) * std::sqrt(0.5);
  std::uniform_real_distribution<double> uniform;
  for (Eigen::Index i = 0; i < pairs; ++i) {
    double const margin = (drawn.row(i) - drawn.row(pairs + i)) * theta;
    bool const second_is_better = uniform(random) >= 1 / (1 + std::exp(-margin));
    bool const flipped = uniform(random) < flip_rate;
    if (second_is_better != flipped) drawn.row(i).swap(drawn.row(pairs + i));
  }
  return drawn;
}

/// Log-linear: log pi = theta . features up to a constant of the prompt, which no margin sees; so is the reference,
/// which is uniform.
template <class Loss>
Eigen::VectorXd fit(Loss const& loss, Eigen::MatrixXd const& drawn) {
  auto const pairs = static_cast<std::size_t>(drawn.rows()) / 2;
  std::vector<double> const uniform(pairs, 0.0);
  auto const objective = [&](std::span<double const> scores, std::span<double> gradient) {
    auto const chosen = scores.first(pairs), rejected = scores.last(pairs);
    auto const d_chosen = gradient.first(pairs), d_rejected = gradient.last(pairs);
    return prefopt::evaluate(
               loss,
               prefopt::pair_batch<double>{
                   .chosen = chosen, .rejected = rejected, .ref_chosen = uniform, .ref_rejected = uniform},
               {.d_chosen = d_chosen, .d_rejected = d_rejected})
        .loss;
  };
  return fit_linear(drawn, objective);
}

}  // namespace

std::string flip_correction_table(std::size_t pairs, std::uint64_t seed, std::size_t repetitions, std::size_t threads,
                                  progress& shown) {
  constexpr std::size_t losses = 3;
  std::vector<double> errors(std::size(rates) * losses * repetitions), cosines(errors.size());
  auto const place = [&](std::size_t rate, std::size_t loss) { return (rate * losses + loss) * repetitions; };
  auto const run = [&](std::size_t repetition) {
    for (std::size_t i = 0; i < std::size(rates); ++i) {
      auto random = random_generator(drawn_for::flips, {of_seed(seed, repetition)});
      Eigen::VectorXd const theta = length_of_theta * gaussian_matrix<double>(features, 1, random).col(0).normalized();
      Eigen::MatrixXd const drawn = draw_pairs(theta, static_cast<Eigen::Index>(pairs), rates[i], random);
      Eigen::VectorXd const fitted[losses] = {fit(prefopt::dpo{.beta = 1}, drawn),
                                              fit(prefopt::cdpo{.beta = 1, .epsilon = rates[i]}, drawn),
                                              fit(prefopt::rdpo{.beta = 1, .epsilon = rates[i]}, drawn)};
      for (std::size_t loss = 0; loss < losses; ++loss) {
        errors[place(i, loss) + repetition] = (fitted[loss] - theta).norm();
        cosines[place(i, loss) + repetition] = fitted[loss].normalized().dot(theta.normalized());
      }
    }
  };
  parallel_for(repetitions, threads, run, [&](std::size_t done) { shown.show("flips", done, repetitions); });

  std::vector<std::vector<std::string>> rows{{"flip rate", "dpo", "cdpo", "rdpo", "cosine: dpo", "cdpo", "rdpo"}};
  for (std::size_t i = 0; i < std::size(rates); ++i) {
    rows.push_back({decimals(rates[i], 1)});
    for (std::size_t loss = 0; loss < losses; ++loss) {
      rows.back().push_back(interval_text(std::span{errors}.subspan(place(i, loss), repetitions)));
    }
    for (std::size_t loss = 0; loss < losses; ++loss) {
      rows.back().push_back(decimals(mean_interval_of(std::span{cosines}.subspan(place(i, loss), repetitions)).mean));
    }
  }
  return text_table(rows);
}
