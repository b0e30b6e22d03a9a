#!/usr/bin/env bash
# peerannot 0.0.1.post43: with sparse=True, Wawa and IWMV weigh each worker's answers by the worker next to them.
#
# Both weigh a worker by how often the worker agrees with the majority. sparse=True is for many workers or tasks, "to run per
# task" instead of from one table, and one expects the same labels. It looks a worker's weight up one place before the
# worker's own, and the first worker's at the end of the list. Of twenty workers every other one nearly always is right, and
# the others guess. Of 1000 tasks with seven answers a plain majority has 920 right, Wawa 960, as it should, and with
# sparse=True 817: the weights are those of the guessers for the good ones, and the other way round. Votes that are computed
# here with weights from one place before are the same, task by task. Where all are equally good one sees nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.3.3 scipy==1.17.1 numba==0.68.1 sparse==0.15.5 pydantic==2.14.4 tqdm==4.70.1
# Without torch, which its neural models need and these do not.
"${pip[@]}" --no-deps peerannot==0.0.1.post43
cat >"$folder/vote.py" <<'PYTHON'
import random
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import peerannot

# The folder of the models as a package of its own, as its __init__.py imports the neural ones.
sys.modules["peerannot.models"] = models = ModuleType("peerannot.models")
models.__path__ = [str(Path(peerannot.__file__).parent / "models")]
from peerannot.models.aggregation.iwmv import IWMV  # noqa: E402
from peerannot.models.aggregation.wawa import Wawa  # noqa: E402

print("peerannot", version("peerannot"))
random.seed(0)
good = [0.95, 0.5] * 10  # how often each of the twenty is right: every other one guesses
right = [t % 2 for t in range(1000)]
answers = {t: {w: y if random.random() < good[w] else 1 - y for w in random.sample(range(20), 7)} for t, y in enumerate(right)}


def vote(weights):
    """The heavier of the two labels, task by task; the script ends if they are equal somewhere."""
    labels = []
    for said in answers.values():
        one = sum(weights[w] * (2 * label - 1) for w, label in said.items())
        assert abs(one) > 1e-9
        labels.append(int(one > 0))
    return labels


def agreement(labels):
    """How often each worker says what these labels say."""
    return [sum(said[w] == labels[t] for t, said in answers.items() if w in said) / sum(w in said for said in answers.values())
            for w in range(20)]


def iterated(steps, shift):
    """Majority, then as many rounds of weights and votes; each weight from so many places before."""
    labels = vote([1] * 20)
    for _ in range(steps):
        weights = agreement(labels)
        labels = vote([weights[w - shift] for w in range(20)])
    return labels


def correct(labels):
    return sum(int(a) == b for a, b in zip(labels, right))


majority = vote([1] * 20)
print(f"majority: {correct(majority)} of 1000 right; weights", *(f"{x:.2f}" for x in agreement(majority)))
seen = []
for model, steps in ((Wawa, 1), (IWMV, 10)):
    for sparse in (False, True):
        solver = model(answers, n_classes=2, sparse=sparse, n_workers=20)
        solver.run()
        labels = [int(x) for x in solver.get_answers()]
        print(f"{model.__name__}, sparse={sparse}: {correct(labels)} of 1000 right; computed here {correct(iterated(steps, 0))}")
        assert labels == iterated(steps, int(sparse))
        seen.append(correct(labels))
assert seen == [960, 817, 961, 920] and correct(majority) == 920, seen
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/vote.py" 2>"$folder/log"; then
  cat "$folder/log" >&2
  echo "peerannot 0.0.1.post43 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   peerannot 0.0.1.post43
#   majority: 920 of 1000 right; weights 0.92 0.57 0.93 0.60 0.91 0.60 0.92 0.58 0.92 0.58 0.90 0.58 0.93 0.55 0.91 0.61 0.95 0.57 0.91 0.54
#   Wawa, sparse=False: 960 of 1000 right; computed here 960
#   Wawa, sparse=True: 817 of 1000 right; computed here 960
#   IWMV, sparse=False: 961 of 1000 right; computed here 961
#   IWMV, sparse=True: 920 of 1000 right; computed here 961
