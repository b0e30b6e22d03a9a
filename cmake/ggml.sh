#!/usr/bin/env bash
# ggml and llama.cpp's library for this machine's processor, from the source distribution of llama-cpp-python on PyPI.
#   cmake/ggml.sh [DIR]    builds both in a cache folder (default: $XDG_CACHE_HOME/prefopt or ~/.cache/prefopt) unless
#                          they are there; the last line is the prefix: cmake -DGGML_DIR="$(cmake/ggml.sh)" …
# JOBS in the environment is how many files are compiled at a time (default: one a processor).
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  echo "cmake/ggml.sh: got \"$*\", expected nothing or one folder, see --help" >&2
  exit 2
fi
# shellcheck source=cmake/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
# shellcheck source=cmake/pinned_download.sh
source "$(dirname "${BASH_SOURCE[0]}")/pinned_download.sh"

release=0.3.36
files=https://files.pythonhosted.org/packages
cache=$(cache_folder "${1:-}")
prefix=$cache/llama-cpp-python-$release
exec 9>"$cache/ggml.lock"
flock 9
command -v c++ >/dev/null || install_missing_packages g++ >&2
# Before version 13, g++'s _tile_loadconfig reads 8 of the 64 bytes as far as the optimizer knows, so that the others may
# not be stored: ggml's products then end in a signal on a processor with AMX. Its other kernels are used there.
flags=()
if c++ -march=native -E -x c++ - <<<'#include <immintrin.h>' 2>/dev/null | grep '"ldtilecfg' >/dev/null; then
  flags=(-mno-amx-tile -mno-amx-int8 -mno-amx-bf16)
fi
# What it is built for: another processor or compiler wants another build.
target="$(c++ -march=native -dM -E -x c++ /dev/null | sort | sha256sum) ${flags[*]}"
if [ "$(cat "$prefix/complete" 2>/dev/null)" != "$target" ]; then
  install_missing_packages g++ cmake make curl ca-certificates >&2
  rm -rf "$prefix"
  archive=$cache/llama_cpp_python-$release.tar.gz
  pinned_download "$files/ec/e9/e7de2b0463ea3ffbf0ede6cb21b58c1258a8f6521aae45ca773a59fe7cf3/${archive##*/}" \
    832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e "$archive"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  tar -xzf "$archive" -C "$work" "llama_cpp_python-$release/vendor/llama.cpp"
  {
    # shellcheck disable=SC2016  # the loader's $ORIGIN
    cmake -S "$work/llama_cpp_python-$release/vendor/llama.cpp" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_C_FLAGS="${flags[*]}" -DCMAKE_CXX_FLAGS="${flags[*]}" -DCMAKE_INSTALL_PREFIX="$prefix" \
      -DCMAKE_INSTALL_LIBDIR=lib '-DCMAKE_INSTALL_RPATH=$ORIGIN' -DBUILD_SHARED_LIBS=ON \
      -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
      -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF
    cmake --build "$work/build" --parallel "${JOBS:-$(nproc)}"
    cmake --install "$work/build"
  } >"$cache/ggml.log" 2>&1 || {
    tail -n 20 "$cache/ggml.log" >&2
    echo "cmake/ggml.sh: could not build llama.cpp, see $cache/ggml.log" >&2
    exit 1
  }
  echo "$target" >"$prefix/complete"
fi
echo "$prefix"
