#!/usr/bin/env bash
# choix 0.4.1: opt_pairwise, opt_rankings and opt_top1 take alpha for twice what they say: the prior's variance is
# 1 / (2 alpha).
#
# "the maximum a-posteriori (MAP) estimate under an isotropic Gaussian prior with variance 1 / alpha", says each, as
# ep_pairwise does, and one expects the mode of that posterior, near the mean that ep_pairwise finds. The penalty is alpha
# times the sum of squares, and not half of that, so strengths are drawn to 0 twice as hard: a prior chosen by its variance,
# or an alpha shared with ep_pairwise, gives another model, and a log-odds that is too small. Half the alpha is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check choix==0.4.1 numpy==2.3.3 scipy==1.17.1
cat >"$folder/prior.py" <<'PYTHON'
from importlib.metadata import version

import choix
import numpy

print("choix", version("choix"))
numpy.random.seed(0)
data = [(0, 1)] * 300 + [(1, 0)] * 100
rankings = [[a, b] for a, b in data]
top1 = [(a, [b]) for a, b in data]
for alpha in (10.0, 100.0):
    # Strengths t and -t: the log-posterior is 300 log sigma(2t) + 100 log sigma(-2t) - alpha t^2, of which this is the slope.
    low, high = 0.0, 5.0
    for _ in range(100):
        t = (low + high) / 2
        slope = 600 / (1 + numpy.exp(2 * t)) - 200 / (1 + numpy.exp(-2 * t)) - 2 * alpha * t
        low, high = (t, high) if slope > 0 else (low, t)
    found = {
        "opt_pairwise": choix.opt_pairwise(2, data, alpha)[0],
        "opt_rankings": choix.opt_rankings(2, rankings, alpha)[0],
        "opt_top1": choix.opt_top1(2, top1, alpha)[0],
        "opt_pairwise of half the alpha": choix.opt_pairwise(2, data, alpha / 2)[0],
        "ep_pairwise": choix.ep_pairwise(2, data, alpha)[0][0],
    }
    print(f"alpha {alpha:g}: the mode {low:.4f};", ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
    assert all((abs(value - low) < 0.005) == (name in ("opt_pairwise of half the alpha", "ep_pairwise")) for name, value in found.items())
PYTHON
if ! "$folder/venv/bin/python" "$folder/prior.py"; then
  echo "choix 0.4.1 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   choix 0.4.1
#   alpha 10: the mode 0.5155; opt_pairwise 0.4864, opt_rankings 0.4864, opt_top1 0.4864, opt_pairwise of half the alpha 0.5155, ep_pairwise 0.5166
#   alpha 100: the mode 0.3418; opt_pairwise 0.2526, opt_rankings 0.2526, opt_top1 0.2526, opt_pairwise of half the alpha 0.3418, ep_pairwise 0.3423
