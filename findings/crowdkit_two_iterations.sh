#!/usr/bin/env bash
# crowd-kit 1.4.2: BradleyTerry stops after its second iteration, whatever n_iter says, far from the maximum of likelihood.
#
# One expects n_iter=10000 and the tolerance 1e-5 to give the estimate. The loop compares an iteration's strengths with
# those of the one before, and keeps these by name and not by value: from the second iteration on both are one array, their
# difference is 0, and the loop ends. Where a beats b three times of four, and b beats c three times of four, strengths are
# 9 : 3 : 1 (the graph of comparisons is a path, so each ratio is that of its wins); crowd-kit says 5 : 2.5 : 1. The longer
# the chains of comparisons, the nearer all stay to each other. tol=0 never ends early, and is then right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 scikit-learn==1.9.1 attrs==26.1.0 tqdm==4.70.1 nltk==3.10.4
# Without what its neural aggregators need, which these do not.
"${pip[@]}" --no-deps crowd-kit==1.4.2 2>/dev/null
cat >"$folder/strengths.py" <<'PYTHON'
from importlib.metadata import version

import pandas
from crowdkit.aggregation import BradleyTerry

print("crowd-kit", version("crowd-kit"))
won = [("a", "b", "a")] * 3 + [("a", "b", "b")] + [("b", "c", "b")] * 3 + [("b", "c", "c")]
data = pandas.DataFrame(won, columns=["left", "right", "label"])
for options, expected in (
    ({"n_iter": 2}, [5, 2.5, 1]),
    ({"n_iter": 10000}, [5, 2.5, 1]),
    ({"n_iter": 10000, "tol": 1e-12}, [5, 2.5, 1]),
    ({"n_iter": 10000, "tol": 0}, [9, 3, 1]),
):
    scores = BradleyTerry(**options).fit_predict(data)
    ratios = [round(float(score / scores["c"]), 6) for score in scores]
    print(options, "a : b : c =", ratios)
    assert ratios == expected
PYTHON
if ! "$folder/venv/bin/python" "$folder/strengths.py"; then
  echo "crowd-kit 1.4.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   crowd-kit 1.4.2
#   {'n_iter': 2} a : b : c = [5.0, 2.5, 1.0]
#   {'n_iter': 10000} a : b : c = [5.0, 2.5, 1.0]
#   {'n_iter': 10000, 'tol': 1e-12} a : b : c = [5.0, 2.5, 1.0]
#   {'n_iter': 10000, 'tol': 0} a : b : c = [9.0, 3.0, 1.0]
