#!/bin/sh
# Usage: check_ratings.sh PREFOPT_RANK FOLDER_OF_csv_program_checks.sh
# Ratings, the bootstrap and the picture.
. "$2/csv_program_checks.sh"
. "$(dirname "$0")/rank_checks.sh"

# --- ratings -----------------------------------------------------------------------------------------------------------
# Odds of 10 to one are 400 points, of which the standard error is 400 / log 10 times sqrt(1/10 + 1).
accepts '' '10:a>b\n1:b>a\n' --scale elo
[ "$(head -1 "$folder/out")" = item,rating,stderr ] || fail 'columns' item,rating,stderr "$(head -1 "$folder/out")"
near 1000 0 "$(worth a)"
near 600 1e-9 "$(worth b)"
near 182.196758133 1e-8 "$(error_of b)"
accepts '' '10:a>b\n1:b>a\n' --scale elo --anchor b --anchor-rating 1500
near 1900 1e-9 "$(worth a)"
near 1500 0 "$(worth b)"
accepts '' '4:a>b\n1:b>a\n' --scale elo --elo-base 2 --elo-scale 100
near 800 1e-9 "$(worth b)"
accepts '' '1:a>b\n4:b>a\n2:b>c\n2:c>b\n' --best-first
[ "$(sed -n '2,4s/,.*//p' "$folder/out" | tr '\n' ' ')" = 'b c a ' ] || [ "$(sed -n '2,4s/,.*//p' "$folder/out" | tr '\n' ' ')" = 'c b a ' ] ||
  fail 'the best first' 'b c a' "$(cat "$folder/out")"
for option in '--elo-base 2' '--elo-scale 2' '--anchor a' '--anchor-rating 2'; do
  refuses "${option% *}: only with --scale elo" 'a>b\nb>a\n' $option
done
refuses '--elo-base: got 1, expected a number > 1' 'a>b\nb>a\n' --scale elo --elo-base 1
refuses '--elo-scale: got 0, expected a number > 0' 'a>b\nb>a\n' --scale elo --elo-scale 0
refuses "--anchor: no item 'c', expected one of 'a', 'b'" 'a>b\nb>a\n' --scale elo --anchor c
refuses '--zero: not with --anchor, which names the same item' 'a>b\nb>a\n' --scale elo --anchor a --zero b

# --- bootstrap ---------------------------------------------------------------------------------------------------------
# The worth of b is the log odds of a binomial count: of 400 drawn from 300 : 100. The 2.5 and 97.5 % quantiles of
# Binomial(400, 1/4) are 83 and 117.
data='300:a>b\n100:b>a\n'
accepts '' "$data" --bootstrap 4000 --seed 1 --threads 1
[ "$(head -1 "$folder/out")" = item,worth,stderr,lower,upper,rank ] || fail 'columns' '' "$(head -1 "$folder/out")"
field() { awk -F, -v item="$1" -v field="$2" '$1 == item { print $field }' "$folder/out"; }
near -1.3400 0.03 "$(field b 4)" # log(83 / 317)
near -0.8832 0.03 "$(field b 5)" # log(117 / 283)
near 0 0 "$(field a 4)"
near 1 0 "$(field a 6)"
near 2 0 "$(field b 6)"
drawn=$(cat "$folder/out")
# The seed and the number of a round decide, not the threads; another seed is another draw.
accepts "$drawn" "$data" --bootstrap 4000 --seed 1 --threads 3
accepts '' "$data" --bootstrap 4000 --seed 2
[ "$(cat "$folder/out")" != "$drawn" ] || fail 'another seed draws others'
# Items that the data do not tell apart share a rank: a and b, then c and d.
accepts '' '30:a>b\n31:b>a\n300:a>c\n100:c>a\n300:b>d\n100:d>b\n200:c>d\n200:d>c\n' --bootstrap 300
[ "$(sed -n '2,5s/.*,//p' "$folder/out" | tr '\n' ' ')" = '1 1 3 3 ' ] || fail 'ranks with ties' '1 1 3 3' "$(cat "$folder/out")"
# Rating's intervals are those of the worths.
accepts '' "$data" --bootstrap 4000 --seed 1 --scale elo
near "$(printf '%s\n' "$drawn" | awk -F, '$1 == "b" { printf "%.12g", 1000 + $4 * 400 / log(10) }')" 1e-6 "$(field b 4)"
# With ties; with a prior; of categories.
accepts '' '40:a>b\n20:b>a\n40:a=b\n' --ties davidson --bootstrap 100
accepts '' '4:a>b\n' --prior ghost --bootstrap 100
near "$(field b 4)" 1e-9 "$(field b 5)"
accepts '' 'winner,loser,k,count\na,b,x,30\nb,a,x,20\nc,d,y,20\nd,c,y,30\n' --by k --bootstrap 50 --best-first
refuses_beginning '<stdin>: --bootstrap: in ' 'a>b\nb>a\n' --bootstrap 100
refuses '<stdin>: --bootstrap draws whole rankings, and a count is 1.5' '1.5:a>b\n2:b>a\n' --bootstrap 10
for rounds in 0 1 1000001 -5 0x10 1.5; do
  refuses "--bootstrap: got '$rounds', expected a whole number from 2 to 1000000" 'a>b\nb>a\n' --bootstrap $rounds
done
refuses '--seed: only with --bootstrap' 'a>b\nb>a\n' --seed 1
for threads in 0 1025 -1; do
  refuses "--threads: got '$threads', expected a whole number from 1 to 1024" 'a>b\nb>a\n' --bootstrap 10 --threads $threads
done
for seed in -1 18446744073709551616; do
  refuses "--seed: got '$seed', expected a whole number from 0 to 18446744073709551615" 'a>b\nb>a\n' --bootstrap 10 --seed $seed
done
refuses "--stderr-limit: got '-1', expected a whole number from 0 to 18446744073709551615" 'a>b\nb>a\n' --stderr-limit -1
# Numbers are decimal, and the largest is as good as any.
accepts '' '40:a>b\n20:b>a\n' --bootstrap 010 --seed 18446744073709551615
grep -q '^bootstrap  *10 rounds$' "$folder/err" || fail '--bootstrap 010' '10 rounds' "$(cat "$folder/err")"
for most in 2 18446744073709551615; do
  accepts '' '4:a>b\n' --prior ghost --stderr-limit $most
  near 1.69453469052 1e-9 "$(field b 3)"
done

# --- the picture -------------------------------------------------------------------------------------------------------
accepts '' '10:a>b\n20:b>a\n10:"c ""quoted"", it'"'"'s">b\n10:b>"c ""quoted"", it'"'"'s"\n' --picture "$folder/new/pictures"
# The best two are as good as each other: log 2, with 1.96 times sqrt(1/10 + 1/20).
sed -n 2,3p "$folder/new/pictures/ranking.csv" | grep ',b$' | awk -F, '
  function is(x, y) { return x - y < 1e-9 && y - x < 1e-9 }
  { exit !(is($2, 0.6931471805599453) && is($3, $2 - 1.96 * sqrt(0.15)) && is($4, $2 + 1.96 * sqrt(0.15))) }' ||
  fail 'ranking.csv' '' "$(cat "$folder/new/pictures/ranking.csv")"
grep -q "set ytics .*'b' 1, 'c \"quoted\", it''s' 2, 'a' 3)" "$folder/new/pictures/ranking.gnuplot" ||
  grep -q "'c \"quoted\", it''s' 1, 'b' 2, 'a' 3)" "$folder/new/pictures/ranking.gnuplot" || fail 'names in the picture' '' "$(cat "$folder/new/pictures/ranking.gnuplot")"
if command -v gnuplot >/dev/null; then
  [ -s "$folder/new/pictures/ranking.png" ] || [ -s "$folder/new/pictures/ranking.svg" ] || fail 'there is a picture' '' "$(cat "$folder/err")"
fi
accepts '' 'winner,loser,k\na,b,x\nb,a,x\na,b,y\nb,a,y\n' --by k --picture "$folder/by"
[ -f "$folder/by/ranking_1.csv" ] && [ -f "$folder/by/ranking_2.csv" ] || fail 'a picture of each category' '' "$(ls "$folder/by")"
: >"$folder/file"
refuses_beginning "--picture: cannot make the folder '$folder/file/x" 'a>b\nb>a\n' --picture "$folder/file/x"

finish
