"""Batches of pairs, and a loss of a package on them against ours."""

import numpy
import torch

import agreement
import ours


SUMS = ("chosen", "rejected")
ANCHORED = (*SUMS, "ref_chosen", "ref_rejected")
LENGTHS = ("chosen_length", "rejected_length")


class Pairs:
    """Token log-probs [chosen; rejected], padded, of a policy and a reference."""

    def __init__(self, tokens, reference, lengths):
        tokens, reference = (numpy.asarray(x, dtype=float) for x in (tokens, reference))
        self.mask = torch.arange(tokens.shape[1]) < torch.as_tensor(lengths)[:, None]
        self.tokens, self.reference = (torch.where(self.mask, torch.as_tensor(x), 0.0) for x in (tokens, reference))

    def __len__(self):
        return len(self.tokens) // 2

    def columns(self, *names):
        halves = {"": self.tokens.sum(1), "ref_": self.reference.sum(1)}
        lengths = self.mask.sum(1).double()
        every = {}
        for i, side in enumerate(("chosen", "rejected")):
            rows = slice(i * len(self), (i + 1) * len(self))
            for prefix, sums in halves.items():
                every[prefix + side] = sums[rows]
            every[side + "_length"] = lengths[rows]
        return {name: every[name].numpy() for name in names}

    def half(self, x):
        return x[: len(self)], x[len(self) :]


def random_pairs(count=32, width=12):
    generator = numpy.random.default_rng(22)
    tokens = -2 * generator.gamma(0.7, size=(2 * count, width)) - 1e-3
    reference = tokens + 0.7 * generator.normal(size=tokens.shape)
    return Pairs(tokens, numpy.minimum(reference, -1e-4), generator.integers(1, width + 1, 2 * count))


def one_pair(chosen, rejected, base):
    """One pair of a token each, log-ratios as given against `base`."""
    return Pairs([[base + chosen], [base + rejected]], [[base], [base]], [1, 1])


# Log-ratios, against a reference at -20000.
RATIOS = {
    f"{chosen:g}, {rejected:g}": one_pair(chosen, rejected, -2e4)
    for chosen, rejected in [(0, 0), (1, 1), (400, -400), (-400, 400), (1e4, -1e4), (-1e4, 1e4), (1e4, 1e4), (-1e4, -1e4)]
}
# Log-probs, for losses without a reference.
LOG_PROBS = {
    f"{chosen:g}, {rejected:g}": one_pair(chosen, rejected, 0.0)
    for chosen, rejected in [
        (-1, -1),
        (-1e-9, -3),
        (-3, -1e-9),
        (-1e-9, -1e-9),
        (-1e4, -1),
        (-1, -1e4),
        (-1e4, -1e4),
        (-800, -1),
        (-1, -800),
    ]
}


def our_gradient(batch, result):
    """By token, of the mean over the pairs."""
    rows = torch.as_tensor(numpy.concatenate([result["d_chosen"], result["d_rejected"]]))
    return rows[:, None] / len(batch) * batch.mask


def compare(
    package, theirs, arguments, evaluate, columns=ANCHORED, bound=1e-12, extremes=RATIOS, wrong=(), reason="", by_logit=False
):
    """A line of the table. evaluate(batch) is their loss and its gradient by token, as Pairs.tokens, or by the logit."""

    def differences(batch):
        result = ours.score(arguments, batch.columns(*columns))
        gradient = our_gradient(batch, result)
        if by_logit:
            gradient = torch.where(batch.mask, gradient * -torch.expm1(batch.tokens), 0.0)
        value, their_gradient = evaluate(batch)
        return agreement.difference(value, result["loss"].mean()), agreement.difference(their_gradient, gradient)

    value, gradient = differences(random_pairs())
    off = [name for name, batch in (extremes or {}).items() if max(differences(batch)) > bound**0.5]
    agreement.add(package, theirs, " ".join(arguments), value, gradient, bound, off, wrong, reason)
