"""Losses of pairs in TRL."""

import types

import torch
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.experimental.tpo import TPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer

import trl_stub
from pairs import ANCHORED, LENGTHS, LOG_PROBS, SUMS, compare


# Why theirs is another number, where it is.
DISCOPOP = "e^-z σ(z / τ) is ∞ · 0 there, nan; the loss is -z, and ours"
OVERFLOW = "where a score overflows, its gradient is 0 · ∞, nan, and so is the loss where both do; ours has the limits"
CAPPED = "e to the power of at most 80, without a gradient beyond; ours is what the formula rounds to"
UNDERFLOW = "a power of e^mean, which underflows: nan, or ∞ too early; ours is the formula's"
IGNORED = "label_smoothing does nothing there: next line"
LOG1MEXP = "the gradient of log(1 - e^x) is nan where e^x is 1 in float, though the loss is right; ours has the formula's"
PROMPT = "its likelihood is of the prompt's tokens, too, and theirs to divide by; ours is of the completion"


def prompted(mask, prompt=1):
    return torch.cat([torch.zeros(len(mask), prompt, dtype=torch.long), mask.long()], 1)


def dpo(loss_types, beta=0.1, weights=None, dtype=torch.double, **attributes):
    def evaluate(batch):
        tokens = batch.tokens.to(dtype, copy=True).requires_grad_()
        made = trl_stub.trainer(
            DPOTrainer,
            **{
                "beta": beta,
                "loss_types": loss_types,
                "loss_weights": weights or [1.0] * len(loss_types),
                "ld_alpha": None,
                "precompute_ref_logps": True,
                "f_divergence_type": "reverse_kl",
                "f_alpha_divergence_coef": 0.5,
                "label_smoothing": 0.0,
                "use_weighting": False,
                "args": types.SimpleNamespace(discopop_tau=0.05),
                **attributes,
            },
        )
        chosen, rejected = batch.half(batch.reference.to(dtype).sum(1))
        mask = prompted(batch.mask)
        seen = torch.where(batch.mask, tokens, 0)
        loss = made._compute_loss(
            lambda **_: trl_stub.as_output(seen),
            {
                "input_ids": mask,
                "attention_mask": torch.ones_like(mask),
                "completion_mask": mask,
                "ref_chosen_logps": chosen,
                "ref_rejected_logps": rejected,
            },
            False,
        )
        loss.backward()
        return loss.item(), tokens.grad

    return evaluate


def from_logits(batch, prompt=1):
    """Logits over two words whose second has the batch's log-probs, and what of them they are a function of."""
    logit = torch.where(batch.mask, batch.tokens - torch.log(-torch.expm1(batch.tokens)), 0.0).requires_grad_()
    second = torch.cat(
        [torch.full((len(logit), prompt - 1), -0.5, dtype=torch.double), logit, torch.zeros(len(logit), 1, dtype=torch.double)],
        1,
    )
    return torch.stack([torch.zeros_like(second), second], -1), logit


def halves(mask, prompt=1):
    """A batch as CPO's and ORPO's collators make it."""
    ids, ones = prompted(mask, prompt), torch.ones(len(mask), prompt, dtype=torch.long)
    ids[:, :prompt] = 1
    seen = torch.cat([ones, mask.long()], 1)
    labels = torch.where(prompted(mask, prompt) == 1, 1, -100)
    n = len(mask) // 2
    return {
        f"{side}_{name}": rows[part]
        for side, part in (("chosen", slice(0, n)), ("rejected", slice(n, None)))
        for name, rows in (("input_ids", ids), ("attention_mask", seen), ("labels", labels))
    }


def whole(of, prompt=1, **attributes):
    def evaluate(batch):
        logits, logit = from_logits(batch, prompt)
        made = trl_stub.trainer(of, is_encoder_decoder=False, pad_token_id=0, padding_value=0, **attributes)
        loss, _ = made.get_batch_loss_metrics(lambda *_, **__: types.SimpleNamespace(logits=logits), halves(batch.mask, prompt))
        loss.backward()
        return loss.item(), logit.grad

    return evaluate


def cpo(loss_type, **attributes):
    return whole(
        CPOTrainer,
        loss_type=loss_type,
        **{"beta": 0.1, "alpha": 0.0, "simpo_gamma": 0.5, "cpo_alpha": 0.0, "label_smoothing": 0.0, **attributes},
    )


def tpo(loss_type, **attributes):
    """Its third completion, the gold one, is not there: tpo_alpha is 0."""

    def evaluate(batch):
        logits, logit = from_logits(batch)
        mask = prompted(batch.mask)
        made = trl_stub.trainer(
            TPOTrainer,
            loss_type=loss_type,
            **{"beta": 0.01, "tpo_alpha": 0.0, "tpo_l_gamma": 0.5, "label_smoothing": 0.0, **attributes},
        )
        loss = made._compute_loss(
            lambda **_: types.SimpleNamespace(logits=logits),
            {"input_ids": mask, "attention_mask": torch.ones_like(mask), "completion_mask": mask},
            False,
        )
        loss.backward()
        return loss.item(), logit.grad

    return evaluate


def compare_all(package="TRL"):
    def against(theirs, arguments, evaluate, **more):
        compare(package, theirs, arguments.split(), evaluate, **more)

    with_length = ANCHORED + LENGTHS
    float_epsilon = 1e-6  # exo_pair holds epsilon in float
    for name, arguments, more in [
        ("sigmoid", "--loss dpo", {}),
        ("hinge", "--loss hinge", {}),
        ("ipo", "--loss ipo_mean", {"columns": with_length}),
        ("sigmoid_norm", "--loss ln_dpo --beta 0.1", {"columns": with_length}),
        ("nca_pair", "--loss nca_pair", {}),
        ("bco_pair", "--loss bco_pair", {}),
        ("sppo_hard", "--loss sppo --beta 0.1", {}),
        ("apo_zero", "--loss apo_zero", {}),
        ("apo_down", "--loss apo_down", {}),
        ("discopop", "--loss discopop", {"wrong": ["-10000, 10000"], "reason": DISCOPOP}),
        ("sft", "--loss sft --mode 0", {"columns": SUMS + LENGTHS}),
    ]:
        against(f"DPO `{name}`", arguments, dpo([name]), **more)
    against("DPO `robust`, label_smoothing 0.1", "--loss rdpo", dpo(["robust"], label_smoothing=0.1))
    against(
        "DPO `exo_pair`, label_smoothing 0.001", "--loss exo_pair", dpo(["exo_pair"], label_smoothing=1e-3), bound=float_epsilon
    )
    against(
        "DPO `sigmoid`, label_smoothing 0.1",
        "--loss cdpo",
        dpo(["sigmoid"], label_smoothing=0.1),
        bound=float("inf"),
        extremes={},
        reason=IGNORED,
    )
    against("DPO `sigmoid`, label_smoothing 0.1", "--loss dpo", dpo(["sigmoid"], label_smoothing=0.1))
    against("DPO `sigmoid`, `sft`", "--loss with_nll --base dpo --nll_mode 0", dpo(["sigmoid", "sft"]), columns=with_length)
    for name, loss in (("aot", "aot"), ("aot_unpaired", "aot_unpaired")):
        against(f"DPO `{name}`", f"--loss {loss}", dpo([name]))
    against(
        "DPO, forward_kl",
        "--loss f_dpo_forward_kl",
        dpo(["sigmoid"], f_divergence_type="forward_kl"),
        wrong=["10000, -10000", "-10000, -10000"],
        reason=OVERFLOW,
    )
    against("DPO, js_divergence", "--loss f_dpo_js", dpo(["sigmoid"], f_divergence_type="js_divergence"))
    against(
        "DPO, alpha_divergence 0.5, float",
        "--loss f_dpo_alpha --dtype f32",
        dpo(["sigmoid"], f_divergence_type="alpha_divergence", dtype=torch.float),
        bound=1e-3,
        wrong=["-400, 400", "-10000, 10000", "-10000, -10000"],
        reason=CAPPED,
    )
    without = SUMS
    means = SUMS + LENGTHS
    for theirs, arguments, evaluate, columns, more in [
        ("CPO `sigmoid`, cpo_alpha 0", "--loss cpo", cpo("sigmoid"), without, {}),
        ("CPO `sigmoid`", "--loss with_nll --base cpo --nll_mode 0", cpo("sigmoid", cpo_alpha=1.0), means, {}),
        (
            "CPO `sigmoid`, label_smoothing 0.1, cpo_alpha 0",
            "--loss smoothed --base cpo --epsilon 0.1",
            cpo("sigmoid", label_smoothing=0.1),
            without,
            {},
        ),
        ("CPO `simpo`, cpo_alpha 0", "--loss simpo --beta 2 --gamma 1", cpo("simpo", beta=2.0, simpo_gamma=1.0), means, {}),
        (
            "CPO `simpo`",
            "--loss with_nll --base simpo --beta 2 --gamma 1 --nll_mode 0",
            cpo("simpo", beta=2.0, simpo_gamma=1.0, cpo_alpha=1.0),
            means,
            {},
        ),
        (
            "CPO `simpo`, label_smoothing 0.1, cpo_alpha 0",
            "--loss smoothed --base simpo --beta 2 --gamma 1 --epsilon 0.1",
            cpo("simpo", beta=2.0, simpo_gamma=1.0, label_smoothing=0.1),
            means,
            {},
        ),
        (
            "CPO `alphapo`: `simpo`, alpha 0.25",
            "--loss alpha_po --alpha 0.25",
            cpo("simpo", beta=2.0, simpo_gamma=1.0, alpha=0.25),
            means,
            {"wrong": ["-10000, -1", "-1, -10000", "-10000, -10000", "-800, -1", "-1, -800"], "reason": UNDERFLOW},
        ),
        (
            "ORPO, its whole loss",
            "--loss orpo:1+sft:1 --sft 0 --mode 0",
            whole(ORPOTrainer, beta=0.1),
            means,
            {"bound": 1e-4, "wrong": ["-1e-09, -3", "-3, -1e-09", "-1e-09, -1e-09"], "reason": LOG1MEXP},
        ),
        (
            "ORPO, a prompt of 3 tokens",
            "--loss orpo:1+sft:1 --sft 0 --mode 0",
            whole(ORPOTrainer, prompt=3, beta=0.1),
            means,
            {"bound": float("inf"), "extremes": {}, "reason": PROMPT},
        ),
        ("TPO `sigmoid`, tpo_alpha 0", "--loss cpo --beta 0.01", tpo("sigmoid"), without, {}),
        (
            "TPO `sigmoid`, label_smoothing 0.1, tpo_alpha 0",
            "--loss smoothed --base cpo --beta 0.01 --epsilon 0.1",
            tpo("sigmoid", label_smoothing=0.1),
            without,
            {},
        ),
        ("TPO `tpo-l`, tpo_alpha 0", "--loss simpo --beta 0.01 --gamma 0.5", tpo("tpo-l"), means, {}),
    ]:
        against(theirs, arguments, evaluate, columns=columns, by_logit=True, **{"extremes": LOG_PROBS, **more})
