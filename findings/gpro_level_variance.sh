#!/usr/bin/env bash
# GPro 1.0.5: after one comparison of two items it is sure how good each of them is.
#
# ProbitPreferenceGP fits a Gaussian process to preferences. A preference says which of two is better and nothing of how good
# both are: one expects the standard deviation of their mean to be that of the prior, 0.90 in the example of its docs. It is
# 0.005. The curvature of -log p of a preference, w, stands in the Hessian at both items' own places, and -w where they cross:
# what both have in common has none. The Laplace class writes -w where they cross, but on the diagonal what w is for equals,
# (2 / pi) / (2 s_eval), whatever the values are: as if each item had been measured by itself. predict's deviations and
# covariances are made of it, and so is the expected improvement by which bayesopt chooses what to ask next: what has been
# compared seems hardly worth another look. It is the Hessian of the steps to the mode as well, which get the shorter: in the
# docs' example they end before half the way. The noisier the answers, the less there is to be seen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" numpy==2.3.3 scipy==1.16.2
# Without pandas, which what is used here does without.
"${pip[@]}" --no-deps GPro==1.0.5
cat >"$folder/level.py" <<'PYTHON'
from importlib.metadata import version

import numpy
from GPro.kernels import RBF
from GPro.posterior import Laplace
from GPro.preference import ProbitPreferenceGP
from scipy.special import log_ndtr

print("GPro", version("GPro"))


def laplace(prior, preferences, noise):
    """The mode of the posterior, by Newton's method in steps that do not overshoot, and the covariance around it."""
    scale = numpy.sqrt(2 * noise)
    values = numpy.zeros(len(prior))
    for _ in range(100):
        gradient, hessian = numpy.linalg.solve(prior, values), numpy.linalg.inv(prior)
        for better, worse in preferences:
            z = (values[better] - values[worse]) / scale
            slope = numpy.exp(-z * z / 2 - log_ndtr(z)) / numpy.sqrt(2 * numpy.pi)
            pair = numpy.zeros(len(prior))
            pair[better], pair[worse] = 1 / scale, -1 / scale
            gradient -= slope * pair
            hessian += slope * (slope + z) * numpy.outer(pair, pair)
        values = values - 0.2 * numpy.linalg.solve(hessian, gradient)
    return values, numpy.linalg.inv(hessian)


def deviation(covariance):
    """Of the mean of all items."""
    return numpy.sqrt(covariance.mean())


def numbers(array):
    return " ".join(f"{round(x, 4) + 0:.4f}" for x in array)


far = numpy.arange(5.0).reshape(-1, 1) * 10
docs = numpy.array([[2.0], [1.0]])
chain = numpy.array([[i + 1, i] for i in range(4)])
for name, items, preferences, noise, limit in (
    ("the two items of the docs", docs, numpy.array([[0, 1]]), None, 0.01),
    ("two items far apart", far[:2], chain[:1], 0.05, 0.45),
    ("five items, each better than the one before", far, chain, 0.05, 0.45),
    ("five items, each better than the one before", far, chain, 0.5, 0.96),
):
    model = ProbitPreferenceGP()
    if noise is not None:
        model = ProbitPreferenceGP(kernel=RBF(1.0), post_approx=Laplace(s_eval=noise, max_iter=3000, tol=1e-7))
    means, covariance = model.fit(items, preferences).predict(items, return_y_cov=True)
    prior = model.kernel_(items)
    right, around = laplace(prior + 1e-5 * numpy.eye(len(items)), preferences, noise or 1e-5)
    print(f"{name}, s_eval {noise or 'as it comes'}")
    print(f"  means {numbers(means.ravel())}, right {numbers(right)}")
    print(f"  deviations {numbers(numpy.sqrt(covariance.diagonal()))}, right {numbers(numpy.sqrt(around.diagonal()))}")
    print(f"  deviation of the mean of all {deviation(covariance):.4f}, right {deviation(around):.4f}, "
          f"before {deviation(prior):.4f}")
    assert abs(deviation(around) - deviation(prior)) < 1e-4
    assert deviation(covariance) < limit * deviation(prior)
    if noise is not None:
        assert abs(means.ravel() - right).max() < 1e-3
PYTHON
if ! "$folder/venv/bin/python" "$folder/level.py"; then
  echo "GPro 1.0.5 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   GPro 1.0.5
#   the two items of the docs, s_eval as it comes
#     means 0.0034 -0.0034, right 0.0091 -0.0091
#     deviations 0.0068 0.0068, right 0.9025 0.9025
#     deviation of the mean of all 0.0054, right 0.8963, before 0.8963
#   two items far apart, s_eval 0.05
#     means -0.2784 0.2784, right -0.2785 0.2785
#     deviations 0.3778 0.3778, right 0.7858 0.7858
#     deviation of the mean of all 0.2952, right 0.7071, before 0.7071
#   five items, each better than the one before, s_eval 0.05
#     means -0.6813 -0.2978 0.0000 0.2978 0.6813, right -0.6814 -0.2978 0.0000 0.2978 0.6814
#     deviations 0.3889 0.2982 0.2972 0.2982 0.3889, right 0.6523 0.5624 0.5411 0.5624 0.6523
#     deviation of the mean of all 0.1905, right 0.4472, before 0.4472
#   five items, each better than the one before, s_eval 0.5
#     means -0.5572 -0.1486 0.0000 0.1486 0.5572, right -0.5572 -0.1486 0.0000 0.1486 0.5572
#     deviations 0.8169 0.7211 0.7205 0.7211 0.8169, right 0.8480 0.7510 0.7385 0.7510 0.8480
#     deviation of the mean of all 0.4253, right 0.4472, before 0.4472
