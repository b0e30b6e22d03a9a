"""GRPO in Liger, without its compiler: the hidden states are the logits, the head is the identity."""

import torch
from liger_kernel.chunked_loss import LigerFusedLinearGRPOLoss

from grpo_names import HORIZON
from liger_pairs import HEAD, logits
from tokens import compare
from trl_tokens import truncated


PADDING = (
    "multiplies each token by its sequence's length, not by its mask, and divides by the width: masked tokens count; "
    "TRL's is ours"
)


def grpo(loss_type, low=0.2, high=0.2, level="token", beta=0.0, correction=None, **options):
    def evaluate(batch):
        hidden = logits(batch.logp).requires_grad_()
        loss = LigerFusedLinearGRPOLoss(
            beta=beta,
            compiled=False,
            use_ref_model=beta != 0,
            chunk_size=5,
            epsilon_low=low,
            epsilon_high=high,
            loss_type=loss_type,
            max_completion_length=HORIZON,
            importance_sampling_level=level,
            **options,
        )
        value, _ = loss(
            hidden,
            HEAD,
            torch.ones_like(batch.mask).long(),
            batch.mask.float(),
            batch.advantage.float(),
            ref_per_token_logps=batch.reference.float() if beta else None,
            old_per_token_logps=batch.old.float(),
            vllm_is_ratio=correction(batch).float() if correction else None,
        )
        value.backward()
        return value.item(), hidden.grad[..., 1].double() / -torch.expm1(batch.logp)

    return evaluate


def compare_all():
    means = " --aggregation sequence_mean_of_means"
    with_reference = ("old_logp", "ref_logp")
    for theirs, arguments, evaluate, more in [
        ("`grpo`, beta 0.04", "--loss grpo", grpo("grpo", beta=0.04), {"columns": with_reference}),
        (
            "`grpo`, beta 0.04, use_bias_correction_kl",
            "--loss ppo_clip --kl k3_corrected --kl_coefficient 0.04" + means,
            grpo("grpo", beta=0.04, use_bias_correction_kl=True),
            {"columns": with_reference},
        ),
        (
            "`grpo`, beta 0.04, token_truncate 3",
            "--loss grpo --correction token_truncate --correction_high 3",
            grpo("grpo", beta=0.04, correction=truncated),
            {"columns": (*with_reference, "rollout_logp")},
        ),
        ("`grpo`, beta 0, delta 1.5", "--loss ppo_clip --dual 1.5" + means, grpo("grpo", delta=1.5), {}),
        ("`grpo`, beta 0, sequence", "--loss gspo --low 0.2 --high 0.2", grpo("grpo", level="sequence"), {}),
        ("`bnpo`, beta 0", "--loss ppo_clip", grpo("bnpo"), {}),
        ("`dapo`, beta 0, epsilon_high 0.28", "--loss dapo", grpo("dapo", high=0.28), {}),
        ("`dr_grpo`, beta 0", f"--loss dr_grpo --horizon {HORIZON}", grpo("dr_grpo"), {}),
        ("`cispo`, beta 0, epsilon_high 5", "--loss cispo --low 0 --high 5", grpo("cispo", high=5.0), {}),
        ("`sapo`, beta 0", "--loss sapo" + means, grpo("sapo"), {}),
        ("`vespo`, beta 0", "--loss vespo", grpo("vespo"), {}),
        (
            "`luspo`, beta 0, sequence",
            "--loss gspo --low 0.2 --high 0.2 --aggregation length_weighted_sequence_mean",
            grpo("luspo", level="sequence"),
            {},
        ),
        (
            "`luspo`, beta 0.04, sequence",
            "--loss gspo --low 0.2 --high 0.2 --kl k3 --kl_coefficient 0.04 --aggregation length_weighted_sequence_mean",
            grpo("luspo", level="sequence", beta=0.04),
            {"columns": with_reference, "bound": float("inf"), "reason": PADDING},
        ),
    ]:
        compare("Liger", "GRPO " + theirs, arguments.split(), evaluate, extremes={}, **{"bound": 1e-3, **more})
