#!/bin/bash
# Tests of noise_study: test_noise_study.sh CASE PROGRAM SCRATCH
# The cases are the functions below.
set -u

case_name=$1 program=$2 scratch=$3/$1
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Runs the program; its output is in out and err, its exit status in status.
study() {
  "$program" "$@" >out 2>err </dev/null
  status=$?
}

expect_success() {
  study "$@"
  ((status == 0)) || fail "$*: exit status $status: $(cat err)"
}

# expect_error MESSAGE ARGUMENTS...: exit status 2, this line on standard error, nothing on standard output.
expect_error() {
  local message=$1
  shift
  study "$@"
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ -s out ]] && fail "$*: wrote to standard output"
  [[ $(cat err) == "noise_study: $message" ]] || fail "$*: got \"$(cat err)\", expected \"noise_study: $message\""
}

# expect_rows COUNT CONDITION: so many lines of out begin with a number, and the awk condition holds for each.
expect_rows() {
  awk "/^[0-9]/ { ++rows; if (!($2)) { print \"FAILED: \" \$0; bad = 1 } } END { exit bad || rows != $1 }" out ||
    fail "expected $1 rows with $2, got: $(cat out)"
}

help() {
  expect_success --help
  local text
  for text in bandit rankings flips reliability --quick --seeds --tau WinMass heavy_tail 'adpo_kde  ' Examples; do
    grep -qF -- "$text" out || fail "--help does not mention $text"
  done
  awk 'length > 130 { exit 1 }' out || fail "--help has very long lines"
}

bad_options() {
  expect_error "--seeds: got 'x', expected a whole number from 2 to 1000" --seeds x
  expect_error "--seeds: got '1', expected a whole number from 2 to 1000" --seeds 1
  expect_error "--steps: got '-5', expected a whole number from 1 to 1000000" --steps=-5
  expect_error "--width: got '1.5', expected a whole number from 1 to 4096" --width 1.5
  expect_error "--threads: got '0', expected a whole number from 1 to 1024" --threads 0
  expect_error "--tau: got '0', expected a finite number > 0" --tau 0
  expect_error "--tau: got 'nan', expected a finite number > 0" --tau nan
  expect_error "--learning-rate: got 'fast', expected a finite number > 0" --learning-rate fast
  expect_error "PART: got 'bandits', expected bandit, rankings, flips or reliability" bandits
  expect_error "--sedes: unknown option, see --help" --sedes 3
  expect_error "--tau: got 1e-310, expected a number with a finite inverse" --tau 1e-310
  local option
  for option in --seeds --steps --width --learning-rate --tau --beta-reward --out; do
    expect_error "$option: goes with bandit" rankings flips reliability $option 3
  done
  expect_error "--repetitions: goes with rankings and flips" bandit reliability --repetitions 3
  expect_error "--out: is empty, expected a folder" --out ''
  : >file
  expect_error "file/results: cannot be made a folder: Not a directory" bandit --quick --out file/results
}

quick() {
  expect_success --quick --threads 1 --out one
  cp out first
  local text
  for text in heavy_tail outliers shift flips 'anchored / unanchored' 'listwise / pairwise' 'rankings: ' 'flips: ' \
    'reliability: '; do
    grep -qF "$text" out || fail "no table of $text"
  done
  (($(grep -c '^adpo_copies_when_far ' out) == 4)) || fail "a method is not in every table"
  (($(wc -l <one/runs.csv) == 1 + 12 * 2 * 22)) || fail "runs.csv has $(wc -l <one/runs.csv) lines"
  if command -v gnuplot >/dev/null; then
    ls one/results.[ps]* >/dev/null || fail "no picture: $(cat err)"
  else
    grep -q 'gnuplot is not installed' err || fail "no note that there is no picture"
  fi
  expect_success --quick --threads 2 --out two
  cmp -s out first || fail "two threads print something else than one"
  cmp -s one/runs.csv two/runs.csv || fail "two threads write something else than one"
  expect_success bandit --quick --seed 2 --out two
  grep -q 'replaces the results of an earlier run' err || fail "does not tell that it replaces results"
  cmp -s one/runs.csv two/runs.csv && fail "another seed gives the same numbers"
  if [[ -c /dev/full ]]; then
    "$program" reliability --quick >/dev/full 2>err && fail "status 0 on a full disk"
  fi
}

# Other seeds draw other numbers in every part; the standard one is 1.
seeds() {
  local part
  for part in rankings flips reliability; do
    expect_success $part --quick
    cp out first
    expect_success $part --quick --seed 1
    cmp -s out first || fail "$part: seed 1 is not the standard one"
    expect_success $part --quick --seed 2
    cmp -s out first && fail "$part: another seed gives the same numbers"
    expect_success $part --quick --seed 0
    cmp -s out first && fail "$part: seed 0 gives the numbers of seed 1"
  done
}

# What is refused in the middle of the work leaves the results of an earlier run.
endless() {
  local option causes
  expect_success bandit --quick --steps 5 --out run
  cp -r run before
  for option in '--learning-rate 1e30' '--tau 1e-30' '--beta-reward 1e-300'; do
    causes='--learning-rate, --tau or --beta-reward'
    [[ $option == *e30 ]] && causes=--learning-rate
    # shellcheck disable=SC2086
    study bandit --quick --steps 5 --threads 1 --out run $option
    ((status == 2)) || fail "$option: exit status $status"
    tail -n 1 err | grep -q "^noise_study: $causes: in step [0-9]* of [a-z_ ]* a log-prob has become -\?[a-z]*; a smaller rate .*may help$" ||
      fail "$option: $(tail -n 1 err)"
    diff -r run before || fail "$option: the earlier results are not what they were"
  done
  # The last step's policy is not trained further, and scored all the same.
  study bandit --quick --steps 1 --threads 1 --tau 1e-30 --out run
  ((status == 2)) && grep -q 'in step 1 of dpo a log-prob has become nan' err || fail "one step: exit status $status: $(tail -n 1 err)"
  mkdir -p other/means.csv
  expect_error "other/means.csv: is in the way of the new results: it is a folder" bandit --quick --out other
}

# K, then mean and interval for plackett_luce, info_nce, best_versus_worst.
rankings() {
  expect_success rankings
  expect_rows 5 '($1 == 2 || ($2 < longer && $2 < $5 && $5 < $8)) && (longer = $2)'
}

# Flip rate, then mean and interval for dpo, cdpo, rdpo, then the cosines, which hardly differ.
flips() {
  expect_success flips --repetitions 10
  expect_rows 4 '$8 < $2 && $2 < $5 && $11 > 0.97 && $11 - $13 < 0.002 && $13 - $11 < 0.002'
}

# eta*, then value and steps from each start, the rate, and the mean and deviation of the run in batches.
reliability() {
  expect_success reliability
  expect_rows 6 'sqrt(($2 - $1)^2) < 0.01 && sqrt(($4 - $1)^2) < 0.01 && sqrt(($7 - $1)^2) < 0.01 && $8 < 0.02'
}

# What is expected to come out again wherever it is run, and no more.
claims() {
  expect_success bandit --seeds 3 --steps 300 --out run
  awk -F, '
    { mean[$1, $2, $3] = $4; at[$1, $2] = $1 }
    function ahead(place, one, other) {
      if (mean[place, one] <= mean[place, other]) { print "FAILED: " place ": " one " is behind " other; bad = 1 }
    }
    END {
      delete at["corruption", "strength"]
      for (place in at) {
        ++places
        split("dpo adpo_pairwise adpo_listwise adpo_kde", anchored, " ")
        for (i in anchored) ahead(place, anchored[i], anchored[i] "_unanchored")
        if (at[place] == "flips") {
          ahead(place, "adpo_kde", "dpo")
          ahead(place, "adpo_kde", "adpo_pairwise")
          ahead(place, "adpo_listwise", "adpo_pairwise")
        }
      }
      exit bad || places != 12
    }' run/means.csv || fail "a claim did not hold: $(cat out)"
  (($(grep -cE '^a?dpo.* 12 of 12$' out) >= 4)) || fail "the report does not say what held"
}

"$case_name"
((failures == 0))
