#include "llm_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <limits>
#include <string_view>
#include <thread>

#include "command_line.hpp"
#include "input_error.hpp"
#include "loss_options.hpp"
#include "loss_table.hpp"
#include "number_option.hpp"
#include "number_text.hpp"
#include "pairs_option.hpp"
#include "reading_command.hpp"

namespace {

constexpr char llm_introduction[] =
    "Trains a language model in a GGUF file on answers that people preferred, by any loss of the library, and leaves "
    "an "
    "adapter that llama.cpp loads (--lora). The model's own weights stay as they are, quantized or not; what is "
    "trained is "
    "a low-rank update (LoRA) of its matrices, in f32, on the CPU. Tells how well the model ranks answers that it has "
    "not "
    "seen, before and after.";

constexpr char llm_manual[] =
    R"(Model: GGUF of the Llama architecture (Llama, SmolLM2, TinyLlama, ...), weights in f32, f16 or quantized. cmake/model.sh
fetches a small one. Tokenizer and chat template are the file's.

Data: as prefopt_train reads them, see its --help: pairs (prompt, chosen, rejected), ranked answers (prompt, responses,
rewards), single completions (prompt, completion, label); JSON lines, a JSON array or CSV, plain, gzip or zstd. A dialogue
that is one text ("\n\nHuman: ...\n\nAssistant: ...") becomes turns of the model's own chat template, without the blanks
around each. Messages become its turns as they are, whatever marks are in them, and a text beside messages is one of them.
A role other than system, user and assistant is told where the template writes its name, and refused where it does not.
Records are left out of which an answer is more than one message, or not the assistant's.
--template text takes the texts as they are instead (messages as text, see --help of prefopt_train), behind the token that
begins a text and up to the one that ends it. What is longer than --max-tokens is left out, and how much that is is told; --truncate cuts the prompt's beginning, down to
a quarter, and then the answer's end.

What is trained
  W + a / r B A (a --lora-alpha, r --rank) for each of the --matrices of every block. B begins as 0, so that the model begins as it is.
  --head-only   the output matrix alone, by such an update of rank --rank; its gradient is that of the whole matrix,
                projected. The hidden states are computed once and kept in a file, so that an epoch takes minutes. Since
                llama.cpp has no adapter for an output matrix that is the token embedding, too, the result is a whole model.

A step takes --batch records. They go through the model one by one, forward and then backward, so that memory does not
depend on the batch; the prompt that answers of a record share goes through once. Only a loss that reads more than one record
at a time (aot, beta_dpo, ...) has all of them go through forward once more before, and so has a record of more than 2048
tokens. kto's reference point is made as in prefopt_train, of further forward passes. The optimizer is AdamW (0.9, 0.999, 1e-8, weight decay 0.01) in f32, after the gradient is clipped to the norm --clip; the learning rate grows
over the --warm-up part of the steps and then falls along a cosine to 0. With as many threads or others, and over any number
of MPI's ranks (prefopt_llm_mpi), the same bits come out.

The reference of the losses that have one is the model without the adapter. Its log-probs are computed once and kept in the
file --reference, which later runs on the same model, tokenizer, template and data take up, whatever their other options.

Results in DIR: adapter.gguf (with --head-only model.gguf), read back and compared with llama.cpp's own runtime; metrics.csv,
a row a step, with the held-out part before and after each epoch; curves.png; checkpoint; reference; hidden. --resume goes on
from the checkpoint, or of a damaged one from checkpoint.previous, to the same bits as if the run had never been stopped.

The table: loss, accuracy (the share of pairs ranked right, with Wilson's 95 % interval over prompts) and margin of the
held-out records; KL to the reference, of the whole vocabulary, the mean over the tokens of the held-out answers; accuracy by
mean log-prob, how often the model's own log-prob a token prefers the better answer, which needs no reference; and how long
the model's own answers to some held-out prompts are.

Losses, with the defaults of their parameters and the columns that they read.

Losses of pairs:
)";

constexpr char llm_examples[] = R"(
Examples:
  prefopt_llm --model SmolLM2-135M-Instruct.Q4_1.gguf --data preferences.jsonl --limit 800
  prefopt_llm --model m.gguf --data p.jsonl --loss simpo --beta 2 --gamma 0.5 --rank 16 --matrices q,k,v,o
  prefopt_llm --model m.gguf --data completions.jsonl --loss kto --batch 16
  prefopt_llm --model m.gguf --data p.jsonl --head-only --sample "What should I do about a leaking tap?"
  mpirun -n 2 prefopt_llm_mpi --model m.gguf --data p.jsonl --threads 1 --out run
  llama-cli -m m.gguf --lora prefopt-llm/adapter.gguf)";

void check_file(std::string const& option, std::string const& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return;
  throw input_error{option + ": " + in_quotes(path) + ": " +
                    (std::filesystem::exists(path, error) ? "is no file, expected one" : "there is no such file")};
}

}  // namespace

std::optional<llm_command> parse_llm_command(int argc, char** argv) {
  llm_command command;
  std::string form, matrices;
  CLI::App app{llm_introduction, "prefopt_llm"};
  app.footer([] {
    return llm_manual + loss_table(loss_kind::pair) + "\nLosses of lists:\n" + loss_table(loss_kind::list) +
           "\nLosses of single completions:\n" + loss_table(loss_kind::unpaired) + llm_examples;
  });
  auto const cores = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  auto const by_default = [](auto value) { return "; by default " + number_text(value); };
  app.add_option("--model", command.model, "the language model")->type_name("FILE.gguf")->required();
  app.add_option("--data", command.data, "what to learn from, see below; - is standard input")
      ->type_name("FILE")
      ->required();
  add_reading_options(app, command.reading);
  app.add_option("--template", form, "how dialogues become tokens, see below")
      ->type_name("model|text")
      ->default_val("model")
      ->check(CLI::IsMember({"model", "text"}).description(""));
  number_option limit{app, "--limit", "the first so many records of the file that can be used; by default all"};
  number_option most{app, "--max-tokens",
                     "of a prompt and an answer; by default 512, or what the model was made for if that is less"};
  app.add_flag("--truncate", command.tokens.truncate, "cuts what is longer, instead of leaving it out");
  loss_options const loss{app, "see below; by default dpo"};
  auto const* const pairs = add_pairs_option(app, command.pairs);
  app.add_flag("--head-only", command.head_only, "trains the output matrix alone, see below");
  number_option rank{app, "--rank", "of the update" + by_default(command.lora.rank)};
  number_option alpha{app, "--lora-alpha", "the update's factor is this by the rank" + by_default(command.lora.alpha)};
  auto const* const which =
      app.add_option("--matrices", matrices, "those that are updated: all, or of q,k,v,o,gate,up,down, with commas")
          ->type_name("LIST")
          ->default_val("all");
  number_option rate{app, "--learning-rate", "the highest one; by default 0.0003, with --head-only 0.001"};
  number_option epochs{app, "--epochs", "passes over the records; by default 1, with --head-only 2"};
  number_option batch{app, "--batch", "records in a step" + by_default(command.batch)};
  number_option clip{app, "--clip", "the longest gradient" + by_default(command.clip)};
  number_option warm_up{app, "--warm-up",
                        "the part of the steps in which the rate grows" + by_default(command.warm_up)};
  number_option holdout{app, "--holdout", "the part of the prompts that is held out" + by_default(command.holdout)};
  number_option train_limit{app, "--train-limit",
                            "trains on the first so many of the records that are not held out; by default all"};
  number_option seed{app, "--seed",
                     "of what is held out, of the order of the others and of the update's beginning; "
                     "by default 1"};
  number_option threads{app, "--threads", "by default all cores, " + std::to_string(cores)};
  app.add_option("--sample", command.samples,
                 "shows the model's answer to this prompt before and after; may be given again")
      ->type_name("PROMPT")
      ->allow_extra_args(false);
  number_option sample_tokens{app, "--sample-tokens", "of an own answer at most" + by_default(command.sample_tokens)};
  number_option own_answers{app, "--own-answers",
                            "to so many held-out prompts, for their length; 0: none" + by_default(command.own_answers)};
  auto const* const reference = app.add_option("--reference", command.reference,
                                               "the file with the reference's log-probs; by default DIR/reference")
                                    ->type_name("FILE");
  auto const* const hidden = app.add_option("--hidden", command.hidden,
                                            "the file with the hidden states of --head-only; by default DIR/hidden")
                                 ->type_name("FILE");
  app.add_option("--out", command.out, "the folder for the results; one run at a time may have it")
      ->type_name("DIR")
      ->default_val("prefopt-llm");
  app.add_flag("--resume", command.resume, "goes on from the last checkpoint in DIR");
  number_option stop_after{app, "--stop-after", "ends the run after so many steps in all, for --resume to go on"};
  for (auto* whole : {&limit, &most, &rank, &epochs, &batch, &train_limit, &seed, &threads, &sample_tokens,
                      &own_answers, &stop_after}) {
    whole->option().type_name("N");
  }
  for (auto* real : {&alpha, &rate, &clip, &warm_up, &holdout}) real->option().type_name("X");

  if (!parse_command_line(app, argc, argv)) return {};
  refuse_empty_folder("--out", command.out);
  command.loss = loss.chosen("dpo");
  check_list_loss(command.loss, pairs->count() != 0);

  command.tokens.as_chat = command.reading.keep_messages = form == "model";
  command.epochs = command.head_only ? 2 : 1;
  command.learning_rate = command.head_only ? 0.001 : 0.0003;
  command.threads = cores;
  constexpr std::size_t many = 1'000'000'000;
  limit.whole<std::size_t>(command.tokens.limit, 2, many);
  most.whole<std::size_t>(command.tokens.most, 8, many);
  rank.whole<std::size_t>(command.lora.rank, 1, 4096);
  alpha.positive(command.lora.alpha);
  // The file has it in f32, and so is the update's factor.
  using f32 = std::numeric_limits<float>;
  if (command.lora.alpha > double{f32::max()} ||
      command.lora.alpha / static_cast<double>(command.lora.rank) < double{f32::min()}) {
    throw input_error{"--lora-alpha: got " + number_text(command.lora.alpha) +
                      ", expected a number that f32 can hold, also divided by --rank, " +
                      std::to_string(command.lora.rank)};
  }
  rate.positive(command.learning_rate);
  epochs.whole<std::size_t>(command.epochs, 0, many);
  batch.whole<std::size_t>(command.batch, 1, many);
  clip.positive(command.clip);
  warm_up.non_negative(command.warm_up);
  holdout.positive(command.holdout);
  train_limit.whole<std::size_t>(command.train_limit, 1, many);
  seed.whole<std::uint64_t>(command.seed, 0, ~std::uint64_t{0});
  threads.whole<std::size_t>(command.threads, 1, 1024);
  sample_tokens.whole<std::size_t>(command.sample_tokens, 1, 4096);
  own_answers.whole<std::size_t>(command.own_answers, 0, many);
  stop_after.whole<std::size_t>(command.stop_after, 1, many);
  command.lora.seed = command.seed;
  command.lora.matrices = block_matrices_of(matrices);

  auto const below_one = [](char const* option, double value) {
    if (value >= 1)
      throw input_error{std::string{option} + ": got " + number_text(value) + ", expected a number below 1"};
  };
  below_one("--warm-up", command.warm_up);
  below_one("--holdout", command.holdout);
  if (command.head_only && which->count() != 0) {
    throw input_error{
        "--matrices: goes with an adapter over the blocks, got --head-only, which trains the output matrix"};
  }
  if (!command.head_only && hidden->count() != 0) {
    throw input_error{"--hidden: goes with --head-only; else the hidden states change with each step"};
  }
  if (command.tokens.as_chat && command.reading.format != chat_template::plain) {
    throw input_error{
        "--chat-template: goes with --template text; the model's own template takes dialogues as they are"};
  }
  for (auto const& prompt : command.samples) {
    if (prompt.empty()) throw input_error{"--sample: got an empty prompt, expected what the user says"};
  }
  auto const in_folder = [&](std::string& file, CLI::Option const* option, char const* name) {
    if (option->count() == 0) file = (std::filesystem::path{command.out} / name).string();
  };
  in_folder(command.reference, reference, "reference");
  in_folder(command.hidden, hidden, "hidden");
  check_file("--model", command.model);
  return command;
}
