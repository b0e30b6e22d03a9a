#include "rl_results.hpp"

#include "gnuplot_picture.hpp"
#include "mean.hpp"
#include "number_text.hpp"

namespace {

std::string begin_of(rl_run const& run) { return run.preset + "," + std::to_string(run.seed); }

}  // namespace

std::string curves_csv(std::vector<rl_run> const& runs) {
  std::string text =
      "preset,seed,step,reward,kl,clip_share,clipped_low,clipped_high,old_kl,loss,entropy,length,gradient_norm\n";
  for (auto const& run : runs) {
    for (std::size_t i = 0; i < run.curve.size(); ++i) {
      step_metrics const& of = run.curve[i];
      text.append(begin_of(run)).append(1, ',').append(std::to_string(i + 1));
      for (double const value : {of.reward, of.kl, of.clip_share(), of.clipped_low, of.clipped_high, of.old_kl, of.loss,
                                 of.entropy, of.length, of.gradient_norm}) {
        text.append(1, ',').append(number_text(value));
      }
      text += '\n';
    }
  }
  return text;
}

std::string runs_csv(std::vector<rl_run> const& runs, double target) {
  std::string text =
      "preset,seed,training_before,training_after,held_out_before,held_out_after,mean_reward,steps_to_target\n";
  for (auto const& run : runs) {
    text += begin_of(run);
    for (auto const* prompts : {&run.before.training, &run.after.training, &run.before.held_out, &run.after.held_out}) {
      text.append(1, ',').append(number_text(mean(*prompts)));
    }
    auto const steps = run.steps_to(target);
    text.append(1, ',').append(number_text(run.mean_reward())).append(1, ',');
    text.append(steps ? std::to_string(*steps) : "").append(1, '\n');
  }
  return text;
}

std::string draw_curves(std::vector<rl_run> const& runs, std::string const& directory) {
  std::string names;
  for (auto const& run : runs) {
    if ((" " + names + " ").find(" " + run.preset + " ") != std::string::npos) continue;
    names.append(names.empty() ? "" : " ").append(run.preset);
  }
  std::string const commands = "set datafile separator \",\"\nset datafile missing \"\"\npresets = \"" + names + R"("
set grid
set xlabel "step"
set yrange [0:*]
set key off
# Of several seeds the mean.
of(name, i) = strcol(1) eq name ? column(i) : NaN
set multiplot layout 1, 3
set title "reward of the samples"
set key on bottom right opaque noenhanced
plot for [name in presets] "curves.csv" skip 1 using 3:(of(name, 4)) smooth unique with lines title name
set key off
set title "KL from the start"
plot for [name in presets] "curves.csv" skip 1 using 3:(of(name, 5)) smooth unique with lines title name
set title "share of clipped tokens"
plot for [name in presets] "curves.csv" skip 1 using 3:(of(name, 6)) smooth unique with lines title name
unset multiplot
)";
  return draw({.name = "curves",
               .about = "Draws reward, KL and clip share",
               .width = 1500,
               .height = 500,
               .commands = commands,
               .data = "curves.csv"},
              directory);
}
