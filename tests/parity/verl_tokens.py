"""Policy-gradient losses, KL estimates, aggregations and advantages in verl."""

import numpy
import torch
from verl.trainer.config import AlgoConfig
from verl.trainer.ppo import core_algos
from verl.workers.config import ActorConfig, PolicyLossConfig

import agreement
import ours
from tokens import compare, random_sequences


# 1e-8 is added to lengths.
EPSILON = {"bound": 1e-7}


def policy_loss(name, aggregation="token-mean", **options):
    def evaluate(batch):
        logp = batch.logp.clone().requires_grad_()
        config = ActorConfig(
            strategy="fsdp",
            rollout_n=1,
            ppo_micro_batch_size_per_gpu=1,
            **{"clip_ratio_low": 0.2, "clip_ratio_high": 0.2, **options},
        )
        loss, _ = core_algos.get_policy_loss_fn(name)(
            old_log_prob=batch.old,
            log_prob=logp,
            advantages=batch.advantage[:, None].expand_as(logp),
            response_mask=batch.mask,
            loss_agg_mode=aggregation,
            config=config,
        )
        loss.backward()
        return loss.item(), logp.grad

    return evaluate


def without_advantage():
    batch = random_sequences()
    batch.advantage = torch.zeros_like(batch.advantage)
    return batch


def kl(name):
    def evaluate(batch):
        logp = batch.logp.clone().requires_grad_()
        loss = core_algos.agg_loss(
            loss_mat=core_algos.kl_penalty(logp, batch.reference, name), loss_mask=batch.mask, loss_agg_mode="token-mean"
        )
        loss.backward()
        return loss.item(), logp.grad

    return evaluate


def advantages(name, arguments, columns=("group", "reward"), sizes=(4, 4, 3, 1), **options):
    """The last prompt has one sample where a mode can do with one."""
    generator = numpy.random.default_rng(24)
    group = numpy.repeat(numpy.arange(len(sizes)), sizes)
    reward = generator.choice([0.25, 0.5, 1], len(group)) * (group != 1) + generator.normal(size=len(group)) * (group == 2)
    mask = random_sequences(len(group)).mask
    token_rewards = torch.zeros_like(mask)
    token_rewards[:, 0] = torch.as_tensor(reward)
    theirs, _ = core_algos.get_adv_estimator_fn(name)(
        token_level_rewards=token_rewards, response_mask=mask, index=group, **options
    )
    every = {"group": group, "reward": reward, "length": mask.sum(1).long().numpy()}
    result = ours.advantages(arguments, {column: every[column] for column in columns})
    agreement.add(
        "verl",
        f"advantage `{name}`",
        "--advantages " + " ".join(arguments),
        agreement.difference(theirs.sum(1) / mask.sum(1), result),
        None,
        2e-6,
    )


def compare_all():
    vanilla = "--loss ppo_clip --dual 3 --log_ratio_limit 20"
    for theirs, arguments, evaluate, more in [
        ("`vanilla`", vanilla, policy_loss("vanilla"), {}),
        ("`vanilla`, token-sum", vanilla + " --aggregation token_sum", policy_loss("vanilla", "token-sum"), {}),
        (
            "`vanilla`, seq-mean-token-sum",
            vanilla + " --aggregation sequence_mean_of_sums",
            policy_loss("vanilla", "seq-mean-token-sum"),
            {},
        ),
        (
            "`vanilla`, seq-mean-token-mean",
            vanilla + " --aggregation sequence_mean_of_means",
            policy_loss("vanilla", "seq-mean-token-mean"),
            EPSILON,
        ),
        (
            "`vanilla`, seq-mean-token-sum-norm",
            vanilla + " --aggregation sequence_mean_of_sums_scaled --horizon 10",
            policy_loss("vanilla", "seq-mean-token-sum-norm"),
            {"extremes": {}},
        ),
        ("`dppo_tv`, clip_ratio_c 20", "--loss dppo_tv --log_ratio_limit 20", policy_loss("dppo_tv", clip_ratio_c=20.0), {}),
        (
            "`dppo_kl`, clip_ratio_c 20",
            "--loss dppo_kl --low 0.05 --high 0.05 --log_ratio_limit 20",
            policy_loss("dppo_kl", clip_ratio_c=20.0, clip_ratio_low=0.05, clip_ratio_high=0.05),
            {},
        ),
        ("`gspo`", "--loss gspo_token --low 0.2 --high 0.2 --limit 10 --aggregation token_mean", policy_loss("gspo"), {}),
        ("`sapo`", "--loss sapo --aggregation sequence_mean_of_means --log_ratio_limit 20", policy_loss("sapo"), EPSILON),
        ("`gpg`", "--loss reinforce", policy_loss("gpg"), {}),
        (
            "`kl_cov`, 20 % of the tokens",
            "--loss kl_cov --share 0.2",
            policy_loss("kl_cov", policy_loss=PolicyLossConfig(loss_mode="kl_cov", kl_cov_ratio=0.2, ppo_kl_coef=1.0)),
            {},
        ),
        (
            "`geo_mean`",
            "--loss gmpo --aggregation sequence_mean_of_means",
            policy_loss("geo_mean", clip_ratio_low=0.4, clip_ratio_high=0.4),
            EPSILON,
        ),
        ("`dro`", "--loss dro_token", policy_loss("dro", policy_loss=PolicyLossConfig(loss_mode="dro", dro_beta=0.1)), {}),
        ("`cispo`", "--loss cispo_around_one --log_ratio_limit 20", policy_loss("cispo"), {}),
    ]:
        compare("verl", theirs, arguments.split(), evaluate, **({"columns": ()} if "reinforce" in arguments else {}), **more)
    for name, estimate in (("kl", "k1"), ("abs", "abs"), ("mse", "k2"), ("low_var_kl", "k3"), ("k3+", "k3_straight")):
        limits = " --kl_log_ratio_limit 20 --kl_value_limit 10" if estimate.startswith("k3") else ""
        compare(
            "verl",
            f"KL `{name}`",
            f"--loss reinforce --kl {estimate} --kl_coefficient 1{limits}".split(),
            kl(name),
            columns=("ref_logp",),
            batch=without_advantage(),
            extremes={},
        )
    for name, arguments, more in [
        ("grpo", "group_std --epsilon 1e-6 --lone reward", {}),
        ("grpo_vectorized", "group_std --epsilon 1e-6 --lone reward", {}),
        ("grpo_passk", "best_of_k", {"sizes": (4, 4, 3), "config": AlgoConfig()}),
        ("rloo", "leave_one_out --lone reward", {}),
        ("rloo_vectorized", "leave_one_out", {}),
        ("opo", "length_weighted --lone reward", {"columns": ("group", "reward", "length")}),
        ("gpg", "gpg --lone reward", {}),
    ]:
        advantages(name, arguments.split(), **more)
