// An average is written through parameters(): into copies it would be lost.
#include <prefopt/train/moving_reference.hpp>
#include <span>
#include <vector>

struct model {
  std::vector<float> weights, bias;

#if defined(MISTAKE)
  std::vector<std::vector<float>> parameters() const { return {weights, bias}; }
#else
  std::vector<std::span<float>> parameters() { return {weights, bias}; }
  std::vector<std::span<float const>> parameters() const { return {weights, bias}; }
#endif
};

void use(model const& policy) {
  prefopt::moving_reference reference{policy, prefopt::follow_average{}};
  reference.update(policy);
}
