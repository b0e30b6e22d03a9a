#!/bin/sh
# Usage: check_ranking_data.sh PREFOPT_RANK FOLDER_OF_csv_program_checks.sh SHARED_FOLDER, unless the environment's
# PREFOPT_SHARED_DIR names the last. Published rankings; skipped (77) where the data are not.
data=${PREFOPT_SHARED_DIR:-$3}/data
for file in salad.csv netflix.soc; do
  if [ ! -f "$data/$file" ]; then
    echo "skipped: there is no $data/$file"
    exit 77
  fi
done
. "$2/csv_program_checks.sh"
. "$(dirname "$0")/rank_checks.sh"

# 32 judges on four salad dressings, D. Critchlow and M. Fligner 1991, "Paired comparison, triple comparison, and ranking
# experiments as generalized linear models", Psychometrika 56. The file has the ranks: here the orders are made of them.
accepts '' "$(tr -d '"' <"$data/salad.csv" | awk -F, '
  NR == 1 { for (item = 1; item <= NF; ++item) name[item] = $item; next }
  { for (item = 1; item <= NF; ++item) at[$item] = name[item]; print at[1] " > " at[2] " > " at[3] " > " at[4] }')" --rankings
near 0 0 "$(worth A)"
near 2.729914 5e-7 "$(worth B)"
near 1.561539 5e-7 "$(worth C)"
near 1.026836 5e-7 "$(worth D)"
near -76.41528920366405 1e-10 "$(log_likelihood)"

# 588 viewers on four films, PrefLib 00004-00000138, read as it is.
accepts '' "$(sed 's/%/%%/g; s/\\/\\\\/g' "$data/netflix.soc")" --rankings
near 0.018659 5e-7 "$(centred 'Mean Girls')"
near 0.689938 5e-7 "$(centred 'Beverly Hills Cop')"
near -0.295644 5e-7 "$(centred 'The Mummy Returns')"
near -0.412953 5e-7 "$(centred 'Mission: Impossible II')"
near -1746.7579261268784 1e-9 "$(log_likelihood)"
summary='items              4
rankings           588
items in each      4
log-likelihood     -1746.757926, with equal worths -1868.695652'
[ "$(cat "$folder/err")" = "$summary" ] || fail 'summary' "$summary" "$(cat "$folder/err")"

finish
