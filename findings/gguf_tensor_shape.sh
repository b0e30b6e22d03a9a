#!/usr/bin/env bash
# gguf 0.19.0 (Python): a tensor that is read back has two shapes, and `shape` is the reversed one.
#
# A matrix of 2 rows and 3 columns is written by add_tensor. The reader's tensor.data is a NumPy array of shape (2, 3),
# as written; its tensor.shape says [3, 2], since that is the file's own order, ggml's, with the dimension that lies
# together in memory first. Who sizes buffers by `shape`, or takes shape[0] for the number of rows (the vocabulary of an
# output matrix, say), has rows and columns exchanged; the product of the two is right, so nothing complains. Of a square
# matrix it does not even show.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
cat >"$folder/shapes.py" <<'PYTHON'
import sys
from importlib.metadata import version

import gguf
import numpy as np

path = sys.argv[1]
writer = gguf.GGUFWriter(path, "llama")
written = np.arange(6, dtype=np.float32).reshape(2, 3)
writer.add_tensor("weight", written)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

print("gguf", version("gguf"))
read = gguf.GGUFReader(path).tensors[0]
print("written", written.shape, "shape", read.shape.tolist(), "data.shape", read.data.shape)
assert np.array_equal(read.data, written)
assert read.shape.tolist() == [3, 2] and read.data.shape == (2, 3)
PYTHON
if ! "$folder/venv/bin/python" "$folder/shapes.py" "$folder/weight.gguf"; then
  echo "gguf 0.19.0 does something else than is said here" >&2
  exit 1
fi
# Seen:
#   gguf 0.19.0
#   written (2, 3) shape [3, 2] data.shape (2, 3)
