#!/usr/bin/env bash
# evalica 0.4.2, eigen and pagerank: between two models that only play each other, 99 wins to 1 are a tie.
#
# One expects the model that wins nearly every battle to be scored higher by every method, as bradley_terry and counting
# do. eigen and pagerank follow the wins from model to model; between two models that walk only goes to and fro, and their
# iterations do not settle. They stop at the limit of 100 and return where they began, equal scores, without a warning:
# 99 to 1, 1 to 99 and 1 to 1 look alike. A ranking of two models by another method is not contradicted by these two.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check evalica==0.4.2 numpy==2.4.6 pandas==3.1.1
cat >"$folder/battles.py" <<'PYTHON'
from importlib.metadata import version

import evalica
from evalica import Winner


def scores(method, battles):
    result = method(*(list(column) for column in zip(*battles)))
    return {name: round(float(score), 6) for name, score in sorted(result.scores.items())}, result


print("evalica", version("evalica"))
duel = [("a", "b", Winner.X)] * 99 + [("a", "b", Winner.Y)]
for method in (evalica.counting, evalica.bradley_terry):
    values, _ = scores(method, duel)
    print(method.__name__, values)
    assert values["a"] > values["b"]
for method, equal in ((evalica.eigen, 0.707107), (evalica.pagerank, 0.5)):
    values, result = scores(method, duel)
    print(method.__name__, values, "after", result.iterations, "of", result.limit, "iterations")
    assert values == {"a": equal, "b": equal}, values
    assert result.iterations == result.limit == 100
PYTHON
if ! "$folder/venv/bin/python" "$folder/battles.py"; then
  echo "evalica 0.4.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   evalica 0.4.2
#   counting {'a': 99.0, 'b': 1.0}
#   bradley_terry {'a': 9.949874, 'b': 0.100504}
#   eigen {'a': 0.707107, 'b': 0.707107} after 100 of 100 iterations
#   pagerank {'a': 0.5, 'b': 0.5} after 100 of 100 iterations
