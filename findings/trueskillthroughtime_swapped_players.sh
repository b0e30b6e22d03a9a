#!/usr/bin/env bash
# trueskillthroughtime 1.1.0: of three players or more the winner can get the rating of the last, by the order in which they
# are listed.
#
# One expects a game's result to say all: whoever is listed first, the winner's rating rises most. Of equals with the prior
# N(0, 6^2) and performances of deviation 1 the posterior's mean is 6^2 / sqrt(6^2 + 1) times the mean of that place among
# three (or four) normal numbers: 5.01, 0 and -5.01. The messages are computed in the order of the result and brought back to
# the order of the list by the same permutation instead of its inverse. Where it is its own inverse (from first to last, or
# two players swapped) that is right; of the 6 results of three players 2 are wrong, of the 24 of four 14. In a history it
# grows: who comes second in each of 20 games is rated 99 above who wins them, and the best and the last of five players that
# are listed at random come out 1.8 apart, not 4.3. The evidence is right, and so are duels and all games whose players are
# listed from first to last.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check trueskillthroughtime==1.1.0 scipy==1.17.1 numpy==2.3.3
cat >"$folder/games.py" <<'PYTHON'
import math
import random
from importlib.metadata import version
from itertools import permutations

from scipy.integrate import quad
from scipy.stats import norm
from trueskillthroughtime import Game, History, Player

print("trueskillthroughtime", version("trueskillthroughtime"))


def mean_of_place(k, n):
    """The mean of the k-th smallest, from 0, of n standard normal numbers."""
    ways = n * math.comb(n - 1, k)
    return quad(lambda x: x * ways * norm.cdf(x) ** k * norm.sf(x) ** (n - 1 - k) * norm.pdf(x), -12, 12)[0]


for n in (3, 4):
    places = [36 / math.sqrt(37) * mean_of_place(k, n) for k in range(n)]
    wrong = 0
    for scores in permutations(range(n)):
        game = Game([[Player()] for _ in range(n)], list(scores))
        means = [team[0].mu for team in game.posteriors()]
        right = [places[score] for score in scores]
        inverse = [sorted(scores, reverse=True).index(score) for score in scores]
        order = sorted(range(n), key=lambda i: -scores[i])
        is_wrong = max(abs(x - y) for x, y in zip(means, right)) > 0.02
        assert is_wrong == (order != inverse) and sorted(means) == sorted(means, key=lambda x: round(x, 3))
        assert max(abs(x - y) for x, y in zip(sorted(means), places)) < 0.02
        wrong += is_wrong
        if n == 3:
            print("scores", scores, "ratings", [round(x, 2) + 0.0 for x in means], "right", [round(x, 2) + 0.0 for x in right])
    print(f"{n} players: {wrong} of {math.factorial(n)} results are wrong")
    assert wrong == {3: 2, 4: 14}[n]


def ratings(games, scores):
    history = History([[[name] for name in game] for game in games], scores, gamma=0.0)
    history.convergence(verbose=False)
    curves = history.learning_curves()
    return {name: round(curves[name][-1][1].mu, 2) + 0.0 for name in sorted(curves)}


listed, by_place = ratings([["last", "first", "second"]] * 20, [[0, 2, 1]] * 20), ratings([["first", "second", "last"]] * 20, [])
print("20 games, listed as last, first, second:", listed)
print("20 games, listed as first, second, last:", by_place)
assert by_place["first"] > by_place["second"] > by_place["last"] and listed["second"] > listed["first"] + 50

# Five players of strengths 4 to 0, three of them a game.
random.seed(0)
games, scores = [], []
for _ in range(300):
    games.append(random.sample("abcde", 3))
    scores.append(["edcba".index(name) + random.gauss(0, 1) for name in games[-1]])
listed = ratings(games, scores)
by_place = ratings([[name for _, name in sorted(zip(s, g), reverse=True)] for g, s in zip(games, scores)], [])
print("300 games, listed at random:", listed, "from first to last:", by_place)
assert listed["a"] - listed["e"] < 2 and abs(by_place["a"] - by_place["e"] - 4) < 0.5
PYTHON
if ! "$folder/venv/bin/python" "$folder/games.py"; then
  echo "trueskillthroughtime 1.1.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   trueskillthroughtime 1.1.0
#   scores (0, 1, 2) ratings [-5.01, 0.0, 5.01] right [-5.01, 0.0, 5.01]
#   scores (0, 2, 1) ratings [0.0, -5.01, 5.01] right [-5.01, 5.01, 0.0]
#   scores (1, 0, 2) ratings [-5.01, 5.01, 0.0] right [0.0, -5.01, 5.01]
#   scores (1, 2, 0) ratings [0.0, 5.01, -5.01] right [0.0, 5.01, -5.01]
#   scores (2, 0, 1) ratings [5.01, -5.01, 0.0] right [5.01, -5.01, 0.0]
#   scores (2, 1, 0) ratings [5.01, 0.0, -5.01] right [5.01, 0.0, -5.01]
#   3 players: 2 of 6 results are wrong
#   4 players: 14 of 24 results are wrong
#   20 games, listed as last, first, second: {'first': 0.0, 'last': -0.73, 'second': 98.77}
#   20 games, listed as first, second, last: {'first': 7.52, 'last': -7.52, 'second': 0.0}
#   300 games, listed at random: {'a': -2.08, 'b': -2.98, 'c': -3.11, 'd': -3.47, 'e': -3.89} from first to last: {'a': 1.26, 'b': -0.03, 'c': -0.83, 'd': -1.92, 'e': -3.02}
