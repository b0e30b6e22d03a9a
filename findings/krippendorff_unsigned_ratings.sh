#!/usr/bin/env bash
# krippendorff 0.9.0: alpha of the same ratings is another one if they are kept as unsigned integers: -0.29 instead of 0.999.
#
# alpha takes an array of ratings and is of the level "interval" unless told otherwise. One expects 10 and 11 to be the same
# ratings as uint8, which is how marks in an image or in a packed file are often kept, and unsigned integers are named in the
# code as a kind that it takes. The distance of two values is their difference, squared, and the difference is taken in the
# array's own type: 10 - 11 is 255. Two raters who are one mark apart on a scale to 100 agree nearly wholly, with an alpha of
# 0.999; as uint8 they are said to agree less than by chance, with -0.29, and there is no warning. In wider types it is what
# "nominal" says, nearly. "ratio" is wrong like that; "nominal" and "ordinal" are right. In int8 a difference of 128 and more
# is another one, too. The definition, pair by pair, is below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.3 krippendorff==0.9.0
cat >"$folder/rate.py" <<'PYTHON'
from importlib.metadata import version

import numpy
from krippendorff import alpha

print("krippendorff", version("krippendorff"))
distances = {
    "nominal": lambda a, b: float(a != b),
    "interval": lambda a, b: (a - b) ** 2,
    "ratio": lambda a, b: ((a - b) / (a + b)) ** 2 if a + b else 0,
}


def definition(ratings, level):
    """1 less the mean distance within a unit over that of any two ratings; every rater has rated every unit."""
    distance, units, every = distances[level], list(zip(*ratings)), [x for row in ratings for x in row]
    within = sum(distance(a, b) for unit in units for a in unit for b in unit) / (len(ratings) - 1)
    return 1 - within / (sum(distance(a, b) for a in every for b in every) / (len(every) - 1))


def said(ratings, kind, level):
    return float(alpha(numpy.array(ratings, dtype=kind), level_of_measurement=level))


tables = {
    "one mark apart": [[10, 25, 40, 55, 70, 85, 100], [11, 24, 41, 54, 71, 84, 99]],
    "marks from 1 to 4": [[1, 2, 3, 3, 2, 1, 4, 1, 2], [1, 2, 3, 3, 2, 2, 4, 1, 2], [1, 3, 3, 3, 2, 3, 4, 2, 2]],
}
wrong = {
    "one mark apart": {"interval": -0.286, "ratio": -2.118},
    "marks from 1 to 4": {"interval": 0.649, "ratio": 0.549},
}
for name, ratings in tables.items():
    for level in ("nominal", "ordinal", "interval", "ratio"):
        right = definition(ratings, level) if level in distances else said(ratings, "float64", level)
        kinds = {kind: said(ratings, kind, level) for kind in ("float64", "int64", "uint8", "uint16", "uint64")}
        print(f"{name}, {level}: right {right:.3f};", ", ".join(f"{kind} {round(x, 3) + 0:.3f}" for kind, x in kinds.items()))
        assert all(abs(kinds[kind] - right) < 1e-9 for kind in ("float64", "int64"))
        if level in wrong[name]:
            assert abs(kinds["uint8"] - wrong[name][level]) < 1e-3
            assert all(kinds[kind] < right - 0.1 for kind in ("uint8", "uint16", "uint64"))
            assert level == "ratio" or abs(kinds["uint64"] - definition(ratings, "nominal")) < 1e-6
        else:
            assert all(abs(x - right) < 1e-9 for x in kinds.values())
assert alpha(numpy.array(tables["one mark apart"], dtype="uint8")) < 0  # "interval" is what one gets
ratings = [[-100, 20, 100, -90], [-90, 30, 90, -100]]
print(f"from -100 to 100, interval: right {definition(ratings, 'interval'):.3f}; int8 {said(ratings, 'int8', 'interval'):.3f}")
assert abs(said(ratings, "int64", "interval") - definition(ratings, "interval")) < 1e-9
assert said(ratings, "int8", "interval") < definition(ratings, "interval") - 0.005
PYTHON
if ! "$folder/venv/bin/python" "$folder/rate.py"; then
  echo "krippendorff 0.9.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   krippendorff 0.9.0
#   one mark apart, nominal: right 0.000; float64 0.000, int64 0.000, uint8 0.000, uint16 0.000, uint64 0.000
#   one mark apart, ordinal: right 0.971; float64 0.971, int64 0.971, uint8 0.971, uint16 0.971, uint64 0.971
#   one mark apart, interval: right 0.999; float64 0.999, int64 0.999, uint8 -0.286, uint16 -0.001, uint64 0.000
#   one mark apart, ratio: right 0.998; float64 0.998, int64 0.998, uint8 -2.118, uint16 -1.615, uint64 -1.613
#   marks from 1 to 4, nominal: right 0.650; float64 0.650, int64 0.650, uint8 0.650, uint16 0.650, uint64 0.650
#   marks from 1 to 4, ordinal: right 0.767; float64 0.767, int64 0.767, uint8 0.767, uint16 0.767, uint64 0.767
#   marks from 1 to 4, interval: right 0.796; float64 0.796, int64 0.796, uint8 0.649, uint16 0.650, uint64 0.650
#   marks from 1 to 4, ratio: right 0.716; float64 0.716, int64 0.716, uint8 0.549, uint16 0.550, uint64 0.550
#   from -100 to 100, interval: right 0.993; int8 0.983
