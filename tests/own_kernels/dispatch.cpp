// Kernels of losses of one's own, picked at run time.
#include <catch.hpp>
#include <cstdlib>
#include <cstring>
#include <prefopt/kernels.hpp>
#include <string>
#include <vector>

#include "direct_calls.hpp"
#include "own_kernels/calls.hpp"
#include "refusal.hpp"

using namespace prefopt;

// DIRECT_CALLS(X): an X(isa) for each instruction set.
#define DECLARE_DIRECT(isa) std::vector<double> direct_##isa();
DIRECT_CALLS(DECLARE_DIRECT)

namespace {

std::vector<double> direct() {
#define CALL_DIRECT(isa) \
  if (kernels::instruction_set() == #isa) return direct_##isa();
  DIRECT_CALLS(CALL_DIRECT)
  return {};
}

bool same(std::vector<double> const& a, std::vector<double> const& b) {
  return !a.empty() && a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

struct namesake {
  double scale = 1, other = 2;
  using score = prefopt::sum;
  [[nodiscard]] constexpr logistic link() const noexcept { return {}; }
  [[nodiscard]] constexpr linear logit() const noexcept { return {.scale = scale}; }
  static constexpr loss_card card = my_loss::card;
};

struct list_namesake : my_list_loss {
  static constexpr loss_card card = my_loss::card;
};

pair_batch<float> one_pair() {
  static std::vector<float> const a{-1}, b{-2};
  return {.chosen = a, .rejected = b, .ref_chosen = b, .ref_rejected = b};
}

}  // namespace

TEST_CASE("own kernels: the instruction set is the one asked for, or the best that this CPU has") {
  char const* const forced = std::getenv("PREFOPT_ISA");
  CHECK(kernels::instruction_set() == (forced == nullptr ? kernels::instruction_sets().front() : forced));
}

TEST_CASE("own kernels give the bits of the same calls compiled for their instruction set") {
  auto const expected = direct();
  CHECK(same(call_everything([](auto const& loss, auto const& batch, auto const& outputs) {
               return evaluate<at_run_time>(loss, batch, outputs);
             }),
             expected));
  CHECK(same(call_everything([](auto const& loss, auto const& batch, auto const& outputs) {
               return kernels::evaluate(loss, batch, outputs);
             }),
             expected));
  CHECK(same(call_everything([](auto const& loss, auto const& batch, auto const& outputs) {
               if constexpr (requires { kernels::for_this_cpu(loss); }) {
                 return evaluate(kernels::for_this_cpu(loss), batch, outputs);
               } else {
                 return kernels::evaluate(loss, batch, outputs);
               }
             }),
             expected));
}

TEST_CASE("own kernels: losses by name") {
  using losses = loss_list<my_loss, dpo>;
  auto const named = kernels::make_pair_loss<losses>("my_loss", {{"margin", 3}});
  CHECK(evaluate(named, one_pair()).loss == 4);
  auto pair = one_pair();
  std::vector<float> const sure{1};
  pair.reliability = sure;
  auto const modified = kernels::make_pair_loss<losses>("lcpo", {}, "my_loss");
  CHECK(modified.name() == "lcpo<my_loss>");
  CHECK(evaluate(modified, pair).loss == kernels::evaluate(lcpo<my_loss>{}, pair).loss);
}

TEST_CASE("own kernels: another loss of the same name is refused") {
  CHECK(refusal([&] { kernels::evaluate(namesake{}, one_pair()); }) ==
        "prefopt::kernels: my_loss is the name of another loss that is compiled");
  std::vector<int> const offsets{0, 1};
  list_batch<float> const groups{.logp = one_pair().chosen, .reward = one_pair().chosen, .offsets = offsets};
  CHECK(refusal([&] { kernels::evaluate(list_namesake{}, groups); }) ==
        "prefopt::kernels: my_loss is the name of another loss that is compiled");
}

TEST_CASE("own kernels: a loss that is not compiled is refused") {
  auto const message = [](std::string const& name) {
    return "prefopt::kernels: " + name + " is not among the losses that are compiled for " +
           std::string{kernels::instruction_set()} + ": name its type under LOSSES in prefopt_add_kernels";
  };
  CHECK(refusal([&] { evaluate<at_run_time>(smoothed<my_loss>{}, one_pair()); }) == message("smoothed<my_loss>"));
  CHECK(refusal([&] { kernels::evaluate(ipo{}, one_pair()); }) == message("ipo"));
  CHECK(refusal([&] { kernels::for_this_cpu(lcpo<dpo>{}); }) == message("lcpo<dpo>"));
  CHECK(refusal([&] { kernels::make_pair_loss<loss_list<my_loss>>("unbiased", {}, "my_loss"); }) ==
        message("unbiased<my_loss>"));
  CHECK(refusal([&] { kernels::make_pair_loss("ipo"); }) == message("ipo"));
  CHECK(refusal([&] { kernels::evaluate(policy_gradient<surrogate::sapo>{}, token_batch<float>{}); }) ==
        message("sapo") + ", surrogate::sapo or a preset of it");
}
