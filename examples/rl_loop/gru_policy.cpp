#include "gru_policy.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

namespace {

using token = byte_alphabet::token;

/// The token at that place of each completion; behind its end, the end.
std::vector<token> tokens_at(sample_group const& group, std::size_t place) {
  std::vector<token> tokens;
  for (auto const& completion : group.completions) {
    tokens.push_back(place < completion.size() ? completion[place] : byte_alphabet::end);
  }
  return tokens;
}

/// Calls f(token's column among all tokens, completion) for the completions that have a token at that place.
template <class F>
void for_each_token_at(sample_group const& group, std::size_t place, F const& f) {
  std::size_t first = 0;
  for (std::size_t k = 0; k < group.completions.size(); first += group.completions[k].size(), ++k) {
    if (place < group.completions[k].size()) {
      f(static_cast<Eigen::Index>(first + place), static_cast<Eigen::Index>(k));
    }
  }
}

/// By inversion, with the largest of the weights 1.
template <class Column>
token draw(Column const& logits, std::mt19937_64& random) {
  double const highest = static_cast<double>(logits.maxCoeff());
  std::vector<double> sums;
  double sum = 0;
  for (auto const logit : logits) sums.push_back(sum += std::exp(static_cast<double>(logit) - highest));
  double const at = sum * (static_cast<double>(random() >> 11U) * 0x1p-53);
  auto const place = std::ranges::upper_bound(sums, at) - sums.begin();
  return static_cast<token>(std::min<std::ptrdiff_t>(place, byte_alphabet::size - 1));
}

}  // namespace

template <class T>
template <class Vector>
auto gru_policy<T>::parts(Vector& of) const {
  constexpr bool is_const = std::is_const_v<Vector>;
  using matrix_map = Eigen::Map<std::conditional_t<is_const, matrix const, matrix>>;
  using vector_map = Eigen::Map<std::conditional_t<is_const, vector const, vector>>;
  struct {
    matrix_map input;      ///< what each token adds to the gates
    matrix_map recurrent;  ///< and what the state does
    vector_map recurrent_bias;
    matrix_map output;
    vector_map output_bias;
  } split{{of.data(), 3 * width_, byte_alphabet::size},
          {of.data() + 3 * width_ * byte_alphabet::size, 3 * width_, width_},
          {of.data() + 3 * width_ * (byte_alphabet::size + width_), 3 * width_},
          {of.data() + 3 * width_ * (byte_alphabet::size + width_ + 1), output_count, width_},
          {of.data() + 3 * width_ * (byte_alphabet::size + width_ + 1) + output_count * width_, output_count}};
  return split;
}

template <class T>
Eigen::Index gru_policy<T>::size() const {
  return 3 * width_ * (byte_alphabet::size + width_ + 1) + output_count * (width_ + 1);
}

template <class T>
gru_policy<T>::gru_policy(Eigen::Index width, std::mt19937_64& random) : width_{width}, weights_{vector::Zero(size())} {
  auto const fill = [&](auto layer, double bound) {
    for (Eigen::Index column = 0; column < layer.cols(); ++column) {
      for (T& weight : layer.col(column)) {
        weight = static_cast<T>(bound * (static_cast<double>(random() >> 11U) * 0x1p-52 - 1));
      }
    }
  };
  auto layers = parts(weights_);
  double const bound = 1 / std::sqrt(static_cast<double>(width));
  fill(layers.input, 1);
  fill(layers.recurrent, bound);
  fill(layers.output.topRows(byte_alphabet::size), bound);  // the critic begins with values of 0
}

template <class T>
void gru_policy<T>::read(token const* tokens, Eigen::Index first, matrix& state, pass& kept) const {
  auto const layers = parts(weights_);
  Eigen::Index const columns = state.cols();
  matrix gates = layers.recurrent * state;
  gates.colwise() += layers.recurrent_bias;
  auto previous = kept.previous.middleCols(first, columns), reset = kept.reset.middleCols(first, columns),
       update = kept.update.middleCols(first, columns), candidate = kept.candidate.middleCols(first, columns),
       recurrent = kept.recurrent.middleCols(first, columns);
  previous = state;
  recurrent = gates.bottomRows(width_);
  for (Eigen::Index k = 0; k < columns; ++k) {
    gates.col(k).head(2 * width_) += layers.input.col(tokens[k]).head(2 * width_);
  }
  reset = gates.topRows(width_).array().logistic();
  update = gates.middleRows(width_, width_).array().logistic();
  candidate = reset.array() * recurrent.array();
  for (Eigen::Index k = 0; k < columns; ++k) candidate.col(k) += layers.input.col(tokens[k]).tail(width_);
  candidate = candidate.array().tanh();
  state = candidate.array() + update.array() * (previous.array() - candidate.array());
}

template <class T>
sample_group gru_policy<T>::sample(std::vector<token> const& prompt, std::size_t count, std::size_t longest,
                                   std::mt19937_64& random) const {
  auto const layers = parts(weights_);
  auto const columns = static_cast<Eigen::Index>(count);
  pass kept;
  for (matrix* of : {&kept.previous, &kept.reset, &kept.update, &kept.candidate, &kept.recurrent}) {
    of->resize(width_, columns);
  }
  matrix state = matrix::Zero(width_, 1);
  for (token const& t : prompt) read(&t, 0, state, kept);
  state = state.replicate(1, columns).eval();
  sample_group group{prompt, std::vector<std::vector<token>>(count)};
  std::vector<token> last(count);
  for (std::size_t place = 0; place < longest; ++place) {
    matrix logits = layers.output * state;
    logits.colwise() += layers.output_bias;
    bool is_going_on = false;
    for (std::size_t k = 0; k < count; ++k) {
      auto& completion = group.completions[k];
      if (!completion.empty() && completion.back() == byte_alphabet::end) continue;
      last[k] = draw(logits.col(static_cast<Eigen::Index>(k)).head(byte_alphabet::size), random);
      completion.push_back(last[k]);
      is_going_on |= last[k] != byte_alphabet::end;
    }
    if (!is_going_on) break;
    read(last.data(), 0, state, kept);
  }
  return group;
}

template <class T>
void gru_policy<T>::forward(sample_group const& group, pass& kept) const {
  auto const layers = parts(weights_);
  auto const prompt = static_cast<Eigen::Index>(group.prompt.size()),
             columns = static_cast<Eigen::Index>(group.completions.size()),
             tokens = static_cast<Eigen::Index>(group.tokens());
  std::size_t const longest = group.longest();
  Eigen::Index const all = prompt + (static_cast<Eigen::Index>(longest) - 1) * columns;
  for (matrix* of : {&kept.previous, &kept.reset, &kept.update, &kept.candidate, &kept.recurrent}) {
    of->resize(width_, all);
  }
  kept.states.resize(width_, tokens);
  matrix state = matrix::Zero(width_, 1);  // of the prompt there is one, for all completions
  for (Eigen::Index t = 0; t < prompt; ++t) read(&group.prompt[static_cast<std::size_t>(t)], t, state, kept);
  state = state.replicate(1, columns).eval();
  for (std::size_t place = 0; place < longest; ++place) {
    if (place > 0) {
      read(tokens_at(group, place - 1).data(), prompt + (static_cast<Eigen::Index>(place) - 1) * columns, state, kept);
    }
    for_each_token_at(group, place, [&](Eigen::Index at, Eigen::Index k) { kept.states.col(at) = state.col(k); });
  }
  kept.outputs.noalias() = layers.output * kept.states;
  kept.outputs.colwise() += layers.output_bias;
}

template <class T>
void gru_policy<T>::backward(sample_group const& group, pass const& kept, matrix const& d_outputs,
                             vector& gradient) const {
  auto const layers = parts(weights_);
  auto d_layers = parts(gradient);
  d_layers.output.noalias() += d_outputs * kept.states.transpose();
  d_layers.output_bias += d_outputs.rowwise().sum();
  matrix const d_states = layers.output.transpose() * d_outputs;

  matrix d_gates(3 * width_, kept.previous.cols());  // by what the state adds to the gates
  // From the gradient by the state after a step to that by the state before.
  auto const unread = [&](token const* tokens, Eigen::Index first, matrix& d_state) {
    Eigen::Index const columns = d_state.cols();
    auto const of = [&](matrix const& each) { return each.middleCols(first, columns).array(); };
    auto d = d_gates.middleCols(first, columns);
    matrix const d_candidate = d_state.array() * (1 - of(kept.update)) * (1 - of(kept.candidate).square());
    d.topRows(width_) = d_candidate.array() * of(kept.recurrent) * of(kept.reset) * (1 - of(kept.reset));
    d.middleRows(width_, width_) =
        d_state.array() * (of(kept.previous) - of(kept.candidate)) * of(kept.update) * (1 - of(kept.update));
    d.bottomRows(width_) = d_candidate.array() * of(kept.reset);
    for (Eigen::Index k = 0; k < columns; ++k) {
      d_layers.input.col(tokens[k]).head(2 * width_) += d.col(k).head(2 * width_);
      d_layers.input.col(tokens[k]).tail(width_) += d_candidate.col(k);
    }
    d_state = d_state.array() * of(kept.update);
    d_state.noalias() += layers.recurrent.transpose() * d;
  };

  auto const prompt = static_cast<Eigen::Index>(group.prompt.size()),
             columns = static_cast<Eigen::Index>(group.completions.size());
  matrix d_state = matrix::Zero(width_, columns);
  for (std::size_t place = group.longest(); place-- > 0;) {
    for_each_token_at(group, place, [&](Eigen::Index at, Eigen::Index k) { d_state.col(k) += d_states.col(at); });
    if (place > 0) {
      unread(tokens_at(group, place - 1).data(), prompt + (static_cast<Eigen::Index>(place) - 1) * columns, d_state);
    }
  }
  d_state = d_state.rowwise().sum().eval();
  for (Eigen::Index t = prompt; t-- > 0;) unread(&group.prompt[static_cast<std::size_t>(t)], t, d_state);
  d_layers.recurrent.noalias() += d_gates * kept.previous.transpose();
  d_layers.recurrent_bias += d_gates.rowwise().sum();
}

template class gru_policy<float>;
template class gru_policy<double>;
