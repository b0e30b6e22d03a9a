#!/bin/sh
# Usage: check_score.sh PREFOPT_SCORE FOLDER_OF_csv_program_checks.sh
. "$2/csv_program_checks.sh"

dpo='chosen,rejected,ref_chosen,ref_rejected\n'
lengths='chosen,rejected,chosen_length,rejected_length\n'
header=loss,d_chosen,d_rejected,chosen_reward,rejected_reward

# --- what is written -------------------------------------------------------------------------------------------------
# Hinge with beta 1/4 at h = 2 and h = -4: exact in binary.
hinge_rows="$header
0.5,-0.25,0.25,0.25,-0.25
2,-0.25,0.25,-0.5,0.5"
accepts "$hinge_rows" "${dpo}-1,-4,-2,-3\n-3,-2,-1,-4\n" --loss hinge --beta 0.25
accepts "$hinge_rows" "${dpo}-1,-4,-2,-3\n-3,-2,-1,-4" --loss hinge --beta 0.25 -
accepts "$hinge_rows" "${dpo}-1,-4,-2,-3\n-3,-2,-1,-4\n" --loss hinge --beta 0.25 --dtype f32
# Columns in another order, comments, blank lines, CRLF, CR, a byte order mark, quotes, blanks, plus signs, exponents.
accepts "$hinge_rows" '\357\273\277# from a trainer\r\nref_rejected, "rejected" ,ref_chosen,chosen\r\n\r\n   \r\n# half\r\n-3,-4,"-2",-1e0\r\n -4 ,-20e-1,\t-1,-3\r\n' \
  --loss hinge --beta 0.25
accepts "$hinge_rows" 'chosen,rejected,ref_chosen,ref_rejected\r-1,-4,-2,-3\r-3,-2,-1,-4\r' --loss hinge --beta 0.25
accepts "$hinge_rows" "id,chosen,rejected,ref_chosen,ref_rejected,margin\na,-1,-4,-2,-3,x\n\"b\nc\",-3,-2,-1,-4,\n" \
  --loss hinge --beta 0.25 --ignore id,margin
# A weight multiplies loss and gradient, not the rewards; ipo: (h - 1 / (2 tau))^2 with h = 3, tau = 1/2.
accepts "$header
12,12,-12,0.5,-1" "weight,$dpo"'3,-1,-4,-2,-2\n' --loss ipo --tau 0.5
# Label smoothing through the modifier and through the loss of that name.
run "${dpo}-1,-4,-3,-2\n" --loss cdpo --beta 0.3 --epsilon 0.2
cp "$folder/out" "$folder/cdpo"
accepts "$(cat "$folder/cdpo")" "${dpo}-1,-4,-3,-2\n" --loss smoothed --base dpo --beta 0.3 --epsilon 0.2
# lcpo: where the policy is the reference the posterior is the reliability, whichever way that is given.
posteriors() {
  expected=$1
  shift
  run "$@"
  shift
  [ "$(cut -d, -f6 "$folder/out" | tr '\n' ' ')" = "$expected " ] || fail "$name $*: posterior" "$expected" "$(cat "$folder/out" "$folder/err")"
}
posteriors 'posterior 0.5 1' "reliability,${dpo}0.5,0,0,0,0\n1,0,0,0,0\n" --loss lcpo --base dpo
posteriors 'posterior 0.5 1' "annotator,${dpo}1,0,0,0,0\n0,0,0,0,0\n" --loss lcpo --base dpo --reliability 1,0.5
posteriors 'posterior 0.25 0.25' "annotator,${dpo}7,0,0,0,0\n3,0,0,0,0\n" --loss lcpo --base dpo --reliability 0.25
posteriors 'posterior 0.25 0.25' "annotator,${dpo}ann,0,0,0,0\nbob,0,0,0,0\n" --loss lcpo --base dpo --reliability 0.25
# What is skipped says nothing of who labelled it.
run "annotator,${dpo}ann,0,0,0,0\nann,nan,0,0,0\nbob,inf,0,0,0\n" --loss lcpo --base dpo --reliability 0.25 --non-finite skip
[ "$(grep '^annotator' "$folder/err" | tr -s ' ')" = 'annotator ann 0.25, the mean posterior of 1 pair
annotator bob no pair' ] || fail 'annotators of what is not skipped' '' "$(cat "$folder/err")"
posteriors 'posterior 0.75 0.5' "reliability,annotator,${dpo}0.75,ann,0,0,0,0\n0.5,bob,0,0,0,0\n" --loss lcpo --base dpo
posteriors 'posterior 0.25 0.25' "${dpo}0,0,0,0\n0,0,0,0\n" --loss lcpo --base dpo --reliability 0.25
# What cannot be computed as it should be, if that is allowed.
accepts "$header
0,0,0,0,0
2,-0.25,0.25,-0.5,0.5" "${dpo}nan,-4,-3,-2\n-3,-2,-1,-4\n" --loss hinge --beta 0.25 --non-finite skip
accepts '' "${dpo}-inf,-4,-3,-2\n-3,-2,-1,-4\n" --loss hinge --beta 0.25 --non-finite propagate
accepts '' "${lengths}0,-4,0,2\n-3,-2,1,4\n" --loss simpo --empty skip
accepts '' "${lengths}0,-4,0,2\n-3,-2,1,4\n" --loss simpo --empty propagate

# The summary lines up, and is on standard error.
run "weight,${dpo}1,-1,-4,-2,-3\n3,-3,-2,-1,-4\n0,nan,0,0,0\n" --loss hinge --beta 0.25 --non-finite skip
summary='loss             hinge, beta 0.25
pairs            2
sum of weights   4
mean loss        1.625
accuracy         0.5
margin           -0.25
chosen reward    -0.125
rejected reward  0.125
not finite       1
empty            0
skipped          1'
[ "$(cat "$folder/err")" = "$summary" ] || fail 'summary' "$summary" "$(cat "$folder/err")"
run "${dpo}-1,-4,-2,-3\n" --loss smoothed --base dpo --beta 0.25
[ "$(head -n 1 "$folder/err")" = 'loss             smoothed<dpo>, epsilon 0.1, beta 0.25' ] ||
  fail 'the summary names the parameters that were not given, too' '' "$(head -n 1 "$folder/err")"
run '' --losses
grep -q '^  dpo  ' "$folder/out" || fail '--losses names the losses of pairs'
grep -q '^  plackett_luce  ' "$folder/out" || fail '--losses names the losses of lists'
run '' --help
grep -q -e '--gamma' "$folder/out" || fail '--help names the parameters'
grep -q -e '--break_ties 0|1' "$folder/out" || fail '--help names the switches'

# --- bad input -------------------------------------------------------------------------------------------------------
refuses '<stdin>: empty, expected a header line and rows' '' --loss dpo
refuses '<stdin>: empty, expected a header line and rows' '# nothing\n\n' --loss dpo
refuses '<stdin>: only a header, expected at least one row' "$dpo" --loss dpo
refuses 'no/such/file.csv: cannot be opened: No such file or directory' '' --loss dpo no/such/file.csv
refuses "$folder: is a directory, expected a file" '' --loss dpo "$folder"
refuses "<stdin>:4: rejected: got 'two', expected a number" "${dpo}1,2,3,4\n\n1,two,3,4\n" --loss dpo
refuses "<stdin>:2: rejected: got '2x', expected a number" "${dpo}1,2x,3,4\n" --loss dpo
refuses "<stdin>:2: rejected: got '+-2', expected a number" "${dpo}1,+-2,3,4\n" --loss dpo
refuses '<stdin>:2: ref_chosen: got empty, expected a number' "${dpo}1,2, ,4\n" --loss dpo
refuses "<stdin>:2: chosen: got '1e999', beyond what the number type can hold" "${dpo}1e999,2,3,4\n" --loss dpo
refuses "<stdin>:2: chosen: got '1e39', beyond what the number type can hold" "${dpo}1e39,2,3,4\n" --loss dpo --dtype f32
refuses "<stdin>:2: chosen: got 'nan', expected a finite number (--non-finite skip or propagate allows others)" \
  "${dpo}nan,2,3,4\n" --loss dpo
refuses "<stdin>:2: ref_rejected: got '-inf', expected a finite number (--non-finite skip or propagate allows others)" \
  "${dpo}1,2,3,-inf\n" --loss dpo
refuses '<stdin>:3: got 3 fields, expected 4 as in the header' "${dpo}1,2,3,4\n1,2,3\n" --loss dpo
refuses '<stdin>:2: got 5 fields, expected 4 as in the header' "${dpo}1,2,3,4,5\n" --loss dpo
refuses '<stdin>:2: got 1 field (separated by ";", which are not commas), expected 4 as in the header' "${dpo}1;2;3;4\n" --loss dpo
refuses '<stdin>:3: misplaced " (quote a field whole, and write "" for a quote inside it)' "${dpo}1,2,3,4\n1,2\"2\",3,4\n" --loss dpo
refuses '<stdin>:3: the file ends inside a quoted field that begins here' "${dpo}1,2,3,4\n1,2,3,\"4\n" --loss dpo
refuses '<stdin>:5: chosen: got '"'x', expected a number" "${dpo}1,2,3,\"4\"\n\n\"1\",2,3,4\nx,2,3,4\n" --loss dpo
refuses '<stdin>:1: column 2 of the header has no name' 'chosen,,rejected\n' --loss cpo
refuses '<stdin>:1: chosen: given twice in the header' 'chosen,rejected,chosen\n' --loss cpo
refuses '<stdin>:2: ref_rejected: missing column; dpo reads chosen, rejected, ref_chosen, ref_rejected, weight (optional)' \
  '# made by hand\nchosen,rejected,ref_chosen\n1,2,3\n' --loss dpo
refuses '<stdin>:1: chosn: unknown column, expected chosen, rejected, ref_chosen, ref_rejected, chosen_length, rejected_length, weight, margin, label, reliability, target, scale, chosen_kl, rejected_kl, chosen_deviation, rejected_deviation, chosen_sign, rejected_sign, rationale, gold, annotator (--ignore leaves others out)' \
  'chosn,rejected\n1,2\n' --loss cpo
refuses '<stdin>:1: ref_chosen: cpo does not read this column, it reads chosen, rejected, weight (optional) (--ignore leaves others out)' \
  "${dpo}1,2,3,4\n" --loss cpo
refuses "<stdin>:2: weight: got '-1', expected a number >= 0" 'chosen,rejected,weight\n1,2,-1\n' --loss cpo
refuses "<stdin>:2: label: got '1.5', expected a number from 0 to 1" "label,${dpo}1.5,1,2,3,4\n" --loss labelled --base dpo
refuses "<stdin>:2: chosen_length: got '2.5', expected a whole number of tokens" "${lengths}-1,-2,2.5,3\n" --loss simpo
refuses "<stdin>:2: rejected_length: got '-3', expected a whole number of tokens" "${lengths}-1,-2,2,-3\n" --loss simpo
refuses "<stdin>:2: rejected_length: got '0', expected at least one token (--empty skip or propagate allows none)" \
  "${lengths}-1,-2,2,0\n" --loss simpo
# Where other numbers than finite ones are allowed, these are not.
refuses "<stdin>:2: weight: got 'nan', expected a finite number >= 0 (--non-finite skip allows others)" \
  'chosen,rejected,weight\n1,2,nan\n' --loss cpo --non-finite propagate
refuses "<stdin>:2: weight: got '-inf', expected a number >= 0" 'chosen,rejected,weight\n1,2,-inf\n' --loss cpo --non-finite skip
refuses "<stdin>:2: rejected_length: got '-inf', expected a whole number of tokens" "${lengths}-1,-2,2,-inf\n" --loss simpo \
  --non-finite skip
refuses "<stdin>:2: label: got 'inf', expected a number from 0 to 1" 'label,chosen,rejected\ninf,1,2\n' --loss labelled --base cpo \
  --non-finite propagate

# --- the reliability of lcpo -----------------------------------------------------------------------------------------
refuses '<stdin>:1: reliability: missing column; lcpo<dpo> needs it, or --reliability' "${dpo}1,2,3,4\n" --loss lcpo --base dpo
refuses '<stdin>: weight: adds up to more than a number can hold' 'chosen,rejected,weight\n-1,-2,1e308\n-1,-2,1e308\n' --loss cpo
refuses '<stdin>: weight: adds up to more than a number can hold' 'chosen,rejected,weight\n-1,-2,3e38\n-1,-2,3e38\n' --loss cpo --dtype f32
refuses '<stdin>:1: annotator: needs --reliability with a value for each annotator 0, 1, ...' \
  "annotator,${dpo}0,1,2,3,4\n" --loss lcpo --base dpo
refuses '<stdin>:1: annotator: dpo does not read this column, it reads chosen, rejected, ref_chosen, ref_rejected, weight (optional) (--ignore leaves others out)' \
  "annotator,${dpo}0,1,2,3,4\n" --loss dpo
refuses '--reliability: dpo does not read it' "${dpo}1,2,3,4\n" --loss dpo --reliability 0.9
refuses '<stdin>:1: reliability: given as a column and by --reliability, expected one of them' \
  "reliability,${dpo}0.9,1,2,3,4\n" --loss lcpo --base dpo --reliability 0.9
refuses '<stdin>:1: annotator: missing column; --reliability gives 2 values, one an annotator' \
  "${dpo}1,2,3,4\n" --loss lcpo --base dpo --reliability 0.9,0.8
refuses '<stdin>:3: annotator: got 2, expected 0 to 1 as --reliability gives 2 values' \
  "annotator,${dpo}1,1,2,3,4\n2,1,2,3,4\n" --loss lcpo --base dpo --reliability 0.9,0.8
refuses "<stdin>:2: annotator: got 'ann', expected a whole number >= 0" \
  "annotator,${dpo}ann,1,2,3,4\n" --loss lcpo --base dpo --reliability 0.9,0.8
refuses "--reliability: got '1.1', expected a number from 0 to 1" "${dpo}1,2,3,4\n" --loss lcpo --base dpo --reliability 0.9,1.1
refuses '--reliability: got empty, expected a number' "${dpo}1,2,3,4\n" --loss dpo --reliability ''
refuses '--reliability: got empty, expected a number' "${dpo}1,2,3,4\n" --loss lcpo --base dpo --reliability 0.9,
refuses "--reliability: got 'high', expected a number" "${dpo}1,2,3,4\n" --loss lcpo --base dpo --reliability high

# --- the command line ------------------------------------------------------------------------------------------------
# The lists of known names come from the library, so only the beginnings of these messages are compared.
refuses_beginning '--loss: missing, expected one of dpo, ' "${dpo}1,2,3,4\n"
refuses_beginning "there is no loss 'dpi', known are dpo, " "${dpo}1,2,3,4\n" --loss dpi
refuses_beginning 'smoothed is a modifier and needs a base, one of dpo, ' "${dpo}1,2,3,4\n" --loss smoothed
refuses_beginning 'smoothed does not go over "dpi", it goes over dpo, ' "${dpo}1,2,3,4\n" --loss smoothed --base dpi
refuses_beginning '--loss: pro is a loss of lists, which need --list; expected without it one of dpo, ' "${dpo}1,2,3,4\n" --loss pro
refuses_beginning 'dpo is not a modifier and takes no base' "${dpo}1,2,3,4\n" --loss dpo --base ipo
refuses 'dpo has no parameter "gamma", it has beta' "${dpo}1,2,3,4\n" --loss dpo --gamma 1
refuses '--gama: unknown option, see --help; the parameters of simpo are --beta, --gamma' "${lengths}1,2,3,4\n" --loss simpo --gama 1
refuses 'dpo: beta is -1, expected a finite number > 0' "${dpo}1,2,3,4\n" --loss dpo --beta -1
refuses "--beta: got 'x', expected a number" "${dpo}1,2,3,4\n" --loss dpo --beta x
refuses_beginning '--dtype: ' "${dpo}1,2,3,4\n" --loss dpo --dtype f16
refuses_beginning '--empty: ' "${dpo}1,2,3,4\n" --loss dpo --empty maybe
refuses '--gama: unknown option, see --help; the parameters of smoothed over simpo are --epsilon, --beta, --gamma' \
  "${lengths}1,2,3,4\n" --loss smoothed --base simpo --gama 1
refuses "--gama: unknown option, see --help" "${lengths}1,2,3,4\n" --loss simpi --gama 1
refuses "'b.csv': unexpected argument" "${dpo}1,2,3,4\n" --loss dpo a.csv b.csv
refuses_full_disk "${dpo}1,2,3,4\n" --loss dpo

finish
