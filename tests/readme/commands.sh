#!/bin/sh
# Runs every command of the READMEs' sh blocks that names a built program, once, in an empty folder with the files that the
# commands speak of. usage: commands.sh BUILD-FOLDER SOURCE-FOLDER README…
set -eu
build=$1 source=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$build" build
cp "$source/examples/data/preferences.jsonl" "$source/examples/data/ranked.jsonl" .
printf 'chosen,rejected,chosen_length,rejected_length\n-42.5,-55.25,20,25\n-31,-30,12,9\n' > log_probs.csv
printf 'winner,loser\na,b\nb,c\nc,a\na,c\n' > comparisons.csv
printf 'a>b>c\nc>b\nb>a>c\nc>a\n' > rankings.txt
printf 'group,logp,ref_logp,length,reward\n0,-42.5,-44,20,1\n0,-55.25,-52,25,0.2\n0,-31,-31,12,0.4\n' > groups.csv
printf 'group,reward,length\n0,1,2\n0,0.2,1\n' > rewards.csv
{
  echo group,sequence,token,logp,old_logp,ref_logp,rollout_logp,advantage,mask
  printf '0,0,0,-1.2,-1.4,-1.3,-1.4,0.4,1\n0,0,1,-0.5,-0.3,-0.6,-0.3,0.4,1\n0,1,0,-2,-1.5,-1.9,-1.6,-0.4,1\n'
} > tokens.csv
# A random model stands for the language model.
[ ! -x build/examples/llm/write_random_llama ] || build/examples/llm/write_random_llama model.gguf
count=0
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 }
     inside && /^(mpirun -n [0-9]+ )?build\/examples\// { command = $0; sub(/ +# .*/, "", command); if (!seen[command]++) print command }' \
  "$@" > commands
while IFS= read -r command; do
  if [ "${command#mpirun}" != "$command" ] && [ ! -x build/examples/train/prefopt_train_mpi ]; then
    echo "skipped, without MPI: $command"
    continue
  fi
  if [ "${command#*prefopt_llm}" != "$command" ]; then
    [ -e model.gguf ] || { echo "skipped, without ggml: $command"; continue; }
    # ggml's threads wait for each other in loops: slow where other tests have the cores.
    case $command in *--threads*) ;; *) command="$command --threads 1" ;; esac
  fi
  echo "\$ $command"
  sh -c "$command" > output 2> errors || { cat output errors; exit 1; }
  [ -s output ] || { echo "printed nothing"; exit 1; }
  count=$((count + 1))
done < commands
[ "$count" -gt 0 ] || { echo "found no command in $*"; exit 1; }
for script in cmake/quickstart.sh cmake/test.sh; do
  grep -q "^$script" "$source/README.md" && [ -x "$source/$script" ] || { echo "$script is not as the README says"; exit 1; }
done
echo "$count commands ran"
