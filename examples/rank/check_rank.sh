#!/bin/sh
# Usage: check_rank.sh PREFOPT_RANK FOLDER_OF_csv_program_checks.sh
. "$2/csv_program_checks.sh"
. "$(dirname "$0")/rank_checks.sh"

# --- published results -----------------------------------------------------------------------------------------------
# Citations among four journals, S. Stigler 1994, "Citation patterns in the journals of statistics and probability",
# Statistical Science 9; as in A. Agresti 2002, "Categorical Data Analysis", page 448. The standard errors are those of
# the vignette of the R package BradleyTerry2.
citations='winner,loser,count
Biometrika,CommStat,730
CommStat,Biometrika,33
Biometrika,JASA,498
JASA,Biometrika,320
Biometrika,JRSS-B,221
JRSS-B,Biometrika,284
CommStat,JASA,68
JASA,CommStat,813
CommStat,JRSS-B,17
JRSS-B,CommStat,276
JASA,JRSS-B,142
JRSS-B,JASA,325
'
run "$citations"
near 0 0 "$(worth Biometrika)"
near 0 0 "$(error_of Biometrika)"
near -2.949072 5e-7 "$(worth CommStat)"
near -0.479570 5e-7 "$(worth JASA)"
near 0.268954 5e-7 "$(worth JRSS-B)"
near 0.10255 5e-6 "$(error_of CommStat)"
near 0.06059 5e-6 "$(error_of JASA)"
near 0.07083 5e-6 "$(error_of JRSS-B)"
near -1622.889808827598 1e-9 "$(log_likelihood)"
summary='items              4
comparisons        3727
pairs compared     6
log-likelihood     -1622.889809
residual deviance  4.29338 on 3 degrees of freedom'
[ "$(cat "$folder/err")" = "$summary" ] || fail 'summary' "$summary" "$(cat "$folder/err")"
journals=$(cat "$folder/out")
run 'winner,loser\na,b\nb,c\nc,a\n'
grep -q ' on 1 degree of freedom$' "$folder/err" || fail 'one degree' '' "$(cat "$folder/err")"

# Another zero: differences stay. The iterative solver for many items gives the same.
run "$citations" --zero JASA
near -2.469502727 1e-9 "$(worth CommStat)"
near 0 0 "$(worth JASA)"
run "$citations" --stderr-limit 3
near -2.949072497 1e-9 "$(worth CommStat)"
[ -z "$(error_of CommStat)" ] || fail 'standard errors are left out above the limit' '' "$(error_of CommStat)"

# The same comparisons one by one, with the columns in another order: the same digits.
expanded=$(printf "$citations" | awk -F, 'NR == 1 { print "loser,winner" } NR > 1 { for (i = 0; i < $3; ++i) print $2 "," $1 }')
run "$expanded"
for journal in CommStat JASA JRSS-B; do
  near "$(printf '%s\n' "$journals" | awk -F, -v item="$journal" '$1 == item { print $2 }')" 1e-12 "$(worth $journal)"
done

# The pairwise example of the Python package choix, which centres the worths: 0.419617624, -0.419617624, 0.
run 'winner,loser\n0,1\n0,1\n1,2\n2,0\n' --zero 2
near 0.419617624 1e-9 "$(worth 0)"
near -0.419617624 1e-9 "$(worth 1)"

# --- exact results ---------------------------------------------------------------------------------------------------
# Two items: the worth is the log odds, its variance 1/a + 1/b. Also at odds of a million million.
run 'winner,loser,count\na,b,2\nb,a,2\n'
near 0 0 "$(worth b)"
near 1 1e-15 "$(error_of b)"
near -2.772588722239781 1e-15 "$(log_likelihood)"
run 'winner,loser,count\na,b,1000000000000\nb,a,1\n'
near -27.631021115928547 1e-12 "$(worth b)"
# A cycle: everybody is worth the same.
run 'winner,loser\na,b\nb,c\nc,a\n'
near 0 1e-12 "$(worth b)"
near 0 1e-12 "$(worth c)"
# Halves for ties; counts of 0 count for nothing, not even a comparison of an item with itself.
run 'winner,loser,count\na,a,0\na,b,1.5\nb,a,0.5\n'
near -1.0986122886681098 1e-12 "$(worth b)"
# A chain of 300 items, each with odds of 2 over the next, by the iterative solver.
run "$(awk 'BEGIN { print "winner,loser,count"; for (i = 0; i < 299; ++i) print i "," i + 1 ",2\n" i + 1 "," i ",1" }')" --stderr-limit 100
near -207.25100698742365 1e-10 "$(worth 299)"
# Longer ones, with odds of 9, which no step of a bounded length reaches; a variance is 1/9 + 1 for each step. And odds of
# 10^12 and of 10^600, of which the last counts are beyond what a sum with the first ones could tell.
chain() { awk -v n="$1" -v up="$2" -v down="$3" 'BEGIN { print "winner,loser,count"; for (i = 0; i < n - 1; ++i) print i "," i + 1 "," up "\n" i + 1 "," i "," down }'; }
run "$(chain 700 9 1)"
near -1535.8599795580176 1e-12 "$(worth 699)" # -699 log 9
near 27.8687399547717 5e-11 "$(error_of 699)" # sqrt(699 * 10 / 9)
run "$(chain 700 1e12 1)"
near -19314.083760034056 1e-11 "$(worth 699)" # -699 log 1e12
run "$(chain 20 1e300 1e-300)"
near -26249.47006013212 1e-11 "$(worth 19)" # -19 * 600 log 10
run "$(chain 20000 9 1)" # by the iterative solver
near -43942.29432214706 1e-9 "$(worth 19999)" # -19999 log 9
# A cycle of 300: each beats the next 10^12 times, and the last the first once. What comes around is less than 1 by 10^-12,
# so each is worth log(10^12 - 1) more than the next, but for less than rounding.
run "$(awk 'BEGIN { print "winner,loser,count"; for (i = 0; i < 299; ++i) print i "," i + 1 ",1e12"; print "299,0,1" }')"
near -8261.675313662636 1e-9 "$(worth 299)"
# Two that are known to be equal within 10^-6 beside one that is known within 1: the standard errors of both have all digits,
# whichever is the zero. sqrt(2e-12), sqrt(1/9 + 1), sqrt(1/9 + 1 + 2e-12).
clusters='winner,loser,count\na,b,1e12\nb,a,1e12\nb,c,9\nc,b,1\n'
run "$clusters"
near 1.4142135623731e-06 5e-18 "$(error_of b)"
near 1.05409255339041 5e-12 "$(error_of c)"
run "$clusters" --zero c
near 1.05409255338946 5e-12 "$(error_of b)"
near 1.05409255339041 5e-12 "$(error_of a)"
# A comment in front of objects, in whose names there is what stands between ranks.
objects='{"winner":"a>b","loser":"c"}\n{"winner":"c","loser":"a>b"}\n'
run "$objects"
cp "$folder/out" "$folder/objects"
accepts "$(cat "$folder/objects")" "# c\n \n#\r\n$objects"
accepts "$(cat "$folder/objects")" '# c\n[{"winner":"a>b","loser":"c"}, {"winner":"c","loser":"a>b"}]\n'
# Names with commas, quotes, blanks, a leading # and line breaks come out as they went in.
run 'loser,winner\r\n"a, ""b""", "# c"\r\n"# c","a, ""b"""\r\n"line\nbreak","a, ""b"""\r\n"a, ""b""","line\nbreak"\r\n'
names=$(sed '1d; $d; s/,-\{0,1\}[0-9.e-]*,[0-9.e-]*$//' "$folder/out")
expected='"# c"
"a, ""b"""
"line
break"'
[ "$names" = "$expected" ] || fail 'names' "$expected" "$names"

# --- no maximum ------------------------------------------------------------------------------------------------------
none='<stdin>: the likelihood has no maximum:'
but='; with --prior ghost it has one'
refuses "$none 'a' never loses$but" 'winner,loser\na,b\nb,c\nc,b\na,c\n'
refuses "$none 'c' never wins$but" 'winner,loser\na,b\nb,a\na,c\nb,c\n'
refuses "$none 'a' never loses; 'c' never wins$but" 'winner,loser\na,b\nb,c\n'
refuses "$none 'b', 'c' never win against the others; 'a', 'd' never lose$but" 'winner,loser\na,b\nb,c\nc,b\nd,c\n'
refuses "$none 'c', 'd' never win against the others; 'a', 'b' never lose to the others$but" \
  'winner,loser\nc,d\nd,c\na,b\nb,a\na,c\nb,d\n'
refuses "$none 'a', 'b' never lose to the others$but" 'winner,loser\nc,d\nd,e\ne,c\na,b\nb,a\na,c\n'
refuses "$none the comparisons fall into 2 unconnected parts: 'a', 'b' | 'c', 'd'$but" 'winner,loser\na,b\nb,a\nc,d\nd,c\n'
refuses "$none the comparisons fall into 2 unconnected parts: 'a', 'b' | 'c'$but" 'winner,loser,count\na,b,1\nb,a,1\na,c,0\n'
refuses "$none 'i1', 'i2', 'i3', 'i4', 'i5' and 4 more never lose; 'z' never wins$but" \
  'winner,loser\ni1,z\ni2,z\ni3,z\ni4,z\ni5,z\ni6,z\ni7,z\ni8,z\ni9,z\n'

# --- bad input -------------------------------------------------------------------------------------------------------
refuses '<stdin>: empty, expected a header line and rows' ''
refuses '<stdin>: only a header, expected at least one row' 'winner,loser\n'
refuses 'no/such/file.csv: cannot be opened: No such file or directory' '' no/such/file.csv
refuses '<stdin>:1: loser: missing column, expected winner, loser and, if wanted, count' 'winner,count\na,1\n'
refuses '<stdin>:1: wins: unknown column, expected winner, loser and, if wanted, count' 'winner,loser,wins\na,b,1\n'
refuses '<stdin>:1: winner: given twice in the header' 'winner,loser,winner\n'
refuses '<stdin>:4: got 1 field, expected 2 as in the header' 'winner,loser\n# third\na,b\nb\n'
refuses '<stdin>:3: loser: got empty, expected the name of an item' 'winner,loser\na,b\nb,\n'
refuses "<stdin>:3: loser: 'b' is compared with itself" 'winner,loser\na,b\nb,b\n'
refuses "<stdin>:2: count: got '-1', expected a finite number >= 0" 'winner,loser,count\na,b,-1\n'
refuses "<stdin>:2: count: got 'inf', expected a finite number >= 0" 'winner,loser,count\na,b,inf\n'
refuses "<stdin>:2: count: got 'many', expected a number" 'winner,loser,count\na,b,many\n'
refuses '<stdin>:2: count: got empty, expected a number' 'winner,loser,count\na,b,\n'
refuses '<stdin>: count: adds up to more than a number can hold' 'winner,loser,count\na,b,1e308\nb,a,1e308\n'
refuses '<stdin>:1: winner: missing column, expected winner, loser and, if wanted, count; a file of rankings needs --rankings' \
  'a\nb\n'
refuses '<stdin>: count: 0 in all rows, expected a comparison' 'winner,loser,count\na,b,0\n'
refuses '<stdin>:5: misplaced " (quote a field whole, and write "" for a quote inside it)' 'winner,loser\n"a\nb",c\nc,"a\nb"x\n'
refuses '<stdin>:3: the file ends inside a quoted field that begins here' 'winner,loser\na,b\n"b,a\n'
refuses "--zero: lang 'y' has no item 'a', expected one of 'c', 'b'" \
  'winner,loser,lang\na,b,x\nb,a,x\nc,b,y\nb,c,y\n' --by lang --zero a
refuses "--zero: no item 'c', expected one of 'a', 'b'" 'winner,loser\na,b\nb,a\n' --zero c
refuses "'b.csv': unexpected argument" '' a.csv b.csv
refuses '--sero: unknown option, see --help' 'winner,loser\na,b\nb,a\n' --sero a
refuses_full_disk 'winner,loser\na,b\nb,a\n'

finish
