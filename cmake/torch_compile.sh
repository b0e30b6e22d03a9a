#!/usr/bin/env bash
# Python with PyPI's torch for torch.compile on the CPU, in a virtual environment of its own outside the tree.
#   cmake/torch_compile.sh [DIR]   installs it in a cache folder (default: $XDG_CACHE_HOME/prefopt or ~/.cache/prefopt) unless
#                                  it is there; the last line is the path of its python
# TORCH in the environment is the release (default: 2.13.0). Takes about 4 GB: what PyPI has is built for CUDA, without whose
# libraries python does not load it. No card is needed; triton, which compiles for cards, is left out.
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  echo "cmake/torch_compile.sh: got \"$*\", expected nothing or one folder, see --help" >&2
  exit 2
fi
# shellcheck source=cmake/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
# shellcheck source=cmake/pinned_download.sh
source "$(dirname "${BASH_SOURCE[0]}")/pinned_download.sh"

# What torch asks for beside CUDA, and what that asks for.
packages=(typing-extensions==4.16.0 sympy==1.14.0 mpmath==1.3.0 networkx==3.6.1 jinja2==3.1.6 MarkupSafe==3.0.4
          fsspec==2026.9.0 filelock==4.3.1 setuptools==84.2.1)
release=${TORCH:-2.13.0}
cache=$(cache_folder "${1:-}")
folder=$cache/torch-compile-$release
exec 9>"$folder.lock"
flock 9
if [ ! -f "$folder/complete" ]; then
  install_missing_packages g++ python3-venv python3-dev >&2
  rm -rf "$folder"
  python3 -m venv "$folder"
  pip=("$folder/bin/pip" --disable-pip-version-check install --no-cache-dir --only-binary :all:)
  "${pip[@]}" --quiet --no-deps "torch==$release" "${packages[@]}" >&2
  # CUDA's libraries as the wheel's metadata ask for them; of cuda-toolkit parts, which only pip can tell the names of. That
  # triton is missing is an error in what pip prints, and none in its exit status.
  metadata=$(echo "$folder"/lib/python3*/site-packages/torch-*.dist-info/METADATA)
  mapfile -t libraries < <(sed -nE 's/^Requires-Dist: ((nvidia|cuda-toolkit)[^;]*==[^; ]*).*/\1/p' "$metadata")
  if [ ${#libraries[@]} -ne 0 ] && ! "${pip[@]}" -qqq "${libraries[@]}" 2>"$folder/pip.log"; then
    cat "$folder/pip.log" >&2
    echo "cmake/torch_compile.sh: could not install ${libraries[*]}" >&2
    exit 1
  fi
  "$folder/bin/python" -W ignore -c 'import torch' >&2
  touch "$folder/complete"
fi
echo "$folder/bin/python"
