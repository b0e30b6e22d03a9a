#!/usr/bin/env bash
# oneDNN 2.6.3 (libdnnl2 2.6.3-1 of Debian 12): the log-sigmoid of 18 is above 0, and from 15 on it has no right digit.
#
# -log sigmoid(margin) is the loss of a pair, and one expects of eltwise_logsigmoid what log1p and exp give: a number below 0
# that shrinks by e from one margin to the next, -1.5e-8 at 18. It is made of soft_relu, log(1 + exp(x)), which for large -x
# is the sum of a multiple of log 2 near x and a logarithm near -x, in float: what is left of them is a few times 9.5e-7, of
# either sign. Off by 1 % at a margin of 10, it is 0 at 15 and +1.9e-6 at 18 and at 20, which is a loss below 0 and a
# probability above 1; at 50, where nothing is left, it can be -3.8e-6. The small losses of pairs that a model is sure of are
# noise, then, where they are written down, compared or summed up. The gradient is computed by itself, and right.
# eltwise_soft_relu is the same turned around. -exp(-margin) is right to five digits from a margin of 12 on. SSE4.1, AVX,
# AVX2 and AVX-512 agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root libdnnl2=2.6.3-1 libdnnl-dev=2.6.3-1 ocl-icd-libopencl1=2.3.1-1
for package in *.deb; do dpkg -x "$package" onednn; done
cat >log_sigmoid.cpp <<'CPP'
#include <oneapi/dnnl/dnnl.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  dnnl_version_t const* const version = dnnl_version();
  std::printf("oneDNN %d.%d.%d\n", version->major, version->minor, version->patch);
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::vector<float> margin{-20, -1, 1, 10, 15, 16, 18, 20, 50.265625F};
  std::vector<float> value(margin.size());
  std::vector<float> gradient(margin.size());
  std::vector<float> ones(margin.size(), 1);
  dnnl::memory::desc const shape({static_cast<dnnl::memory::dim>(margin.size())}, dnnl::memory::data_type::f32,
                                 dnnl::memory::format_tag::a);
  dnnl::memory const x(shape, engine, margin.data());
  dnnl::memory const y(shape, engine, value.data());
  dnnl::memory const dx(shape, engine, gradient.data());
  dnnl::memory const dy(shape, engine, ones.data());

  dnnl::eltwise_forward::primitive_desc const forward(
      {dnnl::prop_kind::forward_training, dnnl::algorithm::eltwise_logsigmoid, shape, 0.F, 0.F}, engine);
  dnnl::eltwise_backward::primitive_desc const backward({dnnl::algorithm::eltwise_logsigmoid, shape, shape, 0.F, 0.F}, engine,
                                                        forward);
  dnnl::eltwise_forward(forward).execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
  dnnl::eltwise_backward(backward).execute(stream,
                                           {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_SRC, dx}});
  stream.wait();
  for (std::size_t i = 0; i < margin.size(); ++i) {
    double const m = margin[i];
    double const right = m > 0 ? -std::log1p(std::exp(-m)) : m - std::log1p(std::exp(m));
    double const slope = 1 / (1 + std::exp(m));
    std::printf("margin %g: log-sigmoid %.3g, right %.3g; gradient %.4g, right %.4g\n", m, double{value[i]} + 0., right,
                double{gradient[i]}, slope);
  }
}
CPP
include=onednn/usr/include
library=onednn/usr/lib/x86_64-linux-gnu
g++ -std=c++17 -O1 -I"$include" log_sigmoid.cpp -o log_sigmoid -L"$library" -Wl,-rpath-link,"$library" -l:libdnnl.so.2
expected="oneDNN 2.6.3
margin -20: log-sigmoid -20, right -20; gradient 1, right 1
margin -1: log-sigmoid -1.31, right -1.31; gradient 0.7311, right 0.7311
margin 1: log-sigmoid -0.313, right -0.313; gradient 0.2689, right 0.2689
margin 10: log-sigmoid -4.48e-05, right -4.54e-05; gradient 4.54e-05, right 4.54e-05
margin 15: log-sigmoid 0, right -3.06e-07; gradient 3.059e-07, right 3.059e-07
margin 16: log-sigmoid -9.54e-07, right -1.13e-07; gradient 1.125e-07, right 1.125e-07
margin 18: log-sigmoid 1.91e-06, right -1.52e-08; gradient 1.523e-08, right 1.523e-08
margin 20: log-sigmoid 1.91e-06, right -2.06e-09; gradient 2.061e-09, right 2.061e-09
margin 50.2656: log-sigmoid -3.81e-06, right -1.48e-22; gradient 1.479e-22, right 1.479e-22"
# The highest instruction set that it may use: with one that the processor lacks it takes the next lower one.
for highest in SSE41 AVX AVX2 AVX512_CORE ALL; do
  said=$(ONEDNN_MAX_CPU_ISA=$highest LD_LIBRARY_PATH=$library ./log_sigmoid)
  if [ "$said" != "$expected" ]; then
    echo "$said"
    echo "oneDNN 2.6.3 does something else with $highest than is said here" >&2
    exit 1
  fi
done
echo "$said"
# Seen:
#   oneDNN 2.6.3
#   margin -20: log-sigmoid -20, right -20; gradient 1, right 1
#   margin -1: log-sigmoid -1.31, right -1.31; gradient 0.7311, right 0.7311
#   margin 1: log-sigmoid -0.313, right -0.313; gradient 0.2689, right 0.2689
#   margin 10: log-sigmoid -4.48e-05, right -4.54e-05; gradient 4.54e-05, right 4.54e-05
#   margin 15: log-sigmoid 0, right -3.06e-07; gradient 3.059e-07, right 3.059e-07
#   margin 16: log-sigmoid -9.54e-07, right -1.13e-07; gradient 1.125e-07, right 1.125e-07
#   margin 18: log-sigmoid 1.91e-06, right -1.52e-08; gradient 1.523e-08, right 1.523e-08
#   margin 20: log-sigmoid 1.91e-06, right -2.06e-09; gradient 2.061e-09, right 2.061e-09
#   margin 50.2656: log-sigmoid -3.81e-06, right -1.48e-22; gradient 1.479e-22, right 1.479e-22
