#!/bin/sh
# Usage: check_rank_cases.sh PREFOPT_RANK FOLDER_OF_csv_program_checks.sh SHARED_FOLDER, unless the environment's
# PREFOPT_SHARED_DIR names the last. Files as people have them; skipped (77) where they are not.
cases=${PREFOPT_SHARED_DIR:-$3}/cases
for file in 05_arena/battles.csv 06_chain/dom.csv 07_pl_ties/ties.txt 08_preflib/old.soi 16_wide/chain700.csv 25_rank_shapes/kaggle.csv; do
  if [ ! -f "$cases/$file" ]; then
    echo "skipped: there is no $cases/$file"
    exit 77
  fi
done
. "$2/csv_program_checks.sh"
. "$(dirname "$0")/rank_checks.sh"
cd "$cases" || exit 1

# The values are those of check_ties.sh and check_rankings.sh, on the same data.
for input in 'battles.csv --ties half' halves.csv; do
  accepts '' '' 05_arena/$input
  near -1.0986122886681098 1e-12 "$(worth cobalt)"
  near 1.26491106406735 1e-11 "$(error_of cobalt)"
done
accepts '' '' 05_arena/battles.csv --ties davidson
near -2.1972245773362196 1e-12 "$(worth cobalt)"
near 2 1e-12 "$(parameter tie2)"
accepts '' '' 05_arena/battles.csv --ties rao-kupper
near 3.09716754070972706 1e-12 "$(parameter theta)"
accepts '' '' 05_arena/battles.jsonl --ties davidson
[ "$(head -1 "$folder/err")" = "note: columns that are not read: 'turn'" ] || fail 'note' "'turn'" "$(head -1 "$folder/err")"
accepts '' '' 05_arena/ties.txt --ties half
refuses "06_chain/dom.csv: the likelihood has no maximum: 'M1' never loses; with --prior ghost it has one" '' 06_chain/dom.csv
accepts '' '' 06_chain/dom.csv --prior ghost
near -2.79002227438303399 1e-12 "$(worth M2)"
accepts '' '' 07_pl_ties/ties.txt --ties davidson
near -3.77135875634517355 1e-12 "$(worth elm)"
near 1.24183762296710909 1e-12 "$(parameter tie3)"
accepts '' '' 08_preflib/old.soi
near -1.2680362538145722 1e-12 "$(worth Dogwood)"
accepts '' '' 08_preflib/old.soi --unnamed last
near -1.8844309842489307 1e-12 "$(worth Dogwood)"
accepts '' '' 08_preflib/new.toc --ties davidson
near -2.25034135050621555 1e-12 "$(worth Cedar)"
refuses '08_preflib/voters.soi:11: NUMBER VOTERS: got 11, but the counts add up to 10' '' 08_preflib/voters.soi
# Without the line its counts are what they are: Newton's method in 40 digits.
sed '/NUMBER VOTERS/d' 08_preflib/voters.soi >"$folder/voters.soi"
accepts '' '' "$folder/voters.soi"
near -1.268036253814572149 1e-12 "$(worth Dogwood)"
accepts '' '' 16_wide/chain700.csv
near -1535.8599795580176 1e-12 "$(worth 699)"
near 27.8687399547717 5e-11 "$(error_of 699)"
accepts '' '' 25_rank_shapes/kaggle.csv --prior ghost
[ "$(head -1 "$folder/err")" = "note: columns that are not read: 'id', 'prompt', 'response_a', 'response_b'" ] || fail 'note' '' "$(head -1 "$folder/err")"
accepts '' '' 25_rank_shapes/evalica.csv --ties half --prior ghost
near 0 1e-12 "$(worth c)"

finish
