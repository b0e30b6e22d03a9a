#!/usr/bin/env bash
# check_format.sh ROOT [CLANG-FORMAT]: every source under ROOT is as clang-format 14 leaves it; other versions format
# constraints differently. Prints the first offences. Exit status 77: not checked.
set -euo pipefail
root=$1 program=${2:-clang-format}
version=$("$program" --version 2>/dev/null) || {
  echo "Skipped: there is no $program"
  exit 77
}
[[ $version =~ version\ ([0-9]+) && ${BASH_REMATCH[1]} -eq 14 ]] || {
  echo "Skipped: clang-format 14 is expected, $program is: $version"
  exit 77
}

cd "$root"
# A folder with a CMakeCache.txt is a build.
mapfile -d '' -t sources < <(find include tests bench examples -type d -exec test -e '{}/CMakeCache.txt' \; -prune -o \
  -type f \( -name '*.hpp' -o -name '*.cpp' \) -print0 | sort -z)
[ "${#sources[@]}" -ne 0 ] || {
  echo "There are no sources under $root"
  exit 1
}
offences=$("$program" --style=file:.clang-format --dry-run --Werror "${sources[@]}" 2>&1) && {
  echo "${#sources[@]} files are formatted"
  exit 0
}
head -n 30 <<<"$offences"
echo "Not formatted: run $program -i on"
sed -n 's/^\(.*\):[0-9]*:[0-9]*: error: .*/  \1/p' <<<"$offences" | sort -u
exit 1
