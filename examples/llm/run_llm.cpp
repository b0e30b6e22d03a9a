#include "run_llm.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "input_error.hpp"
#include "llm_metrics.hpp"
#include "llm_report.hpp"
#include "llm_training.hpp"
#include "packed_answers.hpp"
#include "preference_file.hpp"
#include "progress.hpp"
#include "replace_file.hpp"
#include "runtime_check.hpp"
#include "standard_output.hpp"
#include "untied_model.hpp"
#include "work_meter.hpp"

namespace {

/// Everything that comes out of the command's files.
struct llm_inputs {
  llm_command command;
  std::optional<tokenizer> words;
  std::optional<trainable_llama> model;
  std::optional<token_data> data;
  model_identity identity;
};

void check_folder_of(char const* option, std::string const& file, std::string const& out) {
  std::filesystem::path const folder = std::filesystem::path{file}.parent_path();
  auto const place = [](std::filesystem::path const& path) { return (path / "").lexically_normal(); };
  if (folder.empty() || place(folder) == place(out) || std::filesystem::is_directory(folder)) return;
  throw input_error{std::string{option} + ": there is no folder " + in_quotes(folder.string())};
}

std::vector<std::int32_t> sample_tokens(llm_inputs const& in, std::string const& prompt) {
  if (!in.command.tokens.as_chat) return in.words->tokenize(prompt, true, false);
  std::vector<chat_turn> const turns{{"user", prompt}};
  return in.words->chat_prompt(turns);
}

void check_samples(llm_inputs const& in) {
  for (auto const& prompt : in.command.samples) {
    try {
      std::size_t const tokens = sample_tokens(in, prompt).size();
      if (tokens != 0 && tokens <= in.command.tokens.most) continue;
      throw input_error{"a prompt of " + std::to_string(tokens) + " tokens, expected 1 to --max-tokens, " +
                        std::to_string(in.command.tokens.most)};
    } catch (input_error const& error) {
      throw input_error{std::string{"--sample: "} + error.what()};
    }
  }
}

/// False if the help was asked for.
bool read_inputs(llm_inputs& in, int argc, char** argv, ranks const& all) {
  auto command = parse_llm_command(argc, argv);
  if (!command) return false;
  in.command = std::move(*command);
  if (in.command.data == "-" && all.count > 1) {
    throw input_error{"--data: got -, expected a file: only one rank would get standard input"};
  }
  if (in.command.head_only && all.count > 1) {
    throw input_error{"--head-only: trains in one process, got " + std::to_string(all.count) + " ranks"};
  }
  check_folder_of("--reference", in.command.reference, in.command.out);
  check_folder_of("--hidden", in.command.hidden, in.command.out);
  auto records = read_preferences(in.command.data, in.command.reading);
  auto const threads = static_cast<int>(in.command.threads);
  in.model.emplace(in.command.model, threads);
  // Not given.
  if (in.command.tokens.most == 0) in.command.tokens.most = std::min<std::size_t>(512, in.model->context_length());
  if (in.command.tokens.most > in.model->context_length()) {
    throw input_error{"--max-tokens: got " + std::to_string(in.command.tokens.most) + ", the model was made for " +
                      std::to_string(in.model->context_length())};
  }
  in.words.emplace(in.command.model);
  if (in.words->vocabulary() != in.model->vocabulary()) {
    throw error_at(in.command.model, 0, "",
                   "its tokenizer has " + std::to_string(in.words->vocabulary()) + " tokens, its weights have " +
                       std::to_string(in.model->vocabulary()));
  }
  check_samples(in);
  in.data.emplace(std::move(records), in.command.data, *in.words, in.command.tokens);
  try {
    check_llm_training(in.command, *in.data);
  } catch (input_error const& error) {
    // Which records are left out, and why, explains it.
    std::string text = error.what();
    for (auto const& note : in.data->notes()) text += "; " + note;
    throw input_error{text};
  }
  char checksum[32];
  std::snprintf(checksum, sizeof checksum, "checksum %016llx", static_cast<unsigned long long>(in.model->checksum()));
  // Under a head in f32 the log-probs are not quite those under the file's.
  in.model->set_rounding(!in.command.head_only);
  std::string const head = in.command.head_only ? "head in f32\n" : "head of the file\n";
  in.identity = {checksum, in.data->checksum(checksum + ("\n" + head) + in.words->chat_template())};
  return true;
}

/// What the results are run with.
struct tuned_files {
  std::string model;
  std::optional<std::string> adapter;
};

/// Of the model without the results and with them.
class two_runtimes {
 public:
  two_runtimes(llm_inputs const& in, tuned_files const& files)
      : in_{in},
        most_{in.command.tokens.most + in.command.sample_tokens},
        after_{files.model, files.adapter, static_cast<int>(in.command.threads), most_},
        before_{in.command.model, {}, static_cast<int>(in.command.threads), most_} {}

  /// Says how close llama.cpp comes to the log-probs of some held-out answers; throws where it does not.
  std::string check(llm_result const& result, std::string const& file) {
    constexpr std::size_t checked = 4;
    constexpr double allowed = 1e-3;
    std::vector<std::size_t> candidates;
    in_.data->candidates().of(result.held_out, candidates);
    std::vector<tokenized_pair const*> sequences;
    for (std::size_t i = 0; i < std::min(checked, candidates.size()); ++i) {
      sequences.push_back(&in_.data->sequences()[candidates[i]]);
    }
    double const difference = runtime_difference(after_, in_.model->vocabulary(), sequences, result.held_out_logp);
    char text[32];
    std::snprintf(text, sizeof text, "%.1e", difference);
    if (!(difference <= allowed)) {
      throw std::runtime_error{file + ": llama.cpp's log-probs differ by " + text + " of their size, expected 1e-3"};
    }
    return file + ": read back; llama.cpp's own log-probs of " + std::to_string(sequences.size()) +
           " held-out answers differ by at most " + text + " of their size";
  }

  /// The answers to --sample, before and after.
  std::string samples() {
    std::string text;
    for (auto const& prompt : in_.command.samples) {
      auto const ids = sample_tokens(in_, prompt);
      text += "prompt: " + prompt + "\n  before: " + in_.words->detokenize(answer(before_, ids)) +
              "\n  after:  " + in_.words->detokenize(answer(after_, ids)) + "\n\n";
    }
    return text;
  }

  /// To the first held-out prompts, one a record.
  own_answers lengths(llm_result const& result, progress& shown) {
    own_answers own;
    for (std::size_t const record : result.held_out) {
      if (own.answers == in_.command.own_answers) break;
      shown.show("own answers", own.answers, std::min(in_.command.own_answers, result.held_out.size()));
      auto const candidate = static_cast<std::size_t>(in_.data->candidates().offsets()[record]);
      auto const& [ids, boundary] = in_.data->sequences()[candidate];
      auto const prompt = std::span{ids}.first(boundary);
      own.before += static_cast<double>(answer(before_, prompt).size());
      own.after += static_cast<double>(answer(after_, prompt).size());
      ++own.answers;
    }
    shown.clear();
    if (own.answers != 0) {
      own.before /= static_cast<double>(own.answers);
      own.after /= static_cast<double>(own.answers);
    }
    return own;
  }

 private:
  std::vector<std::int32_t> answer(llama_runtime& runtime, std::span<std::int32_t const> ids) const {
    return runtime.sample(ids, {.most_tokens = in_.command.sample_tokens});
  }

  llm_inputs const& in_;
  std::size_t most_;
  llama_runtime after_, before_;
};

void write_reliability(llm_result const& result, preference_set const& data, std::string const& path) {
  if (result.reliability.empty()) return;
  std::string csv = "annotator,reliability\n";
  for (std::size_t i = 0; i < result.reliability.size(); ++i) {
    csv += '"';
    for (char const c : data.annotators[i]) csv.append(c == '"' ? 2 : 1, c);
    csv.append("\",").append(std::to_string(result.reliability[i])).append("\n");
  }
  replace_file(path, csv);
}

/// From the file --hidden, or computed a record at a time.
std::unique_ptr<hidden_state_file const> hidden_states_of(llm_inputs& in) {
  std::string const& file = in.command.hidden;
  if (auto const folder = std::filesystem::path{file}.parent_path(); !folder.empty()) {
    std::filesystem::create_directories(folder);
  }
  auto const sequences = in.data->sequences();
  auto const offsets = in.data->candidates().offsets();
  std::size_t tokens = 0;
  for (auto const& sequence : sequences) tokens += sequence.ids.size();
  work_meter meter{static_cast<double>(tokens)};
  progress shown;
  if (!std::filesystem::exists(file)) {
    shown.line("computes the hidden states of " + std::to_string(tokens) + " tokens");
  }
  auto const compute = [&](std::size_t first, std::vector<float>& rows) {
    auto const end = *std::ranges::upper_bound(offsets, static_cast<std::int64_t>(first));
    std::vector<tokenized_pair const*> record;
    for (std::size_t i = first; i < static_cast<std::size_t>(end); ++i) {
      record.push_back(&sequences[i]);
      meter.add(sequences[i].ids.size());
    }
    completion_rows answers;
    add_answers(*in.model, record, with_adapter::no, answers);
    rows = std::move(answers.hidden);
    shown.show("hidden states, " + meter.text(), first, sequences.size());
    return record.size();
  };
  return std::make_unique<hidden_state_file const>(file, sequences, in.model->width(), in.identity.data, compute);
}

/// Trains the adapter, or the head, and writes it.
llm_result tune(llm_inputs& in, results_folder& folder, tuned_files& files, ranks const& all) {
  auto const& command = in.command;
  if (!command.head_only) {
    all.together([&] { in.model->set_adapter({in.model->shape(), command.lora}); });
    adapter_policy policy{*in.model, command.threads};
    llm_result const result = train_llm(command, *in.data, policy, in.identity, folder, all);
    if (!result.is_done || !all.is_first()) return result;
    files = {command.model, folder.file("adapter.gguf")};
    in.model->adapter().save(*files.adapter);
    auto const read = lora_adapter::load(*files.adapter, in.model->shape());
    auto const written = in.model->adapter().values();
    if (!std::equal(written.begin(), written.end(), read.values().begin(), read.values().end())) {
      throw std::runtime_error{*files.adapter + ": read back, it has other numbers than were written"};
    }
    return result;
  }
  head_policy policy{*in.model, [&] { return hidden_states_of(in); }, in.data->sequences(), command.lora,
                     command.threads};
  llm_result const result = train_llm(command, *in.data, policy, in.identity, folder, all);
  if (!result.is_done) return result;
  files = {folder.file("model.gguf"), {}};
  write_untied_model(command.model, policy.weight(), files.model);
  return result;
}

}  // namespace

int run_llm(int argc, char** argv, ranks const& all) {
  llm_inputs in;
  bool is_run = false;
  all.together([&] { is_run = read_inputs(in, argc, argv, all); });
  if (!is_run) return 0;
  results_folder folder{in.command.out,
                        {"metrics.csv", "curves.png", "curves.svg", "reliability.csv", "adapter.gguf", "model.gguf"}};
  all.together([&] {
    folder.check_apart("--model", in.command.model);
    folder.check_apart("--data", in.command.data);
    folder.check_apart("--reference", in.command.reference);
    if (in.command.head_only) folder.check_apart("--hidden", in.command.hidden);
  });
  tuned_files files;
  llm_result const result = tune(in, folder, files, all);
  if (!all.is_first()) return 0;
  std::fprintf(stderr, "%s\n", draw_step_curves(in.command.out).c_str());
  if (!result.is_done) return 0;

  preference_set const& data = in.data->data();
  write_reliability(result, data, folder.file("reliability.csv"));
  two_runtimes runtimes{in, files};
  std::fprintf(stderr, "%s\n", runtimes.check(result, files.adapter.value_or(files.model)).c_str());
  progress shown;
  own_answers const own = runtimes.lengths(result, shown);
  write_standard_output(runtimes.samples() + llm_table(result, own, data.noun()));
  return 0;
}
