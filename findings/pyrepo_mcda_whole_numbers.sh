#!/usr/bin/env bash
# pyrepo-mcda 0.1.15: the CILOS and IDOCRIW weights of a decision matrix of whole numbers are others than those of its floats.
#
# One expects the array's type to make no difference: prices, years and marks are whole numbers, and numpy.array of them is of
# integers. cilos_weighting turns a cost into a profit by dividing the column's least value by each, and writes these quotients
# into a copy of the matrix that has kept its type: they are cut off to 0, but for the 1 of the least value. What a cost tells
# of all alternatives but the cheapest is gone, without a message. idocriw_weighting has these weights as a factor: here time,
# the second of its four criteria, becomes the last. With one float in the matrix, or where all are profits, both are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyrepo-mcda==0.1.15 numpy==2.3.3 scipy==1.16.2 pandas==2.3.3
cat >"$folder/weigh.py" <<'PYTHON'
from importlib.metadata import version

import numpy
from pyrepo_mcda import weighting_methods

print("pyrepo-mcda", version("pyrepo-mcda"))


def cilos(matrix, types):
    """The weights q with F q = 0, of how much each criterion loses where another one is at its best."""
    profits = numpy.where(types == 1, matrix, matrix.min(0) / matrix)
    shares = profits / profits.sum(0)
    at_best = shares[shares.argmax(0)]  # its row i has the alternative that is the best by the criterion i
    loss = 1 - at_best / at_best.diagonal()
    _, _, basis = numpy.linalg.svd(loss - numpy.diag(loss.sum(0)))
    return basis[-1] / basis[-1].sum()


def entropy(matrix):
    shares = matrix / matrix.sum(0)
    diversity = 1 + (shares * numpy.log(shares)).sum(0) / numpy.log(len(matrix))
    return diversity / diversity.sum()


def idocriw(matrix, types):
    product = cilos(matrix, types) * entropy(matrix)
    return product / product.sum()


def text(weights):
    return ", ".join(f"{weight:.3f}" for weight in weights)


matrix = numpy.array([[3, 100, 10, 7], [2, 80, 8, 5], [1, 50, 20, 11], [4, 70, 12, 9]])  # price, power, time, mark
types = numpy.array([-1, 1, -1, 1])
for definition in (cilos, idocriw):
    function = getattr(weighting_methods, definition.__name__ + "_weighting")
    right, floats, whole = definition(matrix, types), function(matrix.astype(float), types), function(matrix, types)
    print(f"{definition.__name__}: right {text(right)}; floats {text(floats)}; whole numbers {text(whole)}")
    assert abs(floats - right).max() < 1e-9 and abs(whole - right).max() > 0.05
    profits = numpy.ones(4, int)
    assert abs(function(matrix, profits) - definition(matrix, profits)).max() < 1e-9
assert sorted(right)[-2] == right[2] and whole.argmin() == 2
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/weigh.py"; then
  echo "pyrepo-mcda 0.1.15 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   pyrepo-mcda 0.1.15
#   cilos: right 0.227, 0.252, 0.230, 0.291; floats 0.227, 0.252, 0.230, 0.291; whole numbers 0.158, 0.354, 0.140, 0.348
#   idocriw: right 0.420, 0.129, 0.249, 0.202; floats 0.420, 0.129, 0.249, 0.202; whole numbers 0.338, 0.209, 0.174, 0.279
