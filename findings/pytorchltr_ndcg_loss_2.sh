#!/usr/bin/env bash
# pytorchltr2 0.2.3: LambdaNDCGLoss2 takes the weights of its pairs from one rank too far: neighbours weigh a third.
#
# It documents the weight of a pair at the ranks i and j as |1 / D(|i-j|) - 1 / D(|i-j|+1)| with D(k) = log2(1 + k), as in the
# paper of LambdaLoss: 0.369 for neighbours, 0.131 and 0.069 for those two and three ranks apart. It keeps D from D(1) on in
# an array whose first index is 0, and looks the differences of ranks up in it as they are: it has D(|i-j|+1) and D(|i-j|+2),
# which is 0.131 for neighbours, then 0.069 and 0.044. The loss and its gradient are a half to about a third of what they
# should be, a factor that differs from list to list, and neighbours have 3 times the weight of a pair at a distance of three
# instead of 5.3 times. LambdaNDCGLoss1 is as documented. pytorchltr 0.2.1, of which this is the fork for today's Pythons, has
# the same code.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# 3 GB: PyPI's torch for x86 is the one for GPUs.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pytorchltr2==0.2.3 torch==2.15.0 numpy==2.3.3
cat >"$folder/loss.py" <<'PYTHON'
import math
from importlib.metadata import version

import torch
from pytorchltr.loss import LambdaNDCGLoss1, LambdaNDCGLoss2

print("pytorchltr2", version("pytorchltr2"))


def d(k):
    return torch.log2(1 + torch.tensor(float(k)))


def log2_sigmoid(x):
    return torch.nn.functional.logsigmoid(x) / math.log(2)


def weight(distance, shift=0):
    return (1 / d(distance + shift) - 1 / d(distance + shift + 1)).item()


def definition(scores, relevance, shift=None):
    """Loss 2, with the differences of ranks shifted, or loss 1, of one list: the ranks are those of the scores."""
    order = scores.argsort(descending=True)
    scores, gains = scores[order], 2.0 ** relevance[order] - 1
    gains = gains / sum(gain / d(rank) for rank, gain in enumerate(gains.sort(descending=True).values, 1))
    loss = 0
    for i in range(len(scores)):
        for j in range(len(scores)):
            if shift is None:
                loss -= gains[i] / d(i + 1) * log2_sigmoid(scores[i] - scores[j])
            elif gains[i] > gains[j]:
                exponent = weight(abs(i - j), shift) * (gains[i] - gains[j])
                loss -= exponent * log2_sigmoid(scores[i] - scores[j])
    return loss


def with_gradient(function, scores, relevance):
    scores = torch.tensor(scores, requires_grad=True)
    loss = function(scores, torch.tensor(relevance))
    loss.backward()
    return loss.item(), scores.grad


def said(module):
    return lambda scores, relevance: module()(scores[None], relevance[None], torch.tensor([len(scores)])).sum()


def is_near(a, b):
    return abs(a[0] - b[0]) < 1e-4 and torch.allclose(a[1], b[1], atol=1e-4)


for shift, name in ((0, "documented"), (1, "one further")):
    print(f"weights at the distances 1, 2, 3, {name}:", ", ".join(f"{weight(k, shift):.3f}" for k in (1, 2, 3)))
lists = {
    "two": ([0.5, 0.0], [0, 1]),
    "four, the best one second": ([2.0, 1.0, 0.0, -1.0], [0, 2, 1, 0]),
    "four, the best one last": ([0.3, 0.2, 0.1, 0.0], [0, 1, 0, 2]),
    "twenty, the best one last": ([-0.1 * i for i in range(20)], [0] * 19 + [1]),
}
for name, (scores, relevance) in lists.items():
    found = with_gradient(said(LambdaNDCGLoss2), scores, relevance)
    right = with_gradient(lambda s, y: definition(s, y, 0), scores, relevance)
    shifted = with_gradient(lambda s, y: definition(s, y, 1), scores, relevance)
    print(f"{name}: loss {found[0]:.4f}, documented {right[0]:.4f}, {right[0] / found[0]:.2f} times as much")
    assert is_near(found, shifted) and not is_near(found, right) and right[0] > 1.7 * found[0]
    assert is_near(with_gradient(said(LambdaNDCGLoss1), scores, relevance), with_gradient(definition, scores, relevance))
assert abs(weight(1) - 0.369) < 1e-3 and abs(weight(1, 1) - 0.131) < 1e-3
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/loss.py"; then
  echo "pytorchltr2 0.2.3 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   pytorchltr2 0.2.3
#   weights at the distances 1, 2, 3, documented: 0.369, 0.131, 0.069
#   weights at the distances 1, 2, 3, one further: 0.131, 0.069, 0.044
#   two: loss 0.1840, documented 0.5187, 2.82 times as much
#   four, the best one second: loss 0.3229, documented 0.8460, 2.62 times as much
#   four, the best one last: loss 0.2770, documented 0.6848, 2.47 times as much
#   twenty, the best one last: loss 0.5612, documented 0.9830, 1.75 times as much
