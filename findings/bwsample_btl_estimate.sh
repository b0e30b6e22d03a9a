#!/usr/bin/env bash
# bwsample 0.7.0: rank(method="btl") does not give the Bradley-Terry-Luce estimate: who wins 2 of 3 against all can be last.
#
# One expects the maximum of likelihood, "MLE by Hunter (2004)" as it says. Hunter's step sets a strength to the item's wins
# over the sum of n / (s + s') of its opponents. bwsample multiplies the wins with the sum of the reciprocals, (s + s') / n,
# and adds to that sum how many zeros the item's row of wins has, its own place among them. With more comparisons (s + s') / n
# goes to 0, and a strength to the number of wins times that of the zeros: who is compared more is better. Where a : b : c
# should be 9 : 3 : 1, it says 3.01 : 2.05 : 1; and of three items the one that is better than both others, which have been
# compared with each other more, is last by far. More iterations and other starts change nothing. For two items it is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check bwsample==0.7.0 numpy==1.26.4 scipy==1.13.1 \
  scikit-learn==1.5.2
cat >"$folder/strengths.py" <<'PYTHON'
from importlib.metadata import version

import bwsample
import numpy

print("bwsample", version("bwsample"))


def matrix(wins):
    names = sorted({name for pair in wins for name in pair})
    return names, numpy.array([[wins.get((a, b), 0) for b in names] for a in names], float)


def surplus(wins, strengths):
    """The gradient of the likelihood in the logarithms: an item's wins less those that the strengths let one expect."""
    names, won = matrix(wins)
    s = numpy.array([strengths[name] for name in names])
    return won.sum(1) - ((won + won.T) * s[:, None] / (s[:, None] + s)).sum(1)


def definition(wins):
    names, won = matrix(wins)
    s = numpy.ones(len(names))
    for _ in range(5000):
        s = won.sum(1) / ((won + won.T) / (s[:, None] + s)).sum(1)
        s /= s.sum()
    return dict(zip(names, s.tolist()))


def said(wins, **options):
    _, names, strengths, _, _ = bwsample.rank(wins, method="btl", **options)
    return dict(sorted(zip(names.tolist(), numpy.asarray(strengths).ravel().tolist())))


def text(strengths):
    return ", ".join(f"{name} {strength:.4f}" for name, strength in strengths.items())


tables = {
    "two items": {("a", "b"): 30, ("b", "a"): 10},
    "a path": {("a", "b"): 30, ("b", "a"): 10, ("b", "c"): 30, ("c", "b"): 10},
    "each pair 10 times": {("a", "b"): 6, ("b", "a"): 4, ("a", "c"): 8, ("c", "a"): 2, ("b", "c"): 7, ("c", "b"): 3},
    "b and c 200 times": {("a", "b"): 2, ("b", "a"): 1, ("a", "c"): 2, ("c", "a"): 1, ("b", "c"): 100, ("c", "b"): 100},
}
for name, wins in tables.items():
    right, found = definition(wins), said(wins)
    print(f"{name}\n  right     {text(right)}\n  bwsample  {text(found)}")
    assert abs(surplus(wins, right)).max() < 1e-6
    assert (abs(surplus(wins, found)).max() < 1e-6) == (name == "two items")
    longer = said(wins, prefit=False, max_iter=100000, tol=1e-13)
    assert all(abs(found[item] - longer[item]) < 1e-3 for item in found)
path = said(tables["a path"])
assert abs(path["a"] / path["c"] - 3.01) < 0.01 and abs(path["b"] / path["c"] - 2.05) < 0.01
assert min(found, key=found.get) == max(right, key=right.get) == "a" and found["a"] < 0.03
many = said({pair: 1000 * count for pair, count in tables["each pair 10 times"].items()})
print(f"each pair 10000 times\n  bwsample  {text(many)}")
assert all(abs(many[item] - share / 30) < 1e-3 for item, share in zip("abc", (14, 11, 5)))  # the shares of the wins
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/strengths.py"; then
  echo "bwsample 0.7.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   bwsample 0.7.0
#   two items
#     right     a 0.7500, b 0.2500
#     bwsample  a 0.7500, b 0.2500
#   a path
#     right     a 0.6923, b 0.2308, c 0.0769
#     bwsample  a 0.4966, b 0.3386, c 0.1648
#   each pair 10 times
#     right     a 0.5245, b 0.3370, c 0.1384
#     bwsample  a 0.4703, b 0.3662, c 0.1635
#   b and c 200 times
#     right     a 0.5000, b 0.2500, c 0.2500
#     bwsample  a 0.0221, b 0.4890, c 0.4890
#   each pair 10000 times
#     bwsample  a 0.4667, b 0.3667, c 0.1667
