// Nothing is read or written outside the given memory: every column and output lies between two pages that must not be
// touched.
#include <guarded.hpp>
#include "pairs.hpp"

using namespace prefopt;

TEMPLATE_TEST_CASE("nothing outside the given memory is touched", "", float, double) {
  using T = TestType;
  using against = typename guarded<T>::against;
  std::size_t const lanes = xsimd::batch<T>::size;
  auto const loss = any_pair_loss{lcpo<labelled<ln_dpo>>{}};
  for (auto const side : {against::end, against::begin}) {
    for (std::size_t const n : {std::size_t{1}, lanes - 1, lanes, lanes + 1, std::size_t{255}, std::size_t{256},
                                std::size_t{257}, std::size_t{4096}, std::size_t{5000}}) {
      pairs<T> const data{n};
      guarded<T> const chosen{data.chosen, side}, rejected{data.rejected, side}, ref_chosen{data.ref_chosen, side},
          ref_rejected{data.ref_rejected, side}, chosen_length{data.chosen_length, side},
          rejected_length{data.rejected_length, side}, weight{data.weight, side}, label{data.label, side},
          reliability{data.reliability, side};
      std::vector<T> const nothing(n, results<T>::untouched);
      guarded<T> const value{nothing, side}, d_chosen{nothing, side}, d_rejected{nothing, side},
          chosen_reward{nothing, side}, rejected_reward{nothing, side}, posterior{nothing, side};
      for (auto const how : {on_invalid::propagate, on_invalid::skip}) {
        auto const seen = evaluate(loss,
                                   pair_batch<T>{.chosen = chosen.values(),
                                                 .rejected = rejected.values(),
                                                 .ref_chosen = ref_chosen.values(),
                                                 .ref_rejected = ref_rejected.values(),
                                                 .chosen_length = chosen_length.values(),
                                                 .rejected_length = rejected_length.values(),
                                                 .weight = weight.values(),
                                                 .label = label.values(),
                                                 .reliability = reliability.values()},
                                   {.loss = value.values(),
                                    .d_chosen = d_chosen.values(),
                                    .d_rejected = d_rejected.values(),
                                    .chosen_reward = chosen_reward.values(),
                                    .rejected_reward = rejected_reward.values(),
                                    .posterior = posterior.values()},
                                   {.gradient = gradient_write::accumulate, .non_finite = how});
        CHECK(seen.count == n);
        CHECK(value.values()[n - 1] != results<T>::untouched);
      }
      std::vector<T> sum(1);
      sequence_log_probs(
          dense_tokens<T>{.log_prob = {chosen.values().data(), 1, n}, .mask = {label.values().data(), 1, n}},
          {.log_prob = sum});
      token_gradients(dense_tokens<T>{.log_prob = {chosen.values().data(), 1, n}}, sum,
                      {d_chosen.values().data(), 1, n});
      CHECK(d_chosen.values()[n - 1] == sum[0]);
    }
  }
}
