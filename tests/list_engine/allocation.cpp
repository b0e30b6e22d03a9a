// Nothing is allocated for groups of up to 64 candidates, and once a call for larger ones: every allocation of this
// program is counted.
#include "counted_allocations.hpp"
#include "groups.hpp"

using namespace prefopt;

TEMPLATE_TEST_CASE("evaluate allocates nothing for groups of up to 64 candidates", "", float, double) {
  using T = TestType;
  auto const before_all = allocations;
  static_cast<void>(std::string(100, 'x'));
  CHECK(allocations > before_all);
  for (auto const& loss : every_list_loss()) {
    auto sizes = sizes_up_to(64);
    for (int i = 0; i < 3000; ++i) sizes.push_back(static_cast<std::size_t>(1 + i % 8));
    groups<T> const data{fitting(loss, sizes)};
    groups<T> larger{fitting(loss, {64, 81, 3, 400})};
    list_results<T> written{data}, of_larger{larger};
    for (auto const how : {on_invalid::propagate, on_invalid::skip, on_invalid::error}) {
      for (bool const strided : {false, true}) {
        CAPTURE(loss.name(), strided);
        auto batch = data.weighted(loss);
        auto outputs = written.outputs();
        std::vector<T> reversed(data.logp.rbegin(), data.logp.rend());
        if (strided) {
          batch.logp = {reversed.data() + reversed.size() - 1, reversed.size(), -1};
          outputs.d_logp = {written.d_logp.data() + written.d_logp.size() - 1, written.d_logp.size(), -1};
        }
        options const chosen{.gradient = gradient_write::accumulate, .non_finite = how, .empty = how};
        auto const before = allocations;
        evaluate(loss, batch, outputs, chosen);
        auto const after = allocations;
        CHECK(after - before == 0);
      }
      // Room for the values and the places of the largest, however many parts and groups.
      auto const batch = larger.weighted(loss);
      auto const before = allocations;
      evaluate(loss, batch, of_larger.outputs(), {.non_finite = how});
      auto const after = allocations;
      CHECK(after - before <= 2);
    }
  }
}

TEST_CASE("a list step allocates nothing once its buffers are as large as the batch") {
  struct still {
    void log_probs(int, list_log_probs<double> const& out) const { std::fill(out.logp.begin(), out.logp.end(), -1.0); }
    void backward(int, list_gradients<double> const&) {}
  } policy, reference;
  std::vector<int> const offsets{0, 4, 64, 70};
  list_step<double> step;
  auto const loss = made("plackett_luce");
  step(loss, policy, reference, 0, {.offsets = offsets});
  auto const before = allocations;
  step(loss, policy, reference, 0, {.offsets = offsets});
  auto const after = allocations;
  CHECK(after - before == 0);
}
