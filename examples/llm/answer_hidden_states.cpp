#include "answer_hidden_states.hpp"

#include <array>
#include <cstddef>

void answer_hidden_states(trainable_llama& model, tokenized_pair const& sequence, with_adapter use,
                          std::vector<float>& rows) {
  rows.resize(sequence.ids.size() * model.width());
  std::array const offsets{std::size_t{0}, sequence.ids.size()};
  model.hidden_states({sequence.ids, offsets}, use, rows);
  // The last one would predict what comes behind the answer.
  rows.resize((sequence.ids.size() - 1) * model.width());
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>((sequence.boundary - 1) * model.width()));
}
