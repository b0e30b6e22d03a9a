#include "curves.hpp"

#include "gnuplot_picture.hpp"

std::string draw_curves(std::string const& directory) {
  return draw({.name = "curves",
               .about = "Draws the run's loss and accuracy",
               .width = 1200,
               .height = 500,
               .commands = R"(set datafile separator ","
set datafile missing ""
stats "metrics.csv" using 2 skip 1 nooutput
if (STATS_max <= 20) set xtics 1  # epochs are whole
set key autotitle columnhead
set grid
set xlabel "epoch"
set style data linespoints
# The epochs of sft have another loss and no accuracy.
of_preference(x) = strcol(1) eq "preference" ? x : NaN
set multiplot layout 1, 2
set title "loss"
set key top right opaque
plot "metrics.csv" using (of_preference($2)):3 title "training" pointtype 7, \
     "" using (of_preference($2)):6 title "held out" pointtype 7
set title "accuracy"
set key bottom right opaque
set yrange [*<0.45:1]
plot "metrics.csv" using (of_preference($2)):4 title "training" pointtype 7, \
     "" using (of_preference($2)):7 title "held out" pointtype 7, 0.5 title "chance" with lines dashtype 2
unset multiplot
)",
               .data = "metrics.csv"},
              directory);
}
