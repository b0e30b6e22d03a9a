#!/usr/bin/env bash
# Google Benchmark as a release build, from the sources that Debian's package is made of: Debian's own library tells in every
# output that it is a debug build.
#   cmake/google_benchmark.sh [DIR]    builds it in a cache folder (default: $XDG_CACHE_HOME/prefopt or ~/.cache/prefopt)
#                                      unless it is there; the last line is a folder: cmake -Dbenchmark_DIR=…
# MIRROR in the environment is a Debian mirror (default: http://deb.debian.org/debian).
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  echo "cmake/google_benchmark.sh: got \"$*\", expected nothing or one folder, see --help" >&2
  exit 2
fi
# shellcheck source=cmake/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
# shellcheck source=cmake/pinned_download.sh
source "$(dirname "${BASH_SOURCE[0]}")/pinned_download.sh"

release=1.9.1
cache=$(cache_folder "${1:-}")
prefix=$cache/google-benchmark-$release
exec 9>"$cache/google_benchmark.lock"
flock 9
if [ ! -f "$prefix/complete" ]; then
  install_missing_packages g++ cmake make curl ca-certificates >&2
  rm -rf "$prefix"
  archive=$cache/benchmark_$release.orig.tar.gz
  pinned_download "${MIRROR:-http://deb.debian.org/debian}/pool/main/b/benchmark/${archive##*/}" \
    32131c08ee31eeff2c8968d7e874f3cb648034377dfc32a4c377fa8796d84981 "$archive"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  tar -xzf "$archive" -C "$work"
  {
    cmake -S "$work/benchmark-$release" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
      -DCMAKE_INSTALL_LIBDIR=lib -DBENCHMARK_ENABLE_TESTING=OFF -DBENCHMARK_ENABLE_WERROR=OFF -DBENCHMARK_ENABLE_LIBPFM=OFF \
      -DBENCHMARK_INSTALL_DOCS=OFF
    cmake --build "$work/build" --parallel "${JOBS:-$(nproc)}"
    cmake --install "$work/build"
  } >"$cache/google_benchmark.log" 2>&1 || {
    tail -n 20 "$cache/google_benchmark.log" >&2
    echo "cmake/google_benchmark.sh: could not build Google Benchmark, see $cache/google_benchmark.log" >&2
    exit 1
  }
  touch "$prefix/complete"
fi
echo "$prefix/lib/cmake/benchmark"
