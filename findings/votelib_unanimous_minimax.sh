#!/usr/bin/env bash
# votelib 0.4.0: in MinimaxCondorcet a candidate whom every voter puts first does not take part, and another one wins.
#
# Minimax elects the candidate whose worst defeat is the least. Five voters prefer A to B: one expects A. votelib elects B.
# The counts of pairs, as its own converter makes them from rankings, have the pairs that some voter has in that order, and
# only who is second in one of them gets a worst defeat, and with it a place. Who is below nobody on all of the ballots has
# none, and whoever would be second wins, with each of the three ways to score a defeat. Of 2000 elections at random of three
# voters and four candidates 127 have such a candidate, and these are the ones whose winners differ from those computed here.
# RankedPairs, Copeland and Schulze elect A. Copeland and Schulze leave out a candidate who is tied with every other one: of
# the Copeland scores 1 of B, 0 of A and -1 of C two seats go to B and C.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check votelib==0.4.0
cat >"$folder/elect.py" <<'PYTHON'
import random
from importlib.metadata import version

from votelib.convert import RankedToCondorcetVotes
from votelib.evaluate.condorcet import Copeland, CondorcetWinner, MinimaxCondorcet, RankedPairs, Schulze
from votelib.evaluate.core import Tie

print("votelib", version("votelib"))


def elected(method, ballots, n=1):
    """What it elects from counts of rankings, each place in a list of its own, as it may be a tie."""
    pairs = RankedToCondorcetVotes().convert({tuple(ranking): count for ranking, count in ballots.items()})
    return [sorted(place) if isinstance(place, Tie) else [place] for place in method.evaluate(pairs, n)]


def prefer(ballots, x, y):
    return sum(count for ranking, count in ballots.items() if ranking.index(x) < ranking.index(y))


defeats = {
    "winning_votes": lambda won, lost: won if won > lost else 0,
    "margins": lambda won, lost: won - lost,
    "pairwise_opposition": lambda won, lost: won,
}


def minimax(scoring, ballots, names):
    """The candidates whose worst defeat by another one is the least."""
    worst = {x: max(defeats[scoring](prefer(ballots, y, x), prefer(ballots, x, y)) for y in names if y != x) for x in names}
    return sorted(x for x in names if worst[x] == min(worst.values()))


for ballots in ({"AB": 5}, {"ABC": 3, "ACB": 2}, {"ABC": 4, "BAC": 1}):
    names = sorted(next(iter(ballots)))
    pairs = RankedToCondorcetVotes().convert({tuple(ranking): count for ranking, count in ballots.items()})
    others = [elected(method, ballots) for method in (RankedPairs(), Copeland(), Schulze())]
    assert others == [[["A"]]] * 3 and CondorcetWinner().evaluate(pairs) == ["A"]
    for scoring in defeats:
        said = elected(MinimaxCondorcet(scoring), ballots)
        print(ballots, scoring, "elects", *said, "right", minimax(scoring, ballots, names))
        assert minimax(scoring, ballots, names) == ["A"]
        assert said == [["A"] if "BAC" in ballots else names[1:]]

random.seed(0)
names = "ABCD"
unanimous, differ = 0, {scoring: 0 for scoring in defeats}
for _ in range(2000):
    ballots = {}
    for _ in range(3):
        ranking = "".join(random.sample(names, 4))
        ballots[ranking] = ballots.get(ranking, 0) + 1
    first = len({ranking[0] for ranking in ballots}) == 1
    unanimous += first
    for scoring in defeats:
        same = elected(MinimaxCondorcet(scoring), ballots) == [minimax(scoring, ballots, names)]
        differ[scoring] += not same
        assert same != first
print(f"of 2000 elections {unanimous} have a candidate whom all put first; other winners:", differ)
assert set(differ.values()) == {unanimous}

ballots = {"ABC": 5, "BCA": 5}
for method, right in ((Copeland(), [["B"], ["A"]]), (Schulze(), [["B"], ["A", "C"]])):
    said = elected(method, ballots, 2)
    print(ballots, type(method).__name__, "elects", *said, "right", *right)
    assert said == [["B"], ["C"]]
PYTHON
if ! "$folder/venv/bin/python" "$folder/elect.py"; then
  echo "votelib 0.4.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   votelib 0.4.0
#   {'AB': 5} winning_votes elects ['B'] right ['A']
#   {'AB': 5} margins elects ['B'] right ['A']
#   {'AB': 5} pairwise_opposition elects ['B'] right ['A']
#   {'ABC': 3, 'ACB': 2} winning_votes elects ['B', 'C'] right ['A']
#   {'ABC': 3, 'ACB': 2} margins elects ['B', 'C'] right ['A']
#   {'ABC': 3, 'ACB': 2} pairwise_opposition elects ['B', 'C'] right ['A']
#   {'ABC': 4, 'BAC': 1} winning_votes elects ['A'] right ['A']
#   {'ABC': 4, 'BAC': 1} margins elects ['A'] right ['A']
#   {'ABC': 4, 'BAC': 1} pairwise_opposition elects ['A'] right ['A']
#   of 2000 elections 127 have a candidate whom all put first; other winners: {'winning_votes': 127, 'margins': 127, 'pairwise_opposition': 127}
#   {'ABC': 5, 'BCA': 5} Copeland elects ['B'] ['C'] right ['B'] ['A']
#   {'ABC': 5, 'BCA': 5} Schulze elects ['B'] ['C'] right ['B'] ['A', 'C']
