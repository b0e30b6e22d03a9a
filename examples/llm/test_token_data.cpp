// What a model reads of texts and of messages, and which records it is not given.
#include <catch.hpp>

#include <algorithm>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "input_error.hpp"
#include "preference_file.hpp"
#include "random_llama.hpp"
#include "temporary_file.hpp"
#include "token_data.hpp"

namespace {

/// A random model, the template ChatML, and a file of its records.
class reading {
 public:
  preference_set records(std::string const& lines, bool keep_messages = true) const {
    std::ofstream{data_.path()} << lines;
    return read_preferences(data_.path(), {.keep_messages = keep_messages});
  }
  token_data tokens(std::string const& lines, token_options const& options = {.most = 400}) const {
    return {records(lines, options.as_chat), "data.jsonl", words(), options};
  }
  /// Of each sequence the text, with the border of prompt and answer as "|".
  std::vector<std::string> texts(token_data const& data) const {
    std::vector<std::string> all;
    for (auto const& [ids, boundary] : data.sequences()) {
      auto const prompt = std::span{ids}.first(boundary), answer = std::span{ids}.subspan(boundary);
      all.push_back(words_.detokenize(prompt, true) + "|" + words_.detokenize(answer, true));
    }
    return all;
  }
  std::vector<std::string> texts(std::string const& lines) const { return texts(tokens(lines)); }
  tokenizer const& words() const { return words_; }

 private:
  temporary_file model_{"model.gguf"}, data_{"data.jsonl"};
  tokenizer words_ = [this] {
    random_llama{.layers = 1}.write(model_.path());
    return tokenizer{model_.path()};
  }();
};

std::string message_of(std::string const& role, std::string const& text) {
  return R"({"role": ")" + role + R"(", "content": ")" + text + R"("})";
}

std::string pair_of(std::string const& prompt, std::string const& chosen, std::string const& rejected) {
  return R"({"prompt": )" + prompt + R"(, "chosen": )" + chosen + R"(, "rejected": )" + rejected + "}\n";
}

std::string const why = message_of("user", "why"), so = message_of("assistant", "so"),
                  no = message_of("assistant", "no");

/// As ChatML has it, up to where the answer begins.
std::string prompt_text(std::vector<std::pair<std::string, std::string>> const& turns) {
  std::string text;
  for (auto const& [role, said] : turns) text += "<|im_start|>" + role + "\n" + said + "<|im_end|>\n";
  return text + "<|im_start|>assistant\n|";
}

using texts = std::vector<std::string>;

bool has_note(token_data const& data, std::string const& note) {
  return std::ranges::find(data.notes(), note) != data.notes().end();
}

}  // namespace

TEST_CASE("messages are turns as they are") {
  reading const model;
  std::string const quoted = R"(like\n\nHuman: hi\n\nAssistant: ho)", as_text = "like\n\nHuman: hi\n\nAssistant: ho";
  auto const said = prompt_text({{"user", "why"}});

  // One that quotes a dialogue, as a question and as an answer.
  CHECK(model.texts(pair_of("[" + message_of("user", quoted) + "]", "[" + so + "]", "[" + no + "]")) ==
        texts{prompt_text({{"user", as_text}}) + "so<|im_end|>", prompt_text({{"user", as_text}}) + "no<|im_end|>"});
  CHECK(model.texts(pair_of("[" + why + "]", "[" + message_of("assistant", quoted) + "]", "[" + no + "]")) ==
        texts{said + as_text + "<|im_end|>", said + "no<|im_end|>"});

  // Other roles have turns of their own, and a note.
  auto const data = model.tokens(pair_of("[" + message_of("developer", "be brief") + "," + why + "," +
                                             message_of("assistant", "call") + "," + message_of("tool", "rainy") + "]",
                                         so, no));
  auto const called =
      prompt_text({{"developer", "be brief"}, {"user", "why"}, {"assistant", "call"}, {"tool", "rainy"}});
  CHECK(model.texts(data) == texts{called + "so<|im_end|>", called + "no<|im_end|>"});
  CHECK(has_note(data,
                 "note: the chat template writes messages of other roles than system, user and assistant by their "
                 "names: developer (1), tool (1)"));

  // Blanks around an answer are of it.
  CHECK(model.texts(pair_of("[" + why + "]", message_of("assistant", R"(    return x\n)"),
                            message_of("assistant", R"(return x\n)"))) ==
        texts{said + "    return x\n<|im_end|>", said + "return x\n<|im_end|>"});
}

TEST_CASE("the same messages in other shapes") {
  reading const model;
  auto const said = prompt_text({{"user", "why"}});
  texts const expected{said + "so<|im_end|>", said + "no<|im_end|>"};
  // A text beside messages is one.
  CHECK(model.texts(pair_of("[" + why + "]", R"("so")", R"("no")")) == expected);
  CHECK(model.texts(pair_of(R"("why")", "[" + so + "]", no)) == expected);
  CHECK(model.texts(pair_of(R"("a\n\nHuman: b")", so, no)).front() ==
        prompt_text({{"user", "a\n\nHuman: b"}}) + "so<|im_end|>");
  // Whole dialogues, with the prompt beside them or not.
  std::string const whole = "[" + why + "," + so + "]", other = "[" + why + "," + no + "]";
  CHECK(model.texts(R"({"chosen": )" + whole + R"(, "rejected": )" + other + "}") == expected);
  CHECK(model.texts(pair_of("[" + why + "]", whole, other)) == expected);
  CHECK(model.texts(pair_of(R"("why")", whole, other)) == expected);
  // Ranked, alone, and of other programs.
  CHECK(model.texts(R"({"prompt": [)" + why + R"(], "responses": ["so", "no"], "rewards": [1, 0]})") == expected);
  CHECK(model.texts(R"({"context": [)" + why + R"(], "completions": [{"rank": 0, "completion": [)" + so +
                    R"(]}, {"rank": 1, "completion": [)" + no + "]}]}") == expected);
  CHECK(model.texts(R"({"prompt": [)" + why + R"(], "completion": [)" + so + R"(], "label": true})") ==
        texts{expected.front()});
  CHECK(model.texts(R"({"instruction": "why", "chosen": "so", "rejected": "no"})") == expected);
  CHECK(
      model.texts(R"({"conversations": [{"from": "human", "value": "why"}], "chosen": {"from": "gpt", "value": "so"},)"
                  R"( "rejected": {"from": "gpt", "value": "no"}})") == expected);
}

TEST_CASE("a dialogue that is one text becomes turns") {
  reading const model;
  auto const said = prompt_text({{"user", "why"}});
  CHECK(model.texts(pair_of(R"("\n\nHuman: why\n\nAssistant:")", R"(" so ")", R"(" no")")) ==
        texts{said + "so<|im_end|>", said + "no<|im_end|>"});
  CHECK(model.texts(pair_of(R"("why")", R"(" so")", R"("no")")) == texts{said + "so<|im_end|>", said + "no<|im_end|>"});
  auto const longer =
      prompt_text({{"system", "be brief"}, {"user", "a"}, {"assistant", "b"}, {"user", "c\n\nTool: d"}});
  std::string const dialogue = R"(be brief\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nTool: d\n\nAssistant:)";
  CHECK(model.texts(R"({"chosen": ")" + dialogue + R"( so", "rejected": ")" + dialogue + R"("})") ==
        texts{longer + "so<|im_end|>", longer + "<|im_end|>"});
}

TEST_CASE("answers that are none are left out with what they are") {
  reading const model;
  std::string const good = pair_of("[" + why + "]", so, no);
  auto const next = [](std::string const& role, std::string const& last) {
    return "[" + so + "," + message_of(role, "next") + "," + last + "]";
  };
  auto const data = model.tokens(
      good + pair_of("[" + why + "]", next("user", so), no) + pair_of("[" + why + "]", so, next("tool", no)) +
      pair_of("[" + why + "]", "[" + so + "," + no + "]", so) + pair_of("[" + why + "]", message_of("tool", "x"), no) +
      pair_of(R"("why")", R"("a\n\nHuman: b")", R"("c")") + pair_of(R"("why")", R"("a\n\nSystem: b")", R"("c")") +
      pair_of("[" + why + "]", so, so) + pair_of(R"("why")", R"("so ")", R"("so")"));
  CHECK(data.sequences().size() == 2);
  for (auto const* note : {"2 of 9 pairs are left out: an answer goes on with what the user says next",
                           "3 of 9 pairs are left out: an answer is more than one message",
                           "1 of 9 pairs are left out: an answer is not the assistant's",
                           "1 of 9 pairs are left out: their responses are the same text",
                           "1 of 9 pairs are left out: their responses are the same tokens"}) {
    CHECK(has_note(data, std::string{"note: "} + note));
  }
  CHECK(data.notes().size() == 5);
}

TEST_CASE("messages that no template can write are refused by their line") {
  reading const model;
  std::string const good = pair_of("[" + why + "]", so, no);
  auto const refused = [&](std::string const& role, std::string const& text) -> std::string {
    try {
      (void)model.tokens(good + pair_of("[" + why + "," + message_of(role, text) + "]", so, no));
    } catch (input_error const& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(refused("user", "<|im_end|>").find("data.jsonl:2: a turn of 'user' has '<|im_end|>' in it") == 0);
  CHECK(refused("tool<|im_end|>", "x") ==
        "data.jsonl:2: a turn of 'tool<|im_end|>', expected a role of letters, digits, _, - and .");
}

TEST_CASE("messages that are cut, and what is kept of them") {
  reading const model;
  std::string const lines = pair_of("[" + why + "," + message_of("tool", std::string(300, 'x')) + "]", so, no);
  auto const cut = model.tokens(lines, {.most = 32, .truncate = true});
  auto const texts_of_cut = model.texts(cut);
  CHECK(cut.sequences().front().ids.size() == 32);
  CHECK(texts_of_cut.front().ends_with("x<|im_end|>\n<|im_start|>assistant\n|so<|im_end|>"));

  CHECK(cut.data().records.front().messages.responses.empty());
  CHECK(model.records(lines).records.front().messages.prompt.size() == 2);
  CHECK(model.records(lines).records.front().messages.responses.size() == 2);
  CHECK(model.records(lines, false).records.front().messages.responses.empty());
  CHECK(model.records(pair_of(R"("why")", R"("so")", R"("no")")).records.front().messages.responses.empty());

  // Without the model's template, a text is all that is read of them.
  auto const plain = model.texts(model.tokens(pair_of("[" + why + "]", so, no), {.as_chat = false, .most = 400}));
  CHECK(plain.front() == "\n\nHuman: why\n\nAssistant:| so</s>");
}
