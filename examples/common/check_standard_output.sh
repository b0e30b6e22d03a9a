#!/bin/sh
# Usage: check_standard_output.sh PROGRAM: --help into a pipe, a full disk and a closed standard output.
program=$1
errors=$(mktemp) || exit 1
trap 'rm -f "$errors"' EXIT
fail() {
  echo "FAILED: $1: $(cat "$errors")"
  exit 1
}
"$program" --help 2>"$errors" | grep -q -i usage || fail "--help prints no usage"
told() { grep -q 'standard output: ' "$errors" || fail "$1: not told"; }
if [ -c /dev/full ]; then
  "$program" --help >/dev/full 2>"$errors" && fail "--help on a full disk: status 0"
  told "--help on a full disk"
fi
"$program" --help >&- 2>"$errors" && fail "--help on a closed standard output: status 0"
told "--help on a closed standard output"
exit 0
