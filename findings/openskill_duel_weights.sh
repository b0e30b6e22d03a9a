#!/usr/bin/env bash
# openskill 6.2.0: in a duel any weight is the weight 2: weights of 1, or of a half, double the winner's gain and halve the
# loser's loss.
#
# One expects weights of 1 to be no weights, a weight of 1/2 to make a battle count for less (the confidence of a judge, say)
# and one of 5 for more. rate() first spreads the weights of each team over weight_bounds, 1 to 2 unless told otherwise, by
# their least and greatest; the one weight of a team of one becomes 2, whatever it was. So (1, 1), (0.5, 0.5) and (5, 5) are
# the same update, by which the ratings' sum grows: among equals the winner gains twice, the loser loses half.
# In teams of two equal weights are 1, and (1, 1.0001) is (1, 2). With weight_bounds=(1.0, 1.0) every weight is 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openskill==6.2.0
cat >"$folder/weights.py" <<'PYTHON'
from importlib.metadata import version

from openskill.models import BradleyTerryFull, PlackettLuce

print("openskill", version("openskill"))


def gains(model, weights):
    options = {} if weights is None else {"weights": weights}
    teams = model.rate([[model.rating()], [model.rating()]], ranks=[1, 2], **options)
    return [round(team[0].mu - 25, 3) for team in teams]


for kind in (PlackettLuce, BradleyTerryFull):
    without = gains(kind(), None)
    for weight in (1.0, 0.5, 5.0):
        weighted, bounded = (gains(model, [[weight], [weight]]) for model in (kind(), kind(weight_bounds=(1.0, 1.0))))
        print(f"{kind.__name__}: gains {without}, of weights {weight} {weighted}, of bounds 1 and 1 {bounded}")
        assert abs(weighted[0] - 2 * without[0]) < 0.002 and abs(weighted[1] - without[1] / 2) < 0.002
        assert bounded == without
PYTHON
if ! "$folder/venv/bin/python" "$folder/weights.py"; then
  echo "openskill 6.2.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   openskill 6.2.0
#   PlackettLuce: gains [2.635, -2.635], of weights 1.0 [5.271, -1.318], of bounds 1 and 1 [2.635, -2.635]
#   PlackettLuce: gains [2.635, -2.635], of weights 0.5 [5.271, -1.318], of bounds 1 and 1 [2.635, -2.635]
#   PlackettLuce: gains [2.635, -2.635], of weights 5.0 [5.271, -1.318], of bounds 1 and 1 [2.635, -2.635]
#   BradleyTerryFull: gains [2.635, -2.635], of weights 1.0 [5.271, -1.318], of bounds 1 and 1 [2.635, -2.635]
#   BradleyTerryFull: gains [2.635, -2.635], of weights 0.5 [5.271, -1.318], of bounds 1 and 1 [2.635, -2.635]
#   BradleyTerryFull: gains [2.635, -2.635], of weights 5.0 [5.271, -1.318], of bounds 1 and 1 [2.635, -2.635]
