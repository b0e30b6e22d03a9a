#include "bandit_study.hpp"

#include <cmath>
#include <string_view>

#include "bandit.hpp"
#include "corruption.hpp"
#include "method.hpp"
#include "method_training.hpp"
#include "parallel_for.hpp"
#include "watched_policy.hpp"

std::vector<double> bandit_results::values(std::size_t corruption, std::size_t name, double bandit_score::*what) const {
  std::vector<double> all;
  for (std::size_t seed = 0; seed < seeds.size(); ++seed) all.push_back(score(corruption, seed, name).*what);
  return all;
}

bandit_results run_bandit_study(bandit_settings const& settings, std::size_t threads, progress& shown) {
  bandit_results results;
  results.names = method_names();
  results.names.insert(results.names.begin(), "reference");
  for (std::uint64_t i = 0; i < settings.seeds; ++i) results.seeds.push_back(settings.first_seed + i);
  std::size_t const problems = corruptions().size() * results.seeds.size();
  results.scores.resize(problems * results.names.size());
  results.turned_pairs.resize(problems);

  auto const run = [&](std::size_t place) {
    std::uint64_t const seed = results.seeds[place % results.seeds.size()];
    corruption const& how = corruptions()[place / results.seeds.size()];
    bandit_problem const problem = make_bandit_problem(seed, how, settings);
    results.turned_pairs[place] = problem.turned_pairs;
    bandit_score* score = &results.scores[place * results.names.size()];
    auto const add = [&](std::string_view name, mlp_policy const& policy, std::size_t steps) {
      *score = score_of(policy, problem.held_out);
      if (std::isnan(score->win_mass)) refuse_log_prob(name, steps, score->win_mass);
      ++score;
    };
    add(results.names.front(), problem.reference, pretraining_steps);
    for (method const& by : make_methods(settings, problem.turned_pairs)) {
      add(by.name, train_by(by, problem, settings, seed), settings.steps);
    }
  };
  parallel_for(problems, threads, run, [&](std::size_t done) { shown.show("bandit", done, problems); });
  return results;
}
