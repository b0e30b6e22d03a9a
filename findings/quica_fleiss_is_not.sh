#!/usr/bin/env bash
# quica 0.2.5: FleissK is not Fleiss' kappa, which is what comes under the name of Scott's pi.
#
# Fleiss' kappa takes the agreement by chance from all raters' labels together, and for two raters is Scott's pi. FleissK asks
# nltk for multi_kappa, Davies' and Fleiss' of 1982, which takes it for each pair of raters from their own labels, and for two
# raters is Cohen's kappa. ScottsPI asks for nltk's pi, which for more than two raters is Fleiss'. They stand side by side in
# the table of Quica(...).get_results(): of three raters who differ in how often they say yes, "Fleiss'K" is 0.259, and 0.167,
# which is Fleiss' kappa, stands there as Scott's. The former is the higher the more the raters' totals differ. The docs have
# no more than the names, and an example in which "fleiss" is Cohen's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.2.6 pandas==2.2.3 scipy==1.15.3 scikit-learn==1.7.2 nltk==3.9.2 krippendorff==0.8.2 statsmodels==0.14.5
# Without its requirement "sklearn", a name that PyPI now refuses to install.
"${pip[@]}" --no-deps quica==0.2.5
cat >"$folder/agree.py" <<'PYTHON'
from importlib.metadata import version
from itertools import combinations

import numpy
import pandas
from quica.dataset.dataset import IRRDataset
from quica.measures.irr import CohensK, FleissK, ScottsPI
from quica.quica import Quica
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

print("quica", version("quica"))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def kappa(raters, chance):
    """The agreement of the pairs of raters beyond a chance, by its definition."""
    pairs = list(combinations(raters, 2))
    observed = mean(mean(x == y for x, y in zip(a, b)) for a, b in pairs)
    return (observed - chance) / (1 - chance)


def fleiss(raters):
    labels = [label for rater in raters for label in rater]
    return kappa(raters, sum(mean(x == label for x in labels) ** 2 for label in set(labels)))


def of_each_pair(raters):
    labels = {label for rater in raters for label in rater}
    return kappa(raters, mean(sum(a.count(x) * b.count(x) for x in labels) / len(a) ** 2 for a, b in combinations(raters, 2)))


tables = {
    "two raters, of its own docs": [[0, 1, 0, 1, 0, 1], [0, 1, 0, 1, 0, 0]],
    "three raters": [[1, 1, 1, 1, 1, 1, 0, 0, 0, 1], [1, 0, 0, 1, 1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]],
    "three with the same totals": [[1, 1, 0, 0, 1, 0], [1, 0, 1, 0, 1, 0], [0, 1, 1, 0, 1, 0]],
}
for name, raters in tables.items():
    data = IRRDataset(raters)
    right, other = fleiss(raters), of_each_pair(raters)
    assert abs(right - fleiss_kappa(aggregate_raters(numpy.array(raters).T)[0])) < 1e-12
    said, scott = FleissK().compute_irr(data), ScottsPI().compute_irr(data)
    print(f"{name}: Fleiss' kappa {right:.4f}; FleissK {said:.4f}, ScottsPI {scott:.4f}")
    assert abs(said - other) < 1e-12 and abs(scott - right) < 1e-12
    assert (abs(said - right) < 1e-9) == ("same totals" in name)
    if len(raters) == 2:
        assert abs(said - CohensK().compute_irr(data)) < 1e-12
results = Quica(dataframe=pandas.DataFrame(numpy.array(tables["three raters"]).T)).get_results()["score"]
table = {name: round(float(results[name]), 4) for name in ("Fleiss'K", "Scotts' Kappa")}
print("the table for the three raters:", table)
assert table == {"Fleiss'K": 0.2593, "Scotts' Kappa": 0.1667}
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/agree.py"; then
  echo "quica 0.2.5 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   quica 0.2.5
#   two raters, of its own docs: Fleiss' kappa 0.6571; FleissK 0.6667, ScottsPI 0.6571
#   three raters: Fleiss' kappa 0.1667; FleissK 0.2593, ScottsPI 0.1667
#   three with the same totals: Fleiss' kappa 0.3333; FleissK 0.3333, ScottsPI 0.3333
#   the table for the three raters: {"Fleiss'K": 0.2593, "Scotts' Kappa": 0.1667}
