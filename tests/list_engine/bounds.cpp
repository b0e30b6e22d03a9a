// Nothing is read or written outside the given memory: every column and output lies between two pages that must not be
// touched.
#include <guarded.hpp>
#include "groups.hpp"

using namespace prefopt;

TEMPLATE_TEST_CASE("nothing outside the given memory of groups is touched", "", float, double) {
  using T = TestType;
  using against = typename guarded<T>::against;
  constexpr std::size_t lanes = xsimd::batch<T>::size;
  std::vector<std::vector<std::size_t>> batches{{1}, {lanes - 1}, {64}, {65}, {257}, sizes_up_to(70)};
  for (std::size_t const size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{8}}) {
    for (std::size_t const count : {lanes - 1, lanes, lanes + 1, std::size_t{1025}}) {
      batches.emplace_back(count, size);
    }
  }
  for (auto const& loss : {made("plackett_luce"), made("pro"), made("adpo"), made("sami")}) {
    for (auto const& sizes : batches) {
      groups<T> const data{fitting(loss, sizes)};
      for (auto const side : {against::end, against::begin}) {
        guarded<T> const logp{data.logp, side}, ref_logp{data.ref_logp, side}, length{data.length, side},
            reward{data.reward, side}, weight{data.weight, side};
        guarded<std::int64_t> const offsets{data.offsets, side == against::end ? guarded<std::int64_t>::against::end
                                                                               : guarded<std::int64_t>::against::begin};
        guarded<T> const losses{std::vector<T>(data.count()), side}, d_logp{std::vector<T>(data.candidates()), side};
        auto const given_if = [](std::span<T> values, bool is_read) {
          return is_read ? column<T>{values} : column<T>{};
        };
        list_batch<T> const batch{.logp = logp.values(),
                                  .ref_logp = given_if(ref_logp.values(), loss.reads(columns::reference)),
                                  .length = given_if(length.values(), loss.reads(columns::length)),
                                  .reward = given_if(reward.values(), loss.reads(columns::reward)),
                                  .weight = weight.values(),
                                  .offsets = offsets.values()};
        list_results<T> expected{data};
        for (auto const how : {on_invalid::propagate, on_invalid::skip}) {
          auto const seen = evaluate(loss, data.weighted(loss), expected.outputs(), {.non_finite = how});
          CHECK(same_bits(
              evaluate(loss, batch, {.loss = losses.values(), .d_logp = d_logp.values()}, {.non_finite = how}), seen));
          CHECK(same_bits(losses.values().data(), expected.loss.data(), data.count()));
          CHECK(same_bits(d_logp.values().data(), expected.d_logp.data(), data.candidates()));
        }
        evaluate(loss, batch, {.d_logp = d_logp.values()}, {.gradient = gradient_write::accumulate});
      }
    }
  }
}
