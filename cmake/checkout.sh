#!/usr/bin/env bash
# A pinned checkout of a trainer that examples call the library from and that no package carries.
#   cmake/checkout.sh llm.c|RLtools|ensmallen [DIR]
#       fetches it into a cache folder (default: $XDG_CACHE_HOME/prefopt or ~/.cache/prefopt) unless it is there; the last
#       line is where: cmake -DPREFOPT_LLMC_DIR="$(cmake/checkout.sh llm.c)" …, PREFOPT_RLTOOLS_DIR, PREFOPT_ENSMALLEN_DIR
# SOURCE in the environment is the git repository to fetch from (default: the one on GitHub).
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -lt 1 ] || [ $# -gt 2 ] || [[ ${2:-} == -* ]]; then
  echo "cmake/checkout.sh: got \"$*\", expected llm.c, RLtools or ensmallen and at most one folder, see --help" >&2
  exit 2
fi
# shellcheck source=cmake/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
# shellcheck source=cmake/pinned_download.sh
source "$(dirname "${BASH_SOURCE[0]}")/pinned_download.sh"

case $1 in
  llm.c) repository=karpathy/llm.c commit=f1e2ace651495b74ae22d45d1723443fd00ecd3a ;;
  RLtools) repository=rl-tools/rl-tools commit=9acdf5c83cf2e7f2871cc4c37d002d5e3666d723 ;;
  ensmallen) repository=mlpack/ensmallen commit=f65354c0420b29346ec485ef7d33c3d7766ce9d1 ;;
  *)
    echo "cmake/checkout.sh: got $1, expected llm.c, RLtools or ensmallen" >&2
    exit 2
    ;;
esac
cache=$(cache_folder "${2:-}")
folder=$cache/$1-${commit:0:8}
exec 9>"$cache/$1.lock"
flock 9
if [ ! -d "$folder" ]; then
  install_missing_packages git ca-certificates >&2
  rm -rf "$folder.part"
  git init --quiet "$folder.part"
  if ! git -C "$folder.part" fetch --quiet --depth 1 "${SOURCE:-https://github.com/$repository}" "$commit" >&2; then
    rm -rf "$folder.part"
    echo "cmake/checkout.sh: could not fetch commit $commit of $repository from ${SOURCE:-GitHub}" >&2
    exit 1
  fi
  git -C "$folder.part" -c advice.detachedHead=false checkout --quiet FETCH_HEAD
  mv "$folder.part" "$folder"
fi
echo "$folder"
