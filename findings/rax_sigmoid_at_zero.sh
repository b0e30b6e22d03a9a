#!/usr/bin/env bash
# rax 0.4.0 with jax 0.10.2: at a score of 0 the gradient of pointwise_sigmoid_loss is off by 1, and raises the scores of what
# is not relevant.
#
# The gradient of a score s with a label y is sigmoid(s) - y: one expects 1/2 for an item that is not relevant and has the
# score 0, and -1/2 for a relevant one. They are -1/2 and -3/2. The loss is put together of relu(s), s y and a logarithm with
# |s|, whose kinks at 0 cancel; of the slopes that JAX takes for them there, relu's is 0 and |s|'s is 1, and so they add up.
# At 1e-6 all is right. A model whose last layer begins with zeros, as is common, has all its scores at 0: of ten items, one
# of them relevant, the first step goes up instead of down, and so does the loss. pairwise_logistic_loss has the same two
# pieces, and there one makes up for the other. optax's sigmoid_binary_cross_entropy is right at 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rax==0.4.0 jax==0.10.2 jaxlib==0.10.2 optax==0.2.8 \
  numpy==2.4.6 scipy==1.17.1 ml_dtypes==0.6.0
cat >"$folder/sigmoid.py" <<'PYTHON'
from importlib.metadata import version

import jax
import numpy
import optax
import rax

print("rax", version("rax"), "jax", version("jax"))


def total(function):
    return lambda scores, labels: function(scores, labels).sum()


def mean(function):
    return lambda scores, labels: function(scores, labels).mean()


unreduced = {
    "rax": lambda scores, labels: rax.pointwise_sigmoid_loss(scores, labels, reduce_fn=None),
    "optax": optax.losses.sigmoid_binary_cross_entropy,
}
labels = numpy.array([1, 0], numpy.float32)
for score in (-1e-6, 0.0, 1e-6, 1.0):
    scores = numpy.full(2, score, numpy.float32)
    right = 1 / (1 + numpy.exp(-scores.astype(float))) - labels
    right_losses = numpy.logaddexp(0, scores.astype(float)) - scores * labels
    for name, function in unreduced.items():
        losses = numpy.asarray(function(scores, labels))
        gradient = numpy.asarray(jax.grad(total(function))(scores, labels))
        print(f"score {score:g}: {name}'s gradients of labels 1 and 0", *(f"{g:.4f}" for g in gradient), end=", ")
        print("right", *(f"{g:.4f}" for g in right))
        assert numpy.allclose(losses, right_losses, atol=1e-6)
        off = 1.0 if name == "rax" and score == 0 else 0.0
        assert numpy.allclose(right - gradient, off, atol=1e-5)

# One number, from 0, for the scores of ten items of which one is relevant: a step against the gradient, as long as that.
labels = numpy.eye(10, dtype=numpy.float32)[0]
for name, function in unreduced.items():
    at = mean(function)
    start = numpy.zeros(10, numpy.float32)
    step = -float(numpy.asarray(jax.grad(at)(start, labels)).sum())
    before, after = float(at(start, labels)), float(at(start + numpy.float32(step), labels))
    print(f"{name}: a step from 0 to {step:.2f}, the loss from {before:.4f} to {after:.4f}")
    assert abs(step - (0.6 if name == "rax" else -0.4)) < 1e-5 and (after > before + 0.28) == (name == "rax")
pair = numpy.asarray(jax.grad(rax.pairwise_logistic_loss)(numpy.zeros(2, numpy.float32), numpy.array([1, 0], numpy.float32)))
print("rax's pairwise_logistic_loss of scores 0 and 0:", *(f"{g:.4f}" for g in pair), "right -0.5000 0.5000")
assert numpy.allclose(pair, [-0.5, 0.5])
PYTHON
if ! "$folder/venv/bin/python" "$folder/sigmoid.py"; then
  echo "rax 0.4.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   rax 0.4.0 jax 0.10.2
#   score -1e-06: rax's gradients of labels 1 and 0 -0.5000 0.5000, right -0.5000 0.5000
#   score -1e-06: optax's gradients of labels 1 and 0 -0.5000 0.5000, right -0.5000 0.5000
#   score 0: rax's gradients of labels 1 and 0 -1.5000 -0.5000, right -0.5000 0.5000
#   score 0: optax's gradients of labels 1 and 0 -0.5000 0.5000, right -0.5000 0.5000
#   score 1e-06: rax's gradients of labels 1 and 0 -0.5000 0.5000, right -0.5000 0.5000
#   score 1e-06: optax's gradients of labels 1 and 0 -0.5000 0.5000, right -0.5000 0.5000
#   score 1: rax's gradients of labels 1 and 0 -0.2689 0.7311, right -0.2689 0.7311
#   score 1: optax's gradients of labels 1 and 0 -0.2689 0.7311, right -0.2689 0.7311
#   rax: a step from 0 to 0.60, the loss from 0.6931 to 0.9775
#   optax: a step from 0 to -0.40, the loss from 0.6931 to 0.5530
#   rax's pairwise_logistic_loss of scores 0 and 0: -0.5000 0.5000 right -0.5000 0.5000
