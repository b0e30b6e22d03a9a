#!/usr/bin/env bash
# tinygrad 0.14.0: with a NaN, sort and topk return other numbers than they were given: some twice, some not at all.
#
# One expects the same numbers in another order, and the NaN at an end, as of numpy. The sort is a network that puts the
# smaller and the larger of two in their places, by minimum and maximum. Of a number and a NaN both are the one that stands
# first: a NaN behind a number becomes a second copy of it, and a number behind a NaN a second NaN. 3, NaN, 1, 2 is 1, 2, 3,
# 3, and the best two are 3 and 3, both at the place of the 3; NaN, 3, 2, 1 is four NaN, all at the place 0. Of eight numbers
# the rest need not even be in order. With one score of a batch that is NaN an item is chosen twice, or is gone, and a median
# or a threshold is made of numbers that were not there. max of one that stands before a NaN is that one, too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tinygrad==0.14.0 numpy==2.3.3
cat >"$folder/sort.py" <<'PYTHON'
import math
from importlib.metadata import version

import numpy
from tinygrad import Device, Tensor

print("tinygrad", version("tinygrad"), "on", Device.DEFAULT)
nan = math.nan


def nan_free(numbers):
    return not any(math.isnan(x) for x in numbers)


def text(numbers):
    return " ".join(f"{x:g}" for x in numbers)


for row, right, places in (
    ([3.0, nan, 1.0, 2.0], [1, 2, 3, 3], [2, 3, 0, 0]),
    ([nan, 3.0, 2.0, 1.0], [nan] * 4, [0] * 4),
    ([3.0, 4.0, 1.0, 2.0], [1, 2, 3, 4], [2, 3, 0, 1]),
):
    values, indices = (x.tolist() for x in Tensor(row).sort())
    best, best_indices = (x.tolist() for x in Tensor(row).topk(2))
    greatest = Tensor(row).max().item()
    print(f"{text(row)}: sorted {text(values)} at {text(indices)}, numpy's {text(numpy.sort(row))}; "
          f"the best two {text(best)} at {text(best_indices)}; max {greatest:g}")
    assert numpy.array_equal(values, right, equal_nan=True) and indices == places
    assert numpy.array_equal(best, right[:1:-1], equal_nan=True)
    assert numpy.array_equal(greatest, right[-1], equal_nan=True)

lost, ordered = [], []
for place in range(8):
    row = [5.0, 2.0, 7.0, 1.0, 4.0, 8.0, 6.0, 3.0]
    row[place] = nan
    values = Tensor(row).sort()[0].tolist()
    lost.append(len(set(row[:place] + row[place + 1:]) - set(values)))
    ordered.append(values == sorted(values))
    print(f"{text(row)}: sorted {text(values)}, {lost[-1]} of 7 numbers are gone")
    assert nan_free(values) or place == 0
assert lost == [7, 0, 0, 1, 1, 0, 0, 3] and not any((ordered[3], ordered[4], ordered[7]))
PYTHON
# Its own interpreter of its kernels, which needs no compiler, and the device CPU where there is clang.
devices=(PYTHON)
if command -v clang >/dev/null; then devices+=(CPU); fi
for device in "${devices[@]}"; do
  if ! XDG_CACHE_HOME=$folder DEV=$device "$folder/venv/bin/python" "$folder/sort.py"; then
    echo "tinygrad 0.14.0 does something else than is said here on $device" >&2
    exit 1
  fi
done
# Seen:
#   tinygrad 0.14.0 on PYTHON
#   3 nan 1 2: sorted 1 2 3 3 at 2 3 0 0, numpy's 1 2 3 nan; the best two 3 3 at 0 0; max 3
#   nan 3 2 1: sorted nan nan nan nan at 0 0 0 0, numpy's 1 2 3 nan; the best two nan nan at 0 0; max nan
#   3 4 1 2: sorted 1 2 3 4 at 2 3 0 1, numpy's 1 2 3 4; the best two 4 3 at 1 0; max 4
#   nan 2 7 1 4 8 6 3: sorted nan nan nan nan nan nan nan nan, 7 of 7 numbers are gone
#   5 nan 7 1 4 8 6 3: sorted 1 3 4 5 5 6 7 8, 0 of 7 numbers are gone
#   5 2 nan 1 4 8 6 3: sorted 1 1 2 3 4 5 6 8, 0 of 7 numbers are gone
#   5 2 7 nan 4 8 6 3: sorted 2 3 2 5 4 5 6 8, 1 of 7 numbers are gone
#   5 2 7 1 nan 8 6 3: sorted 1 2 3 5 3 6 6 7, 1 of 7 numbers are gone
#   5 2 7 1 4 nan 6 3: sorted 1 2 3 4 4 5 6 7, 0 of 7 numbers are gone
#   5 2 7 1 4 8 nan 3: sorted 1 2 3 3 4 5 7 8, 0 of 7 numbers are gone
#   5 2 7 1 4 8 6 nan: sorted 1 2 5 7 1 2 5 7, 3 of 7 numbers are gone
#   tinygrad 0.14.0 on CPU
#   3 nan 1 2: sorted 1 2 3 3 at 2 3 0 0, numpy's 1 2 3 nan; the best two 3 3 at 0 0; max 3
#   nan 3 2 1: sorted nan nan nan nan at 0 0 0 0, numpy's 1 2 3 nan; the best two nan nan at 0 0; max nan
#   3 4 1 2: sorted 1 2 3 4 at 2 3 0 1, numpy's 1 2 3 4; the best two 4 3 at 1 0; max 4
#   nan 2 7 1 4 8 6 3: sorted nan nan nan nan nan nan nan nan, 7 of 7 numbers are gone
#   5 nan 7 1 4 8 6 3: sorted 1 3 4 5 5 6 7 8, 0 of 7 numbers are gone
#   5 2 nan 1 4 8 6 3: sorted 1 1 2 3 4 5 6 8, 0 of 7 numbers are gone
#   5 2 7 nan 4 8 6 3: sorted 2 3 2 5 4 5 6 8, 1 of 7 numbers are gone
#   5 2 7 1 nan 8 6 3: sorted 1 2 3 5 3 6 6 7, 1 of 7 numbers are gone
#   5 2 7 1 4 nan 6 3: sorted 1 2 3 4 4 5 6 7, 0 of 7 numbers are gone
#   5 2 7 1 4 8 nan 3: sorted 1 2 3 3 4 5 7 8, 0 of 7 numbers are gone
#   5 2 7 1 4 8 6 nan: sorted 1 2 5 7 1 2 5 7, 3 of 7 numbers are gone
