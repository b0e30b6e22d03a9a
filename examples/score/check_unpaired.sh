#!/bin/sh
# Usage: check_unpaired.sh PREFOPT_SCORE FOLDER_OF_csv_program_checks.sh
# Single completions, losses of further columns, sums of losses.
. "$2/csv_program_checks.sh"

form='logp,ref_logp,label\n'
output=loss,d_logp,reward

# --- single completions -----------------------------------------------------------------------------------------------
# Where the policy is the reference kto's loss is half the weight, its slope a quarter of beta; exact in binary.
half="$output
0.5,-0.0625,0
1,0.125,0"
accepts "$half" "${form}-3,-3,1\n-4,-4,0\n" --unpaired --loss kto --beta 0.25 --undesirable_weight 2
accepts "$half" "${form}-3,-3,1\n-4,-4,0\n" --unpaired --loss kto --beta 0.25 --undesirable_weight 2 --dtype f32
accepts "$half" 'label,logp,note,ref_logp\n1,-3,x,-3\n0,-4,y,-4\n' --unpaired --loss kto --beta 0.25 --undesirable_weight 2 --ignore note
# The batch's KL, at least 0: the mean of 1 and -3 is below.
accepts "$half" 'logp,ref_logp,label,kl_logp,ref_kl_logp\n-3,-3,1,-1,-2\n-4,-4,0,-5,-2\n' --unpaired --loss kto --beta 0.25 --undesirable_weight 2
# And where it is above, the same as by --kl.
run "${form}-3,-5,1\n-4,-2,0\n" --unpaired --loss kto --kl 2
cp "$folder/out" "$folder/by_number"
accepts "$(cat "$folder/by_number")" 'logp,ref_logp,label,kl_logp,ref_kl_logp\n-3,-5,1,-1,-4\n-4,-2,0,-2,-3\n' --unpaired --loss kto
# (logp - ref_logp - target)^2, with a weight.
accepts "$output
3,6,2
0,0,0.5" 'logp,ref_logp,target,weight\n-1,-3,1,3\n-2,-2.5,0.5,7\n' --unpaired --loss score_regression
# A summary with both kinds.
run "${form}-3,-5,1\n-4,-2,0\n" --unpaired --loss bco --beta 0.5
grep -q '^accuracy *1$' "$folder/err" && grep -q '^desirable reward *1$' "$folder/err" || fail "summary" "accuracy 1" "$(cat "$folder/err")"

# --- what is refused --------------------------------------------------------------------------------------------------
refuses_beginning '--loss: kto is a loss of single completions, which need --unpaired; expected without it one of dpo, ' "${form}-1,-1,1\n" --loss kto
refuses_beginning '--loss: dpo is a loss of pairs, expected with --unpaired one of kto, ' "${form}-1,-1,1\n" --loss dpo --unpaired
refuses_beginning '--loss: kto is a loss of single completions, which need --unpaired; expected with --list one of ' "${form}-1,-1,1\n" --loss kto --list
refuses '--reliability: not with --unpaired, no unpaired loss reads it' "${form}-1,-1,1\n" --unpaired --loss kto --reliability 0.9
refuses '<stdin>:1: label: missing column; kto reads logp, ref_logp, label, weight (optional), kl_logp (optional), ref_kl_logp (optional)' 'logp,ref_logp\n-1,-1\n' --unpaired --loss kto
refuses '<stdin>:1: ref_kl_logp: missing column; kl_logp is there, and kto reads logp, ref_logp, label, weight (optional), kl_logp (optional), ref_kl_logp (optional)' 'logp,ref_logp,label,kl_logp\n-1,-1,1,-2\n' --unpaired --loss kto
refuses "<stdin>:2: label: got '1.5', expected a number from 0 to 1" "${form}-1,-1,1.5\n" --unpaired --loss kto
refuses "<stdin>:2: label: got '0.5', expected 0 or 1 with nbpo" 'logp,label\n-1,0.5\n' --unpaired --loss nbpo
refuses 'nbpo: rho0 + rho1 has to be below 1, or the labels say the opposite, or nothing' 'logp,label\n-1,1\n' --unpaired --loss nbpo --rho0 0.5 --rho1 0.5
refuses '<stdin>:1: target: kto does not read this column, it reads logp, ref_logp, label, weight (optional), kl_logp (optional), ref_kl_logp (optional) (--ignore leaves others out)' 'logp,ref_logp,label,target\n-1,-1,1,1\n' --unpaired --loss kto
refuses '<stdin>: only a header, expected at least one row' "$form" --unpaired --loss kto

# --- further columns of pairs -----------------------------------------------------------------------------------------
# (beta h - scale target)^2 with h = 4; a difference of rewards may be called that.
squares='loss,d_chosen,d_rejected,chosen_reward,rejected_reward
1,-1,1,1,-1'
accepts "$squares" 'chosen,rejected,ref_chosen,ref_rejected,target\n-1,-4,-3,-2,3\n' --loss rpo_sq --beta 0.5
accepts "$squares" 'chosen,rejected,ref_chosen,ref_rejected,reward_gap\n-1,-4,-3,-2,3\n' --loss rpo_sq --beta 0.5
refuses "<stdin>:2: target: got '0', expected a number > 0 with odpo" 'chosen,rejected,ref_chosen,ref_rejected,target\n-1,-4,-3,-2,0\n' --loss odpo
refuses "<stdin>:2: label: got '0.25', expected 0, 0.5 or 1 with davidson" 'chosen,rejected,label\n-1,-4,0.25\n' --loss davidson
refuses "<stdin>:2: chosen: got '1', expected a log-prob <= 0 with orpo" 'chosen,rejected,chosen_length,rejected_length\n1,-4,1,1\n' --loss orpo
accepts 'loss,d_chosen,d_rejected,chosen_reward,rejected_reward,d_gold
3.6931471805599454,-0.25,0.25,-1,-1,-1' 'chosen,rejected,gold\n-2,-2,-3\n' --loss tpo --beta 0.5

# --- sums of losses ---------------------------------------------------------------------------------------------------
pairs='chosen,rejected,ref_chosen,ref_rejected\n-1,-4,-2,-3\n-3,-2,-1,-4\n'
run "$pairs" --loss dpo --beta 0.3
cp "$folder/out" "$folder/dpo"
accepts "$(cat "$folder/dpo")" "$pairs" --loss dpo:1 --beta 0.3
accepts "$(cat "$folder/dpo")" "$pairs" --loss dpo:0.5+dpo:0.5 --beta 0.3
accepts '' 'chosen,rejected,ref_chosen,ref_rejected,chosen_length,rejected_length\n-1,-4,-2,-3,2,3\n' --loss dpo:0.8+bco_pair:0.2+sft --mode 1
grep -q '^loss *0.8 dpo + 0.2 bco_pair + 1 sft, beta 0.1, delta 0, mode 1$' "$folder/err" || fail "description of a sum" "" "$(cat "$folder/err")"
refuses_beginning "there is no loss 'dpi', known are dpo, " "$pairs" --loss dpo:0.5+dpi:0.5
refuses_beginning '--loss: the weight of dpo: got ' "$pairs" --loss dpo:x
refuses_beginning '--loss: a part of the mixture has no name' "$pairs" --loss dpo+
refuses_beginning '--gamma: no loss of the mixture has it' "$pairs" --loss dpo:1 --gamma 2
refuses_beginning 'kto is no loss of pairs, expected in a mixture some of ' "$pairs" --loss dpo:1+kto:1
refuses 'mixture: aot sorts the batch, which other losses do not: it goes alone' "$pairs" --loss dpo:1+aot:1
# Parameters of one name have one value, which no order of the parts decides.
refuses '--beta: by default 0.1 in dpo, 0.001 in sppo; expected one value, which a sum of losses takes for all that have it' "$pairs" \
  --loss dpo:1+sppo:1
refuses '--sft: by default 1 in tpo, 0 in cpo; expected one value, which a sum of losses takes for all that have it' \
  'chosen,rejected,gold\n-2,-2,-3\n' --loss tpo:1+cpo:1 --beta 0.5
accepts 'loss,d_chosen,d_rejected,chosen_reward,rejected_reward
18,-0.5,8.5,0.5,0.5' 'chosen,rejected,ref_chosen,ref_rejected\n-1,-2,-3,-4\n' --loss hinge:2+sppo:1 --beta 0.25

# --- the whole batch --------------------------------------------------------------------------------------------------
# Margins 3 and 1 against reference margins 0 and 4, sorted: u = 1, -1. Losses by rank, gradients to the pairs.
run 'chosen,rejected,ref_chosen,ref_rejected\n-1,-4,-2,-2\n-3,-4,-4,-8\n' --loss aot --beta 0.25
awk -F, 'NR > 1 { printf "%.12f %.12f %.12f %g %g\n", $1, $2, $3, $4, $5 }' "$folder/out" >"$folder/rounded"
expected='0.575939419879 -0.140544125221 0.140544125221 0.25 -0.5
0.825939419879 -0.109455874779 0.109455874779 0.25 1'
[ "$(cat "$folder/rounded")" = "$expected" ] || fail "aot" "$expected" "$(cat "$folder/rounded")"
refuses 'evaluate: aot does not read the column weight, which is given' 'chosen,rejected,ref_chosen,ref_rejected,weight\n-1,-4,-2,-3,1\n' --loss aot

finish
