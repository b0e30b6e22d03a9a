#include "ranking_length.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <prefopt/prefopt.hpp>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "gaussian_matrix.hpp"
#include "group_offsets.hpp"
#include "linear_fit.hpp"
#include "mean_interval.hpp"
#include "parallel_for.hpp"
#include "random_generator.hpp"
#include "text_table.hpp"

namespace {

constexpr Eigen::Index prompts = 400, ranked_features = 6;
constexpr Eigen::Index lengths[] = {2, 3, 4, 5, 8};

/// The candidates of every prompt best first: features a row.
Eigen::MatrixXd draw_rankings(Eigen::VectorXd const& theta, Eigen::Index length, std::mt19937_64& random) {
  Eigen::MatrixXd const drawn = gaussian_matrix<double>(prompts * length, ranked_features, random);
  Eigen::VectorXd const worth = drawn * theta;
  // Utilities with Gumbel noise are ranked as Plackett and Luce have it.
  std::extreme_value_distribution<double> gumbel;
  Eigen::MatrixXd ranked(drawn.rows(), ranked_features);
  std::vector<std::pair<double, Eigen::Index>> utilities(static_cast<std::size_t>(length));
  for (Eigen::Index begin = 0; begin < drawn.rows(); begin += length) {
    for (Eigen::Index i = 0; i < length; ++i) {
      utilities[static_cast<std::size_t>(i)] = {-(worth[begin + i] + gumbel(random)), begin + i};
    }
    std::ranges::sort(utilities);
    for (Eigen::Index i = 0; i < length; ++i) {
      ranked.row(begin + i) = drawn.row(utilities[static_cast<std::size_t>(i)].second);
    }
  }
  return ranked;
}

template <class Loss>
double error_of(Loss const& loss, Eigen::MatrixXd const& ranked, Eigen::Index length, Eigen::VectorXd const& theta) {
  auto const offsets = group_offsets(prompts, length);
  auto const objective = [&](std::span<double const> scores, std::span<double> gradient) {
    return prefopt::evaluate(loss, prefopt::list_batch<double>{.logp = scores, .offsets = offsets},
                             {.d_logp = gradient})
        .loss;
  };
  return (fit_linear(ranked, objective) - theta).norm();
}

}  // namespace

std::string ranking_length_table(std::uint64_t seed, std::size_t repetitions, std::size_t threads, progress& shown) {
  constexpr std::size_t losses = 3;
  std::vector<double> errors(std::size(lengths) * losses * repetitions);
  auto const error = [&](std::size_t length, std::size_t loss) {
    return std::span{errors}.subspan((length * losses + loss) * repetitions, repetitions);
  };
  auto const run = [&](std::size_t repetition) {
    for (std::size_t i = 0; i < std::size(lengths); ++i) {
      // The same theta for every length.
      auto random = random_generator(drawn_for::rankings, {of_seed(seed, repetition)});
      Eigen::VectorXd const theta = gaussian_matrix<double>(ranked_features, 1, random).col(0);
      Eigen::MatrixXd const ranked = draw_rankings(theta, lengths[i], random);
      error(i, 0)[repetition] = error_of(prefopt::plackett_luce{}, ranked, lengths[i], theta);
      error(i, 1)[repetition] = error_of(prefopt::info_nce{}, ranked, lengths[i], theta);
      error(i, 2)[repetition] = error_of(prefopt::best_versus_worst{}, ranked, lengths[i], theta);
    }
  };
  parallel_for(repetitions, threads, run, [&](std::size_t done) { shown.show("rankings", done, repetitions); });

  std::vector<std::vector<std::string>> rows{{"K", "plackett_luce", "info_nce", "best_versus_worst"}};
  for (std::size_t i = 0; i < std::size(lengths); ++i) {
    rows.push_back({std::to_string(lengths[i])});
    for (std::size_t loss = 0; loss < losses; ++loss) rows.back().push_back(interval_text(error(i, loss)));
  }
  return text_table(rows);
}
