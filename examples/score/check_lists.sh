#!/bin/sh
# Usage: check_lists.sh PREFOPT_SCORE FOLDER_OF_csv_program_checks.sh
. "$2/csv_program_checks.sh"

form='group,logp,ref_logp,length,reward\n'
output=group,loss,d_logp

# --- what is written -------------------------------------------------------------------------------------------------
# rrhf on scores -1, -2, -3, ranked backwards: 1 + 2 + 1; a group that is right; exact in binary.
rows='a,-2,0,2,1\na,-8,0,4,2\na,-3,0,1,3\n"b,c",-1,0,1,5\n"b,c",-4,0,2,4\n'
rrhf="$output
a,4,1
a,4,0
a,4,-2
\"b,c\",0,0
\"b,c\",0,0"
accepts "$rrhf" "$form$rows" --list --loss rrhf --sft 0
accepts "$rrhf" "$form$rows" --loss rrhf --sft 0 --list -
accepts "$rrhf" "$form$rows" --list --loss rrhf --sft 0 --dtype f32
# Columns in another order, one more, comments, blank lines, CRLF, a byte order mark; a group's rows around a comment.
accepts "$rrhf" '\357\273\277# from a trainer\r\nlength,note,group,reward,logp\r\n2,x,a,1,-2\r\n\r\n# half\r\n4,y,a,2,-8\r\n1,,a,3,-3\r\n1,z,"b,c",5,-1\r\n2,z,"b,c",4,-4\r\n' \
  --list --loss rrhf --sft 0 --ignore note
# Without rewards the file's order is the ranking; the gradient is by the sum, so 1 / length.
accepts "$output
b,0,0
b,0,0
a,1,-0.5
a,1,0.5" 'group,logp,length\nb,-1,1\nb,-4,2\na,-8,2\na,-6,2\n' --list --loss rrhf --sft 0
# A weight multiplies loss and gradient.
accepts "$output
a,3,-1.5
a,3,1.5
b,0,0" 'weight,group,logp,length\n3,a,-8,2\n3,a,-6,2\n7,b,-1,1\n' --list --loss rrhf --sft 0
# Names of groups are text: nothing is trimmed of what is quoted, and they come out as they have to be read.
accepts "$output
\"#1\",0,0
\" a \",0,0
\"say \"\"so\"\"\",0,0
1,0,0
01,0,0
1e0,0,0" 'group,logp\n"#1",-1\n" a ",-1\n"say ""so""",-1\n1,-1\n01,-1\n1e0,-1\n' --list --loss plackett_luce
# adpo: where the policy is the anchor, the gradient is (uniform - target) / tau; a target instead of rewards.
accepts "$output
g,0.6931471805599453,-0.5
g,0.6931471805599453,0.5" 'group,logp,ref_logp,target\ng,-1,-1,1\ng,-2,-2,0\n' --list --loss adpo --tau 1
accepts "$output
g,0.6931471805599453,-0.5
g,0.6931471805599453,0.5" 'group,logp,ref_logp,target,reward\ng,-1,-1,1,7\ng,-2,-2,0,9\n' --list --loss adpo --tau 1 --ignore reward
# real: better by the sign of the reward; a group of one kind has no loss.
accepts "$output
a,1.3862944,-0.25
a,1.3862944,0.125
b,0,0
b,0,0" "${form}a,-4,-4,2,3\na,-1,-1,4,-0.5\nb,-9,-1,2,1\nb,-2,-8,2,1\n" --list --loss real --tau 1 --dtype f32
# Lengths that are left out: sums instead of means.
run "${form}a,-8,-1,2,2\na,-6,-2,4,1\n" --list --loss plackett_luce --ignore length
cp "$folder/out" "$folder/sums"
accepts "$(cat "$folder/sums")" 'group,logp,ref_logp,reward\na,-8,-1,2\na,-6,-2,1\n' --list --loss plackett_luce
# Ties in the file's order, if that is allowed.
accepts "$(cat "$folder/sums")" 'group,logp,ref_logp,reward\na,-8,-1,2\na,-6,-2,2\n' --list --loss plackett_luce --break_ties 1
# The same reward in two groups is no tie.
accepts '' 'group,logp,reward\na,-8,1\na,-6,2\nb,-8,1\nb,-6,2\n' --list --loss plackett_luce
# A matrix.
accepts "$output
m,0.6931471805599453,-0.25
m,0.6931471805599453,0.25
m,0.6931471805599453,0.25
m,0.6931471805599453,-0.25
n,0,0" 'group,logp\nm,-1\nm,-1\nm,-1\nm,-1\nn,-3\n' --list --loss sami
grep -q '^accuracy' "$folder/err" && fail 'a matrix has no accuracy'
# What cannot be computed as it should be, if that is allowed.
accepts "$output
a,0,0
a,0,0
b,1,-0.5
b,1,0.5" 'group,logp,length\na,nan,1\na,-4,2\nb,-8,2\nb,-6,2\n' --list --loss rrhf --sft 0 --non-finite skip
accepts '' 'group,logp,length\na,-inf,1\na,-4,2\n' --list --loss rrhf --non-finite propagate
accepts "$output
a,0,0
a,0,0
b,1,-0.5
b,1,0.5" 'group,logp,length\na,0,0\na,-4,2\nb,-8,2\nb,-6,2\n' --list --loss rrhf --sft 0 --empty skip
accepts '' 'group,logp,length\na,0,0\na,-4,2\n' --list --loss rrhf --empty propagate
accepts '' 'weight,group,logp\nnan,a,-1\nnan,a,-2\n1,b,-2\n' --list --loss info_nce --non-finite skip

# --- the summary -----------------------------------------------------------------------------------------------------
summary() {
  [ "$(cat "$folder/err")" = "$1" ] || fail 'summary' "$1" "$(cat "$folder/err")"
}
run "${form}a,-2,0,2,1\na,-8,0,4,2\na,-3,0,1,3\nb,nan,0,1,5\n" --list --loss rrhf --sft 0 --non-finite skip
summary 'loss             rrhf, sft 0
score            log-prob, per token
order            by reward
groups           1
candidates       4, those of skipped groups included
mean loss        4
accuracy         0
best probability 0.0900306
best reward      -3 (implicit)
other reward     -1.5 (implicit)
not finite       1
empty            0
skipped          1
not read         ref_logp'
run 'weight,group,logp,target,ref_logp\n3,a,-1,1,-1\n3,a,-2,0,-2\n1,b,-5,1,-5\n' --list --loss adpo --tau 2
summary 'loss             adpo, tau 2, beta_reward 0.5, standardize 0, kl 0, adapt 0, tau_min 0.05
score            log-prob - reference
groups           2
candidates       3
sum of weights   4
mean loss        0.51986
accuracy         0.5
best probability 0.75
best reward      0 (implicit)
other reward     0 (implicit)
not finite       0
empty            0
skipped          0'
summary_has() {
  grep -qx "$1" "$folder/err" || fail 'summary' "$1" "$(cat "$folder/err")"
}
run "${form}a,-8,-1,2,2\na,-6,-2,4,1\n" --list --loss plackett_luce
summary_has 'score            log-prob - reference, per token'
run "${form}a,-8,-1,2,2\na,-6,-2,4,1\n" --list --loss plackett_luce --ignore length,reward
summary_has 'score            log-prob - reference'
summary_has 'order            as in the file, best first'
if grep -q '^not read' "$folder/err"; then fail 'ignored columns are not among those not read' '' "$(cat "$folder/err")"; fi
run "${form}a,-8,-1,2,2\n" --list --loss sami
summary_has 'not read         reward'
run "${form}a,-8,-1,2,2\n" --list --loss pro --temperatures 0
summary_has 'loss             pro, temperatures 0, sft 0.05, eps_compat 0'

# --- bad input: columns ----------------------------------------------------------------------------------------------
pl='--list --loss plackett_luce'
refuses '<stdin>: empty, expected a header line and rows' '' $pl
refuses '<stdin>: only a header, expected at least one row' "$form" $pl
refuses 'no/such/file.csv: cannot be opened: No such file or directory' '' $pl no/such/file.csv
reads='plackett_luce reads group, logp, ref_logp (optional), length (optional), reward (optional), weight (optional)'
refuses "<stdin>:1: group: missing column; $reads" 'logp\n-1\n' $pl
refuses "<stdin>:1: logp: missing column; $reads" 'group,reward\na,1\n' $pl
refuses "<stdin>:2: group: missing column; $reads" '# by hand\nlogp,reward\n-1,1\n' $pl
refuses '<stdin>:1: ref_logp: missing column; real reads group, logp, ref_logp, length, reward, weight (optional)' \
  'group,logp,reward\na,-1,1\n' --list --loss real
refuses '<stdin>:1: length: missing column; pro reads group, logp, length, reward, weight (optional)' \
  'group,logp,reward\na,-1,1\n' --list --loss pro
refuses '<stdin>:1: reward: missing column; pro reads group, logp, length, reward, weight (optional)' \
  "${form}a,-1,-1,2,1\n" --list --loss pro --ignore reward
refuses '<stdin>:1: reward: missing column; adpo reads group, logp, ref_logp (optional), length (optional), reward or target, weight (optional)' \
  'group,logp\na,-1\n' --list --loss adpo
refuses '<stdin>:1: target: adpo reads either reward or target, got both (--ignore reward leaves reward out)' \
  'group,logp,target,reward\na,-1,1,1\n' --list --loss adpo
refuses "<stdin>:2: target: sums to 9.9 over the group 'a', expected probabilities, which sum to 1" \
  'group,logp,target\na,-10,9\na,-20,0.9\nb,-1,1\n' --list --loss adpo
refuses '<stdin>:1: target: plackett_luce does not read this column, it reads group, logp, ref_logp (optional), length (optional), reward (optional), weight (optional) (--ignore leaves others out)' \
  'group,logp,target\na,-1,1\n' $pl
refuses '<stdin>:1: rank: unknown column, expected group, logp, ref_logp, length, reward, target, weight (--ignore leaves others out)' \
  'group,rank,logp\na,0,-1\n' $pl
refuses '<stdin>:1: logp: given twice in the header' 'group,logp,logp\na,-1,-1\n' $pl
refuses '<stdin>:1: chosen: unknown column, expected group, logp, ref_logp, length, reward, target, weight (--ignore leaves others out)' \
  'chosen,rejected\n-1,-1\n' $pl

# --- bad input: groups -----------------------------------------------------------------------------------------------
refuses "<stdin>:5: group: got 'a', a group whose rows ended in line 3; expected the rows of a group one after the other" \
  'group,logp\na,-1\na,-2\nb,-1\na,-3\n' $pl
refuses "<stdin>:7: group: got 'a', a group whose rows ended in line 2; expected the rows of a group one after the other" \
  'group,logp\na,-1\n\n# next\nb,-1\nc,-2\n"a",-3\n' $pl
refuses '<stdin>:3: group: got empty, expected the name of the row'"'s group" 'group,logp\na,-1\n,-2\n' $pl
refuses "<stdin>:3: weight: got '2', expected 1 as in line 2, where the group begins" \
  'group,logp,weight\na,-1,1\na,-2,2\n' $pl
refuses "<stdin>:3: weight: got 'nan', expected 1 as in line 2, where the group begins" \
  'group,logp,weight\na,-1,1\na,-2,nan\n' $pl --non-finite skip
refuses "<stdin>:5: reward: got '1.0' as in line 3, plackett_luce expects different rewards in a group (--break_ties 1 takes ties in the file's order)" \
  'group,logp,reward\na,-1,1\nb,-1,1\nb,-2,2\nb,-3,1.0\n' $pl
refuses "<stdin>:3: reward: got '-0' as in line 2, list_mle expects different rewards in a group (--break_ties 1 takes ties in the file's order)" \
  'group,logp,reward\na,-1,0\na,-2,-0\n' --list --loss list_mle
refuses "<stdin>:3: reward: got '101', expected at most 100 with rank_dpo" 'group,logp,reward\na,-1,1\na,-1,101\n' --list --loss rank_dpo
refuses "<stdin>:3: group: 'b' has 3 candidates, sami expects a square number" \
  'group,logp\na,-1\nb,-1\nb,-1\nb,-2\nc,-1\n' --list --loss sami
refuses "<stdin>:3: group: 'b' has 2 candidates, sami expects a square number" 'group,logp\na,-1\nb,-1\nb,-1\n' --list --loss sami

# --- bad input: values -----------------------------------------------------------------------------------------------
refuses "<stdin>:3: logp: got 'low', expected a number" 'group,logp\na,-1\na,low\n' $pl
refuses '<stdin>:2: reward: got empty, expected a number' 'group,logp,reward\na,-1,\n' $pl
refuses "<stdin>:2: logp: got '-1e39', beyond what the number type can hold" 'group,logp\na,-1e39\n' $pl --dtype f32
refuses "<stdin>:2: logp: got '-inf', expected a finite number (--non-finite skip or propagate allows others)" 'group,logp\na,-inf\n' $pl
refuses "<stdin>:2: reward: got 'nan', expected a finite number (--non-finite skip or propagate allows others)" \
  'group,logp,reward\na,-1,nan\n' $pl
refuses '<stdin>:3: got 1 field, expected 2 as in the header' 'group,logp\na,-1\na\n' $pl
refuses "<stdin>:2: length: got '2.5', expected a whole number of tokens" 'group,logp,length\na,-1,2.5\n' $pl
refuses "<stdin>:2: length: got '0', expected at least one token (--empty skip or propagate allows none)" 'group,logp,length\na,-1,0\n' $pl
refuses "<stdin>:2: target: got '-0.5', expected a number >= 0" 'group,logp,target\na,-1,-0.5\n' --list --loss adpo
refuses "<stdin>:2: target: got '-inf', expected a number >= 0" 'group,logp,target\na,-1,-inf\n' --list --loss adpo --non-finite skip
refuses "<stdin>:2: weight: got '-1', expected a number >= 0" 'group,logp,weight\na,-1,-1\n' $pl
refuses "<stdin>:2: weight: got 'inf', expected a finite number >= 0 (--non-finite skip allows others)" \
  'group,logp,weight\na,-1,inf\n' $pl --non-finite propagate

# --- the command line ------------------------------------------------------------------------------------------------
refuses_beginning '--loss: missing, expected one of plackett_luce, ' 'group,logp\na,-1\n' --list
refuses_beginning "there is no loss 'plackett', known are plackett_luce, " 'group,logp\na,-1\n' --list --loss plackett
refuses_beginning '--loss: dpo is a loss of pairs, expected with --list one of plackett_luce, ' 'group,logp\na,-1\n' --list --loss dpo
refuses 'pro is not a modifier and takes no base, got base "dpo"' 'group,logp\na,-1\n' --list --loss pro --base dpo
refuses '--reliability: not with --list, no list loss reads it' 'group,logp\na,-1\n' $pl --reliability 0.9
refuses 'info_nce has no parameter "beta", it has tau' 'group,logp\na,-1\n' --list --loss info_nce --beta 1
refuses 'pro: temperatures is 0.5, expected 0 or 1' 'group,logp\na,-1\n' --list --loss pro --temperatures 0.5
refuses 'plackett_luce: top_k is 1.5, expected a whole number >= 0' 'group,logp\na,-1\n' $pl --top_k 1.5
refuses "--break_ties: got 'yes', expected a number" 'group,logp\na,-1\n' $pl --break_ties yes
refuses '--top: unknown option, see --help; the parameters of list_mle are --top_k, --break_ties' \
  'group,logp\na,-1\n' --list --loss list_mle --top 3
refuses_full_disk 'group,logp\na,-1\n' $pl

finish
