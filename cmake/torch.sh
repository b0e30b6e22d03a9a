#!/usr/bin/env bash
# libtorch as PyPI's torch wheel has it, its CPU part, in a virtual environment of its own outside the tree.
#   cmake/torch.sh [DIR]   installs it in a cache folder (default: $XDG_CACHE_HOME/prefopt or ~/.cache/prefopt) unless it
#                          is there; the last line is a folder: cmake -DTorch_DIR="$(cmake/torch.sh)" …
# TORCH in the environment is the release (default: 2.13.0). Takes about 1 GB. What PyPI has is built for CUDA, and its CPU
# part loads two small libraries of CUDA, which are installed beside it; neither a card nor CUDA is needed.
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  echo "cmake/torch.sh: got \"$*\", expected nothing or one folder, see --help" >&2
  exit 2
fi
# shellcheck source=cmake/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

release=${TORCH:-2.13.0}
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/prefopt}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)/torch-$release
exec 9>"$folder.lock"
flock 9
if [ ! -f "$folder/package/TorchConfig.cmake" ]; then
  install_missing_packages g++ cmake make python3-venv >&2
  rm -rf "$folder"
  python3 -m venv "$folder"
  pip=("$folder/bin/pip" --disable-pip-version-check install --no-cache-dir --only-binary :all:)
  "${pip[@]}" --quiet --no-deps "torch==$release" >&2
  # As the wheel's metadata ask for them: "cuda-toolkit[…]==13.0.3", of which the parts for these two.
  toolkit=$(sed -n 's/^Requires-Dist: cuda-toolkit\[[^]]*\]\(==[0-9.]*\).*/\1/p' "$folder"/lib/python3*/site-packages/torch-*.dist-info/METADATA)
  # It misses the others, which is an error to pip and none to its exit status.
  if [ -n "$toolkit" ] && ! "${pip[@]}" -qqq "cuda-toolkit[cudart,cupti]$toolkit"; then
    echo "cmake/torch.sh: could not install cuda-toolkit[cudart,cupti]$toolkit" >&2
    exit 1
  fi
  torch=$(echo "$folder"/lib/python3*/site-packages/torch)
  # Its own package asks for the whole of CUDA, if it was built for it. Both interfaces to std::string were in use until
  # 2.6, so the wheel is asked which one is its own.
  abi=1
  if nm -DC "$torch/lib/libc10.so" | grep -q 'c10::Error::Error(.*, std::string'; then abi=0; fi
  mkdir -p "$folder/package"
  cat >"$folder/package/TorchConfigVersion.cmake" <<END
set(PACKAGE_VERSION "$release")
if(NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
END
  cat >"$folder/package/TorchConfig.cmake.part" <<END
# Made by cmake/torch.sh: the CPU part of the wheel.
set(Torch_FOUND TRUE)
set(TORCH_INCLUDE_DIRS "$torch/include" "$torch/include/torch/csrc/api/include")
set(TORCH_LIBRARIES "$torch/lib/libtorch_cpu.so" "$torch/lib/libc10.so" -Wl,--allow-shlib-undefined)
set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=$abi")
END
  mv "$folder/package/TorchConfig.cmake.part" "$folder/package/TorchConfig.cmake"
fi
echo "$folder/package"
