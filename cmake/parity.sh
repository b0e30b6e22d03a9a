#!/usr/bin/env bash
# The losses of other packages, as they are installed, against ours.
set -euo pipefail

usage() {
  cat <<'END'
cmake/parity.sh [OPTION]...
Sends the same batches, random and extreme ones, through the losses of TRL, Liger, verl, OpenRLHF and ms-swift and the
rankings of choix and arena-rank, and through prefopt_score and prefopt_rank: values and gradients. Prints tables of how
far they agree and where not, and why; ends with status 1 if one is not as tests/parity states it. The packages come from
PyPI, pinned, into virtual environments: 7 GB (PyPI's torch is the one for GPUs), a quarter of an hour the first
time, then three minutes.

  --build FOLDER     a build that has prefopt_score and prefopt_rank (default: build in the checkout; made if missing)
  --cache FOLDER     where the environments are kept (default: $XDG_CACHE_HOME/prefopt-parity, ~/.cache/prefopt-parity)
  --help             this text
END
}

die() {
  echo "parity.sh: $*" >&2
  exit 2
}

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$checkout/build
cache=${XDG_CACHE_HOME:-$HOME/.cache}/prefopt-parity
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --build | --cache)
      [ $# -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift ;;
    *) die "unknown option $1, see --help" ;;
  esac
  shift
done
command -v python3 >/dev/null || die "there is no python3"

programs=(prefopt_score prefopt_rank)
if [ ! -x "$build/examples/score/prefopt_score" ] || [ ! -x "$build/examples/rank/prefopt_rank" ]; then
  cmake -S "$checkout" -B "$build" -DPREFOPT_BUILD_TESTS=OFF -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_WARNINGS_AS_ERRORS=OFF >&2
  cmake --build "$build" --parallel "$(nproc)" --target "${programs[@]}" >&2
fi
PREFOPT_SCORE=$(realpath "$build/examples/score/prefopt_score")
PREFOPT_RANK=$(realpath "$build/examples/rank/prefopt_rank")
export PREFOPT_SCORE PREFOPT_RANK

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
cd "$checkout/tests/parity"
pip() { # pip ENVIRONMENT ARGUMENT…
  "$cache/$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}" >&2
}
environment() { # environment NAME LIST…: whether that one has to be made anew, with its pip
  local stamp=$cache/$1/made-of
  cmp -s <(cat "${@:2}") "$stamp" && return 1
  echo "parity.sh: making $cache/$1" >&2
  rm -rf "${cache:?}/$1"
  python3 -m venv "$cache/$1"
}
if environment peers requirements.txt losses_only.txt; then
  pip peers -r requirements.txt
  pip peers --no-deps -r losses_only.txt
  cat requirements.txt losses_only.txt >"$cache/peers/made-of"
fi
# On top of the first one, whose torch it shares.
if environment swift requirements.txt losses_only.txt swift.txt; then
  site=$("$cache/peers/bin/python" -c 'import site; print(site.getsitepackages()[0])')
  echo "$site" >"$("$cache/swift/bin/python" -c 'import site; print(site.getsitepackages()[0])')/peers.pth"
  pip swift -r swift.txt
  cat requirements.txt losses_only.txt swift.txt >"$cache/swift/made-of"
fi

status=0
"$cache/peers/bin/python" parity.py trl_pairs unpaired trl_tokens liger_pairs liger_tokens verl_tokens openrlhf_losses \
  rank_models || status=$?
"$cache/swift/bin/python" parity.py swift_losses swift_tokens || status=$?
[ "$status" -le 1 ] || die "a comparison could not be made"
exit "$status"
