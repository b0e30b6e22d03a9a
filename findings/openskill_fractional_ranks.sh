#!/usr/bin/env bash
# openskill 6.2.0, PlackettLuce: ranks that differ behind the decimal point are ties.
#
# "ranks: A list of floats where the lower values represent winners", and one expects the order of any numbers to count, as
# it does in the other four models: losses, error rates or times of the competitors, or ranks averaged over judges. This
# model cuts them to whole numbers before it compares: 0.1 and 0.9 are both 0, and what comes out is a draw, with certainty
# gained; 0.9 beats 1.1, 1.1 and 1.9 do not differ. The same order as scores (higher is better), or as whole ranks, counts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openskill==6.2.0
cat >"$folder/ranks.py" <<'PYTHON'
from importlib.metadata import version

from openskill.models import BradleyTerryFull, BradleyTerryPart, PlackettLuce, ThurstoneMostellerFull, ThurstoneMostellerPart

print("openskill", version("openskill"))


def rated(model, **outcome):
    teams = model.rate([[model.rating()] for _ in range(3)], **outcome)
    return [round(team[0].mu, 2) for team in teams], [round(team[0].sigma, 2) for team in teams]


for kind in (BradleyTerryFull, BradleyTerryPart, ThurstoneMostellerFull, ThurstoneMostellerPart, PlackettLuce):
    model = kind()
    whole, fractions, tied = (rated(model, ranks=ranks) for ranks in ([1, 2, 3], [0.1, 0.5, 0.9], [1, 1, 1]))
    print(f"{kind.__name__}: of ranks 1, 2, 3 mu {whole[0]}, of 0.1, 0.5, 0.9 {fractions[0]}, of a draw {tied[0]}")
    assert fractions == (tied if kind is PlackettLuce else whole) and whole[0][0] > 25 > whole[0][2]
    assert rated(model, scores=[0.9, 0.5, 0.1]) == whole
fractions, sigmas = rated(PlackettLuce(), ranks=[0.1, 0.5, 0.9])
print("PlackettLuce, ranks 0.1, 0.5, 0.9: sigma", sigmas, "before", round(PlackettLuce().rating().sigma, 2))
assert max(sigmas) < PlackettLuce().rating().sigma
PYTHON
if ! "$folder/venv/bin/python" "$folder/ranks.py"; then
  echo "openskill 6.2.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   openskill 6.2.0
#   BradleyTerryFull: of ranks 1, 2, 3 mu [30.27, 25.0, 19.73], of 0.1, 0.5, 0.9 [30.27, 25.0, 19.73], of a draw [25.0, 25.0, 25.0]
#   BradleyTerryPart: of ranks 1, 2, 3 mu [27.64, 25.0, 22.36], of 0.1, 0.5, 0.9 [27.64, 25.0, 22.36], of a draw [25.0, 25.0, 25.0]
#   ThurstoneMostellerFull: of ranks 1, 2, 3 mu [33.46, 25.0, 16.54], of 0.1, 0.5, 0.9 [33.46, 25.0, 16.54], of a draw [25.0, 25.0, 25.0]
#   ThurstoneMostellerPart: of ranks 1, 2, 3 mu [27.11, 25.0, 22.89], of 0.1, 0.5, 0.9 [27.11, 25.0, 22.89], of a draw [25.0, 25.0, 25.0]
#   PlackettLuce: of ranks 1, 2, 3 mu [27.87, 25.72, 21.41], of 0.1, 0.5, 0.9 [25.0, 25.0, 25.0], of a draw [25.0, 25.0, 25.0]
#   PlackettLuce, ranks 0.1, 0.5, 0.9: sigma [8.21, 8.21, 8.21] before 8.33
