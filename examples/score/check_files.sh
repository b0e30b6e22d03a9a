#!/bin/sh
# Usage: check_files.sh PREFOPT_SCORE FOLDER_OF_csv_program_checks.sh SHARED_FOLDER
# Files as other programs write them, and large ones.
. "$2/csv_program_checks.sh"
cases=$3/cases

dpo='chosen,rejected,ref_chosen,ref_rejected\n'
header=loss,d_chosen,d_rejected,chosen_reward,rejected_reward
# Hinge with beta 1/4 at h = 2 and h = -4: exact in binary.
hinge_rows="$header
0.5,-0.25,0.25,0.25,-0.25
2,-0.25,0.25,-0.5,0.5"
notes() {
  grep '^note' "$folder/err" >"$folder/notes"
  [ "$(cat "$folder/notes")" = "$1" ] || fail "notes" "$1" "$(cat "$folder/notes")"
}

# --- JSON lines ------------------------------------------------------------------------------------------------------
accepts "$hinge_rows" '{"chosen": -1, "rejected": -4, "ref_chosen": -2, "ref_rejected": -3}\n\n# half\r\n {"rejected": -2.0, "chosen": -3e0, "ref_rejected": -40e-1, "ref_chosen": "-1"} ' --loss hinge --beta 0.25
accepts "$hinge_rows" '\357\273\277{"id": [1, {"chosen": 7}], "chosen": -1, "rejected": -4, "ref_chosen": -2, "ref_rejected": -3}\n{"chosen": -3, "rejected": -2, "ref_chosen": -1, "ref_rejected": -4, "other": null}\n' \
  --loss hinge --beta 0.25 --ignore id,other
# null is how pandas writes a nan; true and false are labels.
accepts "$header
0,0,0,0,0
2,-0.25,0.25,-0.5,0.5" '{"chosen": null, "rejected": -4, "ref_chosen": -2, "ref_rejected": -3}\n{"chosen": -3, "rejected": -2, "ref_chosen": -1, "ref_rejected": -4}\n' --loss hinge --beta 0.25 --non-finite skip
accepts 'loss,d_logp,reward
0.5,-0.0625,0
1,0.125,0' '{"logp": -3, "ref_logp": -3, "label": true}\n{"logp": -4, "ref_logp": -4, "label": false}\n' --unpaired --loss kto --beta 0.25 --undesirable_weight 2
accepts 'group,loss,d_logp
"a,b",0,0
"a,b",0,0' '{"group": "a,b", "logp": -1, "length": 1}\n{"group": "a,b", "logp": -4, "length": 2}\n' --list --loss rrhf --sft 0
# Numbers are read as they are written: in float this one is 1 + 2^-23, by way of double it would be 1.
accepts '' '{"chosen": 1.0000000596046448, "rejected": -1}\n' --loss cpo --dtype f32
cp "$folder/out" "$folder/json"
accepts "$(cat "$folder/json")" 'chosen,rejected\n1.0000000596046448,-1\n' --loss cpo --dtype f32
refuses '<stdin>:2: rejected: is missing, expected the same names as in the first line' '{"chosen": 1, "rejected": 2}\n{"chosen": 1}\n' --loss cpo
refuses '<stdin>:2: other: is not in the first line, expected the same names as there' '{"chosen": 1, "rejected": 2}\n{"chosen": 1, "rejected": 2, "other": 1}\n' --loss cpo
refuses '<stdin>:1: rejected: stands twice in one object' '{"chosen": 1, "rejected": 2, "rejected": 3}\n' --loss cpo
refuses "<stdin>:2: rejected: got an array, expected text or a number" '{"chosen": 1, "rejected": 2}\n{"chosen": 1, "rejected": [2]}\n' --loss cpo
refuses '<stdin>:1: rejected: got '"'two', expected a number" '{"chosen": 1, "rejected": "two"}\n' --loss cpo
# NaN and Infinity are what Python writes; so they count as in CSV, and the places in messages are those of the file.
accepts "$header
0,0,0,0,0
2,-0.25,0.25,-0.5,0.5
0,0,0,0,0" '{"chosen": NaN, "rejected": -4, "ref_chosen": -2, "ref_rejected": -3}\n{"chosen": -3, "rejected": -2, "ref_chosen": -1, "ref_rejected": -4}\n{"chosen": -Infinity,"rejected":Infinity, "ref_chosen": -2, "ref_rejected":-3}\n' --loss hinge --beta 0.25 --non-finite skip
for word in NaN Infinity -Infinity; do
  refuses "<stdin>:1: rejected: got '$word', expected a finite number (--non-finite skip or propagate allows others)" '{"chosen": 1.25, "rejected": '$word'}\n' --loss cpo
done
accepts '' '{"chosen": 0.5, "rejected": -1, "note\\"": [NaN, "NaN", {"NaN": -Infinity}]}\n' --loss cpo --ignore 'note"'
refuses '<stdin>:1: byte 32 is not what JSON expects there' '{"chosen": NaN, "rejected": 1, }\n' --loss cpo
refuses '<stdin>:1: byte 4 is not what JSON expects there' '{NaN: 1}\n' --loss cpo
refuses '<stdin>:1: rejected: got NaN, expected a finite number, or null for none' '{"chosen": 1.25, "rejected": NaNs}\n' --loss cpo
refuses '<stdin>:1: group: got NaN, expected text or a finite number, or null for none' '{"group": NaN, "logp": -1}\n' --list --loss info_nce
refuses '<stdin>:2: the JSON breaks off at the end of the line, expected a whole object' '{"chosen": 1, "rejected": 2}\n{"chosen": 1, \n' --loss cpo
refuses '<stdin>:2: got an array, expected a JSON object' '{"chosen": 1, "rejected": 2}\n[1, 2]\n' --loss cpo
# One array is as good, and so is what is packed.
accepts "$hinge_rows" ' [{"chosen": -1, "rejected": -4, "ref_chosen": -2, "ref_rejected": -3},\n{"chosen": -3, "rejected": -2, "ref_chosen": -1, "ref_rejected": -4}]\n' --loss hinge --beta 0.25
refuses '<stdin>:3: rejected: is missing, expected the same names as in the first line' '[\n{"chosen": 1, "rejected": 2},\n{"chosen": 1}]\n' --loss cpo
for pack in gzip zstd; do
  command -v $pack >/dev/null || continue
  printf "${dpo}-1,-4,-2,-3\n-3,-2,-1,-4\n" | $pack -c >"$folder/packed"
  accepts "$hinge_rows" '' --loss hinge --beta 0.25 "$folder/packed"
  "$program" --loss hinge --beta 0.25 <"$folder/packed" 2>"$folder/err" | cmp - "$folder/out" || fail "$pack, standard input" '' "$(cat "$folder/err")"
  head -c 40 "$folder/packed" >"$folder/cut"
  "$program" --loss hinge "$folder/cut" >"$folder/out" 2>"$folder/err" && fail "$pack, cut off"
  grep -q "cut:[1-3]: the $pack stream breaks off here, the file is truncated" "$folder/err" || fail "$pack, cut off" '' "$(cat "$folder/err")"
done
refuses '<stdin>: seems to be text in UTF-16, expected CSV with a header or JSON objects, plain, gzip or zstd; this makes UTF-8 of it: iconv -f UTF-16 -t UTF-8 FILE' '\377\376c\000,\000' --loss cpo
accepts '' '{"group": "\\ud83d", "logp": -1}\n{"group": "\\ud83d", "logp": -2}\n' --list --loss info_nce
notes 'note: 2 lone surrogates, half an emoji each, became U+FFFD'
refuses '<stdin>:1: chosn: unknown column, expected chosen, rejected, ref_chosen, ref_rejected, chosen_length, rejected_length, weight, margin, label, reliability, target, scale, chosen_kl, rejected_kl, chosen_deviation, rejected_deviation, chosen_sign, rejected_sign, rationale, gold, annotator (--ignore leaves others out)' \
  '{"chosn": 1, "rejected": 2}\n' --loss cpo

# --- what pandas and others write ------------------------------------------------------------------------------------
accepts "$hinge_rows" ",${dpo}0,-1,-4,-2,-3\n1,-3,-2,-1,-4\n" --loss hinge --beta 0.25
notes "note: pandas' index is left out: the first column, which has no name"
accepts "$hinge_rows" ",Unnamed: 0,${dpo}0,0,-1,-4,-2,-3\n1,1,-3,-2,-1,-4\n" --loss hinge --beta 0.25
notes "note: pandas' index is left out: the first column, which has no name, Unnamed: 0"
accepts '' ',group,logp\n0,a,-1\n1,a,-2\n' --list --loss info_nce
accepts '' ',logp,label\n0,-1,1\n' --unpaired --loss nbpo
refuses '<stdin>:1: column 3 of the header has no name' ',chosen,,rejected\n' --loss cpo
refuses '<stdin>:1: column 1 of the header has no name' '""\n1\n' --loss cpo
refuses "<stdin>:1: the header's columns are separated by \";\", expected commas" 'chosen;rejected\n1;2\n' --loss cpo
refuses "<stdin>:1: the header's columns are separated by tabs, expected commas" 'chosen\trejected\n1\t2\n' --loss cpo
refuses '<stdin>:2: got 1 field (separated by tabs, which are not commas), expected 4 as in the header' "${dpo}1\t2\t3\t4\n" --loss dpo
refuses_beginning '<stdin>:1: a\x1b[31m\nb: unknown column, expected ' '"a\033[31m\nb",rejected\n1,2\n' --loss cpo

# Words for yes and no, of labels and masks alone.
for words in 'True False' 'true false' 'TRUE FALSE' '1 0' '1.0 0.0'; do
  accepts 'loss,d_logp,reward
0.5,-0.0625,0
1,0.125,0' "logp,ref_logp,label\\n-3,-3,${words% *}\\n-4,-4,${words#* }\\n" --unpaired --loss kto --beta 0.25 --undesirable_weight 2
  accepts 'loss,d_logp
1,-1
0,0' "logp,advantage,mask\\n-1,1,${words% *}\\n-1,,${words#* }\\n" --tokens --loss reinforce --aggregation token_sum
done
refuses "<stdin>:2: label: got 'yes', expected a number" 'logp,ref_logp,label\n-3,-3,yes\n' --unpaired --loss kto
refuses "<stdin>:2: logp: got 'True', expected a number" 'logp,ref_logp,label\nTrue,-3,True\n' --unpaired --loss kto
# Whole numbers as pandas writes those of a column that has gaps.
annotators() {
  [ "$(grep '^annotator' "$folder/err")" = 'annotator 0      0.8, the mean posterior of 2 pairs
annotator 1      0.6, the mean posterior of 1 pair' ] || fail 'annotators' '' "$(cat "$folder/err")"
}
lcpo='--loss lcpo --base dpo --reliability 0.8,0.6'
accepts '' "annotator,${dpo}0.0,-1,-1,-1,-1\n1.0,-1,-1,-1,-1\n0,-1,-1,-1,-1\n" $lcpo
annotators
accepts '' '{"annotator": 0.0, "chosen": -1, "rejected": -1, "ref_chosen": -1, "ref_rejected": -1}\n{"annotator": "1.0", "chosen": -1, "rejected": -1, "ref_chosen": -1, "ref_rejected": -1}\n{"annotator": 0, "chosen": -1, "rejected": -1, "ref_chosen": -1, "ref_rejected": -1}\n' $lcpo
annotators
for number in 1.5 -1.0 1. x; do
  refuses "<stdin>:2: annotator: got '$number', expected a whole number >= 0" "annotator,${dpo}$number,-1,-1,-1,-1\n" $lcpo
done

# --- numbers ---------------------------------------------------------------------------------------------------------
# A probability below the smallest number is 0; where a 0 is refused, it is refused.
list='--list --loss adpo --dtype f32'
accepts '' 'group,logp,target\ng,-3,1.0\ng,-4,1.6889118802245324e-48\ng,-5,8.75651076269652e-27\n' $list
cp "$folder/out" "$folder/tiny"
accepts "$(cat "$folder/tiny")" 'group,logp,target\ng,-3,1.0\ng,-4,0\ng,-5,8.75651076269652e-27\n' $list
refuses "<stdin>:2: target: got '1e-400', expected a number > 0 with odpo" "target,${dpo}1e-400,-1,-4,-3,-2\n" --loss odpo
refuses "<stdin>:2: chosen: got '-1e999', beyond what the number type can hold" "${dpo}-1e999,2,3,4\n" --loss dpo
refuses "<stdin>:2: weight: got '1e-400', beyond what the number type can hold" "weight,${dpo}1e-400,-1,-4,-3,-2\n" --loss dpo
accepts "$(printf 'loss,d_logp,reward\n0.5,-0.0625,0')" 'logp,ref_logp,label\n-3,-3,1\n' --unpaired --loss kto --beta 0.25
accepts '' 'logp,ref_logp,label\n-3,-3,1e-400\n' --unpaired --loss kto --beta 0.25
# Sums of log-probs are not above 0; rewards may be.
accepts '' "${dpo}-1,-4,-2,3\n-3,-2,-1,-4\n" --loss dpo
notes 'note: in 1 of 2 rows a log-prob is above 0, and those of tokens add up to 0 at most: is a sign turned?'
accepts '' "${dpo}0,-4,-2,-3\n-3,-2,-1,-4\n" --loss dpo
notes ''
accepts '' 'chosen,rejected\n3,-1\n' --loss bradley_terry
notes ''
accepts '' 'group,logp\na,1\na,-2\n' --list --loss info_nce
notes 'note: in 1 of 2 rows a log-prob is above 0, and those of tokens add up to 0 at most: is a sign turned?'
accepts '' 'logp,ref_logp,label\n1,-1,1\n' --unpaired --loss kto
notes 'note: in 1 of 1 row a log-prob is above 0, and those of tokens add up to 0 at most: is a sign turned?'
# of_case FILE COLUMN EXPECTED ARGUMENT...: a column of the results, to 12 digits, and what the file is told apart by.
of_case() {
  file=$1 column=$2 expected=$3
  shift 3
  checks=$((checks + 1))
  "$program" "$@" "$cases/$file" >"$folder/out" 2>"$folder/err" || fail "$file: $(cat "$folder/err")"
  seen=$(awk -F, -v c="$column" 'NR > 1 { printf "%s%.12f", (NR > 2 ? " " : ""), $c }' "$folder/out")
  [ "$seen" = "$expected" ] || fail "$file: column $column" "$expected" "$seen"
}
if [ -d "$cases" ]; then
  # log(1 + exp(-h)) with h = 0.1 (chosen - ref_chosen - rejected + ref_rejected) = -0.475, 0.05, 0.025.
  of_case 27_sign/nll.csv 1 '0.958589087871 0.668459648013 0.680725303526' --loss dpo
  notes 'note: in 3 of 3 rows a log-prob is above 0, and those of tokens add up to 0 at most: is a sign turned?'
  # log(1 + exp(-0.1)), twice.
  of_case 10_score_csv/pandas_index.csv 1 '0.644396660074 0.644396660074' --loss cpo
  notes "note: pandas' index is left out: the first column, which has no name"
  # All of the target is the first one's: log(1 + exp(-1.25) + exp(-2.5)), and in float to its digits.
  of_case 10_score_csv/target.csv 2 '0.313780863337 0.313780863337 0.313780863337' --list --loss adpo
  of_case 10_score_csv/target.csv 2 '0.313780870000 0.313780870000 0.313780870000' $list
else
  echo "skipped in part: there is no $cases"
fi

# --- large files -----------------------------------------------------------------------------------------------------
# They are read and scored in parts, which nobody should notice: the rows are those of small files, one after the other.
rows() { # rows COUNT SEED
  awk -v n="$1" -v seed="$2" 'BEGIN { srand(seed); for (i = 0; i < n; ++i) printf "%.12f,%.12f,%.12f,%.12f\n", -99 * rand(), -99 * rand(), -99 * rand(), -99 * rand() }'
}
rows 50000 1 >"$folder/one"
rows 50000 2 >"$folder/two"
form() { printf "$dpo"; cat "$@"; }
for options in '--loss dpo' '--loss ipo --dtype f32'; do
  form "$folder/one" | "$program" $options >"$folder/out_one" 2>/dev/null
  form "$folder/two" | "$program" $options 2>/dev/null | tail -n +2 >"$folder/out_two"
  form "$folder/one" "$folder/two" | "$program" $options 2>"$folder/err" | cmp -s - "$folder/out_one" && fail "$options: no second half"
  form "$folder/one" "$folder/two" | "$program" $options >"$folder/out" 2>"$folder/err"
  cat "$folder/out_one" "$folder/out_two" | cmp - "$folder/out" || fail "$options: in parts"
  checks=$((checks + 1))
done
# The means of the summary, from the rows.
awk -F, 'NR > 1 { ++n; loss += $1; chosen += $4; rejected += $5; right += ($4 > $5) + ($4 == $5) / 2 }
  END { printf "pairs %d\nmean loss %.6g\naccuracy %.6g\nchosen reward %.6g\n", n, loss / n, right / n, chosen / n }' "$folder/out" >"$folder/means"
sed -E 's/  +/ /' "$folder/err" | grep -E '^(pairs|mean loss|accuracy|chosen reward) ' >"$folder/told"
cmp "$folder/means" "$folder/told" || fail 'the summary of parts' "$(cat "$folder/means")" "$(cat "$folder/told")"
# A loss with statistics of the batch sees all of it: the mean margin that beta_dpo takes is that of all rows.
form "$folder/one" "$folder/two" | "$program" --loss beta_dpo >"$folder/out" 2>/dev/null
form "$folder/one" "$folder/two" >"$folder/both"
paste -d, "$folder/both" "$folder/out" | awk -F, -v beta="$(awk -F, 'NR > 1 { h += $1 - $3 - $2 + $4; ++n } END { b = 0.1 * (1 + 0.6 * h / n); printf "%.12f", b < 0.001 ? 0.001 : b }' "$folder/both")" '
  NR > 1 { h = $1 - $3 - $2 + $4; x = -beta * h; l = (x > 0 ? x : 0) + log(1 + exp(x > 0 ? -x : x)); d = l - $5; if (d < 0) d = -d; if (d > 1e-9 * (1 + l)) ++wrong } END { exit wrong > 0 }' || fail 'beta_dpo over parts'
# Groups are not torn apart, and one that comes again is refused, wherever its rows are.
awk 'BEGIN { srand(3); print "group,logp"; for (g = 0; g < 30000; ++g) for (k = 0; k < 1 + g % 7; ++k) printf "%d,%.12f\n", g, -9 * rand() }' >"$folder/lists"
"$program" --list --loss info_nce "$folder/lists" >"$folder/out" 2>"$folder/err" || fail "lists: $(cat "$folder/err")"
awk -F, 'BEGIN { group = "none" } NR > 1 { if ($1 != group) { if (sum > 1e-9 || sum < -1e-9) ++wrong; sum = 0; group = $1; ++groups } sum += $3 } END { print groups, wrong + 0 }' "$folder/out" >"$folder/sums"
[ "$(cat "$folder/sums")" = '30000 0' ] || fail 'gradients of groups add up to 0' '30000 0' "$(cat "$folder/sums")"
[ "$(wc -l <"$folder/out")" -eq "$(wc -l <"$folder/lists")" ] || fail 'lists: rows'
grep -q '^groups  *30000$' "$folder/err" || fail 'lists: groups' 30000 "$(cat "$folder/err")"
{ cat "$folder/lists"; echo '7,-1'; } >"$folder/again"
"$program" --list --loss info_nce "$folder/again" >"$folder/out" 2>"$folder/err" && fail 'a group that comes again'
grep -q ": group: got '7', a group whose rows ended in line 30; expected the rows of a group one after the other$" "$folder/err" || fail 'a group that comes again' '' "$(cat "$folder/err")"
# An error in the last row is told before anything is written.
{ form "$folder/one" "$folder/two"; echo 1,2,3,x; } | "$program" --loss dpo >"$folder/out" 2>"$folder/err" && fail 'a bad last row'
[ ! -s "$folder/out" ] || fail 'a bad last row: wrote to standard output'
grep -q "^$name: <stdin>:100002: ref_rejected: got 'x', expected a number$" "$folder/err" || fail 'a bad last row' '' "$(cat "$folder/err")"
{ printf 'chosen,rejected,chosen_length,rejected_length\n'; sed -E 's/,[^,]*,[^,]*$/,3,4/' "$folder/one" "$folder/two"; echo -1,-2,0,2; } |
  "$program" --loss orpo --empty propagate >"$folder/out" 2>"$folder/err" && fail 'a completion of length 0'
[ ! -s "$folder/out" ] || fail 'a completion of length 0: wrote to standard output'
grep -q ', counted from the row in line 65538$' "$folder/err" || fail 'a completion of length 0' '' "$(cat "$folder/err")"
# 130 MB in 200 MB of address space, results held back in a file.
large() { printf "$dpo"; i=0; while [ $i -lt 24 ]; do cat "$folder/one" "$folder/two"; i=$((i + 1)); done; }
large | (ulimit -v 204800 && exec "$program" --loss dpo) >"$folder/large" 2>"$folder/err" || fail "large: $(cat "$folder/err")"
[ "$(wc -l <"$folder/large")" -eq 2400001 ] || fail 'large: rows' 2400001 "$(wc -l <"$folder/large")"
large | TMPDIR="$folder/none" "$program" --loss dpo >"$folder/large" 2>"$folder/err" && fail 'no folder to hold the results'
grep -q "^$name: $folder/none: the results are kept there until all rows are read, and no file can be made: " "$folder/err" || fail 'no folder' '' "$(cat "$folder/err")"
[ ! -s "$folder/large" ] || fail 'no folder: wrote to standard output'
# Lines without an end are refused, and not read until there is no memory left.
{ printf "$dpo"; head -c 80000000 /dev/zero | tr '\0' 1; } | "$program" --loss dpo >"$folder/out" 2>"$folder/err" && fail 'an endless line'
grep -q "^$name: <stdin>:2: what begins here is longer than 64 MiB, the limit$" "$folder/err" || fail 'an endless line' '' "$(cat "$folder/err")"
{ printf "$dpo"; printf '1,2,3,"'; awk 'BEGIN { for (i = 0; i < 3000000; ++i) print "4,5,6,7 and so on and on" }'; } | "$program" --loss dpo >"$folder/out" 2>"$folder/err" && fail 'an open quote'
grep -q "^$name: <stdin>:2: what begins here is longer than 64 MiB, the limit$" "$folder/err" || fail 'an open quote' '' "$(cat "$folder/err")"

# --- a closed standard output ----------------------------------------------------------------------------------------
if [ -c /dev/full ]; then
  "$program" --help >/dev/full 2>"$folder/err" && fail '--help on a full disk: status 0'
  "$program" --losses >/dev/full 2>"$folder/err" && fail '--losses on a full disk: status 0'
fi
"$program" --help >&- 2>"$folder/err" && fail '--help on a closed standard output: status 0'
grep -q "^$name: standard output: " "$folder/err" || fail '--help on a closed standard output' '' "$(cat "$folder/err")"
form "$folder/one" | "$program" --loss dpo >&- 2>"$folder/err" && fail 'a closed standard output: status 0'

finish
