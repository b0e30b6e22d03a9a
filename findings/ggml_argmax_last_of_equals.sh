#!/usr/bin/env bash
# ggml 0.20.2, CPU: argmax is the last of the largest numbers, and a NaN makes it forget all that stands before it.
#
# One expects the first of equals, as of numpy and ggml's own argsort here, and of a NaN either its place or no effect. The
# largest so far is max > x ? max : x, and the place moves on whenever x is equal to that: to the last of equals. Nothing is
# greater than a NaN by this question, so it is the largest itself until the next number takes its place: of 9, NaN, 1 and 2
# the largest is the 2. ggml_opt compares this argmax of outputs and labels for its accuracy: a model whose last layer is of
# zeros predicts the last class, and its accuracy before training is the share of that one. Where logits are equal, as rounded
# ones often are, a greedy choice by argmax is another word than the first one of a sorted list.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps libggml-python==0.20.2.post1
ggml=$(echo "$folder"/venv/lib/python3*/site-packages/libggml)
cat >"$folder/argmax.cpp" <<'CPP'
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

using Row = std::vector<float>;

// The tensor's first number after the graph that leads to it, of rows that make the input.
template <class T, class Build>
T first(std::vector<Row> const& rows, Build const& build) {
  auto* const backend = ggml_backend_cpu_init();
  auto* const context = ggml_init({1 << 20, nullptr, true});
  std::vector<ggml_tensor*> inputs;
  for (Row const& row : rows) inputs.push_back(ggml_new_tensor_1d(context, GGML_TYPE_F32, std::int64_t(row.size())));
  auto* const result = build(context, inputs);
  auto* const graph = ggml_new_graph(context);
  ggml_build_forward_expand(graph, result);
  auto* const buffer = ggml_backend_alloc_ctx_tensors(context, backend);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ggml_backend_tensor_set(inputs[i], rows[i].data(), 0, ggml_nbytes(inputs[i]));
  }
  ggml_backend_graph_compute(backend, graph);
  T value;
  ggml_backend_tensor_get(result, &value, 0, sizeof value);
  ggml_backend_buffer_free(buffer);
  ggml_free(context);
  ggml_backend_free(backend);
  return value;
}

bool as_said = true;

int check(int said, int expected) {
  as_said = as_said && said == expected;
  return said;
}

void show(Row const& row) {
  for (float const x : row) std::isnan(x) ? std::printf("NaN ") : std::printf("%g ", double{x});
}

int argmax(Row const& row) {
  return first<std::int32_t>({row}, [](auto* context, auto const& x) { return ggml_argmax(context, x[0]); });
}

int first_of_argsort(Row const& row) {
  return first<std::int32_t>(
      {row}, [](auto* context, auto const& x) { return ggml_argsort(context, x[0], GGML_SORT_ORDER_DESC); });
}

void equals(Row const& row, int last, int first_of_all) {
  show(row);
  std::printf("argmax %d, ", check(argmax(row), last));
  std::printf("argsort's first %d\n", check(first_of_argsort(row), first_of_all));
}

void with_nan(Row const& row, int place) {
  show(row);
  std::printf("argmax %d\n", check(argmax(row), place));
}

int main() {
  std::printf("ggml %s\n", ggml_version());
  equals({1, 2, 4, 3}, 2, 2);
  equals({1, 4, 2, 4, 3}, 3, 1);
  equals({0, 0, 0, 0}, 3, 0);
  with_nan({9, NAN, 1, 2}, 3);
  with_nan({9, 8, NAN, 1, 0}, 3);
  with_nan({NAN, 1, 9}, 2);
  for (int label = 0; label < 3; ++label) {
    Row labels(3);
    labels[label] = 1;
    auto const correct = [](auto* context, auto const& x) {
      return ggml_count_equal(context, ggml_argmax(context, x[0]), ggml_argmax(context, x[1]));
    };
    int const count = static_cast<int>(first<std::int64_t>({Row(3), labels}, correct));
    std::printf("outputs 0 0 0 and the class %d: %d right of 1\n", label, check(count, label == 2));
  }
  return as_said ? 0 : 1;
}
CPP
g++ -std=c++20 -isystem "$ggml/include" "$folder/argmax.cpp" -o "$folder/argmax" -L"$ggml/lib64" -lggml -lggml-base \
  -lggml-cpu -Wl,-rpath,"$ggml/lib64" -Wl,--allow-shlib-undefined
if ! "$folder/argmax"; then
  echo "ggml 0.20.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   ggml 0.20.2
#   1 2 4 3 argmax 2, argsort's first 2
#   1 4 2 4 3 argmax 3, argsort's first 1
#   0 0 0 0 argmax 3, argsort's first 0
#   9 NaN 1 2 argmax 3
#   9 8 NaN 1 0 argmax 3
#   NaN 1 9 argmax 2
#   outputs 0 0 0 and the class 0: 0 right of 1
#   outputs 0 0 0 and the class 1: 0 right of 1
#   outputs 0 0 0 and the class 2: 1 right of 1
