#!/usr/bin/env bash
# riix 0.0.6: in TrueSkill a draw raises the favourite's rating and lowers the underdog's.
#
# One expects a draw to bring the two nearer, and to make both ratings surer. Of N(30, 4^2) and N(20, 4^2), with draws in
# one of ten games between equals, the exact means after a draw are 27.61 and 22.39, and the deviations 3.49, as numerical
# integration says here. riix goes the other way, to 31.20 and 18.80: of the ratings' step the sign is turned around, and a
# draw's outcome, 0.5, is multiplied in where a sign is meant, which halves it. With the underdog listed first the deviations
# grow, to 4.45, as the sign of the difference is multiplied into the variance's step, too. Of 10 points between the two 20
# draws in a row make 26, or 555 where the underdog is listed first. update_method="batched" makes half the step in the right
# direction where the favourite is listed first, and in the wrong one otherwise. WengLin, by default of the same model, goes
# the wrong way as TrueSkill does. Games with a winner are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.3.3 scipy==1.17.1 polars==2.1.0
# Without jax, which these models do not need.
"${pip[@]}" --no-deps riix==0.0.6
cat >"$folder/draws.py" <<'PYTHON'
from importlib.metadata import version

import numpy
from riix.models.trueskill import TrueSkill
from riix.models.weng_lin import WengLin
from scipy.integrate import quad
from scipy.stats import norm

print("riix", version("riix"))
names, before, deviation, beta, draws = ["favourite", "underdog"], [30.0, 20.0], 4.0, 4.166, 0.1


def right(favourite_scores):
    """Means and deviations of the exact posterior: the difference of performances is within, above or below a margin."""
    margin = norm.ppf((1 + draws) / 2) * 2**0.5 * beta
    means, deviations = [], []
    for own, other, sign in ((*before, 1), (*before[::-1], -1)):
        spread = (2 * beta**2 + deviation**2) ** 0.5  # of the difference, where the own skill is known

        def weight(skill):
            high, low = (margin - sign * (skill - other)) / spread, (-margin - sign * (skill - other)) / spread
            return norm.pdf(skill, own, deviation) * {
                0.5: norm.cdf(high) - norm.cdf(low), 1.0: norm.sf(high), 0.0: norm.cdf(low)}[favourite_scores]

        moment = [quad(lambda x: (x - own) ** k * weight(x), own - 40, own + 40, points=[own])[0] for k in range(3)]
        means.append(own + moment[1] / moment[0])
        deviations.append((moment[2] / moment[0] - (moment[1] / moment[0]) ** 2) ** 0.5)
    return means + deviations


def said(model, favourite_scores, first, games=1, **options):
    """The same after some games between the two."""
    system = model(names, beta=beta, tau=0.0, draw_probability=draws, **options)
    system.mus[:], system.sigma2s[:] = before, deviation**2
    for _ in range(games):
        outcome = favourite_scores if first == "favourite" else 1 - favourite_scores
        pair = (0, 1) if first == "favourite" else (1, 0)
        system.update(numpy.array([pair]), numpy.array([outcome]), time_step=0)
    return [*system.mus.tolist(), *numpy.sqrt(system.sigma2s).tolist()]


def tell(name, x):
    print(f"{name}: favourite {x[0]:.2f}, underdog {x[1]:.2f}, deviations {x[2]:.2f} and {x[3]:.2f}")
    return x


exact = tell("a draw, right", right(0.5))
half = (before[0] - exact[0]) / 2
for first, grows in (("favourite", False), ("underdog", True)):
    x = tell(f"a draw, {first} listed first", said(TrueSkill, 0.5, first))
    assert abs(x[0] - (before[0] + half)) < 1e-3 and abs(x[1] - (before[1] - half)) < 1e-3
    assert (x[2] > deviation + 0.4) if grows else (abs(x[2] - exact[2]) < 1e-3)
for first, sign in (("favourite", -1), ("underdog", 1)):
    x = tell(f"a draw, batched, {first} listed first", said(TrueSkill, 0.5, first, update_method="batched"))
    assert abs(x[0] - (before[0] + sign * half)) < 1e-3 and abs(x[2] - exact[2]) < 1e-3
for first in names:
    x = tell(f"a draw, WengLin, {first} listed first", said(WengLin, 0.5, first))
    assert x[0] > before[0] + 1 and x[1] < before[1] - 1
for first, apart in (("favourite", 25), ("underdog", 500)):
    x = tell(f"20 draws, {first} listed first", said(TrueSkill, 0.5, first, games=20))
    assert x[0] - x[1] > apart
for score, name in ((1.0, "the favourite wins"), (0.0, "the underdog wins")):
    exact = tell(f"{name}, right", right(score))
    for first in names:
        x = tell(f"{name}, {first} listed first", said(TrueSkill, score, first))
        assert max(abs(a - b) for a, b in zip(x, exact)) < 1e-3
PYTHON
if ! "$folder/venv/bin/python" "$folder/draws.py"; then
  echo "riix 0.0.6 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   riix 0.0.6
#   a draw, right: favourite 27.61, underdog 22.39, deviations 3.49 and 3.49
#   a draw, favourite listed first: favourite 31.20, underdog 18.80, deviations 3.49 and 3.49
#   a draw, underdog listed first: favourite 31.20, underdog 18.80, deviations 4.45 and 4.45
#   a draw, batched, favourite listed first: favourite 28.80, underdog 21.20, deviations 3.49 and 3.49
#   a draw, batched, underdog listed first: favourite 31.20, underdog 18.80, deviations 3.49 and 3.49
#   a draw, WengLin, favourite listed first: favourite 31.20, underdog 18.80, deviations 3.76 and 3.76
#   a draw, WengLin, underdog listed first: favourite 31.20, underdog 18.80, deviations 4.23 and 4.23
#   20 draws, favourite listed first: favourite 38.14, underdog 11.86, deviations 1.57 and 1.57
#   20 draws, underdog listed first: favourite 302.53, underdog -252.53, deviations 123.59 and 123.59
#   the favourite wins, right: favourite 30.47, underdog 19.53, deviations 3.84 and 3.84
#   the favourite wins, favourite listed first: favourite 30.47, underdog 19.53, deviations 3.84 and 3.84
#   the favourite wins, underdog listed first: favourite 30.47, underdog 19.53, deviations 3.84 and 3.84
#   the underdog wins, right: favourite 26.51, underdog 23.49, deviations 3.58 and 3.58
#   the underdog wins, favourite listed first: favourite 26.51, underdog 23.49, deviations 3.58 and 3.58
#   the underdog wins, underdog listed first: favourite 26.51, underdog 23.49, deviations 3.58 and 3.58
