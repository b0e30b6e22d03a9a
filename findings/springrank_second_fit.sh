#!/usr/bin/env bash
# springrank 0.0.10: after a second fit the probabilities are made of the new ranks and the first fit's inverse temperature.
#
# predict(i, j) is 1 / (1 + exp(-2 beta (s_i - s_j))), and beta is fitted to the network when it is first wanted. fit() sets
# new ranks, but not the mark that beta is known: a model that has predicted once keeps its beta for every network that it
# is fitted to from then on, and nothing says so. Ranks are right; predict, get_beta and get_rescaled_ranks are another
# network's. A new object for each fit is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check springrank==0.0.10 numpy==2.2.6 scipy==1.15.3
cat >"$folder/fits.py" <<'PYTHON'
from importlib.metadata import version

import numpy
from springrank.springrank import SpringRank

clear = numpy.array([[0, 3, 3, 2], [1, 0, 3, 3], [1, 1, 0, 3], [0, 1, 1, 0]], float)
close = numpy.array([[0, 6, 5, 6], [4, 0, 5, 6], [5, 5, 0, 6], [4, 4, 4, 0]], float)

print("springrank", version("springrank"))
again = SpringRank(inverse_temp_fit_warning=False)
first = again.fit(clear).get_beta()
again.fit(close)
fresh = SpringRank(inverse_temp_fit_warning=False).fit(close)
assert numpy.array_equal(again.ranks, fresh.ranks)
for name, model in (("fitted before", again), ("fresh", fresh)):
    print(f"{name:13}  beta {model.get_beta():.4f}  P(0 over 3) {model.predict([0, 3]):.4f}")
assert again.get_beta() == first and abs(first - fresh.get_beta()) > 0.1
assert abs(again.predict([0, 3]) - fresh.predict([0, 3])) > 0.01
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/fits.py"; then
  echo "springrank 0.0.10 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   springrank 0.0.10
#   fitted before  beta 1.2278  P(0 over 3) 0.6488
#   fresh          beta 1.0149  P(0 over 3) 0.6242
