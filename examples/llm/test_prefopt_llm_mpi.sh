#!/bin/bash
# Tests of prefopt_llm over ranks: test_prefopt_llm_mpi.sh CASE PROGRAM MPI_PROGRAM WRITER SCRATCH START...
# START is the command that starts as many ranks as its word RANKS says. The cases are the functions below.
set -u

case_name=$1 program=$2 mpi_program=$3 writer=$4 scratch=$5
start=("${@:6}")
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}
options=(--model tiny.gguf --data pairs.jsonl --threads 1 --own-answers 0 --learning-rate 0.005 --batch 5 --epochs 2)

# Standard input for ranks stays open, see prefopt_train's tests.
silence() { exec sleep 5 2>/dev/null; }
tune_over() {
  timeout 120 "${start[@]/#RANKS/$1}" "$mpi_program" "${options[@]}" "${@:2}" >out 2>err < <(silence)
  status=$?
}

"$writer" tiny.gguf || fail 'no model'
for ((i = 0; i < 16; ++i)); do
  echo "{\"prompt\": \"\\n\\nHuman: question $i?\\n\\nAssistant:\", \"chosen\": \" yes please $i\", \"rejected\": \" no way $((i % 4))\"}"
done >pairs.jsonl

# equals OPTIONS...: over 1, 2 and 3 ranks as in one process, to the bit.
equals() {
  "$program" "${options[@]}" --out one "$@" >one.out 2>one.err || fail "$*: $(cat one.err)"
  for ranks in 1 2 3; do
    rm -rf many
    tune_over $ranks --out many "$@"
    ((status == 0)) || fail "$ranks ranks, $*: exit status $status: $(cat err)"
    cmp out one.out || fail "$ranks ranks, $*: another table"
    for file in adapter.gguf metrics.csv reference; do
      cmp one/$file many/$file || fail "$ranks ranks, $*: another $file"
    done
  done
}

weights() {
  equals
  equals --loss kto
  equals --loss aot
}

resumes() {
  "$program" "${options[@]}" --out one >one.out 2>one.err || fail "$(cat one.err)"
  tune_over 2 --out many --stop-after 3
  ((status == 0)) || fail "exit status $status: $(cat err)"
  "$program" "${options[@]}" --out many --resume >out 2>err || fail "$(cat err)"
  cmp one/adapter.gguf many/adapter.gguf || fail 'resumed in one process: another adapter'
}

refuses() {
  tune_over 2 --out many --head-only
  ((status == 2)) && grep -q 'head-only: trains in one process, got 2 ranks' err || fail "exit status $status: $(cat err)"
  tune_over 2 --out many --loss dpoo
  ((status == 2)) && (($(grep -c 'there is no loss' err) == 1)) || fail "exit status $status: $(cat err)"
  timeout 60 "${start[@]/#RANKS/2}" "$program" "${options[@]}" --out many >out 2>err < <(silence)
  grep -q 'prefopt_llm_mpi trains over ranks' err || fail "$(cat err)"
}

$case_name
exit $((failures > 0))
