#!/bin/sh
# Usage: check_rankings.sh PREFOPT_RANK FOLDER_OF_csv_program_checks.sh
. "$2/csv_program_checks.sh"
. "$(dirname "$0")/rank_checks.sh"

ranks() {
  content=$1
  shift
  accepts '' "$content" "$@"
}
refuses_rankings() {
  message=$1 content=$2
  shift 2
  refuses "$message" "$content" --rankings "$@"
}

# --- published results -----------------------------------------------------------------------------------------------
# The examples of the Python package choix, which centres the worths: comparisons, rankings, choices of one from several.
# Its own numbers for the rankings have four digits only; these are of the exact maximum.
ranks '0>1\n0>1\n1>2\n2>0\n'
near 0.419617624 1e-9 "$(centred 0)"
near -0.419617624 1e-9 "$(centred 1)"
near 0 1e-12 "$(centred 2)"
grep -q '^residual deviance' "$folder/err" || fail 'rankings of two are comparisons' 'residual deviance' "$(cat "$folder/err")"
ranks '0>1>2\n3>2>0\n1>3\n'
near -0.443308 5e-7 "$(centred 0)"
near 0.695068 5e-7 "$(centred 1)"
near -0.670610 5e-7 "$(centred 2)"
near 0.418850 5e-7 "$(centred 3)"
near -3.762612095429768 1e-13 "$(log_likelihood)"
ranks '0>1\n1>2\n2>0=1\n'
near 0.16040394 2e-8 "$(centred 0)"
near -0.32080789 2e-8 "$(centred 1)"
near 0.16040394 2e-8 "$(centred 2)"

# --- exact results ---------------------------------------------------------------------------------------------------
# All orders of three: equal worths. A pair's edge of the information is 6 (1/3)^2 of the first choices and 2 (1/2)^2 of
# the second, 7/6; the variance of a difference is 2 / (3 * 7/6).
orders='a>b>c\na>c>b\nb>a>c\nb>c>a\nc>a>b\nc>b>a\n'
ranks "$orders"
near 0 1e-15 "$(worth b)"
near 0 1e-15 "$(worth c)"
near 0.7559289460184544 5e-13 "$(error_of b)"
near -10.750556815368331 1e-13 "$(log_likelihood)" # 6 log(1/6)
# First choices alone: log odds, and the variance is 1/a + 1/b.
ranks '5:a>b=c\n2:b>a=c\n1:c>b=a\n'
near -0.916290731874155 1e-13 "$(worth b)"
near -1.6094379124341003 1e-13 "$(worth c)"
near 0.8366600265340756 5e-13 "$(error_of b)"
near 1.0954451150103321 5e-12 "$(error_of c)"
# Lines may have counts instead; places without order are the same in any order; blanks, blank lines and comments do not
# matter.
ranks 'a>b>c=d\na>b>d=c\nd>a\nd>a\nb>c>d\n'
one_by_one=$(cat "$folder/out")
accepts "$one_by_one" '\357\273\277# counted\r\n2: a > b >\tc =d \r\n\r\n   # twice\r\n 0.5:d>a\r1.50 :d>a\n1e0: b>c>d\n0: d>c\n' --rankings
# Items that a line does not name were not there: two odds, one on the other.
ranks '2:a>b\n1:b>a\n3:b>c\n1:c>b\n'
near -0.6931471805599453 1e-13 "$(worth b)"
near -1.791759469228055 1e-13 "$(worth c)"
# The same with another zero and by the iterative solver.
ranks 'a>b>c\nb>c>a\nc>a\n'
difference=$(awk -F, '$1 == "b" { print $2; exit }' "$folder/out")
ranks 'a>b>c\nb>c>a\nc>a\n' --zero b --stderr-limit 2
near 0 0 "$(worth b)"
near "-$difference" 1e-12 "$(worth a)"
[ -z "$(error_of a)" ] || fail 'standard errors are left out above the limit' '' "$(error_of a)"
# A million million times one way and once back: the worths lie a thousand apart.
ranks "$(awk 'BEGIN {
  for (i = 0; i < 40; ++i) { forth = forth (i ? ">" : "1e12:") i; back = (i ? i ">" : i) back }
  print forth "\n1:" back
}')"
near -970.97806326 1e-8 "$(worth 39)"
near -19854.31433426 1e-7 "$(log_likelihood)"
# Names in quotes, and with a colon where no number is in front of it.
ranks '"a > ""b"" = c" > "2001: x"\n "2001: x" > Mission: 7 > "# d"\n"# d">"a > ""b"" = c"\n'
names=$(sed '1d; $d; s/,-\{0,1\}[0-9.e-]*,[0-9.e-]*$//' "$folder/out")
expected='"a > ""b"" = c"
2001: x
Mission: 7
"# d"'
[ "$names" = "$expected" ] || fail 'names' "$expected" "$names"

# --- recovery --------------------------------------------------------------------------------------------------------
# 1000 rankings of 40 out of 80 items, each 40 drawn at random and ordered as clocks that go off at rates e^worth; the
# worths go evenly from -2 to 2. The errors have to be as large as the standard errors say.
awk '
  function uniform() { return (seed = seed * 16807 % 2147483647) / 2147483647 }
  BEGIN {
    seed = 1
    for (i = 0; i < 80; ++i) deck[i] = i
    for (r = 0; r < 1000; ++r) {
      for (k = 0; k < 40; ++k) {
        j = k + int(uniform() * (80 - k))
        item = deck[j]; deck[j] = deck[k]; deck[k] = item
        time = -log(uniform()) / exp(item / 20 - 2)
        for (place = k; place > 0 && times[place - 1] > time; --place) {
          times[place] = times[place - 1]
          order[place] = order[place - 1]
        }
        times[place] = time
        order[place] = item
      }
      line = order[0]
      for (k = 1; k < 40; ++k) line = line ">" order[k]
      print line
    }
  }' >"$folder/large"
for solver in 2000 10; do
  accepts '' "$(cat "$folder/large")" --rankings --stderr-limit $solver
  cp "$folder/out" "$folder/large.$solver"
done
grep -q '^items in each      40$' "$folder/err" || fail 'summary' 'items in each      40' "$(cat "$folder/err")"
sed '1d; /^#/d' "$folder/large.2000" | awk -F, '
  { error[NR] = $2 - ($1 / 20 - 2); mean += error[NR]; variance += $3 ^ 2 }
  END {
    for (i = 1; i <= NR; ++i) {
      centred = error[i] - mean / NR
      square += centred ^ 2
      if (centred > largest) largest = centred
      if (-centred > largest) largest = -centred
    }
    # A difference has twice the variance of a worth alone.
    ratio = sqrt(square / (variance / 2))
    printf "%d items, largest error %.4f, root mean square over standard error %.3f\n", NR, largest, ratio
    exit !(NR == 80 && largest < 0.2 && ratio > 0.75 && ratio < 1.25)
  }' || fail 'the worths are recovered'
paste -d , "$folder/large.2000" "$folder/large.10" | sed '1d; /^#/d' |
  awk -F, '$1 != $4 || $2 - $5 > 1e-10 || $5 - $2 > 1e-10 { exit 1 }' || fail 'the solvers agree'

# --- PrefLib ---------------------------------------------------------------------------------------------------------
header='# FILE NAME: x\n# DATA TYPE: toc\n# NUMBER VOTERS: 8\n# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b: "2", b\n# ALTERNATIVE NAME 3: c\n'
ranks "$header"'5: 1,{2,3}\n2: 2 , { 1,3 }\n1: 3,{2,1}\n'
near -0.916290731874155 1e-13 "$(sed -n 's/^"b: ""2"", b",\(.*\),.*/\1/p' "$folder/out")"
near -1.6094379124341003 1e-13 "$(worth c)"
# Votes for one alone say nothing, which the summary tells. The order of the names is that of the table.
header='# ALTERNATIVE NAME 7: c\n# ALTERNATIVE NAME 2: a\n'
ranks "$header"'5: 7\n2: 2,7\n2: 7,2\n1: {2,7}\n'
[ "$(sed -n 's/,.*//; 2,3p' "$folder/out" | tr '\n' ' ')" = 'c a ' ] || fail 'the order of the names' 'c a' "$(cat "$folder/out")"
grep -q '^not counted        6, which put no item above another$' "$folder/err" ||
  fail 'summary' 'not counted        6' "$(cat "$folder/err")"

# Lines with the same order add up: 70 against 30.
ranks '# NUMBER VOTERS: 100\n# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b\n60: 1,2\n30: 2,1\n10: 1,2\n'
near -0.84729786038720345 1e-13 "$(worth b)"

# As files were written before 2022. The values here and with --unnamed are those of a fit by central differences of the
# likelihood in 100 digits.
old='4\n1,Ash\n2,Birch\n3,Cedar, red\n4,Dogwood\n10,10,4\n4,1,2,3,4\n3,2,1\n2,3,4,1\n1,4\n'
ranks "$old"
near 1.0011757897534004 1e-12 "$(worth Birch)"
near 0.0785165021139465 1e-12 "$(sed -n 's/^"Cedar, red",\(.*\),.*/\1/p' "$folder/out")"
near -1.2680362538145722 1e-12 "$(worth Dogwood)"
near 0.790212909383876 5e-13 "$(error_of Birch)"
near -14.5875128822835257 1e-12 "$(log_likelihood)"
grep -q '^not counted        1, which' "$folder/err" || fail 'summary' 'not counted        1' "$(cat "$folder/err")"
accepts '' '3\n1,a\n2,b\n3,c\n2,2,2\n1,{1,2},3\n1,3,{1,2}\n' --ties davidson
# Ballots that leave the rest out put them last: so says the one for Dogwood alone.
for names in "$old" '4: Ash>Birch>Cedar>Dogwood\n3: Birch>Ash\n2: Cedar>Dogwood>Ash\n1: Dogwood\n'; do
  ranks "$names" --unnamed last
  near -0.4021505349344529 1e-12 "$(worth Birch)"
  near -1.8844309842489307 1e-12 "$(worth Dogwood)"
  near 0.756239060934372 5e-13 "$(error_of Dogwood)"
  near -23.8223054554881592 1e-12 "$(log_likelihood)"
done
# They are left, and not tied with each other.
ranks '2: a=b\n2: c\n1: b>a\n' --unnamed last --ties davidson
near 0.3919123340304922 1e-12 "$(worth b)"
near 0 1e-12 "$(worth c)"
near 0.5608284812463509 1e-12 "$(parameter tie2)"

old='2\n1,a\n2,b\n'
refuses '<stdin>:4: votes: got 3, but the counts add up to 2' "$old"'2,3,2\n1,1,2\n1,2,1\n'
refuses '<stdin>:4: orders: got 3, but 2 lines follow' "$old"'2,2,3\n1,1,2\n1,2,1\n'
refuses "<stdin>:4: got '2,2', expected the numbers of voters, votes and orders, as 12,12,5" "$old"'2,2\n1,1,2\n1,2,1\n'
refuses "<stdin>:5: got '1', expected a count and alternatives, as 12,3,1,{2,4}" "$old"'2,2,1\n1\n'
refuses "<stdin>:3: got 'b', expected the number and name of an alternative, as 3,tea" '2\n1,a\nb\n2,2,1\n'
refuses "<stdin>:3: alternative: given twice" '2\n1,a\n1,b\n2,2,1\n'
refuses "<stdin>:1: got '9' alternatives, but only 2 lines below, expected a line for each and one with the numbers of voters, votes and orders" \
  '9\n1,a\n2,b\n'

header='# DATA TYPE: soc\n# NUMBER VOTERS: 3\n# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b\n'
an_order='expected a count and alternatives, as 12: 3,1,{2,4}'
an_alternative='expected the number of an alternative, 1 to 2'
refuses_rankings '<stdin>:2: NUMBER VOTERS: got 3, but the counts add up to 2' "$header"'1: 1,2\n1: 2,1\n'
refuses_rankings '<stdin>:6: got 1 of 2 alternatives, expected all, as the DATA TYPE is complete' "$header"'2: 1,2\n1: 2\n'
refuses_rankings "<stdin>:5: got '1,2', $an_order" "$header"'1,2\n'
refuses_rankings "<stdin>:5: count: got 'one', expected a number" "$header"'one: 1,2\n'
refuses_rankings "<stdin>:5: count: got '-1', expected a finite number >= 0" "$header"'-1: 1,2\n'
refuses_rankings "<stdin>:5: place 2: got '3', $an_alternative" "$header"'3: 1,3\n'
refuses_rankings "<stdin>:5: place 2: got empty, $an_alternative" "$header"'3: 1,,2\n'
refuses_rankings "<stdin>:5: place 3: got empty, $an_alternative" "$header"'3: 1,2,\n'
refuses_rankings "<stdin>:5: place 1: got empty, $an_alternative" "$header"'3:\n'
refuses_rankings "<stdin>:5: place 1: got 'a', $an_alternative" "$header"'3: a,b\n'
refuses_rankings "<stdin>:5: place 2: '1' is in this ranking twice" "$header"'3: 1,1\n'
refuses_rankings "<stdin>:5: place 2: '{' without '}'" "$header"'3: 1,{2\n'
refuses_rankings "<stdin>:5: place 1: got '3' after '}', expected ','" "$header"'3: {1}3\n'
refuses_rankings '<stdin>:1: DATA TYPE: got '"'cat', expected soc, soi, toc or toi" '# DATA TYPE: cat\n# ALTERNATIVE NAME 1: a\n'
refuses_rankings "<stdin>:1: 'ALTERNATIVE NAME 1': got no ':', expected one and the name of an item" '# ALTERNATIVE NAME 1\n1: 1,2\n'
refuses_rankings "<stdin>:1: ALTERNATIVE NAME: got empty, expected a whole number >= 0" '#ALTERNATIVE NAME :a\n1: 1,2\n'
refuses_rankings "<stdin>:1: 'ALTERNATIVE NAME': got no ':', expected one and the name of an item" '# ALTERNATIVE NAME\n1: 1,2\n'
refuses_rankings "<stdin>:5: 'ALTERNATIVE NAME 3': got no ':', expected one and the name of an item" "$header"'# ALTERNATIVE NAME 3 \n1: 1,2\n'
refuses_rankings '<stdin>:5: ALTERNATIVE NAME 2: given twice' "$header"'# ALTERNATIVE NAME 2: c\n'
refuses_rankings "<stdin>:5: ALTERNATIVE NAME 3: the name 'a' is given twice" "$header"'# ALTERNATIVE NAME 3: a\n'
refuses_rankings "<stdin>:5: ALTERNATIVE NAME x: got 'x', expected a whole number >= 0" "$header"'# ALTERNATIVE NAME x: c\n'
refuses_rankings '<stdin>:5: ALTERNATIVE NAME 3: got empty, expected the name of an item' "$header"'# ALTERNATIVE NAME 3:\n'

# --- no maximum ------------------------------------------------------------------------------------------------------
none='<stdin>: the likelihood has no maximum:'
but='; with --prior ghost it has one'
refuses_rankings "$none 'a' never loses; 'd' never wins$but" 'a>b>c\na>c>b\nb>c>d\n'
refuses_rankings "$none 'a', 'b' never lose to the others; 'c', 'd' never win against the others$but" 'a>b>c>d\nb>a>d>c\n'
refuses_rankings "$none 'c' never wins$but" 'a>b=c\nb>a=c\n'
refuses_rankings "$none the comparisons fall into 2 unconnected parts: 'a', 'b' | 'c', 'd'$but" 'a>b\nb>a\nc>d\nd>c\n'
refuses_rankings "$none the comparisons fall into 2 unconnected parts: 'a', 'b' | 'c'$but" '1:a>b\n1:b>a\n0:a>c\n'
refuses_rankings "$none the comparisons fall into 2 unconnected parts: 'a', 'b' | 'c'$but" \
  '# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b\n# ALTERNATIVE NAME 3: c\n1: 1,2\n1: 2,1\n1: 3\n'

# --- bad input -------------------------------------------------------------------------------------------------------
a_name='expected the name of an item'
refuses_rankings '<stdin>: empty, expected rankings, one a line' ''
refuses_rankings '<stdin>: empty, expected rankings, one a line' '\n# a>b\n \t\n'
refuses_rankings '<stdin>: no ranking with a count above 0 puts an item above another' '0:a>b\n'
refuses_rankings '<stdin>: count: adds up to more than a number can hold' '1e308:a>b\n1e308:b>a\n'
for alone in a 'a = b' 'winner,loser' '68: 2,1,4,3'; do
  refuses_rankings "<stdin>:2: got '$alone', expected items with > between them, the best first" "a>b\n$alone\n"
done
refuses_rankings "<stdin>:3: place 2: got empty, $a_name" 'a>b\n# >\na>>b\n'
refuses_rankings "<stdin>:1: place 2: got empty, $a_name" 'a> \t>b\n'
refuses_rankings "<stdin>:1: place 1: got empty, $a_name" '>a\n'
refuses_rankings "<stdin>:1: place 3: got empty, $a_name" 'a>b>\n'
refuses_rankings "<stdin>:1: place 1: got empty, $a_name" '3:\n'
refuses_rankings "<stdin>:1: place 2: got empty, $a_name" 'a>""\n'
refuses_rankings "<stdin>:1: place 2: got empty, $a_name" 'a>=b\n'
refuses_rankings "<stdin>:2: place 3: 'a' is in this ranking twice" 'b>a\na>b>a\n'
refuses_rankings "<stdin>:1: place 2: 'b' is in this ranking twice" 'a>b=b\n'
refuses_rankings '<stdin>:1: place 2: got 2 items in no order, which only the last place may have (--ties davidson takes them as ties)' 'a>b=c>d\n'
refuses_rankings '<stdin>:3: count: missing, expected one as line 1' '2:a>b\n\nb>a\n'
refuses_rankings '<stdin>:2: count: got 2001:, expected no count as line 1 (a name that begins with a number and a colon needs quotes)' \
  'Alien > Up\n2001: A Space Odyssey > Alien\n'
refuses_rankings "<stdin>:1: count: got '3-4', expected a number" '3-4:a>b\n'
refuses_rankings "<stdin>:1: count: got '-.5', expected a finite number >= 0" ' -.5 : a>b\n'
refuses_rankings "<stdin>:1: count: got '1e999', beyond what the number type can hold" '1e999:a>b\n'
refuses_rankings '<stdin>:1: misplaced " (quote a name whole, and write "" for a quote inside it)' 'a>12" b\n'
refuses_rankings '<stdin>:1: misplaced " (quote a name whole, and write "" for a quote inside it)' '"a" b>c\n'
refuses_rankings '<stdin>:1: the line ends inside a name in quotes' '"a>b\nc"\n'
refuses_rankings "--zero: no item 'c', expected one of 'a', 'b'" 'a>b\nb>a\n' --zero c
refuses 'no/such/file.txt: cannot be opened: No such file or directory' '' --rankings no/such/file.txt
refuses '/: is a directory, expected a file' '' --rankings /
refuses_full_disk 'a>b\nb>a\n' --rankings

# --- the help --------------------------------------------------------------------------------------------------------
accepts '' '' --help
for word in --rankings 'tea > coffee = water' ALTERNATIVE Examples Plackett-Luce; do
  grep -qF -- "$word" "$folder/out" || fail "the help does not tell about $word"
done

finish
