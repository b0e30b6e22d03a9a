// llm.c's GPT-2 on the CPU, trained by DPO: its losses are read where they lie, and prefopt's gradient takes the place
// of the constant that its backward pass begins with.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/logprob/sequence.hpp>
#include <prefopt/loss/dpo.hpp>
#include <span>
#include <vector>

#include "../common/gradient_check.hpp"
#include "../common/token_task.hpp"
#include "gpt2.hpp"

namespace {

constexpr std::size_t tokens = token_task::length;
constexpr gpt2::shape tiny{
    .vocabulary = 16, .padded_vocabulary = 32, .longest = tokens, .layers = 1, .heads = 2, .channels = 16};

/// Pairs as llm.c wants them: all chosen sequences, then all rejected ones. The last token predicts nothing: its target
/// is any, and the mask leaves it out.
struct batch {
  std::vector<int> inputs, targets;
  std::vector<float> mask;
  std::vector<float> reference;  ///< log-probs under the reference, one a sequence

  explicit batch(std::span<token_task::pair const> pairs) {
    for (auto const side : {&token_task::pair::chosen, &token_task::pair::rejected}) {
      for (auto const& pair : pairs) {
        auto const& sequence = pair.*side;
        inputs.insert(inputs.end(), sequence.begin(), sequence.end());
        targets.insert(targets.end(), sequence.begin() + 1, sequence.end());
        targets.push_back(0);
        mask.insert(mask.end(), tokens - 1, 1.0F);
        mask.push_back(0);
      }
    }
  }

  [[nodiscard]] std::size_t sequences() const { return inputs.size() / tokens; }

  /// Token losses -log p, or whatever else there is one of for each token.
  [[nodiscard]] prefopt::dense_tokens<float> of(std::span<float const> values) const {
    return {.log_prob = {values.data(), sequences(), tokens}, .mask = {mask.data(), sequences(), tokens}};
  }
};

/// Sequence log-probs. Only these change their sign, not every token's loss.
std::vector<float> log_probs(gpt2& model, batch& data) {
  model.forward(data.inputs, data.targets);
  std::vector<float> sums(data.sequences());
  prefopt::sequence_log_probs(data.of(model.losses()), {.log_prob = sums});
  std::ranges::transform(sums, sums.begin(), std::negate{});
  return sums;
}

/// The loss, and its gradient by each sequence's log-prob.
prefopt::report evaluate(batch const& data, std::span<float const> log_prob, std::span<float> d_log_prob) {
  std::size_t const pairs = data.sequences() / 2;
  std::span const reference = data.reference;
  return prefopt::evaluate(prefopt::dpo{.beta = 0.5},
                           prefopt::pair_batch<float>{.chosen = log_prob.first(pairs),
                                                      .rejected = log_prob.last(pairs),
                                                      .ref_chosen = reference.first(pairs),
                                                      .ref_rejected = reference.last(pairs)},
                           {.d_chosen = d_log_prob.first(pairs), .d_rejected = d_log_prob.last(pairs)});
}

prefopt::report report_of(gpt2& model, batch& data) {
  std::vector<float> unused(data.sequences());
  return evaluate(data, log_probs(model, data), unused);
}

/// Forward, loss, and llm.c's backward pass from d loss / d token loss = -mask * d loss / d log-prob.
void differentiate(gpt2& model, batch& data) {
  std::vector<float> d(data.sequences()), d_losses(data.inputs.size());
  evaluate(data, log_probs(model, data), d);
  std::ranges::transform(d, d.begin(), std::negate{});
  prefopt::token_gradients(data.of(model.losses()), d, {d_losses.data(), data.sequences(), tokens});
  model.backward(d_losses);
}

/// llm.c's gradient of a few pairs' loss, by a third of the parameters.
bool gradient_agrees(std::span<token_task::pair const> pairs) {
  batch data{pairs};
  gpt2 model{tiny, static_cast<int>(data.sequences()), tokens};
  data.reference = log_probs(model, data);
  // One step away from the reference, where the pairs differ in their slope.
  differentiate(model, data);
  model.update(0.01F);
  differentiate(model, data);

  gradient_check check{1.0 / 64};
  for (std::size_t i = 0; i < model.parameters().size(); i += 3) {
    float& parameter = model.parameters()[i];
    check(parameter, model.gradient()[i], [&](float moved) {
      parameter = moved;
      return report_of(model, data).loss;
    });
  }
  return check.passed("DPO");
}

bool learns(token_task const& task) {
  constexpr std::size_t pairs = 128;
  gpt2 model{tiny, 2 * pairs, tokens};
  std::vector<batch> train, held_out;
  auto const split = [&](std::vector<token_task::pair> const& all, std::vector<batch>& batches) {
    for (std::size_t begin = 0; begin + pairs <= all.size(); begin += pairs) {
      batches.emplace_back(std::span{all}.subspan(begin, pairs));
      batches.back().reference = log_probs(model, batches.back());
    }
  };
  split(task.train, train);
  split(task.held_out, held_out);

  auto const mean = [&](std::vector<batch>& batches, double prefopt::report::*what) {
    double sum = 0;
    for (auto& data : batches) sum += report_of(model, data).*what;
    return sum / static_cast<double>(batches.size());
  };
  double const loss_before = mean(train, &prefopt::report::loss);
  double const accuracy_before = mean(held_out, &prefopt::report::accuracy);
  for (std::size_t step = 0; step < 160; ++step) {
    differentiate(model, train[step % train.size()]);
    model.update(0.01F);
  }
  double const loss_after = mean(train, &prefopt::report::loss);
  double const accuracy_after = mean(held_out, &prefopt::report::accuracy);
  std::printf("loss %.4f -> %.4f, held-out accuracy %.3f -> %.3f\n", loss_before, loss_after, accuracy_before,
              accuracy_after);
  return accuracy_after >= 0.8;
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) {
    std::printf(
        "usage: %s\nTrains a tiny GPT-2 of llm.c by DPO, and checks the gradient.\n"
        "Exit status 1 if it does not learn or the gradient is wrong.\n",
        arguments[0]);
    return std::strcmp(arguments[1], "--help") == 0 ? 0 : 2;
  }
  try {
    // More pairs than other models need: attention learns 1024 of them by heart.
    token_task const task{4096};
    bool const right = gradient_agrees(std::span{task.train}.first(8));
    return learns(task) && right ? 0 : 1;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "train_llmc: %s\n", error.what());
    return 2;
  }
}
