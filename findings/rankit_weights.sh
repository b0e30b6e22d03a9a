#!/usr/bin/env bash
# rankit 0.3.3: a game of weight 2 is not two games: it is four to the Massey ranker, and to Colley's two wins in one game.
#
# A Table takes the column of weights of its games, and one expects a game of weight w to count as w games that ended alike.
# MasseyRanker multiplies both sides of a game's equation by w and minimizes the sum of the squares, in which it then has the
# factor w^2. ColleyRanker adds w to the winner and takes it from the loser, but in its matrix, which has how many games
# there were, the game counts once: a rating is no longer a share, and goes beyond 1 with the weight. Weights of 1 are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rankit==0.3.3 numpy==1.26.4 pandas==2.2.3 scipy==1.13.1
cat >"$folder/weights.py" <<'PYTHON'
from importlib.metadata import version

import pandas
from rankit.Ranker import ColleyRanker, MasseyRanker
from rankit.Table import Table

games = [("ann", "bea", 3, 1), ("bea", "cid", 2, 0), ("cid", "ann", 5, 0), ("ann", "dot", 4, 1), ("dot", "bea", 1, 0)]


def ratings(ranker, times=1, weight=1):
    """The third game so many times, or of such a weight."""
    rows = [(*game, 1) for game in games[:2] + games[3:]] + [(*games[2], weight)] * times
    table = Table(pandas.DataFrame(rows, columns=list("abcdw")), list("abcd"), weightcol="w")
    found = ranker().rank(table)
    return dict(sorted(zip(found["name"], found["rating"])))


def is_same(a, b):
    return all(abs(a[name] - b[name]) < 1e-6 for name in a)


def text(found):
    return ", ".join(f"{name} {rating + 0.0:.4f}" for name, rating in found.items())


print("rankit", version("rankit"))
for ranker in (MasseyRanker, ColleyRanker):
    twice, heavy, four_times = ratings(ranker, times=2), ratings(ranker, weight=2), ratings(ranker, times=4)
    print(f"{ranker.__name__}\n  twice     {text(twice)}\n  weight 2  {text(heavy)}\n  4 times   {text(four_times)}")
    assert not is_same(heavy, twice)
    assert is_same(heavy, four_times) == (ranker is MasseyRanker)
beyond = ratings(ColleyRanker, weight=20)
print(f"ColleyRanker, weight 20: {text(beyond)}")
assert beyond["cid"] > 1 and beyond["ann"] < 0
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/weights.py"; then
  echo "rankit 0.3.3 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   rankit 0.3.3
#   MasseyRanker
#     twice     ann -0.5577, bea -0.2500, cid 2.2115, dot -1.4038
#     weight 2  ann -0.9457, bea -0.2500, cid 2.7935, dot -1.5978
#     4 times   ann -0.9457, bea -0.2500, cid 2.7935, dot -1.5978
#   ColleyRanker
#     twice     ann 0.5126, bea 0.4167, cid 0.5884, dot 0.4823
#     weight 2  ann 0.5000, bea 0.4167, cid 0.6042, dot 0.4792
#     4 times   ann 0.4461, bea 0.4167, cid 0.6716, dot 0.4657
#   ColleyRanker, weight 20: ann -1.0000, bea 0.4167, cid 2.4792, dot 0.1042
