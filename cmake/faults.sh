#!/usr/bin/env bash
# prefopt_train killed at random moments, alone and over two ranks, and resumed; its checkpoint cut and changed at random
# places. Every run must end with the bytes of one that nothing happened to, every damage be gone around or refused.
#   cmake/faults.sh [KILLS] [DAMAGES]    so many of each (default: 200 and 500; a quarter of the kills over two ranks)
# BUILD is the build folder (default: build), SEED that of the moments and places (1), MPIRUN what starts two ranks
# (default: "mpirun -n 2", as root with --allow-run-as-root; nothing: no ranks).
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
kills=${1:-200} damages=${2:-500}
if [ $# -gt 2 ] || [[ ! $kills =~ ^[0-9]+$ || ! $damages =~ ^[0-9]+$ ]]; then
  echo "cmake/faults.sh: got \"$*\", expected at most two whole numbers, see --help" >&2
  exit 2
fi
build=$(cd "${BUILD:-build}" && pwd)
program=$build/examples/train/prefopt_train ranks=$build/examples/train/prefopt_train_mpi
[ -x "$program" ] || { echo "cmake/faults.sh: there is no $program" >&2; exit 2; }
as_root=()
[ "$(id -u)" -ne 0 ] || as_root=(--allow-run-as-root)
read -ra start <<<"${MPIRUN-mpirun -n 2 ${as_root[*]} --oversubscribe}"
if [ ${#start[@]} -ne 0 ] && ! { [ -x "$ranks" ] && command -v "${start[0]}" >/dev/null; }; then
  echo "skipped: runs over ranks, there is no ${start[0]} or no prefopt_train_mpi"
  start=()
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
RANDOM=${SEED:-1}
wrong=0
fail() {
  echo "WRONG: $*"
  wrong=$((wrong + 1))
}

# random BELOW: in out, a whole number.
random() { out=$(((RANDOM << 30 | RANDOM << 15 | RANDOM) % $1)); }

options=(--loss lcpo --base dpo --epochs 4 --seed 3)

# killed_runs COUNT COMMAND...: kills and resumes until there were so many kills.
killed_runs() {
  local left=$1 pid run=0 kills=0 started took
  shift
  started=$(date +%s%N)
  "$@" --out whole "${options[@]}" >whole.out 2>err </dev/null || { fail "an unbroken run: $(tail -n 1 err)"; return; }
  took=$((($(date +%s%N) - started) / 1000000))
  while ((left > 0)); do
    rm -rf broken
    run=$((run + 1))
    local resume=()
    while :; do
      # A session of its own: what starts ranks dies with them.
      setsid "$@" --out broken "${resume[@]}" "${options[@]}" >out 2>err </dev/null &
      pid=$!
      random "$took"
      sleep "$((out / 1000)).$(printf %03d $((out % 1000)))"
      if ((left > 0)) && pkill -9 --session "$pid"; then
        { wait "$pid"; } 2>/dev/null || true
        kills=$((kills + 1)) left=$((left - 1))
        resume=()
        [ -e broken/checkpoint ] || [ -e broken/checkpoint.previous ] && resume=(--resume)
        continue
      fi
      # It was over before that moment.
      ((left > 0)) && took=$((out < took ? out + 1 : took))
      if ! wait "$pid"; then
        fail "run $run: $(tail -n 1 err)"
        break
      fi
      cmp -s out whole.out && cmp -s broken/checkpoint whole/checkpoint && cmp -s broken/metrics.csv whole/metrics.csv ||
        fail "run $run ends with other bytes"
      break
    done
  done
  echo "$(basename "$(printf '%s\n' "$@" | grep prefopt_train)"): $kills kills in $run runs, within $took ms of their beginning"
}

if [ ${#start[@]} -ne 0 ]; then
  # Of what was killed, bash has its own to say.
  killed_runs $((kills - kills / 4)) "$program" 2>/dev/null
  killed_runs $((kills / 4)) "${start[@]}" "$ranks" 2>/dev/null
else
  killed_runs "$kills" "$program" 2>/dev/null
fi

# The checkpoint alone, then with the one before it: refused in a sentence, or gone on from the one before.
"$program" --out whole "${options[@]}" >whole.out 2>err </dev/null
"$program" --out run "${options[@]/4/2}" >out 2>err </dev/null
size=$(stat -c %s run/checkpoint)
refused=0 resumed=0
for ((i = 0; i < damages; ++i)); do
  rm -rf broken
  cp -r run broken
  random "$size"
  place=$out
  # Half of them in the beginning, where all but numbers is.
  ((i % 2 == 0)) && place=$((place % 2000))
  case $((i % 3)) in
    0) head -c "$place" run/checkpoint >broken/checkpoint ;;
    *)
      random 8
      byte=$(od -An -tu1 -j "$place" -N 1 run/checkpoint)
      # shellcheck disable=SC2059  # the format is the byte
      printf "\\x$(printf %02x $((byte ^ (1 << out))))" | dd of=broken/checkpoint bs=1 seek="$place" conv=notrunc status=none
      ;;
  esac
  status=0
  if ((i % 10 == 0)); then
    "$program" --out broken --resume "${options[@]}" >out 2>err </dev/null || status=$?
    if ((status != 0)) || ! cmp -s out whole.out || ! cmp -s broken/checkpoint whole/checkpoint; then
      fail "damage $i at $place with a checkpoint before it: status $status, $(tail -n 1 err)"
    fi
    resumed=$((resumed + 1))
  else
    rm broken/checkpoint.previous
    "$program" --out broken --resume "${options[@]}" >out 2>err </dev/null || status=$?
    ((status == 2)) && [ "$(wc -l <err)" -eq 1 ] && grep -q '^prefopt_train: broken/checkpoint: ' err && [ ! -s out ] ||
      fail "damage $i at $place: status $status, $(tail -n 1 err)"
    refused=$((refused + 1))
  fi
done
echo "damaged checkpoints: $refused refused, $resumed gone on from the one before"
((wrong == 0)) || { echo "$wrong of them WRONG"; exit 1; }
