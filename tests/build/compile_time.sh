#!/usr/bin/env bash
# compile_time.sh SECONDS HEADER COMPILER [FLAG]…: a file that includes just the header compiles within the limit. What
# counts is the compiler's own CPU time, the best of three: others may be using this machine.
set -euo pipefail
limit=$1 header=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "#include <$header>" >"$folder/only.cpp"
TIMEFORMAT=%U
best=
for _ in 1 2 3; do
  seconds=$({ time "$@" -std=c++20 -O2 -c "$folder/only.cpp" -o "$folder/only.o" >&2; } 2>&1) && [[ $seconds =~ ^[0-9.]+$ ]] || {
    echo "$seconds"
    exit 1
  }
  best=$(printf '%s\n' ${best:+"$best"} "$seconds" | sort -g | head -n 1)
done
echo "<$header>: $best s with $1, the limit is $limit s"
awk -v a="$best" -v b="$limit" 'BEGIN { exit !(a < b) }'
