#!/usr/bin/env bash
# compile_time.sh SECONDS HEADER COMPILER [FLAG]…: a file that includes just the header compiles within the limit, in CPU
# time of a machine on which <regex> takes 0.72 s (GCC 12, 2.5 GHz). Others may be using this machine, and slow it down by
# half: the two are compiled in turns, and what counts is the median of their ratios.
set -euo pipefail
limit=$1 header=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "#include <$header>" >"$folder/header.cpp"
echo "#include <regex>" >"$folder/regex.cpp"
TIMEFORMAT=%U
cpu_seconds() { # cpu_seconds NAME COMPILER [FLAG]…
  local file=$folder/$1.cpp seconds
  shift
  seconds=$({ time "$@" -std=c++20 -O2 -c "$file" -o "$folder/object.o" >&2; } 2>&1) && [[ $seconds =~ ^[0-9.]+$ ]] || {
    echo "$seconds" >&2
    exit 1
  }
  echo "$seconds"
}

for _ in 1 2 3; do
  regex=$(cpu_seconds regex "$@") || exit 1
  seconds=$(cpu_seconds header "$@") || exit 1
  awk -v a="$seconds" -v b="$regex" 'BEGIN { print a / b, a }'
done | sort -g >"$folder/ratios"
read -r ratio seconds < <(sed -n 2p "$folder/ratios")
awk -v ratio="$ratio" -v seconds="$seconds" -v limit="$limit" -v header="$header" -v compiler="$1" 'BEGIN {
  printf "<%s>: %.2f s with %s, the limit is %s s (%.2f s here, %.2f of <regex>)\n", header, ratio * 0.72, compiler, limit, seconds, ratio
  exit !(ratio * 0.72 < limit)
}'
