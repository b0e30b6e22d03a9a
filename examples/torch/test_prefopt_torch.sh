#!/bin/bash
# Tests of prefopt_torch: test_prefopt_torch.sh CASE PROGRAM SCRATCH DATA
# The cases are the functions below.
set -u

case_name=$1 program=$2 scratch=$3/$1 data=$4
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

train() {
  "$program" "$@" >out 2>err </dev/null
  status=$?
}

# expect_learning ARGUMENTS...: at least 0.78 of the held-out pairs are ranked right in the end, and before the first step
# torch's autograd, of log-probs and of the loss, says what prefopt says.
expect_learning() {
  train "$@"
  ((status == 0)) || fail "$*: exit status $status: $(cat err)"
  tail -n 1 out | grep -qE '^loss [0-9.]+ -> [0-9.]+, held-out accuracy [01]\.[0-9]{3} -> [01]\.[0-9]{3}$' ||
    fail "$*: last line $(tail -n 1 out)"
  awk 'END { exit !($NF >= 0.78 && $NF > $(NF - 2)) }' out || fail "$*: nothing was learnt: $(tail -n 1 out)"
  grep -q "^prefopt and torch's autograd differ by .* in log-probs, .* in gradients$" err || fail "$*: $(cat err)"
  tail -n 1 out
  grep autograd err
}

# Enough for what does not depend on what is learnt.
few_records() { head -n 60 "$data/preferences.jsonl" >few; }

# expect_error TEXT ARGUMENTS...: exit status 2, one line on standard error that has the text, nothing on standard output.
expect_error() {
  local text=$1
  shift
  train "$@"
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ -s out ]] && fail "$*: wrote to standard output"
  (($(wc -l <err) == 1)) || fail "$*: $(wc -l <err) lines on standard error"
  grep -q '^prefopt_torch: ' err && grep -qF -- "$text" err || fail "$*: got \"$(cat err)\", expected \"$text\""
}

help() {
  train --help
  ((status == 0)) || fail "exit status $status"
  for word in --loss --reference --sft-epochs --seed autograd Examples; do
    grep -qF -- "$word" out || fail "the help does not tell about $word"
  done
}

# expect_ties WHAT: before the first step the policy is its reference, and no pair is won or lost.
expect_ties() { [[ $(sed -n 2p out) =~ ^\ +0\ .*\ 0\.500$ ]] || fail "$1 against itself: $(sed -n 2p out)"; }

dpo() {
  expect_learning
  [[ $(sed -n 2p out) =~ ^\ +0\ +0\.6931\  ]] || fail "the reference's loss: $(sed -n 2p out)"
  expect_ties "the reference"
  # OpenBLAS's kernels for these processors round a product by which rows it has.
  if grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; then
    OPENBLAS_CORETYPE=Haswell train --epochs 0
    expect_ties "Haswell's reference"
  fi
  few_records
  train --data few
  mv out first
  train --data few
  cmp -s out first || fail "a second run gives other numbers"
}

simpo() { expect_learning --loss simpo --beta 2 --gamma 0.5; }

adpo() {
  expect_learning --loss adpo
  expect_ties "the reference"
}

other_losses() {
  few_records
  for loss in ipo "cpo --data few" "smoothed --base dpo --data few" pro; do
    # shellcheck disable=SC2086
    train --loss $loss --epochs 1
    ((status == 0)) || fail "$loss: exit status $status: $(cat err)"
    grep -q "^prefopt and torch's autograd behind the loss differ by " err || fail "$loss: $(cat err)"
    [[ $loss == *few ]] || awk 'END { exit !($NF > 0.6) }' out || fail "$loss: nothing was learnt: $(tail -n 1 out)"
  done
  # Further columns of the data go to the losses that read them; a weight does not go to one that sorts the batch.
  local i
  for i in {0..11}; do
    echo "{\"prompt\": \"p $i\", \"chosen\": \"yes $i\", \"rejected\": \"no\", \"weight\": 0.5, \"scale\": 0.5, \"chosen_kl\": 0.25, \"rejected_kl\": 0.5, \"rationale\": -2, \"gold\": 0.5, \"target\": 0.5}"
  done >further
  for loss in mallows_dpo tdpo rationale_dpo odpo aot; do
    train --data further --loss $loss --epochs 1
    ((status == 0)) || fail "$loss: exit status $status: $(cat err)"
  done
  grep -q 'aot does not read these fields: weight' err || fail "aot's note on weights: $(cat err)"
  sed 's/"weight": 0.5/"weight": 0/' further >weightless
  train --data weightless --epochs 1
  ((status == 0)) || fail "weights of 0: exit status $status: $(cat err)"
  # Pairs are groups of two.
  train --loss adpo --data few --epochs 1
  ((status == 0)) || fail "adpo of pairs: $(cat err)"
}

# Kept log-probs give the same run; those of another model, or damaged, are refused.
reference() {
  few_records
  train --data few --epochs 1
  mv out computed
  train --data few --epochs 1 --reference kept
  ((status == 0)) || fail "exit status $status: $(cat err)"
  grep -q "are kept in kept$" err || fail "$(cat err)"
  cmp -s out computed || fail "keeping the reference changes the numbers"
  train --data few --epochs 1 --reference kept
  grep -q "are those in kept$" err || fail "$(cat err)"
  cmp -s out computed || fail "a kept reference gives other numbers"
  # One that was rounded otherwise is another model's: the run says so where the table does not begin with ties.
  ATEN_CPU_CAPABILITY=default train --epochs 0 --reference rounded
  expect_ties "the reference"
  train --epochs 0 --reference rounded
  ((status == 0)) || fail "rounded otherwise: exit status $status: $(cat err)"
  grep -qE "^they differ from this model's by up to [0-9.e-]+: the accuracy of epoch 0 need not be 0\.500$" err ||
    expect_ties "a reference that was rounded otherwise"
  "$program" --data few --seed 2 --reference kept >out 2>err
  status=$?
  ((status == 2)) || fail "--seed 2: exit status $status, expected 2"
  [[ -s out ]] && fail "--seed 2: wrote to standard output"
  grep -q "kept: was computed from data with the checksum" err || fail "--seed 2: $(cat err)"
  # The model that it is of has learnt the best answers: the same texts with other rewards have another reference.
  for i in {1..10}; do echo "{\"prompt\": \"p$i\", \"responses\": [\"a\", \"b\"], \"rewards\": [1, 0]}"; done >groups
  sed 's/\[1, 0\]/[0, 1]/' groups >turned
  train --loss adpo --data groups --epochs 0 --reference of_groups
  ((status == 0)) || fail "groups: exit status $status: $(cat err)"
  train --loss adpo --data turned --epochs 0 --reference of_groups
  ((status == 2)) || fail "other rewards: exit status $status, expected 2"
  printf 'damage' >>kept
  "$program" --data few --reference kept >out 2>err
  status=$?
  ((status == 2)) || fail "damaged: exit status $status, expected 2"
}

# Records of one prompt are all held out or all trained on.
by_prompt() {
  local i
  for i in {0..29}; do echo "{\"prompt\": \"p $((i % 10))\", \"chosen\": \"yes $i\", \"rejected\": \"no $i\"}"; done >shared
  train --data shared --epochs 0 --sft-epochs 0
  grep -q ': 24 pairs to train on, 6 held out$' err || fail "shared prompts: $(cat err)"
  grep -q '^note: 30 of 30 pairs share their prompt with others, or without one their texts: those of one prompt are all held out or all trained on$' err ||
    fail "shared prompts: $(cat err)"
  # Of 10 prompts of which one has most of the records, 2 are held out: 2 records, or 22.
  for i in {0..29}; do echo "{\"prompt\": \"p $((i < 21 ? 0 : i))\", \"chosen\": \"yes $i\", \"rejected\": \"no $i\"}"; done >uneven
  train --data uneven --epochs 0 --sft-epochs 0
  grep -qE ': (28 pairs to train on, 2|8 pairs to train on, 22) held out$' err || fail "uneven prompts: $(cat err)"
  sed 's/"p [0-9]*"/"p"/' shared >one
  train --data one --epochs 0 --sft-epochs 0
  grep -q ': 24 pairs to train on, 6 held out$' err || fail "one prompt: $(cat err)"
  grep -q '^note: all 30 pairs have one prompt, ' err || fail "one prompt: $(cat err)"
}

# What sft imitates: the side that a label favours, as much as its record's weight says.
imitated() {
  local i loss
  for i in {0..29}; do echo "{\"prompt\": \"p $i\", \"chosen\": \"yes yes\", \"rejected\": \"no\", \"label\": 1}"; done >sides
  sed 's/"chosen"/"side"/; s/"rejected"/"chosen"/; s/"side"/"rejected"/; s/"label": 1/"label": 0/' sides >turned
  train --data sides --loss labelled --base simpo --gamma 0 --epochs 0
  loss=$(awk 'NR == 2 { print $2 }' out)
  train --data turned --loss labelled --base simpo --gamma 0 --epochs 0
  ((status == 0)) || fail "turned sides: $(cat err)"
  [[ $loss == "$(awk 'NR == 2 { print $2 }' out)" ]] || fail "turned sides: $loss, then $(cat out)"
  sed 's/"label": 1/"weight": 1e-20/' sides >light
  train --data light --loss simpo --epochs 0
  ((status == 0)) || fail "small weights: $(cat err)"
  mv out of_light
  train --data sides --loss simpo --epochs 0 --sft-epochs 0
  cmp -s out of_light || fail "small weights: $(cat of_light), without sft $(cat out)"
  train --data sides --loss simpo --epochs 0
  cmp -s out of_light && fail "sft changes nothing"
}

bad_options() {
  expect_error "there is no loss 'dpoo'" --loss dpoo
  expect_error 'learns whom to trust' --loss lcpo --base dpo
  expect_error 'kto is a loss of single completions, expected one of pairs or lists' --loss kto
  expect_error 'takes every response under as many prompts' --loss sami
  expect_error 'dpo has no parameter "gamma"' --gamma 1
  expect_error '--epochs' --epochs -1
  expect_error '--batch' --batch 0
  expect_error '--learning-rate' --learning-rate 0
  expect_error '--seed' --seed -1
  expect_error '--full: unknown option' --full
}

bad_data() {
  expect_error 'none.jsonl: cannot be opened' --data none.jsonl
  printf '{"chosen": "a", "rejected": "b"}\n{"chosen": "a"}\n' >data
  expect_error 'data:2: rejected: is missing' --data data
  printf '{"chosen": "a", "rejected": "b"}\n' >data
  expect_error 'data: got 1 pairs, expected 5 or more' --data data
  expect_error 'responses: got ranked answers, expected pairs' --data "$data/ranked.jsonl"
  expect_error 'expects different rewards' --loss plackett_luce
}

"$case_name"
((failures == 0))
