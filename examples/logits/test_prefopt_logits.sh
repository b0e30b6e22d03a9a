#!/bin/bash
# Tests of prefopt_logits: test_prefopt_logits.sh PROGRAM SCRATCH
set -u

program=$1
mkdir -p "$2" && cd "$2" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# The same table, but for rounding, whether or not the logits exist whole; and something is learnt.
for options in "" "--seed 2" "--loss simpo --beta 2" "--loss ipo"; do
  # shellcheck disable=SC2086
  "$program" --epochs 3 $options >chunks 2>err || fail "$options: $(cat err)"
  # shellcheck disable=SC2086
  "$program" --epochs 3 $options --full-logits >whole 2>err || fail "$options, --full-logits: $(cat err)"
  (($(wc -l <chunks) == 5)) || fail "$options: $(wc -l <chunks) lines, expected 5"
  paste chunks whole | awk '
    function differ(a, b) { return a - b > 0.01 * (1 + a) || b - a > 0.01 * (1 + a) }
    NR > 2 && (differ($2, $6) || differ($3, $7) || $4 - $8 > 0.03 || $8 - $4 > 0.03) { exit 1 }' ||
    fail "$options: two ways, two tables: $(cat chunks whole)"
  awk 'END { exit !($4 > 0.65) }' chunks || fail "$options: nothing was learnt: $(tail -n 1 chunks)"
done

"$program" --epochs 0 >untrained || fail "--epochs 0"
[[ $(tail -n 1 untrained) =~ ^\ +0\ +0\.6931\ +0\.500$ ]] || fail "untrained: $(tail -n 1 untrained)"
"$program" >first && "$program" >second && cmp first second || fail "a second run gives other numbers"

# What is held out is held out with all pairs of its prompt: of answers that are drawn at random those of other prompts tell
# nothing, though each prompt has the same pair five times.
awk 'function words(  i, text) { for (i = 0; i < 4; ++i) text = text " " int(rand() * 1e6); return text }
  BEGIN { srand(5); for (p = 0; p < 60; ++p) { a = words(); b = words(); for (i = 0; i < 5; ++i)
    printf "{\"prompt\": \"p%d\", \"chosen\": \"%s\", \"rejected\": \"%s\"}\n", p, a, b } }' >annotated
"$program" --data annotated --epochs 12 >by_heart 2>err || fail "annotated: $(cat err)"
awk 'END { exit !($2 < 0.2 && $3 > 0.4) }' by_heart || fail "annotated: held-out pairs were learnt: $(cat by_heart)"

"$program" --help >help || fail "--help"
for word in --loss --full-logits --seed "hidden states" Examples; do
  grep -qF -- "$word" help || fail "the help does not tell about $word"
done

# Further columns of the data go to the losses that read them; a weight does not go to one that sorts the batch.
for i in {0..11}; do
  echo "{\"prompt\": \"p $i\", \"chosen\": \"yes $i\", \"rejected\": \"no\", \"weight\": 0.5, \"scale\": 0.5, \"chosen_kl\": 0.25, \"rejected_kl\": 0.5, \"rationale\": -2, \"gold\": 0.5, \"target\": 0.5}"
done >further
for loss in mallows_dpo tdpo rationale_dpo odpo aot; do
  "$program" --data further --loss $loss --epochs 1 >out 2>err || fail "$loss: $(cat err)"
done
grep -q 'aot does not read these fields: weight' err || fail "aot's note on weights: $(cat err)"
sed 's/"weight": 0.5/"weight": 0/' further >weightless
"$program" --data weightless --epochs 1 >out 2>err || fail "weights of 0: $(cat err)"
grep -q nan out && fail "weights of 0: $(cat out)"

# expect_error TEXT ARGUMENTS...: exit status 2, one line on standard error that has the text, nothing on standard output.
expect_error() {
  local text=$1
  shift
  "$program" "$@" >out 2>err
  local status=$?
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ -s out ]] && fail "$*: wrote to standard output"
  (($(wc -l <err) == 1)) || fail "$*: $(wc -l <err) lines on standard error"
  grep -q '^prefopt_logits: ' err && grep -qF -- "$text" err || fail "$*: got \"$(cat err)\", expected \"$text\""
}
expect_error "there is no loss 'dpoo'" --loss dpoo
expect_error 'adpo is a list loss' --loss adpo
expect_error 'kto is a loss of single completions, expected one of pairs' --loss kto
expect_error 'learns whom to trust' --loss lcpo --base dpo
expect_error 'dpo has no parameter "gamma"' --gamma 1
for number in -1 0x1 1001; do
  expect_error "--epochs: got '$number', expected a whole number from 0 to 1000" --epochs $number
done
expect_error "--seed: got '-1', expected a whole number from 0 to 18446744073709551615" --seed -1
expect_error '--full: unknown option' --full
expect_error 'none.jsonl: cannot be opened' --data none.jsonl
printf '{"chosen": "a", "rejected": "b"}\n{"chosen": "a"}\n' >data
expect_error 'data:2: rejected: is missing' --data data
printf '{"chosen": "a", "rejected": "b"}\n' >data
expect_error 'data: got 1 pair, expected 5 or more' --data data
printf '{"chosen": "a", "rejected": "b"}\n{"completion": "a", "label": 1}\n' >data
expect_error 'data:2: completion: stands alone, expected pairs' --data data
printf '{"responses": ["a", "b"], "rewards": [1, 0]}\n' >data
expect_error 'data: responses: got ranked answers, expected pairs' --data data

((failures == 0))
