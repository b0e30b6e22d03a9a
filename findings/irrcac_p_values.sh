#!/usr/bin/env bash
# irrCAC 0.4.4: p-values contradict the confidence intervals beside them: raters who surely disagree have the p-value 1.
#
# Each coefficient comes with z, the p-value of it being 0, and a confidence interval, all by the same error and the same
# t distribution: one expects p < 0.05 where 0 is outside of the interval of 95 %, and nowhere else. From a table of two
# raters' counts Cohen's kappa is like that. Scott's, Gwet's, Krippendorff's and Brennan and Prediger's put 0 for a value
# below 0, so that -0.80 with an interval from -0.92 to -0.68 has the p-value 1: raters who nearly always say the opposite
# count as raters by chance. From the raw ratings, one row for each pair of answers, all but Brennan and Prediger's are right.
# That one has the tail of one side, half of what the others have: 0.03 where 0 is in the interval. Twice the tail beyond
# |z| agrees with every interval.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==1.26.4 scipy==1.12.0 pandas==2.3.3 irrCAC==0.4.4
cat >"$folder/rate.py" <<'PYTHON'
import random
from importlib.metadata import version

import pandas
from irrCAC.raw import CAC as Raw
from irrCAC.table import CAC as Table
from scipy.stats import t

print("irrCAC", version("irrCAC"))
of_table = ["cohen", "scott", "gwet", "krippendorff", "bp"]
of_raw = ["conger", "fleiss", "gwet", "krippendorff", "bp"]


def said(kind, counts, method):
    """From the counts of yes-yes, yes-no, no-yes and no-no: value, interval, p-value, and what the p-value is by z."""
    if kind == "table":
        agreement = Table(pandas.DataFrame([counts[:2], counts[2:]], index=["yes", "no"], columns=["yes", "no"]))
    else:
        pairs = [("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "no")]
        rows = [pair for pair, count in zip(pairs, counts) for _ in range(count)]
        agreement = Raw(pandas.DataFrame(rows, columns=["first", "second"]))
    x = getattr(agreement, method)()["est"]
    return (float(x["coefficient_value"]), *map(float, x["confidence_interval"]), float(x["p_value"]),
            float(2 * t.sf(abs(x["z"]), sum(counts) - 1)))


def contradicts(value, low, high, p, right):
    return (p < 0.05) != (low > 0 or high < 0)


for counts in ([5, 45, 45, 5], [21, 9, 8, 9]):
    for kind, methods in (("table", of_table), ("raw", of_raw)):
        for method in methods:
            value, low, high, p, right = said(kind, counts, method)
            print(counts, f"{kind}, {method}: {value:.2f}, from {low:.2f} to {high:.2f}, p {p:.3f}, right {right:.3f}")
            assert (right < 0.05) == (low > 0 or high < 0)
            expected = 1.0 if kind == "table" and method != "cohen" and value < 0 else right
            assert abs(p - (right / 2 if (kind, method) == ("raw", "bp") else expected)) < 1e-4

random.seed(0)
wrong = {(kind, method): 0 for kind, methods in (("table", of_table), ("raw", of_raw)) for method in methods}
for _ in range(50):
    counts = [random.randint(2, 12) for _ in range(4)]
    for kind, method in wrong:
        x = said(kind, counts, method)
        wrong[kind, method] += contradicts(*x)
        assert not contradicts(*x[:3], x[4], x[4])
for (kind, method), count in wrong.items():
    print(f"{kind}, {method}: of 50 tables at random {count} p-values contradict their intervals")
some = {("table", "scott"), ("table", "krippendorff"), ("table", "bp"), ("raw", "bp")}
assert {key for key, count in wrong.items() if count} == some
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/rate.py"; then
  echo "irrCAC 0.4.4 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   irrCAC 0.4.4
#   [5, 45, 45, 5] table, cohen: -0.80, from -0.92 to -0.68, p 0.000, right 0.000
#   [5, 45, 45, 5] table, scott: -0.80, from -0.92 to -0.68, p 1.000, right 0.000
#   [5, 45, 45, 5] table, gwet: -0.80, from -0.92 to -0.68, p 1.000, right 0.000
#   [5, 45, 45, 5] table, krippendorff: -0.79, from -0.91 to -0.67, p 1.000, right 0.000
#   [5, 45, 45, 5] table, bp: -0.80, from -0.92 to -0.68, p 1.000, right 0.000
#   [5, 45, 45, 5] raw, conger: -0.80, from -0.92 to -0.68, p 0.000, right 0.000
#   [5, 45, 45, 5] raw, fleiss: -0.80, from -0.92 to -0.68, p 0.000, right 0.000
#   [5, 45, 45, 5] raw, gwet: -0.80, from -0.92 to -0.68, p 0.000, right 0.000
#   [5, 45, 45, 5] raw, krippendorff: -0.79, from -0.91 to -0.67, p 0.000, right 0.000
#   [5, 45, 45, 5] raw, bp: -0.80, from -0.92 to -0.68, p 0.000, right 0.000
#   [21, 9, 8, 9] table, cohen: 0.23, from -0.07 to 0.52, p 0.125, right 0.125
#   [21, 9, 8, 9] table, scott: 0.23, from -0.07 to 0.52, p 0.126, right 0.126
#   [21, 9, 8, 9] table, gwet: 0.32, from 0.03 to 0.61, p 0.032, right 0.032
#   [21, 9, 8, 9] table, krippendorff: 0.23, from -0.06 to 0.53, p 0.114, right 0.114
#   [21, 9, 8, 9] table, bp: 0.28, from -0.01 to 0.56, p 0.054, right 0.054
#   [21, 9, 8, 9] raw, conger: 0.23, from -0.07 to 0.52, p 0.129, right 0.129
#   [21, 9, 8, 9] raw, fleiss: 0.23, from -0.07 to 0.52, p 0.130, right 0.130
#   [21, 9, 8, 9] raw, gwet: 0.32, from 0.03 to 0.62, p 0.034, right 0.034
#   [21, 9, 8, 9] raw, krippendorff: 0.23, from -0.06 to 0.53, p 0.117, right 0.117
#   [21, 9, 8, 9] raw, bp: 0.28, from -0.01 to 0.56, p 0.029, right 0.057
#   table, cohen: of 50 tables at random 0 p-values contradict their intervals
#   table, scott: of 50 tables at random 3 p-values contradict their intervals
#   table, gwet: of 50 tables at random 0 p-values contradict their intervals
#   table, krippendorff: of 50 tables at random 2 p-values contradict their intervals
#   table, bp: of 50 tables at random 2 p-values contradict their intervals
#   raw, conger: of 50 tables at random 0 p-values contradict their intervals
#   raw, fleiss: of 50 tables at random 0 p-values contradict their intervals
#   raw, gwet: of 50 tables at random 0 p-values contradict their intervals
#   raw, krippendorff: of 50 tables at random 0 p-values contradict their intervals
#   raw, bp: of 50 tables at random 4 p-values contradict their intervals
