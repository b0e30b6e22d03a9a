#!/bin/sh
# Usage: check_golden.sh PREFOPT_SCORE SHARED_FOLDER, unless the environment's PREFOPT_SHARED_DIR names the folder
# Compares the program with the golden vectors, files of pairs with the losses and gradients that the authors' own code
# gives. Tolerance: 1e-12 relative, and 1e-15 absolute for what that code computes with cancellation. Skipped (77)
# where the folder is not.
program=$1
golden=${PREFOPT_SHARED_DIR:-$2}/golden
if [ ! -d "$golden" ]; then
  echo "skipped: no golden vectors in $golden"
  exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
files=0
failures=0

# compare NAME ARGUMENT...: NAME.csv and, where there is one, NAME_extreme.csv.
compare() {
  stem=$1
  shift
  for file in "$golden/$stem.csv" "$golden/${stem}_extreme.csv"; do
    if [ ! -f "$file" ]; then
      case $file in *_extreme.csv) continue ;; esac
      echo "FAILED: $file is missing"
      failures=$((failures + 1))
      continue
    fi
    files=$((files + 1))
    # The reliabilities of the annotators are in the file's first line.
    reliability=$(sed -n '1s/.* eta=\([^ ]*\).*/\1/p' "$file")
    if "$program" "$@" ${reliability:+--reliability "$reliability"} --ignore loss,d_chosen,d_rejected,w "$file" \
      >"$folder/out" 2>"$folder/err"; then
      grep -v '^#' "$file" | awk -F, -v name="$(basename "$file")" -v results="$folder/out" '
        function magnitude(x) { return x < 0 ? -x : x }
        NR == 1 { for (i = 1; i <= NF; ++i) place[$i] = i; getline <results; next }
        {
          if ((getline line <results) <= 0) { print "FAILED: " name " row " NR - 1 ": no result"; bad = 1; exit }
          split(line, got, ",")
          expected["loss"] = 1; expected["d_chosen"] = 2; expected["d_rejected"] = 3; expected["w"] = 6
          for (column in expected) if (column in place) {
            x = got[expected[column]]; y = $place[column]
            if (x == "" || !(magnitude(x - y) <= 1e-12 * magnitude(y) + 1e-15)) {
              print "FAILED: " name " row " NR - 1 ", " column ": expected " y ", got " x; bad = 1
            }
          }
        }
        END { if (NR < 2) { print "FAILED: " name " has no rows"; bad = 1 }; exit bad }' || failures=$((failures + 1))
    else
      echo "FAILED: $(basename "$file"): $(cat "$folder/err")"
      failures=$((failures + 1))
    fi
  done
}

compare dpo_b0.1 --loss dpo --beta 0.1
compare dpo_b0.5 --loss dpo --beta 0.5
compare dpo_weighted_b0.1 --loss dpo --beta 0.1
compare cdpo_b0.1_ls0.1 --loss cdpo --beta 0.1 --epsilon 0.1
compare cdpo_b0.1_ls0.1 --loss smoothed --base dpo --beta 0.1 --epsilon 0.1
compare rdpo_b0.1_ls0.1 --loss rdpo --beta 0.1 --epsilon 0.1
compare rdpo_b0.1_ls0.1 --loss unbiased --base dpo --beta 0.1 --epsilon 0.1
compare hinge_b0.1 --loss hinge --beta 0.1
compare ipo_sum_b0.1 --loss ipo --tau 0.1
compare ipo_mean_b0.1 --loss ipo_mean --tau 0.1
compare simpo_b2.0_g0.5 --loss simpo --beta 2 --gamma 0.5
compare simpo_ratio_b2.0_gbr0.25 --loss simpo --beta 2 --gamma 0.5
compare simpo_b2.0_g1.0_ls0.1 --loss smoothed --base simpo --beta 2 --gamma 1 --epsilon 0.1
compare sigmoid_norm_b2.0 --loss ln_dpo --beta 2
compare cpo_b0.1 --loss cpo --beta 0.1
compare cpo_b0.1_ls0.1 --loss smoothed --base cpo --beta 0.1 --epsilon 0.1
compare bt_crc0.0_nomargin --loss bradley_terry
compare bt_crc0.0_margin --loss bradley_terry
compare bt_crc0.01_margin --loss bradley_terry --center 0.01
compare adpo_pair_tau0.8 --loss labelled --base dpo --beta 1.25
compare adpo_pair_tau10.0 --loss labelled --base dpo --beta 0.1
compare lcpo_dpo_b0.1_K1 --loss lcpo --base dpo --beta 0.1
compare lcpo_dpo_b0.1_K3 --loss lcpo --base dpo --beta 0.1
compare lcpo_ipo_sum_b0.1_K2 --loss lcpo --base ipo --tau 0.1
compare lcpo_ipo_mean_b0.1_K2 --loss lcpo --base ipo_mean --tau 0.1
compare lcpo_simpo_b2.0_g1.0_K2 --loss lcpo --base simpo --beta 2 --gamma 1
compare lcpo_cpo_b0.1_K2 --loss lcpo --base cpo --beta 0.1 --sft 1

echo "$files golden files, $failures failed"
[ $files -gt 0 ] && [ $failures -eq 0 ]
