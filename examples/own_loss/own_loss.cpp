// A loss of one's own: the exponential loss of boosting on DPO's margin. Value and slope, and the engine does the rest:
// SIMD, gradients, weights, reductions, metrics, checks, and every modifier of the library.

#include <cstdio>
#include <prefopt/prefopt.hpp>
#include <tuple>
#include <vector>

/// L = e^(-beta h), for beta h >= 0; its tangent below 0, so that one bad pair does not rule the batch.
struct boosted {
  double beta = 0.1;

  using score = prefopt::anchored<prefopt::sum>;

  template <prefopt::lane V>
  auto operator()(V const& h) const noexcept -> prefopt::value_slope<V> {
    namespace math = prefopt::math;
    V const b = math::constant<V>(beta), z = b * h, one = math::constant<V>(1);
    auto const right = z >= math::constant<V>(0);
    V const e = math::exp(math::select(right, V(-z), math::constant<V>(0)));
    return {math::select(right, e, V(one - z)), math::select(right, V(-b * e), V(-b))};
  }

  static constexpr prefopt::loss_card card{"boosted", "e^(-beta h), linear below 0", "this example"};
  static constexpr auto parameters() noexcept {
    return std::tuple{prefopt::parameter{"beta", &boosted::beta, prefopt::range::positive()}};
  }
};
static_assert(prefopt::margin_loss<boosted>);

int main() {
  std::vector<float> const chosen{-42.5F, -31, -60.25F}, rejected{-55.25F, -30, -61};
  std::vector<float> const ref_chosen{-44, -31.5F, -59}, ref_rejected{-52, -31, -60};
  std::vector<float> d_chosen(3), d_rejected(3), posterior(3), const_reliability(3, 0.9F);

  prefopt::pair_batch<float> batch{
      .chosen = chosen, .rejected = rejected, .ref_chosen = ref_chosen, .ref_rejected = ref_rejected};
  auto const plain = prefopt::evaluate(boosted{.beta = 0.2}, batch, {.d_chosen = d_chosen, .d_rejected = d_rejected});
  std::printf("boosted            loss %.4f  accuracy %.3f  gradient %.4f %.4f %.4f\n", plain.loss, plain.accuracy,
              d_chosen[0], d_chosen[1], d_chosen[2]);

  batch.reliability = const_reliability;
  auto const robust = prefopt::evaluate(prefopt::lcpo<boosted>{.base = {.beta = 0.2}}, batch, {.posterior = posterior});
  std::printf("lcpo<boosted>      loss %.4f  posterior %.3f %.3f %.3f\n", robust.loss, posterior[0], posterior[1],
              posterior[2]);

  // And by name, next to the library's own.
  auto const named =
      prefopt::make_pair_loss<prefopt::loss_list<boosted, prefopt::dpo>>("unbiased", {{"beta", 0.2}}, "boosted");
  batch.reliability = {};
  std::printf("%s  loss %.4f\n", named.name().c_str(), prefopt::evaluate(named, batch).loss);
}
