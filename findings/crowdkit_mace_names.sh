#!/usr/bin/env bash
# crowd-kit 1.4.2: whom MACE finds competent depends on how workers and labels are called.
#
# MACE gives each worker a competence and a habit: how often each label is said without a look at the task. Of five workers
# three are right in 80 % to 90 % of the tasks, and two always say the same label. One expects the three to be competent and
# the two not, and names to be but names: with the same rows from the same random start nothing else can change. Yet each
# iteration takes the new habits from a table that is sorted by the names, and looks them up by where a worker and a label
# first come up in the data. In alphabetical order the estimate is that of its model, the same as computed here; with
# other names a worker has another's habit, and where labels are swapped the two who do not look are the only competent
# ones, and half of the answers are wrong. "yes" and "no" are swapped as soon as the first row says "yes". The likelihood,
# which EM never lowers, falls on the way. Rows sorted by worker and then by label are safe where the first worker says
# every label.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 scikit-learn==1.9.1 attrs==26.1.0 tqdm==4.70.1 nltk==3.10.4
# Without what its neural aggregators need, which these do not.
"${pip[@]}" --no-deps crowd-kit==1.4.2 2>/dev/null
cat >"$folder/names.py" <<'PYTHON'
from importlib.metadata import version

import numpy
import pandas
from crowdkit.aggregation import MACE
from scipy.stats import uniform

print("crowd-kit", version("crowd-kit"))
tasks, steps = range(60), 50
workers = ["best", "fair", "good", "one who never looks", "another"]
wrong = {"best": 10, "fair": 5, "good": 7}  # in one task of so many
right = [task % 2 for task in tasks]  # the place of the right label of two
said = [[right[t] ^ (t % wrong[w] == wrong[w] // 2) if w in wrong else 0 for w in workers] for t in tasks]
said = numpy.array(said)
assert said[0, 0] == 0  # so labels first come up in the order of their places, as workers do


def fitted(names, labels, method, n_iter=steps):
    rows = [(t, names[w], labels[i]) for t in tasks for w, i in enumerate(said[t])]
    mace = MACE(method=method, n_restarts=1, n_iter=n_iter).fit(pandas.DataFrame(rows, columns=["task", "worker", "label"]))
    correct = sum(mace.labels_[t] == labels[right[t]] for t in tasks)
    return correct, mace.spamming_[:, 1], mace.thetas_


def likelihoods(competence, habit):
    """Of each task, and each label as the right one: half the probability of what is said."""
    result = numpy.full((len(tasks), 2), 0.5)
    for w, _ in enumerate(workers):
        guess = (1 - competence[w]) * habit[w, said[:, w]]
        result *= guess[:, None] + competence[w] * (said[:, w, None] == numpy.arange(2))
    return result


def expected(smoothing=0.01 / 2):
    """EM of the same model from the same start, by places."""
    start, habit = (uniform(1, 1.5).rvs(size=(len(workers), 2), random_state=0) for _ in range(2))
    competence = (start / start.sum(axis=1, keepdims=True))[:, 1]
    habit = habit / habit.sum(axis=1, keepdims=True)
    for _ in range(steps):
        truth = likelihoods(competence, habit)
        truth /= truth.sum(axis=1, keepdims=True)
        looked, guessed = numpy.zeros(len(workers)), numpy.zeros((len(workers), 2))
        for w, _ in enumerate(workers):
            i = said[:, w]
            knows = truth[tasks, i] * competence[w] / (competence[w] + (1 - competence[w]) * habit[w, i])
            looked[w] = knows.sum()
            numpy.add.at(guessed[w], i, 1 - knows)
        competence = (looked + smoothing) / (len(tasks) + 2 * smoothing)
        habit = (guessed + smoothing) / (guessed + smoothing).sum(axis=1, keepdims=True)
    return sum(likelihoods(competence, habit).argmax(axis=1) == right), competence, habit


def tell(name, correct, competence, habit):
    value = float(numpy.log(likelihoods(competence, habit).sum(axis=1)).sum())
    rounded = [round(float(c), 2) + 0.0 for c in competence]
    print(f"{name}: {correct} of {len(tasks)} right, log-likelihood {value:.1f}, competences", rounded)
    return value


print("competences of", workers)
by_hand = expected()
best = tell("computed here, em", *by_hand)
sorted_labels, swapped = ("agree", "refuse"), ("yes", "no")
for names, labels in (("abcde", sorted_labels), ("ebadc", sorted_labels), ("abcde", swapped), ("ebadc", swapped)):
    for method in ("em", "vb"):
        seen = fitted(names, labels, method)
        value = tell(f"{method}, workers {', '.join(names)}, labels {', '.join(labels)}", *seen)
        if sorted(names) == list(names) and sorted(labels) == list(labels):
            assert seen[0] > 55 and min(seen[1][:3]) > 0.5 and max(seen[1][3:]) < 0.05
            assert method == "vb" or all(numpy.allclose(x, y, atol=1e-9) for x, y in zip(seen, by_hand))
        else:
            assert max(abs(seen[1] - by_hand[1])) > 0.05 and value < best - 0.5
        if labels == swapped:
            assert seen[0] == 30 and max(seen[1][:3]) < 0.4 and min(seen[1][3:]) > 0.95

for labels in (sorted_labels, swapped):
    values = [tell(f"em, {n} iterations, labels {', '.join(labels)}", *fitted("abcde", labels, "em", n)) for n in (0, 1, 2)]
    assert (values == sorted(values)) == (labels == sorted_labels)
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/names.py"; then
  echo "crowd-kit 1.4.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   crowd-kit 1.4.2
#   competences of ['best', 'fair', 'good', 'one who never looks', 'another']
#   computed here, em: 58 of 60 right, log-likelihood -105.1, competences [0.73, 0.57, 0.78, 0.0, 0.0]
#   em, workers a, b, c, d, e, labels agree, refuse: 58 of 60 right, log-likelihood -105.1, competences [0.73, 0.57, 0.78, 0.0, 0.0]
#   vb, workers a, b, c, d, e, labels agree, refuse: 57 of 60 right, log-likelihood -123.6, competences [0.7, 0.56, 0.79, 0.0, 0.0]
#   em, workers e, b, a, d, c, labels agree, refuse: 55 of 60 right, log-likelihood -105.8, competences [0.7, 0.53, 0.85, 0.0, 0.0]
#   vb, workers e, b, a, d, c, labels agree, refuse: 54 of 60 right, log-likelihood -146.8, competences [0.62, 0.5, 0.9, 0.0, 0.01]
#   em, workers a, b, c, d, e, labels yes, no: 30 of 60 right, log-likelihood -165.1, competences [0.2, 0.01, 0.04, 1.0, 1.0]
#   vb, workers a, b, c, d, e, labels yes, no: 30 of 60 right, log-likelihood -166.9, competences [0.2, 0.02, 0.04, 0.99, 0.99]
#   em, workers e, b, a, d, c, labels yes, no: 30 of 60 right, log-likelihood -165.2, competences [0.0, 0.01, 0.23, 1.0, 1.0]
#   vb, workers e, b, a, d, c, labels yes, no: 30 of 60 right, log-likelihood -167.9, competences [0.18, 0.02, 0.07, 0.99, 0.99]
#   em, 0 iterations, labels agree, refuse: 45 of 60 right, log-likelihood -191.7, competences [0.53, 0.49, 0.55, 0.59, 0.39]
#   em, 1 iterations, labels agree, refuse: 45 of 60 right, log-likelihood -141.1, competences [0.56, 0.46, 0.53, 0.58, 0.38]
#   em, 2 iterations, labels agree, refuse: 50 of 60 right, log-likelihood -130.6, competences [0.6, 0.47, 0.56, 0.4, 0.27]
#   em, 0 iterations, labels yes, no: 45 of 60 right, log-likelihood -191.7, competences [0.53, 0.49, 0.55, 0.59, 0.39]
#   em, 1 iterations, labels yes, no: 30 of 60 right, log-likelihood -294.9, competences [0.56, 0.46, 0.53, 0.58, 0.38]
#   em, 2 iterations, labels yes, no: 30 of 60 right, log-likelihood -197.1, competences [0.42, 0.28, 0.32, 1.0, 1.0]
