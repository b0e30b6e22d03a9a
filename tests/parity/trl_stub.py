"""Trainers of TRL without what trains: their loss methods, on attributes given here."""

import collections
import types

import torch


def accelerator():
    return types.SimpleNamespace(
        device=torch.device("cpu"),
        gather=lambda x: x,
        gather_for_metrics=lambda x: x,
        reduce=lambda x, reduction="sum": x,
        num_processes=1,
        use_distributed=False,
        is_main_process=True,
        sync_gradients=True,
    )


def trainer(of, **attributes):
    """An object of the class that has had no __init__."""
    made = object.__new__(of)
    made.accelerator = accelerator()
    made.model = types.SimpleNamespace(training=True)
    made._metrics = collections.defaultdict(lambda: collections.defaultdict(list))
    made._total_train_tokens, made._tp_size = 0, 1
    made.aux_loss_enabled = False
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def as_output(log_probs, **others):
    """What a model with TRL's fused head returns: the head's statistics are for metrics only."""
    zeros = torch.zeros_like(log_probs)
    return types.SimpleNamespace(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool(), **others)
