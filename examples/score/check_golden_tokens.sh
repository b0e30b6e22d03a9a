#!/bin/sh
# Usage: check_golden_tokens.sh PREFOPT_SCORE SHARED_FOLDER, unless the environment's PREFOPT_SHARED_DIR names the folder
# Compares the program with the golden vectors of tokens: policy-gradient losses, KL estimators, corrections, advantages,
# each the formula with 400 digits. Tolerance: 1e-12 (1 + |value|). Skipped (77) where the folder is not.
program=$1
golden=${PREFOPT_SHARED_DIR:-$2}/golden2
if [ ! -d "$golden" ]; then
  echo "skipped: no golden vectors in $golden"
  exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
files=0
failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# setting KEY: its value in the first line of $file.
setting() { sed -n "1s/.* $1=\([^ ]*\).*/\1/p" "$file"; }

# options KEY...: the other settings of the first line as options by the same names.
options() {
  sed -n '1s/^# \(.*\) source=.*/\1/p' "$file" | tr ' ' '\n' | while IFS='=' read -r key value; do
    case " $* " in *" $key "*) ;; *) printf ' --%s %s' "$key" "$value" ;; esac
  done
}

# with NAME=VALUE...: $file with columns of one value each.
with() {
  grep -v '^#' "$file" | awk -v columns="$*" '
    { count = split(columns, one, " ")
      for (i = 1; i <= count; ++i) { split(one[i], part, "="); $0 = $0 "," (NR == 1 ? part[1] : part[2]) }
      print }'
}

# compare PAIR...: RESULT=COLUMN, columns of the program's output and of $file.
compare() {
  grep -v '^#' "$file" | awk -F, -v name="$(basename "$file")" -v results="$folder/out" -v pairs="$*" '
    function magnitude(x) { return x < 0 ? -x : x }
    NR == 1 {
      for (i = 1; i <= NF; ++i) place[$i] = i
      getline line <results
      columns = split(line, header, ",")
      count = split(pairs, pair, " ")
      for (i = 1; i <= count; ++i) {
        split(pair[i], names, "=")
        expected[i] = place[names[2]]
        for (c = 1; c <= columns; ++c) if (header[c] == names[1]) got_in[i] = c
        if (!expected[i] || !got_in[i]) { print "FAILED: " name ": no column " pair[i]; bad = 1; exit }
      }
      next
    }
    {
      if ((getline line <results) <= 0) { print "FAILED: " name " row " NR - 1 ": no result"; bad = 1; exit }
      split(line, got, ",")
      for (i = 1; i <= count; ++i) {
        x = got[got_in[i]]; y = $expected[i]
        if (x == "" || !(magnitude(x - y) <= 1e-12 * (1 + magnitude(y)))) {
          print "FAILED: " name " row " NR - 1 ", " pair[i] ": expected " y ", got " x; bad = 1
        }
      }
    }
    END {
      if (NR < 2) { print "FAILED: " name ": nothing to compare"; bad = 1 }
      if (!bad && (getline line <results) > 0) { print "FAILED: " name ": more results than rows"; bad = 1 }
      exit bad
    }' || failures=$((failures + 1))
}

# score ARGUMENT...: of standard input, to compare with $file.
score() {
  files=$((files + 1))
  "$program" "$@" >"$folder/out" 2>"$folder/err" || fail "$(basename "$file"): $(cat "$folder/err")"
}

for file in "$golden"/pg_*.csv; do
  name=$(setting loss)
  # shellcheck disable=SC2046  # a word each
  score --tokens --loss "${name#pg_}" $(options loss total) --ignore loss,d_logp "$file"
  compare loss=loss d_logp=d_logp
  sed -n 's/^total  *//p' "$folder/err" | awk -v expected="$(setting total)" '
    { difference = $1 - expected; ++lines }
    END { exit !(lines == 1 && difference * difference <= 1e-24) }' ||
    fail "$(basename "$file"): total: expected $(setting total), got $(cat "$folder/err")"
done

# With no advantage all that is left is the KL.
for file in "$golden"/kl_*.csv; do
  with advantage=0 >"$folder/in.csv"
  score --tokens --loss ppo_clip --aggregation token_sum --kl "$(setting estimator)" --kl_coefficient 1 \
    --ignore loss,d_logp "$folder/in.csv"
  compare loss=loss d_logp=d_logp
done

# -A l where l = -1 is A times the correction, and its slope is -A times that.
for file in "$golden"/importance_*.csv; do
  with logp=-1 advantage=1 >"$folder/in.csv"
  score --tokens --loss reinforce --correction "$(setting mode)" --correction_low "$(setting low)" \
    --correction_high "$(setting high)" --ignore weight "$folder/in.csv"
  compare loss=weight correction=weight
done

for file in "$golden"/advantage_*.csv; do
  score --advantages "$(setting mode)" --epsilon "$(setting epsilon)" --ignore rank,advantage "$file"
  compare advantage=advantage
done

echo "$files golden files of tokens, $failures failed"
[ $files -gt 0 ] && [ $failures -eq 0 ]
