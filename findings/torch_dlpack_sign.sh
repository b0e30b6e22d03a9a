#!/usr/bin/env bash
# torch 2.15.0 and numpy 2.3.3: the imaginary part of a conjugate goes through DLPack with the wrong sign.
#
# One expects numpy.from_dlpack(tensor) to have the tensor's numbers, or an error, as tensor.numpy() has one here.
# conj() copies nothing, and its imag is the memory of the imaginary parts with a bit that says that they are negative.
# DLPack's struct has no place for the bit, and while a conjugated tensor is refused on the way out (BufferError), a
# negated one is handed over as it lies in memory. Whoever reads tensors through DLPack, from Python or C++, gets the
# numbers' opposites. resolve_neg() or contiguous memory of its own (clone()) before is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# 3 GB: PyPI's torch for x86 is the one for GPUs.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.3.3
cat >"$folder/sign.py" <<'PYTHON'
from importlib.metadata import version

import numpy
import torch

print("torch", version("torch"), "numpy", version("numpy"))
spectrum = torch.tensor([1 + 2j, 3 - 4j])
imaginary = spectrum.conj().imag
print("tensor:", imaginary.tolist(), "numpy.from_dlpack:", numpy.from_dlpack(imaginary).tolist(),
      "torch.from_dlpack:", torch.from_dlpack(imaginary).tolist())
assert imaginary.tolist() == [-2, 4]
assert numpy.from_dlpack(imaginary).tolist() == torch.from_dlpack(imaginary).tolist() == [2, -4]
assert numpy.from_dlpack(imaginary.resolve_neg()).tolist() == [-2, 4]
for name, export in (("conj(), numpy.from_dlpack", lambda: numpy.from_dlpack(spectrum.conj())), ("imag, numpy()", imaginary.numpy)):
    try:
        export()
    except (BufferError, RuntimeError) as error:
        print(f"{name}: {type(error).__name__}: {error}")
    else:
        raise AssertionError(name)
PYTHON
if ! "$folder/venv/bin/python" -W ignore "$folder/sign.py"; then
  echo "torch 2.15.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   torch 2.15.0 numpy 2.3.3
#   tensor: [-2.0, 4.0] numpy.from_dlpack: [2.0, -4.0] torch.from_dlpack: [2.0, -4.0]
#   conj(), numpy.from_dlpack: BufferError: Can't export tensors with the conjugate bit set
#   imag, numpy(): RuntimeError: Can't call numpy() on Tensor that has negative bit set. Use tensor.resolve_neg().numpy() instead.
