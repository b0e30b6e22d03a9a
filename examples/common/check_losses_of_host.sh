#!/bin/bash
# check_losses_of_host.sh PROGRAM: losses of every kind on a host's small model. The program itself compares the host's
# gradient with differences of the loss.
set -u

program=$1
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Links, losses of both scores, with lengths, with labels, modifiers, mixtures; single completions.
while read -r options; do
  # shellcheck disable=SC2086  # a word each
  "$program" --steps 0 --loss $options >"$out" 2>&1 || fail "$options: $(cat "$out")"
done <<'END'
cdpo --beta 0.5
exo_pair --beta 0.5
nca_pair --beta 0.5
dpop --beta 0.5 --lambda 0.5
orpo --beta 2 --sft 0
labelled --base dpo --beta 0.5
smoothed --base simpo --beta 2 --gamma 0.5
dpo:0.8+bco_pair:0.2+sft:0.1 --beta 0.5 --mode 1
kto --beta 0.5
bco --beta 0.5
END

# refused TEXT OPTIONS...: with the status 2.
refused() {
  "$program" "${@:2}" >"$out" 2>&1
  [[ $? -eq 2 && $(cat "$out") == *"$1"* ]] || fail "${*:2}: $(cat "$out"), expected $1"
}
refused 'odpo needs the column target, which is not given' --loss odpo
refused 'score_regression needs the column target, which is not given' --loss score_regression
refused 'adpo is a loss of ranked lists, expected one of pairs or of single completions' --loss adpo
refused 'there is no loss' --loss dpoo
refused 'beta is -1' --loss dpo --beta -1

echo "$failures failed"
[ $failures -eq 0 ]
