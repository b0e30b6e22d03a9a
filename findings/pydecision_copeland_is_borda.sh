#!/usr/bin/env bash
# pyDecision 5.1.8: copeland_method is Borda's count: what beats every other alternative comes second.
#
# Copeland's method counts how many others an alternative beats by a majority, and one expects what beats all of them to be
# first. copeland_method adds up, over all others, how many criteria are for it less how many are against it, and takes no
# majority anywhere: as each criterion orders the alternatives, that is a sum of places, Borda's count up to a factor and a
# constant. Of four alternatives a1 is the best by three criteria of five and so beats each other one 3 to 2, which is a
# score of 3 wins; a2 beats only two. copeland_method gives a1 3 and a2 9. On criteria without ties it is always
# (alternatives + 1) * criteria - 2 * borda_method, so comparing the two methods tells nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.3.5 scipy==1.16.3 pandas==2.3.3 networkx==3.6.1 matplotlib==3.10.8 scikit-learn==1.7.2
# Without what talks to language models.
"${pip[@]}" --no-deps pydecision==5.1.8
cat >"$folder/rank.py" <<'PYTHON'
import random
from importlib.metadata import version

import numpy
from pyDecision.algorithm import borda_method, copeland_method

print("pyDecision", version("pydecision"))


def scores(values):
    """By copeland_method, by Borda's places, and how many others each alternative beats."""
    how = {"criterion_type": ["max"] * values.shape[1], "graph": False, "verbose": False}
    wins = [sum(2 * int((a > b).sum()) > len(a) for b in values) for a in values]
    return copeland_method(values, **how), borda_method(values, **how), wins


copeland, borda, wins = scores(numpy.array([[4, 4, 4, 1, 1], [3, 3, 3, 4, 4], [2, 2, 2, 3, 3], [1, 1, 1, 2, 2]]))
print(f"copeland_method {copeland.tolist()}, borda_method {borda.tolist()}, others that each one beats {wins}")
assert copeland.tolist() == [3, 9, -1, -11] and wins == [3, 2, 1, 0]

random.seed(0)
for _ in range(100):
    n, criteria = random.randint(2, 6), random.randint(1, 7)
    copeland, borda, _ = scores(numpy.array([random.sample(range(n), n) for _ in range(criteria)]).T)
    assert (copeland == (n + 1) * criteria - 2 * borda).all()
print("in 100 random tables it is (alternatives + 1) * criteria - 2 * borda_method")
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/rank.py"; then
  echo "pyDecision 5.1.8 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   pyDecision 5.1.8
#   copeland_method [3.0, 9.0, -1.0, -11.0], borda_method [11.0, 8.0, 13.0, 18.0], others that each one beats [3, 2, 1, 0]
#   in 100 random tables it is (alternatives + 1) * criteria - 2 * borda_method
