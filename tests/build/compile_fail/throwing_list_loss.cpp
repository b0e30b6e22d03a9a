// A list loss must promise not to throw: kernels are noexcept.
#include <prefopt/evaluate.hpp>
#include <prefopt/score/sum.hpp>
#include <vector>

#if defined(MISTAKE)
#define PROMISE
#else
#define PROMISE noexcept
#endif

struct own_loss {
  using score = prefopt::sum;
  template <class Group>
  auto operator()(Group const& group) const PROMISE->typename Group::lane_type {
    using V = typename Group::lane_type;
    group.for_each([](auto const& c) { c.set_gradient(prefopt::math::constant<V>(1)); });
    return group.sum([](auto const& c) { return c.score(); });
  }
};

void use(std::vector<float> const& logp, std::vector<int> const& offsets) {
  prefopt::evaluate(own_loss{}, prefopt::list_batch<float>{.logp = logp, .offsets = offsets});
}
