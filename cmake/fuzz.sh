#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'END_OF_TEXT'
cmake/fuzz.sh MINUTES [TARGET]... [OPTION]...
Looks for inputs that break a promise: the fuzz targets of tests/fuzz with libFuzzer, under the address and
undefined-behaviour sanitizers. Needs clang; the first build takes some minutes, most of it the losses' kernels.
With --fast, of random inputs, without sanitizers: hundreds of times as many.

  MINUTES          of running, in all; the targets share them alike, in several turns each
  TARGET           pair_losses, rankings, ...: some of tests/fuzz/*.cpp (default: all)
  --fast           inputs made of a seed, as in the suite, by a program that is optimized; needs g++ alone
  --seed N         of --fast (default: the time)
  --build FOLDER   where to build (default: build-fuzz in the checkout; with --fast, build-fuzz-fast)
  --found FOLDER   where inputs go that break a promise (default: found in the build folder)
  --jobs N         processes that build (default: as many as there are cores)
  --help           this text

What a target has learnt from libFuzzer stays in the build folder, in corpus/TARGET, and the next run begins there. To look at an input
that was found:
  build-fuzz/tests/fuzz/fuzz_TARGET FOUND/TARGET-crash-...
What was mended goes, made small (-minimize_crash=1 -runs=100000), into tests/fuzz/corpus/TARGET, which the suite runs.
Prints a line for each turn, and a table of all at the end; ends with status 1 if anything was found.
END_OF_TEXT
}

die() {
  echo "fuzz.sh: $*" >&2
  exit 2
}

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build='' found='' minutes='' targets=() jobs=$(nproc) is_fast='' seed=$(date +%s)
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --fast) is_fast=1 ;;
    --build | --found | --jobs | --seed)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in
        --build) build=$2 ;;
        --found) found=$2 ;;
        --seed) [[ $2 =~ ^[0-9]+$ ]] || die "--seed is \"$2\", expected a whole number >= 0"; seed=$2 ;;
        --jobs) [[ $2 =~ ^[1-9][0-9]*$ ]] || die "--jobs is \"$2\", expected a number of processes"; jobs=$2 ;;
      esac
      shift
      ;;
    -*) die "there is no option $1, see --help" ;;
    *)
      if [ -z "$minutes" ]; then
        [[ $1 =~ ^[1-9][0-9]*$ ]] || die "MINUTES is \"$1\", expected a whole number > 0"
        minutes=$1
      else
        [ -d "$checkout/tests/fuzz/corpus/$1" ] ||
          die "there is no target \"$1\", expected one of $(cd "$checkout/tests/fuzz/corpus" && echo *)"
        targets+=("$1")
      fi
      ;;
  esac
  shift
done
[ -n "$minutes" ] || { usage >&2; exit 2; }
[ -n "$is_fast" ] || command -v clang++ >/dev/null || die "there is no clang++ (Debian: clang)"
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd "$checkout/tests/fuzz/corpus" && ls)

build=${build:-$checkout/build-fuzz${is_fast:+-fast}}
mkdir -p "$build"
build=$(cd "$build" && pwd)
found=${found:-$build/found}
mkdir -p "$found"
found=$(cd "$found" && pwd)
echo "== builds in $build${is_fast:+, seeds from $((seed + 1))}"
# As the suite's own legs, so that a compiler cache has the kernels.
if [ -n "$is_fast" ]; then
  kind=(-DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG")
else
  kind=(-DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=None -DPREFOPT_FUZZ=ON
    -DPREFOPT_TEST_EACH_INSTRUCTION_SET=OFF
    "-DCMAKE_CXX_FLAGS=-O1 -fsanitize=address,undefined -fno-sanitize-recover=all")
fi
cmake -S "$checkout" -B "$build" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 "${kind[@]}" \
  -DPREFOPT_BUILD_BENCHMARKS=OFF -DPREFOPT_TEST_STANDALONE=OFF \
  >"$build/fuzz.log" 2>&1 || { cat "$build/fuzz.log"; die "cannot be configured"; }
cmake --build "$build" --parallel "$jobs" --target "${targets[@]/#/fuzz_}" >>"$build/fuzz.log" 2>&1 ||
  { tail -40 "$build/fuzz.log"; die "cannot be built"; }

# Turns of at most two minutes, so that every target soon has one.
share=$((minutes * 60 / ${#targets[@]}))
turn=$((share < 120 ? share : 120))
[ "$turn" -gt 0 ] || turn=1
turns=$(((share + turn - 1) / turn))
[ "$turns" -gt 0 ] || turns=1
declare -A executions
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1}
for ((i = 1; i <= turns; ++i)); do
  for target in "${targets[@]}"; do
    mkdir -p "$build/corpus/$target"
    log=$build/corpus/$target.log
    status=0
    # A program reads what its working directory has: an empty one.
    if [ -n "$is_fast" ]; then
      (cd "$build/corpus" && "$build/tests/fuzz/fuzz_$target" "$checkout/tests/fuzz/corpus/$target" "${turn}s" \
        $((seed + i))) >"$log" 2>&1 || status=$?
      runs=$(sed -nE 's/.* and ([0-9]+) made of a seed$/\1/p' "$log" | tail -1)
      [ "$status" -eq 0 ] || mv "$build/corpus/crash-fuzz_$target" "$found/$target-crash-$((seed + i))"
    else
      (cd "$build/corpus" && "$build/tests/fuzz/fuzz_$target" -max_total_time="$turn" -timeout=25 -rss_limit_mb=4096 \
        -print_final_stats=1 -artifact_prefix="$found/$target-" -max_len=4096 "$build/corpus/$target" \
        "$checkout/tests/fuzz/corpus/$target") >"$log" 2>&1 || status=$?
      runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
      # Where it ends early there are no statistics: the last line of progress has a number.
      [ -n "$runs" ] || runs=$(grep -oE '^#[0-9]+' "$log" | tail -1 | tr -d '#' || true)
    fi
    executions[$target]=$((${executions[$target]:-0} + ${runs:-0}))
    printf 'turn %d of %d  %-16s %12d executions  %s\n' "$i" "$turns" "$target" "${executions[$target]}" \
      "$([ "$status" -eq 0 ] || grep -aE 'promise is broken|ERROR: |runtime error' "$log" | head -1 | cut -c1-160 || true)"
  done
done

total=0
echo
printf '%-16s %14s %8s\n' target executions found
for target in "${targets[@]}"; do
  total=$((total + executions[$target]))
  printf '%-16s %14d %8d\n' "$target" "${executions[$target]}" "$(find "$found" -name "$target-*" | wc -l)"
done
all=$(find "$found" -type f | wc -l)
printf '%-16s %14d %8d\n' all "$total" "$all"
[ "$all" -eq 0 ] || { echo "$all inputs are in $found"; exit 1; }
