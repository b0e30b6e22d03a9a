#!/usr/bin/env bash
# comchoice 0.1.3: in Phragmén's rule the first seat goes to whoever is first in the alphabet.
#
# Sequential Phragmén elects whoever asks the least of those who approve: 1 / approvals for the first seat, so that one
# expects it to go to whoever is approved by most. phragmen computes these numbers and takes the first one of a table that is
# sorted by name, not the least. Ann, whom 1 of 100 approves, is elected before Bob, whom 99 approve; with the name Zoe she is
# not. The later seats are given out rightly after that: of 20 elections at random of four candidates each has A among its
# two winners, and once the names of A and of whoever should be first are swapped all elect whom the rule elects, as it is
# computed here in fractions.
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
from fractions import Fraction
from importlib.metadata import version
from types import ModuleType

import pandas

for name in ("seaborn", "matplotlib", "matplotlib.pyplot"):  # imported for drawings only
    sys.modules[name] = ModuleType(name)
from comchoice.aggregate import phragmen  # noqa: E402

print("comchoice", version("comchoice"))


def said(ballots, seats):
    table = pandas.DataFrame({"ballot": [",".join(of) for of in ballots], "voters": list(ballots.values())})
    return sorted(phragmen(table, n_seats=seats)["alternative"])


def right(ballots, seats):
    """The elected, one after the other: whoever has the least of (1 + what the approving have borne) / their number."""
    borne, elected = dict.fromkeys(ballots, Fraction(0)), []
    for _ in range(seats):
        asked = {}
        for x in sorted({x for of in ballots for x in of} - set(elected)):
            voters = {of: count for of, count in ballots.items() if x in of}
            asked[x] = (1 + sum(count * borne[of] for of, count in voters.items())) / sum(voters.values())
        least = [x for x in asked if asked[x] == min(asked.values())]
        if len(least) > 1:
            return None  # a tie, of which this says nothing
        elected += least
        borne.update({of: asked[least[0]] for of in ballots if least[0] in of})
    return elected


def swapped(ballots, x, y):
    names = {x: y, y: x}
    return {tuple(sorted(names.get(z, z) for z in of)): count for of, count in ballots.items()}


for ballots, seats, expected in (
    ({("Ann",): 1, ("Bob",): 99}, 1, ["Ann"]),
    ({("Bob",): 99, ("Zoe",): 1}, 1, ["Bob"]),
    ({("Ann",): 1, ("Bob",): 60, ("Cem",): 39}, 2, ["Ann", "Bob"]),
):
    shown = ", ".join(f"{count} {'+'.join(of)}" for of, count in ballots.items())
    print(f"{shown}; of {seats}: elected", *said(ballots, seats), "right", *sorted(right(ballots, seats)))
    assert said(ballots, seats) == expected

random.seed(0)
elections = []
while len(elections) < 20:
    ballots = {tuple(sorted(random.sample("ABCD", random.randint(1, 3)))): random.randint(1, 99) for _ in range(6)}
    if {x for of in ballots for x in of} == set("ABCD") and right(ballots, 2):
        elections.append(ballots)
with_a = sum("A" in said(ballots, 2) for ballots in elections)
should = sum("A" in right(ballots, 2) for ballots in elections)
others = sum(said(ballots, 2) != sorted(right(ballots, 2)) for ballots in elections)
print(f"of 20 elections {with_a} elect A, who should be elected in {should}; {others} elect others than they should")
assert with_a == 20 > should and others > 0
for ballots in elections:
    first = right(ballots, 2)[0]
    assert said(swapped(ballots, "A", first), 2) == sorted({"A": first, first: "A"}.get(x, x) for x in right(ballots, 2))
print("with the names of A and of whoever should be first swapped: all elect whom they should")
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/elect.py"; then
  echo "comchoice 0.1.3 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   comchoice 0.1.3
#   1 Ann, 99 Bob; of 1: elected Ann right Bob
#   99 Bob, 1 Zoe; of 1: elected Bob right Bob
#   1 Ann, 60 Bob, 39 Cem; of 2: elected Ann Bob right Bob Cem
#   of 20 elections 20 elect A, who should be elected in 15; 6 elect others than they should
#   with the names of A and of whoever should be first swapped: all elect whom they should
