"""Batches of sampled sequences, and a policy-gradient loss of a package on them against ours."""

import numpy
import torch

import agreement
import ours


class Sequences:
    """Padded; what is masked has log-probs, too, that must not matter."""

    def __init__(self, **columns):
        self.logp, self.old, self.reference, self.rollout = (
            torch.as_tensor(columns[name], dtype=torch.double) for name in ("logp", "old", "reference", "rollout")
        )
        self.advantage = torch.as_tensor(columns["advantage"], dtype=torch.double)  # of a sequence
        self.mask = torch.as_tensor(columns["mask"]).double()

    def columns(self, *names):
        count, width = self.logp.shape
        sequence, token = numpy.divmod(numpy.arange(count * width), width)
        every = {
            "group": sequence // 4,
            "sequence": sequence,
            "token": token,
            "logp": self.logp,
            "old_logp": self.old,
            "ref_logp": self.reference,
            "rollout_logp": self.rollout,
            "mask": self.mask.long(),
            "advantage": self.advantage[:, None].expand(count, width),
        }
        return {
            name: numpy.asarray(every[name]).ravel()
            for name in ("group", "sequence", "token", "logp", "advantage", "mask", *names)
        }


def random_sequences(count=12, width=10):
    generator = numpy.random.default_rng(23)

    def near(x, scale):
        return numpy.minimum(x + scale * generator.normal(size=x.shape), -1e-4)

    logp = -2 * generator.gamma(0.7, size=(count, width)) - 1e-3
    mask = generator.random((count, width)) < 0.7
    mask[:, 0] |= ~mask.any(1)
    return Sequences(
        logp=logp,
        old=near(logp, 0.25),
        reference=near(logp, 0.5),
        rollout=near(logp, 0.4),
        mask=mask,
        advantage=generator.normal(size=count),
    )


def one_token(ratio, advantage):
    """e^ratio the ratio of probabilities."""
    return Sequences(
        logp=[[-1000 + ratio]], old=[[-1000.0]], reference=[[-1000.0]], rollout=[[-1000.0]], mask=[[1]], advantage=[advantage]
    )


RATIOS = {
    f"ratio e^{ratio:g}, A {advantage:g}": one_token(ratio, advantage)
    for ratio in (0, 15, 30, -30, 800, -800)
    for advantage in (1, -1)
}


def compare(
    package, theirs, arguments, evaluate, columns=("old_logp",), bound=1e-12, extremes=RATIOS, wrong=(), reason="", batch=None
):
    """evaluate(batch) is their loss and its gradient by log-prob."""

    def differences(batch):
        result = ours.score(["--tokens", *arguments], batch.columns(*columns))
        value, gradient = evaluate(batch)
        return agreement.difference(value, result["total"]), agreement.difference(gradient, result["d_logp"])

    value, gradient = differences(batch or random_sequences())
    off = [name for name, batch in (extremes or {}).items() if max(differences(batch)) > bound**0.5]
    agreement.add(package, theirs, " ".join(arguments), value, gradient, bound, off, wrong, reason)
