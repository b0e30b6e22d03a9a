"""Policy-gradient losses in ms-swift."""

import types

import torch
from swift.rlhf_trainers.grpo_trainer import GRPOTrainer

import trl_stub
from tokens import compare
from grpo_names import BOTH, HORIZON, TOO_HIGH


def grpo(
    loss_type="grpo", beta=0.0, low=0.2, high=0.2, level="token", correction=None, off_policy=None, delta=None, safety=4.0
):
    def evaluate(batch):
        logp = batch.logp.clone().requires_grad_()
        mask = batch.mask.bool()
        made = trl_stub.trainer(
            GRPOTrainer,
            beta=beta,
            epsilon_low=low,
            epsilon_high=high,
            loss_type=loss_type,
            importance_sampling_level=level,
            kl_in_reward=False,
            compute_entropy=False,
            overlong_filter=False,
            rollout_importance_sampling_mode=correction,
            rollout_importance_sampling_threshold=2.0,
            log_rollout_offpolicy_metrics=False,
            disable_rollout_importance_sampling=False,
            _has_teacher=False,
            tau_pos=1.0,
            tau_neg=1.05,
            fipo_gamma=2 ** (-1 / 32),
            fipo_clip_range=0.2,
            fipo_clip_high_only=True,
            fipo_safety_threshold=safety,
            off_policy_sequence_mask_delta=off_policy,
            max_completion_length=HORIZON,
            num_generations=4,
            real_tau=0.5,
            sdar_loss_coef=0.0,
            chord_sft_iterator=None,
            model_accepts_loss_kwargs=False,
            compute_loss_func=None,
            current_gradient_accumulation_steps=1,
            args=types.SimpleNamespace(delta=delta, gradient_accumulation_steps=1),
            _get_per_token_logps_and_entropies=lambda *_, **__: (logp, None),
        )
        sampled = types.SimpleNamespace(
            completion_mask=mask,
            truncated_mask=torch.zeros(len(mask), dtype=torch.bool),
            ref_per_token_logps=batch.reference,
            advantages=batch.advantage[:, None].expand_as(logp),
            old_per_token_logps=batch.old,
            rollout_per_token_logps=batch.rollout,
            num_items_in_batch=mask.sum(),
            teacher_per_token_logps=None,
        )
        loss, _ = made._compute_loss_and_metrics(None, {}, sampled)
        loss.backward()
        return loss.item(), logp.grad

    return evaluate


def compare_all():
    means = " --aggregation sequence_mean_of_means"
    limited = " --kl k3 --kl_coefficient 0.04 --kl_log_ratio_limit 20 --kl_value_limit 10"
    corrections = " --correction_high 2 --correction "
    sampled = ("old_logp", "rollout_logp")
    for theirs, arguments, evaluate, more in [
        ("`grpo`", "--loss ppo_clip" + means, grpo(), TOO_HIGH),
        (
            "`grpo`, beta 0.04",
            "--loss ppo_clip" + means + limited,
            grpo(beta=0.04),
            {"columns": ("old_logp", "ref_logp"), **TOO_HIGH},
        ),
        ("`grpo`, delta 1.5", "--loss ppo_clip --dual 1.5" + means, grpo(delta=1.5), BOTH),
        ("`grpo`, sequence", "--loss gspo --low 0.2 --high 0.2", grpo(level="sequence"), TOO_HIGH),
        ("`grpo`, sequence_token", "--loss gspo_token --low 0.2 --high 0.2" + means, grpo(level="sequence_token"), TOO_HIGH),
        ("`bnpo`", "--loss ppo_clip", grpo("bnpo"), TOO_HIGH),
        ("`dapo`, epsilon_high 0.28", "--loss dapo", grpo("dapo", high=0.28), TOO_HIGH),
        ("`dr_grpo`", f"--loss dr_grpo --horizon {HORIZON}", grpo("dr_grpo"), TOO_HIGH),
        ("`cispo`, epsilon_high 5", "--loss cispo --low 0 --high 5", grpo("cispo", high=5.0), {}),
        ("`sapo`", "--loss sapo" + means, grpo("sapo"), BOTH),
        ("`fipo`, epsilon_high 0.28", "--loss fipo", grpo("fipo", high=0.28), TOO_HIGH),
        (
            "`grpo`, token_truncate",
            "--loss ppo_clip" + means + corrections + "token_truncate",
            grpo(correction="token_truncate"),
            {"columns": sampled, **TOO_HIGH},
        ),
        (
            "`grpo`, token_mask",
            "--loss ppo_clip" + means + corrections + "token_mask",
            grpo(correction="token_mask"),
            {"columns": sampled, **TOO_HIGH},
        ),
        (
            "`grpo`, sequence_truncate",
            "--loss ppo_clip" + means + corrections + "geometric_truncate",
            grpo(correction="sequence_truncate"),
            {"columns": sampled, **TOO_HIGH},
        ),
        (
            "`grpo`, sequence_mask",
            "--loss ppo_clip" + means + corrections + "geometric_mask_token",
            grpo(correction="sequence_mask"),
            {"columns": sampled, **TOO_HIGH},
        ),
        (
            "`grpo`, beta 0.04, token_truncate",
            "--loss ppo_clip --correct_kl" + means + limited + corrections + "token_truncate",
            grpo(beta=0.04, correction="token_truncate"),
            {"columns": ("old_logp", "ref_logp", "rollout_logp"), **TOO_HIGH},
        ),
        (
            "`bnpo`, off_policy_sequence_mask_delta 0.1",
            "--loss ppo_clip --off_policy_limit 0.1",
            grpo("bnpo", off_policy=0.1),
            {
                "columns": sampled,
                "bound": float("inf"),
                "extremes": {},
                "reason": "drops what is masked from the number of tokens, too; TRL, and ours, does not",
            },
        ),
    ]:
        compare("ms-swift", "GRPO " + theirs, arguments.split(), evaluate, **more)
