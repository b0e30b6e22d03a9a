// The last layer, whose logits never exist whole: tiny sizes, any strides, budgets and transforms.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <prefopt/logprob/linear_token_logprobs.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "chain/host_products.hpp"
#include "fuzzed_batch.hpp"
#include "fuzzed_matrix.hpp"

namespace {

template <class U>
class linear_target {
  using T = prefopt::detail::computed_of<U>;

 public:
  explicit linear_target(fuzz_input& in)
      : in_{in},
        is_sound_{!in.one_in(3)},
        rows_{in.below(7)},
        width_{is_sound_ ? 1 + in.below(6) : in.below(6)},
        vocabulary_{is_sound_ ? 1 + in.below(in.is_large() ? 1100 : 12) : in.below(12)},
        hidden_{in, rows_, width_, layout::any},
        weight_{in, vocabulary_, width_, is_sound_ ? layout::upwards : layout::any},
        bias_(in.one_in(2) ? vocabulary_ : 0),
        labels_(rows_) {
    auto const number = [&] { return is_sound_ ? in.finite(20) : static_cast<double>(in.any<T>()); };
    hidden_.fill(number);
    weight_.fill(number);
    for (T& b : bias_) b = static_cast<T>(number());
    for (auto& label : labels_) {
      label = in.one_in(4) ? -100
                           : static_cast<std::int64_t>(in.below(vocabulary_ + 1)) %
                                 std::max<std::int64_t>(1, static_cast<std::int64_t>(vocabulary_));
      if (!is_sound_ && in.one_in(16)) label = static_cast<std::int64_t>(in.bits(8));
    }
    if (!is_sound_ && in.one_in(16)) bias_.resize(in.below(14));
    if (!is_sound_ && in.one_in(16)) labels_.resize(in.below(9));
    options_.gradient = static_cast<prefopt::gradient_write>(in.below(2));
    if (in.one_in(2)) options_.transform.soft_cap = in.uniform(5, 50);
    if (in.one_in(2)) options_.transform.temperature = in.uniform(0.2, 3);
    if (!is_sound_ && in.one_in(8)) options_.transform.scale = in.any<double>();
    head_ = {hidden_.view(), weight_.view(), bias_.empty() ? prefopt::column<T>{} : prefopt::column<T>{bias_}};
    least_ = vocabulary_ * (sizeof(T) + sizeof(double)) + width_ * 3 * sizeof(double);
  }

  void run() {
    auto options = options_;
    odd_executor const executor{1 + in_.below(63)};
    if (in_.one_in(2)) options.executor = executor;
    options.memory_budget =
        is_sound_ ? least_ + in_.below(2000) : static_cast<std::size_t>(in_.one_in(2) ? in_.bits(8) : in_.below(1000));
    fuzzed_output<T> log_prob{in_, rows_}, entropy{in_, rows_};
    fuzzed_output<double> log_sum_exp{in_, !is_sound_ && in_.one_in(16) ? in_.below(9) : rows_};
    bool const is_computed = computes([&] {
      prefopt::linear_token_logprobs(head_, labels_, {log_prob.view(), log_sum_exp.view(), entropy.view(), {}, {}},
                                     product_, options);
    });
    promise(is_computed || !is_sound_, "linear_token_logprobs refuses what it should take: ", refusal_);
    promise(hidden_.is_untouched() && weight_.is_untouched(), "linear_token_logprobs writes to what it reads");
    if (!is_computed) {
      promise(log_prob.is_untouched() && entropy.is_untouched() && log_sum_exp.is_untouched(),
              "linear_token_logprobs writes before it refuses");
      return;
    }
    promise(log_prob.has_whole_gaps() && entropy.has_whole_gaps() && log_sum_exp.has_whole_gaps(),
            "linear_token_logprobs writes between its results");
    // In one piece, and of logits that exist.
    std::vector<T> of_one(rows_), of_logits(rows_), entropies(rows_);
    std::vector<double> sums(rows_);
    prefopt::linear_token_logprobs(head_, labels_, {of_one, sums, entropies, {}, {}}, product_, options_);
    promise(is_same_as(log_prob.values(), of_one) && is_same_as(entropy.values(), entropies),
            "the budget changes the bits");
    check_against_logits(of_one);
    check_gradients(sums, entropies, options);
  }

 private:
  template <class Call>
  bool computes(Call const& call) {
    try {
      call();
      return true;
    } catch (std::invalid_argument const& error) {
      refusal_ = error.what();
      return false;
    }
  }

  static bool is_same_as(std::vector<T> const& a, std::vector<T> const& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) { return is_same(x, y); });
  }

  void check_against_logits(std::vector<T> const& log_prob) {
    std::vector<T> logits(rows_ * vocabulary_), of_logits(rows_);
    for (std::size_t i = 0; i < rows_; ++i) {
      auto const hidden = hidden_.row(i);
      for (std::size_t j = 0; j < vocabulary_; ++j) {
        auto const weight = weight_.row(j);
        T sum = 0;
        for (std::size_t k = 0; k < width_; ++k)
          sum += static_cast<T>(as_double(hidden[k])) * static_cast<T>(as_double(weight[k]));
        logits[i * vocabulary_ + j] = bias_.empty() ? sum : sum + bias_[j];
      }
    }
    prefopt::token_options options;
    options.transform = options_.transform;
    prefopt::token_logprobs(prefopt::row_major<T const>{logits.data(), rows_, vocabulary_}, labels_,
                            {of_logits, {}, {}, {}, {}}, options);
    // A compiler may contract the one product and not the other: within the roundings of logits up to 20 * 20 * 6.
    for (std::size_t i = 0; is_sound_ && i < rows_; ++i) {
      double const within =
          2600 * 16 * static_cast<double>(std::numeric_limits<T>::epsilon()) / options_.transform.temperature;
      promise(std::fabs(static_cast<double>(log_prob[i]) - static_cast<double>(of_logits[i])) <= within,
              "the head's log-prob is not that of its logits");
    }
  }

  void check_gradients(std::vector<double> const& sums, std::vector<T> const& entropies,
                       prefopt::linear_options const& options) {
    std::vector<T> d_log_prob(rows_), d_entropy(rows_), d_bias(bias_.empty() ? 0 : vocabulary_);
    for (T& d : d_log_prob) d = is_sound_ ? static_cast<T>(in_.uniform(-2, 2)) : in_.any<T>();
    for (T& d : d_entropy) d = static_cast<T>(in_.uniform(-1, 1));
    prefopt::token_logprob_slopes<T> slopes{sums, d_log_prob, {}, {}};
    if (in_.one_in(2)) {
      slopes.d_entropy = d_entropy;
      slopes.entropy = entropies;
    }
    auto const how = is_sound_ ? layout::upwards : layout::any;
    fuzzed_matrix<T> d_hidden{in_, rows_, width_, is_sound_ ? layout::apart : layout::any},
        d_weight{in_, vocabulary_, width_, how};
    d_hidden.fill([&] { return in_.finite(4); });
    d_weight.fill([&] { return in_.finite(4); });
    bool const is_computed = computes([&] {
      prefopt::linear_token_logprob_gradients(head_, labels_, slopes,
                                              {d_hidden.writable(), d_weight.writable(), d_bias}, product_, options);
    });
    promise(is_computed || !is_sound_, "linear_token_logprob_gradients refuses what it should take: ", refusal_);
    promise(hidden_.is_untouched() && weight_.is_untouched(), "linear_token_logprob_gradients writes to what it reads");
    if (is_computed) {
      promise(d_hidden.has_whole_gaps() && d_weight.has_whole_gaps(),
              "linear_token_logprob_gradients writes between rows");
      for (std::size_t i = 0; is_sound_ && i < rows_; ++i) {
        for (T const d : d_hidden.row(i)) promise(d == d, "NaN in the gradient by finite hidden states");
      }
    } else {
      promise(d_hidden.is_untouched() && d_weight.is_untouched(),
              "linear_token_logprob_gradients writes before it refuses");
    }
  }

  fuzz_input& in_;
  bool is_sound_;
  std::size_t rows_, width_, vocabulary_, least_ = 0;
  fuzzed_matrix<U> hidden_, weight_;
  std::vector<T> bias_;
  std::vector<std::int64_t> labels_;
  prefopt::linear_head<U> head_;
  prefopt::linear_options options_;
  plain_product<T> product_;
  std::string refusal_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz_input in{data, size};
  with_stored_type(in, [&]<class U>(std::type_identity<U>) { linear_target<U>{in}.run(); });
  return 0;
}
