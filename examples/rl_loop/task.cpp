#include "task.hpp"

#include <array>

#include "input_error.hpp"
#include "sentence_bleu.hpp"

task arithmetic_task() {
  task of{.name = "arithmetic",
          .about = "sums of two numbers below 20; reward 1 for the right number and nothing else, otherwise 0",
          .exercises = {},
          .reward = [](std::string_view completion,
                       std::string_view reference) { return completion == reference ? 1.0 : 0.0; },
          .longest = 4,
          .warm_up_steps = 1500,
          .right_share = 0.4,
          .steps = 200,
          .target = 0.6};
  constexpr int numbers = 20;
  for (int a = 0; a < numbers; ++a) {
    for (int b = 0; b < numbers; ++b) {
      exercise& sum = of.exercises.emplace_back(
          exercise{std::to_string(a) + '+' + std::to_string(b) + '=', std::to_string(a + b), {}});
      for (int const off : {-10, -2, -1, 1, 2, 10}) {
        if (a + b + off >= 0) sum.wrong.push_back(std::to_string(a + b + off));
      }
    }
  }
  return of;
}

task bleu_task() {
  struct subject {
    std::string_view name, verb;
  };
  struct object {
    std::string_view name, adjective;
  };
  constexpr std::array<subject, 12> subjects{{{"fox", "hides"},
                                              {"owl", "sees"},
                                              {"cat", "wants"},
                                              {"dog", "brings"},
                                              {"hen", "guards"},
                                              {"cow", "likes"},
                                              {"pig", "finds"},
                                              {"bat", "drops"},
                                              {"ant", "carries"},
                                              {"bee", "paints"},
                                              {"elk", "moves"},
                                              {"rat", "keeps"}}};
  constexpr std::array<object, 12> objects{{{"ball", "red"},
                                            {"cup", "blue"},
                                            {"hat", "old"},
                                            {"key", "tiny"},
                                            {"box", "heavy"},
                                            {"pen", "new"},
                                            {"ring", "golden"},
                                            {"rope", "long"},
                                            {"lamp", "bright"},
                                            {"coin", "round"},
                                            {"shoe", "brown"},
                                            {"leaf", "green"}}};
  auto const sentence = [](subject const& who, std::string_view verb, std::string_view adjective, object const& what) {
    std::string text{"the "};
    text.append(who.name).append(" ").append(verb).append(" the ").append(adjective).append(" ").append(what.name);
    return text;
  };
  task of{.name = "bleu",
          .about = "a sentence from two words; reward: its sentence BLEU against the reference, as BLEUBERI has it",
          .exercises = {},
          .reward = sentence_bleu,
          .longest = 40,
          .warm_up_steps = 600,
          .right_share = 0.3,
          .steps = 100,
          .target = 0.5};
  for (std::size_t s = 0; s < subjects.size(); ++s) {
    for (std::size_t o = 0; o < objects.size(); ++o) {
      exercise& of_two = of.exercises.emplace_back(
          exercise{std::string{subjects[s].name}.append(" ").append(objects[o].name).append(":"),
                   sentence(subjects[s], subjects[s].verb, objects[o].adjective, objects[o]),
                   {}});
      for (std::size_t shift = 1; shift < subjects.size(); ++shift) {
        of_two.wrong.push_back(sentence(subjects[s], subjects[(s + shift) % subjects.size()].verb,
                                        objects[(o + 5 * shift) % objects.size()].adjective, objects[o]));
      }
    }
  }
  return of;
}

task task_of(std::string_view name) {
  if (name == "arithmetic") return arithmetic_task();
  if (name == "bleu") return bleu_task();
  throw input_error{"--task: got " + in_quotes(name) + ", expected arithmetic or bleu"};
}
