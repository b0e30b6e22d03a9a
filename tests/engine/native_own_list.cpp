// A list of one's own for losses by name.
#include "pairs.hpp"

using namespace prefopt;

namespace {

template <class T, class L>
bool by_name_is_by_type(any_pair_loss const& made, L const& loss) {
  constexpr std::size_t n = 259;
  static pairs<T> const data{n};
  results<T> by_name{n, made}, by_type{n, made};
  auto const named = evaluate(made, data.batch(made), by_name.outputs());
  auto const typed = evaluate(loss, data.batch(made), by_type.outputs());
  return same_bits(named, typed) && by_name.same_bits(by_type);
}

/// A user's loss with a card and a parameter: it can go into a list.
struct cubed {
  double scale = 1;

  using score = prefopt::sum;
  template <lane V>
  value_slope<V> operator()(V const& u) const noexcept {
    V const x = math::constant<V>(scale) * u;
    return {V(-x * x * x), V(math::constant<V>(-3 * scale) * x * x)};
  }
  static constexpr loss_card card{"cubed", "-(scale u)^3", "a test"};
  static constexpr auto parameters() noexcept {
    return std::tuple{parameter{"scale", &cubed::scale, range{.low = -1, .high = 1}}};
  }
};

}  // namespace

TEST_CASE("a list of one's own makes one's own losses and nothing else") {
  using own = loss_list<cubed, dpo>;
  CHECK(by_name_is_by_type<double>(make_pair_loss<own>("cubed", {{"scale", 0.5}}), cubed{.scale = 0.5}));
  CHECK(by_name_is_by_type<double>(make_pair_loss<own>("lcpo", {{"scale", 0.001}}, "cubed"),
                                   lcpo<cubed>{.base = {.scale = 0.001}}));
  CHECK(by_name_is_by_type<double>(make_pair_loss<own>("smoothed", {{"scale", 0.5}}, "cubed"),
                                   smoothed<cubed>{.base = {.scale = 0.5}}));
  CHECK(by_name_is_by_type<float>(make_pair_loss<own>("dpo"), dpo{}));
  CHECK(refusal([] {
          static_cast<void>(make_pair_loss<own>("simpo"));
        }).starts_with("prefopt::make_pair_loss: there is no loss \"simpo\", known are cubed, dpo, "));
  CHECK(refusal([] {
          static_cast<void>(make_pair_loss<own>("cubed", {{"scale", 2}}));
        }) == "prefopt::cubed: scale is 2, expected a finite number in [-1, 1]");
  CHECK(refusal([] { static_cast<void>(make_pair_loss<own>("smoothed", {}, "ipo")); }) ==
        "prefopt::make_pair_loss: smoothed does not go over \"ipo\", it goes over cubed, dpo");
  auto const& cards = pair_loss_cards<own>();
  CHECK(cards[0].card.name == "cubed");
  CHECK(cards[0].parameters[0].standard == 1);
}
