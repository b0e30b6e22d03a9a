#!/usr/bin/env bash
# scikit-criteria 0.10: untied ranks are no ranks but an order: with ties the worst alternative can come out second.
#
# Of the ranks 3, 1, 1, 2 one expects, without ties, 4, 1, 2, 3: what was worst stays worst, and only who shared a rank is
# told apart. untied_rank_ is numpy's argsort of the ranks plus 1, which says for each rank who has it, not for each
# alternative which rank it has: 2, 3, 4, 1. The worst is second, and a winner third. A ranking without ties is returned as
# it is, so that nothing is seen until there is a tie. FallbackTieBreaker takes it by default (force=True) for the ties that
# its second method leaves, and the table, the correlations and the plots of RanksComparator with untied=True. The
# documentation names the command, but calls what comes out a ranking without ties. The argsort of the argsort is one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-criteria==0.10
cat >"$folder/untie.py" <<'PYTHON'
from importlib.metadata import version

import numpy
from skcriteria import mkdm
from skcriteria.agg import RankResult
from skcriteria.agg.simple import WeightedSumModel
from skcriteria.tiebreaker import FallbackTieBreaker

print("scikit-criteria", version("scikit-criteria"))
for ranks, right in (([3, 1, 1, 2], [4, 1, 2, 3]), ([4, 3, 2, 1], [4, 3, 2, 1])):
    untied = RankResult("some method", list("abcd"), ranks, {}).untied_rank_.tolist()
    print(f"ranks {ranks} of a, b, c, d: untied {untied}, right {right}")
    assert numpy.argsort(numpy.argsort(ranks, kind="stable")).tolist() == [rank - 1 for rank in right]
    assert untied == ([2, 3, 4, 1] if ranks == [3, 1, 1, 2] else right)

values = [[1, 1], [4, 4], [4, 4], [2, 2]]
decision = mkdm(values, [max, max], weights=[0.5, 0.5], alternatives=list("abcd"))
summed = WeightedSumModel().evaluate(decision)
broken = FallbackTieBreaker(WeightedSumModel(), WeightedSumModel()).evaluate(decision)
print(f"values {values}: ranks {summed.rank_.tolist()}, by FallbackTieBreaker {broken.rank_.tolist()}")
assert summed.rank_.tolist() == [3, 1, 1, 2] and broken.rank_.tolist() == [2, 3, 4, 1]
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/untie.py"; then
  echo "scikit-criteria 0.10 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   scikit-criteria 0.10
#   ranks [3, 1, 1, 2] of a, b, c, d: untied [2, 3, 4, 1], right [4, 1, 2, 3]
#   ranks [4, 3, 2, 1] of a, b, c, d: untied [4, 3, 2, 1], right [4, 3, 2, 1]
#   values [[1, 1], [4, 4], [4, 4], [2, 2]]: ranks [3, 1, 1, 2], by FallbackTieBreaker [2, 3, 4, 1]
