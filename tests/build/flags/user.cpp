// A user's file, for his own flags: pairs, groups and logits.
#include <prefopt/prefopt.hpp>
#if defined(PREFOPT_AT_RUN_TIME)
#include <prefopt/kernels.hpp>
#endif
#include <vector>

double loss_of_pairs(std::vector<float> const& a, std::vector<float> const& b, std::vector<float>& d_chosen) {
  return prefopt::evaluate(prefopt::cpo{}, prefopt::pair_batch<float>{.chosen = a, .rejected = b},
                           {.d_chosen = d_chosen})
      .loss;
}

double loss_of_groups(std::vector<float> const& logp, std::vector<float> const& reward,
                      std::vector<int> const& offsets) {
  return prefopt::evaluate(prefopt::plackett_luce{},
                           prefopt::list_batch<float>{.logp = logp, .reward = reward, .offsets = offsets})
      .loss;
}

double loss_of_logits(std::vector<prefopt::bfloat16> const& logits, std::vector<int> const& labels) {
  return prefopt::evaluate(
             prefopt::cpo{},
             prefopt::logit_policy<prefopt::bfloat16>{
                 .logits = {logits.data(), labels.size(), logits.size() / labels.size()},
                 .tokens = {.labels = {labels.data(), labels.size()}, .tokens_per_sequence = labels.size() / 2}},
             {})
      .loss;
}

/// A product of matrices of one's own.
struct own_product {
  template <class A, class B, class C>
  void operator()(A const& a, B const& b, C const& c, bool adds) const {
    for (std::size_t i = 0; i < c.rows(); ++i) {
      for (std::size_t j = 0; j < c.columns(); ++j) {
        float sum = adds ? c[i][j] : 0;
        for (std::size_t k = 0; k < a.columns(); ++k)
          sum += static_cast<float>(at(a, i, k)) * static_cast<float>(at(b, k, j));
        c[i][j] = sum;
      }
    }
  }

 private:
  template <class Factor>
  static auto at(Factor const& factor, std::size_t row, std::size_t column) {
    return factor.transposed ? factor.stored[column][row] : factor.stored[row][column];
  }
};

void through_head(prefopt::linear_head<float> const& head, std::vector<int> const& labels, std::vector<float>& log_prob,
                  std::vector<double>& log_sum_exp, std::vector<float> const& d, prefopt::row_major<float> d_hidden) {
#if defined(PREFOPT_AT_RUN_TIME)
  namespace front = prefopt::kernels;
#else
  namespace front = prefopt;
#endif
  front::linear_token_logprobs(head, labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp}, own_product{});
  front::linear_token_logprob_gradients(head, labels, {.log_sum_exp = log_sum_exp, .d_log_prob = d},
                                        {.hidden = d_hidden}, own_product{});
}
