#include "rl_run.hpp"

#include <algorithm>

#include "gathered.hpp"
#include "seeded.hpp"
#include "warm_up.hpp"

namespace {

sample_group samples_of(exercise const& given, std::size_t place, task const& of, rl_settings const& settings,
                        gru_policy<float> const& policy) {
  auto random = seeded(settings.seed, drawn_for::judgement, place);
  return policy.sample(byte_alphabet::tokens_of(given.prompt), settings.samples, of.longest, random);
}

std::vector<double> rewards_of(task const& of, std::vector<std::size_t> const& places, rl_settings const& settings,
                               gru_policy<float> const& policy, ranks const& all) {
  auto const [begin, end] = share_of(all, places.size());
  std::vector<double> own;
  for (std::size_t i = begin; i < end; ++i) {
    exercise const& given = of.exercises[places[i]];
    double sum = 0;
    for (auto const& completion : samples_of(given, places[i], of, settings, policy).completions) {
      sum += of.reward(byte_alphabet::text_of(completion), given.reference);
    }
    own.push_back(sum / static_cast<double>(settings.samples));
  }
  return gathered(all, places.size(), begin, own);
}

judgement judgement_of(task const& of, prompt_split const& split, rl_settings const& settings,
                       gru_policy<float> const& policy, ranks const& all) {
  return {rewards_of(of, split.training, settings, policy, all), rewards_of(of, split.held_out, settings, policy, all)};
}

}  // namespace

rl_start::rl_start(task const& of, rl_settings const& settings, ranks const& all)
    : split{of.exercises.size(), settings.seed},
      policy{warmed_up_policy(of, split, settings)},
      reward{judgement_of(of, split, settings, policy, all)} {}

double rl_run::mean_reward() const {
  double sum = 0;
  for (auto const& step : curve) sum += step.reward;
  return sum / static_cast<double>(curve.size());
}

double rl_run::last_kl() const {
  std::size_t const steps = std::min<std::size_t>(10, curve.size());
  double sum = 0;
  for (std::size_t i = curve.size() - steps; i < curve.size(); ++i) sum += curve[i].kl;
  return sum / static_cast<double>(steps);
}

std::optional<std::size_t> rl_run::steps_to(double reward) const {
  constexpr std::size_t window = 10;
  for (std::size_t end = window; end <= curve.size(); ++end) {
    double sum = 0;
    for (std::size_t i = end - window; i < end; ++i) sum += curve[i].reward;
    if (sum >= reward * window) return end;
  }
  return {};
}

rl_run run_preset(task const& of, rl_start const& start, preset const& by, rl_settings const& settings,
                  ranks const& all, std::function<void(std::size_t, step_metrics const&)> const& on_step) {
  rl_training training{of, start.split, by, settings, start.policy, all};
  rl_run run;
  run.preset = by.name;
  run.seed = settings.seed;
  run.before = start.reward;
  while (run.curve.size() < settings.steps) {
    run.curve.push_back(training.step());
    on_step(run.curve.size(), run.curve.back());
  }
  run.after = judgement_of(of, start.split, settings, training.policy(), all);
  constexpr std::size_t shown = 5;
  for (std::size_t i = 0; i < std::min(shown, start.split.held_out.size()); ++i) {
    std::size_t const place = start.split.held_out[i];
    exercise const& given = of.exercises[place];
    auto const first = [&](gru_policy<float> const& policy) {
      return byte_alphabet::text_of(samples_of(given, place, of, settings, policy).completions.front());
    };
    run.shown.push_back({given.prompt, given.reference, first(start.policy), first(training.policy())});
  }
  run.weights = training.policy().weights();
  return run;
}
