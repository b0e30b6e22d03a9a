#include "curves.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

#include "replace_file.hpp"

namespace {

constexpr std::string_view script = R"(# Draws the run's loss and accuracy: gnuplot curves.gnuplot
if (strstrt(GPVAL_TERMINALS, "pngcairo")) {
  set terminal pngcairo size 1200, 500
  set output "curves.png"
} else {
  if (strstrt(GPVAL_TERMINALS, "png")) {
    set terminal png size 1200, 500
    set output "curves.png"
  } else {
    set terminal svg size 1200, 500
    set output "curves.svg"
  }
}
set datafile separator ","
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
)";

constexpr int not_installed = 127;

/// The exit status of gnuplot, run quietly in that directory.
int run_gnuplot(std::string const& directory) {
  pid_t const child = fork();
  if (child == 0) {
    int const null = open("/dev/null", O_RDWR);
    for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, stream);
    if (chdir(directory.c_str()) == 0) execlp("gnuplot", "gnuplot", "curves.gnuplot", static_cast<char*>(nullptr));
    _exit(not_installed);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

}  // namespace

std::string draw_curves(std::string const& directory) {
  std::filesystem::path const folder{directory};
  replace_file((folder / "curves.gnuplot").string(), script);
  int const status = run_gnuplot(directory);
  if (status == not_installed)
    return "no picture of the curves: gnuplot is not installed (metrics.csv has the numbers)";
  if (status != 0) return "no picture of the curves: gnuplot failed on " + (folder / "curves.gnuplot").string();
  for (auto const* name : {"curves.png", "curves.svg"}) {
    if (std::filesystem::exists(folder / name)) return "curves: " + (folder / name).string();
  }
  return "no picture of the curves: gnuplot wrote none";
}
