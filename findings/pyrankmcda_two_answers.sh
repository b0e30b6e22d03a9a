#!/usr/bin/env bash
# pyRankMCDA 2.1.8: of its methods one half returns ranks and the other half an order, and nothing says which.
#
# The input has the rank of each alternative, a row, by each judge, a column. Where all judges agree, any method of
# aggregation has to say what they say: the ranks 2, 3 and 1 for the alternatives a1, a2 and a3. Kemeny-Young, footrule and
# PageRank return that. Borda, Copeland, Schulze, the median and reciprocal rank fusion return 3, 1, 2, the alternatives
# from first to last, and print that as "a1 = 3". run_methods() puts both kinds into one table with a row for each
# alternative, in which a1, second for every judge, is last for Borda; metrics() and the plots then compare them, and
# methods that agree in everything are told to disagree. Two alternatives, or an order that is its own inverse, do not show
# it. The ranks are argsort of such an order, plus 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyrankmcda==2.1.8 numpy==2.3.3 pandas==2.3.3 \
  networkx==3.6.1 matplotlib==3.11.2 scikit-learn==1.9.1
cat >"$folder/judges.py" <<'PYTHON'
from importlib.metadata import version

import matplotlib
import numpy

matplotlib.use("Agg")
from pyRankMCDA.algorithm import rank_aggregation

print("pyRankMCDA", version("pyrankmcda"))
ranks = [2, 3, 1]
judges = rank_aggregation(numpy.array([ranks] * 5).T)
table = judges.run_methods(["bd", "cp", "sc", "md", "rrf", "ky", "fky", "fr", "ffr", "pg"])
print("all judges say", dict(zip(table.index, ranks)))
for name in table:
    said = table[name].tolist()
    against = judges.kendall_tau_distance(ranks, said)
    print(f"{name}: {dict(zip(table.index, said))}, against the judges in {against:.0f} of 3 pairs")
    one_of_order = name.startswith(("Borda", "Copeland", "Schulze", "Median", "Reciprocal"))
    assert said == ([3, 1, 2] if one_of_order else ranks)
    assert not one_of_order or (numpy.argsort(said) + 1).tolist() == ranks
between = judges.metrics(table)["Kendall Tau Corr"].loc["Borda Method", "Kemeny-Young"]
print(f"Kendall's correlation of Borda and Kemeny-Young, as metrics() has it: {between:.2f}")
assert abs(between + 1 / 3) < 1e-9
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/judges.py"; then
  echo "pyRankMCDA 2.1.8 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   pyRankMCDA 2.1.8
#   all judges say {'a1': 2, 'a2': 3, 'a3': 1}
#   Kemeny-Young: {'a1': 2, 'a2': 3, 'a3': 1}, against the judges in 0 of 3 pairs
#   Fast Kemeny-Young: {'a1': 2, 'a2': 3, 'a3': 1}, against the judges in 0 of 3 pairs
#   Footrule Rank: {'a1': 2, 'a2': 3, 'a3': 1}, against the judges in 0 of 3 pairs
#   Fast Footrule Rank: {'a1': 2, 'a2': 3, 'a3': 1}, against the judges in 0 of 3 pairs
#   Page Rank: {'a1': 2, 'a2': 3, 'a3': 1}, against the judges in 0 of 3 pairs
#   Borda Method: {'a1': 3, 'a2': 1, 'a3': 2}, against the judges in 2 of 3 pairs
#   Copeland Method: {'a1': 3, 'a2': 1, 'a3': 2}, against the judges in 2 of 3 pairs
#   Schulze Method: {'a1': 3, 'a2': 1, 'a3': 2}, against the judges in 2 of 3 pairs
#   Median Rank: {'a1': 3, 'a2': 1, 'a3': 2}, against the judges in 2 of 3 pairs
#   Reciprocal Rank Fusion: {'a1': 3, 'a2': 1, 'a3': 2}, against the judges in 2 of 3 pairs
#   Kendall's correlation of Borda and Kemeny-Young, as metrics() has it: -0.33
