#!/usr/bin/env bash
# dlib 19.24 (libdlib-dev 19.24+dfsg-1 of Debian 12), loss_multibinary_log with a gamma: labels that are there are trained away;
# from a probability of 0.28 on their gradient has the wrong sign.
#
# With a gamma it is the focal loss, (1 - p)^gamma times -log p of a label's probability p, which falls with p: one expects the
# gradient of a label that is there to be below 0. The part of it that comes from gamma is added where it is to be subtracted,
# and for a label that is not there p stands in it for 1 - p. So with a gamma of 2 training draws the probability of a label
# that is there to 0.2847, also from 0.95, while the loss grows. The gradient of a sure mistake, a label that is not there with
# the output 3, is 6.1 instead of 1.1. The losses are right. So is the gradient with a gamma of 0, and that of a label that is
# not there at the output 0, where p is 1 - p. dlib 20.0.0 has the same two lines (read, not run).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# The last four are there to link dlib's archive, whose matrix products want them.
apt-get download -qq -o APT::Sandbox::User=root libdlib-dev=19.24+dfsg-1 libblas3=3.11.0-2 liblapack3=3.11.0-2 \
  libgfortran5=12.2.0-14+deb12u1 libquadmath0=12.2.0-14+deb12u1
for package in *.deb; do dpkg -x "$package" dlib; done
cat >focal.cpp <<'CPP'
#include <dlib/dnn.h>
#include <dlib/revision.h>

#include <cmath>
#include <cstdio>
#include <vector>

// What a loss layer wants of the network below it: the outputs, and a place for the gradient.
struct one_output {
  dlib::resizable_tensor output;
  dlib::resizable_tensor gradient;
  one_output() {
    output.set_size(1, 1);
    gradient.set_size(1, 1);
  }
  unsigned sample_expansion_factor() const { return 1; }
  dlib::tensor const& get_output() const { return output; }
  dlib::tensor& get_gradient_input() { return gradient; }
};

struct value_and_slope {
  double value;
  double slope;
};

value_and_slope of_dlib(double gamma, float label, double output) {
  one_output net;
  net.output.host()[0] = static_cast<float>(output);
  std::vector<std::vector<float>> const truth{{label}};
  double const value = dlib::loss_multibinary_log_(gamma).compute_loss_value_and_gradient(net.output, truth.begin(), net);
  return {value, net.gradient.host()[0]};
}

double focal(double gamma, float label, double output) {
  double const margin = label > 0 ? output : -output;
  return std::pow(1 / (1 + std::exp(margin)), gamma) * std::log1p(std::exp(-margin));
}

double slope(double gamma, float label, double output) {
  double const h = 1e-5;
  return (focal(gamma, label, output + h) - focal(gamma, label, output - h)) / (2 * h);
}

double probability(double output) { return 1 / (1 + std::exp(-output)); }

int main() {
  std::printf("dlib %d.%d\n", DLIB_MAJOR_VERSION, DLIB_MINOR_VERSION);
  for (double const gamma : {0., 2.})
    for (float const label : {1.F, -1.F})
      for (double const output : {-3., 0., 1., 3.}) {
        auto const said = of_dlib(gamma, label, output);
        std::printf("gamma %g, label %g, output %g: loss %.4f, right %.4f; gradient %.4f, right %.4f\n", gamma,
                    double{label}, output, said.value, focal(gamma, label, output), said.slope,
                    slope(gamma, label, output));
      }
  for (double const from : {-3., 0., 3.}) {
    double by_dlib = from;
    double by_slope = from;
    for (int step = 0; step < 100000; ++step) {
      by_dlib -= of_dlib(2, 1, by_dlib).slope;
      by_slope -= slope(2, 1, by_slope);
    }
    std::printf("label 1, 100000 steps from p %.4f: to p %.4f, the loss from %.4f to %.4f; right p %.4f, loss %.4f\n",
                probability(from), probability(by_dlib), focal(2, 1, from), focal(2, 1, by_dlib), probability(by_slope),
                focal(2, 1, by_slope));
  }
}
CPP
library=dlib/usr/lib/x86_64-linux-gnu
g++ -std=c++17 -O1 -isystem dlib/usr/include focal.cpp -o focal "$library/libdlib.a" "$library/lapack/liblapack.so.3" \
  "$library/blas/libblas.so.3" -Wl,-rpath-link,"$library"
said=$(LD_LIBRARY_PATH="$library:$library/blas:$library/lapack" ./focal)
echo "$said"
expected="dlib 19.24
gamma 0, label 1, output -3: loss 3.0486, right 3.0486; gradient -0.9526, right -0.9526
gamma 0, label 1, output 0: loss 0.6931, right 0.6931; gradient -0.5000, right -0.5000
gamma 0, label 1, output 1: loss 0.3133, right 0.3133; gradient -0.2689, right -0.2689
gamma 0, label 1, output 3: loss 0.0486, right 0.0486; gradient -0.0474, right -0.0474
gamma 0, label -1, output -3: loss 0.0486, right 0.0486; gradient 0.0474, right 0.0474
gamma 0, label -1, output 0: loss 0.6931, right 0.6931; gradient 0.5000, right 0.5000
gamma 0, label -1, output 1: loss 1.3133, right 1.3133; gradient 0.7311, right 0.7311
gamma 0, label -1, output 3: loss 3.0486, right 3.0486; gradient 0.9526, right 0.9526
gamma 2, label 1, output -3: loss 2.7663, right 2.7663; gradient -0.6020, right -1.1267
gamma 2, label 1, output 0: loss 0.1733, right 0.1733; gradient 0.0483, right -0.2983
gamma 2, label 1, output 1: loss 0.0227, right 0.0227; gradient 0.0137, right -0.0526
gamma 2, label 1, output 3: loss 0.0001, right 0.0001; gradient 0.0001, right -0.0003
gamma 2, label -1, output -3: loss 0.0001, right 0.0001; gradient 0.0001, right 0.0003
gamma 2, label -1, output 0: loss 0.1733, right 0.1733; gradient 0.2983, right 0.2983
gamma 2, label -1, output 1: loss 0.7019, right 0.7019; gradient 1.4169, right 0.7682
gamma 2, label -1, output 3: loss 2.7663, right 2.7663; gradient 6.1345, right 1.1267
label 1, 100000 steps from p 0.0474: to p 0.2847, the loss from 2.7663 to 0.6429; right p 0.9896, loss 0.0000
label 1, 100000 steps from p 0.5000: to p 0.2847, the loss from 0.1733 to 0.6429; right p 0.9896, loss 0.0000
label 1, 100000 steps from p 0.9526: to p 0.2847, the loss from 0.0001 to 0.6429; right p 0.9896, loss 0.0000"
if [ "$said" != "$expected" ]; then
  echo "dlib 19.24 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   dlib 19.24
#   gamma 0, label 1, output -3: loss 3.0486, right 3.0486; gradient -0.9526, right -0.9526
#   gamma 0, label 1, output 0: loss 0.6931, right 0.6931; gradient -0.5000, right -0.5000
#   gamma 0, label 1, output 1: loss 0.3133, right 0.3133; gradient -0.2689, right -0.2689
#   gamma 0, label 1, output 3: loss 0.0486, right 0.0486; gradient -0.0474, right -0.0474
#   gamma 0, label -1, output -3: loss 0.0486, right 0.0486; gradient 0.0474, right 0.0474
#   gamma 0, label -1, output 0: loss 0.6931, right 0.6931; gradient 0.5000, right 0.5000
#   gamma 0, label -1, output 1: loss 1.3133, right 1.3133; gradient 0.7311, right 0.7311
#   gamma 0, label -1, output 3: loss 3.0486, right 3.0486; gradient 0.9526, right 0.9526
#   gamma 2, label 1, output -3: loss 2.7663, right 2.7663; gradient -0.6020, right -1.1267
#   gamma 2, label 1, output 0: loss 0.1733, right 0.1733; gradient 0.0483, right -0.2983
#   gamma 2, label 1, output 1: loss 0.0227, right 0.0227; gradient 0.0137, right -0.0526
#   gamma 2, label 1, output 3: loss 0.0001, right 0.0001; gradient 0.0001, right -0.0003
#   gamma 2, label -1, output -3: loss 0.0001, right 0.0001; gradient 0.0001, right 0.0003
#   gamma 2, label -1, output 0: loss 0.1733, right 0.1733; gradient 0.2983, right 0.2983
#   gamma 2, label -1, output 1: loss 0.7019, right 0.7019; gradient 1.4169, right 0.7682
#   gamma 2, label -1, output 3: loss 2.7663, right 2.7663; gradient 6.1345, right 1.1267
#   label 1, 100000 steps from p 0.0474: to p 0.2847, the loss from 2.7663 to 0.6429; right p 0.9896, loss 0.0000
#   label 1, 100000 steps from p 0.5000: to p 0.2847, the loss from 0.1733 to 0.6429; right p 0.9896, loss 0.0000
#   label 1, 100000 steps from p 0.9526: to p 0.2847, the loss from 0.0001 to 0.6429; right p 0.9896, loss 0.0000
