#!/usr/bin/env bash
# pymcdm 1.4.0: wsc multiplies by what it has to divide by: weights that could not differ more have a similarity, not 0.
#
# The weights similarity coefficient is 1 less half the sum of the differences divided by 1 less the smallest weight of the
# first, which is the most that half the sum can be; so it is 0 at worst, "in range [0, 1], where 0 is different weights", as
# the documentation has it. The source says sum / 2 * (1 - min), and Python multiplies. Of the weights 0.4, 0.4, 0.2 and
# 0, 0, 1, the farthest from them that there are, it says 0.36 instead of 0, and for n equal weights it never gets below
# (2n - 1) / n^2. With a smallest weight of 0 both are the same. wsc2, the symmetric one, divides by nothing and is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymcdm==1.4.0
cat >"$folder/similarity.py" <<'PYTHON'
from importlib.metadata import version

import numpy
from pymcdm.correlations import wsc, wsc2

print("pymcdm", version("pymcdm"))
for first, second in (([0.4, 0.4, 0.2], [0, 0, 1]), ([1 / 4] * 4, [1, 0, 0, 0]), ([1 / 2] * 2, [1, 0]), ([1, 0], [0, 1])):
    half = numpy.abs(numpy.subtract(first, second)).sum() / 2
    right = 1 - half / (1 - min(first))
    seen = float(wsc(first, second))
    print(f"{first} and {second}: wsc {seen:.4f}, by the formula {abs(right):.4f}, wsc2 {float(wsc2(first, second)):.4f}")
    assert abs(right) < 1e-12 and abs(seen - (1 - (1 - min(first)) ** 2)) < 1e-12
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/similarity.py"; then
  echo "pymcdm 1.4.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   pymcdm 1.4.0
#   [0.4, 0.4, 0.2] and [0, 0, 1]: wsc 0.3600, by the formula 0.0000, wsc2 0.2000
#   [0.25, 0.25, 0.25, 0.25] and [1, 0, 0, 0]: wsc 0.4375, by the formula 0.0000, wsc2 0.2500
#   [0.5, 0.5] and [1, 0]: wsc 0.7500, by the formula 0.0000, wsc2 0.5000
#   [1, 0] and [0, 1]: wsc 0.0000, by the formula 0.0000, wsc2 0.0000
