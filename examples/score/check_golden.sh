#!/bin/sh
# Usage: check_golden.sh PREFOPT_SCORE SHARED_FOLDER, unless the environment's PREFOPT_SHARED_DIR names the folder
# Compares the program with the golden vectors: files of pairs, of lists and of single completions with the losses and
# gradients that the authors' own code gives (golden), or the formulas with 400 digits (golden2). Tolerance: 1e-12
# relative, and 1e-15 absolute for what that code computes with cancellation, of the formulas 1e-12 absolute. Skipped
# (77) where the folder is not.
program=$1
golden=${PREFOPT_SHARED_DIR:-$2}/golden
formulas=${PREFOPT_SHARED_DIR:-$2}/golden2
if [ ! -d "$golden" ]; then
  echo "skipped: no golden vectors in $golden"
  exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
files=0
failures=0
floor=1e-15

# same FILE ARGUMENT...: one file. The columns that the file and the results have in common are compared; those of the file
# that are results come as --ignore.
same() {
  file=$1
  shift
  files=$((files + 1))
  # The reliabilities of the annotators are in the file's first line.
  reliability=$(sed -n '1s/.* eta=\([^ ]*\).*/\1/p' "$file")
  if "$program" "$@" ${reliability:+--reliability "$reliability"} "$file" >"$folder/out" 2>"$folder/err"; then
    grep -v '^#' "$file" | awk -F, -v name="$(basename "$file")" -v results="$folder/out" -v floor="$floor" '
      function magnitude(x) { return x < 0 ? -x : x }
      NR == 1 {
        for (i = 1; i <= NF; ++i) place[$i] = i
        getline line <results
        count = split(line, columns, ",")
        for (i = 1; i <= count; ++i) {
          column = columns[i] == "posterior" ? "w" : columns[i]
          if (column in place) { result[column] = i; ++common }
        }
        next
      }
      {
        if ((getline line <results) <= 0) { print "FAILED: " name " row " NR - 1 ": no result"; bad = 1; exit }
        split(line, got, ",")
        for (column in result) {
          x = got[result[column]]; y = $place[column]
          if (x == "" || !(magnitude(x - y) <= 1e-12 * magnitude(y) + floor)) {
            print "FAILED: " name " row " NR - 1 ", " column ": expected " y ", got " x; bad = 1
          }
        }
      }
      END {
        if (NR < 2 || common < 2) { print "FAILED: " name ": nothing to compare"; bad = 1 }
        if (!bad && (getline line <results) > 0) { print "FAILED: " name ": more results than rows"; bad = 1 }
        exit bad
      }' || failures=$((failures + 1))
  else
    echo "FAILED: $(basename "$file"): $(cat "$folder/err")"
    failures=$((failures + 1))
  fi
}

# compare NAME ARGUMENT...: NAME.csv and, where there are such, NAME_extreme.csv and NAME_extreme_mp.csv.
compare() {
  stem=$1
  shift
  for file in "$golden/$stem.csv" "$golden/${stem}_extreme.csv" "$golden/${stem}_extreme_mp.csv"; do
    if [ ! -f "$file" ]; then
      case $file in *_extreme*.csv) continue ;; esac
      echo "FAILED: $file is missing"
      failures=$((failures + 1))
      continue
    fi
    same "$file" "$@"
  done
}

pairs() { compare "$@" --ignore loss,d_chosen,d_rejected,w; }

# lists NAME LEFT_OUT ARGUMENT...: of the columns of every file, those that the loss would read but this case does not.
lists() {
  stem=$1
  left_out=$2
  shift 2
  compare "$stem" --list "$@" --ignore "rank,loss,d_logp,$left_out"
}

pairs dpo_b0.1 --loss dpo --beta 0.1
pairs dpo_b0.5 --loss dpo --beta 0.5
pairs dpo_weighted_b0.1 --loss dpo --beta 0.1
pairs cdpo_b0.1_ls0.1 --loss cdpo --beta 0.1 --epsilon 0.1
pairs cdpo_b0.1_ls0.1 --loss smoothed --base dpo --beta 0.1 --epsilon 0.1
pairs rdpo_b0.1_ls0.1 --loss rdpo --beta 0.1 --epsilon 0.1
pairs rdpo_b0.1_ls0.1 --loss unbiased --base dpo --beta 0.1 --epsilon 0.1
pairs hinge_b0.1 --loss hinge --beta 0.1
pairs ipo_sum_b0.1 --loss ipo --tau 0.1
pairs ipo_mean_b0.1 --loss ipo_mean --tau 0.1
pairs simpo_b2.0_g0.5 --loss simpo --beta 2 --gamma 0.5
pairs simpo_ratio_b2.0_gbr0.25 --loss simpo --beta 2 --gamma 0.5
pairs simpo_b2.0_g1.0_ls0.1 --loss smoothed --base simpo --beta 2 --gamma 1 --epsilon 0.1
pairs sigmoid_norm_b2.0 --loss ln_dpo --beta 2
pairs cpo_b0.1 --loss cpo --beta 0.1
pairs cpo_b0.1_ls0.1 --loss smoothed --base cpo --beta 0.1 --epsilon 0.1
pairs bt_crc0.0_nomargin --loss bradley_terry
pairs bt_crc0.0_margin --loss bradley_terry
pairs bt_crc0.01_margin --loss bradley_terry --center 0.01
pairs adpo_pair_tau0.8 --loss labelled --base dpo --beta 1.25
pairs adpo_pair_tau10.0 --loss labelled --base dpo --beta 0.1
pairs lcpo_dpo_b0.1_K1 --loss lcpo --base dpo --beta 0.1
pairs lcpo_dpo_b0.1_K3 --loss lcpo --base dpo --beta 0.1
pairs lcpo_ipo_sum_b0.1_K2 --loss lcpo --base ipo --tau 0.1
pairs lcpo_ipo_mean_b0.1_K2 --loss lcpo --base ipo_mean --tau 0.1
pairs lcpo_simpo_b2.0_g1.0_K2 --loss lcpo --base simpo --beta 2 --gamma 1
pairs lcpo_cpo_b0.1_K2 --loss lcpo --base cpo --beta 0.1 --sft 1

lists plackett_luce_b0.1_ref1_ln0_sum length --loss plackett_luce --beta 0.1
lists plackett_luce_b1.0_ref0_ln1_sum ref_logp --loss plackett_luce --beta 1
lists plackett_luce_b1.0_ref0_ln1_sum ref_logp --loss list_mle
lists plackett_luce_b1.25_ref1_ln0_mean length --loss plackett_luce --beta 1.25 --mean 1
lists plackett_luce_b1.25_ref1_ln0_mean length --loss adpo_ranked --tau 0.8 --top_k 0 --smoothing 0
lists pro_temp0_sft0.0_eps0.0 ref_logp --loss pro --temperatures 0 --sft 0
lists pro_temp0_sft0.05_eps0.0 ref_logp --loss pro --temperatures 0 --sft 0.05
lists pro_temp1_sft0.0_eps0.0 ref_logp --loss pro --temperatures 1 --sft 0
lists pro_temp1_sft0.05_eps0.0 ref_logp --loss pro
lists pro_temp1_sft0.05_eps1e-10 ref_logp --loss pro --eps_compat 1
lists adpo_tau0.8_br0.5_ln0 length --loss adpo
lists adpo_tau0.5_br0.3_ln1 '' --loss adpo --tau 0.5 --beta_reward 0.3

# The rest of what the authors' code gives, under its own names of parameters.
results=loss,d_chosen,d_rejected
pairs exo_pair_b0.1_ls0.001 --loss exo_pair --beta 0.1 --epsilon 0.001
pairs discopop_b0.1_tau0.05 --loss discopop --beta 0.1 --tau 0.05
pairs nca_pair_b0.1 --loss nca_pair --beta 0.1
pairs bco_pair_b0.1 --loss bco_pair --beta 0.1
pairs sppo_hard_b0.1 --loss sppo --beta 0.1
pairs apo_zero_b0.1 --loss apo_zero --beta 0.1
pairs apo_down_b0.1 --loss apo_down --beta 0.1
pairs orpo_b0.1 --loss orpo --beta 0.1 --sft 0
# max(0, 1 - beta (u - ratio)) is beta max(0, 1 / beta + ratio - u).
pairs simpo_hinge_b2.0_gbr0.25 --loss repo:2 --gamma 0.75
for smoothing in 0.0 0.1; do
  for kind in aot aot_unpaired; do
    compare "${kind}_b0.1_ls$smoothing" --loss $kind --beta 0.1 --epsilon $smoothing --ignore $results
  done
done
compare kto_b0.1_kl0.0_dw1.0_uw1.33 --unpaired --loss kto --undesirable_weight 1.33 --ignore loss,d_logp
compare kto_b0.1_kl1.5_dw1.0_uw1.0 --unpaired --loss kto --kl 1.5 --ignore loss,d_logp

# The formulas with 400 digits: loss and parameters stand in a file's first line, by the names that they have here.
floor=1e-12
for file in "$formulas"/*.csv; do
  case ${file##*/} in pg_* | kl_* | importance_* | advantage_*) continue ;; esac
  description=$(sed -n '1s/^# \(.*\) source=.*/\1/p' "$file")
  columns=$(sed -n 2p "$file")
  loss= parameters= mode= results= form=
  for setting in $description; do
    case $setting in
      loss=*) loss=${setting#loss=} ;;
      *) parameters="$parameters --${setting%%=*} ${setting#*=}" ;;
    esac
  done
  for column in $(echo "$columns" | tr , ' '); do
    case $column in loss | d_*) results="$results${results:+,}$column" ;; esac
  done
  case $columns in
    logp,*) form=--unpaired ;;
    group,rank,*) form=--list results=rank,$results ;;
  esac
  case $loss in
    # Compositions: a likelihood beside DPO, and MPO as the sum that it is.
    nll_mix) parameters=$(echo "$parameters" | sed 's/--alpha/--nll/; s/--mode/--nll_mode/') && set -- with_nll --base dpo ;;
    mpo) parameters="--beta 0.1 --delta 0 --mode 1" && set -- dpo:0.8+bco_pair:0.2+sft:1 ;;
    kto_batch) set -- kto ;;
    # Of vectors, of tokens, or states of a loop: not scores of completions.
    gpm | pal | gaussian_kl | min_norm) continue ;;
    *) set -- "$loss" ;;
  esac
  # shellcheck disable=SC2086  # a word each
  same "$file" $form --loss "$@" $parameters --ignore "$results"
done

echo "$files golden files, $failures failed"
[ $files -gt 0 ] && [ $failures -eq 0 ]
