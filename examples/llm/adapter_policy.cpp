#include "adapter_policy.hpp"

#include <algorithm>
#include <cstddef>

adapter_policy::adapter_policy(trainable_llama& model, std::size_t threads)
    : model_{model}, head_{model.head(), threads} {}

completion_rows const& adapter_policy::rows_of(sequence_list sequences, with_adapter use, completion_rows& rows) {
  rows.clear();
  add_answers(model_, sequences, use, rows);
  return rows;
}

void adapter_policy::log_probs(sequence_list sequences, with_adapter use, std::span<double> logp) {
  head_.log_probs(rows_of(sequences, use, rows_), logp);
}

void adapter_policy::log_probs_and_gradient(sequence_list sequences, std::span<double> logp,
                                            output_head::judge const& judge) {
  model_.adapter().clear_gradients();
  if (packed_answers const whole{sequences, most_kept}; whole.sequences().size() == sequences.size()) {
    add_gradient(whole, logp, judge);
    return;
  }
  log_probs(sequences, with_adapter::yes, logp);
  auto const d_all = judge(logp);
  std::vector<double> const d_logp(d_all.begin(), d_all.end());
  for (std::size_t done = 0; done < sequences.size();) {
    packed_answers const part{sequences.subspan(done), most_kept};
    std::size_t const count = part.sequences().size();
    auto const of_part = [&](std::span<double const>) { return std::span{d_logp}.subspan(done, count); };
    add_gradient(part, logp.subspan(done, count), of_part);
    done += count;
  }
}

void adapter_policy::add_gradient(packed_answers const& answers, std::span<double> logp,
                                  output_head::judge const& judge) {
  std::size_t const width = head_.width(), count = answers.sequences().size();
  hidden_.resize(answers.tokens().ids.size() * width);
  model_.forward(answers.tokens(), hidden_);

  rows_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    rows_.add(*answers.sequences()[i], answers.answer(i, std::span<float const>{hidden_}));
  }
  d_rows_.resize(rows_.hidden.size());
  head_.log_probs(rows_, logp, judge, {.hidden = d_rows_, .weight = {}});

  d_hidden_.assign(hidden_.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    auto const from = std::span{d_rows_}.subspan(static_cast<std::size_t>(rows_.offsets[i]) * width);
    auto const to = answers.answer(i, std::span{d_hidden_});
    std::copy_n(from.begin(), to.size(), to.begin());
  }
  model_.backward(d_hidden_);
}

void adapter_policy::kl(sequence_list sequences, std::span<double> logp, std::span<double> kl) {
  rows_of(sequences, with_adapter::yes, rows_);
  head_.log_probs(rows_, logp);
  head_.kl(rows_, head_, rows_of(sequences, with_adapter::no, reference_rows_), kl);
}
