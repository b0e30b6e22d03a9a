#!/usr/bin/env bash
# pref_voting 1.18.2: add_unranked_candidates makes of each kind of ballot one voter, and so another candidate wins.
#
# One expects the ballots of a ProfileWithTies to get the candidates that they leave out at their end, "for each voter", as
# the documentation says, and nothing else to change. The new profile is made of the kinds of ballots, without how many
# voters each has: 60 voters, 20 and 20 are three, and the 60 have lost. Kinds that become the same are counted 1 each, too.
# There is no message, and the profile is valid. Where each voter has a ballot of his own, as in a profile made without
# rcounts, all is right, so small tests pass; anonymize and the readers of PrefLib's files make profiles with rcounts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pref_voting==1.18.2
cat >"$folder/add.py" <<'PYTHON'
from importlib.metadata import version

from pref_voting.profiles_with_ties import ProfileWithTies

print("pref_voting", version("pref_voting"))
ballots, voters = [{0: 1}, {1: 1, 2: 2}, {1: 1, 0: 2}], [60, 20, 20]
for name, profile in (
    ("kinds of ballots with their voters", ProfileWithTies(ballots, rcounts=voters)),
    ("each voter's ballot by itself", ProfileWithTies([b for b, n in zip(ballots, voters) for _ in range(n)])),
):
    before, after = profile.plurality_scores(), profile.add_unranked_candidates()
    print(f"{name}: {int(profile.num_voters)} voters, first places {before};",
          f"with the unranked ones {int(after.num_voters)} voters, {after.plurality_scores()}")
    assert profile.num_voters == 100 and before == {0: 60, 1: 40, 2: 0}
    if profile.rcounts == voters:
        assert after.num_voters == 3 and after.plurality_scores() == {0: 1, 1: 2, 2: 0}
    else:
        assert after.num_voters == 100 and after.plurality_scores() == before
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/add.py"; then
  echo "pref_voting 1.18.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   pref_voting 1.18.2
#   kinds of ballots with their voters: 100 voters, first places {0: 60, 1: 40, 2: 0}; with the unranked ones 3 voters, {0: 1, 1: 2, 2: 0}
#   each voter's ballot by itself: 100 voters, first places {0: 60, 1: 40, 2: 0}; with the unranked ones 100 voters, {0: 60, 1: 40, 2: 0}
