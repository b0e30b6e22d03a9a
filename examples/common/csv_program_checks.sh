# What the tests of the CSV programs share: sourced by them, with the program's path in $1.
# accepts and refuses run it on an input given as a printf format; failures are counted, and reported by finish.

program=$1
name=$(basename "$program")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
checks=0
failures=0

fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$1"
  [ $# -lt 2 ] || printf '  expected: %s\n  got:      %s\n' "$2" "$3"
}

run() {
  printf "$1" >"$folder/in.csv"
  shift
  "$program" "$@" <"$folder/in.csv" >"$folder/out" 2>"$folder/err"
  status=$?
  checks=$((checks + 1))
}

# accepts OUTPUT INPUT [ARGUMENT]...: status 0 and exactly these lines on standard output, or any if OUTPUT is empty.
accepts() {
  expected=$1
  shift
  run "$@"
  shift
  [ $status -eq 0 ] || fail "$name $*: status $status" 0 "$(cat "$folder/err")"
  [ -z "$expected" ] || [ "$(cat "$folder/out")" = "$expected" ] ||
    fail "$name $*: standard output" "$expected" "$(cat "$folder/out")"
}

# refuses MESSAGE INPUT [ARGUMENT]...: status 2, nothing on standard output, one line on standard error: this message.
refuses() {
  expected="$name: $1"
  shift
  run "$@"
  shift
  [ $status -eq 2 ] || fail "$name $*: status" 2 $status
  [ ! -s "$folder/out" ] || fail "$name $*: wrote to standard output"
  [ "$(cat "$folder/err")" = "$expected" ] || fail "$name $*: message" "$expected" "$(cat "$folder/err")"
}

# The same for a message that begins so.
refuses_beginning() {
  beginning="$name: $1"
  shift
  run "$@"
  shift
  [ $status -eq 2 ] && [ ! -s "$folder/out" ] && [ "$(wc -l <"$folder/err")" -eq 1 ] || fail "$name $*: status $status"
  case $(cat "$folder/err") in "$beginning"*) ;; *) fail "$name $*: message" "$beginning" "$(cat "$folder/err")" ;; esac
}

# Output that cannot be written is a failure of the program.
refuses_full_disk() {
  [ -c /dev/full ] || return 0
  printf "$1" >"$folder/in.csv"
  shift
  checks=$((checks + 1))
  if "$program" "$@" <"$folder/in.csv" >/dev/full 2>"$folder/err"; then fail "$name: status 0 on a full disk"; fi
}

finish() {
  printf '%s: %d checks, %d failed\n' "$name" $checks $failures
  [ $checks -gt 0 ] && [ $failures -eq 0 ]
}
