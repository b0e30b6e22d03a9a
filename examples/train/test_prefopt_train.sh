#!/bin/bash
# Tests of prefopt_train: test_prefopt_train.sh CASE PROGRAM SCRATCH SOURCE
# The cases are the functions below; 77 stands for "skipped".
set -u

case_name=$1 program=$2 scratch=$3/$1 source=$4
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
run=run
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Runs the program; its output is in out and err, its exit status in status.
train() {
  "$program" "$@" >out 2>err </dev/null
  status=$?
}

# The last line of standard output, which other programs read.
last_line='^held-out accuracy: [01]\.[0-9]{3} -> [01]\.[0-9]{3} \(95 % interval [01]\.[0-9]{3}\.\.[01]\.[0-9]{3}, [0-9]+ (pairs|completions)( of [0-9]+ (groups|prompts))?\)$'

# expect_learning FILE LEAST: the last line has the right form and an accuracy of at least LEAST thousandths.
expect_learning() {
  [[ $(tail -n 1 "$1") =~ $last_line ]] || { fail "last line: $(tail -n 1 "$1")"; return; }
  local after low
  after=$(sed -nE '$s/.*-> ([01])\.([0-9]{3}) .*/\1\2/p' "$1")
  low=$(sed -nE '$s/.*interval ([01])\.([0-9]{3})\.\..*/\1\2/p' "$1")
  ((10#$after >= $2)) || fail "accuracy: $(tail -n 1 "$1"), expected at least $2 / 1000"
  ((10#$low > 500)) || fail "interval reaches chance: $(tail -n 1 "$1")"
}

# expect_error TEXT ARGUMENTS...: exit status 2, one line on standard error that has the text, nothing on standard output.
expect_error() {
  local text=$1
  shift
  train --out "$run" "$@"
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ -s out ]] && fail "$*: wrote to standard output"
  (($(wc -l <err) == 1)) || fail "$*: $(wc -l <err) lines on standard error"
  grep -qF -- "prefopt_train: " err && grep -qF -- "$text" err || fail "$*: got \"$(cat err)\", expected \"$text\""
}

# expect_told TEXT ARGUMENTS...: exit status 2, and what the error is in the last line, of a run that has begun.
expect_told() {
  local text=$1
  shift
  train --out "$run" "$@"
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ $(tail -n 1 err) == "$text" ]] || fail "$*: got \"$(tail -n 1 err)\", expected \"$text\""
}

learns() {
  train --out run
  ((status == 0)) || fail "exit status $status: $(cat err)"
  expect_learning out 800
  grep -q '^accuracy  *0\.500 ' out || fail "the table does not begin at 0.500"
  (($(wc -l <run/metrics.csv) == 8)) || fail "metrics.csv has $(wc -l <run/metrics.csv) lines, expected 8"
  ls run/curves.* >/dev/null || fail "no curves"
  # 113 prompts and those of the dialogues, which come after a mark, are 187 prompts, of which a fifth is held out.
  grep -qE '^dpo, beta 0.1: 3[0-9]{2} pairs to train on, [0-9]+ held out, from ' err || fail "the run does not tell what it does"
  grep -q ' pairs of 37 prompts)$' out || fail "$(tail -n 1 out), expected 37 prompts"
  cp out first
  train --out run
  cmp -s out first || fail "a second run gives other numbers"
  grep -q 'replaces the results of an earlier run' err || fail "the second run does not tell that it replaces the first"
  mkdir own
  printf 'prompt,chosen,rejected\nprecious,b,c\n' >own/metrics.csv
  train --out own
  ((status == 2)) || fail "a file of a result's name: exit status $status"
  grep -q '^prefopt_train: own/metrics.csv: lies there without the checkpoint of an earlier run' err || fail "got \"$(cat err)\""
  grep -q precious own/metrics.csv || fail 'a file is lost'
  train --data own/metrics.csv --out own
  grep -q "^prefopt_train: --data: got 'own/metrics.csv', which this run would replace" err || fail "got \"$(cat err)\""
}

# Output that cannot be written is a failure that is told.
full_disk() {
  [[ -c /dev/full ]] || exit 77
  "$program" --out run --epochs 0 --sft-epochs 0 >/dev/full 2>err </dev/null && fail "exit status 0 on a full disk"
  grep -q '^prefopt_train: standard output: ' err || fail "got \"$(cat err)\""
  "$program" --help >/dev/full 2>err </dev/null && fail "--help: exit status 0 on a full disk"
  grep -q '^prefopt_train: standard output: ' err || fail "--help: got \"$(cat err)\""
  "$program" --help >&- 2>err </dev/null && fail "--help: exit status 0 on a closed standard output"
  grep -q '^prefopt_train: standard output: ' err || fail "--help, closed: got \"$(cat err)\""
  "$program" --out run --epochs 0 --sft-epochs 0 >&- 2>err </dev/null && fail "exit status 0 on a closed standard output"
  grep -q '^prefopt_train: standard output: ' err || fail "closed: got \"$(cat err)\""
}

# Every loss and modifier, with each policy that it goes with, runs and gives the last line.
losses() {
  local options=(--epochs 1 --sft-epochs 1)
  for loss in dpo cdpo rdpo ipo ipo_mean simpo ln_dpo hinge cpo bradley_terry \
    "smoothed --base simpo" "labelled --base dpo" "unbiased --base ipo" "lcpo --base dpo --beta 0.2" "lcpo --base simpo" aot; do
    # shellcheck disable=SC2086
    train --out run --loss $loss "${options[@]}"
    ((status == 0)) || fail "ngram, $loss: $(cat err)"
    [[ $(tail -n 1 out) =~ $last_line ]] || fail "ngram, $loss: last line $(tail -n 1 out)"
  done
  for loss in dpo cdpo rdpo ipo hinge cpo "bradley_terry --center 0.01" "labelled --base bradley_terry" "lcpo --base bradley_terry"; do
    # shellcheck disable=SC2086
    train --out run --policy linear --loss $loss
    ((status == 0)) || fail "linear, $loss: $(cat err)"
    expect_learning out 800
  done
}

reliability() {
  train --out run --loss lcpo --base dpo --epochs 8
  ((status == 0)) || fail "exit status $status: $(cat err)"
  local trusted doubted
  trusted=$(sed -nE 's/^"ada",([01])\.([0-9]{3}).*/\1\2/p' run/reliability.csv)
  doubted=$(sed -nE 's/^"cleo",([01])\.([0-9]{3}).*/\1\2/p' run/reliability.csv)
  ((10#$trusted > 10#$doubted + 50)) || fail "ada $trusted, cleo $doubted: the careless annotator was not found out"
  grep -q '  cleo: 0\.' out || fail "the reliabilities are not printed"
}

# The bundled ranked records, by list losses.
learns_ranked() {
  for loss in adpo pro plackett_luce; do
    train --out run --loss $loss
    ((status == 0)) || fail "$loss: exit status $status: $(cat err)"
    expect_learning out 780
    local before
    before=$(sed -nE '$s/^held-out accuracy: ([01])\.([0-9]{3}) .*/\1\2/p' out)
    ((10#$before < 520)) || fail "$loss: begins at $before / 1000"
    grep -q '^best probability ' out || fail "$loss: no probability of the best"
    # 110 prompts and those of the dialogues, 147.
    grep -q ' pairs of 29 prompts)$' out || fail "$loss: $(tail -n 1 out), expected 29 prompts"
    grep -qE ': 1[0-9]{2} groups to train on, [0-9]{2} held out, from ' err || fail "$loss: the run does not tell what it does"
    [[ $(head -n 1 run/metrics.csv) == *,held_out_best_probability ]] || fail "$loss: $(head -n 1 run/metrics.csv)"
  done
  grep -q '^plackett_luce, .*, break_ties 1: ' err || fail "equal rewards of the bundled records are not told"
  ls run/curves.* >/dev/null || fail "no curves"
  cp out first
  train --out run --loss plackett_luce
  cmp -s out first || fail "a second run gives other numbers"
  train --out run --policy linear --loss adpo
  ((status == 0)) || fail "linear: exit status $status: $(cat err)"
  expect_learning out 800
}

# Every list loss that goes with a policy runs.
list_losses() {
  for loss in list_mle adpo_kde adpo_ranked list_net info_nce rank_dpo best_versus_worst; do
    for policy in ngram linear; do
      train --out run --policy $policy --loss $loss
      ((status == 0)) || fail "$policy, $loss: $(cat err)"
      expect_learning out 750
    done
  done
  train --out run --loss rrhf
  expect_learning out 750
}

# Pairs are groups of two, groups give pairs, and one file may have both.
both_kinds() {
  local data=$source/examples/data
  train --out run --loss adpo --data "$data/preferences.jsonl"
  ((status == 0)) || fail "pairs, adpo: $(cat err)"
  expect_learning out 700
  grep -q '^each pair is a group of two, with rewards 1 and 0$' err || fail "pairs, adpo: $(cat err)"
  grep -q ' pairs of 37 prompts)$' out || fail "pairs, adpo: $(tail -n 1 out)"

  # To the letter of the losses, these two are one on pairs.
  train --out run --policy linear --loss dpo --beta 0.5 --data "$data/preferences.jsonl"
  tail -n 1 out >dpo
  train --out run --policy linear --loss plackett_luce --beta 0.5 --data "$data/preferences.jsonl"
  tail -n 1 out | cmp -s - dpo || fail "dpo gives $(cat dpo), plackett_luce $(tail -n 1 out)"

  local -A count
  for pairs in every adjacent best-rest best-worst; do
    train --out run --data "$data/ranked.jsonl" --pairs $pairs
    ((status == 0)) || fail "--pairs $pairs: $(cat err)"
    expect_learning out 750
    count[$pairs]=$(sed -nE "s/^of the groups --pairs $pairs makes ([0-9]+) pairs to train on, .*/\\1/p" err)
  done
  local groups
  groups=$(sed -nE 's/.*: ([0-9]+) groups to train on, .*/\1/p' err)
  ((count[best-worst] == groups)) || fail "${count[best-worst]} pairs of the best and the worst in $groups groups"
  ((count[every] > count[best-rest] && count[best-rest] > count[adjacent] && count[adjacent] > groups)) ||
    fail "pairs: every ${count[every]}, best-rest ${count[best-rest]}, adjacent ${count[adjacent]}"

  cat "$data/preferences.jsonl" "$data/ranked.jsonl" >both.jsonl
  gzip -c both.jsonl >both.jsonl.gz
  for options in "--loss dpo" "--loss adpo" "--loss lcpo --base dpo" "--policy linear"; do
    # shellcheck disable=SC2086
    train --out run --data both.jsonl.gz $options
    ((status == 0)) || fail "$options: $(cat err)"
    expect_learning out 750
    # A fifth of the prompts is not a fifth of the records.
    sed -nE 's/.*: ([0-9]+) groups to train on, ([0-9]+) held out, from .*/\1 + \2/p' err >sum
    (($(cat sum) == 720)) || fail "$options: $(head -n 2 err)"
  done

  # Targets take the place of rewards, which here say the opposite.
  sed -E 's/"rewards": \[[^]]*\]/"rewards": [0, 1], "target": [0.9, 0.1]/; s/"chosen": ("([^"\\]|\\.)*"), "rejected": ("([^"\\]|\\.)*")/"responses": [\1, \3], "rewards": [0, 1], "target": [0.9, 0.1]/' \
    "$data/preferences.jsonl" >target.jsonl
  train --out run --data target.jsonl --loss list_net
  ((status == 0)) || fail "target: $(cat err)"
  expect_learning out 700
  grep -q '^list_net takes the field target in the place of the rewards$' err || fail "target: $(cat err)"
  train --out run --data target.jsonl --loss pro
  grep -q 'pro does not read these fields: annotator, target$' err || fail "target: $(grep fields err)"
}

# A run that is killed again and again and resumed ends with the same bytes as one that is left alone.
resumes() {
  local -a options=("$@" --epochs 5 --seed 3)
  train --out whole "${options[@]}"
  mv out whole.out
  # The first checkpoint must exist, then the run is killed at other moments each time.
  "$program" --out killed "${options[@]}" >out 2>err </dev/null &
  local pid=$! kills=0
  until [[ -e killed/checkpoint ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
  for delay in 0.01 0.13 0.07 0.22 0.03 0.17; do
    sleep $delay
    kill -9 $pid 2>/dev/null && kills=$((kills + 1))
    wait $pid 2>/dev/null
    "$program" --out killed --resume "${options[@]}" >out 2>err </dev/null &
    pid=$!
  done
  wait $pid || fail "the last resumed run: $(cat err)"
  echo "killed $kills times"
  ((kills > 0)) || fail "the run ended before it could be killed"
  cmp out whole.out || fail "other numbers than the run that was never stopped"
  cmp killed/metrics.csv whole/metrics.csv || fail "another metrics.csv"
  cmp killed/checkpoint whole/checkpoint || fail "another checkpoint"

  # More epochs than the first time: as if they had been asked for at once.
  train --out whole "${options[@]}" --resume
  cmp out whole.out || fail "a finished run, resumed, gives other numbers"
  train --out short "$@" --epochs 2 --seed 3
  train --out short "${options[@]}" --resume
  cmp out whole.out || fail "a run that is continued with more epochs gives other numbers"
}

resume() { resumes --loss lcpo --base dpo; }
resume_ranked() { resumes --loss adpo; }

bad_checkpoint() {
  expect_error 'run/checkpoint: cannot be opened, there is no run to resume' --resume
  train --out run --epochs 1
  expect_error 'run/checkpoint: --beta: was 0.1 in the run to resume, now 0.2' --epochs 1 --resume --beta 0.2
  expect_error 'run/checkpoint: --policy: was ngram in the run to resume, now linear' --resume --policy linear
  expect_error 'run/checkpoint: --seed: was 1 in the run to resume, now 2' --resume --seed 2
  expect_error 'run/checkpoint: --epochs: the run to resume has done 1 already, got 0' --resume --epochs 0
  head -n 100 "$source/examples/data/preferences.jsonl" >other.jsonl
  expect_error 'run/checkpoint: --data: was 480 pairs' --resume --data other.jsonl
  cp run/checkpoint whole
  rm run/checkpoint.previous
  printf 'X' | dd of=run/checkpoint bs=1 seek=100000 conv=notrunc status=none
  expect_error 'run/checkpoint: is damaged: its checksum' --resume --epochs 1
  head -c 100000 whole >run/checkpoint
  expect_error 'run/checkpoint: is damaged' --resume --epochs 1
  head -c 29 whole >run/checkpoint
  expect_error 'run/checkpoint: is damaged: it breaks off' --resume --epochs 1
  echo 'something else' >run/checkpoint
  expect_error 'run/checkpoint: is not a checkpoint' --resume --epochs 1

  # What has the right checksum and is no run's, all the same. Behind the last option's value lie the epochs of sft, those
  # that are done, the number of rows and the rows, of 72 bytes; then the log-probs of the reference.
  train --out run --policy linear --epochs 1
  cp run/checkpoint whole
  rm run/checkpoint.previous
  local state size
  state=$(($(grep -abo -- --center whole | tail -n 1 | cut -d: -f1) + 17)) size=$(($(wc -c <whole) - 4))
  # forge OFFSET BYTES EXPECTED
  forge() {
    head -c "$size" whole >forged
    printf "$2" | dd of=forged bs=1 seek="$1" conv=notrunc status=none
    { cat forged && gzip -c forged | tail -c 8 | head -c 4; } >run/checkpoint
    expect_error "run/checkpoint: $3" --resume --policy linear --epochs 3
  }
  forge $((state)) '\x01' 'is damaged: its epochs and the reference'
  forge $((state + 8)) '\x02' 'is damaged: it has metrics of 2 epochs, which are not those that are done'
  forge $((state + 24)) '\x00' 'is damaged: its epochs are out of order'
  forge $((state + 24 + 72 + 4)) '\x05' 'is damaged: its epochs are out of order'
  forge $((state + 24 + 2 * 72)) '\x01' 'is damaged'
  forge $((state + 24 + 2 * 72 + 8 + 6)) '\xf8\x7f' 'is damaged: a log-prob of the reference is not finite'
  forge $((size - 4)) '\x00\x00\x80\x7f' 'has weights that are not finite'
  forge $((size)) 'more' 'is damaged: there is more than its parts'
}

# The one before a checkpoint that is damaged, or not there, is gone on from, and the run ends as if nothing had been.
previous_checkpoint() {
  train --out whole --epochs 3
  cp out expected
  train --out run --epochs 2
  [[ -e run/checkpoint.previous ]] || fail "there is no previous checkpoint"
  for how in cut flipped gone both; do
    rm -rf again && cp -r run again
    case $how in
      cut) head -c 100000 run/checkpoint >again/checkpoint ;;
      flipped) printf 'X' | dd of=again/checkpoint bs=1 seek=100000 conv=notrunc status=none ;;
      gone) rm again/checkpoint ;;
      both) head -c 100000 run/checkpoint | tee again/checkpoint >again/checkpoint.previous ;;
    esac
    if [[ $how == both ]]; then
      run=again expect_error 'again/checkpoint: is damaged: its checksum' --resume --epochs 3
      continue
    fi
    train --out again --epochs 3 --resume
    ((status == 0)) || fail "$how: exit status $status: $(cat err)"
    grep -q '^note: again/checkpoint: .*; goes on from the one before it$' err || fail "$how: $(cat err)"
    grep -q '^resumes after epoch 1 of 3$' err || fail "$how: $(cat err)"
    cmp -s out expected || fail "$how: other numbers than an unbroken run"
    cmp -s again/metrics.csv whole/metrics.csv || fail "$how: other metrics than an unbroken run"
    cmp -s again/checkpoint whole/checkpoint || fail "$how: another checkpoint than an unbroken run"
  done
}

bad_options() {
  expect_error "prefopt_train: there is no loss 'dpoo', known are dpo, cdpo" --loss dpoo
  expect_error 'dpo has no parameter "gamma", it has beta' --gamma 1
  expect_error '--betta: unknown option, see --help; the parameters of dpo are --beta' --betta 0.1
  expect_error "'data.jsonl': unexpected argument" data.jsonl
  train --out ''
  ((status == 2)) && [[ $(cat err) == 'prefopt_train: --out: is empty, expected a folder' ]] || fail "--out '': $status: $(cat err)"
  expect_error 'prefopt_train: dpo: beta is -1, expected a finite number > 0' --beta -1
  expect_error '--beta' --beta abc
  expect_error 'smoothed is a modifier and needs a base' --loss smoothed
  expect_error 'dpo is not a modifier' --base ipo
  expect_error '--policy' --policy transformer
  expect_error '--holdout: got 1, expected' --holdout 1
  local number
  for number in -1 many 1.5 0x10 1000001; do
    expect_error "--epochs: got '$number', expected a whole number from 0 to 1000000" --epochs $number
    expect_error "--sft-epochs: got '$number', expected a whole number from 0 to 1000000" --sft-epochs $number
  done
  for number in -1 18446744073709551616; do
    expect_error "--seed: got '$number', expected a whole number from 0 to 18446744073709551615" --seed $number
  done
  expect_error "--batch: got '0', expected a whole number from 1 to 1000000" --batch 0
  expect_error "--line-limit: got '-1', expected a whole number from 1 to 1000000" --line-limit -1
  expect_error '--learning-rate: got 1e+300, expected a number > 0 and at most 1000000' --learning-rate 1e300
  expect_error '--learning-rate: got 0' --learning-rate 0
  expect_error 'simpo reads lengths' --policy linear --loss simpo
  expect_error '--sft: got 1' --policy linear --loss cpo --sft 1
  expect_error 'pro reads lengths' --policy linear --loss pro
  expect_error 'rrhf reads lengths' --policy linear --loss rrhf
  expect_error '--loss: sami is computed on every response' --loss sami
  expect_error '--pairs: adpo is a list loss' --loss adpo --pairs every
  expect_error '--pairs: some' --pairs some
  expect_error 'adpo is not a modifier' --loss adpo --base dpo
  [[ -e run ]] && fail "a folder was made for a run that could not begin"
  train --out octal --epochs 010 --sft-epochs 0 --policy linear --seed 18446744073709551615
  [[ $(tail -n 1 octal/metrics.csv) == preference,10,* ]] || fail "--epochs 010: $(tail -n 1 octal/metrics.csv)"
  touch file
  run='file' expect_error 'file: cannot be made a folder'
}

bad_data() {
  expect_error 'none.jsonl: cannot be opened: No such file or directory' --data none.jsonl
  expect_error '.: is a directory' --data .
  : >data
  expect_error 'data: is empty' --data data
  gzip -c data >data.gz
  expect_error 'data.gz: is empty' --data data.gz
  printf '\n  \n' >data
  expect_error 'data: has only blank lines' --data data

  local good='{"prompt": "p", "chosen": "a", "rejected": "b"}'
  bad_record() {
    printf '%s\n\n%b\n%s\n' "$good" "$2" "$good" >data
    expect_error "data:3: $1" --data data
  }
  bad_record 'the JSON breaks off at the end of the line' '{"chosen": "a", "rejected": "b'
  bad_record 'the JSON breaks off at the end of the line' '{"chosen": "a", "rejected": "b"'
  bad_record 'byte 1 is not what JSON expects there' 'some text'
  bad_record 'byte 13 is not UTF-8' '{"chosen": "\xff\xfe", "rejected": "b"}'
  bad_record 'a number is too large' '{"chosen": "a", "rejected": "b", "weight": 1e999}'
  bad_record 'got an array, expected a JSON object' '["a", "b"]'
  bad_record 'chosen: is missing, expected a string' '{"rejected": "b"}'
  bad_record 'rejected: got null, expected a string' '{"chosen": "a", "rejected": null}'
  bad_record 'prompt: has no messages, expected one or more' '{"prompt": [], "chosen": "a", "rejected": "b"}'
  bad_record 'weight: got -1, expected a number >= 0' '{"chosen": "a", "rejected": "b", "weight": -1}'
  bad_record 'weight: got a string, expected a number >= 0' '{"chosen": "a", "rejected": "b", "weight": "1"}'
  bad_record 'margin: got a boolean, expected a number' '{"chosen": "a", "rejected": "b", "margin": true}'
  bad_record 'label: got 1.5, expected a number from 0 to 1' '{"chosen": "a", "rejected": "b", "label": 1.5}'
  bad_record 'annotator: got a number, expected a string or a whole number' '{"chosen": "a", "rejected": "b", "annotator": 0.5}'

  printf '%s\n' "$good" >data
  expect_error '--holdout: 0.2 of 1 pairs leaves 1 for training and 0 held out' --data data
  for _ in 1 2 3 4; do printf '%s\n' "$good" >>data; done
  expect_error 'data: label: is in no record, and labelled<dpo> needs it' --data data --loss labelled --base dpo

  # What a loss refuses of the data is told with its line, before anything is trained.
  # refused EXPECTED FIELDS OTHERS LOSS...: the third of the records has these fields, the others have those.
  refused() {
    local expected=$1 fields=$2 other=$3
    shift 3
    for i in 1 2 3 4 5; do
      printf '{"prompt": "p%d", "chosen": "a", "rejected": "b"%s}\n' $i "$( ((i == 3)) && echo "$fields" || echo "$other")"
    done >data
    expect_error "data:3: $expected" --data data --loss "$@"
  }
  refused 'target: got 0, as where it is missing, expected a number > 0 with odpo' ', "target": 0' ', "target": 1' odpo
  refused 'target: got -2, expected a number > 0 with odpo' ', "target": -2' ', "target": 1' odpo
  refused 'target: got 0, as where it is missing, expected a number > 0 with odpo' '' ', "target": 1' odpo
  refused 'label: got 0.3, expected 0, 0.5 or 1 with rao_kupper' ', "label": 0.3' ', "label": 0.5' rao_kupper
  refused 'label: got 0.3, expected 0 or 1 with noise_mixture' ', "label": 0.3' ', "label": 1' noise_mixture
  refused 'label: got 1, as where it is missing, expected a number in (0, 1) with irepo' '' ', "label": 0.5' irepo
  refused 'label: got 0, expected a number in (0, 1) with irepo' ', "label": 0' ', "label": 0.5' irepo
  for i in 1 2 3 4 5; do printf '{"completion": "a %d", "label": %s}\n' $i "$( ((i == 3)) && echo 0.5 || echo true)"; done >data
  expect_error 'data:3: label: got 0.5, expected 0 or 1 with nbpo' --data data --loss nbpo

  gzip -c "$source/examples/data/preferences.jsonl" >whole.gz
  head -c 5000 whole.gz >data.gz
  expect_error 'the gzip stream breaks off here, the file is truncated' --data data.gz
  grep -qE 'data\.gz:[0-9]+: ' err || fail "truncated gzip: no line number in $(cat err)"
  head -c 5000 whole.gz >data.gz
  tail -c +5200 whole.gz >>data.gz
  expect_error 'the gzip stream is damaged here' --data data.gz
  [[ -e run ]] && fail "a folder was made for a run that could not begin"
}

bad_ranked_data() {
  local good='{"prompt": "p", "responses": ["a", "b", "c"], "rewards": [2, 1, 0]}'
  bad_record() {
    printf '%s\n\n%b\n%s\n' "$good" "$2" "$good" >data
    expect_error "data:3: $1" --data data --loss "${3:-adpo}"
  }
  bad_record 'responses: got a string, expected an array of strings' '{"responses": "a", "rewards": [1, 0]}'
  bad_record 'responses: is missing, expected an array of strings' '{"rewards": [1, 0]}'
  bad_record 'responses: got 1, expected 2 or more' '{"responses": ["a"], "rewards": [1]}'
  bad_record 'responses: got 0, expected 2 or more' '{"responses": [], "rewards": []}'
  bad_record 'responses: got a number in place 2, expected a string' '{"responses": ["a", 2], "rewards": [1, 0]}'
  bad_record 'rewards: is missing, expected an array of numbers' '{"responses": ["a", "b"]}'
  bad_record 'rewards: got an object, expected an array of numbers' '{"responses": ["a", "b"], "rewards": {}}'
  bad_record 'rewards: got 1 number, expected 2, one for each of the responses' '{"responses": ["a", "b"], "rewards": [1]}'
  bad_record 'rewards: got null in place 1, expected a number' '{"responses": ["a", "b"], "rewards": [null, 1]}'
  bad_record 'rewards: got NaN, expected a finite number, or null for none' '{"responses": ["a", "b"], "rewards": [1, NaN]}'
  bad_record 'rewards: got Infinity, expected a finite number' '{"responses": ["a", "b"], "rewards": [1, -Infinity]}'
  bad_record 'target: got 3 numbers, expected 2' '{"responses": ["a", "b"], "rewards": [1, 0], "target": [1, 0, 0]}'
  bad_record 'target: got -1 in place 2, expected a number from 0 to 1' '{"responses": ["a", "b"], "rewards": [1, 0], "target": [1, -1]}'
  bad_record 'target: sums to 1.5, expected probabilities' '{"responses": ["a", "b"], "rewards": [1, 0], "target": [1, 0.5]}'
  bad_record 'weight: got -1, expected a number >= 0' '{"responses": ["a", "b"], "rewards": [1, 0], "weight": -1}'
  bad_record 'chosen: stands beside responses' '{"chosen": "a", "responses": ["a", "b"], "rewards": [1, 0]}'
  bad_record 'has neither chosen and rejected nor responses and rewards' '{"prompt": "p"}'
  bad_record 'rewards: has 0.5 more than once, and plackett_luce expects different rewards; with --break_ties 1' \
    '{"responses": ["a", "b"], "rewards": [0.5, 0.5]}' plackett_luce
  bad_record 'rewards: got 101, expected at most 100 with rank_dpo' '{"responses": ["a", "b"], "rewards": [101, 0]}' rank_dpo

  printf '%s\n%s\n' "$good" '{"responses": ["a", "b"], "rewards": [1, 0], "target": [1, 0]}' >data
  expect_error 'data:1: target: is missing, and line 2 has one: adpo expects it in all records or in none' --data data --loss adpo

  for i in 1 2 3 4 5; do echo '{"prompt": "q'$i'", "responses": ["a", "b", "c"], "rewards": [1, 1, 1]}'; done >data
  expect_error 'data: rewards: has equal numbers only in every record' --data data --loss adpo
  expect_error 'data: rewards: has equal numbers only in every record' --data data
  echo "$good" >>data
  expect_error '--seed: 1 leaves no response that is better than another held out' --data data --loss adpo
  [[ -e run ]] && fail "a folder was made for a run that could not begin"

  # Records without an order are told, and fields of the other kind.
  head -n 5 data >some && mv some data
  for i in 1 2 3 4 5 6 7 8; do echo "${good/\"p\"/\"$i\", \"label\": 1}"; done >>data
  train --data data --out run --loss adpo --seed 3
  ((status == 0)) || fail "some equal rewards: $(cat err)"
  grep -q '^note: in 5 of 13 records no response is better than another$' err || fail "equal rewards are not told: $(cat err)"
  grep -q 'does not know these fields: label of ranked responses$' err || fail "the label is not told: $(cat err)"
}

# Records at the edge of what is allowed: no text at all, the same answers, numbers as annotators, fields nobody knows.
odd_data() {
  for i in 1 2 3; do
    printf '%s\r\n' '{"chosen": "", "rejected": ""}' '{"chosen": "same", "rejected": "same", "weight": 0}' \
      '{"prompt": "", "chosen": "\u0000\u00ff", "rejected": "x", "annotator": 7, "id": 1}' \
      "{\"chosen\": \"a $i\", \"rejected\": \"a b\", \"annotator\": \"someone\"}" \
      '{"responses": ["", "x y", "x y", ""], "rewards": [-1e300, 0, 0.0, 1e-300], "weight": 0}' \
      '{"prompt": "", "responses": ["\u0000", "\u00ff"], "rewards": [1, 2], "annotator": 7}'
  done >data
  for options in "" "--loss simpo" "--policy linear" "--loss adpo" "--loss pro" "--policy linear --loss adpo" \
    "--loss lcpo --base dpo"; do
    # shellcheck disable=SC2086
    train --data data --out run $options
    ((status == 0)) || fail "$options: $(cat err)"
    [[ $(tail -n 1 out) =~ $last_line ]] || fail "$options: last line $(tail -n 1 out)"
    grep -q 'does not know these fields: id' err || fail "$options: the unknown field is not named"
  done
  grep -qF '"(no name)",' run/reliability.csv || fail "no annotator for the records without one"
  # Who is called that is somebody else.
  printf '{"prompt": "p%d", "chosen": "a b", "rejected": "a", "annotator": "(no name)"}\n' 1 2 3 >named
  cat data named >both
  train --data both --out run --loss lcpo --base dpo
  (($(grep -cF '"(no name)",' run/reliability.csv) == 2)) || fail "two annotators are one: $(cat run/reliability.csv)"
  gzip -c data >data.gz
  train --data data --out run
  cp out plain
  train --data data.gz --out run
  cmp out plain || fail "the gzip file gives other numbers than the plain one"
}

# Good and bad completions by themselves, told apart by their words.
write_completions() {
  local i
  for ((i = 0; i < 120; ++i)); do
    printf '{"prompt": "ask %d ", "completion": "%s", "label": %s}\n' "$i" "thank you, gladly and at once" true
    printf '{"prompt": "ask %d ", "completion": "%s", "label": %s}\n' "$i" "no, never, go away from here" 0
  done >"$1"
}

# A model of the reward model on completions of one word, "yes" which is good and "no" which is not, in one batch: of the five
# features of each (begin, word, end and the two pairs of neighbours) two are the same. For one of the ways in which so many
# may be held out every loss of metrics.csv has to be what KTO's formula gives, the reference point being the mean log-ratio
# of all of a batch, at least 0.
kto_by_hand() {
  awk -F, -v good=8 -v bad=7 -v held_out=3 -v rate=0.5 -v epochs=4 -v beta=0.1 '
    function near(x, y) { return x - y < 2e-7 && y - x < 2e-7 }
    function sigma(x) { return 1 / (1 + exp(-x)) }
    function rewards() { yes = (2 * shared + 3 * of_yes) / sqrt(5); no = (2 * shared + 3 * of_no) / sqrt(5) }
    function point(n, m) { kl = (n * yes + m * no) / (n + m); return kl > 0 ? kl : 0 }
    function loss(n, m, kl) {
      kl = point(n, m)
      return (n * sigma(-beta * (yes - kl)) + m * sigma(beta * (no - kl))) / (n + m)
    }
    function step(value, gradient, name) {
      squares[name] += gradient * gradient
      return gradient == 0 ? value : value - rate * gradient / sqrt(squares[name])
    }
    NR > 1 { training[$2] = $3; after[$2] = $6; last = $2 }
    END {
      if (last != epochs) { print "metrics.csv ends with epoch " last; exit 1 }
      for (k = 0; k <= held_out; ++k) {
        n = good - k; m = bad - (held_out - k)
        shared = of_yes = of_no = 0
        split("", squares)
        rewards()
        fits = near(after[0], 0.5)
        for (epoch = 1; epoch <= epochs; ++epoch) {
          fits = fits && near(training[epoch], loss(n, m))
          kl = point(n, m)
          up = -n * beta * sigma(beta * (yes - kl)) * sigma(-beta * (yes - kl)) / (n + m)
          down = m * beta * sigma(beta * (no - kl)) * sigma(-beta * (no - kl)) / (n + m)
          shared = step(shared, (up + down) / sqrt(5), "shared")
          of_yes = step(of_yes, up / sqrt(5), "yes")
          of_no = step(of_no, down / sqrt(5), "no")
          rewards()
          fits = fits && near(after[epoch], loss(k, held_out - k))
        }
        if (fits) exit 0
      }
      print "no loss of metrics.csv is KTO"
      exit 1
    }' "$1"
}

# KTO takes its reference point from the other completions of a batch.
kto() {
  local i
  for ((i = 0; i < 15; ++i)); do
    printf '{"prompt": "p%d", "completion": "%s", "label": %d}\n' "$i" "$( ((i % 2)) && echo no || echo yes)" $((1 - i % 2))
  done >words.jsonl
  train --out run --data words.jsonl --loss kto --policy linear --epochs 4 --batch 100 --learning-rate 0.5
  ((status == 0)) || fail "exit status $status: $(cat err)"
  kto_by_hand run/metrics.csv >by_hand || fail "$(cat by_hand)"
  # Of completions that are all alike, after prompts that end alike, each is at the reference point.
  for ((i = 0; i < 15; ++i)); do
    printf '{"prompt": "prompt %02d, and its end", "completion": "all the same", "label": 1}\n' "$i"
  done >same.jsonl
  local loss
  for loss in kto apo_zero_unpaired; do
    train --out $loss --data same.jsonl --loss $loss --epochs 3 --batch 5
    ((status == 0)) || fail "$loss: exit status $status: $(cat err)"
  done
  awk -F, '$1 == "preference" && NR > 1 && !($6 - 0.5 < 1e-12 && 0.5 - $6 < 1e-12) { print "held-out loss " $6; exit 1 }' kto/metrics.csv >off ||
    fail "kto: $(cat off), expected 0.5"
  awk -F, 'END { exit !($6 < 0.49) }' apo_zero_unpaired/metrics.csv || fail "without a reference point nothing was learnt either"
  expect_error '--batch: kto takes its reference point from the other records of a batch, got 1, expected 2 or more' --data words.jsonl --loss kto --batch 1
}

unpaired() {
  write_completions completions.jsonl
  local loss
  for loss in kto "bco --beta 0.5" apo_zero_unpaired; do
    # shellcheck disable=SC2086  # a word each
    train --out run --data completions.jsonl --loss $loss
    ((status == 0)) || fail "$loss: exit status $status: $(cat err)"
    expect_learning out 900
    grep -q ', 48 completions of 24 prompts)$' out || fail "$loss: $(tail -n 1 out)"
    grep -q ': 192 completions to train on, 48 held out, from completions.jsonl$' err || fail "$loss: $(head -n 1 err)"
  done
  # Half a run and its continuation are the whole run.
  train --out whole --data completions.jsonl --loss kto
  cp out whole.txt
  train --out half --data completions.jsonl --loss kto --epochs 2
  train --out half --data completions.jsonl --loss kto --resume
  cmp -s out whole.txt || fail "the resumed run gives other numbers"
  # A reward model of them.
  train --out run --data completions.jsonl --loss binary_cross_entropy --policy linear
  expect_learning out 900
  # Pairs and ranked answers are completions, too.
  train --out run --loss kto
  expect_learning out 700
  grep -q 'each response is a completion by itself: of a pair chosen is good, rejected bad' err || fail "no note on pairs"
  train --out run --loss score_regression --data "$source/examples/data/ranked.jsonl"
  ((status == 0)) || fail "score_regression on rewards: $(cat err)"
  # Losses without labels are judged by how they rank a record's answers; of completions alone there is no such thing.
  grep -Eq '^held-out accuracy: .*, [0-9]+ pairs of [0-9]+ (groups|prompts)\)$' out || fail "score_regression: $(tail -n 1 out)"
  train --out dro --loss dro --policy linear --data "$source/examples/data/ranked.jsonl"
  ((status == 0)) || fail "dro: $(cat err)"
  grep -q '^held-out accuracy: 0.500 -> ' out || fail "dro before a step: $(tail -n 1 out)"
  train --out alone --loss score_regression --data completions.jsonl
  ((status == 0)) || fail "score_regression on completions: $(cat err)"
  grep -q '^held-out loss: .* (no completion has another to be compared with)$' out || fail "completions alone: $(tail -n 1 out)"
  ! grep -q accuracy out || fail "completions alone have an accuracy"
  awk -F, 'NR > 1 && ($4 != "" || $7 != "" || $6 == "") { exit 1 }' alone/metrics.csv || fail "metrics of completions alone"
  expect_error '--pairs: kto is a loss of single completions and takes each by itself' --data "$source/examples/data/ranked.jsonl" --loss kto --pairs adjacent

  expect_error "completions.jsonl:1: completion: stands alone, and dpo compares responses; losses of single completions are kto, " --data completions.jsonl
  printf '{"completion": "x"}\n' >bad.jsonl
  expect_error "bad.jsonl:1: label: is missing, expected true or false, or a number from 0 to 1" --data bad.jsonl --loss kto
  printf '{"completion": "x", "label": 2}\n' >bad.jsonl
  expect_error "bad.jsonl:1: label: got 2, expected true or false, or a number from 0 to 1" --data bad.jsonl --loss kto
  printf '{"completion": "x", "label": 1, "chosen": "y"}\n' >bad.jsonl
  expect_error "bad.jsonl:1: chosen: stands beside completion, expected one or the other" --data bad.jsonl --loss kto
}

# What a record weighs counts in sft, too.
sft_weights() {
  local i
  # Of the records that weigh nothing the words are others.
  for i in {1..80}; do
    printf '{"prompt": "p%d", "chosen": "good %d", "rejected": "bad %d", "weight": %d}\n' $i $i $i $((i % 2 ? 2 : 0))
  done >half.jsonl
  sed -E '/"weight": 0/s/good/kind/' half.jsonl >other.jsonl
  sed -E 's/, "weight": 0//; s/, "weight": 2//' half.jsonl >none.jsonl
  sed -E 's/"weight": [02]/"weight": 1/' half.jsonl >one.jsonl
  sed -E 's/"weight": [02]/"weight": 0/' half.jsonl >zero.jsonl
  local file
  for file in half other none one zero; do
    train --data $file.jsonl --out $file --epochs 0
    ((status == 0)) || fail "$file: $(cat err)"
    grep -E '^sft,' $file/metrics.csv >$file.sft
    (($(wc -l <$file.sft) == 2)) || fail "$file: $(cat $file/metrics.csv)"
    cp err $file.err
  done
  cmp -s none.sft one.sft || fail "a weight of 1 changes sft: $(cat none.sft one.sft)"
  cmp -s half.sft one.sft && fail "weights do not count in sft"
  cmp -s half.sft other.sft || fail "records of weight 0 count in sft: $(cat half.sft other.sft)"
  grep -q '^sft 1/2: -log p a byte none, no byte has a weight, held out none, no byte has a weight$' zero.err || fail "$(cat zero.err)"
  grep -qE '^sft,2,0,,,0,,$' zero.sft || fail "all weights 0: $(cat zero.sft)"
  grep -qi nan zero/metrics.csv zero.err && fail "all weights 0: $(cat zero/metrics.csv)"
  sed -E 's/"weight": 2/"weight": 1e308/' half.jsonl >large.jsonl
  expect_told 'prefopt_train: large.jsonl: weight: times the bytes of a batch is inf in sft, expected at most 3.4028234663852886e+38' --data large.jsonl
  # AdaGrad's step does not see a factor that all gradients have.
  for i in {1..60}; do
    printf '{"prompt": "p%d", "chosen": "good %d", "rejected": "bad %d"}\n' $i $((i % 7)) $((i % 5))
  done >once.jsonl
  sed 's/}$/, "weight": 4}/' once.jsonl >four.jsonl
  for file in once four; do
    train --data $file.jsonl --out $file --epochs 0
    awk -F , '$1 == "sft" { printf "%.4f %.4f\n", $3, $6 }' $file/metrics.csv >$file.sft
  done
  cmp -s once.sft four.sft || fail "a weight that all have changes the mean: $(cat once.sft four.sft)"
}

# A pair the other way round, with the label the other way round, is the same pair to a loss that reads labels.
labels() {
  local i file policy
  for i in {1..60}; do printf '{"prompt": "p%d", "chosen": "good %d", "rejected": "bad %d", "label": 1}\n' $i $i $i; done >straight.jsonl
  sed -E '1~2s/"chosen": ("[^"]*"), "rejected": ("[^"]*"), "label": 1/"chosen": \2, "rejected": \1, "label": 0/' straight.jsonl >turned.jsonl
  for policy in "linear --loss labelled --base bradley_terry" "ngram --loss labelled --base dpo" "ngram --loss rao_kupper"; do
    for file in straight turned; do
      # shellcheck disable=SC2086  # a word each
      train --data $file.jsonl --out $file --policy $policy --epochs 8
      ((status == 0)) || fail "$policy, $file: $(cat err)"
      cp out $file.out
    done
    cmp -s straight.out turned.out || fail "$policy: $(tail -n 1 straight.out), turned $(tail -n 1 turned.out)"
    # But for the rounding of sums in another order.
    paste -d , straight/metrics.csv turned/metrics.csv | awk -F , 'NR > 1 { for (i = 2; i <= NF / 2; ++i) {
      d = $i - $(i + NF / 2); if (d > 1e-6 || d < -1e-6) { print; exit 1 } } }' >off || fail "$policy: other metrics: $(cat off)"
    expect_learning straight.out 900
  done
  # To a loss that does not read labels chosen is the better one.
  train --data turned.jsonl --out run --loss dpo
  cp run/metrics.csv unread
  sed 's/, "label": [01]//' turned.jsonl >none.jsonl
  train --data none.jsonl --out run --loss dpo
  cmp -s run/metrics.csv unread || fail "a loss that reads no labels gives other numbers with them"
  # At one half nothing is right or wrong, and sft imitates chosen.
  sed 's/"label": 1/"label": 0.5/' straight.jsonl >half.jsonl
  train --data half.jsonl --out half --loss labelled --base dpo
  [[ $(tail -n 1 out) == 'held-out accuracy: 0.500 -> 0.500 '* ]] || fail "one half: $(tail -n 1 out)"
  grep -q '^margin  *0.000  *0.000$' out || fail "one half: $(grep margin out)"
  cmp -s <(grep '^sft' half/metrics.csv) <(grep '^sft' straight/metrics.csv) || fail "one half: sft does not imitate chosen"
}

# Of ranked answers those above the mean are good, whatever the fractions round to.
above_mean() {
  local i rewards
  # ranked FILE REWARDS: answers to 20 prompts, beside completions.
  ranked() {
    for i in {1..60}; do
      printf '{"prompt": "r%d", "completion": "%s %d", "label": %s}\n' $i "$( ((i % 2)) && echo stone || echo bread)" $i $((i % 2))
      ((i % 3)) || printf '{"prompt": "p%d", "responses": ["red %d", "blue %d", "green %d"], "rewards": %s}\n' $i $i $i $i "$2"
    done >"$1"
  }
  ranked none.jsonl '[0, 0, 0]'
  grep -v rewards none.jsonl >only.jsonl
  train --data only.jsonl --out only --loss kto
  for rewards in '[0.7, 0.7, 0.7]' '[0.5, 0.5, 0.5]' '[0, 0, 0]' '[-1e308, -1e308, -1e308]'; do
    ranked equal.jsonl "$rewards"
    train --data equal.jsonl --out run --loss kto
    ((status == 0)) || fail "$rewards: $(cat err)"
    grep -q '^note: 20 of 80 records are left out: their rewards are equal, so that no response is good or bad$' err || fail "$rewards: $(cat err)"
    cmp -s run/metrics.csv only/metrics.csv || fail "$rewards: other numbers than without them"
  done
  # To a loss that takes the rewards themselves they say something.
  train --data equal.jsonl --out run --loss weighted_nll
  grep -q 'are left out' err && fail "weighted_nll: $(cat err)"
  for rewards in '[3, 4, 5]' '[0.7, 0.8, 0.9]' '[0.3, 0.4, 0.5]' '[1e300, 2e300, 3e300]' '[-0.9, -0.8, -0.7]' '[-1e308, 0, 1e308]'; do
    ranked order.jsonl "$rewards"
    train --data order.jsonl --out run --loss kto
    ((status == 0)) || fail "$rewards: $(cat err)"
    [[ -e first.csv ]] || cp run/metrics.csv first.csv
    cmp -s run/metrics.csv first.csv || fail "$rewards: others are good than of 3, 4, 5"
  done
  ranked other.jsonl '[1, 3, 3]'
  train --data other.jsonl --out run --loss kto
  cmp -s run/metrics.csv first.csv && fail "1, 3, 3: the second is not good"
  ranked equal.jsonl '[1, 1, 1]'
  grep rewards equal.jsonl >nothing.jsonl
  rm -rf run
  expect_error 'nothing.jsonl: rewards: leave no record of which something can be learnt: 20 have equal ones only' --data nothing.jsonl --loss kto
}

further() {
  # A target without a field of that name is the difference of the rewards.
  local loss file
  for loss in rpo_sq "simper" "apo_zero" "dpo:0.8+bco_pair:0.2+sft:1 --mode 1" "with_nll --base dpo --nll 0.1 --nll_mode 1"; do
    # shellcheck disable=SC2086  # a word each
    train --out run --loss $loss
    ((status == 0)) || fail "$loss: exit status $status: $(cat err)"
    expect_learning out 700
  done
  expect_error "chosen_kl: is in no record, and tdpo needs it" --loss tdpo
  sed 's/}$/, "chosen_kl": 0.5, "rejected_kl": 0.25, "scale": 2}/' "$source/examples/data/preferences.jsonl" >kl.jsonl
  train --out run --loss tdpo --data kl.jsonl
  ((status == 0)) || fail "tdpo: $(cat err)"
  grep -q 'note: tdpo does not read these fields: .*scale' err || fail "tdpo: no note on scale"
  train --out run --loss mallows_dpo --data kl.jsonl
  ((status == 0)) || fail "mallows_dpo: $(cat err)"
  # Where a record has none it is what it is without the field in all of them.
  sed 's/"scale": 2/"scale": 1/' kl.jsonl >ones.jsonl
  sed '1~2s/, "scale": 1//' ones.jsonl >some.jsonl
  for file in ones some; do train --out $file --loss mallows_dpo --data $file.jsonl; done
  cmp -s ones/metrics.csv some/metrics.csv || fail "a record without a scale is not as one of scale 1"
}

# Nothing is to be learnt from words that are drawn at random; who knows prompts from training knows better.
by_prompt() {
  # Six pairs a prompt, in which one style of answer is the better one, by the prompt. The words of each prompt are its own.
  awk 'BEGIN { srand(7); for (p = 0; p < 40; ++p) for (i = 0; i < 6; ++i)
    printf "%d {\"prompt\": \"prompt %d\", \"chosen\": \"good%d a%d b%d\", \"rejected\": \"bad%d a%d b%d\"}\n",
      int(rand() * 1e6), p, p, i, int(rand() * 50), p, i, int(rand() * 50) }' | sort -n | cut -d ' ' -f 2- >pairs.jsonl
  for policy in linear ngram; do
    train --data pairs.jsonl --policy $policy --out run --epochs 2
    ((status == 0)) || fail "$policy: $(cat err)"
    grep -q ': 192 pairs to train on, 48 held out, from ' err || fail "$policy: $(head -n 1 err), expected a fifth of 40 prompts"
    grep -q '^note: 240 of 240 pairs share their prompt with others, or without one their texts: ' err || fail "$policy: no note: $(cat err)"
    grep -q ', 48 pairs of 8 prompts)$' out || fail "$policy: $(tail -n 1 out)"
  done
  # Wilson's interval at one half of 8: z = 1.959964, 0.5 -+ z / (2 sqrt(8 + z^2)) = 0.215, 0.785.
  train --data pairs.jsonl --policy linear --out run --epochs 0
  [[ $(tail -n 1 out) == *'0.500 -> 0.500 (95 % interval 0.215..0.785, 48 pairs of 8 prompts)' ]] || fail "$(tail -n 1 out)"

  # Prompts with 1 and with 5 records: the held-out ones tell how many independent records that is, (sum n)^2 / sum n^2.
  awk 'BEGIN { for (p = 0; p < 20; ++p) for (i = 0; i < (p % 2 ? 5 : 1); ++i)
    printf "{\"prompt\": \"%d\", \"chosen\": \"a %d %d\", \"rejected\": \"b %d %d\"}\n", p, p, i, p, i }' >uneven.jsonl
  train --data uneven.jsonl --policy linear --out run --epochs 0 --holdout 0.5
  local of interval
  of=$(sed -nE 's/.* ([0-9]+) pairs of 10 prompts\)$/\1/p' out)  # 10 + 4 k for k prompts with 5
  interval=$(awk -v n="$of" 'BEGIN { k = (n - 10) / 4; trials = n * n / (10 - k + 25 * k); z = 1.959963984540054
    half = z / (2 * sqrt(trials + z * z)); printf "%.3f..%.3f", 0.5 - half, 0.5 + half }')
  grep -qF "interval $interval, $of pairs of 10 prompts)" out || fail "uneven prompts: $(tail -n 1 out), expected $interval"

  # Records without a prompt, with an empty one, or with one of its own go alone, as ever.
  for i in {1..20}; do
    printf '{"prompt": "%s", "chosen": "yes %d", "rejected": "no %d"}\n' "" $i $i
    printf '{"chosen": "we say yes %d", "rejected": "we say no %d"}\n' $i $i
    printf '{"prompt": "own %d", "chosen": "yes %d", "rejected": "no %d"}\n' $i $i $i
  done >alone.jsonl
  train --data alone.jsonl --policy linear --out run
  grep -q ', 12 pairs)$' out || fail "alone: $(tail -n 1 out)"
  grep -q 'share their prompt' err && fail "alone: $(cat err)"

  # A prompt is the same however it is written: by itself, before the mark of a turn in both texts, or as a message.
  sed -E 's/"prompt": "([^"]*)"/"prompt": "\\n\\nHuman: \1\\n\\nAssistant:"/' pairs.jsonl >named.jsonl
  sed -E 's/"prompt": "([^"]*)", "chosen": "([^"]*)", "rejected": "([^"]*)"/"chosen": "\\n\\nHuman: \1\\n\\nAssistant:\2", "rejected": "\\n\\nHuman: \1\\n\\nAssistant:\3"/' \
    pairs.jsonl >marked.jsonl
  { head -n 120 named.jsonl; tail -n 120 marked.jsonl; } >both.jsonl
  local file
  for file in named marked both; do
    train --data $file.jsonl --policy linear --out $file
    grep -q ', 48 pairs of 8 prompts)$' out || fail "$file: $(tail -n 1 out)"
    cmp $file/metrics.csv named/metrics.csv || fail "$file: other numbers"
  done

  # Without a prompt the same texts go together, in either order. Of random words nothing can be learnt but by heart.
  awk 'function words(  i, text) { for (i = 0; i < 8; ++i) text = text (i ? " " : "") "w" int(rand() * 1e6); return text }
    BEGIN { srand(3); for (p = 0; p < 100; ++p) { a = words(); b = words()
      for (i = 0; i < 3; ++i) printf "%d {\"chosen\": \"%s\", \"rejected\": \"%s\"}\n", int(rand() * 1e6), a, b } }' |
    sort -n | cut -d ' ' -f 2- >annotated.jsonl
  train --data annotated.jsonl --policy linear --out run
  [[ $(tail -n 1 out) == *', 60 pairs of 20 prompts)' ]] || fail "annotated: $(tail -n 1 out)"
  low=$(sed -nE '$s/.*interval ([01])\.([0-9]{3})\.\..*/\1\2/p' out)
  ((10#$low < 500)) || fail "annotated: $(tail -n 1 out)"
  sed -E '1~2s/"chosen": ("[^"]*"), "rejected": ("[^"]*")/"chosen": \2, "rejected": \1/' annotated.jsonl >either.jsonl
  sed 's/^{/{"prompt": "", /' either.jsonl >empty.jsonl
  sed 's/^{/{"prompt": "the one", /' either.jsonl >one_prompt.jsonl
  for file in either empty one_prompt; do
    train --data $file.jsonl --policy linear --out run --epochs 0
    [[ $(tail -n 1 out) == *', 60 pairs of 20 prompts)' ]] || fail "$file: $(tail -n 1 out)"
  done
  grep -q '^note: all 300 pairs have one prompt, .*; those with the same texts go together and count as one prompt, and the interval' err ||
    fail "one prompt, the same texts: $(cat err)"

  # All of one prompt: it cannot be held out, its records are, and that is said.
  sed 's/"prompt": "[^"]*"/"prompt": "the one"/' pairs.jsonl >one.jsonl
  train --data one.jsonl --policy linear --out run --epochs 0
  grep -q '^note: all 240 pairs have one prompt, so that some of its own are held out: what the accuracy says is of that prompt alone$' err ||
    fail "one prompt: $(cat err)"
  [[ $(tail -n 1 out) == *', 48 pairs)' ]] || fail "one prompt: $(tail -n 1 out)"

  local leak=${PREFOPT_SHARED_DIR:-$source/../shared}/cases/22_leak/pairs.jsonl
  [[ -e $leak ]] || { echo "SKIPPED in part: there is no $leak"; return; }
  for seed in 1 2 3; do
    train --data "$leak" --policy linear --out run --seed $seed
    local low high
    low=$(sed -nE '$s/.*interval ([01])\.([0-9]{3})\.\..*/\1\2/p' out)
    high=$(sed -nE '$s/.*\.\.([01])\.([0-9]{3}), .*/\1\2/p' out)
    ((10#$low < 500 && 10#$high > 500)) || fail "--seed $seed, noise: $(tail -n 1 out)"
  done
  # The same as ranked groups, whose prompts are 80.
  train --data "${leak%pairs.jsonl}ranked.jsonl" --policy linear --loss adpo --out run
  low=$(sed -nE '$s/.*interval ([01])\.([0-9]{3})\.\..*/\1\2/p' out)
  high=$(sed -nE '$s/.*\.\.([01])\.([0-9]{3}), .*/\1\2/p' out)
  ((10#$low < 500 && 10#$high > 500)) || fail "noise, ranked: $(tail -n 1 out)"
  grep -q ', 96 pairs of 16 groups)$' out || fail "noise, ranked: $(tail -n 1 out)"
}

# Answers told apart by a word each, in languages that write none between spaces, and in capitals.
languages() {
  # learns_words NAME GOOD BAD NOUN...: the tone is in words that stand somewhere among others.
  learns_words() {
    local name=$1 good=$2 bad=$3 noun i=0
    shift 3
    for noun; do
      for other; do
        ((++i))
        # shellcheck disable=SC2059  # formats with two places
        printf "{\"prompt\": \"%d\", \"chosen\": \"$good\", \"rejected\": \"$bad\"}\n" $i "$noun" "$other" "$noun" "$other"
      done
    done >$name.jsonl
    train --data $name.jsonl --policy linear --out $name
    ((status == 0)) || fail "$name: $(cat err)"
    expect_learning out 900
  }
  learns_words zh '很高兴帮忙，%s和%s都可以慢慢做。' '随便，%s和%s你自己去做。' 牛奶 玉米 苹果 豆腐 土豆 米饭 面条 鸡蛋
  learns_words th 'ยินดีครับ%sและ%sทำได้ง่าย' 'ไม่รู้%sและ%sทำเองเถอะ' นม ข้าว ปลา ไข่ ผัก แป้ง น้ำ เกลือ
  learns_words ja '喜んで%sと%sを説明します。' '知らない%sと%sは自分でやって。' 牛乳 魚 米 卵 豆腐 野菜 水 塩
  learns_words en 'GLADLY, the %s and the %s.' 'Whatever, the %s and the %s.' milk fish rice eggs corn tofu water salt
  # Case is folded beyond ASCII, too: the two differ in nothing else.
  for i in {1..20}; do
    printf '{"prompt": "%d", "chosen": "ЛУЧШЕ straße %d", "rejected": "лучше STRASSE %d"}\n' $i $i $i
    printf '{"prompt": "x %d", "chosen": "да %d", "rejected": "нет %d"}\n' $i $i $i
  done >case.jsonl
  train --data case.jsonl --policy linear --out case
  grep -q '^note: 20 of 40 pairs are left out: their responses differ in nothing that --policy linear reads$' err ||
    fail "case: $(cat err)"
  train --data case.jsonl --policy ngram --epochs 0 --sft-epochs 0 --out case
  grep -q 'are left out' err && fail "case, ngram: $(cat err)"
  # An emoji says something.
  for i in {1..40}; do printf '{"prompt": "%d", "chosen": "%d 👍", "rejected": "%d 👎"}\n' $i $i $i; done >emoji.jsonl
  train --data emoji.jsonl --policy linear --out emoji
  expect_learning out 900

  local zh=${PREFOPT_SHARED_DIR:-$source/../shared}/cases/14_cjk/zh.jsonl
  [[ -e $zh ]] || { echo "SKIPPED in part: there is no $zh"; return; }
  local language policy
  for language in zh en; do
    for policy in linear ngram; do
      train --data "${zh%zh.jsonl}$language.jsonl" --policy $policy --out run
      [[ $(tail -n 1 out) == *'-> 1.000 ('*', 12 pairs)' ]] || fail "$language, $policy: $(tail -n 1 out)"
    done
  done
}

# What is left out is as if it were not there.
identical() {
  for i in {1..40}; do
    printf '{"prompt": "q %d", "chosen": "Gladly, use the tool %d.", "rejected": "No, find it %d."}\n' $i $i $i
    ((i % 2)) && printf '{"prompt": "r %d", "chosen": "It is %d.", "rejected": "It is %d."}\n' $i $i $i
    ((i % 4)) || printf '{"prompt": "s %d", "chosen": "It is %d!", "rejected": "it is %d"}\n' $i $i $i
    ((i % 8)) || printf '{"prompt": "t %d", "responses": ["so %d", "so %d", "so %d"], "rewards": [2, 0, 1]}\n' $i $i $i $i
  done >all.jsonl
  grep '"q ' all.jsonl >clean.jsonl
  grep -E '"[qs] ' all.jsonl >clean_text.jsonl
  local options
  for options in "--policy linear" "--policy linear --loss adpo" "--policy linear --loss plackett_luce" \
    "--policy linear --loss binary_cross_entropy"; do
    # shellcheck disable=SC2086
    train --data all.jsonl $options --out all
    ((status == 0)) || fail "$options: $(cat err)"
    grep -q '^note: 25 of 75 groups are left out: their responses are the same text$' err || fail "$options: $(cat err)"
    grep -q '^note: 10 of 75 groups are left out: their responses differ in nothing that --policy linear reads$' err ||
      fail "$options: $(cat err)"
    # shellcheck disable=SC2086
    train --data clean.jsonl $options --out clean
    cmp all/metrics.csv clean/metrics.csv || fail "$options: other numbers than without them"
    grep -q 'are left out' err && fail "$options: $(cat err)"
  done
  train --data all.jsonl --epochs 1 --out all
  train --data clean_text.jsonl --epochs 1 --out clean
  cmp all/metrics.csv clean/metrics.csv || fail "ngram: other numbers than without them"

  grep '"r ' all.jsonl >nothing.jsonl
  rm -rf run
  expect_error 'nothing.jsonl: in every record all responses are the same, expected some response that is better' --data nothing.jsonl
  grep '"s ' all.jsonl >nothing.jsonl
  expect_error 'nothing.jsonl: in every record all responses are the same to --policy linear, expected' --data nothing.jsonl --policy linear

  local half=${PREFOPT_SHARED_DIR:-$source/../shared}/cases/26_identical/half_identical.jsonl
  [[ -e $half ]] || { echo "SKIPPED in part: there is no $half"; return; }
  train --data "$half" --policy linear --out run
  grep -q '^note: 20 of 40 pairs are left out: their responses are the same text$' err || fail "$(cat err)"
  [[ $(tail -n 1 out) == *'-> 1.000 ('*', 4 pairs)' ]] || fail "$(tail -n 1 out)"
  train --data "${half%half_identical.jsonl}ranked_equal.jsonl" --policy linear --loss adpo --out run
  grep -q '^note: in 20 of 40 records no response is better than another$' err || fail "$(cat err)"
}

# Ranked answers that are the same are no pair, whatever their rewards are.
same_answers() {
  local i
  for i in {1..60}; do
    printf '{"prompt": "p%d", "responses": ["good %d", "good %d", "bad %d"], "rewards": [2, 1, 0]}\n' $i $i $i $i
  done >ranked.jsonl
  for i in {1..60}; do
    printf '{"prompt": "p%d", "responses": ["good %d", "bad %d"], "rewards": [2, 0]}\n' $i $i $i
  done >once.jsonl
  local options
  for options in "--policy linear" "--policy ngram" "--policy linear --loss lcpo --base bradley_terry"; do
    # shellcheck disable=SC2086
    train --data ranked.jsonl $options --out run
    ((status == 0)) || fail "$options: $(cat err)"
    grep -q '^note: 60 pairs of ranked responses are left out: both are the same text$' err || fail "$options: $(cat err)"
    # Two pairs of each of 12 groups.
    [[ $(tail -n 1 out) == *'-> 1.000 ('*', 24 pairs of 12 groups)' ]] || fail "$options: $(tail -n 1 out)"
  done
  # Next to each other in rank, the second good one and the bad one: the pair is that of the answers without the first.
  train --data ranked.jsonl --policy linear --pairs adjacent --out adjacent
  train --data once.jsonl --policy linear --pairs adjacent --out once
  cmp -s adjacent/metrics.csv once/metrics.csv || fail "adjacent: other numbers than without the pairs of the same"
  # Different texts, but not to a policy that reads words in folded case.
  sed 's/"good \([0-9]*\)", "good/"GOOD \1!", "good/' ranked.jsonl >case.jsonl
  train --data case.jsonl --policy linear --out run
  grep -q '^note: 60 pairs of ranked responses are left out: both are the same in all that --policy linear reads$' err || fail "case: $(cat err)"
  train --data case.jsonl --policy ngram --out run --epochs 0 --sft-epochs 0
  grep -q 'are left out' err && fail "case, ngram: $(cat err)"
  # The first and the last in rank are the same in every group.
  sed 's/"rewards": \[2, 1, 0\]/"rewards": [2, 0, 1]/' ranked.jsonl >ends.jsonl
  rm -rf run
  expect_error '--seed: 1 leaves no response that is better than another for training' --data ends.jsonl --policy linear --pairs best-worst
}

# One run a folder, and what is wrong with a folder is told before anything is trained.
out_folder() {
  local quick=(--epochs 0 --sft-epochs 0)
  "$program" --out run --epochs 1000 >/dev/null 2>first.err </dev/null &
  local pid=$!
  until [[ -e run/checkpoint ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
  expect_error 'prefopt_train: run: another run is writing its results there, expected a folder for this run alone' "${quick[@]}"
  expect_error 'prefopt_train: run: another run is writing its results there' --resume --epochs 1000
  kill -0 $pid || fail "the first run: $(cat first.err)"
  kill -9 $pid
  wait $pid 2>/dev/null
  touch run/checkpoint.part
  train --out run "${quick[@]}"
  ((status == 0)) || fail "after the end of the other run: $(cat err)"
  compgen -G 'run/*.part' >/dev/null && fail "an unfinished file of the killed run is left: $(ls run)"

  # What stands in the way is found at once: nothing is trained.
  mkdir -p blocked/metrics.csv/in-the-way
  touch blocked/checkpoint
  run=blocked expect_error 'blocked/metrics.csv: is in the way of the new results: ' "${quick[@]}"
  if (($(id -u) != 0)); then
    mkdir closed && chmod 555 closed
    run=closed expect_error 'prefopt_train: closed: no file can be written there: Permission denied'
    chmod 755 closed
  fi
  # /proc is a file system on which no file can be made, whoever asks.
  [[ -d /proc/self ]] && run=/proc/self expect_error 'prefopt_train: /proc/self: no file can be written there: '

  # A disk that becomes full: the limit of a file's size is that of a disk that holds the metrics and no checkpoint.
  (trap '' XFSZ; ulimit -f 1000; exec "$program" --out full "${quick[@]}" >/dev/null 2>full.err </dev/null)
  (($? == 2)) || fail "full disk: exit status"
  grep -q '^prefopt_train: full/checkpoint: cannot be written: File too large$' full.err || fail "full disk: $(cat full.err)"
  compgen -G 'full/*.part' >/dev/null && fail "a full disk leaves $(ls full)"

  # Names of the user's are shown so that they cannot move the cursor.
  for i in {1..10}; do printf '{"prompt": "%d", "chosen": "a", "rejected": "b", "\\u001b[31m\\nx": 1}\n' $i; done >odd.jsonl
  train --data odd.jsonl --out run "${quick[@]}"
  grep -qF 'does not know these fields: \x1b[31m\nx' err || fail "a field's name: $(cat err)"
}

# The version of the words is part of what a checkpoint was trained with.
old_checkpoint() {
  train --out run --policy linear --epochs 1
  grep -qaE 'linear over words of ICU [0-9]+' run/checkpoint || fail "the checkpoint does not name its words"
  # As one that was written before there were versions: the same length of text, and its checksum.
  command -v python3 >/dev/null || { echo "SKIPPED in part: there is no python3"; return; }
  python3 - run/checkpoint <<'END' || fail "the checkpoint could not be made an old one"
import re, struct, sys, zlib
content = open(sys.argv[1], 'rb').read()[:-4]
name = re.search(rb'linear over words of ICU [0-9]+', content)
content = content[:name.start() - 8] + struct.pack('<Q', 6) + b'linear' + content[name.end():]
open(sys.argv[1], 'wb').write(content + struct.pack('<I', zlib.crc32(content)))
END
  expect_error 'run/checkpoint: --policy: was linear in the run to resume, now linear over words of ICU ' --policy linear --resume
}

help() {
  train --help
  ((status == 0)) || fail "exit status $status"
  for word in --data --loss --policy --resume --epsilon ngram linear annotator bradley_terry lcpo Examples responses rewards \
    --check --chat-template chatml llama3 --scores --line-limit --text-limit preferred_output Nectar LLaMA-Factory zstd CSV \
    target --pairs best-worst adpo plackett_luce --break_ties "Losses of lists"; do
    grep -qF -- "$word" out || fail "the help does not tell about $word"
  done
}

real_data() {
  local data=${PREFOPT_SHARED_DIR:-$source/../shared}/data/hh-rlhf-harmless-base-test.jsonl.gz
  if [[ ! -e $data ]]; then
    echo "SKIPPED: there is no $data (PREFOPT_SHARED_DIR names another folder)"
    exit 77
  fi
  train --policy linear --loss bradley_terry --data "$data" --out linear
  expect_learning out 580
  tail -n 1 out
  # Some dialogues are the same up to the last turn.
  grep -qE ', 46[0-9] pairs( of 46[0-9] prompts)?\)$' out || fail "$(tail -n 1 out): not the fifth that is held out"
  train --policy ngram --loss dpo --data "$data" --out ngram
  expect_learning out 550
  tail -n 1 out
  grep -q 'held-out accuracy: 0.500 -> ' out || fail "DPO does not begin at exactly one half"
}

"$case_name"
((failures == 0))
