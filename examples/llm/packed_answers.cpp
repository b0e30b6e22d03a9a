#include "packed_answers.hpp"

#include <algorithm>

namespace {

std::size_t common_beginning(tokenized_pair const& one, tokenized_pair const& other) {
  auto const [end, other_end] = std::ranges::mismatch(one.ids, other.ids);
  return static_cast<std::size_t>(end - one.ids.begin());
}

}  // namespace

packed_answers::packed_answers(sequence_list sequences, std::size_t most) {
  // The token in front of an answer is each sequence's own: its row predicts the answer's first.
  std::size_t shared = 0, own = 0, count = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    auto const& [ids, boundary] = *sequences[i];
    std::size_t const common =
        i == 0 ? boundary - 1 : std::min({shared, boundary - 1, common_beginning(*sequences.front(), *sequences[i])});
    std::size_t const tokens = own + ids.size();
    if (i != 0 && tokens - i * common > most) break;
    shared = common;
    own = tokens;
    count = i + 1;
  }
  if (count == 1) shared = 0;
  sequences_ = sequences.first(count);
  ids_.reserve(own);
  if (count != 0)
    ids_.assign(sequences[0]->ids.begin(), sequences[0]->ids.begin() + static_cast<std::ptrdiff_t>(shared));
  offsets_.push_back(shared);
  for (auto const* const sequence : sequences_) {
    ids_.insert(ids_.end(), sequence->ids.begin() + static_cast<std::ptrdiff_t>(shared), sequence->ids.end());
    offsets_.push_back(ids_.size());
  }
}

void add_answers(trainable_llama& model, sequence_list sequences, with_adapter use, completion_rows& rows) {
  constexpr std::size_t most = 2048;
  std::vector<float> hidden;
  for (std::size_t done = 0; done < sequences.size();) {
    packed_answers const packed{sequences.subspan(done), most};
    hidden.resize(packed.tokens().ids.size() * model.width());
    model.hidden_states(packed.tokens(), use, hidden);
    for (std::size_t i = 0; i < packed.sequences().size(); ++i) {
      rows.add(*packed.sequences()[i], packed.answer(i, std::span<float const>{hidden}));
    }
    done += packed.sequences().size();
  }
}
