#!/usr/bin/env bash
# arena-rank 0.1.1: battles whose winner is not spelled model_a or model_b are ties, and ties are certain.
#
# One expects 99 wins of 100 to be worth something however the winner is written (by the model's name, as "left" and
# "right", "A" and "B", or 1 and 0), or else to be refused. from_pandas looks the text up in a dictionary and takes
# whatever is not there for a tie, a missing cell and "model_a " with a blank behind it, too. Both models get the same
# rating, and the interval around it, of a sandwich estimate whose residuals are then all 0, has the width 0: as if it
# were known for sure that they are equal. An outcome_map of one's own is the way to say what the texts are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check arena-rank==0.1.1 jax==0.8.1 numpy==2.3.3 pandas==3.1.1
cat >"$folder/battles.py" <<'PYTHON'
from importlib.metadata import version

import numpy
import pandas
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.utils.data_utils import PairDataset

print("arena-rank", version("arena-rank"))
for won, lost in (("model_a", "model_b"), ("good", "bad"), ("left", "right"), ("A", "B"), (1, 0), ("model_a ", "model_b ")):
    battles = pandas.DataFrame({"model_a": ["good"] * 100, "model_b": ["bad"] * 100, "winner": [won] * 99 + [lost]})
    fitted = BradleyTerry(2).compute_ratings_and_cis(PairDataset.from_pandas(battles))
    good = fitted["competitors"].index("good")
    rating, lower, upper = (round(float(numpy.asarray(fitted[name])[good])) for name in ("ratings", "rating_lower", "rating_upper"))
    print(f"99 of 100 for {won!r}: the better one at {rating}, from {lower} to {upper}")
    assert (rating > 1300 and lower < rating < upper) if won == "model_a" else rating == lower == upper == 1000
PYTHON
if ! "$folder/venv/bin/python" "$folder/battles.py" 2>"$folder/warnings"; then
  cat "$folder/warnings" >&2
  echo "arena-rank 0.1.1 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   arena-rank 0.1.1
#   99 of 100 for 'model_a': the better one at 1399, from 1228 to 1570
#   99 of 100 for 'good': the better one at 1000, from 1000 to 1000
#   99 of 100 for 'left': the better one at 1000, from 1000 to 1000
#   99 of 100 for 'A': the better one at 1000, from 1000 to 1000
#   99 of 100 for 1: the better one at 1000, from 1000 to 1000
#   99 of 100 for 'model_a ': the better one at 1000, from 1000 to 1000
