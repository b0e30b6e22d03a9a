#!/usr/bin/env bash
# The long runs of examples/llm: DPO with an adapter of rank 8 on at most 800 pairs, three seeds; the head alone; SimPO, KTO
# and ADPO. Hours on two cores; a run that was stopped goes on where it was.
#   cmake/llm_run.sh DATA [DIR]    DATA is HH-RLHF's file of pairs; results in DIR (default: llm-runs); the table is printed
#                                  and put into examples/llm/README.md
# BUILD is the build folder (default: build), MODEL the GGUF file (default: what cmake/model.sh fetches), LIMIT the number of
# pairs (800), OTHERS that of the other losses (200), THREADS (all cores), SEEDS ("1 2 3").
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "cmake/llm_run.sh: got $# arguments, expected DATA [DIR], see --help" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=$1 results=${2:-llm-runs}
program=${BUILD:-build}/examples/llm/prefopt_llm
[ -f "$data" ] || { echo "cmake/llm_run.sh: there is no file $data" >&2; exit 2; }
[ -x "$program" ] || { echo "cmake/llm_run.sh: there is no $program: build it with -DGGML_DIR, see examples/llm/README.md" >&2; exit 2; }
model=${MODEL:-$("$here/cmake/model.sh")}
threads=${THREADS:-$(nproc)}
mkdir -p "$results"

rows=()
# run NAME LIMIT OPTIONS...: a row of the table; the minutes are those of all its parts.
run() {
  local name=$1 limit=$2 folder=$results/${1// /-} resume=() began
  shift 2
  if [ ! -f "$folder.out" ]; then
    [ -f "$folder/checkpoint" ] && resume=(--resume)
    began=$SECONDS
    "$program" --model "$model" --data "$data" --limit "$limit" --threads "$threads" --out "$folder" "${resume[@]}" "$@" \
      >"$folder.part" 2>>"$folder.err" || { tail -n 3 "$folder.err" >&2; exit 1; }
    echo $((SECONDS - began)) >>"$folder.seconds"
    mv "$folder.part" "$folder.out"
  fi
  local minutes
  minutes=$(awk '{ sum += $1 } END { printf "%.0f", sum / 60 }' "$folder.seconds")
  rows+=("$(awk -v name="$name" -v minutes="$minutes" '
    /^loss / { loss = $2 " → " $3 }
    /^accuracy  / { accuracy = $3 }
    /^  95 % interval/ && !interval { interval = $5 }
    /^margin/ { margin = $3 }
    /^KL to/ { kl = $8 }
    /^accuracy by mean/ { own = $5; own_after = $6 }
    /own answers/ { tokens = $(NF - 1) " → " $NF }
    /^held-out accuracy/ { sub(/.*, /, ""); sub(/\)$/, ""); counted = $0 }
    END { printf "| %s | %s | %s | %s (%s) | %s | %s | %s → %s | %s | %s |", name, counted, loss, accuracy, interval, margin, kl, own,
                 own_after, tokens, minutes }' "$folder.out")")
}

limit=${LIMIT:-800} others=${OTHERS:-200}
for seed in ${SEEDS:-1 2 3}; do
  run "dpo, adapter, seed $seed" "$limit" --seed "$seed" --reference "$results/reference-$limit"
done
for seed in ${SEEDS:-1 2 3}; do
  run "dpo, head only, seed $seed" "$limit" --seed "$seed" --head-only --reference "$results/head-reference-$limit" \
    --hidden "$results/hidden-$limit"
done
run 'simpo, adapter' "$others" --loss simpo --beta 2 --gamma 0.5 --reference "$results/reference-$others"
run 'kto, adapter' "$others" --loss kto --reference "$results/reference-$others"
run 'adpo, adapter' "$others" --loss adpo --reference "$results/reference-$others"

table=$(
  echo "$(lscpu | sed -n 's/^Model name: *//p' | head -n 1), $threads threads; $(basename "$model"); $(c++ --version | head -n 1); llama.cpp of $(basename "$(dirname "$(dirname "$(ldd "$program" | awk '/libllama/ { print $3 }')")")")."
  echo
  echo '| run | held out | loss | accuracy (95 % interval) | margin | KL a token | own log-prob | tokens of own answers | minutes |'
  echo '|---|---|---|---|---|---|---|---|---|'
  printf '%s\n' "${rows[@]}"
)
echo "$table"
readme=$here/examples/llm/README.md
TABLE=$table awk '/^<!-- results -->/ { print; print ENVIRON["TABLE"]; skip = 1 } /^<!-- end of results -->/ { skip = 0 } !skip && !/^<!-- results -->/' \
  "$readme" >"$readme.part"
mv "$readme.part" "$readme"
