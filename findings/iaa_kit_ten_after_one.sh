#!/usr/bin/env bash
# iaa-kit 0.1.2, weighted_kappa: of ratings from 1 to 10 the 10 stands next to the 1.
#
# A weighted kappa takes a disagreement for the worse the farther apart the two ratings are, and one expects 9 and 10 to be
# near each other, and 1 and 10 to be far. The places on the scale are those of the ratings sorted by their text (by repr): 1,
# 10, 2, 3 and so on. Of two raters who mistake 9 for 10 and 10 for 9 the quadratic kappa is 0.22 instead of 0.99, and of two
# who mistake 1 for 10 and 10 for 1 it is 0.99 instead of 0.02. One point less for all, from 0 to 9, and both are right.
# From -2 to 2 they are not: -1 comes before -2, so that -2 is next to 0. ac2, which is listed as Gwet's AC2, returns the same
# number; the command line has it as weighted_kappa_linear and weighted_kappa_quadratic.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check iaa-kit==0.1.2 numpy==2.3.3
cat >"$folder/kappa.py" <<'PYTHON'
from importlib.metadata import version

from iaa_kit import ac2, weighted_kappa

print("iaa-kit", version("iaa-kit"))


def right(one, other, power):
    """1 less the mean distance over the one that is expected by chance."""
    seen = sum(abs(a - b) ** power for a, b in zip(one, other)) / len(one)
    return 1 - seen / (sum(abs(a - b) ** power for a in one for b in other) / len(one) ** 2)


one = list(range(1, 11))
for text, other in (
    ("9 and 10 mistaken", [1, 2, 3, 4, 5, 6, 7, 8, 10, 9]),
    ("1 and 10 mistaken", [10, 2, 3, 4, 5, 6, 7, 8, 9, 1]),
):
    for weights, power in (("linear", 1), ("quadratic", 2)):
        expected = right(one, other, power)
        said = weighted_kappa(one, other, weights)
        less = weighted_kappa([a - 1 for a in one], [b - 1 for b in other], weights)
        print(f"{text}, {weights}: {said:.4f}, right {expected:.4f}, with one point less for all {less:.4f}")
        assert abs(less - expected) < 1e-9 and abs(said - expected) > 0.4
        assert ac2(one, other, weights) == said
one, other = [-2, -1, 0, 1, 2], [0, -1, -2, 1, 2]
said, expected = weighted_kappa(one, other, "quadratic"), right(one, other, 2)
print(f"from -2 to 2, -2 and 0 mistaken, quadratic: {said:.4f}, right {expected:.4f}")
assert said > expected + 0.2
PYTHON
if ! "$folder/venv/bin/python" "$folder/kappa.py"; then
  echo "iaa-kit 0.1.2 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   iaa-kit 0.1.2
#   9 and 10 mistaken, linear: 0.5152, right 0.9394, with one point less for all 0.9394
#   9 and 10 mistaken, quadratic: 0.2242, right 0.9879, with one point less for all 0.9879
#   1 and 10 mistaken, linear: 0.9394, right 0.4545, with one point less for all 0.4545
#   1 and 10 mistaken, quadratic: 0.9879, right 0.0182, with one point less for all 0.0182
#   from -2 to 2, -2 and 0 mistaken, quadratic: 0.9000, right 0.6000
