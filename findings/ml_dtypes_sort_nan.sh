#!/usr/bin/env bash
# ml_dtypes 0.6.0 and numpy 2.4.6: with one NaN among bfloat16 or float8 numbers sort leaves them unsorted, and the median is
# some other number.
#
# One expects what NumPy does with its own float16: the NaN comes last, behind the sorted numbers, and the median is NaN.
# ml_dtypes tells NumPy that a NaN and any number are equal, and no order has that. 5, NaN, 3, 1, 4, 2 come out as 5, NaN, 1,
# 2, 3, 4: the best two by argsort are 4 and 3, unique keeps a 2 on either side of a NaN, and the median, which looks for a NaN
# where it would be last, is the 1.5 of a list that is not sorted. max is NaN, nanmedian is right, and without a NaN all is. Of
# 256 numbers with a NaN up to 252 are out of place, and most of them if the sort is to be stable. The one score or gradient
# that has gone wrong hides the largest of the others, and is not where one looks for it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
cat >"$folder/sorting.py" <<'PYTHON'
import math
from importlib.metadata import version

import ml_dtypes
import numpy

print("ml_dtypes", version("ml_dtypes"), "numpy", version("numpy"))
nan = math.nan
numbers = [5, nan, 3, 1, 4, 2]
for kind in (numpy.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2):
    array = numpy.array(numbers, kind)
    best = [float(x) for x in array[numpy.argsort(array)[::-1]] if not numpy.isnan(x)][:2]
    seen = {
        "sort": numpy.sort(array).astype(float).tolist(),
        "best two by argsort": best,
        "median": float(numpy.median(array)),
        "unique of 2, NaN, 2": numpy.unique(numpy.array([2, nan, 2], kind)).astype(float).tolist(),
        "max": float(numpy.max(array)),
        "nanmedian": float(numpy.nanmedian(array)),
    }
    print(kind.__name__, *(f"{name}: {value};" for name, value in seen.items()))
    right = kind is numpy.float16
    expected = {
        "sort": [1, 2, 3, 4, 5, nan] if right else [5, nan, 1, 2, 3, 4],
        "best two by argsort": [5, 4] if right else [4, 3],
        "median": nan if right else 1.5,
        "unique of 2, NaN, 2": [2, nan] if right else [2, nan, 2],
        "max": nan,
        "nanmedian": 3,
    }
    assert all(numpy.array_equal(seen[name], expected[name], equal_nan=True) for name in expected), kind
    assert numpy.sort(numpy.array([5, 3, 1, 4, 2], kind)).astype(float).tolist() == [1, 2, 3, 4, 5]

# Each of 0 to 255 once, but for the one whose place a NaN takes.
whole = (numpy.arange(256) * 77 % 256).astype(float)
for kind in (numpy.float16, ml_dtypes.bfloat16):
    for how in ("quicksort", "stable"):
        misplaced, medians = [], []
        for place in range(256):
            numbers = whole.copy()
            numbers[place] = nan
            array = numpy.array(numbers, kind)
            came = [x for x in numpy.sort(array, kind=how).astype(float) if not math.isnan(x)]
            right = sorted(x for x in numbers if not math.isnan(x))
            misplaced.append(sum(a != b for a, b in zip(came, right, strict=True)))
            medians.append(float(numpy.median(array)))
        print(f"{kind.__name__}, {how}: of 255 numbers and a NaN {min(misplaced)} to {max(misplaced)} are out of place,", end=" ")
        print(f"on the average {numpy.mean(misplaced):.1f}; the median is NaN {sum(map(math.isnan, medians))} times of 256")
        bad = kind is not numpy.float16
        assert max(misplaced) == {"quicksort": 252, "stable": 254}[how] * bad
        assert sum(map(math.isnan, medians)) == (2 if bad else 256)
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/sorting.py"; then
  echo "ml_dtypes 0.6.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   ml_dtypes 0.6.0 numpy 2.4.6
#   float16 sort: [1.0, 2.0, 3.0, 4.0, 5.0, nan]; best two by argsort: [5.0, 4.0]; median: nan; unique of 2, NaN, 2: [2.0, nan]; max: nan; nanmedian: 3.0;
#   bfloat16 sort: [5.0, nan, 1.0, 2.0, 3.0, 4.0]; best two by argsort: [4.0, 3.0]; median: 1.5; unique of 2, NaN, 2: [2.0, nan, 2.0]; max: nan; nanmedian: 3.0;
#   float8_e4m3fn sort: [5.0, nan, 1.0, 2.0, 3.0, 4.0]; best two by argsort: [4.0, 3.0]; median: 1.5; unique of 2, NaN, 2: [2.0, nan, 2.0]; max: nan; nanmedian: 3.0;
#   float8_e5m2 sort: [5.0, nan, 1.0, 2.0, 3.0, 4.0]; best two by argsort: [4.0, 3.0]; median: 1.5; unique of 2, NaN, 2: [2.0, nan, 2.0]; max: nan; nanmedian: 3.0;
#   float16, quicksort: of 255 numbers and a NaN 0 to 0 are out of place, on the average 0.0; the median is NaN 256 times of 256
#   float16, stable: of 255 numbers and a NaN 0 to 0 are out of place, on the average 0.0; the median is NaN 256 times of 256
#   bfloat16, quicksort: of 255 numbers and a NaN 0 to 252 are out of place, on the average 6.4; the median is NaN 2 times of 256
#   bfloat16, stable: of 255 numbers and a NaN 0 to 254 are out of place, on the average 226.4; the median is NaN 2 times of 256
