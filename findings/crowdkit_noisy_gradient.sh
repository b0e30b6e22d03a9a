#!/usr/bin/env bash
# crowd-kit 1.4.2: the skills and biases of NoisyBradleyTerry are next to where they began, at random: their gradient is not
# that of its likelihood.
#
# The model gives each worker a skill, the probability of an answer by the items' strengths, and a bias to the left for the
# others. One expects a worker who always answers right to have a skill near 1, and one who always says "left" a skill near
# 0 and a bias near 1. The gradient that L-BFGS-B is given writes a worker's numbers one place before their own, so that the
# first worker's bias lands on the last item, and it assigns them where it has to add them up, so that each worker's last
# answer is all that counts. What comes out lies between 0.5 and 0.73, as the random start does: three workers that agree in
# everything have three skills, and the one who does not look at the items ranks above one of them. Another random_state
# gives other skills.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 scikit-learn==1.9.1 attrs==26.1.0 tqdm==4.70.1 nltk==3.10.4
# Without what its neural aggregators need, which these do not.
"${pip[@]}" --no-deps crowd-kit==1.4.2 2>/dev/null
cat >"$folder/skills.py" <<'PYTHON'
import itertools
from importlib.metadata import version

import numpy
import pandas
from crowdkit.aggregation import NoisyBradleyTerry

print("crowd-kit", version("crowd-kit"))
items, right = "abcd", ("first", "second", "third")
pairs = list(itertools.permutations(items, 2)) * 5
rows = [(worker, i, j, min(i, j)) for worker in right for i, j in pairs] + [("left", i, j, i) for i, j in pairs]
data = pandas.DataFrame(rows, columns=["worker", "left", "right", "label"])
for state in (0, 1):
    fitted = NoisyBradleyTerry(n_iter=1000, random_state=state).fit(data)
    skills = {worker: round(float(fitted.skills_[worker]), 2) for worker in (*right, "left")}
    print("random_state", state, "skills", skills)
    assert max(skills[worker] for worker in right) < 0.9 and len({skills[worker] for worker in right}) == 3
    assert skills["left"] > min(skills[worker] for worker in right)

# The derivative of its own objective, by differences, beside what it says of it.
places = {item: place + 1 for place, item in enumerate(items)}
workers = (*right, "left")
answers = numpy.array([[places[i], places[j], places[k]] for _, i, j, k in rows])
by = numpy.array([workers.index(row[0]) for row in rows])
given = (answers, by, len(items), len(workers), 0.0)
x = numpy.linspace(-0.5, 0.7, 1 + len(items) + 2 * len(workers))
said = NoisyBradleyTerry._compute_gradient(x, *given)
value = lambda at: NoisyBradleyTerry._compute_log_likelihood(at, *given)
steps = 1e-6 * numpy.eye(len(x))
exact = numpy.array([(value(x + step) - value(x - step)) / 2e-6 for step in steps])
names = ["-", *items, *(f"bias of {w}" for w in workers), *(f"skill of {w}" for w in workers)]
for name, one, other in list(zip(names, said, exact))[1:]:
    print(f"{name:15} gradient {one:8.3f}, difference quotient {other:8.3f}")
wrong = ~numpy.isclose(said, exact, rtol=1e-4, atol=1e-4)
assert [name for name, is_wrong in zip(names, wrong) if is_wrong] == names[len(items) :]
PYTHON
if ! "$folder/venv/bin/python" "$folder/skills.py"; then
  echo "crowd-kit 1.4.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   crowd-kit 1.4.2
#   random_state 0 skills {'first': 0.54, 'second': 0.67, 'third': 0.64, 'left': 0.72}
#   random_state 1 skills {'first': 0.57, 'second': 0.7, 'third': 0.55, 'left': 0.63}
#   a               gradient  -30.141, difference quotient  -30.141
#   b               gradient  -10.060, difference quotient  -10.060
#   c               gradient   10.060, difference quotient   10.060
#   d               gradient   20.905, difference quotient   30.141
#   bias of first   gradient    0.198, difference quotient    0.000
#   bias of second  gradient    0.188, difference quotient    0.237
#   bias of third   gradient   -0.150, difference quotient    0.416
#   bias of left    gradient    0.012, difference quotient   -9.307
#   skill of first  gradient   -0.000, difference quotient    1.273
#   skill of second gradient   -0.012, difference quotient    1.234
#   skill of third  gradient    0.020, difference quotient    1.166
#   skill of left   gradient   -0.000, difference quotient    1.961
