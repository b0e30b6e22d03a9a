#!/usr/bin/env bash
# votekit 3.5.0: whom a ballot puts together on one place loses, head to head, to all whom it puts below.
#
# One expects a ballot with A and B together before C to be a vote for A and for B against C. The head-to-head counts look
# each place up among the sets of one candidate; a place of two is not there, is skipped, and its candidates are not noted as
# seen. C comes next and is counted as preferred to all who have not been seen: to A and to B. So of ten such ballots
# pairwise_dict has C before A ten times, C is the Condorcet winner, and RankedPairs and Schulze elect C, whom all have put
# last. There is no message: a profile is only refused when no ballot at all ranks as many places as one has candidates, and
# then until max_ranking_length is given. Borda and first_place_votes take the same ballots as they are meant.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check votekit==3.5.0
cat >"$folder/elect.py" <<'PYTHON'
from importlib.metadata import version

from votekit.ballot import RankBallot
from votekit.elections import Borda, RankedPairs, Schulze
from votekit.graphs.pairwise_comparison_graph import PairwiseComparisonGraph, pairwise_dict
from votekit.pref_profile import RankProfile

print("votekit", version("votekit"))
together = RankBallot(ranking=[{"A", "B"}, {"C"}], weight=10)
apart = RankBallot(ranking=[{"A"}, {"B"}, {"C"}], weight=4)
profile = RankProfile(ballots=[together, apart])
pairs = {pair: tuple(map(int, counts)) for pair, counts in pairwise_dict(profile).items()}
winner = PairwiseComparisonGraph(profile).get_condorcet_winner()
print(f"10 ballots with A and B before C, 4 with A before B before C: {pairs}, Condorcet winner {winner}")
assert winner == "C"
assert pairs == {("A", "B"): (4, 0), ("A", "C"): (4, 10), ("B", "C"): (4, 10)}
for rule in (RankedPairs, Schulze, Borda):
    elected = [sorted(place) for place in rule(profile, n_seats=1).get_elected()]
    print(f"{rule.__name__} elects {elected}")
    assert elected == [["A"] if rule is Borda else ["C"]]
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/elect.py"; then
  echo "votekit 3.5.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   votekit 3.5.0
#   10 ballots with A and B before C, 4 with A before B before C: {('A', 'B'): (4, 0), ('A', 'C'): (4, 10),
#   ('B', 'C'): (4, 10)}, Condorcet winner C
#   RankedPairs elects [['C']]
#   Schulze elects [['C']]
#   Borda elects [['A']]
