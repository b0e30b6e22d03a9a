#!/bin/bash
# Tests of what prefopt_train reads: test_preference_files.sh CASE PROGRAM SCRATCH SOURCE PRINTER
# The cases are the functions below; 77 stands for "skipped".
set -u

case_name=$1 program=$2 scratch=$3/$1 source=$4 printer=$5
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch" || exit 1

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# expect_check TEXT FILE ARGUMENTS...: exit status 0, and the text in what is told of the file.
expect_check() {
  local text=$1
  shift
  "$program" --check "$@" >out 2>err </dev/null || fail "--check $*: exit status $?: $(cat err)"
  grep -qF -- "$text" out || fail "--check $*: got \"$(cat out)\", expected \"$text\""
}

# expect_error TEXT ARGUMENTS...: exit status 2, one line on standard error that has the text, nothing on standard output.
expect_error() {
  local text=$1 status
  shift
  "$program" "$@" >out 2>err </dev/null
  status=$?
  ((status == 2)) || fail "$*: exit status $status, expected 2"
  [[ -s out ]] && fail "$*: wrote to standard output"
  (($(wc -l <err) == 1)) || fail "$*: $(wc -l <err) lines on standard error"
  grep -qF -- "$text" err || fail "$*: got \"$(cat err)\", expected \"$text\""
}

# same FILE EXPECTED ARGUMENTS...: the file is read as plain text that says what it should be read as.
same() {
  local file=$1 expected=$2
  shift 2
  "$printer" "$expected" >expected_records 2>err || fail "$expected: $(cat err)"
  "$printer" "$file" "$@" >records 2>err || fail "$file $*: $(cat err)"
  cmp -s records expected_records || fail "$file $*: $(diff records expected_records | head -n 4)"
}

# same_training FILE EXPECTED ARGUMENTS...: gives the same numbers, too.
same_training() {
  same "$@"
  local file=$1 expected=$2
  shift 2
  "$program" --data "$expected" --out expected_run "${common[@]}" >expected_out 2>err </dev/null || fail "$expected: $(cat err)"
  "$program" --data "$file" --out run "${common[@]}" "$@" >out 2>err </dev/null || fail "$file $*: $(cat err)"
  cmp -s out expected_out && cmp -s run/metrics.csv expected_run/metrics.csv || fail "$file $*: other numbers than $expected"
}
common=(--epochs 1 --sft-epochs 1)

# lines FORMAT: ten records, with the number in the place of each @.
lines() {
  local i
  for i in 0 1 2 3 4 5 6 7 8 9; do printf '%s\n' "${1//@/$i}"; done
}

# The pairs that all shapes of pairs below say, by the template plain.
write_pairs() {
  lines '{"prompt": "\n\nHuman: Which \"@\"?\n\nAssistant:", "chosen": " It is green, @.", "rejected": " No."}' >pairs.jsonl
}

user='{"role": "user", "content": "Which \"@\"?"}' good='{"role": "assistant", "content": "It is green, @."}'
bad='{"role": "assistant", "content": "No."}'
human='{"from": "human", "value": "Which \"@\"?"}' gpt_good='{"from": "gpt", "value": "It is green, @."}'
gpt_bad='{"from": "gpt", "value": "No."}'

pairs() {
  write_pairs
  expect_check 'read 10 records from pairs.jsonl (JSON lines): 10 pairs (TRL); 10 prompts; 0 ties; left out: nothing' pairs.jsonl

  lines "{\"prompt\": [$user], \"chosen\": [$good], \"rejected\": [$bad]}" >explicit.jsonl
  expect_check '10 pairs, conversational (TRL); 10 prompts' explicit.jsonl
  same_training explicit.jsonl pairs.jsonl

  lines "{\"chosen\": [$user, $good], \"rejected\": [$user, $bad]}" >implicit.jsonl
  expect_check '10 pairs, conversational, implicit prompts (TRL); 10 prompts' implicit.jsonl
  same_training implicit.jsonl pairs.jsonl

  # One message by itself, a prompt that is repeated, a text beside messages.
  lines "{\"prompt\": $user, \"chosen\": $good, \"rejected\": \"No.\"}" >single.jsonl
  same_training single.jsonl pairs.jsonl
  lines "{\"prompt\": [$user], \"chosen\": [$user, $good], \"rejected\": [$user, $bad]}" >repeated.jsonl
  same_training repeated.jsonl pairs.jsonl
  lines "{\"prompt\": \"Which \\\"@\\\"?\", \"chosen\": [$good], \"rejected\": [$bad]}" >text.jsonl
  same_training text.jsonl pairs.jsonl

  lines "{\"prompt\": \"Which one?\", \"chosen\": [$user, $good], \"rejected\": [$user, $bad]}" >other.jsonl
  expect_check 'left out: prompt that is none of the messages (10)' other.jsonl
  same other.jsonl pairs.jsonl

  # A content in parts; an image is left out.
  lines "{\"prompt\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"Which \"}, {\"type\": \"image\"}, {\"type\": \"text\", \"text\": \"\\\"@\\\"?\"}]}], \"chosen\": [$good], \"rejected\": [$bad]}" >parts.jsonl
  expect_check 'left out: image in messages (10)' parts.jsonl
  same_training parts.jsonl pairs.jsonl

  # Dialogues that are the same, beside others: the last message is the response, and an order among them is none.
  { cat pairs.jsonl; lines "{\"chosen\": [$user, $good], \"rejected\": [$user, $good]}"; } >same.jsonl
  { cat pairs.jsonl; lines '{"prompt": "\n\nHuman: Which \"@\"?\n\nAssistant:", "chosen": " It is green, @.", "rejected": " It is green, @."}'; } >same_text.jsonl
  same_training same.jsonl same_text.jsonl

  # Several turns, with a call of a tool in the response.
  local turns="{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Yes?\"}, $user"
  lines "{\"prompt\": [$turns], \"chosen\": [{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": @}]}, {\"role\": \"tool\", \"content\": \"green\"}, $good], \"rejected\": [$bad]}" >turns.jsonl
  lines '{"prompt": "\n\nSystem: Be brief.\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Which \"@\"?\n\nAssistant:", "chosen": " [{\"id\":@}]\n\nTool: green\n\nAssistant: It is green, @.", "rejected": " No."}' >turns_text.jsonl
  same_training turns.jsonl turns_text.jsonl

  expect_error_of() {
    printf '%s\n' "$2" >bad.jsonl
    expect_error "bad.jsonl:1: $1" --check bad.jsonl
  }
  expect_error_of 'prompt: has no messages, expected one or more' '{"prompt": [], "chosen": "a", "rejected": "b"}'
  expect_error_of 'chosen: message 1: has no role, expected who says it' '{"chosen": [{"content": "a"}], "rejected": "b"}'
  expect_error_of 'chosen: message 2: has no content, expected what is said' "{\"chosen\": [$user, {\"role\": \"assistant\", \"content\": null}], \"rejected\": \"b\"}"
  expect_error_of 'chosen: message 1: has no value, expected what is said' '{"chosen": {"from": "gpt"}, "rejected": "b"}'
  expect_error_of 'chosen: got a string in place 1, expected a message' '{"chosen": ["a"], "rejected": "b"}'
  expect_error_of 'chosen: message 1: has a part without a type' '{"chosen": [{"role": "assistant", "content": [1]}], "rejected": "b"}'
  expect_error_of 'chosen: got a number, expected a string or messages' '{"chosen": 1, "rejected": "b"}'
  expect_error_of 'has neither chosen and rejected nor responses and rewards nor completion and label' '{"messages": []}'
}

ultrafeedback() {
  write_pairs
  local record="{\"prompt\": \"Which \\\"@\\\"?\", \"prompt_id\": \"x\", \"chosen\": [$user, $good], \"rejected\": [$user, $bad], \"messages\": [$user, $good], \"score_chosen\": 8.5, \"score_rejected\": @}"
  lines "$record" >scores.jsonl
  expect_check '10 pairs of UltraFeedback-binarized; 10 prompts; 0 ties; left out: messages (10), prompt_id (10)' scores.jsonl
  expect_check 'note: the chosen response has the lower score in 1 pair' scores.jsonl
  expect_check 'note: the scores of chosen and rejected are left alone' scores.jsonl
  same_training scores.jsonl pairs.jsonl
  # The margin is the difference, the label its sigmoid.
  local i
  for i in 0 1 2 3 4 5 6 7 8 9; do
    sed -n "$((i + 1))s/}\$/, \"margin\": $((8 - i)).5}/p" pairs.jsonl
  done | sed 's/"margin": -1.5/"margin": -0.5/' >margins.jsonl
  common=(--epochs 1 --sft-epochs 0 --policy linear --loss bradley_terry)
  sed -i '10s/"margin": [^}]*/"margin": -0.5/' margins.jsonl
  same_training scores.jsonl margins.jsonl --scores margin
  "$program" --data pairs.jsonl --out other "${common[@]}" >other_out 2>err
  cmp -s out other_out && fail "the margin changes nothing"
  # 1 / (1 + exp(-x)) of 8.5, 7.5, ... -0.5, rounded to 20 digits
  local labels=(0.99979657302194479348 0.99944722136307640048 0.99849881774326300847 0.99592986228410387267
    0.98901305736940681996 0.97068776924864368113 0.92414181997875644881 0.81757447619364365961 0.62245933120185456464
    0.37754066879814543536)
  for i in 0 1 2 3 4 5 6 7 8 9; do
    sed -n "$((i + 1))s/}\$/, \"label\": ${labels[i]}}/p" pairs.jsonl
  done >labels.jsonl
  common=(--epochs 1 --sft-epochs 1 --loss labelled --base dpo)
  "$program" --data labels.jsonl --out expected_run "${common[@]}" >expected_out 2>err </dev/null || fail "labels: $(cat err)"
  "$program" --data scores.jsonl --scores label --out run "${common[@]}" >out 2>err </dev/null || fail "--scores label: $(cat err)"
  cmp -s out expected_out || fail "--scores label: other numbers than labels"
  "$printer" scores.jsonl --scores label | sed -E 's/.*"label":([0-9.e-]+).*/\1/' >printed
  printf '%s\n' "${labels[@]}" | paste - printed | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-14) bad = 1 } END { exit bad || NR != 10 }' ||
    fail "labels: $(cat printed)"

  lines "${record/8.5/@}" >equal.jsonl
  expect_check '10 ties' equal.jsonl
  expect_error 'score_chosen: is missing, and --scores needs it and score_rejected in every pair' --check pairs.jsonl --scores label
  lines '{"responses": ["a", "b"], "rewards": [1, 0]}' >ranked.jsonl
  expect_error 'score_chosen: is in no record, and --scores needs it' --check ranked.jsonl --scores margin
  lines "${record/\"score_chosen\"/\"margin\": 1, \"score_chosen\"}" >both.jsonl
  expect_error 'both.jsonl:1: margin: stands beside scores' --check both.jsonl --scores margin
}

openai() {
  write_pairs
  lines "{\"input\": {\"messages\": [$user], \"tools\": [], \"parallel_tool_calls\": true}, \"preferred_output\": [$good], \"non_preferred_output\": [$bad]}" >openai.jsonl
  expect_check "10 pairs of OpenAI's preference format; 10 prompts; 0 ties; left out: input.parallel_tool_calls (10)" openai.jsonl
  same_training openai.jsonl pairs.jsonl
  printf '{"input": {}, "preferred_output": [], "non_preferred_output": []}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: input: has no messages' --check bad.jsonl
  printf '{"input": "x", "preferred_output": [], "non_preferred_output": []}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: input: got a string, expected an object with messages' --check bad.jsonl
  printf '{"input": {"messages": [%s]}, "preferred_output": [%s]}\n' "$user" "$good" >bad.jsonl
  expect_error 'bad.jsonl:1: non_preferred_output: is missing, expected messages' --check bad.jsonl
}

# The lowest rank is the best: ranks 1, 2, 2, 4 are rewards 3, 2, 2, 0.
ranks() {
  common=(--epochs 1 --sft-epochs 1 --loss list_net)
  lines '{"prompt": "\n\nHuman: Name @ \n\nAssistant: ", "responses": ["hammer @", "saw", "axe", "no"], "rewards": [3, 2, 2, 0]}' >ranked.jsonl
  lines '{"prompt": "\n\nHuman: Name @ \n\nAssistant: ", "answers": [{"answer": "hammer @", "model": "m", "rank": 1.0}, {"answer": "saw", "model": "m", "rank": 2.0}, {"answer": "axe", "rank": 2.0}, {"answer": "no", "rank": 4.0}], "turns": 1, "num_responses": 4, "source": ["x"], "good_natured": true}' >nectar.jsonl
  expect_check '10 ranked answers of Nectar; 10 prompts; 10 ties; left out: good_natured (10), model of answers (20), num_responses (10), source (10), turns (10)' nectar.jsonl
  same_training nectar.jsonl ranked.jsonl

  lines '{"prompt": "\n\nHuman: Which \"@\"?\n\nAssistant:", "responses": [" No.", " It is green, @."], "rewards": [0, 1]}' >two.jsonl
  lines "{\"context\": [$user], \"completions\": [{\"rank\": 1, \"completion\": [$bad]}, {\"rank\": 0, \"completion\": [$good]}]}" >nemo.jsonl
  expect_check '10 ranked completions of NeMo RL; 10 prompts; 0 ties; left out: nothing' nemo.jsonl
  same_training nemo.jsonl two.jsonl

  printf '{"prompt": "p", "answers": [{"answer": "a", "rank": 1}]}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: answers: got 1, expected 2 or more' --check bad.jsonl
  printf '{"prompt": "p", "answers": [{"answer": "a", "rank": 1}, {"answer": "b", "rank": null}]}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: answers: got null in place 2, expected a rank, a number' --check bad.jsonl
  printf '{"prompt": "p", "answers": [{"answer": "a", "rank": -1e308}, {"answer": "b", "rank": 1e308}]}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: answers: has ranks too far from each other' --check bad.jsonl
}

completions() {
  common=(--epochs 1 --sft-epochs 1 --loss kto)
  local label=', "label": true}' no=', "label": false}'
  { lines '{"prompt": "\n\nHuman: Which \"@\"?\n\nAssistant:", "completion": " It is green, @."'"$label"
    lines '{"prompt": "\n\nHuman: Which \"@\"?\n\nAssistant:", "completion": " No."'"$no"; } >alone.jsonl
  expect_check '20 single completions (TRL); 10 prompts; 0 ties' alone.jsonl
  { lines "{\"prompt\": [$user], \"completion\": [$good]$label"
    lines "{\"prompt\": [$user], \"completion\": [$bad]$no"; } >messages.jsonl
  expect_check '20 single completions, conversational (TRL); 10 prompts' messages.jsonl
  same_training messages.jsonl alone.jsonl
  # Without a prompt it is the text up to the last mark of the assistant's turn, and nothing where there is none.
  sed -E 's/Assistant:", "completion": "/Assistant:/; s/"prompt"/"completion"/' alone.jsonl >marked.jsonl
  expect_check '20 single completions (TRL); 10 prompts; 0 ties' marked.jsonl
  same_training marked.jsonl alone.jsonl
  lines '{"completion": "It is green, @."'"$label" >no_prompt.jsonl
  lines '{"prompt": "", "completion": "It is green, @."'"$label" >empty_prompt.jsonl
  same no_prompt.jsonl empty_prompt.jsonl
  label=', "kto_tag": true}' no=', "kto_tag": false}'
  { lines '{"instruction": "Which", "input": "\"@\"?", "output": "It is green, @."'"$label"
    lines '{"instruction": "Which", "input": "\"@\"?", "output": "No."'"$no"; } >alpaca.jsonl
  expect_check "20 single completions of LLaMA-Factory's alpaca form (KTO); 10 prompts" alpaca.jsonl
  sed 's/Which /Which\\n/' alone.jsonl >alpaca_text.jsonl
  same_training alpaca.jsonl alpaca_text.jsonl
  { lines "{\"conversations\": [$human, $gpt_good]$label"
    lines "{\"conversations\": [$human, $gpt_bad]$no"; } >sharegpt.jsonl
  expect_check "20 single completions of LLaMA-Factory's sharegpt form (KTO); 10 prompts" sharegpt.jsonl
  same_training sharegpt.jsonl alone.jsonl
  { lines "{\"messages\": [$user, $good]$label"
    lines "{\"messages\": [$user, $bad]$no"; } >openai.jsonl
  same_training openai.jsonl alone.jsonl
  printf '{"conversations": [%s], "kto_tag": true}\n' "$human" >bad.jsonl
  expect_error 'bad.jsonl:1: conversations: does not end with the assistant' --check bad.jsonl
  printf '{"instruction": "a", "output": "b", "kto_tag": 2}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: kto_tag: got 2, expected true or false' --check bad.jsonl
}

llama_factory() {
  write_pairs
  lines '{"instruction": "Which \"@\"?", "input": "", "chosen": "It is green, @.", "rejected": "No."}' >alpaca.jsonl
  expect_check "10 pairs of LLaMA-Factory's alpaca form; 10 prompts" alpaca.jsonl
  same_training alpaca.jsonl pairs.jsonl
  lines '{"instruction": "Which \"@\"?", "input": "", "output": ["It is green, @.", "No."]}' >older.jsonl
  same_training older.jsonl pairs.jsonl
  { echo '['; lines '  {"instruction": "Which \"@\"?",
   "input": "", "chosen": "It is green, @.", "rejected": "No."}' | sed 's/"}$/"},/'; echo '{"instruction": "Which more?", "chosen": "a", "rejected": "b"} ]'; } >array.json
  expect_check "read 11 records from array.json (a JSON array): 11 pairs of LLaMA-Factory's alpaca form; 11 prompts" array.json
  lines "{\"conversations\": [$human], \"chosen\": $gpt_good, \"rejected\": $gpt_bad}" >sharegpt.jsonl
  expect_check "10 pairs of LLaMA-Factory's sharegpt form; 10 prompts" sharegpt.jsonl
  same_training sharegpt.jsonl pairs.jsonl
  lines '{"system": "Be brief.", "history": [["Hi", "Yes?"]], "instruction": "Which", "input": "\"@\"?", "chosen": "It is green, @.", "rejected": "No."}' >history.jsonl
  lines '{"prompt": "\n\nSystem: Be brief.\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Which\n\"@\"?\n\nAssistant:", "chosen": " It is green, @.", "rejected": " No."}' >history_text.jsonl
  same_training history.jsonl history_text.jsonl
  printf '{"instruction": "a", "output": "b"}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: output: got a string, expected the better and the worse output' --check bad.jsonl
  printf '{"instruction": "a", "history": [["b"]], "chosen": "c", "rejected": "d"}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: history: got other things in place 1, expected a turn' --check bad.jsonl
}

templates() {
  local turns="{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \" Which @? \"}"
  lines "{\"prompt\": [$turns], \"chosen\": [$good], \"rejected\": [$bad]}" >messages.jsonl
  lines '{"prompt": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Which @? <|im_end|>\n<|im_start|>assistant\n", "chosen": "It is green, @.<|im_end|>\n", "rejected": "No.<|im_end|>\n"}' >chatml.jsonl
  same_training messages.jsonl chatml.jsonl --chat-template chatml
  lines '{"prompt": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhich @?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", "chosen": "It is green, @.<|eot_id|>", "rejected": "No.<|eot_id|>"}' >llama3.jsonl
  same_training messages.jsonl llama3.jsonl --chat-template llama3
  lines '{"prompt": "\n\nSystem: Be brief.\n\nHuman:  Which @? \n\nAssistant:", "chosen": " It is green, @.", "rejected": " No."}' >plain.jsonl
  same_training messages.jsonl plain.jsonl --chat-template plain
  # Texts stay as they are.
  same_training plain.jsonl plain.jsonl --chat-template llama3
  expect_error '--chat-template' --check plain.jsonl --chat-template gemma
  # A run with another template is another run.
  "$program" --data messages.jsonl --out again "${common[@]}" >out 2>err || fail "$(cat err)"
  expect_error 'again/checkpoint: --data: was 10 pairs' --data messages.jsonl --out again "${common[@]}" --resume --chat-template chatml
}

forms() {
  write_pairs
  gzip -c pairs.jsonl >pairs.gz
  expect_check 'from pairs.gz (JSON lines, gzip): 10 pairs' pairs.gz
  same_training pairs.gz pairs.jsonl
  cat pairs.gz pairs.gz >twice.gz
  expect_check 'read 20 records from twice.gz' twice.gz
  "$program" --check - <pairs.gz >out 2>err || fail "standard input: $(cat err)"
  grep -qF 'read 10 records from <stdin> (JSON lines, gzip): 10 pairs' out || fail "standard input: $(cat out)"
  cat pairs.jsonl | "$program" --data - --out run "${common[@]}" >out 2>err || fail "standard input: $(cat err)"
  cmp -s out expected_out || fail "standard input gives other numbers"
  if command -v zstd >/dev/null; then
    zstd -q pairs.jsonl -o pairs.txt
    expect_check 'from pairs.txt (JSON lines, zstd): 10 pairs' pairs.txt
    same_training pairs.txt pairs.jsonl
    head -c 100 pairs.txt >short.zst
    expect_error 'short.zst:1: the zstd stream breaks off here, the file is truncated' --check short.zst
    { head -c -4 pairs.txt; printf 'xxxx'; } >damaged.zst
    expect_error 'damaged.zst:1: the zstd stream is damaged here: ' --check damaged.zst
  fi
  { printf '\xef\xbb\xbf\n['; sed 's/$/,/;$s/,$//' pairs.jsonl; printf ' ] \n\n'; } >array.json
  expect_check 'read 10 records from array.json (a JSON array): 10 pairs' array.json
  same_training array.json pairs.jsonl
  tr -d '\n' <array.json >one_line.json
  same_training one_line.json pairs.jsonl
  { echo '{"chosen": "x y", "rejected": "x z"}'; cat pairs.jsonl; } >implicit.jsonl
  expect_check ': 1 pairs, implicit prompts (TRL) and 10 pairs (TRL); 11 prompts' implicit.jsonl

  array_error() {
    printf "$2" >array.json
    expect_error "array.json:$1" --check array.json
  }
  local pair='{"chosen": "a", "rejected": "b"}'
  array_error '2: the JSON array breaks off in what begins here' "[\n$pair"
  array_error '3: the JSON array breaks off' "[\n$pair,\n{\"chosen\": \"a"
  array_error '2: byte 34 is not what JSON expects there' "[\n$pair $pair]"
  array_error '1: byte 35 is not what JSON expects there: a JSON object' "[$pair,]"
  array_error '2: more follows behind the JSON array' "[$pair]\n$pair"
  array_error '1: got an array, expected a JSON object' "[[$pair]]"
  array_error '3: byte 5 is not what JSON expects there' "[$pair,\n{\"chosen\":\n tru, \"rejected\": \"b\"}]"
  array_error '1: byte 17 is not what JSON expects there' "  [ {\"chosen\" \"a\"}]"
  array_error ' has no records, expected at least one' '[]'
}

csv() {
  write_pairs
  local i
  { echo 'id,prompt,chosen,rejected,margin,annotator'
    for i in 0 1 2 3 4 5 6 7 8 9; do printf '%d,"\n\nHuman: Which ""%d""?\n\nAssistant:"," It is green, %d.", No.,,\r\n' $i $i $i; done; } >pairs.csv
  expect_check 'read 10 records from pairs.csv (CSV): 10 pairs (TRL); 10 prompts' pairs.csv
  expect_check 'does not know these fields: id' pairs.csv
  same_training pairs.csv pairs.jsonl
  sed 's/^id,/,/' pairs.csv >index.csv
  expect_check '10 pairs (TRL)' index.csv
  grep -q 'does not know' out && fail "the index has no name, and is named"
  gzip -c pairs.csv >pairs.csv.gz
  same_training pairs.csv.gz pairs.jsonl
  { printf 'prompt;chosen;rejected;weight;annotator\n'; lines 'p @;a, b;# c;1.5;3'; } >semicolons.csv
  lines '{"prompt": "p @", "chosen": "a, b", "rejected": "# c", "weight": 1.5, "annotator": 3}' >semicolons.jsonl
  same_training semicolons.csv semicolons.jsonl
  tr ';' '\t' <semicolons.csv >tabs.tsv
  same_training tabs.tsv semicolons.jsonl
  { printf 'prompt,completion,label\n'; lines 'p @,a,True'; lines 'p @,,False'; } >alone.csv
  { lines '{"prompt": "p @", "completion": "a", "label": true}'; lines '{"prompt": "p @", "completion": "", "label": false}'; } >alone.jsonl
  common+=(--loss kto)
  same_training alone.csv alone.jsonl
  { printf 'prompt,chosen,rejected\n'; lines '"[{""role"": ""user"", ""content"": ""p @""}]","[{""role"": ""assistant"", ""content"": ""a""}]",b'; } >json.csv
  expect_check '10 pairs, conversational (TRL)' json.csv
  { printf 'prompt,responses,rewards\n'; lines 'p @,"[""a"", ""b""]","[1, 0.5]"'; } >ranked.csv
  lines '{"prompt": "p @", "responses": ["a", "b"], "rewards": [1, 0.5]}' >ranked.jsonl
  same ranked.csv ranked.jsonl
  { printf '\r\nchosen,rejected\r\n\r\n'; lines '"a""@"" b, c\d",'; } >quotes.csv
  lines '{"prompt": "", "chosen": "a\"@\" b, c\\d", "rejected": ""}' >quotes.jsonl
  same quotes.csv quotes.jsonl

  csv_error() {
    printf "$2" >bad.csv
    expect_error "bad.csv:$1" --check bad.csv
  }
  csv_error '3: got 2 fields, expected 3 as in the header' 'prompt,chosen,rejected\np,a,b\np,a\n'
  csv_error '2: the file ends inside a quoted field' 'prompt,chosen,rejected\np,a,"b\n'
  csv_error '3: misplaced "' 'chosen,rejected\na,b\na,b "c"\n'
  csv_error '1: chosen: given twice in the header' 'chosen,rejected,chosen\na,b,c\n'
  csv_error '2: rejected: is not UTF-8' 'chosen,rejected\na,\xe4\n'
  csv_error '2: weight: got a string, expected a number >= 0' 'chosen,rejected,weight\na,b,x\n'
  csv_error '2: weight: got -1, expected a number >= 0' 'chosen,rejected,weight\na,b,-1\n'
  csv_error '2: rejected: is missing, expected a string' 'chosen,prompt\na,b\n'
  csv_error "2: chosen: has messages as Python prints them" "chosen,rejected\n\"[{'role': 'user'}]\",b\n"
  csv_error '1: lines end in CR alone' 'chosen,rejected\ra,b\r'
  csv_error ' has no records' 'chosen,rejected\n'
}

nulls() {
  write_pairs
  sed 's/}$/, "margin": null, "label": null, "weight": null, "annotator": null, "target": null, "responses": null, "completion": null}/' pairs.jsonl >nulls.jsonl
  expect_check '10 pairs (TRL)' nulls.jsonl
  grep -q 'does not know' out && fail "absent fields are named: $(cat out)"
  same_training nulls.jsonl pairs.jsonl
  lines '{"prompt": "q", "chosen": null, "rejected": null, "responses": ["a b", "c @"], "rewards": [1, 0]}' >ranked.jsonl
  expect_check '10 ranked answers with rewards; 1 prompt; 0 ties' ranked.jsonl
  lines '{"prompt": null, "chosen": "x a", "rejected": "x b@"}' >prompt.jsonl
  lines '{"prompt": "x ", "chosen": "a", "rejected": "b@"}' >prompt_text.jsonl
  same_training prompt.jsonl prompt_text.jsonl

  # 3.0 is the annotator 3, 3.5 is none.
  common=(--epochs 1 --loss lcpo --base dpo)
  { lines '{"prompt": "p", "chosen": "a", "rejected": "b", "annotator": 3.0}'; lines '{"prompt": "p", "chosen": "a", "rejected": "b", "annotator": 3}'; } >annotators.jsonl
  "$program" --data annotators.jsonl --out run "${common[@]}" >out 2>err || fail "annotators: $(cat err)"
  (($(wc -l <run/reliability.csv) == 2)) || fail "3 and 3.0 are two: $(cat run/reliability.csv)"
  grep -q '^"3",' run/reliability.csv || fail "3.0 is not called 3"
  { echo 'prompt,chosen,rejected,annotator'; lines 'p,a,b,3.0'; lines 'p,a,b,3'; lines 'p,a,b,v3.0'; } >annotators.csv
  "$program" --data annotators.csv --out run "${common[@]}" >out 2>err || fail "annotators: $(cat err)"
  [[ $(sed 1d run/reliability.csv | cut -d , -f 1 | tr '\n' ' ') == '"3" "v3.0" ' ]] || fail "CSV, 3 and 3.0: $(cat run/reliability.csv)"
  for number in 3.5 1e300 true '[3]'; do
    printf '{"chosen": "a", "rejected": "b", "annotator": %s}\n' "$number" >bad.jsonl
    expect_error 'bad.jsonl:1: annotator: got' --check bad.jsonl
  done
}

halves() {
  lines '{"prompt": "q @", "chosen": "Sunny \ud83d", "rejected": "\uDE00 \ud83d\ude00 \\ud83d"}' >halves.jsonl
  lines '{"prompt": "q @", "chosen": "Sunny �", "rejected": "� 😀 \\ud83d"}' >replaced.jsonl
  expect_check 'note: 20 lone surrogates, half an emoji each, became U+FFFD' halves.jsonl
  same_training halves.jsonl replaced.jsonl
  printf '[{"chosen": "\\ud83d\\ud83d\\ude00", "rejected": "\\ud83dx"}]' >array.json
  expect_check 'note: 2 lone surrogates' array.json
  printf '{"chosen": "\\ud8", "rejected": ""}\n' >bad.jsonl
  expect_error 'bad.jsonl:1: byte 17 is not what JSON expects there' --check bad.jsonl
}

keys() {
  printf '{"chosen": "a", "rejected": "b"}\n{"chosen": "a", "rejected": "b", "chosen": "c"}\n' >twice.jsonl
  expect_error 'twice.jsonl:2: chosen: stands twice in one object' --check twice.jsonl
  printf '{"chosen": [{"role": "assistant", "content": "a", "content": "b"}], "rejected": "b"}\n' >twice.jsonl
  expect_error 'twice.jsonl:1: content: stands twice in one object' --check twice.jsonl
  printf '{"chosen": "a", "rejected": "b", "x": {"y": 1, "z": {"y": 2}, "w": [{"y": 3}, {"y": 4}]}, "v": {"y": 1}}\n' >once.jsonl
  expect_check '1 pairs' once.jsonl
  printf '{"chosen": "a", "rejected": "b", "a\\nb\\u001b": 1}\n' >escaped.jsonl
  expect_check 'does not know these fields: a\nb\x1b' escaped.jsonl
  printf '{"chosen": "a", "rejected": "b", "a\\nb": 1, "a\\nb": 1}\n' >escaped.jsonl
  expect_error 'escaped.jsonl:1: a\nb: stands twice' --check escaped.jsonl
  { printf '{"chosen": "a", "rejected": "b", "deep": '; printf '[%.0s' {1..5000}; printf '\n'; } >deep.jsonl
  expect_error 'deep.jsonl:1: arrays and objects lie more than 100 deep' --check deep.jsonl
}

kinds() {
  kind() {
    printf "$2" >kind
    expect_error "kind: seems to be $1" --check kind
    grep -qF ", expected JSON lines, a JSON array or CSV with a header of known columns, plain, gzip or zstd${3:-}" err || fail "$1: $(cat err)"
  }
  kind 'PNG image data' '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x06\0\0\0'
  kind 'PDF document' '%%PDF-1.4\n%%\xe2\xe3\n'
  kind 'a zip archive' 'PK\x03\x04\x14\0\0\0'
  kind 'a Parquet file' 'PAR1\x15\x04\x15' '; this makes JSON lines of it: python3 -c "import pandas, sys; pandas.read_parquet(sys.argv[1])'
  kind 'an Arrow file' 'ARROW1\0\0\xff\xff\xff\xff' '; this makes JSON lines of it: python3 -c "import pandas, sys; pandas.read_feather'
  kind 'an Arrow stream' '\xff\xff\xff\xff\x78\0\0\0'
  kind 'a Python pickle' '\x80\x04\x95\x10\0\0\0\0\0\0\0]'
  kind 'text in UTF-16' '\xff\xfe{\0"\0' '; this makes UTF-8 of it: iconv -f UTF-16 -t UTF-8 FILE'
  kind 'text in UTF-16' '{\0"\0c\0' '; this makes UTF-8 of it: iconv -f UTF-16LE'
  kind 'text in UTF-16' '\0{\0"\0c'
  kind 'text in UTF-32' '\xff\xfe\0\0{\0\0\0'
  kind 'HTML document' '<!DOCTYPE html>\n<html><head><title>x</title></head></html>\n'
  kind 'XZ compressed data' '\xfd7zXZ\0\0\x04' '; unpack it first'
  kind 'bzip2 compressed data' 'BZh91AY&SY'
  kind 'a pointer to a file in Git LFS' 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'
  kind 'an SQLite database' 'SQLite format 3\0'
  kind 'Rich Text Format' '{\\rtf1\\ansi x}\n'
  kind 'ASCII text' 'prompt,answer\na,b\n'
  kind 'something else' '\x01\x02\x03\x04'
  gzip -c kind | gzip >kind.gz
  expect_error 'kind.gz: seems to be gzip in a packed file, expected ' --check kind.gz
}

limits() {
  local pair='{"chosen": "a", "rejected": "b"}'
  { echo "$pair"; head -c 3000000 /dev/zero | tr '\0' x; } >long.jsonl
  expect_error 'long.jsonl:2: what begins here is longer than 1 MiB, the limit that --line-limit raises' --check long.jsonl --line-limit 1
  { echo "$pair"; printf '{"chosen": "a", "rejected": "'; head -c 3000000 /dev/zero | tr '\0' x; echo '"}'; } >long.jsonl
  expect_error 'long.jsonl:2: what begins here is longer than 1 MiB' --check long.jsonl --line-limit 1
  expect_check 'read 2 records' long.jsonl
  { printf '[%s,\n{"chosen": "a", "rejected":\n "' "$pair"; head -c 3000000 /dev/zero | tr '\0' x; echo '"}]'; } >long.json
  expect_error 'long.json:2: what begins here is longer than 1 MiB' --check long.json --line-limit 1
  { printf 'chosen,rejected\na,b\na,"'; head -c 3000000 /dev/zero | tr '\0' '\n'; echo '"'; } >long.csv
  expect_error 'long.csv:3: what begins here is longer than 1 MiB' --check long.csv --line-limit 1
  # A small file that unpacks to much.
  { echo "$pair"; head -c 2000000000 /dev/zero; } | gzip -1 >bomb.gz
  expect_error 'bomb.gz:2: what begins here is longer than 64 MiB, the limit that --line-limit raises' --check bomb.gz
  { echo "$pair"; head -c 20000000 /dev/zero | tr '\0' '\n'; } | gzip >blank.gz
  expect_error 'the unpacked text is longer than 10 MiB, the limit that --text-limit raises' --check blank.gz --text-limit 10
  expect_check 'read 1 record ' blank.gz
  expect_error "--text-limit: got '0', expected a whole number from 1 to 1000000" --check blank.gz --text-limit 0
  # Memory that runs out is a sentence.
  yes "$pair" | head -n 1000000 >many.jsonl
  (ulimit -v 200000; exec "$program" --check many.jsonl) >out 2>err
  local status=$?
  ((status == 2)) && grep -qE '^prefopt_train: many.jsonl:[0-9]+: memory ran out after [0-9]+ records, expected a file that fits' err ||
    fail "little memory: exit status $status, $(cat err)"
}

# A gigabyte of what is not kept takes no memory.
streams() {
  command -v /usr/bin/time >/dev/null || { echo "SKIPPED: there is no /usr/bin/time"; exit 77; }
  peak() { /usr/bin/time -f %M "$program" --check - 2>&1 >out | tail -n 1; }
  local junk
  junk=$(head -c 100000 /dev/zero | tr '\0' x)
  local pair="{\"chosen\": \"a\", \"rejected\": \"b\", \"unread\": \"$junk\"}"
  local kib
  kib=$(yes "$pair" | head -n 3000 | peak)
  ((kib < 60000)) || fail "JSON lines: $kib KiB"
  kib=$({ echo '['; yes "$pair," | head -n 3000; echo "$pair]"; } | peak)
  ((kib < 60000)) || fail "a JSON array: $kib KiB"
  kib=$({ echo 'chosen,rejected,unread'; yes "a,b,$junk" | head -n 3000; } | peak)
  ((kib < 60000)) || fail "CSV: $kib KiB"
}

# The shapes of README.md are read, and called what their headings say.
page() {
  awk '/^### / { name = substr($0, 5) } /^```json$/ { inside = 1; next } /^```/ { inside = 0 }
       inside { file = ++count ".json"; print > file; print name > (count ".name"); close(file) }' "$source/examples/train/README.md"
  local file
  for file in [0-9]*.json; do
    expect_check "read 1 record from $file (JSON lines): 1 $(cat "${file%.json}.name"); 1 prompt; 0 ties; left out: " "$file"
  done
  (($(ls [0-9]*.json | wc -l) == 15)) || fail "the page has $(ls [0-9]*.json | wc -l) shapes, expected 15"
}

shared() {
  local cases=${PREFOPT_SHARED_DIR:-$source/../shared}/cases
  if [[ ! -e $cases/09_shapes ]]; then
    echo "SKIPPED: there is no $cases/09_shapes (PREFOPT_SHARED_DIR names another folder)"
    exit 77
  fi
  expect_check '10 single completions (TRL); 10 prompts; 0 ties; left out: nothing' "$cases/09_shapes/kto.jsonl"
  expect_check "10 pairs of LLaMA-Factory's alpaca form; 10 prompts" "$cases/09_shapes/llamafactory_alpaca.jsonl"
  expect_check "(a JSON array): 10 pairs of LLaMA-Factory's alpaca form; 10 prompts" "$cases/09_shapes/llamafactory_array.json"
  expect_check 'note: 10 lone surrogates, half an emoji each, became U+FFFD' "$cases/09_shapes/lone_surrogate.jsonl"
  expect_check '10 ranked answers of Nectar; 10 prompts; 0 ties' "$cases/09_shapes/nectar.jsonl"
  expect_check "10 pairs of OpenAI's preference format; 10 prompts" "$cases/09_shapes/openai.jsonl"
  expect_check '10 pairs, conversational (TRL); 10 prompts' "$cases/09_shapes/trl_conv_explicit.jsonl"
  expect_check '10 pairs, conversational, implicit prompts (TRL); 10 prompts' "$cases/09_shapes/trl_conv_implicit.jsonl"
  expect_check '10 pairs of UltraFeedback-binarized; 10 prompts; 0 ties' "$cases/09_shapes/ultrafeedback.jsonl"
  local file
  for file in annot_float both_null margin_null; do
    expect_check 'read 10 records' "$cases/21_nulls/$file.jsonl"
    grep -q 'does not know' out && fail "$file: $(cat out)"
  done
  expect_check '1 ranked answers with rewards and 9 pairs (TRL); 1 prompt' "$cases/21_nulls/both_null.jsonl"
  # Each of them trains.
  for file in "$cases"/09_shapes/* "$cases"/21_nulls/*; do
    local loss=dpo
    [[ $file == */kto.jsonl ]] && loss=kto
    rm -rf run
    "$program" --data "$file" --out run --loss $loss --epochs 1 --sft-epochs 1 >out 2>err </dev/null || fail "$file: $(cat err)"
    head -n 1 err | grep -q '^read 10 records from ' || fail "$file: the first line is $(head -n 1 err)"
  done
}

"$case_name"
((failures == 0))
