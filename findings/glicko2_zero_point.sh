#!/usr/bin/env bash
# glicko2 2.1.0: what games do to a player depends on how far the rating is from 1500.
#
# Glicko-2's numbers are differences: one expects the same games among players who all are 800 points better to end 800
# points higher, with the same deviation and volatility. The equation for the new volatility has the player's squared
# deviation in it, phi^2; the package puts the squared rating there, mu^2, counted from 1500. At 1500 that is 0, which
# hardly shows in the paper's example; farther away it is so large that the volatility stays where it began. A player
# whose form turns every third period, below, is then said to be known to 33 points instead of 39, and is followed the
# more slowly for it: 20 points behind after 60 periods.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check glicko2==2.1.0
cat >"$folder/periods.py" <<'PYTHON'
import math
from importlib.metadata import version

from glicko2 import Player

SCALE, TAU = 173.7178, Player._tau


def by_the_paper(rating, deviation, volatility, opponents):
    """Glickman's example of the Glicko-2 system, steps 2 to 8; step 5 by bisection."""
    mu, phi = (rating - 1500) / SCALE, deviation / SCALE
    g = [1 / math.sqrt(1 + 3 * (d / SCALE / math.pi) ** 2) for _, d, _ in opponents]
    expected = [1 / (1 + math.exp(-gj * (mu - (r - 1500) / SCALE))) for gj, (r, _, _) in zip(g, opponents)]
    v = 1 / sum(gj**2 * e * (1 - e) for gj, e in zip(g, expected))
    surprise = sum(gj * (score - e) for gj, e, (_, _, score) in zip(g, expected, opponents))
    low, high = -30.0, 10.0
    for _ in range(200):
        x = (low + high) / 2
        square = phi**2 + v + math.exp(x)
        f = math.exp(x) * ((v * surprise) ** 2 - square) / (2 * square**2) - (x - math.log(volatility**2)) / TAU**2
        low, high = (x, high) if f > 0 else (low, x)
    volatility = math.exp(low / 2)
    phi = 1 / math.sqrt(1 / (phi**2 + volatility**2) + 1 / v)
    return 1500 + SCALE * (mu + phi**2 * surprise), SCALE * phi, volatility


def by_glicko2(rating, deviation, volatility, opponents):
    player = Player(rating, deviation, volatility)
    player.update_player(*zip(*opponents))
    return player.rating, player.rd, player.vol


print("glicko2", version("glicko2"))
example = by_the_paper(1500, 200, 0.06, [(1400, 30, 1), (1550, 100, 0), (1700, 300, 0)])
assert [round(x, 5) for x in example] == [1464.05067, 151.51652, 0.06] and round(example[2], 6) == 0.059996
ends = {}
for rating in (1500, 2300):
    for update in (by_the_paper, by_glicko2):
        state = (rating, 100, 0.06)
        for period in range(60):
            state = update(*state, [(rating, 50, 1 - period // 3 % 2)] * 10)
        ends[rating, update] = state
        print(f"from {rating}, {update.__name__}: rating {state[0]:.2f}, deviation {state[1]:.2f}, volatility {state[2]:.4f}")
right, near, far = ends[2300, by_the_paper], ends[1500, by_glicko2], ends[2300, by_glicko2]
assert all(abs(x - y) < 1e-6 for x, y in zip(right, [ends[1500, by_the_paper][0] + 800, *ends[1500, by_the_paper][1:]]))
assert abs(far[0] - 800 - near[0]) > 10 and far[1] < 0.9 * right[1] and abs(far[2] - 0.06) < 0.001 < 0.02 < right[2] - 0.06
PYTHON
if ! "$folder/venv/bin/python" "$folder/periods.py"; then
  echo "glicko2 2.1.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   glicko2 2.1.0
#   from 1500, by_the_paper: rating 1431.12, deviation 39.13, volatility 0.0863
#   from 1500, by_glicko2: rating 1433.37, deviation 38.52, volatility 0.0835
#   from 2300, by_the_paper: rating 2231.12, deviation 39.13, volatility 0.0863
#   from 2300, by_glicko2: rating 2250.94, deviation 33.32, volatility 0.0600
