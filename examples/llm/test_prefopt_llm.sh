#!/bin/bash
# Tests of prefopt_llm on small random models: test_prefopt_llm.sh CASE PROGRAM WRITER SCRATCH
# WRITER is write_random_llama. The cases are the functions below.
set -u

case_name=$1 program=$2 writer=$3 scratch=$4/$1
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Runs the program on the small model, with options of a small run where others are not given; its output is in out and err,
# its exit status in status.
tune() {
  local given=" $* " standard=(--truncate) option
  for option in '--model tiny.gguf' '--threads 1' '--max-tokens 192' '--own-answers 0' '--learning-rate 0.005' '--batch 4'; do
    # shellcheck disable=SC2206  # two words
    [[ $given == *" ${option% *} "* ]] || standard+=($option)
  done
  "$program" "${standard[@]}" "$@" >out 2>err </dev/null
  status=$?
}

# expect_error TEXT ARGUMENTS...: exit status 2, the last line on standard error has the text, no standard output.
expect_error() {
  local text=$1 files=()
  shift
  [[ " $* " == *' --data '* ]] || files+=(--data pairs.jsonl)
  [[ " $* " == *' --out '* ]] || files+=(--out run)
  tune "${files[@]}" "$@"
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ -s out ]] && fail "$*: wrote to standard output"
  tail -n 1 err | grep -qF -- "$text" || fail "$*: got \"$(tail -n 1 err)\", expected \"$text\""
}

last_line='^held-out accuracy: [01]\.[0-9]{3} -> [01]\.[0-9]{3} \(95 % interval [01]\.[0-9]{3}\.\.[01]\.[0-9]{3}, [0-9]+ (pairs|completions)( of [0-9]+ (groups|prompts))?\)$'

# expect_run ARGUMENTS...: it ends well, with a table.
expect_run() {
  tune "$@"
  ((status == 0)) || fail "$*: exit status $status: $(tail -n 1 err)"
  [[ $(tail -n 1 out) =~ $last_line ]] || fail "$*: last line: $(tail -n 1 out)"
}

# of_metrics RUN COLUMN ROW: a cell of its metrics.csv; row 0 is the first one.
of_metrics() { sed -n "$(($3 + 2))p" "$1/metrics.csv" | cut -d , -f "$2"; }

# The answers to learn: the good ones say "yes please", the bad ones something else, under prompts of their own.
write_pairs() {
  local i
  for ((i = 0; i < ${1:-20}; ++i)); do
    echo "{\"prompt\": \"\\n\\nHuman: question $i?\\n\\nAssistant:\", \"chosen\": \" yes please $((i % 3))\", \"rejected\": \" no way $((i % 4)) at all\"}"
  done
}

"$writer" tiny.gguf || fail 'no model'
write_pairs >pairs.jsonl

help() {
  "$program" --help >out 2>err || fail "exit status $?"
  for word in --model --matrices --lora-alpha --head-only --resume --truncate 'adapter.gguf' 'KL to the reference' simpo kto adpo; do
    grep -qF -- "$word" out || fail "no $word"
  done
}

learns() {
  expect_run --data pairs.jsonl --out run --epochs 6 --sample 'question 3?' --sample-tokens 4 --own-answers 2
  [[ $(sed -n 's/^accuracy  *\([0-9.]*\) *\([0-9.]*\)$/\1 \2/p' out) == '0.500 1.000' ]] || fail "accuracy: $(cat out)"
  awk -F , 'NR == 2 { first = $6 } $6 != "" { last = $6 } END { exit !(first > 0.69 && first < 0.70 && last < 0.2) }' run/metrics.csv ||
    fail "held-out loss: $(cut -d , -f 6 run/metrics.csv | tr '\n' ' ')"
  grep -q '^prompt: question 3?$' out && grep -q '^  before: ' out && grep -q '^  after: ' out || fail 'no samples'
  grep -q '^tokens of 2 own answers ' out || fail 'no lengths'
  grep -qE "^run/adapter.gguf: read back; llama.cpp's own log-probs of 4 held-out answers differ by at most [0-9.]*e-(0[5-9]|1.) " err ||
    fail "llama.cpp: $(grep read err)"
  ls run/curves.* >/dev/null || fail 'no curves'
  cp out first
  rm -rf run
  expect_run --data pairs.jsonl --out run --epochs 6 --sample 'question 3?' --sample-tokens 4 --own-answers 2
  cmp -s out first || fail 'a second run gives other numbers'
}

threads() {
  expect_run --data pairs.jsonl --out one --limit 10
  expect_run --data pairs.jsonl --out two --limit 10 --threads 2 --reference one/reference
  cmp one/adapter.gguf two/adapter.gguf || fail 'two threads give another adapter'
  cmp one/metrics.csv two/metrics.csv || fail 'two threads give other metrics'
  [[ -e two/reference ]] && fail 'a reference that is there is computed again'
}

types() {
  local type
  for type in f16 q8_0; do
    "$writer" tiny.gguf 1 $type
    expect_run --data pairs.jsonl --out run-$type --epochs 2
    awk -F , '$6 != "" { last = $6 } END { exit !(last < 0.6) }' run-$type/metrics.csv || fail "$type: $(cat run-$type/metrics.csv)"
  done
}

losses() {
  local i
  expect_run --data pairs.jsonl --out simpo --loss simpo
  # Of all records at once, and by parts of a record.
  expect_run --data pairs.jsonl --out aot --loss aot
  grep -q '^aot reads more than one record at a time' err || fail "aot: $(cat err)"
  expect_run --data pairs.jsonl --out nll --loss with_nll --base dpo
  expect_run --data pairs.jsonl --out kto --loss kto
  for ((i = 0; i < 12; ++i)); do
    echo "{\"prompt\": \"question $i?\", \"responses\": [\"yes please $i\", \"well $((i % 4))\", \"no way at all\"], \"rewards\": [2, 1, 0]}"
  done >ranked.jsonl
  expect_run --data ranked.jsonl --out adpo --loss adpo --epochs 3
  expect_run --data ranked.jsonl --out ranked --loss dpo --pairs best-rest
  for ((i = 0; i < 12; ++i)); do
    echo "{\"prompt\": \"question $i?\", \"completion\": \"$( ((i % 2)) && echo yes please || echo no way) $i\", \"label\": $( ((i % 2)) && echo true || echo false)}"
  done >completions.jsonl
  expect_run --data completions.jsonl --out completions --loss kto
  ! grep 'mean log-prob' out || fail "labelled completions that stand alone have no better one"
  expect_run --data pairs.jsonl --out text --template text
  # More tokens in a record than the model keeps at a time.
  local answer
  answer=$(printf 'x%.0s' {1..800})
  for ((i = 0; i < 4; ++i)); do
    echo "{\"prompt\": \"$i?\", \"responses\": [\"a$answer\", \"b$answer\", \"c$answer\"], \"rewards\": [2, 1, 0]}"
  done >long.jsonl
  expect_run --data long.jsonl --out long --loss adpo --max-tokens 1024 --epochs 3
  awk -F , '$6 != "" && !first { first = $6 } $6 != "" { last = $6 } END { exit !(last < first) }' long/metrics.csv || fail "long: $(cat long/metrics.csv)"
}

# A record's own gradient, or all records together: the same where it does not matter. with_nll of almost no weight reads the lengths
# of the whole batch, and is dpo.
apart() {
  expect_run --data pairs.jsonl --out apart --loss dpo
  expect_run --data pairs.jsonl --out together --loss with_nll --base dpo --nll 1e-9
  paste -d , apart/metrics.csv together/metrics.csv | awk -F , 'NR > 1 { d = $9 - $19; if (d < 0) d = -d; if (d > 1e-5 * $9) wrong = 1 }
    END { exit wrong }' || fail "$(paste apart/metrics.csv together/metrics.csv)"
}

resume() {
  local options=(--data pairs.jsonl --epochs 3 --own-answers 1)
  expect_run "${options[@]}" --out whole
  cp out whole.out
  for at in 1 4 7; do
    rm -rf run
    tune "${options[@]}" --out run --stop-after $at
    ((status == 0)) && [[ ! -s out ]] || fail "--stop-after $at: exit status $status"
    grep -q "^stopped after step $at of 12; --resume goes on" err || fail "$(cat err)"
    expect_run "${options[@]}" --out run --resume
    cmp out whole.out || fail "resumed after $at: another table"
    cmp run/adapter.gguf whole/adapter.gguf || fail "resumed after $at: another adapter"
    cmp run/metrics.csv whole/metrics.csv || fail "resumed after $at: other metrics"
  done
  expect_error 'run/checkpoint: --epochs: was 3 in the run to resume, now 4' --resume --epochs 4
  expect_error 'run/checkpoint: --rank: was 8 in the run to resume, now 4' --resume --rank 4 --epochs 3
  cp run/checkpoint saved
  rm run/checkpoint.previous
  printf X | dd of=run/checkpoint bs=1 seek=5000 conv=notrunc status=none
  expect_error 'run/checkpoint: is damaged' --resume --epochs 3
  head -c 5000 saved >run/checkpoint
  expect_error 'run/checkpoint: is damaged' --resume --epochs 3
  rm run/checkpoint
  expect_error 'run/checkpoint: cannot be opened, there is no run to resume' --resume --epochs 3
}

reference() {
  expect_run --data pairs.jsonl --out run
  cp run/reference kept
  "$writer" tiny.gguf 2
  expect_error 'kept: ' --reference kept
  grep -q 'remove it to have the reference of this model and data computed, or name another --reference$' err || fail "$(cat err)"
  "$writer" tiny.gguf 1
  write_pairs 19 >fewer.jsonl
  tune --data fewer.jsonl --out run --reference kept
  ((status == 2)) || fail 'the reference of other data is taken'
  expect_error 'kept: ' --reference kept --template text
  expect_error '--reference: there is no folder ' --reference nowhere/kept
  head -c 100 kept >part
  expect_error 'part: ' --reference part
  # What is refused leaves the results of the run before as they are.
  local before
  before=$(cksum run/adapter.gguf run/checkpoint run/metrics.csv)
  write_pairs 18 >fewer.jsonl
  tune --data fewer.jsonl --out run
  ((status == 2)) || fail "another data's reference in the folder: exit status $status"
  [[ $(cksum run/adapter.gguf run/checkpoint run/metrics.csv) == "$before" ]] || fail 'a refused run spoils the results of the one before'
  # One with other numbers is used as it is.
  expect_run --data pairs.jsonl --out again --reference kept --seed 2
}

head_only() {
  expect_run --data pairs.jsonl --out run --head-only --epochs 6
  grep -qE "^run/model.gguf: read back; llama.cpp's own log-probs of 4 held-out answers differ by at most [0-9.]*e-(0[5-9]|1.) " err ||
    fail "llama.cpp: $(grep read err)"
  awk -F , 'NR == 2 { first = $6 } $6 != "" { last = $6 } END { exit !(last < first - 0.1) }' run/metrics.csv || fail "$(cat run/metrics.csv)"
  cp run/model.gguf first.gguf
  expect_error 'nowhere/checkpoint: cannot be opened, there is no run to resume' --out nowhere --head-only --resume
  [[ -e nowhere ]] && fail 'hidden states are computed of a run that is refused'
  expect_run --data pairs.jsonl --out run/ --head-only --epochs 6
  grep -q '^computes the hidden states' err && fail 'hidden states that are there are computed again'
  cmp run/model.gguf first.gguf || fail 'a second run gives another model'
  tune --data pairs.jsonl --out part --head-only --epochs 6 --stop-after 5
  expect_run --data pairs.jsonl --out part --head-only --epochs 6 --resume
  cmp part/model.gguf first.gguf || fail 'a resumed run gives another model'
  expect_run --data pairs.jsonl --out kto --head-only --loss kto --hidden run/hidden --reference run/reference
  local i
  for ((i = 0; i < 12; ++i)); do
    echo "{\"prompt\": \"question $i?\", \"responses\": [\"yes please $i\", \"well $((i % 4))\", \"no way at all\"], \"rewards\": [2, 1, 0]}"
  done >ranked.jsonl
  expect_run --data ranked.jsonl --out ranked --head-only --loss adpo
  "$writer" tiny.gguf 1 q8_0
  expect_error 'run/hidden: has the hidden states of another model' --head-only --reference new
  expect_run --data pairs.jsonl --out q8 --head-only
  "$writer" tiny.gguf 1
  printf X | dd of=run/hidden bs=1 seek=5000 conv=notrunc status=none
  expect_error 'run/hidden: is damaged: its checksum' --head-only
  # The result is a model of its own, which can be trained again.
  cp first.gguf tiny.gguf
  expect_run --data pairs.jsonl --out further
}

# The same dialogues as texts and as messages have the same log-probs; with a blank more in the answers they have others.
messages() {
  local i user
  for ((i = 0; i < 10; ++i)); do
    user="{\"role\": \"user\", \"content\": \"question $i?\"}"
    echo "{\"chosen\": [$user, {\"role\": \"assistant\", \"content\": \"yes please $((i % 3))\"}], \"rejected\": [$user, {\"role\": \"assistant\", \"content\": \"no way $((i % 4)) at all\"}]}"
  done >messages.jsonl
  write_pairs 10 >texts.jsonl
  expect_run --data texts.jsonl --out texts --epochs 0
  cp out texts.out
  expect_run --data messages.jsonl --out messages --epochs 0
  cmp texts/reference messages/reference || fail 'messages have another reference than the texts'
  cmp out texts.out || fail 'messages have another table than the texts'
  sed 's/"content": "\(yes\|no\)/"content": " \1/g' messages.jsonl >blanks.jsonl
  expect_run --data blanks.jsonl --out blanks --epochs 0
  cmp -s texts/reference blanks/reference && fail 'a blank before an answer is lost'
  # By the text that is made of them, if asked for.
  expect_run --data messages.jsonl --out plain --template text --epochs 0
  expect_run --data texts.jsonl --out plain-texts --template text --epochs 0
  cmp plain/reference plain-texts/reference || fail 'messages have another text'

  sed 's/"role": "user"/"role": "tool"/g' messages.jsonl >roles.jsonl
  expect_run --data roles.jsonl --out roles --epochs 0
  grep -qF 'note: the chat template writes messages of other roles than system, user and assistant by their names: tool (10)' err ||
    fail "$(cat err)"
  sed 's/"role": "user"/"role": "t l"/g' messages.jsonl >pairs.jsonl
  expect_error "pairs.jsonl:1: a turn of 't l', expected a role of letters, digits, _, - and ."
}

bad_options() {
  local i
  expect_error '--model: '"'none.gguf'"': there is no such file' --model none.gguf
  expect_error '--rank' --rank 0
  expect_error "prefopt_llm: --rank: got 65, expected 1 to the model's width, 64; --head-only takes larger ones" --rank 65
  expect_error "--lora-alpha: got '-1', expected a finite number > 0" --lora-alpha -1
  expect_error "--lora-alpha: got 1e-50, expected a number that f32 can hold, also divided by --rank, 8" --lora-alpha 1e-50
  expect_error "--lora-alpha: got 1e-37, expected a number that f32 can hold, also divided by --rank, 64" --lora-alpha 1e-37 --rank 64
  expect_error '--lora-alpha: got 1e+39, expected a number that f32 can hold' --lora-alpha 1e39
  expect_error "--matrices: got 'qq', expected all, or some of q,k,v,o,gate,up,down" --matrices q,qq
  expect_error "--matrices: got 'q' twice in 'q,q'" --matrices q,q
  tune --data pairs.jsonl --out ''
  ((status == 2)) && [[ $(cat err) == 'prefopt_llm: --out: is empty, expected a folder' ]] || fail "--out '': $status: $(cat err)"
  expect_error '--warm-up: got 1, expected a number below 1' --warm-up 1
  expect_error "--train-limit: got '0', expected a whole number" --train-limit 0
  expect_error '--holdout: got 1, expected a number below 1' --holdout 1
  expect_error '--max-tokens: got 100000, the model was made for' --max-tokens 100000
  expect_error '--matrices: goes with an adapter' --head-only --matrices q
  expect_error '--hidden: goes with --head-only' --hidden x
  expect_error '--chat-template: goes with --template text' --chat-template chatml
  expect_error "there is no loss 'dpoo'" --loss dpoo
  expect_error '--batch: kto takes its reference point' --loss kto --batch 1
  expect_error '--pairs: adpo is a list loss' --loss adpo --pairs every
  expect_error '--sample: got an empty prompt' --sample ''
  expect_error '--sample: a prompt of ' --sample "$(printf 'x%.0s' {1..2000})"
  # Files that would be lost.
  mkdir here
  cp tiny.gguf here/model.gguf
  printf 'prompt,chosen,rejected\n' >here/metrics.csv
  for ((i = 0; i < 10; ++i)); do echo "question $i?,yes please $i,no way" >>here/metrics.csv; done
  cp here/metrics.csv kept.csv
  expect_error "--model: got 'here/model.gguf', which this run would replace" --model here/model.gguf --out here
  expect_error "--model: got 'here/model.gguf', which this run would replace" --model here/model.gguf --out ./here/../here/ --head-only
  expect_error "--data: got 'here/metrics.csv', which this run would replace" --data here/metrics.csv --out here
  expect_error "--reference: got 'here/checkpoint', which this run would replace" --reference here/checkpoint --out here
  expect_error "--hidden: got 'here/model.gguf', which this run would replace" --hidden here/model.gguf --head-only --out here
  expect_error 'here/metrics.csv: lies there without the checkpoint of an earlier run' --out here
  cmp tiny.gguf here/model.gguf || fail 'a model is lost'
  cmp kept.csv here/metrics.csv || fail 'a file is lost'
  expect_error '--betta: unknown option' --betta 1
  [[ -e run ]] && fail 'a refused command leaves a folder'
}

# A policy that has gone astray is told of by its options, whichever pass it shows in.
endless() {
  local options
  for options in '--loss dpo' '--loss simpo' '--loss kto' '--loss aot' '--head-only' '--loss dpo --batch 16'; do
    rm -rf run
    # shellcheck disable=SC2086  # words
    expect_error 'prefopt_llm: --learning-rate: ' --learning-rate 1e30 --epochs 3 $options
    tail -n 1 err | grep -qE '(a log-prob after|the gradient of) step [0-9]+ is not finite, expected a rate below 1e\+30, or a --lora-alpha below 16$' ||
      fail "$options: $(tail -n 1 err)"
  done
}

bad_model() {
  cp tiny.gguf whole
  local size
  size=$(stat -c %s whole)
  for part in 0 3 100 1000 $((size / 2)) $((size - 1)); do
    head -c $part whole >tiny.gguf
    expect_error 'tiny.gguf: '
  done
  sed 's/llama/mamba/g' whole >tiny.gguf
  expect_error 'mamba'
  "$writer" tiny.gguf 1 f32 blk.1.ffn_up.weight
  expect_error 'blk.1.ffn_up.weight'
  echo text >tiny.gguf
  expect_error 'tiny.gguf: '
}

long_texts() {
  write_pairs 10 >pairs.jsonl
  local word
  word=$(printf 'x%.0s' {1..400})
  echo "{\"prompt\": \"\\n\\nHuman: $word\\n\\nAssistant:\", \"chosen\": \" yes\", \"rejected\": \" no\"}" >>pairs.jsonl
  echo '{"prompt": "\n\nHuman: one\n\nAssistant:", "chosen": " same ", "rejected": " same"}' >>pairs.jsonl
  echo '{"prompt": "\n\nHuman: one\n\nAssistant:", "chosen": " a\n\nHuman: b\n\nAssistant: c", "rejected": " d"}' >>pairs.jsonl
  "$program" --model tiny.gguf --threads 1 --max-tokens 192 --own-answers 0 --data pairs.jsonl --out run >out 2>err || fail "$(cat err)"
  for note in '1 of 13 pairs are left out: longer than --max-tokens 192 tokens; --truncate cuts them' \
    '1 of 13 pairs are left out: their responses are the same tokens' \
    '1 of 13 pairs are left out: an answer goes on with what the user says next' '8 pairs to train on, 2 held out'; do
    grep -qF "$note" err || fail "no \"$note\" in $(cat err)"
  done
  expect_run --data pairs.jsonl --out cut
  grep -qF '1 of 13 pairs are cut to --max-tokens 192 tokens' err || fail "$(cat err)"
  expect_run --data pairs.jsonl --out five --limit 5
  grep -qF '4 pairs to train on, 1 held out' err || fail "$(cat err)"
  expect_run --data pairs.jsonl --out three --train-limit 3
  grep -qF '3 pairs to train on, 2 held out' err || fail "$(cat err)"
  expect_run --data pairs.jsonl --out all --train-limit 100
  grep -qF '9 pairs to train on, 2 held out' err || fail "$(cat err)"
  tail -n 2 pairs.jsonl >none.jsonl
  tune --data none.jsonl --out run
  ((status == 2)) && grep -qF 'none.jsonl: none of its 2 pairs can be used: ' err || fail "$(cat err)"
}

$case_name
exit $((failures > 0))
