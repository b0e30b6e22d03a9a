#!/usr/bin/env bash
# choicemodels 0.3: a multinomial logit's standard errors depend on where its variables' zero is: prices of 10 and 11 decide,
# and prices of 0 and 1 do not.
#
# Of 100 people who choose between the prices 10 and 11 there are 52 who take the lower one, which says next to nothing. Only
# the difference counts in a logit, and one expects the error to be the same for 0 and 1: 1 / sqrt(100 * 0.52 * 0.48) = 0.20,
# and p = 0.69. The engine of choicemodels itself, for models that are formulas, has 0.013 and p = 3e-9 for 10 and 11. It adds
# up squares over all rows, where a person's rows have to be added up first and squared then: so what all alternatives have
# in common does not cancel, and errors shrink as the variables' mean grows. Of 200 surveys at random in which prices near 10
# make no difference 169 have p < 0.05. With an OrderedDict for the model the same class uses its other engine, which is
# right. The coefficients and the likelihood are right in both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==1.26.4 scipy==1.12.0 pandas==2.3.3 patsy==1.0.1 \
  statsmodels==0.14.4 tqdm==4.70.1 choicemodels==0.3
cat >"$folder/fit.py" <<'PYTHON'
import random
from collections import OrderedDict
from importlib.metadata import version
from math import erfc, log, sqrt

import pandas
from choicemodels import MultinomialLogit

print("choicemodels", version("choicemodels"))


def fit(prices, chosen):
    """From each person's prices and the place of the chosen one: coefficient, error and p-value by either engine."""
    rows = [(i, j, p, int(j == chosen[i])) for i, of in enumerate(prices) for j, p in enumerate(of)]
    table = pandas.DataFrame(rows, columns=["person", "place", "price", "chosen"])
    columns = {"observation_id_col": "person", "choice_col": "chosen", "alternative_id_col": "place"}
    own = MultinomialLogit(table, "price - 1", **columns).fit().get_raw_results()["fit_parameters"].iloc[0]
    other = MultinomialLogit(table, OrderedDict(price="all_same"), **columns).fit().get_raw_results()
    b, error = float(other.params.iloc[0]), float(other.standard_errors.iloc[0])
    assert abs(own["Coefficient"] - b) < 1e-4
    return b, (float(own["Std. Error"]), float(own["P-Values"])), (error, erfc(abs(b / error) / sqrt(2)))


right = 1 / sqrt(100 * 0.52 * 0.48)
for low, high in ((0, 1), (10, 11), (100, 101), (-0.5, 0.5)):
    b, own, other = fit([(low, high)] * 100, [0] * 52 + [1] * 48)
    print(f"prices {low} and {high}: {b:.4f}, error {own[0]:.5f}, p {own[1]:.2g};",
          f"the other engine {other[0]:.5f}, p {other[1]:.2g}; right {right:.5f}")
    assert abs(b + log(52 / 48)) < 1e-4 and abs(other[0] - right) < 1e-4
    assert abs(own[0] - right / sqrt(low**2 + high**2)) < 1e-4

random.seed(0)
significant = [0, 0]
for _ in range(200):
    prices = [[10 + random.gauss(0, 1) for _ in range(3)] for _ in range(100)]
    for k, (_, p) in enumerate(fit(prices, [random.randrange(3) for _ in prices])[1:]):
        significant[k] += p < 0.05
print("of 200 surveys where the price makes no difference p < 0.05 has {}, by the other engine {}".format(*significant))
assert significant[0] > 150 and significant[1] < 20
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/fit.py"; then
  echo "choicemodels 0.3 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   choicemodels 0.3
#   prices 0 and 1: -0.0800, error 0.20016, p 0.69; the other engine 0.20016, p 0.69; right 0.20016
#   prices 10 and 11: -0.0800, error 0.01346, p 2.8e-09; the other engine 0.20016, p 0.69; right 0.20016
#   prices 100 and 101: -0.0800, error 0.00141, p 0; the other engine 0.20016, p 0.69; right 0.20016
#   prices -0.5 and 0.5: -0.0800, error 0.28307, p 0.78; the other engine 0.20016, p 0.69; right 0.20016
#   of 200 surveys where the price makes no difference p < 0.05 has 169, by the other engine 6
