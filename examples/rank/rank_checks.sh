# What the tests of prefopt_rank share: sourced by them after csv_program_checks.sh, of what was run last.

# near VALUE TOLERANCE GOT
near() {
  awk -v y="$1" -v tolerance="$2" -v x="$3" 'BEGIN { exit !(x != "" && x - y <= tolerance && y - x <= tolerance) }' ||
    fail "$name: a number" "$1 within $2" "$3"
}
worth() { awk -F, -v item="$1" '$1 == item { print $2 }' "$folder/out"; }
error_of() { awk -F, -v item="$1" '$1 == item { print $3 }' "$folder/out"; }
log_likelihood() { sed -n '$s/^# log-likelihood: //p' "$folder/out"; }
# The worth less the mean of all.
centred() {
  sed '1d; /^#/d' "$folder/out" | awk -F, -v item="$1" '
    { sum += $2; ++items }
    $1 == item { worth = $2 }
    END { printf "%.17g", worth - sum / items }'
}
# Of a parameter of ties.
parameter() { sed -n "s/^# $1: \(.*\), stderr .*/\1/p" "$folder/out"; }
parameter_error() { sed -n "s/^# $1: .*, stderr //p" "$folder/out"; }
