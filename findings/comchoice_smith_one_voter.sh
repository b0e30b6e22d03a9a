#!/usr/bin/env bash
# comchoice 0.1.3: smith_set takes one voter for a majority, and so returns nearly everybody.
#
# The Smith set is the smallest set of candidates each of whom beats everybody outside of it: one voter in a hundred with the
# opposite ranking changes nothing, and one expects A alone, whom 99 put first. smith_set returns all four. It goes on from a
# candidate to whoever is preferred to that one by some voter, where that has to be more than a half, and ends only where the
# voters are unanimous. On the same ballots condorcet names A as the winner over each of the others. Of 40 elections at
# random of five voters and four candidates 36 have a Smith set of one, as a search through all sets says here; smith_set is
# right in none of these: it returns all four in 35, and three in the other one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==1.26.4 scipy==1.12.0 pandas==2.3.3 networkx==3.4.2 tqdm==4.70.1
# Without what serves its rules to the web and draws.
"${pip[@]}" --no-deps comchoice==0.1.3
cat >"$folder/elect.py" <<'PYTHON'
import random
import sys
from importlib.metadata import version
from itertools import combinations
from types import ModuleType

import pandas

for name in ("seaborn", "matplotlib", "matplotlib.pyplot"):  # imported for drawings only
    sys.modules[name] = ModuleType(name)
from comchoice.aggregate import condorcet, smith_set  # noqa: E402

print("comchoice", version("comchoice"))


def table(ballots):
    return pandas.DataFrame({"ballot": [">".join(ranking) for ranking in ballots], "voters": list(ballots.values())})


def beats(ballots, x, y):
    return sum(count if r.index(x) < r.index(y) else -count for r, count in ballots.items()) > 0


def right(ballots, names):
    """The smallest set whose members each beat everybody else: all sets are tried, the smaller ones first."""
    for size in range(1, len(names) + 1):
        for some in combinations(names, size):
            if all(beats(ballots, x, y) for x in some for y in names if y not in some):
                return "".join(some)


for ballots, expected in (({"ABCD": 100}, "A"), ({"ABCD": 99, "DCBA": 1}, "ABCD"), ({"ABCD": 99, "BACD": 1}, "AB")):
    said, winner = "".join(sorted(smith_set(table(ballots)))), condorcet(table(ballots), weak=False)["alternative"].iloc[0]
    print(f"{ballots}: {said}, right {right(ballots, 'ABCD')}; condorcet says {winner}")
    assert said == expected and right(ballots, "ABCD") == winner == "A"

random.seed(0)
sizes = []
for _ in range(40):
    ballots = {}
    for _ in range(5):
        ranking = "".join(random.sample("ABCD", 4))
        ballots[ranking] = ballots.get(ranking, 0) + 1
    said, smith = smith_set(table(ballots)), right(ballots, "ABCD")
    assert set(smith) <= set(said)
    sizes.append((len(said), len(smith)))
for right_size in sorted({b for _, b in sizes}):
    said_sizes = [a for a, b in sizes if b == right_size]
    print(f"of 40 elections {len(said_sizes)} have a Smith set of {right_size}; said to be of", *said_sizes)
assert [sum(b == k for _, b in sizes) for k in (1, 2, 3, 4)] == [36, 0, 3, 1]
assert sorted(a for a, b in sizes if b == 1) == [3] + [4] * 35
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/elect.py"; then
  echo "comchoice 0.1.3 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   comchoice 0.1.3
#   {'ABCD': 100}: A, right A; condorcet says A
#   {'ABCD': 99, 'DCBA': 1}: ABCD, right A; condorcet says A
#   {'ABCD': 99, 'BACD': 1}: AB, right A; condorcet says A
#   of 40 elections 36 have a Smith set of 1; said to be of 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 3 4
#   of 40 elections 3 have a Smith set of 3; said to be of 4 4 4
#   of 40 elections 1 have a Smith set of 4; said to be of 4
