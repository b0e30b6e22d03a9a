#include "train_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <string_view>
#include <type_traits>

#include "any_loss.hpp"
#include "command_line.hpp"
#include "input_error.hpp"
#include "loss_options.hpp"
#include "loss_table.hpp"
#include "number_option.hpp"
#include "number_text.hpp"
#include "pairs_option.hpp"
#include "reading_command.hpp"

namespace {

struct policy_defaults {
  std::string_view policy, loss;
  std::uint64_t epochs, sft_epochs;
  std::size_t batch;
  double learning_rate;
};

constexpr policy_defaults defaults[] = {
    {"ngram", "dpo", 4, 2, 16, 0.02},
    {"linear", "bradley_terry", 8, 0, 32, 0.05},
};

/// "; by default 4, for --policy linear 8"
template <class T>
std::string by_default(T policy_defaults::*member) {
  auto const text = [&](policy_defaults const& of_policy) {
    if constexpr (std::is_arithmetic_v<T>) {
      return number_text(of_policy.*member);
    } else {
      return std::string{of_policy.*member};
    }
  };
  auto const& [ngram, linear] = defaults;
  return "; by default " + text(ngram) + ", for --policy linear " + text(linear);
}

constexpr std::size_t most = 1'000'000;  ///< of whatever is counted

constexpr char introduction[] =
    "Trains a policy on pairs of answers, one of which people liked better, or on ranked answers, and tells how well "
    "it "
    "then ranks answers that it has not seen. A seeded part of the records is held out for that.";

constexpr char manual[] =
    R"(Data: JSON lines, one JSON array, or CSV; plain, gzip or zstd, which the content tells; - is standard input. Three kinds
of records may stand in one file.
  {"prompt": "...", "chosen": "...", "rejected": "..."}
      a pair. Optional: "margin" (for bradley_terry), "label" (for labelled: probability that chosen is the better one),
      and the other columns of pairs, by their names, for losses that read them ("target", "scale", "chosen_kl", ...).
  {"prompt": "...", "responses": ["...", "...", ...], "rewards": [2.5, 0, ...]}
      ranked answers, two or more; a larger reward is better. Optional: "target" (for losses that take it: the probability
      that each answer should have), in all records or in none.
  {"prompt": "...", "completion": "...", "label": true}
      an answer by itself that is good or bad, for losses of single completions (kto, bco, ...); a label may be a number
      from 0 to 1. These losses take pairs and ranked answers, too: chosen is good and rejected bad, and of ranked ones
      those above their mean reward are good; where all are equal the record is left out with a note. The rewards are the
      target of losses that read one.
  All: without "prompt", what all answers begin with is the prompt, up to the last "\n\nAssistant:" if there is one (the
  form of HH-RLHF), otherwise up to a whole word; an answer by itself has no prompt otherwise. Optional: "weight" (a number
  >= 0 that multiplies the record's loss, in sft, too), "annotator" (for lcpo: a name or a number). A field that the loss
  does not read is named and left alone; one that is null is absent.
  Known by themselves, too, examples/train/README.md shows each: TRL's conversational forms, UltraFeedback-binarized,
  OpenAI's preferences (input, preferred_output, non_preferred_output), Nectar (answers with ranks), NeMo RL (completions
  with ranks), LLaMA-Factory's alpaca and sharegpt forms, of pairs and for KTO. Lists of messages become text by
  --chat-template: plain "\n\nHuman: ...\n\nAssistant: ...", chatml "<|im_start|>user\n...<|im_end|>\n", llama3
  "<|start_header_id|>user<|end_header_id|>\n\n...<|eot_id|>". The first line on standard error tells what was read.
  A list loss takes a pair as two answers with rewards 1 and 0. A pair loss takes the pairs that --pairs makes of ranked
  answers: every answer and every worse one, those next to each other in rank (adjacent), the best and each other one
  (best-rest), the best and the worst (best-worst). Answers with equal rewards are no pair, nor, with a note, are answers that
  are the same to the policy. Losses that read a target get the difference of the pair's rewards, unless the records have one.

Policies:
  ngram    a language model over bytes; first fitted to the best answers (sft), then trained by the loss. The reference of
           the losses that have one, or can do with one, is the model as sft left it.
  linear   a reward model over words and pairs of words, made for bradley_terry; words in any script, by Unicode's rules and
           ICU's dictionaries, in folded case. The reference is the untrained model, whose rewards are all 0. Rewards have
           no length: losses that read lengths need ngram.

Records with the same prompt are all held out or all trained on, so --holdout is a part of the prompts. Texts without "prompt"
have one if they share a "\n\nAssistant:", or one by itself has it; records without one that have the same texts, in any
order, are a prompt, and so they are where all have the same prompt. A record that says that some answer is better although
all of its answers are the same, to the policy at least, is left out with a note.

Accuracy is the share of held-out pairs that are ranked right: of ranked answers every two with different rewards, or the
pairs of --pairs. Losses of single completions that read labels (kto, bco, ...) have the share of the completions whose reward
is on the right side of 0; those that read none rank each record's answers, and of completions alone have no accuracy. Where
the loss reads labels, a pair whose label is below 1/2 is ranked right the other way round, and sft imitates its rejected; at
1/2 it is half right, and sft imitates chosen. The accuracy's interval is Wilson's, and counts prompts and not pairs, since the
pairs of one prompt may go together: (sum of n)^2 / sum of n^2 trials for prompts with n records each, which is the number of
prompts where n is the same for all.

Results in DIR: metrics.csv (a row an epoch), curves.png, checkpoint, with lcpo reliability.csv. --resume goes on from the
checkpoint of the same run, of one that is damaged from the one before it, checkpoint.previous, with the same numbers as if it
had never been stopped; more --epochs may be asked for.

Losses, with the defaults of their parameters and the columns that they read. A modifier takes the parameters of its --base,
too. Reliability is learnt, the policy makes log-probs and lengths; all other columns come from the data.

Losses of pairs:
)";

constexpr char list_losses[] = R"(
Losses of lists. Here ref_logp is given to all that take it, length to pro, rrhf and real only; sami needs more than one
prompt and is not for these data.
)";

constexpr char unpaired_losses[] = R"(
Losses of single completions. kto's reference point is the mean log-ratio of a batch's completions, each under the prompt of
the record after its own (the last one's next is the first), at least --kl; all of them are asked of policy and reference.
)";

constexpr char examples[] = R"(
Examples:
  prefopt_train
  prefopt_train --loss simpo --beta 2 --gamma 0.5 --data preferences.jsonl.gz
  prefopt_train --loss lcpo --base dpo --beta 0.1 --epochs 8 --out run-lcpo
  prefopt_train --policy linear --data preferences.jsonl
  prefopt_train --loss adpo --tau 0.5 --data ranked.jsonl
  prefopt_train --loss kto --data completions.jsonl
  prefopt_train --check preferences.jsonl.zst
  prefopt_train --loss bradley_terry --scores margin --chat-template chatml --data ultrafeedback.jsonl
  prefopt_train --loss dpo --pairs best-rest --data ranked.jsonl)";

/// A reward is not a log-probability, so not every loss makes sense of it.
void check_linear_policy(loss_choice const& choice) {
  auto const loss = loss_of(choice);
  if (needs(loss, prefopt::columns::length)) {
    throw input_error{"--loss: " + name_of(loss) +
                      " reads lengths, and the rewards of --policy linear have none; use --policy ngram"};
  }
  for (auto const& [name, value] : choice.parameters) {
    if (name == "sft" && value > 0) {
      throw input_error{
          "--sft: got " + number_text(value) +
          ", expected 0 with --policy linear: without log-probs there is nothing to fit; use --policy ngram"};
    }
  }
}

/// pro and rrhf: they fit the best answers while they rank, and have no reference that would have to be fitted before.
bool has_sft_term(loss_choice const& choice) {
  return choice.kind == loss_kind::list && std::ranges::any_of(choice.parameters, [](auto const& parameter) {
           return parameter.first == "sft" && parameter.second > 0;
         });
}

/// Some of the bundled rewards are equal, which some losses refuse unless they are told not to.
void use_bundled_data(CLI::App const& app, train_command& command) {
  command.data = command.loss.kind == loss_kind::list ? PREFOPT_BUNDLED_RANKED : PREFOPT_BUNDLED_PREFERENCES;
  for (auto& [name, value] : command.loss.parameters) {
    if (name == "break_ties" && app.get_option("--break_ties")->count() == 0) value = 1;
  }
}

}  // namespace

std::optional<train_command> parse_train_command(int argc, char** argv) {
  train_command command;
  CLI::App app{introduction, "prefopt_train"};
  app.footer([] {
    return manual + loss_table(loss_kind::pair) + list_losses + loss_table(loss_kind::list) + unpaired_losses +
           loss_table(loss_kind::unpaired) + examples;
  });

  auto const* const data =
      app.add_option("--data", command.data,
                     "what to learn from, see below; - is standard input; by default a small set that comes with the "
                     "project, for list losses a ranked one (it has equal rewards: --break_ties is 1 with it)")
          ->type_name("FILE");
  auto* const check = app.add_option("--check", command.data, "only reads the file, and tells what it holds")
                          ->type_name("FILE")
                          ->excludes("--data");
  add_reading_options(app, command.reading);
  app.add_option("--policy", command.policy, "what is trained")
      ->type_name("ngram|linear")
      ->default_val("ngram")
      ->check(CLI::IsMember({"ngram", "linear"}).description(""));
  loss_options const loss{app, "see below" + by_default(&policy_defaults::loss)};
  auto const* const pairs = add_pairs_option(app, command.pairs);
  number_option epochs{app, "--epochs", "passes over the records" + by_default(&policy_defaults::epochs)};
  number_option sft_epochs{app, "--sft-epochs",
                           "passes over the best answers before that" + by_default(&policy_defaults::sft_epochs) +
                               ", and for list losses with an sft term of their own"};
  number_option batch{app, "--batch", "records in a step" + by_default(&policy_defaults::batch)};
  for (auto* whole : {&epochs, &sft_epochs, &batch}) whole->option().type_name("N");
  auto const* const learning_rate = app.add_option("--learning-rate", command.learning_rate,
                                                   "of AdaGrad" + by_default(&policy_defaults::learning_rate))
                                        ->type_name("X");
  app.add_option("--holdout", command.holdout, "the part of the prompts that is held out")
      ->type_name("F")
      ->default_val(0.2);
  number_option seed{app, "--seed", "decides which records are held out, and the order of the others"};
  seed.option().type_name("S")->default_str(std::to_string(command.seed));
  app.add_option("--out", command.out, "the folder for the results; one run at a time may have it")
      ->type_name("DIR")
      ->default_val("prefopt-run");
  app.add_flag("--resume", command.resume, "goes on from the last checkpoint in DIR");

  if (!parse_command_line(app, argc, argv)) return {};

  refuse_empty_folder("--out", command.out);
  command.check = check->count() != 0;
  auto const& standard = *std::ranges::find(defaults, command.policy, &policy_defaults::policy);
  command.loss = loss.chosen(standard.loss);
  check_list_loss(command.loss, pairs->count() != 0);
  if (data->count() == 0 && !command.check) use_bundled_data(app, command);
  command.epochs = standard.epochs;
  command.sft_epochs = has_sft_term(command.loss) ? 0 : standard.sft_epochs;
  command.batch = standard.batch;
  epochs.whole<std::uint64_t>(command.epochs, 0, most);
  sft_epochs.whole<std::uint64_t>(command.sft_epochs, 0, most);
  batch.whole<std::size_t>(command.batch, 1, most);
  seed.whole<std::uint64_t>(command.seed, 0, std::numeric_limits<std::uint64_t>::max());
  if (learning_rate->count() == 0) command.learning_rate = standard.learning_rate;

  if (!(command.holdout > 0 && command.holdout < 1)) {
    throw input_error{"--holdout: got " + number_text(command.holdout) + ", expected a number between 0 and 1"};
  }
  if (!(command.learning_rate > 0 && command.learning_rate <= 1e6)) {
    throw input_error{"--learning-rate: got " + number_text(command.learning_rate) +
                      ", expected a number > 0 and at most 1000000"};
  }
  if (command.policy == "linear") {
    if (command.sft_epochs != 0)
      throw input_error{"--sft-epochs: --policy linear is not a language model and has no sft"};
    check_linear_policy(command.loss);
  }
  return command;
}
