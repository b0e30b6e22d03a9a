#!/bin/bash
# Tests of prefopt_train over ranks: test_prefopt_train_mpi.sh CASE PROGRAM MPI_PROGRAM SCRATCH SOURCE START...
# START is the command that starts as many ranks as its word RANKS says. The cases are the functions below.
set -u

case_name=$1 program=$2 mpi_program=$3 scratch=$4 source=$5
start=("${@:6}")
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Standard input for ranks. It stays open: MPICH 4.0's mpiexec dies of a broken pipe where it has ended, and so has the
# program.
silence() { exec sleep 5 2>/dev/null; }

# train_over RANKS OPTIONS...: its output is in out and err, its exit status in status. A run that hangs is ended, with
# status 124.
train_over() {
  timeout 60 "${start[@]/#RANKS/$1}" "$mpi_program" "${@:2}" >out 2>err < <(silence)
  status=$?
}

# two_ranks OPTIONS... -- OPTIONS...: as train_over 2, but the second rank has options of its own.
two_ranks() {
  cat >by_rank <<'END'
program=$1 first=()
shift
while [[ $1 != -- ]]; do
  first+=("$1")
  shift
done
((${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}} == 0)) && exec "$program" "${first[@]}"
exec "$program" "${@:2}"
END
  timeout 60 "${start[@]/#RANKS/2}" bash "$PWD/by_rank" "$mpi_program" "$@" >out 2>err < <(silence)
  status=$?
}

# The weights and AdaGrad's sums, at the end of the checkpoint in a folder, without what depends on the rounding of sums.
weights_of() {
  local bytes=$((2 * 4 * 256 * 8192))
  [[ $1 == linear ]] && bytes=$((2 * 4 * (1 << 18)))
  tail -c $((bytes + 4)) "$2/checkpoint" | head -c $bytes
}

# The numbers of two metrics.csv agree to 1e-12.
same_metrics() {
  paste -d , "$1/metrics.csv" "$2/metrics.csv" | awk -F , 'NR > 1 { for (i = 2; i <= NF / 2; ++i) {
    d = $i - $(i + NF / 2); s = $i < 0 ? -$i : $i; if (d < 0) d = -d; if (!(d <= 1e-12 * (1 + s))) wrong = 1 } }
    END { exit wrong || NR < 3 }'
}

# equals POLICY OPTIONS...: over 1, 2 and 4 ranks as in one process, the weights to the bit.
equals() {
  local options=(--policy "$@")
  "$program" --out one "${options[@]}" >one.out 2>one.err || fail "${options[*]}: $(cat one.err)"
  for ranks in 1 2 4; do
    rm -rf many
    train_over $ranks --out many "${options[@]}"
    ((status == 0)) || fail "$ranks ranks, ${options[*]}: exit status $status: $(cat err)"
    cmp out one.out || fail "$ranks ranks, ${options[*]}: another table"
    same_metrics one many || fail "$ranks ranks, ${options[*]}: another metrics.csv"
    cmp <(weights_of "$1" one) <(weights_of "$1" many) || fail "$ranks ranks, ${options[*]}: other weights"
    grep -q "^$ranks ranks\?: [0-9.]* s, of which [0-9.]* s in sums over ranks$" err || fail "$ranks ranks: $(cat err)"
    (($(grep -c '^epoch 1/' err) == 1)) || fail "$ranks ranks: $(grep -c '^epoch 1/' err) of them tell what they do"
  done
}

pairs() {
  equals ngram --epochs 2
  equals linear --epochs 3
}

# Batches of fewer groups than ranks leave some of them without any.
lists() {
  equals ngram --loss adpo --epochs 1 --sft-epochs 1 --batch 3
  equals linear --loss plackett_luce --epochs 2
}

# KTO's reference point is of the whole batch, whose ranks are each other's neighbours.
unpaired() {
  equals ngram --loss kto --epochs 1 --sft-epochs 1 --batch 3
  equals linear --loss kto --epochs 2
}

reliability() {
  equals linear --loss lcpo --base dpo --beta 0.2 --epochs 3
  local now
  now=$(cat many/reliability.csv)
  [[ $now == *cleo* ]] || fail "reliability.csv: $now"
  diff one/reliability.csv many/reliability.csv || fail "other reliabilities"
}

# Nothing is learnt from records of weight 0: of an odd number of batches in the beginning no rank has a gradient.
weights() {
  local i
  for i in {1..40}; do
    printf '{"prompt":"p%d","chosen":"a%d","rejected":"b%d","weight":%d}\n' $i $i $i $((i % 8 == 0))
  done >weights.jsonl
  equals ngram --data weights.jsonl --sft-epochs 0 --epochs 1 --batch 1 --holdout 0.4 --seed 7
  equals ngram --data weights.jsonl --sft-epochs 1 --epochs 1 --batch 3
  # Accuracy and margin by labels are of all ranks.
  for i in {1..40}; do
    printf '{"prompt":"p%d","chosen":"a%d","rejected":"b%d","label":%s}\n' $i $i $i "$( ((i % 3)) && echo 1 || echo 0.25)"
  done >labels.jsonl
  equals linear --data labels.jsonl --loss labelled --base bradley_terry --epochs 2 --batch 3
}

# A run goes on over another number of ranks.
resumes() {
  "$program" --out one --epochs 3 >one.out 2>one.err
  train_over 2 --out many --epochs 1
  train_over 4 --out many --epochs 3 --resume
  ((status == 0)) || fail "exit status $status: $(cat err)"
  cmp out one.out || fail "another table"
  cmp <(weights_of ngram one) <(weights_of ngram many) || fail "other weights"

  # All from the same checkpoint.
  train_over 1 --out other --epochs 1 --seed 1
  train_over 1 --out another --epochs 2 --seed 1
  two_ranks --out other --epochs 3 --seed 1 --resume -- --out another --epochs 3 --seed 1 --resume
  ((status != 0 && status != 124)) || fail "two checkpoints: exit status $status"
  grep -q 'rank 1: the first rank has another checkpoint, this one has read another/checkpoint' err ||
    fail "two checkpoints: $(cat err)"
}

# What all ranks meet is told once; what one of them meets ends the others.
failing() {
  train_over 2 --out run --beta -1
  ((status == 2)) || fail "bad option: exit status $status"
  (($(grep -c '^prefopt_train_mpi: ' err) == 1)) || fail "bad option: told by $(grep -c '^prefopt_train_mpi: ' err) ranks"
  grep -q '^prefopt_train_mpi: rank 0: dpo: beta is -1, expected' err || fail "bad option: $(cat err)"

  train_over 2 --out run --data -
  ((status == 2)) || fail "standard input: exit status $status"
  grep -q '^prefopt_train_mpi: rank 0: --data: got -, expected a file' err || fail "standard input: $(cat err)"

  # expect_failure TEXT OPTIONS...: rank 1 alone has the options, and tells what is wrong with them.
  expect_failure() {
    two_ranks --out run --epochs 1 -- --out run --epochs 1 "${@:2}"
    ((status != 0 && status != 124)) || fail "${*:2}: exit status $status"
    grep -qF "prefopt_train_mpi: rank 1: $1" err || fail "${*:2}: $(cat err)"
    grep -q 'rank 0: ' err && fail "${*:2}: rank 0 tells, too: $(cat err)"
    [[ -e run ]] && fail "${*:2}: a folder was made for a run that could not begin"
  }
  expect_failure 'none.jsonl: cannot be opened' --data none.jsonl
  expect_failure 'the first rank has other options or data, this one has --epochs 1 --data ' --seed 2
  head -n 100 "$source/examples/data/preferences.jsonl" >other.jsonl
  expect_failure 'the first rank has other options or data, this one has --epochs 1 --data 100 pairs' --data other.jsonl

  # Before a run: the first rank, which alone writes, finds the folder as it should not be.
  mkdir -p run/metrics.csv/in-the-way
  touch run/checkpoint
  train_over 2 --out run --epochs 1
  ((status != 0 && status != 124)) || fail "a file in the way: exit status $status"
  grep -q '^prefopt_train_mpi: rank 0: run/metrics.csv: is in the way of the new results: ' err || fail "a file in the way: $(cat err)"
  rm -r run
  "$program" --out run --epochs 1000 >/dev/null 2>other.err </dev/null &
  local other=$!
  until [[ -e run/checkpoint ]] || ! kill -0 $other 2>/dev/null; do sleep 0.02; done
  train_over 2 --out run --epochs 1
  ((status != 0 && status != 124)) || fail "a folder in use: exit status $status"
  grep -q '^prefopt_train_mpi: rank 0: run: another run is writing its results there' err || fail "a folder in use: $(cat err)"
  kill -9 $other
  wait $other 2>/dev/null

  # In the middle of a run: it cannot write any more. What MPI writes itself is smaller than the checkpoint.
  printf '%s\n' "trap '' XFSZ" 'ulimit -f 15000' 'exec "$@"' >on_small_disk
  timeout 60 "${start[@]/#RANKS/2}" bash "$PWD/on_small_disk" "$mpi_program" --out full --epochs 1 --sft-epochs 0 >out 2>err \
    < <(silence)
  status=$?
  ((status != 0 && status != 124)) || fail "a file that cannot be written: exit status $status"
  grep -q '^prefopt_train_mpi: rank 0: full/checkpoint: cannot be written: File too large$' err || fail "a full disk: $(cat err)"
  compgen -G 'full/*.part' >/dev/null && fail "a full disk leaves $(ls full)"
}

# One program a rank that knows nothing of the others.
serial() {
  timeout 60 "${start[@]/#RANKS/2}" "$program" --out run >out 2>err < <(silence)
  status=$?
  ((status != 0 && status != 124)) || fail "exit status $status"
  grep -q '^prefopt_train: started as one of 2 ranks of MPI, expected one process: prefopt_train_mpi ' err ||
    fail "$(cat err)"
  [[ -e run ]] && fail "a folder was made"
  timeout 60 "${start[@]/#RANKS/1}" "$program" --help >out 2>err < <(silence) || fail "one rank: $(cat err)"
}

help() {
  train_over 2 --help
  ((status == 0)) || fail "exit status $status: $(cat err)"
  (($(grep -c '^Usage: ' out) == 1)) || fail "the help is printed $(grep -c '^Usage: ' out) times"
}

"$case_name"
((failures == 0)) || { echo "$failures failures"; exit 1; }
