#!/usr/bin/env bash
# compile_time.sh LIMIT FILE COMPILER [FLAG]…: the file, or one that includes just a header FILE, takes at most LIMIT times
# as long to compile as one that includes <regex>. Others may be using this machine and its memory, which only ever adds to
# a time: the two are compiled in turns, and what counts is the least time of each.
set -euo pipefail
limit=$1 what=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
case $what in
  *.cpp) cp "$what" "$folder/file.cpp" ;;
  *) echo "#include <$what>" >"$folder/file.cpp" ;;
esac
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

for turn in {1..15}; do
  regex=$(cpu_seconds regex "$@") || exit 1
  seconds=$(cpu_seconds file "$@") || exit 1
  echo "$regex $seconds" >>"$folder/times"
  read -r ratio seconds < <(awk 'NR == 1 || $1 < a { a = $1 } NR == 1 || $2 < b { b = $2 } END { print b / a, b }' "$folder/times")
  # A busy machine gets more turns to show its least times.
  if [ "$turn" -ge 5 ] && awk -v ratio="$ratio" -v limit="$limit" 'BEGIN { exit !(ratio < limit) }'; then break; fi
done
awk -v ratio="$ratio" -v seconds="$seconds" -v limit="$limit" -v what="${what##*/}" -v compiler="$1" 'BEGIN {
  printf "%s: %.2f times <regex> with %s (%.2f s here), the limit is %s\n", what, ratio, compiler, seconds, limit
  exit !(ratio < limit)
}'
