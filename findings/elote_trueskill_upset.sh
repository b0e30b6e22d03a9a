#!/usr/bin/env bash
# elote 1.5.1, TrueSkillCompetitor: a win moves ratings the more the greater the upset, and not at all from some upset on.
#
# One expects the greatest upset to move the ratings most. The step is the ratio of the normal density and of the normal
# distribution, which grows like its argument. The distribution is computed as (1 + erf) / 2, which is 0 from -8.3 deviations
# on, and then the step is 0. Of two players with the deviation 1.5 the weaker gains 2.86 points who wins from 48 below, with
# 2.85 as the right gain, and nothing from 52 below, with 3.08 as the right one. There the deviations grow, by what they are
# raised before each game, where they should shrink: the game counts as none. The logarithm of the distribution gives the
# right step everywhere.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==1.26.4 scipy==1.12.0 elote==1.5.1
cat >"$folder/rate.py" <<'PYTHON'
from importlib.metadata import version
from math import exp, log, pi, sqrt

from elote import TrueSkillCompetitor
from scipy.special import log_ndtr, ndtri

print("elote", version("elote"))
beta, tau, draws = 4.166, 0.083, 0.1  # what the class has unless one says otherwise


def right(deviation, below):
    """The winner's gain and new deviation, and how many deviations the upset is."""
    variance = deviation**2 + tau**2
    spread = sqrt(2 * beta**2 + 2 * variance)
    t = -(below + sqrt(2) * beta * ndtri((1 + draws) / 2)) / spread
    v = exp(-t * t / 2 - log(2 * pi) / 2 - log_ndtr(t))
    return variance / spread * v, sqrt(variance * (1 - variance / spread**2 * v * (v + t))), t


for below in (0, 10, 20, 40, 48, 52, 60):
    winner = TrueSkillCompetitor(initial_mu=25 - below / 2, initial_sigma=1.5)
    loser = TrueSkillCompetitor(initial_mu=25 + below / 2, initial_sigma=1.5)
    winner.beat(loser)
    gain, loss = winner.mu - 25 + below / 2, 25 + below / 2 - loser.mu
    right_gain, right_deviation, t = right(1.5, below)
    print(f"won from {below} below ({t:.1f} deviations): {gain:.2f} points, deviation {winner.sigma:.3f};",
          f"right {right_gain:.2f} and {right_deviation:.3f}")
    assert abs(gain - loss) < 1e-9
    if below < 50:
        assert abs(gain - right_gain) < 0.01
    else:
        assert gain == 0 and winner.sigma > 1.5 > right_deviation and right_gain > 3
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/rate.py"; then
  echo "elote 1.5.1 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   elote 1.5.1
#   won from 0 below (-0.1 deviations): 0.32 points, deviation 1.473; right 0.32 and 1.473
#   won from 10 below (-1.7 deviations): 0.77 points, deviation 1.464; right 0.77 and 1.464
#   won from 20 below (-3.3 deviations): 1.29 points, deviation 1.461; right 1.29 and 1.461
#   won from 40 below (-6.5 deviations): 2.40 points, deviation 1.459; right 2.40 and 1.459
#   won from 48 below (-7.8 deviations): 2.86 points, deviation 1.452; right 2.85 and 1.459
#   won from 52 below (-8.4 deviations): 0.00 points, deviation 1.502; right 3.08 and 1.459
#   won from 60 below (-9.7 deviations): 0.00 points, deviation 1.502; right 3.53 and 1.459
