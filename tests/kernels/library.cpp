// A shared library with kernels of its own. Without optimization, what it has of the standard library is compiled in.
#include <algorithm>
#include <prefopt/kernels.hpp>
#include <string>
#include <vector>

void const* LIBRARY_NAME(std::string& said);

void const* LIBRARY_NAME(std::string& said) {
  std::vector<float> const chosen{-1, -2, -3}, rejected{-2, -2, -2};
  std::vector<float> d_chosen(3), margins;
  auto const loss = prefopt::kernels::make_pair_loss("cpo", {{"beta", 0.5}});
  auto const seen = prefopt::kernels::evaluate(loss, prefopt::pair_batch<float>{.chosen = chosen, .rejected = rejected},
                                               {.d_chosen = d_chosen});
  // The same functions of the standard library as the kernels': vectors of the same types, sorts.
  auto values = loss.parameters();
  values.emplace_back("loss", seen.loss);
  for (std::size_t i = 0; i < 3; ++i) margins.push_back(chosen[i] - rejected[i]);
  std::sort(margins.begin(), margins.end());
  for (auto const& [name, value] : values) said += name + "=" + std::to_string(value) + " ";
  said += std::to_string(margins.front()) + " " + std::string{prefopt::kernels::instruction_set()} + "\n";
  return &prefopt::detail::kernels_in_use();
}
