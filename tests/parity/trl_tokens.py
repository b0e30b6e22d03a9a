"""Policy-gradient losses in TRL."""

import types

import torch
from trl.experimental.gmpo import GMPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_trainer import RLOOTrainer

import trl_stub
from grpo_names import BOTH, HORIZON, OVERFLOW, TOO_HIGH
from tokens import compare


def grpo(
    loss_type="grpo", of=GRPOTrainer, beta=0.0, low=0.2, high=0.2, level="token", off_policy=None, correction=None, **arguments
):
    def evaluate(batch):
        logp = batch.logp.clone().requires_grad_()
        settings = {
            "delta": None,
            "use_bias_correction_kl": False,
            "sapo_temperature_pos": 1.0,
            "sapo_temperature_neg": 1.05,
            "vespo_k_pos": 2.0,
            "vespo_lambda_pos": 3.0,
            "vespo_k_neg": 3.0,
            "vespo_lambda_neg": 2.0,
            "steps_per_generation": 1,
            **arguments,
        }
        made = trl_stub.trainer(
            of,
            beta=beta,
            epsilon_low=low,
            epsilon_high=high,
            loss_type=loss_type,
            importance_sampling_level=level,
            top_entropy_quantile=1.0,
            off_policy_mask_threshold=off_policy,
            use_vllm=correction is not None,
            vllm_importance_sampling_correction=True,
            max_completion_length=HORIZON,
            current_gradient_accumulation_steps=1,
            _entropy_bonus_enabled=False,
            args=types.SimpleNamespace(**settings),
            _get_per_token_logps_and_entropies=lambda *_, **__: (logp, torch.zeros_like(logp), None),
        )
        mask = batch.mask
        inputs = {
            "prompt_ids": mask[:, :1].long(),
            "prompt_mask": mask[:, :1].long(),
            "completion_ids": mask.long(),
            "completion_mask": mask,
            "advantages": batch.advantage,
            "old_per_token_logps": batch.old,
            "ref_per_token_logps": batch.reference,
            "sampling_per_token_logps": batch.rollout,
            "num_items_in_batch": mask.sum(),
            "old_logps": (batch.old * mask).sum(1),
        }
        if correction is not None:
            inputs["importance_sampling_ratio"] = correction(batch)
        loss = made._compute_loss(None, inputs)
        loss.backward()
        return loss.item(), logp.grad

    return evaluate


def truncated(batch):
    return torch.exp(batch.old - batch.rollout).clamp(max=3)


def compare_all():
    means = " --aggregation sequence_mean_of_means"
    with_reference = ("old_logp", "ref_logp")
    for theirs, arguments, evaluate, more in [
        ("GRPO `grpo`", "--loss ppo_clip" + means, grpo(), TOO_HIGH),
        ("GRPO `grpo`, beta 0.04", "--loss grpo", grpo(beta=0.04), {"columns": with_reference, **TOO_HIGH}),
        (
            "GRPO `grpo`, beta 0.04, use_bias_correction_kl",
            "--loss ppo_clip --kl k3_corrected --kl_coefficient 0.04" + means,
            grpo(beta=0.04, use_bias_correction_kl=True),
            {
                "columns": with_reference,
                "wrong": ["ratio e^800, A 1", "ratio e^800, A -1", "ratio e^-800, A 1", "ratio e^-800, A -1"],
                "reason": OVERFLOW + ", and e^-800 times a KL of ∞ is nan; ours has the limits",
            },
        ),
        ("GRPO `grpo`, delta 1.5", "--loss ppo_clip --dual 1.5" + means, grpo(delta=1.5), BOTH),
        ("GRPO `grpo`, sequence", "--loss gspo --low 0.2 --high 0.2", grpo(level="sequence"), TOO_HIGH),
        (
            "GRPO `grpo`, off_policy_mask_threshold 0.1",
            "--loss ppo_clip --off_policy_limit 0.1" + means,
            grpo(off_policy=0.1),
            {"columns": ("old_logp", "rollout_logp"), **TOO_HIGH},
        ),
        (
            "GRPO `grpo`, beta 0.04, token_truncate 3",
            "--loss grpo --correction token_truncate --correction_high 3",
            grpo(beta=0.04, correction=truncated),
            {"columns": (*with_reference, "rollout_logp"), **TOO_HIGH},
        ),
        ("GRPO `bnpo`", "--loss ppo_clip", grpo("bnpo"), TOO_HIGH),
        ("GRPO `dapo`, epsilon_high 0.28", "--loss dapo", grpo("dapo", high=0.28), TOO_HIGH),
        ("GRPO `dr_grpo`", f"--loss dr_grpo --horizon {HORIZON}", grpo("dr_grpo"), TOO_HIGH),
        (
            "GRPO `luspo`, sequence",
            "--loss gspo --low 0.2 --high 0.2 --aggregation length_weighted_sequence_mean",
            grpo("luspo", level="sequence"),
            TOO_HIGH,
        ),
        (
            "GRPO `luspo`, sequence, beta 0.04",
            "--loss gspo --low 0.2 --high 0.2 --kl k3 --kl_coefficient 0.04 --aggregation length_weighted_sequence_mean",
            grpo("luspo", level="sequence", beta=0.04),
            {"columns": with_reference, **TOO_HIGH},
        ),
        ("GRPO `cispo`, epsilon_high 5", "--loss cispo --low 0 --high 5", grpo("cispo", high=5.0), {}),
        ("GRPO `sapo`", "--loss sapo" + means, grpo("sapo"), {**BOTH, "bound": 1e-6}),
        ("GRPO `vespo`", "--loss vespo", grpo("vespo"), {}),
        ("GMPO", "--loss gmpo" + means, grpo(of=GMPOTrainer, low=0.4, high=0.4), {}),
        ("RLOO", "--loss sequence_clip" + means, grpo(of=RLOOTrainer), TOO_HIGH),
    ]:
        compare("TRL", theirs, arguments.split(), evaluate, **more)
