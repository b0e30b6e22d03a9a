#!/bin/sh
# Usage: check_battles.sh PREFOPT_RANK FOLDER_OF_csv_program_checks.sh
. "$2/csv_program_checks.sh"
. "$(dirname "$0")/rank_checks.sh"

# --- the same six battles in every shape ------------------------------------------------------------------------------
accepts '' 'winner,loser,count\nm1,m2,2.5\nm2,m1,1.5\nm2,m3,1\nm3,m1,1\n'
wanted=$(cat "$folder/out")
same() { accepts "$wanted" "$@"; }
same 'model_a,model_b,winner\nm1,m2,model_a\nm2,m1,model_b\nm1,m2,tie\nm2,m1,model_a\nm2,m3,model_a\nm1,m3,model_b\n' --ties half
for tie in 'tie (bothbad)' 'tie (inconsistent)' bothbad both_bad draw; do
  same "model_a,model_b,winner\\nm1,m2,model_a\\nm2,m1,model_b\\nm1,m2,$tie\\nm2,m1,model_a\\nm2,m3,model_a\\nm1,m3,model_b\\n" --ties half
done
same 'model_a,model_b,count,winner\nm1,m2,2,model_a\nm1,m2,1,tie\nm2,m1,1,model_a\nm2,m3,1,model_a\nm1,m3,1,model_b\n' --ties half
same 'left,right,winner\nm1,m2,left\nm2,m1,right\nm1,m2,tie\nm2,m1,left\nm2,m3,left\nm1,m3,right\n' --ties half
same 'worker,left,right,label\nw1,m1,m2,m1\nw2,m2,m1,m1\nw1,m1,m2,tie\nw3,m2,m1,m2\nw1,m2,m3,m2\nw1,m1,m3,m3\n' --ties half
[ "$(head -1 "$folder/err")" = "note: columns that are not read: 'worker'" ] || fail 'note' "'worker'" "$(head -1 "$folder/err")"
same 'id,winner_model_a,winner_model_b,winner_tie,model_a,model_b,prompt\n1,1,0,0,m1,m2,"a\nb"\n2,0,1,0,m2,m1,x\n3,0,0,1,m1,m2,x\n4,1.0,0.0,0,m2,m1,\n5,true,false,False,m2,m3,\n6,0,1,0,m1,m3,x\n' \
  --ties half
[ "$(head -1 "$folder/err")" = "note: columns that are not read: 'id', 'prompt'" ] || fail 'note' "'id', 'prompt'" "$(head -1 "$folder/err")"
same '{"model_a":"m1","model_b":"m2","winner":"model_a","turn":1}\n\n{"turn":2,"model_b":"m1","model_a":"m2","winner":"model_b"}\r\n{"model_a":"m1","model_b":"m2","winner":"tie"}\n{"model_a":"m2","model_b":"m1","winner":"model_a","judge":{"x":[1]}}\n{"model_a":"m2","model_b":"m3","winner":"model_a"}\n{"model_a":"m1","model_b":"m3","winner":"model_b"}' \
  --ties half
[ "$(head -1 "$folder/err")" = "note: columns that are not read: 'turn', 'judge'" ] || fail 'note' "'turn', 'judge'" "$(head -1 "$folder/err")"
same ' [{"winner":"m1","loser":"m2","count":2.5},\n{"winner":"m2","loser":"m1","count":1.5},{"winner":"m2","loser":"m3","count":1},{"winner":"m3","loser":"m1","count":1}]\n'
same '{"model_a":"m1","model_b":"m2","winner_model_a":1,"winner_model_b":0,"winner_tie":0,"count":2}\n{"model_a":"m1","model_b":"m2","winner_model_a":0,"winner_model_b":false,"winner_tie":true,"count":1}\n{"model_a":"m2","model_b":"m1","winner_model_a":1,"winner_model_b":0,"winner_tie":0,"count":1}\n{"model_a":"m2","model_b":"m3","winner_model_a":1,"winner_model_b":0,"winner_tie":0,"count":1}\n{"model_a":"m1","model_b":"m3","winner_model_a":0,"winner_model_b":1,"winner_tie":0,"count":1}\n' \
  --ties half
# Counts may be missing, also in the first; and a ranking may begin as an array does.
same '{"winner":"m1","loser":"m2"}\n{"winner":"m1","loser":"m2","count":1.5}\n{"winner":"m2","loser":"m1","count":1.5}\n{"winner":"m2","loser":"m3","count":null}\n{"winner":"m3","loser":"m1"}\n'
accepts '' '[a] > b\nb > [a]\n'
# Numbers are names, too.
accepts '' '{"winner":1,"loser":2}\n{"winner":2,"loser":1}\n'
near 0 0 "$(worth 2)"

# --- by category -------------------------------------------------------------------------------------------------------
by='winner,loser,count,lang\na,b,2,en\nb,a,1,en\nc,"d, e",1,"x, y"\n"d, e",c,3,"x, y"\na,b,1,en\n'
accepts '' "$by" --by lang
of_categories='lang,item,worth,stderr
en,a,0,0
en,b,-1.0986122886681098,1.15470053838
"x, y",c,0,0
"x, y","d, e",1.0986122886681098,1.15470053838'
[ "$(head -5 "$folder/out")" = "$of_categories" ] || fail 'categories' "$of_categories" "$(cat "$folder/out")"
for category in en 'x, y'; do near -2.2493405784752334 1e-14 "$(sed -n "s/^# log-likelihood of '$category': //p" "$folder/out")"; done
refuses "<stdin>:1: --by: no column 'language', expected one of 'winner', 'loser', 'count', 'lang'" "$by" --by language
refuses "--zero: lang 'x, y' has no item 'a', expected one of 'c', 'd, e'" "$by" --by lang --zero a
refuses "<stdin>: k 'y': the likelihood has no maximum: 'a' never loses; 'b' never wins; with --prior ghost it has one" \
  'winner,loser,k\na,b,x\nb,a,x\na,b,y\n' --by k
refuses "<stdin>: --by: rankings have no columns" 'a>b\nb>a\n' --by k
refuses '<stdin>: --unnamed: comparisons name both items, expected rankings' 'winner,loser\na,b\n' --unnamed last

# --- bad input -----------------------------------------------------------------------------------------------------------
a_winner='expected model_a, model_b, tie, or the name of one of the two'
three='winner_model_a, winner_model_b and winner_tie (0 or 1)'
refuses '<stdin>:1: wi\nns: unknown column, expected winner, loser and, if wanted, count' 'winner,loser,"wi\nns"\na,b,1\n'
head='model_a,model_b,winner\n'
refuses '<stdin>:3: winner: got a tie, expected none without --ties half, davidson or rao-kupper' "$head"'a,b,model_a\na,b,tie\n'
refuses "<stdin>:2: winner: got 'c', $a_winner" "$head"'a,b,c\n'
refuses "<stdin>:2: winner: got empty, $a_winner" "$head"'a,b,\n'
# An item may be called as a side or a tie is, where that makes no difference.
two_meanings() {
  refuses "<stdin>:3: winner: got '$1', which names the item in $2 and is the word for $3, expected a text with one meaning; columns winner,loser have names only" \
    "left,right,winner\\nright,a,a\\n$4\\n" --ties half
}
two_meanings right left 'that in right' right,a,right
two_meanings left right 'that in left' a,left,left
two_meanings draw right 'a tie' a,draw,draw
accepts '' 'left,right,winner\nleft,right,right\nleft,right,left\na,right,right\nleft,a,left\na,left,a\n' --ties half
accepts '' 'left,right,label\na,draw,draw\ndraw,a,a\n'
refuses "<stdin>:2: model_b: 'a' is compared with itself" "$head"'a,a,model_a\n'
refuses '<stdin>:2: model_b: got empty, expected the name of an item' "$head"'a,,model_a\n'
refuses "<stdin>:1: winner: missing column, expected winner (model_a, model_b, tie, or the name of one of the two), or $three" 'model_a,model_b,vote\na,b,x\n'
head='model_a,model_b,winner_model_a,winner_model_b,winner_tie\n'
for cells in 0,0,0 1,1,0 1,0,2 1,,0 x,0,0; do
  refuses "<stdin>:2: winner_model_a: got '$cells' in the three columns of the winner, expected a 1 and two 0" "$head"'a,b,'"$cells"'\n'
done
refuses '<stdin>:2: the JSON breaks off at the end of the line, expected a whole object' '{"winner":"a","loser":"b"}\n{"winner":"a"\n'
refuses '<stdin>:1: winner: got NaN, expected text or a finite number, or null for none' '{"winner":NaN,"loser":"b"}\n'
refuses '<stdin>:1: byte 12 is not UTF-8' '{"winner":"\377","loser":"b"}\n'
refuses '<stdin>:2: the JSON array breaks off in what begins here, the file is truncated' '[{"winner":"a","loser":"b"},\n'
refuses '<stdin>:2: winner: stands twice in one object' '{"winner":"a","loser":"b"}\n{"winner":"a","loser":"b","winner":"c"}\n'
refuses '<stdin>:1: winner: stands twice in one object' '[{"winner":"a","loser":"b","winner":"c"}]'
refuses '<stdin>:2: got an array, expected a JSON object' '{"winner":"a","loser":"b"}\n[1]\n'
refuses '<stdin>:1: got a number, expected a JSON object' '[{"winner":"a","loser":"b"},3]'
refuses '<stdin>:1: loser: got empty, expected the name of an item' '[{"winner":"a","loser":"b"},{"winner":"a","loser":null}]'
refuses '<stdin>:2: loser: got an object, expected text or a number' '{"winner":"a","loser":"b"}\n{"winner":"a","loser":{}}\n'
refuses '<stdin>: no records, expected JSON objects' '[]'
refuses "<stdin>:2: count: got '-1', expected a finite number >= 0" '{"winner":"a","loser":"b","count":1}\n{"winner":"b","loser":"a","count":-1}\n'
refuses '<stdin>:2: wins: unknown column, expected winner, loser and, if wanted, count' '{"winner":"b","loser":"a"}\n{"winner":"a","loser":"b","wins":1}\n'
refuses '<stdin>:1: wins: unknown column, expected winner, loser and, if wanted, count' '{"winner":"a","loser":"b","wins":1}\n'

# Packed, and what reading leaves out or replaces.
packed='model_a,model_b,winner\nm1,m2,model_a\nm2,m1,model_b\nm1,m2,tie\nm2,m1,model_a\nm2,m3,model_a\nm1,m3,model_b\n'
for pack in gzip zstd; do
  command -v $pack >/dev/null || continue
  printf "$packed" | $pack -c >"$folder/packed"
  same '' --ties half "$folder/packed"
  printf '1.5: m1>m2\n1.5: m2>m1\n1: m1>m2\n1: m2>m3\n1: m3>m1\n' | $pack -c >"$folder/packed"
  same '' "$folder/packed"
  head -c 30 "$folder/packed" >"$folder/cut"
  "$program" "$folder/cut" >"$folder/out" 2>"$folder/err" && fail "$pack, cut off"
  grep -q "cut:[1-9]: the $pack stream breaks off here, the file is truncated" "$folder/err" || fail "$pack, cut off" '' "$(cat "$folder/err")"
done
same ',winner,loser,count\n0,m1,m2,2.5\n1,m2,m1,1.5\n2,m2,m3,1\n3,m3,m1,1\n'
note="note: pandas' index is left out: the first column, which has no name"
[ "$(head -1 "$folder/err")" = "$note" ] || fail 'index' "$note" "$(head -1 "$folder/err")"
same ',Unnamed: 0,vote,model_a,model_b,winner\n0,0,x,m1,m2,model_a\n1,1,x,m2,m1,model_b\n2,2,x,m1,m2,tie\n3,3,x,m2,m1,model_a\n4,4,x,m2,m3,model_a\n5,5,x,m1,m3,model_b\n' --ties half
note="note: columns that are not read: 'vote'
$note, Unnamed: 0"
[ "$(head -2 "$folder/err")" = "$note" ] || fail 'index' "$note" "$(head -2 "$folder/err")"
accepts "$(printf 'item,worth,stderr\n\357\277\275,0,0
b,0,1.41421356237
# log-likelihood: -1.3862943611198906')" '{"winner":"\\ud83d","loser":"b"}\n{"winner":"b","loser":"\\ud83d"}\n'
note='note: 2 lone surrogates, half an emoji each, became U+FFFD'
[ "$(head -1 "$folder/err")" = "$note" ] || fail 'halves' "$note" "$(head -1 "$folder/err")"
refuses '<stdin>: seems to be a Parquet file, expected CSV with a header or JSON objects, plain, gzip or zstd; this makes JSON lines of it: python3 -c "import pandas, sys; pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient='"'records'"', lines=True)" FILE.parquet FILE.jsonl' 'PAR1abc'
refuses '<stdin>: seems to be text in UTF-16, expected rankings, one a line, plain, gzip or zstd; this makes UTF-8 of it: iconv -f UTF-16 -t UTF-8 FILE' '\377\376a\000>\000b\000' --rankings

finish
