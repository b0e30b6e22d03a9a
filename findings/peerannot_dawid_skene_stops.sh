#!/usr/bin/env bash
# peerannot 0.0.1.post43: DawidSkene stops too early, as its log-likelihood is the logarithm of the sum of all tasks' likelihoods.
#
# run ends when the log-likelihood changes by less than epsilon, 1e-6, and returns the list of them. One expects the sum of
# the logarithms of the tasks' likelihoods, as the likelihood of all is their product. What is added up is the likelihoods
# themselves, and the logarithm is taken of that: a few tasks that are likely hide all others. 60 tasks with answers from
# twelve people, two of them good, have a log-likelihood of -459.4, and -3.3 is returned. With 10000 more tasks that one
# other person answers alone, which say next to nothing about the twelve, that sum hardly moves: EM ends after its second
# iteration instead of the 26th, with 46 of the 60 right instead of 57, and the log-likelihood that it returns is above 0. The
# iterations themselves are right: as many of them computed here end at the same probabilities. A lower epsilon helps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.3.3 scipy==1.17.1 numba==0.68.1 sparse==0.15.5 pydantic==2.14.4 tqdm==4.70.1
# Without torch, which its neural models need and this one does not.
"${pip[@]}" --no-deps peerannot==0.0.1.post43
cat >"$folder/em.py" <<'PYTHON'
import random
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy
import peerannot

# The folder of the models as a package of its own, as its __init__.py imports the neural ones.
sys.modules["peerannot.models"] = models = ModuleType("peerannot.models")
models.__path__ = [str(Path(peerannot.__file__).parent / "models")]
from peerannot.models.aggregation.dawid_skene import DawidSkene  # noqa: E402

print("peerannot", version("peerannot"))
random.seed(4)
good = [0.95] * 2 + [0.52] * 10  # how often each of the twelve is right
right = numpy.arange(60) % 2
answers = {t: {w: int(y if random.random() < p else 1 - y) for w, p in enumerate(good)} for t, y in enumerate(right)}


def likelihood(table, priors, confusion):
    """Of each task and each label as the right one."""
    return priors * numpy.exp(numpy.einsum("twl,wkl->tk", table, numpy.log(numpy.maximum(confusion, 1e-300))))


def em(given, steps):
    """As many iterations, or all until the log-likelihood changes by less than 1e-6: probabilities and log-likelihoods."""
    table = numpy.zeros((len(given), len(good) + 1, 2))
    for t, said in given.items():
        for w, label in said.items():
            table[t, w, label] = 1
    truth = table.sum(axis=1) / table.sum(axis=(1, 2))[:, None]
    logs = []
    while len(logs) < steps if steps else len(logs) < 2 or logs[-1] - logs[-2] >= 1e-6:
        confusion = numpy.einsum("tk,twl->wkl", truth, table)
        confusion /= numpy.maximum(confusion.sum(axis=2, keepdims=True), 1e-300)
        each = likelihood(table, truth.mean(axis=0), confusion)
        truth = each / each.sum(axis=1, keepdims=True)
        logs.append(float(numpy.log(each.sum(axis=1)).sum()))
    return truth, logs


def correct(truth):
    return int((truth[:60].argmax(axis=1) == right).sum())


seen = []
for alone in (0, 2000, 10000):
    given = answers | {60 + i: {len(good): i % 2} for i in range(alone)}
    model = DawidSkene(given, n_workers=len(good) + 1, n_classes=2)
    said, steps = model.run(maxiter=5000)
    same, _ = em(given, steps)
    truth, logs = em(given, 0)
    print(f"{alone} more tasks: {steps} iterations, {correct(model.get_probas())} of 60 right, log-likelihood {said[-1]:.4g};",
          f"right: {len(logs)} iterations, {correct(truth)} of 60, {logs[-1]:.5g}")
    assert abs(model.get_probas() - same).max() < 1e-9
    assert all(b > a for a, b in zip(logs, logs[1:]))
    seen.append((steps, correct(model.get_probas()), len(logs), correct(truth)))
    if alone:
        assert said[-1] > 0 > logs[-1]
    else:
        assert abs(said[-1] + 3.343) < 1e-3 and abs(logs[-1] + 459.421) < 1e-3
assert seen == [(20, 57, 23, 57), (8, 57, 26, 57), (2, 46, 26, 57)], seen
model.run(maxiter=5000, epsilon=1e-10)
print(f"{alone} more tasks, epsilon 1e-10: {correct(model.get_probas())} of 60 right")
assert correct(model.get_probas()) == 57
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/em.py" 2>"$folder/log"; then
  cat "$folder/log" >&2
  echo "peerannot 0.0.1.post43 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   peerannot 0.0.1.post43
#   0 more tasks: 20 iterations, 57 of 60 right, log-likelihood -3.343; right: 23 iterations, 57 of 60, -459.42
#   2000 more tasks: 8 iterations, 57 of 60 right, log-likelihood 6.908; right: 26 iterations, 57 of 60, -1846
#   10000 more tasks: 2 iterations, 46 of 60 right, log-likelihood 8.517; right: 26 iterations, 57 of 60, -7391.2
#   10000 more tasks, epsilon 1e-10: 57 of 60 right
