"""DPO's losses in ms-swift."""

import types

import torch
from swift.rlhf_trainers.dpo_trainer import DPOTrainer, RunningMoments

import trl_stub
from pairs import ANCHORED, LENGTHS, SUMS, compare, random_pairs


CAPPED = "e to the power of at most 709, without a gradient beyond, and a loss of nan from ∞ - ∞; ours has the limits"


def dpo(loss_type, beta=0.1, label_smoothing=0.0, f_divergence="reverse_kl", alpha=0.5, rpo_alpha=None):
    def evaluate(batch):
        tokens = batch.tokens.clone().requires_grad_()
        seen = torch.where(batch.mask, tokens, 0)
        (chosen, rejected), counts = batch.half(seen.sum(1)), batch.half(batch.mask.sum(1))
        output = {
            "chosen_logps": chosen,
            "rejected_logps": rejected,
            "chosen_completion_token_counts": counts[0],
            "rejected_completion_token_counts": counts[1],
            "nll_loss": -batch.half(seen)[0].sum() / counts[0].sum(),
            "mean_chosen_logits": torch.zeros(()),
            "mean_rejected_logits": torch.zeros(()),
        }
        made = trl_stub.trainer(
            DPOTrainer,
            beta=beta,
            label_smoothing=label_smoothing,
            loss_type=[loss_type],
            loss_weights=None,
            reference_free=False,
            f_divergence_type=f_divergence,
            f_divergence_params={"alpha_divergence_coef": alpha},
            use_weighting=False,
            args=types.SimpleNamespace(discopop_tau=0.05, rpo_alpha=rpo_alpha),
            concatenated_forward=lambda *_: output,
        )
        made.running = RunningMoments(made.accelerator)
        references = dict(zip(("ref_chosen_logps", "ref_rejected_logps"), batch.half(batch.reference.sum(1))))
        loss, _ = made.get_batch_loss_metrics(None, references)
        loss = loss.mean()
        loss.backward()
        return loss.item(), tokens.grad

    return evaluate


def compare_all():
    for name, arguments, options, more in [
        ("sigmoid", "--loss dpo", {}, {}),
        ("sigmoid", "--loss cdpo", {"label_smoothing": 0.1}, {}),
        ("robust", "--loss rdpo", {"label_smoothing": 0.1}, {}),
        ("exo_pair", "--loss exo_pair", {"label_smoothing": 1e-3}, {}),
        ("exo_pair", "--loss exo_pair", {}, {}),
        ("hinge", "--loss hinge", {}, {}),
        ("ipo", "--loss ipo_mean", {}, {"columns": ANCHORED + LENGTHS}),
        ("sppo_hard", "--loss sppo --beta 0.1", {}, {}),
        ("nca_pair", "--loss nca_pair", {}, {}),
        ("aot", "--loss aot", {}, {}),
        ("aot_unpaired", "--loss aot_unpaired", {}, {}),
        ("apo_zero", "--loss apo_zero", {}, {}),
        ("apo_down", "--loss apo_down", {}, {}),
        ("discopop", "--loss discopop", {}, {"wrong": ["-10000, 10000"], "reason": "as TRL's"}),
        ("sft", "--loss sft --mode 0", {}, {"columns": SUMS + LENGTHS}),
        ("sigmoid", "--loss with_nll --base dpo --nll_mode 0", {"rpo_alpha": 1.0}, {"columns": ANCHORED + LENGTHS}),
        ("sigmoid", "--loss f_dpo_js", {"f_divergence": "js_divergence"}, {}),
        (
            "sigmoid",
            "--loss f_dpo_alpha --alpha 0.75",
            {"f_divergence": "alpha_divergence", "alpha": 0.25},
            {
                "wrong": ["10000, -10000", "-10000, 10000", "-10000, -10000"],
                "reason": CAPPED,
            },
        ),
        (
            "sigmoid",
            "--loss f_dpo_forward_kl",
            {"f_divergence": "forward_kl"},
            {"bound": float("inf"), "extremes": {}, "reason": "accepted, and not computed: next line"},
        ),
        ("sigmoid", "--loss dpo", {"f_divergence": "forward_kl"}, {}),
    ]:
        options_text = "".join(f", {option} {value}" for option, value in options.items())
        compare("ms-swift", f"DPO `{name}`{options_text}", arguments.split(), dpo(name, **options), **more)
    # delta is the mean of the rewards so far, here of the one batch, and a float.
    batch = random_pairs()
    delta = 0.1 * (batch.tokens - batch.reference).sum(1).mean().item()
    compare(
        "ms-swift",
        "DPO `bco_pair`, its first batch",
        f"--loss bco_pair --delta {delta!r}".split(),
        dpo("bco_pair"),
        bound=1e-7,
        extremes={},
    )
