#!/usr/bin/env bash
# ggml 0.20.2, ggml_opt with an opt_period: a batch that is only evaluated counts as one of the batches of a step.
#
# With an opt_period of 2 a step is by the mean of the gradients of two batches; the header calls it the number of gradient
# accumulation steps. One expects a pass without gradients, for a validation loss, to change nothing of that. It moves the
# counter on as a training batch does. After one evaluation the first training batch makes a step alone, and by half its
# gradient, as each is divided by 2; one evaluation between the two batches of a step makes it a step of three batches, by one
# and a half times their mean. From then on every step is made of other batches than one thinks. ggml_opt_epoch does it, too,
# where the number of batches behind idata_split is no multiple of opt_period. A multiple, as in ggml_opt_fit, is harmless.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps libggml-python==0.20.2.post1
ggml=$(echo "$folder"/venv/lib/python3*/site-packages/libggml)
cat >"$folder/period.cpp" <<'CPP'
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml-opt.h>

#include <cmath>
#include <cstdio>
#include <string>

// w after batches whose loss is w x, so that their gradient is x, by steps of SGD of the rate 1: a digit is trained on, and
// an e is evaluated.
bool run(std::string const& batches, float as_said, float right) {
  auto* backend = ggml_backend_cpu_init();
  auto* const scheduler = ggml_backend_sched_new(&backend, nullptr, 1, GGML_DEFAULT_GRAPH_SIZE, false, true);
  auto* const context = ggml_init({1 << 16, nullptr, true});
  auto* const w = ggml_new_tensor_1d(context, GGML_TYPE_F32, 1);
  auto* const x = ggml_new_tensor_1d(context, GGML_TYPE_F32, 1);
  ggml_set_param(w);
  auto* const buffer = ggml_backend_alloc_ctx_tensors(context, backend);
  ggml_backend_buffer_clear(buffer, 0);
  auto* const compute = ggml_init({GGML_DEFAULT_GRAPH_SIZE * ggml_tensor_overhead() +
                                       3 * ggml_graph_overhead_custom(GGML_DEFAULT_GRAPH_SIZE, true),
                                   nullptr, true});
  ggml_opt_params parameters = ggml_opt_default_params(scheduler, GGML_OPT_LOSS_TYPE_MEAN);
  parameters.ctx_compute = compute;
  parameters.inputs = x;
  parameters.outputs = ggml_mul(compute, w, x);
  parameters.opt_period = 2;
  ggml_opt_optimizer_params rate{};
  rate.sgd.alpha = 1;
  parameters.get_opt_pars = ggml_opt_get_constant_optimizer_params;
  parameters.get_opt_pars_ud = &rate;
  parameters.optimizer = GGML_OPT_OPTIMIZER_TYPE_SGD;
  auto* const training = ggml_opt_init(parameters);
  float value = 0;
  std::printf("w, from 0:");
  for (char const batch : batches) {
    float const number = batch == 'e' ? 100.F : static_cast<float>(batch - '0');
    ggml_opt_alloc(training, batch != 'e');
    ggml_backend_tensor_set(x, &number, 0, sizeof number);
    ggml_opt_eval(training, nullptr);
    ggml_backend_tensor_get(w, &value, 0, sizeof value);
    if (batch == 'e') {
      std::printf(" evaluated %g,", double{value});
    } else {
      std::printf(" trained on %c %g,", batch, double{value});
    }
  }
  std::printf(" right %g\n", double{right});
  ggml_opt_free(training);
  ggml_free(compute);
  ggml_backend_buffer_free(buffer);
  ggml_free(context);
  ggml_backend_sched_free(scheduler);
  ggml_backend_free(backend);
  return std::abs(value - as_said) < 1e-6F;
}

int main() {
  std::printf("ggml %s\n", ggml_version());
  // The means of 1 and 3 and of 5 and 7 are 2 and 6.
  bool const none = run("1357", -8, -8), before = run("e1357", -4.5F, -8), between = run("1e357", -4.5F, -8);
  bool const after = run("13e57", -4.5F, -8), two = run("ee1ee3ee57", -8, -8);
  return none && before && between && after && two ? 0 : 1;
}
CPP
g++ -std=c++20 -isystem "$ggml/include" "$folder/period.cpp" -o "$folder/period" -L"$ggml/lib64" -lggml -lggml-base \
  -lggml-cpu -Wl,-rpath,"$ggml/lib64" -Wl,--allow-shlib-undefined
if ! "$folder/period"; then
  echo "ggml 0.20.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   ggml 0.20.2
#   w, from 0: trained on 1 0, trained on 3 -2, trained on 5 -2, trained on 7 -8, right -8
#   w, from 0: evaluated 0, trained on 1 -0.5, trained on 3 -0.5, trained on 5 -4.5, trained on 7 -4.5, right -8
#   w, from 0: trained on 1 0, evaluated 0, trained on 3 0, trained on 5 -4.5, trained on 7 -4.5, right -8
#   w, from 0: trained on 1 0, trained on 3 -2, evaluated -2, trained on 5 -4.5, trained on 7 -4.5, right -8
#   w, from 0: evaluated 0, evaluated 0, trained on 1 0, evaluated 0, evaluated 0, trained on 3 -2, evaluated -2, evaluated -2, trained on 5 -2, trained on 7 -8, right -8
