"""OpenRLHF's losses. Its package needs a GPU's to be imported as a whole; models/loss.py and what it takes from
models/utils.py, masked_mean, do not."""

import importlib.machinery
import importlib.util
import sys
import types

import grpo_names
import pairs
import tokens

# What openrlhf/__init__.py, models/__init__.py and models/utils.py import at their heads, and the losses never call.
for name in ("deepspeed", "flash_attn", "flash_attn.bert_padding", "flash_attn.utils", "flash_attn.utils.distributed"):
    if importlib.util.find_spec(name.split(".")[0]) is None or name in sys.modules:
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        module.__getattr__ = lambda attribute: None
        sys.modules[name] = module
folder = importlib.util.find_spec("openrlhf").submodule_search_locations[0]
package = types.ModuleType("openrlhf.models")
package.__path__ = [f"{folder}/models"]
sys.modules["openrlhf.models"] = package
from openrlhf.models.loss import DPOLoss, PairWiseLoss, PolicyLoss  # noqa: E402


def dpo(**options):
    def evaluate(batch):
        log_probs = batch.tokens.clone().requires_grad_()
        loss, _, _ = DPOLoss(0.1, **options)(*batch.half(log_probs.sum(1)), *batch.half(batch.reference.sum(1)))
        loss.backward()
        return loss.item(), log_probs.grad * batch.mask

    return evaluate


def reward(batch):
    log_probs = batch.tokens.clone().requires_grad_()
    loss = PairWiseLoss()(*batch.half(log_probs.sum(1)))
    loss.backward()
    return loss.item(), log_probs.grad * batch.mask


def policy(**options):
    def evaluate(batch):
        logp = batch.logp.clone().requires_grad_()
        loss = PolicyLoss(**options)(logp, batch.old, batch.advantage[:, None].expand_as(logp), batch.mask, batch.rollout)[0]
        loss.backward()
        return loss.item(), logp.grad

    return evaluate


def compare_all():
    for theirs, arguments, evaluate, columns in [
        ("DPO", "--loss dpo", dpo(), pairs.ANCHORED),
        ("DPO, label_smoothing 0.1", "--loss cdpo", dpo(label_smoothing=0.1), pairs.ANCHORED),
        ("DPO, ipo", "--loss ipo", dpo(ipo=True), pairs.ANCHORED),
        ("PairWiseLoss", "--loss bradley_terry", reward, pairs.SUMS),
    ]:
        pairs.compare("OpenRLHF", theirs, arguments.split(), evaluate, columns=columns)
    limited = "--loss ppo_clip --log_ratio_limit 20"
    for theirs, arguments, evaluate, columns in [
        ("ppo", limited, policy(), ()),
        ("ppo, dual_clip 3", limited + " --dual 3", policy(dual_clip=3.0), ()),
        ("ppo, token_level_loss False", limited + " --aggregation sequence_mean_of_means", policy(token_level_loss=False), ()),
        ("gspo", "--loss gspo --low 0.2 --high 0.2", policy(policy_loss_type="gspo"), ()),
        (
            "ppo, correction token, clip",
            limited + " --correction token_truncate --correction_low 0.5 --correction_high 5",
            policy(is_correction_level="token", is_correction_mode="clip"),
            ("rollout_logp",),
        ),
        (
            "ppo, correction token, mask",
            limited + " --correction token_mask --correction_low 0.5 --correction_high 5",
            policy(is_correction_level="token"),
            ("rollout_logp",),
        ),
        (
            "ppo, correction seq, mask",
            limited + " --correction geometric_mask_token --correction_low 0.8 --correction_high 1.25",
            policy(is_correction_level="seq", is_correction_threshold=[0.8, 1.25]),
            ("rollout_logp",),
        ),
    ]:
        tokens.compare(
            "OpenRLHF",
            theirs,
            arguments.split(),
            evaluate,
            columns=("old_logp", *columns),
            bound=1e-8,
            **(grpo_names.TOO_HIGH if theirs == "gspo" else {}),
        )
