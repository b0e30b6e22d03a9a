#!/bin/sh
# Usage: check_tokens.sh PREFOPT_SCORE FOLDER_OF_csv_program_checks.sh
# Tokens of sampled sequences, and advantages. Values are exact in binary.
. "$2/csv_program_checks.sh"

output=loss,d_logp
form='group,sequence,token,logp,old_logp,ref_logp,rollout_logp,advantage,mask\n'

# --- what is written --------------------------------------------------------------------------------------------------
# -A l, and -A by the number of tokens that count.
reinforce="$output
0.5,-0.25
-6,1"
accepts "$reinforce" 'logp,advantage\n-1,0.5\n-3,-2\n' --tokens --loss reinforce
accepts "$reinforce" 'logp,advantage\n-1,0.5\n-3,-2' --loss reinforce --tokens --dtype f32 -
accepts "$reinforce" '{"advantage": 0.5, "logp": -1}\n{"logp": -3, "advantage": -2}\n' --tokens --loss reinforce
accepts "$reinforce" '[{"advantage": 0.5, "logp": -1}, {"logp": -3, "advantage": -2}]\n' --tokens --loss reinforce
accepts "$reinforce" '\357\273\277# from a trainer\r\nadvantage,note,logp\r\n0.5,x,-1\r\n\r\n# half\r\n-2,"y\nz",-3\r\n' \
  --tokens --loss reinforce --ignore note
printf 'logp,advantage\n-1,0.5\n-3,-2\n' | gzip >"$folder/in.gz"
accepts "$reinforce" '' --tokens --loss reinforce "$folder/in.gz"
if command -v zstd >/dev/null; then
  printf 'logp,advantage\n-1,0.5\n-3,-2\n' | zstd -q >"$folder/in.zst"
  accepts "$reinforce" '' --tokens --loss reinforce "$folder/in.zst"
fi
# The whole form. Where the policy is the old one S is -A; what stands at a token that does not count may be anything.
rows='g,s,0,-1,-1,-3,-1,2,1\ng,s,1,-2,-2,-2,nan,2,1\ng,t,0,,inf,x,,,0\ng,t,4,-4,-4,-4,-4,-1,1\n"h,h",u,7,-1,-1,-2,0,0,1\n'
numbers='g,s,0,-1,-1,-3,-1,2,1\ng,s,1,-2,-2,-2,-1,2,1\ng,t,0,,inf,nan,,,0\ng,t,4,-4,-4,-4,-4,-1,1\n"h,h",u,7,-1,-1,-2,0,0,1\n'
accepts "$output
-2,-0.5
-2,-0.5
0,0
1,0.25
0,0" "$form$numbers" --tokens --loss ppo_clip
# One sequence of two tokens, two of one; two groups, of three tokens and of one.
accepts "$output
-2,-1
-2,-1
0,0
1,0.5
0,0" "$form$numbers" --tokens --loss ppo_clip --aggregation sequence_mean_of_sums --denominator 2
accepts "$output
-2,-0.25
-2,-0.25
0,0
1,0.25
0,0" "$form$numbers" --tokens --loss ppo_clip --aggregation sequence_mean_of_means --denominator 4
accepts "$output
-2,-0.125
-2,-0.125
0,0
1,0.0625
0,0" "$form$numbers" --tokens --loss dr_grpo --horizon 4 --denominator 4
accepts "$output
-2,-0.5
-2,-0.5
1,0.25
0,0" 'group,logp,old_logp,advantage\ng,-1,-1,2\ng,-2,-2,2\nh,-4,-4,-1\nh,-1,-1,0\n' --tokens --loss dapo --aggregation prompt_mean
# k2 is half the square, its slope the difference: 2, 0, 0, 1.
accepts "$output
-1,-0.25
-2,-0.5
0,0
1,0.25
0.25,0.125" "$form$numbers" --tokens --loss ppo_clip --kl k2 --kl_coefficient 0.5
# grpo has k3; its coefficient is both its parameter and the option of all; 0 is none.
accepts '' "$form$numbers" --tokens --loss grpo
grep -q '^kl  *k3, coefficient 0.04$' "$folder/err" || fail 'grpo: k3' '' "$(cat "$folder/err")"
accepts '' "$form$numbers" --tokens --loss grpo --kl_coefficient 0.5 --kl k2
grep -q '^kl  *k2, coefficient 0.5$' "$folder/err" || fail 'grpo: k2' '' "$(cat "$folder/err")"
accepts '' 'sequence,logp,old_logp,advantage\na,-1,-1,1\n' --tokens --loss grpo --kl_coefficient 0
accepts '' 'sequence,logp,old_logp,advantage\na,-1,-1,1\n' --tokens --loss grpo --kl none
# Entropy is rewarded, and has a gradient.
accepts 'loss,d_logp,d_entropy
0,-0.5,-0.25
1,-0.5,-0.25' 'logp,advantage,entropy\n-1,1,2\n-2,1,2\n' --tokens --loss reinforce --entropy_coefficient 0.5
# A correction of equal log-probs is 1; it can be masked away, and multiply the KL.
accepts 'loss,d_logp,correction
1,-0.5,1
0,0,0' 'logp,old_logp,rollout_logp,advantage\n-1,-3,-3,1\n-2,-3,-9,1\n' --tokens --loss reinforce --correction token_mask
accepts 'loss,d_logp,correction
1.5,0,1
0,0,0' 'logp,old_logp,ref_logp,rollout_logp,advantage\n-1,-3,-2,-3,1\n-2,-3,-3,-9,1\n' --tokens --loss reinforce \
  --correction token_mask --kl k2 --kl_coefficient 1 --correct_kl
# Off policy, sequences by the mean of rollout - logp: 2 and 0.
accepts "$output
0,0
0,0
-3,0.25
-3,0.25" 'sequence,logp,rollout_logp,advantage\na,-3,-2,-1\na,-4,-1,-1\nb,-3,-3,-1\nb,-3,-3,-1\n' --tokens --loss reinforce \
  --off_policy_limit 1
# Dropped, they are not in the mean, either.
accepts "$output
0,0
0,0
-3,0.5
-3,0.5" 'sequence,logp,rollout_logp,advantage\na,-3,-2,-1\na,-4,-1,-1\nb,-3,-3,-1\nb,-3,-3,-1\n' --tokens --loss reinforce \
  --off_policy_limit 1 --drop_off_policy
grep -q '^masked share  *0.5$' "$folder/err" || fail 'drop_off_policy' '' "$(cat "$folder/err")"
# What is dropped or skipped is in no product either, and has no correction.
accepts 'loss,d_logp,correction
0,0,0
4,-1,1' 'sequence,logp,old_logp,rollout_logp,advantage\na,-4,-1,-2,-1\na,-4,-3,-3,1\n' --tokens --loss reinforce \
  --correction sequence_truncate --off_policy_limit 1 --drop_off_policy
accepts 'loss,d_logp,correction
0,0,0
1,-1,1' 'sequence,logp,old_logp,rollout_logp,advantage\na,nan,-1,-2,1\na,-1,-3,-3,1\n' --tokens --loss reinforce \
  --correction sequence_truncate --non-finite skip
# The gate of log-probs that are far apart is 1 or 0: teacher less policy is 1000, -1000.
accepts "$output
2000,-2
-1,1" 'logp,ref_logp,advantage\n-1001,-1,0\n-1,-1001,-1\n' --tokens --loss reinforce --kl sdar --kl_coefficient 2 \
  --aggregation token_sum
# A limit of log-ratios: e^0.
accepts '' 'logp,old_logp,advantage\n-1,-1001,1\n' --tokens --loss ppo_clip --log_ratio_limit 20
grep -q '^largest ratio  *4.85165e+08$' "$folder/err" || fail 'log_ratio_limit' '' "$(cat "$folder/err")"
# What is not finite, if that is allowed.
accepts "$output
0,0
-6,2" 'logp,advantage\nnan,0.5\n-3,-2\n' --tokens --loss reinforce --non-finite skip
accepts '' 'logp,advantage\nnan,0.5\n-3,-2\n' --tokens --loss reinforce --non-finite propagate

# The summary lines up, and is on standard error.
run "$form$numbers" --tokens --loss ppo_clip --kl k2 --kl_coefficient 0.5 --horizon 16
summary='loss             ppo_clip, low 0.2, high 0.2, dual 0
aggregation      token_mean
kl               k2, coefficient 0.5
tokens           4
sequences        3
without a token  0
total            -0.4375
denominator      4
mean ratio       1
largest ratio    1
clipped low      0
clipped high     0
kl to old        0
kl to reference  0.625
masked share     0.2
not finite       0
skipped          0
not read         rollout_logp
note: --horizon is read by sequence_mean_of_sums_scaled, not by token_mean'
[ "$(cat "$folder/err")" = "$summary" ] || fail 'summary' "$summary" "$(cat "$folder/err")"
run 'logp,advantage\n1,1\n-1,1\n' --tokens --loss reinforce
grep -q '^note: in 1 of 2 rows a log-prob is above 0' "$folder/err" || fail 'note on signs' '' "$(cat "$folder/err")"
run '' --losses
for loss in grpo dr_grpo dapo gspo cispo rloo reinforce_pp ppo sapo vespo masked_ratio; do
  grep -q "^  $loss  " "$folder/out" || fail "--losses names $loss"
done
grep -q 'arXiv:2402.03300, eq. 3' "$folder/out" || fail '--losses names sources'
run '' --help
grep -q -e '--tokens' "$folder/out" && grep -q -e '--advantages' "$folder/out" || fail '--help names the modes'
for option in aggregation horizon denominator kl kl_coefficient correction correction_low correction_high off_policy_limit \
  entropy_coefficient log_ratio_limit low high dual share; do
  run '' --tokens --help
  grep -q -e "--$option" "$folder/out" || fail "--tokens --help names --$option"
done
run '' --tokens --help
tr -s ' \n' ' ' <"$folder/out" | grep -q 'All rows are kept in memory' || fail '--tokens --help tells about memory'
run '' --advantages --help
grep -q 'length_weighted  *R - (sum of length R)' "$folder/out" || fail '--advantages --help names the modes'

# --- what is refused --------------------------------------------------------------------------------------------------
plain='logp,advantage\n-1,1\n'
refuses_beginning '--loss: missing, expected one of grpo, dr_grpo, dapo, ' "$plain" --tokens
refuses_beginning "there is no loss of tokens 'grop', known are grpo, dr_grpo, dapo, gspo, cispo, rloo, " "$plain" --tokens --loss grop
refuses_beginning '--loss: dpo is not a loss of tokens, expected with --tokens one of grpo, ' "$plain" --tokens --loss dpo
refuses '--loss: grpo is a loss of tokens, which need --tokens' "$plain" --loss grpo
refuses '--loss: grpo is a loss of tokens, which need --tokens' "$plain" --loss grpo --unpaired
refuses 'rloo has no parameter "low", it has none' "$plain" --tokens --loss rloo --low 0.1
refuses 'dapo has no parameter "dual", it has low, high' "$plain" --tokens --loss dapo --dual 3
refuses '--lo: unknown option, see --help; the parameters of dapo are --low, --high' "$plain" --tokens --loss dapo --lo 3
refuses '--empty: unknown option, see --help' "$plain" --tokens --loss rloo --empty skip
refuses '--tokens: not with --list' "$plain" --tokens --loss rloo --list
refuses 'tokens was given a disallowed flag override' "$plain" --tokens=false --loss reinforce
refuses '--tokens: not with --advantages' "$plain" --advantages centered --tokens
refuses 'ppo_clip: low is 2, expected a finite number in [0, 1]' "$plain" --tokens --loss ppo_clip --low 2
refuses 'ppo_clip: dual is less than 1, expected 0, which is none, or a number >= 1' "$plain" --tokens --loss ppo_clip --dual 0.5
refuses "--low: got 'x', expected a number" "$plain" --tokens --loss ppo_clip --low x
refuses_beginning '--aggregation: ' "$plain" --tokens --loss reinforce --aggregation mean
refuses_beginning '--kl: ' "$plain" --tokens --loss reinforce --kl k4
refuses_beginning '--correction: ' "$plain" --tokens --loss reinforce --correction token
refuses '--aggregation: sequence_mean_of_sums_scaled divides by --horizon, which is missing' "$plain" --tokens --loss reinforce \
  --aggregation sequence_mean_of_sums_scaled
refuses '--kl: expected with it --kl_coefficient, 0 for the summary alone' "$plain" --tokens --loss reinforce --kl k3
refuses '--kl_coefficient: expected with it --kl and an estimator' "$plain" --tokens --loss reinforce --kl_coefficient 0.1
refuses '--correction_low: expected with it --correction' "$plain" --tokens --loss reinforce --correction_low 0.1
refuses '--drop_off_policy: expected with it --off_policy_limit' "$plain" --tokens --loss reinforce --drop_off_policy
refuses '--correct_kl: expected with it --kl and an estimator' "$plain" --tokens --loss reinforce --correct_kl
refuses_beginning 'reinforce: correction.high is 1, expected at least correction.low' 'logp,old_logp,rollout_logp,advantage\n-1,-1,-1,1\n' \
  --tokens --loss reinforce --correction token_mask --correction_low 2 --correction_high 1
refuses_beginning 'evaluate: denominator' "$plain" --tokens --loss reinforce --denominator 0

refuses '<stdin>: empty, expected a header line and rows' '' --tokens --loss rloo
refuses '<stdin>: only a header, expected at least one row' 'logp,advantage\n' --tokens --loss reinforce
refuses '<stdin>:1: advantage: missing column; reinforce reads group (optional), sequence (optional), token (optional), logp, old_logp (optional), advantage, mask (optional), entropy (optional)' \
  'logp\n-1\n' --tokens --loss reinforce
refuses_beginning '<stdin>:1: old_logp: missing column; dapo reads ' "$plain" --tokens --loss dapo
refuses_beginning '<stdin>:1: sequence: missing column; rloo reads ' "$plain" --tokens --loss rloo
refuses_beginning '<stdin>:1: sequence: missing column; gspo_token reads ' 'logp,old_logp,advantage\n-1,-1,1\n' --tokens --loss gspo_token
refuses_beginning '<stdin>:1: sequence: missing column; reinforce reads ' "$plain" --tokens --loss reinforce --off_policy_limit 1
refuses_beginning '<stdin>:1: group: missing column; reinforce reads ' "$plain" --tokens --loss reinforce --aggregation prompt_mean
refuses_beginning '<stdin>:1: ref_logp: missing column; reinforce reads ' "$plain" --tokens --loss reinforce --kl k1 --kl_coefficient 1
refuses_beginning '<stdin>:1: old_logp: missing column; reinforce reads ' "$plain" --tokens --loss reinforce --correction token_mask
refuses_beginning '<stdin>:1: entropy: missing column; reinforce reads ' "$plain" --tokens --loss reinforce --entropy_coefficient 1
refuses '<stdin>:1: reward: unknown column, expected group, sequence, token, logp, old_logp, ref_logp, rollout_logp, advantage, mask, entropy (--ignore leaves others out)' \
  'logp,advantage,reward\n-1,1,1\n' --tokens --loss reinforce
refuses "<stdin>:3: mask: got '2', expected 0 or 1" 'logp,advantage,mask\n-1,1,1\n-1,1,2\n' --tokens --loss reinforce
refuses "<stdin>:2: mask: got 'nan', expected 0 or 1" 'logp,advantage,mask\n-1,1,nan\n' --tokens --loss reinforce --non-finite skip
refuses "<stdin>:3: logp: got 'nan', expected a finite number (--non-finite skip or propagate allows others)" \
  'logp,advantage\n-1,1\nnan,1\n' --tokens --loss reinforce
refuses "<stdin>:2: advantage: got '-inf', expected a finite number (--non-finite skip or propagate allows others)" \
  'logp,advantage\n-1,-inf\n' --tokens --loss reinforce
refuses "<stdin>:2: logp: got 'one', expected a number" 'logp,advantage\none,1\n' --tokens --loss reinforce
refuses "<stdin>:4: ref_logp: got 'x', expected a number" "$form$rows" --tokens --loss ppo_clip --kl k1 --kl_coefficient 1
refuses "<stdin>:3: rollout_logp: got 'nan', expected a finite number (--non-finite skip or propagate allows others)" \
  "$form$rows" --tokens --loss ppo_clip --correction token_truncate
refuses '<stdin>:2: advantage: got empty, expected a number' 'logp,advantage\n-1,\n' --tokens --loss reinforce
refuses "<stdin>:2: logp: got '1e999', beyond what the number type can hold" 'logp,advantage\n1e999,1\n' --tokens --loss reinforce
refuses "<stdin>:2: advantage: got '1e39', beyond what the number type can hold" 'logp,advantage\n-1,1e39\n' --tokens --loss reinforce \
  --dtype f32
refuses '<stdin>:3: got 1 field, expected 2 as in the header' 'logp,advantage\n-1,1\n-1\n' --tokens --loss reinforce
sequences='group,sequence,token,logp,advantage\n'
refuses "<stdin>:4: sequence: got 'a', a sequence whose rows ended in line 2; expected the rows of a sequence one after the other" \
  "${sequences}g,a,0,-1,1\ng,b,0,-1,1\ng,a,1,-1,1\n" --tokens --loss reinforce
refuses "<stdin>:4: group: got 'g', a group whose rows ended in line 2; expected the rows of a group one after the other" \
  "${sequences}g,a,0,-1,1\nh,b,0,-1,1\ng,c,0,-1,1\n" --tokens --loss reinforce
refuses "<stdin>:3: group: got 'h', expected 'g' as in line 2, where the sequence begins" \
  "${sequences}g,a,0,-1,1\nh,a,1,-1,1\n" --tokens --loss reinforce
refuses "<stdin>:3: token: got '0' behind 0, expected the tokens of a sequence in their order" \
  "${sequences}g,a,0,-1,1\ng,a,0,-1,1\n" --tokens --loss reinforce
refuses "<stdin>:4: token: got '4' behind 5, expected the tokens of a sequence in their order" \
  "${sequences}g,a,2,-1,1\ng,a,5,-1,1\ng,a,4,-1,1\n" --tokens --loss reinforce
refuses "<stdin>:2: token: got '-1', expected a whole number >= 0" "${sequences}g,a,-1,-1,1\n" --tokens --loss reinforce
refuses "<stdin>:2: token: got '18446744073709551616', beyond what the number type can hold" \
  "${sequences}g,a,18446744073709551616,-1,1\n" --tokens --loss reinforce
refuses "<stdin>:3: token: got '5' behind 2, expected 3, as distances count with this loss" \
  'sequence,token,logp,old_logp,advantage\na,2,-1,-1,1\na,5,-1,-1,1\n' --tokens --loss fipo
refuses "<stdin>:2: sequence: got empty, expected the name of the row's sequence" "${sequences}g,,0,-1,1\n" --tokens --loss reinforce
refuses_full_disk "$plain" --tokens --loss reinforce
refuses 'no/such/file.csv: cannot be opened: No such file or directory' '' --tokens --loss reinforce no/such/file.csv

# --- advantages -------------------------------------------------------------------------------------------------------
rewards='group,reward,length\na,1,1\na,0,3\n"b c",2,2\n"b c",0,1\n"b c",1,1\nd,5,1\n'
accepts 'advantage
0.5
-0.5
1
-1
0
0' "$rewards" --advantages centered
accepts 'advantage
1
-1
1.5
-1.5
0
0' "$rewards" --advantages leave_one_out -
accepts 'advantage
1
-1
1.5
-1.5
0
5' "$rewards" --advantages leave_one_out --lone reward
# The std of 2, 0, 1 is 1, and that of 1, 1 is 0.
accepts 'advantage
0.5
-0.5
0
0
0' 'reward,group\n2,b\n0,b\n1,b\n1,c\n1,c\n' --advantages group_std --epsilon 1
accepts 'advantage
1
-1
0
0
0' 'reward,group\n2,b\n0,b\n1,b\n1,c\n1,c\n' --advantages=group_std --epsilon 0 --dtype f32
accepts 'advantage
0.75
-0.25
0.75
-1.25
-0.25
0' "$rewards" --advantages length_weighted
accepts 'advantage
0
0
0.5
0
0
0' 'group,reward\na,1\na,1\nb,2\nb,0\nb,1\nd,5\n' --advantages best_of_k --epsilon 1
# Of two the std of the others is 0, and does not divide; of three it may be, and else is the root of half a square.
accepts 'advantage
1
-1
-2
2' 'group,reward\na,2\na,1\nb,3\nb,5\n' --advantages leave_one_out_std --epsilon 7
accepts 'advantage
2
-0.70710677
-0.70710677
3' 'group,reward\na,3\na,1\na,1\nb,3\n' --advantages leave_one_out_std --epsilon 0 --lone reward --dtype f32
accepts 'advantage
0.5
-0.5
-2' 'group,reward,baseline,length\na,1,0.5,3\na,0,0.5,4\nb,5,7,1\n' --advantages remax
accepts 'advantage
1.5
-1.5
0' 'group,reward\na,1\na,0\nb,0\n' --advantages gpg --lone zero
# Two rewards of the same samples: -1/2 and 1/2 by a std of the root of 1/2, and their sum again.
accepts 'advantage
-0.70710677
0.70710677' 'group,reward_format,reward_answer\na,0,10\na,1,30\n' --advantages gdpo --epsilon 0 --batch_epsilon 0 --dtype f32 \
  --weights 3,1 -
# Over the tokens of all rows: -3/4, 1/4, 1/4, 1/4 by a std of 1/2.
accepts 'advantage
-1.5
0.5' 'group,reward,length\na,0,1\na,1,3\n' --advantages centered --whiten --dtype f32
# What is skipped is in no mean; a length is a number of tokens, and no memory.
accepts 'advantage
-0.70710677
0
0.70710677' 'group,reward,baseline\na,11,1\na,nan,1\nb,14,2\n' --advantages remax --whiten --dtype f32 --non-finite skip
accepts 'advantage
-1
1
0' 'group,reward,length\na,0,1e30\na,2,1e30\nb,7,0\n' --advantages centered --whiten --dtype f32
# Of several rewards, those of JSON in the file's order, and rows without any that is a number.
run 'group,reward_style,reward_answer\na,0,1\na,2,0\na,1,5\n' --advantages gdpo --weights 10,1
accepts "$(cat "$folder/out")" '{"group":"a","reward_style":0,"reward_answer":1}
{"group":"a","reward_style":2,"reward_answer":0}
{"group":"a","reward_style":1,"reward_answer":5}
' --advantages gdpo --weights 10,1
run 'group,reward_a,reward_b\na,2,nan\na,5,3\na,0,1\n' --advantages gdpo --non-finite skip
accepts "$(sed '1a 0' "$folder/out")" 'group,reward_a,reward_b\na,nan,inf\na,2,nan\na,5,3\na,0,1\n' --advantages gdpo --non-finite skip
grep -q '^skipped  *1$' "$folder/err" || fail 'skipped 1' '' "$(cat "$folder/err")"
accepts '' 'group,reward\na,0\na,1\n' --advantages centered --whiten
grep -q '^advantages  *centered, whitened$' "$folder/err" || fail 'whitened' '' "$(cat "$folder/err")"
accepts 'advantage
0
1
-1' '{"group": 1, "reward": null}\n{"group": 1, "reward": 3}\n{"group": 1, "reward": 1}\n' --advantages centered --non-finite skip
run "$rewards" --advantages group_std
summary='advantages       group_std, epsilon 1e-04
groups           3
rewards          6
skipped          0
not read         length'
[ "$(cat "$folder/err")" = "$summary" ] || fail 'summary of advantages' "$summary" "$(cat "$folder/err")"
run "$rewards" --advantages centered --epsilon 1
grep -q '^note: centered has no --epsilon$' "$folder/err" || fail 'a note on --epsilon' '' "$(cat "$folder/err")"

refuses_beginning '<stdin>:1: baseline: missing column; remax reads group, reward, baseline' "$rewards" --advantages remax
refuses "<stdin>:2: baseline: got 'inf', expected a finite number (--non-finite skip allows others)" \
  'group,reward,baseline\na,1,inf\n' --advantages remax
refuses '--weights: got 2, expected 1, one for each column of rewards' 'group,reward\na,1\n' --advantages gdpo --weights 1,2
refuses '--weights: got 1, expected 2, one for each column of rewards' 'group,reward_a,reward_b\na,1,1\n' --advantages gdpo \
  --weights 1
refuses_beginning '<stdin>:1: reward: missing column; gdpo reads group, reward' 'group\na\n' --advantages gdpo
refuses '<stdin>:1: reward_b: unknown column, expected group, reward, length, baseline (--ignore leaves others out)' \
  'group,reward,reward_b\na,1,1\n' --advantages centered
refuses_beginning '--advantages: ' "$rewards" --advantages mean
refuses '--advantages: missing its mode, see --advantages --help' "$rewards" --advantages
refuses '--loss: unknown option, see --help' "$rewards" --advantages centered --loss grpo
refuses 'epsilon is -1, expected a finite number >= 0' "$rewards" --advantages group_std --epsilon -1
refuses "--epsilon: got 'x', expected a number" "$rewards" --advantages group_std --epsilon x
refuses '<stdin>: empty, expected a header line and rows' '' --advantages centered
refuses '<stdin>: only a header, expected at least one row' 'group,reward\n' --advantages centered
refuses '<stdin>:1: reward: missing column; centered reads group, reward' 'group\na\n' --advantages centered
refuses '<stdin>:1: group: missing column; centered reads group, reward' 'reward\n1\n' --advantages centered
refuses '<stdin>:1: length: missing column; length_weighted reads group, reward, length' 'group,reward\na,1\n' --advantages length_weighted
refuses '<stdin>:1: rank: unknown column, expected group, reward, length, baseline (--ignore leaves others out)' 'group,rank,reward\na,0,1\n' \
  --advantages centered
refuses "<stdin>:2: reward: got 'nan', expected a finite number (--non-finite skip allows others)" 'group,reward\na,nan\n' --advantages centered
refuses "<stdin>:2: length: got '1.5', expected a whole number of tokens" 'group,reward,length\na,1,1.5\n' --advantages length_weighted
refuses "<stdin>:4: group: got 'a', a group whose rows ended in line 2; expected the rows of a group one after the other" \
  'group,reward\na,1\nb,1\na,1\n' --advantages centered
refuses_beginning '--non-finite: ' "$rewards" --advantages centered --non-finite propagate
refuses_full_disk "$rewards" --advantages centered

finish
