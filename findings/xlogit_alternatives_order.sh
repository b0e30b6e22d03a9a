#!/usr/bin/env bash
# xlogit 0.2.7: unless the rows list the alternatives in alphabetical order, the estimates and predictions are another one's.
#
# Of 100 people who live near 60 take the bus, 30 the train and 10 the car; of 100 who live far 60 take the car, 30 the train
# and 10 the bus. With an intercept and "far" for each alternative the estimates are logarithms of ratios of these counts, and
# one expects them for any order in which the alternatives are listed, if it is the same for all people, which is asked for
# and checked. The columns are in the order of the rows, but the names and the base alternative are looked up in a sorted
# list. With car, bus and train in this order the model says that near people take the car and far people the bus; with the
# base "car" it is the bus that the others are compared with, under the names of bus and train. Of the six orders one is
# right. The likelihood is the same for all of them, and there is no warning. MixedLogit does the same with its predictions.
# The package's own wide_to_long makes rows in whichever order it is given.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 xlogit==0.2.7
cat >"$folder/choose.py" <<'PYTHON'
from importlib.metadata import version
from itertools import permutations
from math import log

import numpy
import pandas
from xlogit import MixedLogit, MultinomialLogit
from xlogit.utils import wide_to_long

print("xlogit", version("xlogit"))
near, far = {"bus": 60, "car": 10, "train": 30}, {"bus": 10, "car": 60, "train": 30}
people = [(i, choice) for i, counts in enumerate((near, far)) for choice, count in counts.items() for _ in range(count)]
names = sorted(near)


def rows(order):
    """Each person's alternatives in this order: who, the alternative, whether it is chosen, how far, and its cost."""
    wide = pandas.DataFrame({"person": range(len(people)), "far": [float(p[0]) for p in people],
                             "chosen": [p[1] for p in people]})
    long = wide_to_long(wide, id_col="person", alt_list=order, alt_name="alternative")
    assert long["alternative"].tolist() == order * len(people)
    return long


def right(base):
    """The estimates, as everything is a share of its own: of near people, and what being far adds."""
    result = {f"_intercept.{name}": log(near[name] / near[base]) for name in names if name != base}
    return result | {f"far.{name}": log(far[name] / far[base]) - log(near[name] / near[base]) for name in names if name != base}


def fitted(order):
    data = rows(order)
    arguments = {"varnames": ["far"], "alts": data["alternative"], "ids": data["person"], "isvars": ["far"], "verbose": 0}
    model = MultinomialLogit()
    model.fit(data[["far"]], data["chosen"], fit_intercept=True, base_alt="car", **arguments)
    choices, shares = model.predict(data[["far"]], return_proba=True, **arguments)
    estimates = {str(name): float(x) for name, x in zip(model.coeff_names, model.coeff_)}
    return estimates, [str(choices[0]), str(choices[-1])], shares[0], model.loglikelihood


def close(said, expected):
    return said.keys() == expected.keys() and all(abs(said[name] - expected[name]) < 1e-3 for name in said)


print("right:", {name: round(x, 2) for name, x in right("car").items()}, "near people take the bus, far people the car")
correct = 0
for order in map(list, permutations(names)):
    estimates, choices, shares, likelihood = fitted(order)
    print(*order, {name: round(x, 2) for name, x in estimates.items()}, f"near people take the {choices[0]}, far people the",
          choices[1])
    other = dict(zip(names, order))  # whose column it is that has this name
    expected = right(other["car"])
    assert close(estimates, {name: expected[f"{name.split('.')[0]}.{other[name.split('.')[1]]}"] for name in estimates})
    assert [other[choice] for choice in choices] == ["bus", "car"]
    assert max(abs(shares[i] - near[other[name]] / 100) for i, name in enumerate(names)) < 1e-3
    assert abs(likelihood - sum(n * log(n / 100) for counts in (near, far) for n in counts.values())) < 1e-3
    correct += close(estimates, right("car")) and choices == ["bus", "car"]
print(f"{correct} of 6 orders are right")
assert correct == 1

# A mixed logit of the near people, who see only a cost that is the lowest for the bus.
for order, says in ((names, "bus"), (["train", "car", "bus"], "train")):
    data = rows(order).query("far == 0").assign(cost=lambda d: d["alternative"].map({"bus": 1.0, "train": 2.0, "car": 3.0}))
    arguments = {"varnames": ["cost"], "alts": data["alternative"], "ids": data["person"], "n_draws": 100, "verbose": 0}
    model = MixedLogit()
    model.fit(data[["cost"]], data["chosen"], randvars={"cost": "n"}, **arguments)
    choices = set(model.predict(data[["cost"]], **arguments).tolist())
    print("MixedLogit,", *order, f"cost {model.coeff_[0]:.2f}, near people take the", *choices)
    assert choices == {says} and model.coeff_[0] < 0
PYTHON
if ! "$folder/venv/bin/python" "$folder/choose.py"; then
  echo "xlogit 0.2.7 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   xlogit 0.2.7
#   right: {'_intercept.bus': 1.79, '_intercept.train': 1.1, 'far.bus': -3.58, 'far.train': -1.79} near people take the bus, far people the car
#   bus car train {'_intercept.bus': 1.79, '_intercept.train': 1.1, 'far.bus': -3.58, 'far.train': -1.79} near people take the bus, far people the car
#   bus train car {'_intercept.bus': 0.69, '_intercept.train': -1.1, 'far.bus': -1.79, 'far.train': 1.79} near people take the bus, far people the train
#   car bus train {'_intercept.bus': -1.79, '_intercept.train': -0.69, 'far.bus': 3.58, 'far.train': 1.79} near people take the car, far people the bus
#   car train bus {'_intercept.bus': -1.1, '_intercept.train': 0.69, 'far.bus': 1.79, 'far.train': -1.79} near people take the train, far people the bus
#   train bus car {'_intercept.bus': -0.69, '_intercept.train': -1.79, 'far.bus': 1.79, 'far.train': 3.58} near people take the car, far people the train
#   train car bus {'_intercept.bus': 1.1, '_intercept.train': 1.79, 'far.bus': -1.79, 'far.train': -3.58} near people take the train, far people the car
#   1 of 6 orders are right
#   MixedLogit, bus car train cost -0.83, near people take the bus
#   MixedLogit, train car bus cost -0.83, near people take the train
