#!/usr/bin/env bash
# The long runs of examples/llm: DPO with an adapter of rank 8 on at most 800 pairs, a fifth of the file's prompts held out,
# three seeds; the head alone, a fifth of its pairs held out; SimPO, ADPO and KTO on fewer pairs, a twentieth held out. Two
# hours and a half on two cores; a run that was stopped goes on where it was.
#   cmake/llm_run.sh DATA [DIR]    DATA is HH-RLHF's file of pairs; results in DIR (default: llm-runs); the table is printed
#                                  and put into examples/llm/README.md
# BUILD is the build folder (default: build), MODEL the GGUF file (default: what cmake/model.sh fetches), TOKENS a sequence's
# most (256), LIMIT the pairs trained on (800), OTHERS those of the other losses (64), HEAD those that the head alone has,
# with what is held out (800), THREADS (all cores), SEEDS ("1 2 3").
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
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
# ggml's threads spin while they wait for each other, which costs others their time.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
mkdir -p "$results"

rows=()
# run NAME OPTIONS...: a row of the table; the minutes are those of all its parts.
run() {
  local name=$1 folder=$results/${1// /-} resume=() began
  folder=${folder//,/}
  shift
  if [ ! -f "$folder.out" ]; then
    [ -f "$folder/checkpoint" ] && resume=(--resume)
    began=$SECONDS
    "$program" --model "$model" --data "$data" --max-tokens "${TOKENS:-256}" --threads "$threads" --out "$folder" "${resume[@]}" "$@" \
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

limit=${LIMIT:-800} others=${OTHERS:-64} head=${HEAD:-800}
for seed in ${SEEDS:-1 2 3}; do
  run "dpo, adapter, seed $seed" --seed "$seed" --train-limit "$limit" --reference "$results/reference"
done
run 'dpo, head only' --head-only --limit "$head"
fewer=(--holdout 0.05 --train-limit "$others" --reference "$results/reference")
run 'simpo, adapter' "${fewer[@]}" --loss simpo --beta 2 --gamma 0.5
run 'adpo, adapter' "${fewer[@]}" --loss adpo
run 'kto, adapter' "${fewer[@]}" --loss kto

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
