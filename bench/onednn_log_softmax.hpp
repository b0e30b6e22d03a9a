#pragma once

#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>
#include <prefopt/simd/half.hpp>
#include <type_traits>
#include <unordered_map>
#include <vector>

/// oneDNN's log-softmax of rows of float or bfloat16. It writes the log-probs of all words, in the type of the logits,
/// where token_logprobs writes those of the labels: it does more than is needed, and a pass over as many bytes again.
template <class U>
class onednn_log_softmax {
 public:
  onednn_log_softmax(U* logits, std::size_t rows, std::size_t vocabulary)
      : vocabulary_{vocabulary}, log_probs_(rows * vocabulary), order_{cpu_}, step_{described(rows, vocabulary)} {
    auto const all = shape(rows, vocabulary);
    arguments_ = {{DNNL_ARG_SRC, {all, cpu_, logits}}, {DNNL_ARG_DST, {all, cpu_, log_probs_.data()}}};
  }

  void operator()() {
    step_.execute(order_, arguments_);
    order_.wait();
  }

  [[nodiscard]] float log_prob(std::size_t row, std::size_t word) const {
    return static_cast<float>(prefopt::detail::load_number(log_probs_.data() + row * vocabulary_ + word));
  }

 private:
  static dnnl::memory::desc shape(std::size_t rows, std::size_t vocabulary) {
    using dnnl::memory;
    constexpr auto type = std::is_same_v<U, float> ? memory::data_type::f32 : memory::data_type::bf16;
    return {{static_cast<memory::dim>(rows), static_cast<memory::dim>(vocabulary)}, type, memory::format_tag::ab};
  }

#if DNNL_VERSION_MAJOR >= 3
  using step = dnnl::softmax_forward;
  step described(std::size_t rows, std::size_t vocabulary) const {
    auto const all = shape(rows, vocabulary);
    return step{
        step::primitive_desc{cpu_, dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_log, all, all, 1}};
  }
#else
  using step = dnnl::softmax_v2_forward;
  step described(std::size_t rows, std::size_t vocabulary) const {
    auto const all = shape(rows, vocabulary);
    step::desc const wanted{dnnl::prop_kind::forward_inference, dnnl::algorithm::softmax_log, all, all, 1};
    return step{step::primitive_desc{wanted, cpu_}};
  }
#endif

  std::size_t vocabulary_;
  std::vector<U> log_probs_;
  dnnl::engine cpu_{dnnl::engine::kind::cpu, 0};
  dnnl::stream order_;
  step step_;
  std::unordered_map<int, dnnl::memory> arguments_;
};
