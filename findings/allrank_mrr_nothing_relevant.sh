#!/usr/bin/env bash
# allRank 1.4.3: a query with nothing relevant has the reciprocal rank 1 if another one in its batch has something; else 0.
#
# mrr gives a value for each query of a batch, and one expects 0 where no document is relevant. The place is that of the
# largest label, which among zeros is the first. Such queries are meant to be set to 0, but it is the sum of the largest labels
# of the whole batch that is asked for: the 0 is there when no query of the batch has anything relevant, and for none else. A
# model has the best score where there is nothing to be found, and its mean depends on how queries come into batches: 0.25,
# 0.5 or 0.75 for the same four. With grades, the place is that of the best document and not of the first relevant one: 1/3
# for grades 1, 0, 2 in this order. ndcg has an argument for queries with nothing relevant and says so; mrr has not a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
# 3 GB: PyPI's torch for x86 is the one for GPUs. setuptools has the pkg_resources that allRank imports.
"${pip[@]}" torch==2.15.0 torchvision==0.29.2 numpy==2.3.3 scipy==1.17.1 scikit-learn==1.9.1 gcsfs==2026.10.1 \
  setuptools==80.10.2
# Without its limit of torch 1.8, for which today's Pythons have no wheels; Python 3.8 with torch 1.8.0 says the same.
"${pip[@]}" --no-deps allRank==1.4.3 2>/dev/null
cat >"$folder/ranks.py" <<'PYTHON'
from importlib.metadata import version

import torch
from allrank.models.metrics import mrr

print("allRank", version("allRank"))


def definition(scores, labels):
    """1 / the place of the first relevant document, 0 if there is none."""
    ranked = [label for _, label in sorted(zip(scores, labels), reverse=True)]
    return next((1 / place for place, label in enumerate(ranked, 1) if label > 0), 0)


def said(queries, **options):
    scores, labels = torch.tensor([query[0] for query in queries]), torch.tensor([query[1] for query in queries])
    return mrr(scores, labels, **options).flatten().tolist()


def mean(values):
    return sum(values) / len(values)


scores = [0.4, 0.3, 0.2, 0.1]
nothing, second, first = (scores, [0.0, 0.0, 0.0, 0.0]), (scores, [0.0, 1.0, 0.0, 0.0]), (scores, [1.0, 0.0, 1.0, 0.0])
queries = [nothing, nothing, second, second]
right = [definition(*query) for query in queries]
print("right:", right, "mean", mean(right))
for name, batches in (
    ("one batch", [queries]),
    ("two batches of alike", [queries[:2], queries[2:]]),
    ("two batches of unlike", [[nothing, second], [nothing, second]]),
    ("three batches", [[nothing], [nothing, second], [second]]),
):
    found = [value for batch in batches for value in said(batch)]
    print(f"{name}: {found}, mean {mean(found)}")
    expected = {"one batch": 0.75, "two batches of alike": 0.25, "two batches of unlike": 0.75, "three batches": 0.5}[name]
    assert mean(found) == expected
assert mean(right) == 0.25
assert said([nothing]) == [0] and said([nothing, first]) == [1, 1] and said([nothing, second], ats=[1]) == [1, 0]
assert said([first, second]) == [definition(*first), definition(*second)] == [1, 0.5]
graded = (scores, [1.0, 0.0, 2.0, 0.0])
found = said([graded])[0]
print(f"grades 1, 0, 2, 0 in this order: {found:.4f}, right {definition(*graded)}")
assert abs(found - 1 / 3) < 1e-6 and definition(*graded) == 1
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/ranks.py"; then
  echo "allRank 1.4.3 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   allRank 1.4.3
#   right: [0, 0, 0.5, 0.5] mean 0.25
#   one batch: [1.0, 1.0, 0.5, 0.5], mean 0.75
#   two batches of alike: [0.0, 0.0, 0.5, 0.5], mean 0.25
#   two batches of unlike: [1.0, 0.5, 1.0, 0.5], mean 0.75
#   three batches: [0.0, 1.0, 0.5, 0.5], mean 0.5
#   grades 1, 0, 2, 0 in this order: 0.3333, right 1.0
