#include "study_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <string_view>
#include <thread>

#include "command_line.hpp"
#include "corruption.hpp"
#include "input_error.hpp"
#include "method.hpp"
#include "number_option.hpp"
#include "number_text.hpp"

namespace {

constexpr std::string_view known_parts[] = {"bandit", "rankings", "flips", "reliability"};

constexpr char introduction[] =
    "Compares preference losses where the preferences are wrong in part, on problems whose truth is known.\n"
    "Reports what comes out, and which published claims that bears out.";

std::string manual() {
  std::string text = R"(Parts, all of them by default:
  bandit       a network learns to choose among 8 candidates from corrupted rewards; WinMass is the probability that it
               gives to the truly best one in contexts that it has not seen. As confidence alone can raise WinMass, the
               claims are judged by how often the best one is the most probable, too
  rankings     error of the parameters fitted to rankings of 2, 3, 4, 5 and 8 candidates: do longer rankings help?
               plackett_luce is pro without temperatures and sft. Each fit has a ridge, 1e-4 / 2 |theta|^2, on which
               best_versus_worst depends: few of its pairs disagree
  flips        error of the parameters fitted to flipped preferences by dpo, cdpo and rdpo: is it corrected?
  reliability  the reliability of an annotator as lcpo finds it: is it the true one?

Bandit: contexts are Gaussian, of 8 numbers; the true rewards of the candidates are a random network's, of variance 1. The
policy is a network with a hidden layer, first trained for 30 steps on clean data: that is the reference of the anchored
losses. Then every method goes on from there, on the same corrupted data in the same batches, by AdamW.

Corruptions, each at three strengths:
)";
  for (std::size_t i = 0; i < corruptions().size(); ++i) {
    auto const& [kind, strength] = corruptions()[i];
    bool const is_first = i == 0 || corruptions()[i - 1].kind != kind;
    if (is_first)
      text.append("  ").append(name_of(kind)).append(13 - name_of(kind).size(), ' ').append(explanation_of(kind));
    text.append(is_first ? " " : ", ").append(number_text(strength));
    if (i + 1 == corruptions().size() || corruptions()[i + 1].kind != kind) text += '\n';
  }
  return text + "\nMethods:\n" + method_explanations() + R"(
Standard output: tables, with 95 % confidence intervals over the seeds or repetitions. Bandit also writes to DIR: runs.csv
(a row a run), means.csv and a picture of it, results.png. The same seeds give the same numbers on any number of threads.

Examples:
  noise_study
  noise_study bandit --tau 4 --out tau-4
  noise_study rankings flips reliability
  noise_study --quick)";
}

}  // namespace

bool study_command::wants(std::string const& part) const { return std::ranges::count(parts, part) != 0; }

std::optional<study_command> parse_study_command(int argc, char** argv) {
  study_command command;
  bandit_settings& bandit = command.bandit;
  auto const cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  CLI::App app{introduction, "noise_study"};
  app.footer(manual);
  app.add_option("PART", command.parts, "see below")->type_name("");
  auto const by_default = [](auto value) { return "; by default " + number_text(value); };
  number_option seeds{app, "--seeds", "of the bandit, each a problem of its own" + by_default(bandit.seeds)};
  number_option seed{app, "--seed",
                     "the first of them, and of what the other parts draw" + by_default(bandit.first_seed)};
  number_option steps{app, "--steps", "of AdamW, by each method" + by_default(bandit.steps)};
  number_option width{app, "--width", "of the hidden layer" + by_default(bandit.width)};
  number_option rate{app, "--learning-rate", "of AdamW" + by_default(bandit.learning_rate)};
  number_option tau{app, "--tau", "looseness of the anchor, 1 / beta of the pair losses" + by_default(bandit.tau)};
  number_option beta_reward{app, "--beta-reward", "softness of adpo's targets" + by_default(bandit.beta_reward)};
  number_option repetitions{app, "--repetitions", "of rankings and flips" + by_default(command.repetitions)};
  number_option threads{app, "--threads", "by default all cores, " + std::to_string(cores)};
  for (auto* whole : {&seeds, &seed, &steps, &width, &repetitions, &threads}) whole->option().type_name("N");
  for (auto* real : {&rate, &tau, &beta_reward}) real->option().type_name("X");
  auto* const out = app.add_option("--out", command.out, "the folder for the files of the bandit")
                        ->type_name("DIR")
                        ->default_val("noise-study");
  bool quick = false;
  app.add_flag("--quick", quick,
               "few seeds, steps, repetitions and data, but for those given: seconds, and wide intervals");
  if (!parse_command_line(app, argc, argv)) return {};
  refuse_extras(app);

  if (quick) {
    bandit.seeds = 2;
    bandit.steps = 60;
    bandit.contexts = 512;
    command.repetitions = 10;
    command.flipped_pairs = 4000;
    command.told_pairs = 50'000;
  }
  for (std::string const& part : command.parts) {
    if (std::ranges::count(known_parts, part) == 0) {
      throw input_error{"PART: got " + in_quotes(part) + ", expected bandit, rankings, flips or reliability"};
    }
  }
  if (command.parts.empty()) command.parts.assign(std::begin(known_parts), std::end(known_parts));
  for (auto* only :
       {&seeds.option(), &steps.option(), &width.option(), &rate.option(), &tau.option(), &beta_reward.option(), out}) {
    if (only->count() != 0 && !command.wants("bandit")) throw input_error{only->get_name() + ": goes with bandit"};
  }
  if (repetitions.is_given() && !command.wants("rankings") && !command.wants("flips")) {
    throw input_error{"--repetitions: goes with rankings and flips"};
  }
  refuse_empty_folder("--out", command.out);
  constexpr std::size_t most = 1'000'000;
  command.threads = cores;
  seeds.whole<std::uint64_t>(bandit.seeds, 2, 1000);
  seed.whole<std::uint64_t>(bandit.first_seed, 0, most);
  steps.whole<std::size_t>(bandit.steps, 1, most);
  width.whole<std::size_t>(bandit.width, 1, 4096);
  repetitions.whole<std::size_t>(command.repetitions, 2, 1000);
  threads.whole<std::size_t>(command.threads, 1, 1024);
  rate.positive(bandit.learning_rate);
  tau.positive(bandit.tau);
  beta_reward.positive(bandit.beta_reward);
  if (!std::isfinite(1 / bandit.tau)) {
    throw input_error{"--tau: got " + number_text(bandit.tau) + ", expected a number with a finite inverse"};
  }
  return command;
}
