#!/usr/bin/env bash
# trl 1.16.0, ORPO: of a completion that the model is sure of the loss is right, and its gradient nan.
#
# log(1 - p) is computed by log1mexp, which has a branch of its own for p near 1, and that is why one expects such
# completions to be harmless. The value is: the log-odds are infinite, and the loss 0, as it is to eight digits.
# But the slope of log(1 - p) is infinite as well, and that of the log-sigmoid behind it 0: their product is nan instead
# of the small number that the formula has. It takes no more than a completion whose tokens are all 16 ahead of all other
# logits, "yes" and the end of the text, say, since float's log-softmax is 0 from there on. What is logged stays finite;
# the step turns all weights to nan.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# 3 GB: PyPI's torch for x86 is the one for GPUs.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check trl==1.16.0 torch==2.15.0 transformers==5.24.0 numpy==2.3.3
cat >"$folder/orpo.py" <<'PYTHON'
import types
from importlib.metadata import version

import torch
from trl.experimental.orpo import ORPOTrainer

print("trl", version("trl"), "torch", version("torch"))
trainer = types.SimpleNamespace(beta=0.1, accelerator=types.SimpleNamespace(device=torch.device("cpu")))
rejected = torch.tensor([-1.0])
for ahead in ([10.0, 11.0], [16.0, 17.0]):
    # Two tokens of a vocabulary of two words, their logits ahead of the other word's.
    logits = torch.stack([torch.tensor([ahead]), torch.zeros(1, 2)], -1).requires_grad_()
    labels = torch.zeros(1, 2, dtype=torch.long)
    mean = ORPOTrainer.get_batch_logps(logits, labels, average_log_prob=True, is_encoder_decoder=True)
    losses, *_ = ORPOTrainer.odds_ratio_loss(trainer, mean, rejected)
    (-losses.mean()).backward()
    gradient = logits.grad[0, :, 0]
    # By the formula, in double: -beta sigma(-lo) / (1 - e^mean) / 2 tokens, times 1 - p of each token.
    x = torch.tensor(ahead, dtype=torch.double)
    exact = -torch.nn.functional.softplus(-x).mean()
    odds = exact - torch.log(-torch.expm1(exact)) - (-1 - torch.log(-torch.expm1(torch.tensor(-1.0).double())))
    right = 0.1 * torch.sigmoid(-odds) / torch.expm1(exact) / 2 * torch.sigmoid(-x)
    print(f"mean log-prob {mean.item():.3g}: loss {-losses.item():.3g}, gradient {gradient.tolist()}, by the formula {right.tolist()}")
    assert mean.isfinite().all() and abs(-losses.item() + 0.1 * torch.nn.functional.logsigmoid(odds).item()) < 1e-6
    assert gradient.isnan().all() if ahead[0] == 16 else torch.allclose(gradient.double(), right, rtol=0.05)
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/orpo.py"; then
  echo "trl 1.16.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   trl 1.16.0 torch 2.15.0
#   mean log-prob -3.1e-05: loss 1.8e-06, gradient [-1.3317912817001343e-06, -4.7124922275543213e-07], by the formula [-1.321042252808139e-06, -4.859982323822972e-07]
#   mean log-prob 0: loss -0, gradient [nan, nan], by the formula [-3.2746422563502127e-09, -1.2046736489979183e-09]
