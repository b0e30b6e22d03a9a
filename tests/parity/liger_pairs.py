"""Losses of pairs in Liger, without its compiler: the hidden states are the logits, the head is the identity."""

import torch
from liger_kernel.chunked_loss import (
    LigerFusedLinearCPOLoss,
    LigerFusedLinearDPOLoss,
    LigerFusedLinearORPOLoss,
    LigerFusedLinearSimPOLoss,
)

from pairs import ANCHORED, LENGTHS, LOG_PROBS, SUMS, compare

HEAD = torch.eye(2)


def logits(tokens):
    """Of two words, the second with these log-probs."""
    second = tokens - torch.log(-torch.expm1(tokens))
    return torch.stack([torch.zeros_like(second), second], -1).float()


def loss_of(loss, with_reference=False):
    def evaluate(batch):
        hidden = torch.where(batch.mask[..., None], logits(batch.tokens), 0).requires_grad_()
        target = torch.where(batch.mask, 1, -100)
        reference = {"ref_input": torch.where(batch.mask[..., None], logits(batch.reference), 0), "ref_weight": HEAD}
        value, _ = loss(HEAD, hidden, target, **(reference if with_reference else {}))
        value.backward()
        return value.item(), hidden.grad[..., 1]

    return evaluate


def compare_all():
    def against(theirs, arguments, evaluate, **more):
        compare("Liger", theirs, arguments.split(), evaluate, by_logit=True, **{"bound": 1e-3, "extremes": LOG_PROBS, **more})

    def dpo(**options):
        return loss_of(LigerFusedLinearDPOLoss(compiled=False, chunk_size=3, **options), with_reference=True)

    for name, arguments, options in [
        ("sigmoid", "--loss dpo", {}),
        ("hinge", "--loss hinge", {}),
        ("exo_pair", "--loss exo_pair", {"label_smoothing": 1e-3}),
        ("nca_pair", "--loss nca_pair", {}),
        ("robust", "--loss rdpo", {"label_smoothing": 0.1}),
        ("bco_pair", "--loss bco_pair", {}),
        ("sppo_hard", "--loss sppo --beta 0.1", {}),
        ("apo_zero", "--loss apo_zero", {}),
        ("apo_down", "--loss apo_down", {}),
        ("discopop", "--loss discopop", {}),
    ]:
        against(f"DPO `{name}`", arguments, dpo(loss_type=name, **options), columns=ANCHORED, extremes={})
    against(
        "DPO `sigmoid`, label_smoothing 0.1",
        "--loss cdpo",
        dpo(label_smoothing=0.1),
        columns=ANCHORED,
        extremes={},
        bound=float("inf"),
        reason="label_smoothing does nothing there, and it is DPO",
    )
    against(
        "DPO `sigmoid`, compute_nll_loss",
        "--loss with_nll --base dpo --nll_mode 0",
        dpo(compute_nll_loss=True),
        columns=ANCHORED + LENGTHS,
        extremes={},
    )
    means = SUMS + LENGTHS
    against(
        "SimPO, compute_nll_loss False",
        "--loss simpo --beta 2 --gamma 1",
        loss_of(LigerFusedLinearSimPOLoss(beta=2, gamma=1, compiled=False, compute_nll_loss=False, chunk_size=3)),
        columns=means,
    )
    against(
        "SimPO, as it is made",
        "--loss with_nll --base simpo --beta 0.1 --gamma 0.5 --nll_mode 0",
        loss_of(LigerFusedLinearSimPOLoss(compiled=False)),
        columns=means,
    )
    against(
        "CPO, compute_nll_loss False",
        "--loss cpo",
        loss_of(LigerFusedLinearCPOLoss(compiled=False, compute_nll_loss=False)),
        columns=SUMS,
    )
    against(
        "CPO, label_smoothing 0.1, compute_nll_loss False",
        "--loss smoothed --base cpo --epsilon 0.1",
        loss_of(LigerFusedLinearCPOLoss(compiled=False, label_smoothing=0.1, compute_nll_loss=False)),
        columns=SUMS,
    )
    against(
        "CPO, as it is made",
        "--loss with_nll --base cpo --nll_mode 0",
        loss_of(LigerFusedLinearCPOLoss(compiled=False)),
        columns=means,
    )
    against(
        "ORPO, as it is made",
        "--loss orpo:1+sft:1 --sft 0 --mode 0",
        loss_of(LigerFusedLinearORPOLoss(compiled=False)),
        columns=means,
        wrong=["-1e-09, -3", "-3, -1e-09", "-1e-09, -1e-09"],
        reason="log(1 - e^x) by e^x, which is 1 in float: ∞ and nan; ours is the formula's",
    )
