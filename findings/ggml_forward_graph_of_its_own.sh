#!/usr/bin/env bash
# ggml 0.20.2, CPU: a forward pass computed by a graph of its own leaves rms_norm's result unwritten; gradients are wrong.
#
# A training step that needs the forward results before its backward pass (a loss outside of ggml, say) computes two graphs
# over the same tensors: the forward nodes, and then the rest of the training graph. One expects each forward tensor to hold
# its result after the first. Since 0.11.1 the CPU backend fuses RMS_NORM with the MUL next to it wherever the norm is used
# once, and does not write the norm then. Uses are counted in the graph that is computed: one built by
# ggml_build_forward_expand has no backward nodes, so the norm counts as used once, although the backward pass reads it for
# the gradient of the other factor, a gate here. That gradient is made of what was in the memory before, without a message.
# With the nodes put into graphs by ggml_graph_add_node, which counts no uses, nothing is fused, and it is right; so it is
# with the whole training graph in one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps libggml-python==0.20.2.post1
ggml=$(echo "$folder"/venv/lib/python3*/site-packages/libggml)
cat >"$folder/step.cpp" <<'CPP'
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <cmath>
#include <cstdio>

// The gradient of sum(2 w * rms_norm(x)) by w, after a forward pass in a graph made in one way or the other.
bool is_right(bool by_forward_expand) {
  auto* const backend = ggml_backend_cpu_init();
  auto* const context = ggml_init({1 << 20, nullptr, true});
  auto* const x = ggml_new_tensor_1d(context, GGML_TYPE_F32, 4);
  auto* const w = ggml_new_tensor_1d(context, GGML_TYPE_F32, 4);
  ggml_set_param(w);
  auto* const y = ggml_mul(context, ggml_scale(context, w, 2), ggml_rms_norm(context, x, 1e-5f));
  auto* const loss = ggml_sum(context, y);
  ggml_set_loss(loss);
  auto* const training = ggml_new_graph_custom(context, 64, true);
  ggml_build_forward_expand(training, loss);
  int const forward_nodes = ggml_graph_n_nodes(training);
  ggml_build_backward_expand(context, training, nullptr);
  auto* const forward = ggml_new_graph_custom(context, 64, false);
  auto* const backward = ggml_new_graph_custom(context, 64, false);
  if (by_forward_expand) ggml_build_forward_expand(forward, loss);
  for (int i = by_forward_expand ? forward_nodes : 0; i < ggml_graph_n_nodes(training); ++i) {
    ggml_graph_add_node(i < forward_nodes ? forward : backward, ggml_graph_node(training, i));
  }
  auto* const buffer = ggml_backend_alloc_ctx_tensors(context, backend);
  ggml_backend_buffer_clear(buffer, 0);
  float const values[]{1, -2, 3, 0.5f};
  ggml_backend_tensor_set(x, values, 0, sizeof values);
  ggml_backend_tensor_set(w, values, 0, sizeof values);
  ggml_graph_reset(training);
  ggml_backend_graph_compute(backend, forward);
  ggml_backend_graph_compute(backend, backward);
  float d[4], sum = 0;
  ggml_backend_tensor_get(ggml_graph_get_grad(training, w), d, 0, sizeof d);
  for (float const value : values) sum += value * value;
  bool right = true;
  std::printf("%s:", by_forward_expand ? "ggml_build_forward_expand" : "ggml_graph_add_node");
  for (int i = 0; i < 4; ++i) {
    float const expected = 2 * values[i] / std::sqrt(sum / 4 + 1e-5f);
    right = right && std::abs(d[i] - expected) < 1e-5f;
    std::printf(" %.4f (%.4f)", d[i], expected);
  }
  std::puts("");
  return right;
}

int main() {
  std::printf("ggml %s: gradient by w (expected)\n", ggml_version());
  bool const added = is_right(false), expanded = is_right(true);
  return added && !expanded ? 0 : 1;
}
CPP
g++ -std=c++20 -isystem "$ggml/include" "$folder/step.cpp" -o "$folder/step" -L"$ggml/lib64" -lggml -lggml-base -lggml-cpu \
  -Wl,-rpath,"$ggml/lib64" -Wl,--allow-shlib-undefined
if ! "$folder/step"; then
  echo "ggml 0.20.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   ggml 0.20.2: gradient by w (expected)
#   ggml_graph_add_node: 1.0596 (1.0596) -2.1192 (-2.1192) 3.1789 (3.1789) 0.5298 (0.5298)
#   ggml_build_forward_expand: 0.0000 (1.0596) 0.0000 (-2.1192) 0.0000 (3.1789) 0.0000 (0.5298)
