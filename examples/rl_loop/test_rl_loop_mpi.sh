#!/bin/bash
# Tests of prefopt_rl_loop over ranks: test_rl_loop_mpi.sh CASE PROGRAM MPI_PROGRAM SCRATCH START...
# START is the command that starts as many ranks as its word RANKS says. The cases are the functions below.
set -u

case_name=$1 program=$2 mpi_program=$3 scratch=$4/$1
start=("${@:5}")
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

# over RANKS COMMAND...: its output is in out and err, its exit status in status. What hangs is ended, with status 124.
over() {
  timeout 100 "${start[@]/#RANKS/$1}" "${@:2}" >out 2>err < <(silence)
  status=$?
}

# The numbers of two curves.csv: rewards, KL and lengths to the digit, sums over ranks to 1e-6, as they are of floats.
same_curves() {
  paste -d , one/curves.csv many/curves.csv | awk -F , 'NR > 1 { for (i = 3; i <= NF / 2; ++i) {
    d = $i - $(i + NF / 2); s = $i < 0 ? -$i : $i; if (d < 0) d = -d
    if (!(d <= (i < 6 || i == 12 ? 0 : 1e-6) * (1 + s))) wrong = 1 } }
    END { exit wrong || NR < 3 }'
}

# equals RANKS OPTIONS...: as in one process, the weights to the bit.
equals() {
  local ranks=$1
  shift
  rm -rf one many
  "$program" --out one --warm-up 40 --width 24 "$@" >one.out 2>one.err </dev/null || fail "$*: $(cat one.err)"
  over "$ranks" "$mpi_program" --out many --warm-up 40 --width 24 "$@"
  ((status == 0)) || fail "$ranks ranks, $*: exit status $status: $(cat err)"
  cmp one/weights many/weights || fail "$ranks ranks, $*: other weights"
  cmp out one.out || fail "$ranks ranks, $*: another report"
  same_curves || fail "$ranks ranks, $*: another curves.csv"
  grep -q "^$ranks ranks\?: [0-9.]* s, of which [0-9.]* s in sums over ranks$" err || fail "$ranks ranks: $(cat err)"
  (($(grep -c '^warm-up: ' err) == 1)) || fail "$ranks ranks: $(grep -c '^warm-up: ' err) of them tell what they do"
}

# Means over tokens and over sequences, a critic, advantages over the whole batch, a KL in the reward, bleu.
weights() {
  equals 2 --preset grpo --steps 6
  equals 2 --preset ppo --steps 6 --kl-in-reward 0.1
  equals 2 --preset reinforce_pp --steps 4 --groups 7 --minibatches 3
  equals 2 --preset dapo --task bleu --steps 3 --groups 6
  equals 1 --preset rloo --steps 3
}

# Fewer prompts than ranks leave some of them without any.
few_prompts() {
  equals 3 --preset cispo --steps 4 --groups 2 --minibatches 1
}

other_options() {
  cat >by_rank <<'END'
((${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}} == 0)) && exec "$@" --steps 2
exec "$@" --steps 3
END
  over 2 bash "$PWD/by_rank" "$mpi_program" --warm-up 1 --width 8
  ((status != 0 && status != 124)) || fail "exit status $status"
  grep -q '^prefopt_rl_loop_mpi: rank 1: the first rank has other options, this one has .* --steps 3$' err || fail "$(cat err)"
  [[ -e rl-loop ]] && fail "a folder was made"
  over 2 "$mpi_program" --task sums
  ((status == 2)) || fail "a bad option: exit status $status"
  (($(grep -c "^prefopt_rl_loop_mpi: rank [01]: --task: got 'sums'" err) == 1)) || fail "a bad option: $(cat err)"
  over 2 "$mpi_program" --help
  (($(grep -c 'Usage: ' out) == 1)) || fail "the help is printed $(grep -c 'Usage: ' out) times"
}

# One program a rank that knows nothing of the others.
serial() {
  over 2 "$program" --steps 1
  ((status != 0 && status != 124)) || fail "exit status $status"
  grep -q '^prefopt_rl_loop: started as one of 2 ranks of MPI, expected one process: prefopt_rl_loop_mpi ' err ||
    fail "$(cat err)"
  [[ -e rl-loop ]] && fail "a folder was made"
  return 0
}

"$case_name"
((failures == 0)) || { echo "$failures failures"; exit 1; }
