#!/usr/bin/env bash
# liger-kernel 0.8.5, GRPO with loss_type="luspo": the masked tokens of the padding count in the loss, and are trained.
#
# One expects a token whose attention mask is 0 to make no difference, as under "grpo", "dapo" and the others. "luspo"
# multiplies what a token costs by its sequence's length instead of by its mask, and divides by the width of the batch.
# As long as a sequence has one number for all its tokens (beta 0, importance_sampling_level="sequence") that is LUSPO.
# With a KL term, and beta is 0.04 by default, or with ratios of tokens every token has its own: then the same two
# completions have another loss when they are padded further, another one when other words stand in the padding, and
# gradients at the padding. TRL's "luspo" masks (trl 1.16).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# 3 GB: PyPI's torch for x86 is the one for GPUs.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check liger-kernel==0.8.5 torch==2.15.0 numpy==2.3.3
cat >"$folder/luspo.py" <<'PYTHON'
from importlib.metadata import version

import torch
from liger_kernel.chunked_loss import LigerFusedLinearGRPOLoss

print("liger-kernel", version("liger-kernel"))
torch.manual_seed(0)
HIDDEN, HEAD = torch.randn(2, 8, 4), torch.randn(7, 4)
WORDS, REFERENCE, OLD = torch.randint(7, (2, 8)), -1 - torch.rand(2, 8), -1 - torch.rand(2, 8)


def loss(name, padding, width=6, **options):
    """Of two completions, of 3 and 4 tokens, padded to a width with copies of `padding`."""
    mask = (torch.arange(width) < torch.tensor([[3], [4]])).float()
    hidden = torch.where(mask[..., None] > 0, HIDDEN[:, :width], torch.full((4,), padding)).requires_grad_()
    value, _ = LigerFusedLinearGRPOLoss(loss_type=name, compiled=False, importance_sampling_level="sequence", **options)(
        hidden, HEAD, WORDS[:, :width], mask, torch.tensor([1.0, -1.0]), ref_per_token_logps=REFERENCE[:, :width],
        old_per_token_logps=OLD[:, :width])
    value.backward()
    return value.item(), hidden.grad[mask == 0].abs().max().item()


for name, options in (("grpo", {}), ("luspo", {"beta": 0.0}), ("luspo", {})):
    (value, at_padding), (other, _), (wider, _) = loss(name, 0.5, **options), loss(name, -2.0, **options), loss(name, 0.5, width=8, **options)
    print(f"{name} {options or ''}: {value:.6f}, other words in the padding {other:.6f}, padded further {wider:.6f},",
          f"largest gradient at the padding {at_padding:.2g}")
    if name == "luspo" and not options:
        assert abs(other - value) > 1e-3 and abs(wider - value) > 1e-3 and at_padding > 1e-3
    else:
        assert abs(other - value) < 1e-6 and abs(wider - value) < 1e-6 and at_padding == 0
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/luspo.py"; then
  echo "liger-kernel 0.8.5 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   liger-kernel 0.8.5
#   grpo : -0.148734, other words in the padding -0.148734, padded further -0.148734, largest gradient at the padding 0
#   luspo {'beta': 0.0}: -0.200000, other words in the padding -0.200000, padded further -0.200000, largest gradient at the padding 0
#   luspo : 0.084485, other words in the padding 60.218895, padded further 0.104730, largest gradient at the padding 0.33
