#!/usr/bin/env bash
# skelo 0.1.5, Glicko2Estimator: the probabilities of a beating b and of b beating a do not add up to 1, and are too sure.
#
# One expects predict_proba of (a, b) to be that of (b, a) the other way round, and 200 points between two newcomers, of
# whom little is known, to mean little: Glicko's formula is 1 / (1 + 10^(-g d / 400)), with g(RD) = 1 / sqrt(1 + 3 q^2 RD^2 /
# pi^2), q = ln(10) / 400 and the RD of both, sqrt(RD_a^2 + RD_b^2). skelo puts the RD of the first player, in rating points,
# into a g that wants it in units of 173.7 points, and multiplies by the RD of both: a slope of 2.56 where the RDs are equal,
# whatever they are, where the formula's is 0.54 for newcomers; and where they differ, another slope for each side. An
# old hand 100 points above a newcomer wins with 0.9994 when named first, and with 0.74 when named second.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check skelo==0.1.5 glicko2==2.1.0 scikit-learn==1.9.1 \
  numpy==2.3.3 pandas==2.3.3
cat >"$folder/probability.py" <<'PYTHON'
import math
from importlib.metadata import version

import numpy
import pandas
from skelo.model.glicko2 import Glicko2Estimator, Glicko2Model

print("skelo", version("skelo"))


def glicko(one, other):
    g = 1 / math.sqrt(1 + 3 * (math.log(10) / 400 / math.pi) ** 2 * (one[1] ** 2 + other[1] ** 2))
    return 1 / (1 + 10 ** (-g * (one[0] - other[0]) / 400))


for one, other in (((1700, 350), (1500, 350)), ((1700, 30), (1500, 30)), ((1600, 50), (1500, 350))):
    first, second = (Glicko2Model.compute_prob((*a, 0.06), (*b, 0.06)) for a, b in ((one, other), (other, one)))
    print(f"{one} beats {other}: {first:.4f}, the other way round {second:.4f}, by the formula {glicko(one, other):.4f}")
    assert first > glicko(one, other) + 0.05
    assert (abs(first + second - 1) < 1e-9) == (one[1] == other[1])

# Of games: a wins three of four against b, then one against c.
names = {"key1_field": "one", "key2_field": "other", "timestamp_field": "time"}
games = pandas.DataFrame([("a", "b", 0), ("a", "b", 1), ("a", "b", 2), ("a", "b", 3), ("a", "c", 4)], columns=names.values())
fitted = Glicko2Estimator(**names).fit(games, numpy.array([1, 1, 1, 0, 1]))
asked = pandas.DataFrame([("a", "c", 9), ("c", "a", 9)], columns=names.values())
first, second = numpy.asarray(fitted.predict_proba(asked))[:, 0]
print(f"fitted: a beats c {first:.4f}, c beats a {second:.4f}, together {first + second:.4f}")
assert first + second > 1.01
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/probability.py"; then
  echo "skelo 0.1.5 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   skelo 0.1.5
#   (1700, 350) beats (1500, 350): 0.9504, the other way round 0.0496, by the formula 0.6498
#   (1700, 30) beats (1500, 30): 0.9502, the other way round 0.0498, by the formula 0.7579
#   (1600, 50) beats (1500, 350): 0.9994, the other way round 0.2583, by the formula 0.5946
#   fitted: a beats c 0.9901, c beats a 0.0268, together 1.0169
