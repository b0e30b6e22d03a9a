"""Losses of single completions, of TRL and Liger, against ours."""

import types

import numpy
import torch
from liger_kernel.chunked_loss import LigerFusedLinearKTOLoss
from trl.experimental.a2po import A2POTrainer
from trl.trainer.kto_trainer import KTOTrainer

import agreement
import ours
import trl_stub
from liger_pairs import HEAD, logits
from pairs import random_pairs
from trl_pairs import prompted

# Of each completion, those of another prompt, whose mean ratio is KTO's KL.
generator = numpy.random.default_rng(27)
KL = numpy.stack([-30 + generator.normal(size=64), -30.5 + generator.normal(size=64)])
LABEL = generator.random(64) < 0.6
TARGET = generator.normal(size=64)


def compare(package, theirs, arguments, evaluate, columns=("logp", "ref_logp", "label"), bound=1e-12, reason=""):
    batch = random_pairs()
    every = {
        "logp": batch.tokens.sum(1),
        "ref_logp": batch.reference.sum(1),
        "label": LABEL.astype(int),
        "target": TARGET,
        "kl_logp": KL[0],
        "ref_kl_logp": KL[1],
    }
    result = ours.score(["--unpaired", *arguments.split()], {name: numpy.asarray(every[name]) for name in columns})
    gradient = torch.as_tensor(result["d_logp"])[:, None] / len(result["d_logp"]) * batch.mask
    value, their_gradient = evaluate(batch)
    agreement.add(
        package,
        theirs,
        arguments,
        agreement.difference(value, result["loss"].mean()),
        agreement.difference(their_gradient, gradient),
        bound,
        reason=reason,
    )


def kto(loss_type="kto", desirable=1.0, undesirable=1.0):
    def evaluate(batch):
        tokens = batch.tokens.clone().requires_grad_()
        seen = torch.where(batch.mask, tokens, 0)
        made = trl_stub.trainer(
            KTOTrainer,
            beta=0.1,
            loss_type=loss_type,
            desirable_weight=desirable,
            undesirable_weight=undesirable,
            precompute_ref_logps=True,
            calculate_KL=loss_type == "kto",
            _compute_kl_logps=lambda *_: torch.as_tensor(KL[0]) if loss_type == "kto" else None,
        )
        mask = prompted(batch.mask)
        loss = made._compute_loss(
            lambda **_: trl_stub.as_output(seen),
            {
                "input_ids": mask,
                "attention_mask": torch.ones_like(mask),
                "completion_mask": mask,
                "label": torch.as_tensor(LABEL),
                "ref_logps": batch.reference.sum(1),
                "ref_KL_logps": torch.as_tensor(KL[1]),
            },
            False,
        )
        loss.backward()
        return loss.item(), tokens.grad

    return evaluate


def a2po(batch):
    tokens = batch.tokens.clone().requires_grad_()
    made = trl_stub.trainer(
        A2POTrainer, args=types.SimpleNamespace(beta2=1e-3), _get_sequence_logps=lambda *_: (tokens * batch.mask).sum(1)
    )
    loss = made.compute_loss(
        None,
        {
            "input_ids": None,
            "attention_mask": None,
            "logits_to_keep": None,
            "ref_logps": batch.reference.sum(1),
            "rewards": torch.as_tensor(TARGET),
            "v_star": torch.zeros(len(TARGET)),
        },
    )
    loss.backward()
    return loss.item(), tokens.grad


def liger_kto(batch):
    def hidden(tokens):
        return torch.where(batch.mask[..., None], logits(tokens), 0)

    policy = hidden(batch.tokens).requires_grad_()
    kl = torch.as_tensor((KL[0] - KL[1]).mean()).clamp(min=0).float()
    loss, _ = LigerFusedLinearKTOLoss(compiled=False, use_ref_model=True, chunk_size=3)(
        policy,
        HEAD,
        torch.where(batch.mask, 1, -100),
        preference_labels=torch.as_tensor(LABEL),
        ref_input=hidden(batch.reference),
        ref_weight=HEAD,
        kl=kl,
    )
    loss.backward()
    return loss.item(), torch.where(batch.mask, policy.grad[..., 1].double() / -torch.expm1(batch.tokens), 0)


def compare_all():
    with_kl = ("logp", "ref_logp", "label", "kl_logp", "ref_kl_logp")
    compare("TRL", "KTO", "--loss kto", kto(), with_kl)
    compare(
        "TRL",
        "KTO, desirable_weight 1.5, undesirable_weight 0.5",
        "--loss kto --desirable_weight 1.5 --undesirable_weight 0.5",
        kto(desirable=1.5, undesirable=0.5),
        with_kl,
    )
    compare("TRL", "KTO `apo_zero_unpaired`", "--loss apo_zero_unpaired", kto("apo_zero_unpaired"))
    compare("TRL", "A2PO, beta2 0.001", "--loss score_regression --beta 0.001", a2po, ("logp", "ref_logp", "target"))
    compare("Liger", "KTO, the KL given", "--loss kto", liger_kto, with_kl, bound=1e-3)
