#!/bin/bash
# Tests of the programs here, and of the script that builds them: test_bench.sh CASE BUILD_DIR/bench SCRATCH
# The cases are the functions below; 77 where what is tested has not been built.
set -u

case_name=$1 programs=$2 scratch=$3/$1
sources=$(cd "$(dirname "$0")" && pwd)
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# measures PROGRAM PATTERN COUNTER...: some cases are measured, and all have these counters.
measures() {
  local program=$1 pattern=$2 cases counter
  [[ $program == */* ]] || program=$programs/$program
  shift 2
  "$program" --benchmark_filter="$pattern" --benchmark_min_time=0.001 --benchmark_format=json >out 2>err ||
    fail "$program $pattern: exit status $?: $(cat err)"
  cases=$(grep -c '"run_name"' out)
  ((cases > 0)) || fail "$program $pattern: no such case"
  for counter in "$@"; do
    (($(grep -cE "\"$counter\": [0-9.e+-]+,?$" out) == cases)) || fail "$program $pattern: not a $counter in every case"
  done
}

families() {
  measures prefopt_bench '^pair/dpo/f32/64$' pairs_per_second call_seconds of_limit
  measures prefopt_bench '^pair/tdpo/f64/64$' pairs_per_second of_limit
  measures prefopt_bench '^unpaired/kto/f32/64$' completions_per_second of_limit of_dpo_pair
  measures prefopt_bench '^tokens/grpo/f32/64$' tokens_per_second of_limit of_dpo_pair
  measures prefopt_bench '^list/plackett_luce/f32/K:4/1024$' candidates_per_second of_limit of_dpo_pair
  measures prefopt_bench '^token_logprobs/f.*/in_cache$' logits_per_second of_limit log_prob_ulp log_prob_ulp_one_hot
  measures prefopt_bench '^token_logprobs/backward/.*/in_cache$' logits_per_second of_limit
  measures prefopt_bench '^token_logprobs/.*/in_cache/threads:2$' logits_per_second of_limit of_one_thread
  measures prefopt_bench '^linear/.*/tokens:64/' logits_per_second of_products extra_MiB all_logits_MiB
}

onednn() {
  "$programs/prefopt_bench" --benchmark_list_tests | grep /onednn/ >/dev/null || exit 77
  measures prefopt_bench '^token_logprobs/forward/.*f(32|16)/.*/in_cache$' logits_per_second of_limit
  (($(grep -c of_onednn out) == 2)) || fail "oneDNN's log-softmax is measured $(grep -c of_onednn out) times, expected 2"
  grep -q error_message out && fail "$(grep error_message out)"
}

torch_families() {
  [[ -x $programs/prefopt_bench_torch ]] || exit 77
  measures prefopt_bench_torch '^pair/(dpo|ipo|simpo)/f32/64$' pairs_per_second call_seconds
  (($(grep -c '"run_name"' out) == 3)) || fail "dpo, ipo and simpo are not all there"
  grep -q error_message out && fail "$(grep error_message out)"
  measures prefopt_bench_torch '^token_logprobs/.*/in_cache$' logits_per_second log_prob_ulp
}

torch_compile() {
  local python=${XDG_CACHE_HOME:-$HOME/.cache}/prefopt/torch-compile-${TORCH:-2.13.0}/bin/python
  # Without torch, the names and what is wrong with the options.
  python3 "$sources/torch_compile.py" --benchmark_list_tests >out 2>err || fail "exit status $?: $(cat err)"
  [[ $(grep -cE '^pair/(dpo|ipo|simpo)/f32/(64|4096|65536|1048576)$' out) == 12 && $(wc -l <out) == 12 ]] ||
    fail "the cases are: $(cat out)"
  [[ $(python3 "$sources/torch_compile.py" --benchmark_list_tests --benchmark_filter='^pair/ipo/f32/64$') == pair/ipo/f32/64 ]] ||
    fail "does not filter"
  local option
  for option in --benchmark_format=console --benchmark_min_time=long '--benchmark_filter=(' --verbose; do
    python3 "$sources/torch_compile.py" "$option" >out 2>err
    (($? == 2)) && [[ ! -s out && $(wc -l <err) == 1 ]] || fail "$option: $(cat out err)"
  done
  [[ -x $python ]] || exit 77
  printf '#!/bin/sh\nexec "%s" -W ignore "%s" "$@"\n' "$python" "$sources/torch_compile.py" >program
  chmod +x program
  measures ./program '^pair/simpo/f32/64$' pairs_per_second call_seconds
  grep -q '"torch": "[0-9.]* with torch.compile"' out || fail "does not say which torch it is"
}

# Log-probs are as exact as the library promises: 2 ULP, and of the rows here 2 + |log(1 - p)| < 12 at most.
accuracy() {
  measures prefopt_bench '^token_logprobs/f.*/in_cache$' log_prob_ulp
  awk '/"log_prob_ulp": / { gsub(",", ""); if (!($2 <= 12)) { print "FAILED: " $0; bad = 1 } } END { exit bad }' out ||
    fail "a log-prob is off"
}

# stand_in NAME RATE...: a benchmark program in build/bench that has one case, logs its runs and gives one rate after
# the other.
stand_in() {
  local name=$1 case=$2
  shift 2
  mkdir -p build/bench
  printf '%s\n' "$@" >"rates_$name"
  cat >"build/bench/$name" <<END
#!/bin/bash
if [[ \$1 == --benchmark_list_tests ]]; then echo "$case"; exit; fi
echo $name >>"$scratch/order"
read -r rate <"$scratch/rates_$name"
sed -i 1d "$scratch/rates_$name"
echo '{"context": {"date": "2001-02-03T04:05:06", "compiler": "C", "instruction_set": "I", "torch": "of $name"},
  "benchmarks": [{"name": "$case", "logits_per_second": '\$rate', "of_limit": 0.5, "log_prob_ulp": 0.75}]}'
END
  chmod +x "build/bench/$name"
}

compare() {
  "$programs/compare" "$@" >out 2>err </dev/null
  status=$?
}

# refuses MESSAGE ARGUMENTS...: exit status 2, this line on standard error, nothing on standard output.
refuses() {
  local message=$1
  shift
  compare "$@"
  ((status == 2)) || fail "compare $*: exit status $status, expected 2"
  [[ -s out ]] && fail "compare $*: wrote to standard output"
  [[ $(cat err) == "compare: $message" ]] || fail "compare $*: got \"$(cat err)\", expected \"compare: $message\""
}

compare_table() {
  stand_in prefopt_bench token_logprobs/forward_backward_inplace/f32/V:9 4e9 9e9 6e9
  stand_in prefopt_bench_torch token_logprobs/forward_backward/f32/V:9 8e9 1e9 2e9
  compare build --repetitions 3
  ((status == 0)) || fail "exit status $status: $(cat err)"
  [[ $(tr '\n' ' ' <order) == "prefopt_bench prefopt_bench_torch prefopt_bench prefopt_bench_torch prefopt_bench prefopt_bench_torch " ]] ||
    fail "not in turns: $(cat order)"
  # Medians of 4 9 6, of 8 1 2, and of the ratios 0.5 9 3.
  grep -qE '^token_logprobs/forward_backward_inplace/f32/V:9 +logits +6.00 G +0.50 +2.00 G +3.00 +0.50 .. 9.00 +0.75 +0.75 *$' out ||
    fail "the table is: $(cat out)"
  grep -q 'torch is faster in no case' out || fail "does not say that no case is lost"
  grep -q '2001-02-03' out || fail "does not tell the date"
  stand_in prefopt_bench token_logprobs/forward/f32/V:9 1e9
  stand_in prefopt_bench_torch token_logprobs/forward/f32/V:9 4e9
  compare build --repetitions 1
  grep -q 'torch is faster in 1 of 1' out || fail "hides a case that is lost"
}

compare_several() {
  stand_in prefopt_bench token_logprobs/forward/f32/V:9 4e9 6e9 1e9 2e9
  stand_in torch_a token_logprobs/forward/f32/V:9 2e9 2e9
  stand_in torch_b token_logprobs/forward/f32/V:9 4e9 4e9
  stand_in without_it pair/dpo/f32/64
  compare build --repetitions 2 --torch build/bench/torch_a --torch build/bench/without_it --torch build/bench/torch_b
  ((status == 0)) || fail "exit status $status: $(cat err)"
  [[ $(tr '\n' ' ' <order) == "prefopt_bench torch_a prefopt_bench torch_a prefopt_bench torch_b prefopt_bench torch_b " ]] ||
    fail "not in turns: $(cat order)"
  [[ $(grep -oE 'torch of .*, I|^token.*|.*no case.*|.*1 of 1' out | tr -s ' ' | cut -d ' ' -f 1-8) == "torch of torch_a, I
token_logprobs/forward/f32/V:9 logits 5.00 G 0.50 2.00 G 2.50
torch is faster in no case.
torch of torch_b, I
token_logprobs/forward/f32/V:9 logits 1.50 G 0.50 4.00 G 0.38
torch is faster in 1 of 1" ]] || fail "the tables are: $(cat out)"
}

# timed DIR TIME...: a build in DIR whose benchmarks take one time after the other, in microseconds.
timed() {
  local build=$1
  shift
  mkdir -p "$build/bench"
  printf '%s\n' "$@" >"times_$build"
  cat >"$build/bench/prefopt_bench" <<END
#!/bin/bash
if [[ \$1 == --benchmark_list_tests ]]; then printf '%s\n' pair/dpo/f32/64 only_in_$build pair/dpo/f32/9/threads:2; exit; fi
echo $build >>"$scratch/order"
read -r time <"$scratch/times_$build"
sed -i 1d "$scratch/times_$build"
real=\$time cpu=1
[[ \$* == *threads:* ]] || real=1 cpu=\$time
echo '{"context": {"date": "2001-02-03T04:05:06", "executable": "$build", "compiler": "C", "instruction_set": "I"},
  "benchmarks": [{"name": "x", "cpu_time": '\$cpu', "real_time": '\$real', "time_unit": "us"}]}'
END
  chmod +x "$build/bench/prefopt_bench"
}

compare_builds() {
  timed new 2 100 6 130 3 120
  timed old 4 100 4 100 4 100
  compare new --against old --repetitions 3
  ((status == 0)) || fail "exit status $status: $(cat err)"
  # Each case once, then the other one first.
  [[ $(tr '\n' ' ' <order) == "new old new old old new old new new old new old " ]] || fail "not in turns: $(cat order)"
  # Medians of 2 6 3 and of 0.5 1.5 0.75; of 100 130 120 and of 1 1.3 1.2.
  grep -qE '^pair/dpo/f32/64 +3 us +4 us +0.750 +0.500 .. 1.500 *$' out || fail "the table is: $(cat out)"
  grep -qE '^pair/dpo/f32/9/threads:2 +120 us +100 us +1.200 +1.000 .. 1.300 *$' out || fail "the table is: $(cat out)"
  grep -q 'together 0.949 (geometric mean); slower by more than 3 %: 1 of 2' out || fail "the last line is: $(tail -1 out)"
  grep -q 'only_in' out && fail "shows a case of one build only"
  mkdir -p empty/bench
  printf '#!/bin/sh\n' >empty/bench/prefopt_bench
  chmod +x empty/bench/prefopt_bench
  refuses "the two builds have no case in common" new --against empty
  refuses "--only: no case's name contains 'list'" new --against old --only list
  refuses "nowhere/bench/prefopt_bench: there is no such program: build it first, see README" new --against nowhere
  refuses "--picture: is of prefopt and torch, and does not go with --against" new --against old --picture a.svg
  refuses "--torch: does not go with --against, which compares two builds of prefopt" new --against old --torch a
  # The medians of their turns, where both tell them.
  timed new 9 9
  timed old 9 9
  sed -i 's/"time_unit"/"call_seconds": 3e-6, &/' new/bench/prefopt_bench
  compare new --against old --repetitions 1
  grep -qE '^pair/dpo/f32/64 +9 us +9 us +1.000 ' out || fail "a median against a mean: $(cat out)"
  timed old 9 9
  timed new 9 9
  sed -i 's/"time_unit"/"call_seconds": 3e-6, &/' new/bench/prefopt_bench
  sed -i 's/"time_unit"/"call_seconds": 4e-6, &/' old/bench/prefopt_bench
  compare new --against old --repetitions 1
  grep -qE '^pair/dpo/f32/64 +3 us +4 us +0.750 ' out || fail "not by the medians: $(cat out)"
}

compare_picture() {
  command -v gnuplot >/dev/null || exit 77
  local ending
  for ending in svg png; do
    stand_in prefopt_bench token_logprobs/forward/f32/V:9 4e9
    stand_in prefopt_bench_torch token_logprobs/forward/f32/V:9 1e9
    compare build --repetitions 1 --picture picture.$ending
    ((status == 0)) || fail "exit status $status: $(cat err)"
    [[ -s picture.$ending ]] || fail "no picture.$ending"
    [[ -e picture.$ending.part ]] && fail "leaves an unfinished picture"
  done
  grep -q prefopt picture.svg || fail "the picture does not name prefopt"
}

compare_help() {
  compare --help
  ((status == 0)) || fail "--help: exit status $status"
  local text
  for text in BUILD_DIR --against --torch cmake/bench.sh --picture --repetitions --seconds --only ATEN_CPU_CAPABILITY Examples; do
    grep -qF -- "$text" out || fail "--help does not mention $text"
  done
}

compare_bad_input() {
  refuses "BUILD_DIR: not given, see --help"
  refuses "nowhere/bench/prefopt_bench: there is no such program: build it first, see README" nowhere
  stand_in prefopt_bench pair/dpo/f32/64 1 1
  refuses "build/bench/prefopt_bench_torch: there is no such program: it is built where CMake finds Torch (Debian: libtorch-dev)" build
  stand_in prefopt_bench_torch pair/dpo/f32/65 1
  refuses "the two programs have no case in common" build
  stand_in prefopt_bench_torch pair/dpo/f32/64 1
  refuses "--only: no case's name contains 'list'" build --only list
  refuses "nowhere: there is no such program: --torch is to name one" build --torch nowhere
  refuses "--repetitions: got '0', expected a whole number from 1 to 1000" build --repetitions 0
  refuses "--seconds: got 'long', expected a number > 0, at most 3600" build --seconds long
  refuses "--picture: got 'a.jpg', expected a name that ends in .svg or .png" build --picture a.jpg
  refuses "--picture: 'no/folder' is not a folder" build --picture no/folder/a.svg
  refuses "--pictures: unknown option, see --help" build --pictures
  printf '#!/bin/sh\n[ "$1" = --benchmark_list_tests ] && echo pair/dpo/f32/64 && exit\nexit 3\n' >build/bench/prefopt_bench
  compare build --repetitions 1
  ((status == 2)) && [[ ! -s out ]] && grep -q 'exit status 3' err || fail "a program that fails: status $status, $(cat err)"
  PATH=$scratch/build "$programs/compare" build --picture a.svg >out 2>err </dev/null
  status=$?
  ((status == 2)) && [[ $(cat err) == "compare: --picture: gnuplot is not installed (Debian: gnuplot-nox)" ]] ||
    fail "without gnuplot: status $status, $(cat err)"
}

script() {
  local text
  bash "$sources/../cmake/bench.sh" --help >out 2>err || fail "--help: exit status $?: $(cat err)"
  for text in --peers pypi compile installed --against --only --repetitions --seconds --picture --build-only Examples \
    ATEN_CPU_CAPABILITY JOBS; do
    grep -qF -- "$text" out || fail "--help does not mention $text"
  done
  # All of compare's options are passed on.
  "$programs/compare" --help >of_compare || fail "compare --help: exit status $?"
  for text in $(grep -oE -- '--[a-z]+' of_compare | sort -u); do
    [[ $text == --torch ]] || grep -qF -- "$text " out || fail "cmake/bench.sh --help does not mention $text"
  done
  # scolds MESSAGE ARGUMENTS...: before anything is built.
  scolds() {
    local message=$1
    shift
    bash "$sources/../cmake/bench.sh" "$@" >out 2>err </dev/null
    status=$?
    ((status == 2)) || fail "bench.sh $*: exit status $status, expected 2"
    [[ ! -s out && $(cat err) == "cmake/bench.sh: $message" ]] || fail "bench.sh $*: got \"$(cat out err)\", expected \"$message\""
  }
  scolds "--pears: unknown option, see --help" --pears
  scolds "'build': unexpected argument, see --help" build
  scolds "--only needs a value, see --help" --only
  scolds "--peers: got 'pypi,jax', expected none, or of pypi, compile and installed one or more with commas between them" --peers pypi,jax
  scolds "--peers: got none, expected --against or --build-only with it" --peers none
  scolds "--against: there is no nowhere/bench/prefopt_bench, expected a folder that prefopt's benchmarks have been built in" --against nowhere
  scolds "--repetitions: got '0', expected a whole number from 1 to 1000" --repetitions 0
  scolds "--seconds: got '0.0', expected a number > 0, at most 3600" --seconds 0.0
  scolds "--picture: got 'a.jpg', expected a name that ends in .svg or .png" --picture a.jpg
}

"$case_name"
((failures == 0))
