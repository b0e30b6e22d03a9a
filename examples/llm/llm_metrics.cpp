#include "llm_metrics.hpp"

#include "gnuplot_picture.hpp"
#include "number_text.hpp"

std::string step_metrics_csv(std::vector<step_metrics> const& rows, bool has_accuracy) {
  std::string text =
      "step,epoch,training_loss,training_accuracy,training_margin,held_out_loss,held_out_accuracy,held_out_margin,"
      "gradient_norm,learning_rate\n";
  auto const add = [&](bool is_known, double value) {
    text += ',';
    if (is_known) text += number_text(value);
  };
  for (auto const& row : rows) {
    bool const is_step = row.step != 0;
    text.append(std::to_string(row.step)).append(",").append(std::to_string(row.epoch));
    for (auto const& [is_known, part] : {std::pair{is_step, row.training}, {row.has_held_out != 0, row.held_out}}) {
      add(is_known, part.loss);
      for (double const value : {part.accuracy, part.margin}) add(is_known && has_accuracy, value);
    }
    add(is_step, row.gradient_norm);
    add(is_step, row.learning_rate);
    text += '\n';
  }
  return text;
}

std::string draw_step_curves(std::string const& directory) {
  return draw({.name = "curves",
               .about = "Draws the run's loss and accuracy",
               .width = 1200,
               .height = 500,
               .commands = R"(set datafile separator ","
set datafile missing ""
set key autotitle columnhead
set grid
set xlabel "step"
set multiplot layout 1, 2
set title "loss"
set key top right opaque
plot "metrics.csv" using 1:3 title "training" with lines, \
     "" using 1:6 title "held out" with linespoints pointtype 7
set title "accuracy"
set key bottom right opaque
set yrange [0:1]
plot "metrics.csv" using 1:4 title "training" with lines, \
     "" using 1:7 title "held out" with linespoints pointtype 7, 0.5 title "chance" with lines dashtype 2
unset multiplot
)",
               .data = "metrics.csv"},
              directory);
}
