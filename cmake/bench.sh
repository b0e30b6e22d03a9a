#!/usr/bin/env bash
# The benchmarks and their peers: built, and measured in turns.
set -euo pipefail

usage() {
  cat <<'END_OF_TEXT'
cmake/bench.sh [OPTION]...
Builds the benchmarks in build-bench, optimized for this processor, with a release build of Google Benchmark; builds their
peers; and prints a table of prefopt against each of them, or of two builds of prefopt. Progress goes to standard error. What
is downloaded, 5 GB with all peers, stays in a cache folder. Keep the machine quiet while it measures.

  --peers LIST         torch, of which kinds, one table each (default: pypi,compile,installed):
                         pypi        libtorch as PyPI has it (cmake/torch.sh, 1 GB)
                         compile     the same with torch.compile, losses of pairs only (cmake/torch_compile.sh, 4 GB)
                         installed   the libtorch that CMake finds, if there is one (Debian: libtorch-dev)
                       or none, with --against or --build-only
  --against DIR        another build of prefopt instead of torch, such as another checkout's build-bench
  --only TEXT          only the cases whose name contains this text
  --repetitions COUNT  how often each case is measured (default: 5)
  --seconds SECONDS    how long a measurement lasts at least (default: 0.2)
  --picture FILE       draw the first table in this file, .svg or .png
  --build-only         measure nothing
  --help               this text

Examples
  cmake/bench.sh --picture bench/comparison.svg       all cases, all peers
  cmake/bench.sh --peers compile --only pair/dpo      one loss against torch.compile
  git worktree add ../before HEAD~1                   has a change made anything slower?
  ../before/cmake/bench.sh --peers none --build-only
  cmake/bench.sh --against ../before/build-bench --only pair/

JOBS in the environment is how many files are compiled at a time (default: one a processor), TORCH the release of PyPI's torch.
ATEN_CPU_CAPABILITY is set to avx512 where the processor has that, since torch may not choose it; a value of yours is kept.
END_OF_TEXT
}

die() {
  echo "cmake/bench.sh: $*" >&2
  exit 2
}

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=pypi,compile,installed against='' build_only='' options=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --build-only) build_only=1 ;;
    --peers | --against | --only | --repetitions | --seconds | --picture)
      [ $# -ge 2 ] || die "$1 needs a value, see --help"
      case $1 in
        --peers) peers=$2 ;;
        --against) against=$2 options+=("$1" "$2") ;;
        *) options+=("$1" "$2") ;;
      esac
      # Told before anything is built.
      case $1 in
        --peers) [[ $2 =~ ^(none|(pypi|compile|installed)(,(pypi|compile|installed))*)$ ]] ||
          die "--peers: got '$2', expected none, or of pypi, compile and installed one or more with commas between them" ;;
        --against) [ -x "$2/bench/prefopt_bench" ] ||
          die "--against: there is no $2/bench/prefopt_bench, expected a folder that prefopt's benchmarks have been built in" ;;
        --repetitions) [[ $2 =~ ^[1-9][0-9]{0,2}$|^1000$ ]] || die "--repetitions: got '$2', expected a whole number from 1 to 1000" ;;
        --seconds) [[ $2 =~ ^[0-9]*\.?[0-9]+$ && $2 =~ [1-9] ]] || die "--seconds: got '$2', expected a number > 0, at most 3600" ;;
        --picture) [[ $2 =~ \.(svg|png)$ ]] || die "--picture: got '$2', expected a name that ends in .svg or .png" ;;
      esac
      shift ;;
    -*) die "$1: unknown option, see --help" ;;
    *) die "'$1': unexpected argument, see --help" ;;
  esac
  shift
done
[ -z "$against" ] || peers=none
[ "$peers" != none ] || [ -n "$against$build_only" ] || die "--peers: got none, expected --against or --build-only with it"

# shellcheck source=cmake/packages.sh
source "$checkout/cmake/packages.sh"
install_missing_packages "${program_packages[@]}" libopenblas-dev libdnnl-dev >&2
benchmark=$("$checkout/cmake/google_benchmark.sh" | tail -n 1)

wants() { # wants PEER
  [[ ,$peers, == *,$1,* ]]
}

configure() { # configure FOLDER CMAKE-ARGUMENT...
  local folder=$1
  shift
  cmake -S "$checkout" -B "$folder" -DCMAKE_BUILD_TYPE=Release -DPREFOPT_MARCH=native -DPREFOPT_BUILD_TESTS=OFF \
    -DPREFOPT_BUILD_EXAMPLES=OFF -DPREFOPT_WARNINGS_AS_ERRORS=OFF -Dbenchmark_DIR="$benchmark" "$@" \
    >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
}

build() { # build FOLDER TARGET...
  cmake --build "$1" --parallel "${JOBS:-$(nproc)}" --target "${@:2}" >&2
}

folder=$checkout/build-bench
torch_options=() targets=(compare prefopt_bench)
if wants pypi; then
  torch_package=$("$checkout/cmake/torch.sh" | tail -n 1)
  torch_options=(-DTorch_DIR="$torch_package")
  targets+=(prefopt_bench_torch)
fi
configure "$folder" "${torch_options[@]}"
build "$folder" "${targets[@]}"

programs=()
for peer in ${peers//,/ }; do
  case $peer in
    pypi) programs+=("$folder/bench/prefopt_bench_torch") ;;
    compile)
      python=$("$checkout/cmake/torch_compile.sh" | tail -n 1)
      program=$folder/bench/prefopt_bench_torch_compile
      # shellcheck disable=SC2016  # the program's own arguments
      printf '#!/bin/sh\nexec "%s" -W ignore "%s" "$@"\n' "$python" "$checkout/bench/torch_compile.py" >"$program"
      chmod +x "$program"
      programs+=("$program") ;;
    installed)
      configure "$folder-installed-torch"
      if cmake --build "$folder-installed-torch" --target help | grep '\bprefopt_bench_torch$' >/dev/null; then
        build "$folder-installed-torch" prefopt_bench_torch
        programs+=("$folder-installed-torch/bench/prefopt_bench_torch")
      else
        echo "cmake/bench.sh: no torch is installed that CMake finds (Debian: libtorch-dev): left out" >&2
      fi ;;
  esac
done
[ -z "$build_only" ] || exit 0
[ "${#programs[@]}" -ne 0 ] || [ -n "$against" ] || die "--peers: of '$peers' none is there"

if grep -qw avx512bw /proc/cpuinfo 2>/dev/null && grep -qw avx512dq /proc/cpuinfo && grep -qw avx512vl /proc/cpuinfo; then
  export ATEN_CPU_CAPABILITY=${ATEN_CPU_CAPABILITY:-avx512}
fi
for program in "${programs[@]}"; do options+=(--torch "$program"); done
exec "$folder/bench/compare" "$folder" "${options[@]}"
