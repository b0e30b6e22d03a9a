// evaluate allocates nothing: every allocation of this program is counted.
#include "counted_allocations.hpp"
#include "pairs.hpp"

using namespace prefopt;

TEMPLATE_TEST_CASE("evaluate allocates nothing", "", float, double) {
  using T = TestType;
  constexpr std::size_t n = 9000;
  pairs<T> const data{n};
  auto const before_all = allocations;
  static_cast<void>(std::string(100, 'x'));
  CHECK(allocations > before_all);

  for (auto const& loss : every_independent_loss()) {
    results<T> written{n, loss};
    auto const batch = data.batch(loss);
    auto const outputs = written.outputs();
    for (auto const how : {on_invalid::propagate, on_invalid::skip, on_invalid::error}) {
      auto const before = allocations;
      evaluate(loss, batch, outputs, {.gradient = gradient_write::accumulate, .non_finite = how});
      auto const after = allocations;
      CHECK(after - before == 0);
    }
  }
  auto const batch = data.batch(dpo{});
  results<T> written{n, false};
  auto const outputs = written.outputs();
  auto const before = allocations;
  evaluate(dpo{}, batch, outputs);
  auto const after = allocations;
  CHECK(after - before == 0);
}
