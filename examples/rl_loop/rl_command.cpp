#include "rl_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <thread>

#include "command_line.hpp"
#include "input_error.hpp"
#include "number_option.hpp"
#include "number_text.hpp"
#include "preset.hpp"

namespace {

constexpr char introduction[] =
    "Trains a small language model over bytes by reinforcement: it samples completions, a reward that can be verified\n"
    "scores them, and a policy-gradient loss of the library's presets updates it.";

constexpr char manual[] = R"(Tasks:
  arithmetic   12+7= is to be followed by 19: reward 1 for the right number and nothing else, 0 otherwise
  bleu         fox ball: is to be followed by the fox hides the red ball: the reward is the completion's sentence BLEU
               against that reference, as in BLEUBERI
Of a task's prompts 40 % are for the warm-up, 40 % are trained on, 20 % are held out, by the seed.

The policy is a gated recurrent unit over printable ASCII. A warm-up brings it off the ground before there is any reward:
it imitates a teacher who is right in 40 % (bleu: 30 %) of the answers, on prompts that the loop never sees. Where the
loop begins is the reference of the KL. A step of the loop:
  1  --samples completions of each of --groups prompts, each drawn token by token, and their rewards
  2  advantages, as the preset has them; --kl-in-reward takes log pi - log pi_ref from the reward before
  3  --epochs passes over the samples, each in --minibatches updates of AdamW: from the second update on the policy is
     not the one that has sampled, and ratios are not 1
ppo has a critic, one more output of the policy: its advantages are generalized advantage estimates (lambda 0.95). Every
gradient is shortened to a length of 1. The KL that is shown is the mean of log pi - log pi_ref of the sampled tokens.

Presets, with their parameters and defaults:
)";

constexpr char results[] = R"(
dr_grpo's horizon is here the most tokens that a completion of the task may have, unless --parameter says otherwise.

Results in DIR: curves.csv (a row a step), runs.csv (a row a run), curves.png (reward, KL, clip share); of a single run its
weights, as floats. The same options give the same numbers on any number of threads. Over ranks of MPI (prefopt_rl_loop_mpi)
rewards and weights are the same to the bit, too; loss, KL and shares are sums over ranks, the same but for their rounding.

--presets compares: every preset with every seed, those of one seed from the same start and with the same prompts. Steps
are counted until the mean reward of 10 steps reaches --target. Who learns faster is judged by the mean reward of all
steps, by differences of runs with the same seed.

Examples:
  prefopt_rl_loop
  prefopt_rl_loop --task bleu --preset dapo --parameter high=0.3
  prefopt_rl_loop --preset rloo --kl-in-reward 0.05 --epochs 1 --minibatches 1
  prefopt_rl_loop --presets all --seeds 5 --out comparison
  prefopt_rl_loop --task bleu --presets grpo,gspo,cispo --steps 50
  mpirun -n 2 prefopt_rl_loop_mpi --task bleu)";

std::string presets_text() {
  std::size_t longest = 0;
  auto const cards = preset_cards();
  for (auto const& of : cards) longest = std::max(longest, of.card.name.size());
  std::string text;
  for (auto const& of : cards) {
    text.append("  ").append(of.card.name).append(longest - of.card.name.size() + 2, ' ').append(of.card.formula);
    for (auto const& parameter : of.parameters) {
      text.append("; ").append(parameter.name).append(" ").append(number_text(parameter.standard));
    }
    text += '\n';
  }
  return text;
}

std::vector<std::string> names_in(std::string const& list) {
  std::vector<std::string> names;
  if (list == "all") {
    for (auto const& of : preset_cards()) names.emplace_back(of.card.name);
    return names;
  }
  for (std::size_t begin = 0; begin <= list.size();) {
    std::size_t const end = std::min(list.find(',', begin), list.size());
    std::string const name = list.substr(begin, end - begin);
    if (std::ranges::find(names, name) != names.end()) throw input_error{"--presets: " + in_quotes(name) + " twice"};
    names.push_back(name);
    begin = end + 1;
  }
  return names;
}

prefopt::parameter_values parameters_in(std::vector<std::string> const& texts) {
  prefopt::parameter_values values;
  for (auto const& text : texts) {
    std::size_t const equals = text.find('=');
    if (equals == text.npos || equals == 0) {
      throw input_error{"--parameter: got " + in_quotes(text) + ", expected NAME=VALUE"};
    }
    auto const [value, problem] = parse_number<double>(text.substr(equals + 1));
    if (!problem.empty()) throw input_error{"--parameter: " + in_quotes(text.substr(0, equals)) + ": got " + problem};
    values.emplace_back(text.substr(0, equals), value);
  }
  return values;
}

prefopt::kl_estimator estimator_of(std::string const& name) {
  std::string known;
  for (auto const of :
       {prefopt::kl_estimator::k1, prefopt::kl_estimator::k2, prefopt::kl_estimator::k3, prefopt::kl_estimator::abs,
        prefopt::kl_estimator::k1_straight, prefopt::kl_estimator::k3_straight, prefopt::kl_estimator::k1_corrected,
        prefopt::kl_estimator::k3_corrected}) {
    if (prefopt::name_of(of) == name) return of;
    known.append(known.empty() ? "" : ", ").append(prefopt::name_of(of));
  }
  throw input_error{"--kl-estimator: got " + in_quotes(name) + ", expected one of " + known};
}

}  // namespace

std::optional<rl_command> parse_rl_command(int argc, char** argv) {
  rl_command command{};
  rl_settings& settings = command.settings;
  task const arithmetic = arithmetic_task(), bleu = bleu_task();
  auto const cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  CLI::App app{introduction, "prefopt_rl_loop"};
  app.footer([] { return manual + presets_text() + results; });
  auto const by_default = [](auto value) { return "; by default " + number_text(value); };
  auto const by_task = [&](auto task::*member) {
    return by_default(arithmetic.*member) + ", for bleu " + number_text(bleu.*member);
  };
  std::string of_task, preset_name, list, estimator;
  std::vector<std::string> parameters;
  app.add_option("--task", of_task, "what is to be learnt, see below")
      ->type_name("arithmetic|bleu")
      ->default_val("arithmetic");
  auto* const one =
      app.add_option("--preset", preset_name, "the loss, see below")->type_name("NAME")->default_val("grpo");
  auto* const many =
      app.add_option("--presets", list, "compares these, with commas, or all")->type_name("LIST|all")->excludes(one);
  app.add_option("--parameter", parameters, "of the preset; may be given again for another")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  number_option steps{app, "--steps", "of sampling and updating" + by_task(&task::steps)};
  number_option groups{app, "--groups", "prompts a step" + by_default(settings.groups)};
  number_option samples{app, "--samples", "completions a prompt" + by_default(settings.samples)};
  number_option epochs{app, "--epochs", "passes over the samples of a step" + by_default(settings.epochs)};
  number_option minibatches{app, "--minibatches", "updates in a pass" + by_default(settings.minibatches)};
  number_option rate{app, "--learning-rate", "of AdamW" + by_default(settings.learning_rate)};
  number_option kl{app, "--kl", "coefficient of the KL in the loss; by default the preset's"};
  auto* const how = app.add_option("--kl-estimator", estimator, "of that KL; by default the preset's, or k3")
                        ->type_name("k1|k2|k3|...");
  number_option kl_in_reward{app, "--kl-in-reward", "coefficient of the KL in the reward; by default 0"};
  number_option width{app, "--width", "of the policy's state" + by_default(settings.width)};
  number_option warm_up{app, "--warm-up", "steps of imitation" + by_task(&task::warm_up_steps)};
  number_option target{app, "--target", "the reward to which steps are counted" + by_task(&task::target)};
  number_option seed{app, "--seed", "of everything that is drawn; of a comparison the first one; by default 1"};
  number_option seeds{app, "--seeds", "of a comparison" + by_default(command.seeds)};
  number_option threads{app, "--threads", "of a comparison, by default all cores, " + std::to_string(cores)};
  for (auto* whole : {&steps, &groups, &samples, &epochs, &minibatches, &width, &warm_up, &seed, &seeds, &threads}) {
    whole->option().type_name("N");
  }
  for (auto* real : {&rate, &kl, &kl_in_reward, &target}) real->option().type_name("X");
  app.add_option("--out", command.out, "the folder for the results")->type_name("DIR")->default_val("rl-loop");
  if (!parse_command_line(app, argc, argv)) return {};
  refuse_extras(app);
  refuse_empty_folder("--out", command.out);

  command.of = task_of(of_task);
  command.compares = many->count() != 0;
  command.presets = command.compares ? names_in(list) : std::vector{preset_name};
  command.parameters = parameters_in(parameters);
  if (command.compares && !parameters.empty()) {
    throw input_error{"--parameter: goes with --preset, got --presets, whose parameters are their own"};
  }
  for (auto* only : {&seeds, &threads}) {
    if (only->is_given() && !command.compares) {
      throw input_error{only->option().get_name() + ": goes with --presets, which compares"};
    }
  }
  settings.steps = command.of.steps;
  settings.warm_up = command.of.warm_up_steps;
  command.target = command.of.target;
  command.threads = cores;
  constexpr std::size_t most = 1'000'000;
  steps.whole<std::size_t>(settings.steps, 1, most);
  groups.whole<std::size_t>(settings.groups, 1, 4096);
  samples.whole<std::size_t>(settings.samples, 2, 4096);
  epochs.whole<std::size_t>(settings.epochs, 1, 1000);
  minibatches.whole<std::size_t>(settings.minibatches, 1, 4096);
  width.whole<std::size_t>(settings.width, 1, 1024);
  warm_up.whole<std::size_t>(settings.warm_up, 0, most);
  seed.whole<std::uint64_t>(settings.seed, 0, most);
  seeds.whole<std::size_t>(command.seeds, 2, 1000);
  threads.whole<std::size_t>(command.threads, 1, 1024);
  rate.positive(settings.learning_rate);
  target.positive(command.target);
  kl_in_reward.non_negative(settings.kl_in_reward);
  if (kl.is_given()) kl.non_negative(settings.kl.emplace());
  if (how->count() != 0) settings.kl_estimator = estimator_of(estimator);
  if (settings.minibatches > settings.groups) {
    throw input_error{"--minibatches: got " + std::to_string(settings.minibatches) + ", expected at most --groups, " +
                      std::to_string(settings.groups) + ": a group is not divided"};
  }
  bool has_kl = false;
  for (auto const& name : command.presets) {
    has_kl |= preset_of(name, command.parameters, settings, command.of.longest).loss.kl.coefficient != 0;
  }
  if (settings.kl_estimator && !has_kl) {
    std::string const own = command.compares ? "none of the presets has one" : command.presets.front() + " has none";
    throw input_error{"--kl-estimator: goes with " +
                      (settings.kl ? "a KL, got --kl 0" : "--kl, " + own + " of its own")};
  }
  return command;
}
