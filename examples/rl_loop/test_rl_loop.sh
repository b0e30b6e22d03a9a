#!/bin/bash
# Tests of prefopt_rl_loop: test_rl_loop.sh CASE PROGRAM SCRATCH
# The cases are the functions below.
set -u

case_name=$1 program=$2 scratch=$3/$1
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Runs the program; its output is in out and err, its exit status in status.
loop() {
  "$program" "$@" >out 2>err </dev/null
  status=$?
}

expect_success() {
  loop "$@"
  ((status == 0)) || fail "$*: exit status $status: $(cat err)"
}

# expect_error MESSAGE ARGUMENTS...: exit status 2, this one line on standard error, nothing on standard output.
expect_error() {
  local message=$1
  shift
  loop "$@"
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ -s out ]] && fail "$*: wrote to standard output"
  [[ $(cat err) == "prefopt_rl_loop: $message" ]] || fail "$*: got \"$(cat err)\", expected \"prefopt_rl_loop: $message\""
  [[ -e rl-loop ]] && fail "$*: a folder was made"
}

presets=(grpo dr_grpo dapo gspo cispo rloo reinforce_pp ppo)

help() {
  expect_success --help
  local text
  for text in "${presets[@]}" arithmetic bleu --kl-in-reward --minibatches --target 'arXiv\|ppo_clip' Examples Usage; do
    grep -q -e "$text" out || fail "--help does not mention $text"
  done
  awk 'length > 130 { exit 1 }' out || fail "--help has very long lines"
  [[ -e rl-loop ]] && fail "--help makes a folder"
}

bad_options() {
  expect_error "--task: got 'sums', expected arithmetic or bleu" --task sums
  expect_error "--preset: got 'gpro', expected one of grpo, dr_grpo, dapo, gspo, cispo, rloo, reinforce_pp, ppo" --preset gpro
  expect_error "--preset: got '', expected one of grpo, dr_grpo, dapo, gspo, cispo, rloo, reinforce_pp, ppo" --presets grpo,
  expect_error "--presets: 'grpo' twice" --presets grpo,dapo,grpo
  expect_error "--parameter: got 'low', expected NAME=VALUE" --parameter low
  expect_error "--parameter: got '=1', expected NAME=VALUE" --parameter =1
  expect_error "--parameter: 'low': got 'x', expected a number" --parameter low=x
  expect_error "--parameter: goes with --preset, got --presets, whose parameters are their own" --presets all --parameter low=0.1
  expect_error "--steps: got '0', expected a whole number from 1 to 1000000" --steps 0
  expect_error "--groups: got '1.5', expected a whole number from 1 to 4096" --groups 1.5
  expect_error "--samples: got '1', expected a whole number from 2 to 4096" --samples 1
  expect_error "--epochs: got '-1', expected a whole number from 1 to 1000" --epochs=-1
  expect_error "--minibatches: got 8, expected at most --groups, 4: a group is not divided" --groups 4 --minibatches 8
  expect_error "--learning-rate: got '0', expected a finite number > 0" --learning-rate 0
  expect_error "--learning-rate: got 'inf', expected a finite number > 0" --learning-rate inf
  expect_error "--kl: got '-1', expected a finite number >= 0" --kl=-1
  expect_error "--kl: got 'nan', expected a finite number >= 0" --kl nan
  expect_error "--kl-in-reward: got 'x', expected a finite number >= 0" --kl-in-reward x
  expect_error "--kl-estimator: got 'none', expected one of k1, k2, k3, abs, k1_straight, k3_straight, k1_corrected, k3_corrected" \
    --kl-estimator none
  expect_error "--kl-estimator: got '', expected one of k1, k2, k3, abs, k1_straight, k3_straight, k1_corrected, k3_corrected" \
    --kl-estimator ''
  expect_error "--kl-estimator: goes with --kl, dapo has none of its own" --kl-estimator k1 --preset dapo
  expect_error "--kl-estimator: goes with --kl, grpo has none of its own" --kl-estimator k1 --parameter kl_coefficient=0
  expect_error "--kl-estimator: goes with --kl, none of the presets has one of its own" --kl-estimator k1 --presets dapo,rloo
  expect_error "--kl-estimator: goes with a KL, got --kl 0" --kl-estimator k1 --kl 0
  expect_error "--target: got '0', expected a finite number > 0" --target 0
  expect_error "--seeds: got '1', expected a whole number from 2 to 1000" --presets all --seeds 1
  expect_error "--seeds: goes with --presets, which compares" --seeds 3
  expect_error "--threads: goes with --presets, which compares" --threads 2
  expect_error "--sedes: unknown option, see --help" --sedes 3
  expect_error "'grpo': unexpected argument" grpo
  loop --parameter low=2
  ((status == 2)) && grep -q '^prefopt_rl_loop: grpo: low is 2, expected' err || fail "low=2: $status: $(cat err)"
  loop --parameter beta=2
  ((status == 2)) && grep -q '^prefopt_rl_loop: grpo has no parameter' err || fail "beta=2: $status: $(cat err)"
  loop --preset grpo --presets all
  ((status == 2)) || fail "--preset and --presets: exit status $status"
  : >file
  expect_error "--out: is empty, expected a folder" --out ''
  expect_error "file/results: cannot be made a folder: Not a directory" --out file/results
  # A loop that goes wrong says so.
  loop --steps 60 --warm-up 5 --width 8 --learning-rate 1e30 --out wild
  ((status == 2)) && grep -q '^prefopt_rl_loop: --learning-rate: in step [0-9]* a gradient has become ' err ||
    fail "--learning-rate 1e30: exit status $status: $(tail -1 err)"
  loop --steps 2 --warm-up 5 --width 8 --kl 1e300 --out wild
  ((status == 2)) && grep -q '^prefopt_rl_loop: --learning-rate or --kl: in step 1 a gradient has become .*; a smaller one may help$' err ||
    fail "--kl 1e300: exit status $status: $(tail -1 err)"
}

small=(--warm-up 400 --width 48 --learning-rate 0.005)

# Every preset raises the reward of what it is trained on, on a small setting with fixed seeds.
learns() {
  expect_success --presets all --seeds 2 --warm-up 600 --width 48 --steps 60 --target 0.2 --out run
  cat out
  awk -F, 'NR > 1 { before[$1] += $3; after[$1] += $4 }
    END { for (name in before) { ++presets; if (!(after[name] > before[name] + 0.02)) { print "FAILED: " name; bad = 1 } }
          exit bad || presets != 8 }' run/runs.csv || fail "not every preset learns: $(cat run/runs.csv)"
  expect_success --task bleu --warm-up 150 --width 32 --steps 15 --groups 8 --out bleu
  awk -F, 'NR > 1 && !($4 > $3) { exit 1 }' bleu/runs.csv || fail "bleu does not rise: $(cat bleu/runs.csv)"
}

same_seed() {
  expect_success "${small[@]}" --steps 5 --preset ppo --out one
  cp out first
  expect_success "${small[@]}" --steps 5 --preset ppo --out two
  cmp out first || fail "another report"
  for file in weights curves.csv runs.csv; do cmp one/$file two/$file || fail "another $file"; done
  expect_success "${small[@]}" --steps 5 --preset ppo --seed 2 --out two
  cmp -s one/weights two/weights && fail "another seed gives the same weights"
  # The start is the same whatever the preset; what follows is not.
  expect_success "${small[@]}" --steps 5 --preset rloo --out two
  [[ $(cut -d, -f3 one/runs.csv | tail -1) == $(cut -d, -f3 two/runs.csv | tail -1) ]] || fail "another start"
  cmp -s one/weights two/weights && fail "another preset gives the same weights"
}

comparison() {
  expect_success --presets grpo,rloo,dapo --seeds 2 "${small[@]}" --steps 8 --threads 1 --out one
  cp out first
  grep -q '^Learns faster, by the mean reward of all steps' out || fail "does not say what learns faster"
  grep -q 'none in the other\|none: in 3 pairs\|than' out || fail "does not say where none does"
  (($(grep -c '^\(grpo\|rloo\|dapo\)  *0' out) == 3)) || fail "not a row a preset: $(cat out)"
  # The columns are aligned: where one ends, it ends in every row. A ± takes two bytes.
  head -n 6 out | tail -n 4 | sed 's/±/+/g' | awk '{ if (NR > 1 && length != before) exit 1; before = length }' ||
    fail "the table is not aligned"
  expect_success --presets grpo,rloo,dapo --seeds 2 "${small[@]}" --steps 8 --threads 2 --out two
  cmp out first || fail "two threads print something else than one"
  for file in curves.csv runs.csv; do cmp one/$file two/$file || fail "two threads write another $file"; done
  (($(wc -l <one/curves.csv) == 1 + 3 * 2 * 8)) || fail "curves.csv has $(wc -l <one/curves.csv) lines"
  # A run of a comparison is the run by itself.
  expect_success --preset rloo --seed 2 "${small[@]}" --steps 8 --out alone
  cmp <(grep '^rloo,2,' one/curves.csv) <(tail -n +2 alone/curves.csv) || fail "a run by itself is another one"
}

# A strong KL keeps the policy near its start: in the loss, and in the reward.
kl() {
  local last=() options
  for options in '--kl 0' '--kl 1' '--kl 1 --kl-estimator k1_corrected' '--kl-in-reward 1'; do
    # shellcheck disable=SC2086
    expect_success --preset dr_grpo "${small[@]}" --steps 30 $options --out run
    last+=("$(tail -n 5 run/curves.csv | awk -F, '{ sum += $5 } END { print sum / 5 }')")
  done
  echo "KL: ${last[*]}"
  awk -v free="${last[0]}" -v loss="${last[1]}" -v reward="${last[3]}" \
    'BEGIN { exit !(loss < free / 2 && reward < free / 2) }' || fail "KL without and with a penalty: ${last[*]}"
}

outputs() {
  expect_success "${small[@]}" --steps 3
  cmp <(head -1 rl-loop/curves.csv) \
    <(echo preset,seed,step,reward,kl,clip_share,clipped_low,clipped_high,old_kl,loss,entropy,length,gradient_norm) || fail "head"
  # 3 * 48 * (96 + 48 + 1) + 97 * (48 + 1) floats.
  (($(wc -c <rl-loop/weights) == 4 * (3 * 48 * 145 + 97 * 49))) || fail "weights of $(wc -c <rl-loop/weights) bytes"
  # Of the first update of all ratios are 1; with one update a step nothing is ever clipped.
  expect_success "${small[@]}" --steps 3 --epochs 1 --minibatches 1
  awk -F, 'NR > 1 && !($6 == 0 && $9 == 0) { exit 1 }' rl-loop/curves.csv || fail "clipped in the only update"
  grep -q '^rl-loop: replaces the results of an earlier run at the end$' err || fail "does not tell that it replaces results"
  if command -v gnuplot >/dev/null; then
    ls rl-loop/curves.[ps][nv]g >/dev/null || fail "no picture: $(cat err)"
  else
    grep -q 'gnuplot is not installed' err || fail "no note that there is no picture"
  fi
  # A run that does not come to its end leaves the results of the one before.
  cp rl-loop/weights kept
  loop "${small[@]}" --steps 3 --kl 1e300
  ((status == 2)) || fail "an endless gradient: exit status $status"
  cmp -s kept rl-loop/weights || fail 'a run that failed spoils the results of the one before'
  mkdir -p run/weights/in-the-way
  loop "${small[@]}" --steps 3 --out run
  ((status == 2)) && grep -q '^prefopt_rl_loop: run/weights: is in the way of the new results: ' err || fail "$(cat err)"
  if [[ -c /dev/full ]]; then
    "$program" "${small[@]}" --steps 1 >/dev/full 2>err && fail "status 0 on a full disk"
  fi
}

"$case_name"
((failures == 0)) || { echo "$failures failures"; exit 1; }
