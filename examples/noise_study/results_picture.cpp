#include "results_picture.hpp"

#include <string>

#include "gnuplot_picture.hpp"
#include "method.hpp"

std::string draw_results(std::string const& directory) {
  std::string names = "reference";
  for (auto const name : method_names()) names.append(1, ' ').append(name);
  std::string const commands = R"(set datafile separator ","
methods = ")" + names + R"("
set grid y
set bars small
set xrange [-0.5:2.5]
set yrange [0:*]
set ylabel "WinMass, mean and 95 % interval"
set xtics ("weak" 0, "medium" 1, "strong" 2)
# A method's rows under one kind of corruption, the three strengths side by side and the methods a little apart. All
# other rows are no numbers and are not drawn.
place(name, i) = (strcol(1) eq kind && strcol(3) eq name) ? int($0) % 3 + 0.045 * (i - words(methods) / 2.0) : NaN
dash(name) = strstrt(name, "unanchored") ? 2 : 1
set multiplot layout 2, 2 margins 0.06, 0.80, 0.05, 0.95 spacing 0.07, 0.10
set key off
do for [kind in "heavy_tail outliers shift flips"] {
  set title kind noenhanced
  if (kind eq "flips") { set key on at screen 0.99, screen 0.9 right top noenhanced }
  plot for [i = 1:words(methods)] "means.csv" skip 1 using (place(word(methods, i), i)):4:5 \
    with yerrorlines title word(methods, i) linetype i pointtype i dashtype dash(word(methods, i))
}
unset multiplot
)";
  return draw({.name = "results",
               .about = "Draws the mean WinMass of every method",
               .width = 1600,
               .height = 1100,
               .commands = commands,
               .data = "means.csv"},
              directory);
}
