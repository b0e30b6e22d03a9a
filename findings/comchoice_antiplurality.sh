#!/usr/bin/env bash
# comchoice 0.1.3: antiplurality counts the first places, not the last ones, and leaves out whoever has none.
#
# By antiplurality, or veto, the fewest last places win. The function is plurality, sorted the other way: who has the fewest
# first places, but at least one, is first. Of nine voters four say A>B>C, three B>A>C and two C>A>B. C is last for seven
# and comes out first; A, last for nobody, comes out last. Of A>B>C and C>B>A, B is nobody's last, wins by the rule, and is
# not in the table at all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==1.26.4 scipy==1.12.0 pandas==2.3.3 networkx==3.4.2 tqdm==4.70.1
# Without what serves its rules to the web and draws.
"${pip[@]}" --no-deps comchoice==0.1.3
cat >"$folder/elect.py" <<'PYTHON'
import sys
from importlib.metadata import version
from types import ModuleType

import pandas

for name in ("seaborn", "matplotlib", "matplotlib.pyplot"):  # imported for drawings only
    sys.modules[name] = ModuleType(name)
from comchoice.aggregate import antiplurality  # noqa: E402

print("comchoice", version("comchoice"))
for ballots, expected in (
    ({"A>B>C": 4, "B>A>C": 3, "C>A>B": 2}, {"C": 1, "B": 2, "A": 3}),
    ({"A>B>C": 5, "C>B>A": 4}, {"C": 1, "A": 2}),
):
    last = {a: sum(n for ballot, n in ballots.items() if ballot.endswith(a)) for a in "ABC"}
    table = antiplurality(pandas.DataFrame({"ballot": list(ballots), "voters": list(ballots.values())}))
    ranks = {a: int(rank) for a, rank in zip(table["alternative"], table["rank"])}
    print(f"{ballots}: last places {last}, ranks by antiplurality {ranks}")
    assert ranks == expected
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/elect.py"; then
  echo "comchoice 0.1.3 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   comchoice 0.1.3
#   {'A>B>C': 4, 'B>A>C': 3, 'C>A>B': 2}: last places {'A': 0, 'B': 2, 'C': 7}, ranks by antiplurality {'C': 1, 'B': 2, 'A': 3}
#   {'A>B>C': 5, 'C>B>A': 4}: last places {'A': 4, 'B': 0, 'C': 5}, ranks by antiplurality {'C': 1, 'A': 2}
