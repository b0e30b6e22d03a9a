#include <dlib/dnn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <prefopt/adapter/dlib.hpp>
#include <prefopt/engine/any_loss.hpp>
#include <prefopt/prefopt.hpp>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

/// What a loss layer sees of a network: outputs that lie there already.
struct outputs_only {
  dlib::resizable_tensor input, output, gradient;
  unsigned expansion = 1;

  explicit outputs_only(std::vector<float> const& scores, long k = 1, long nr = 1, long nc = 1)
      : input{static_cast<long>(scores.size())},
        output{static_cast<long>(scores.size()), k, nr, nc},
        gradient{static_cast<long>(scores.size()), k, nr, nc} {
    std::fill_n(output.host(), output.size(), 0.0F);
    std::copy(scores.begin(), scores.end(), output.host());
    gradient = 0;
  }
  [[nodiscard]] dlib::tensor const& get_output() const { return output; }
  dlib::tensor& get_gradient_input() { return gradient; }
  [[nodiscard]] unsigned sample_expansion_factor() const { return expansion; }
};

using label_list = std::vector<prefopt::dlib_label>;

struct pairs {
  std::vector<float> chosen{-4.5F, -7.25F, -3, -9, -2.5F}, rejected{-6, -5.5F, -8, -9.5F, -2};
  std::vector<float> ref_chosen{-5, -7, -4, -9.25F, -3}, ref_rejected{-5.5F, -6, -7, -9, -2.5F};
  std::vector<float> chosen_length{3, 5, 2, 6, 1}, rejected_length{4, 4, 7, 6, 2};
  std::vector<float> weight{1, 0.5F, 2, 0, 1}, margin{0.5F, 0, 1, 0.25F, -1}, label{1, 0.75F, 0.5F, 1, 0.25F},
      reliability{0.9F, 0.6F, 1, 0.5F, 0.75F};

  template <class L>
  [[nodiscard]] prefopt::pair_batch<float> batch(L const& loss) const {
    prefopt::any_pair_loss const any{loss};
    prefopt::pair_batch<float> batch{.chosen = chosen, .rejected = rejected, .weight = weight};
    if (any.reads(prefopt::columns::reference)) batch.ref_chosen = ref_chosen, batch.ref_rejected = ref_rejected;
    if (any.reads(prefopt::columns::length)) {
      batch.chosen_length = chosen_length;
      batch.rejected_length = rejected_length;
    }
    if (any.reads(prefopt::columns::margin)) batch.margin = margin;
    if (any.reads(prefopt::columns::label)) batch.label = label;
    if (any.reads(prefopt::columns::reliability)) batch.reliability = reliability;
    for (std::size_t c = prefopt::pair_family::target; c < prefopt::pair_family::input_count; ++c) {
      auto const& row = prefopt::pair_family::inputs<float>[c];
      if (any.reads(row.kind)) batch.*row.values = c % 2 == 0 ? weight : reliability;
    }
    return batch;
  }
};

bool near(double a, double b) { return std::abs(a - b) < 1e-6; }

std::optional<float> at(prefopt::column<float> const& column, std::size_t i) {
  return column.empty() ? std::nullopt : std::optional{column[i]};
}

/// The same batch as labels and outputs in dlib's order, through the layer: the same bits as from `evaluate`.
template <class L>
void check_layer(L const& loss, prefopt::pair_batch<float> const& batch) {
  std::size_t const n = batch.chosen.size();
  std::vector<float> scores;
  label_list given;
  for (std::size_t i = 0; i < n; ++i) {
    scores.push_back(batch.chosen[i]);
    scores.push_back(batch.rejected[i]);
    given.push_back({.reference = at(batch.ref_chosen, i),
                     .length = at(batch.chosen_length, i),
                     .weight = at(batch.weight, i),
                     .margin = at(batch.margin, i),
                     .label = at(batch.label, i),
                     .reliability = at(batch.reliability, i),
                     .target = at(batch.target, i),
                     .scale = at(batch.scale, i),
                     .rationale = at(batch.rationale, i),
                     .gold = at(batch.gold, i),
                     .kl = at(batch.chosen_kl, i),
                     .deviation = at(batch.chosen_deviation, i),
                     .sign = at(batch.chosen_sign, i)});
    given.push_back({.reference = at(batch.ref_rejected, i),
                     .length = at(batch.rejected_length, i),
                     .kl = at(batch.rejected_kl, i),
                     .deviation = at(batch.rejected_deviation, i),
                     .sign = at(batch.rejected_sign, i)});
  }
  std::vector<float> d_chosen(n), d_rejected(n);
  auto const expected = prefopt::evaluate(loss, batch, {.d_chosen = d_chosen, .d_rejected = d_rejected});

  prefopt::dlib_pair_loss<L> const layer{loss};
  outputs_only network{scores};
  CHECK(layer.compute_loss_value_and_gradient(network.input, given.begin(), network) == expected.loss);
  CHECK(layer.report().accuracy == expected.accuracy);
  CHECK(layer.report().count == n);
  for (std::size_t i = 0; i < n; ++i) {
    CHECK(network.gradient.host()[2 * i] == d_chosen[i]);
    CHECK(network.gradient.host()[2 * i + 1] == d_rejected[i]);
  }
}

template <class L>
void check_loss(L const& loss) {
  pairs const data;
  auto const batch = data.batch(loss);
  check_layer(loss, batch);
  check_layer(prefopt::any_pair_loss{loss}, batch);
  auto without = batch;
  without.weight = {};
  if (!prefopt::any_pair_loss{loss}.needs(prefopt::columns::margin)) without.margin = {};
  check_layer(loss, without);
}

template <class L>
std::string refused_batch(L const& loss, outputs_only& network, label_list const& given) {
  prefopt::dlib_pair_loss<L> const layer{loss};
  network.gradient = 7;
  auto const message = refusal([&] { layer.compute_loss_value_and_gradient(network.input, given.begin(), network); });
  for (float const d : std::vector<float>(network.gradient.begin(), network.gradient.end())) CHECK(d == 7);
  return message;
}

template <class L>
std::string written(L const& loss) {
  std::ostringstream out;
  serialize(prefopt::dlib_pair_loss<L>{loss}, out);
  return out.str();
}

template <class L>
std::string refused_reading(L const& own, std::string const& text) {
  prefopt::dlib_pair_loss<L> layer{own};
  std::istringstream in{text};
  std::string message = "no error";
  try {
    deserialize(layer, in);
  } catch (dlib::serialization_error const& error) {
    message = error.what();
  }
  CHECK(written(layer.loss()) == written(own));
  return message;
}

}  // namespace

TEST_CASE("the layer gives evaluate's numbers in dlib's order") {
  check_loss(prefopt::bradley_terry{.temperature = 2, .center = 0.01});
  check_loss(prefopt::dpo{.beta = 0.5});
  check_loss(prefopt::simpo{.beta = 2, .gamma = 0.5});
  check_loss(prefopt::ipo_mean{});
  check_loss(prefopt::labelled<prefopt::dpo>{});
  check_loss(prefopt::lcpo<prefopt::simpo>{});
  check_loss(prefopt::rpo_sq{});
  check_loss(prefopt::mallows_dpo{});
  check_loss(prefopt::tdpo{});
  check_loss(prefopt::gaussian_bt{});
  check_loss(prefopt::cost_model{});
  check_loss(prefopt::rationale_dpo{});
  check_loss(prefopt::tpo{});
}

TEST_CASE("the layer of an unpaired loss gives evaluate's numbers") {
  std::vector<float> const logp{-4.5F, -7.25F, -3, -9, -2.5F}, ref_logp{-5, -7, -4, -9.25F, -3}, label{1, 0, 1, 0, 1},
      target{0.5F, 0.25F, 1, 0.75F, 0.125F}, weight{1, 0.5F, 2, 0, 1}, kl_logp{-6, -5.5F, -8, -9.5F, -2},
      ref_kl_logp{-6.5F, -6, -8, -9, -3};
  std::vector<float> d_logp(5);
  auto const check = [&](auto const& loss, prefopt::unpaired_batch<float> const& batch) {
    label_list given;
    for (std::size_t i = 0; i < logp.size(); ++i) {
      given.push_back({.reference = at(batch.ref_logp, i),
                       .weight = at(batch.weight, i),
                       .label = at(batch.label, i),
                       .target = at(batch.target, i),
                       .kl_logp = at(batch.kl_logp, i),
                       .ref_kl_logp = at(batch.ref_kl_logp, i)});
    }
    auto const expected = prefopt::evaluate(loss, batch, {.d_logp = d_logp});
    prefopt::dlib_unpaired_loss<std::remove_cvref_t<decltype(loss)>> const layer{loss};
    outputs_only network{logp};
    CHECK(layer.compute_loss_value_and_gradient(network.input, given.begin(), network) == expected.loss);
    CHECK(layer.report().count == logp.size());
    for (std::size_t i = 0; i < logp.size(); ++i) CHECK(network.gradient.host()[i] == d_logp[i]);
  };
  prefopt::unpaired_batch<float> const judged{.logp = logp, .ref_logp = ref_logp, .label = label, .weight = weight};
  check(prefopt::bco{}, judged);
  check(prefopt::any_unpaired_loss{prefopt::bco{}}, judged);
  auto with_others = judged;
  with_others.kl_logp = kl_logp;
  with_others.ref_kl_logp = ref_kl_logp;
  check(prefopt::kto{}, with_others);
  check(prefopt::score_regression{}, {.logp = logp, .ref_logp = ref_logp, .target = target});

  prefopt::dlib_unpaired_loss<prefopt::bco> const layer;
  outputs_only network{{-1, -2, -3}};
  auto const refused = [&](label_list const& given) {
    network.gradient = 7;
    auto const message = refusal([&] { layer.compute_loss_value_and_gradient(network.input, given.begin(), network); });
    for (float const d : std::vector<float>(network.gradient.begin(), network.gradient.end())) CHECK(d == 7);
    return message;
  };
  CHECK(refused(label_list(3)) == "prefopt::evaluate: bco needs the column ref_logp, which is not given");
  CHECK(refused({{}, {.margin = 1.0F}, {}}) ==
        "prefopt::dlib_unpaired_loss: the label of sample 1 has a value for margin, which single completions do not "
        "have");
  CHECK(refused_batch(prefopt::bradley_terry{}, network, {{.kl_logp = -1.0F}, {}, {}}) ==
        "prefopt::dlib_pair_loss: the mini-batch has 3 samples, expected an even number: chosen and rejected in turn");
  outputs_only two{{-1, -2}};
  CHECK(refused_batch(prefopt::bradley_terry{}, two, {{.kl_logp = -1.0F}, {}}) ==
        "prefopt::dlib_pair_loss: the label of sample 0 has a value for kl_logp, which pairs do not have");

  std::stringstream file;
  serialize(prefopt::dlib_unpaired_loss<prefopt::bco>{{.beta = 0.25}}, file);
  prefopt::dlib_unpaired_loss<prefopt::bco> read;
  deserialize(read, file);
  CHECK(read.loss().beta == 0.25);
}

TEST_CASE("the layer follows its options") {
  prefopt::dlib_pair_loss<prefopt::bradley_terry> const layer{{}, {.reduction = prefopt::reduction::sum}};
  outputs_only network{{1, 0, 2, 0}};
  label_list const given(4);
  double const loss = layer.compute_loss_value_and_gradient(network.input, given.begin(), network);
  CHECK(near(loss, std::log1p(std::exp(-1.0)) + std::log1p(std::exp(-2.0))));
  CHECK(near(network.gradient.host()[0], -1 / (1 + std::exp(1.0))));
  CHECK(near(network.gradient.host()[3], 1 / (1 + std::exp(2.0))));
}

TEST_CASE("outputs become labels") {
  prefopt::dlib_pair_loss<prefopt::bradley_terry> const layer;
  outputs_only const network{{1, -2, 3}};
  std::array<float, 3> scores{};
  layer.to_label(network.input, network, scores.begin());
  CHECK(scores == std::array<float, 3>{1, -2, 3});
  outputs_only const wide{{1, 2}, 2};
  CHECK(refusal([&] { layer.to_label(wide.input, wide, scores.begin()); }) ==
        "prefopt::dlib_pair_loss: the network's output is 2 x 1 x 1 a sample, expected 1 x 1 x 1");
}

TEST_CASE("what the layer refuses, before it writes") {
  prefopt::bradley_terry const loss;
  outputs_only odd{{1, 2, 3}}, one{{1}}, wide{{1, 2}, 1, 2, 3}, two{{1, 2}}, four{{1, 2, 3, 4}};
  CHECK(refused_batch(loss, odd, label_list(3)) ==
        "prefopt::dlib_pair_loss: the mini-batch has 3 samples, expected an even number: chosen and rejected in turn");
  CHECK(refused_batch(loss, one, label_list(1)) ==
        "prefopt::dlib_pair_loss: the mini-batch has 1 sample, expected an even number: chosen and rejected in turn");
  CHECK(refused_batch(loss, wide, label_list(2)) ==
        "prefopt::dlib_pair_loss: the network's output is 1 x 2 x 3 a sample, expected 1 x 1 x 1");
  CHECK(refused_batch(loss, four, {{.margin = 1.0F}, {}, {}, {}}) ==
        "prefopt::dlib_pair_loss: the label of sample 2 has no value for margin, those before have one");
  CHECK(refused_batch(loss, four, {{}, {}, {.weight = 1.0F}, {}}) ==
        "prefopt::dlib_pair_loss: the label of sample 2 has a value for weight, those before have none");
  CHECK(refused_batch(prefopt::dpo{}, four, {{.reference = -1.0F}, {}, {.reference = -1.0F}, {}}) ==
        "prefopt::dlib_pair_loss: the label of sample 1 has no value for reference, those before have one");
  CHECK(refused_batch(loss, two, {{}, {.margin = 1.0F}}) ==
        "prefopt::dlib_pair_loss: the label of sample 1, a rejected one, has a value for margin, which is the pair's "
        "and expected with the chosen one");
  CHECK(refused_batch(prefopt::dpo{}, two, label_list(2)) ==
        "prefopt::evaluate: dpo needs the column ref_chosen, which is not given");
  CHECK(refused_batch(loss, two, {{.reference = -1.0F}, {.reference = -2.0F}}) ==
        "prefopt::evaluate: bradley_terry does not read the column ref_chosen, which is given");
  CHECK(refused_batch(loss, two, {{.weight = -1.0F}, {}}) ==
        "prefopt::evaluate: weight[0] is -1, expected a finite number >= 0");
  CHECK(refused_batch(prefopt::bradley_terry{.temperature = 0}, two, label_list(2)) ==
        "prefopt::bradley_terry: temperature is 0, expected a finite number > 0");
  prefopt::dlib_pair_loss<prefopt::bradley_terry> const adding{loss, {.gradient = prefopt::gradient_write::accumulate}};
  CHECK(
      refusal([&] { adding.compute_loss_value_and_gradient(two.input, label_list(2).begin(), two); }) ==
      "prefopt::dlib_pair_loss: options.gradient is accumulate, expected assign: the gradients of a mini-batch are its "
      "own");
  two.expansion = 2;
  CHECK(refused_batch(loss, two, label_list(2)) ==
        "prefopt::dlib_pair_loss: the network makes 2 outputs of 2 inputs, expected one of each");
}

TEST_CASE("of an error the other ranks are told, once") {
  std::vector<double> told;
  auto const other_ranks = [&](std::span<double> values) { told.push_back(values[0]); };
  prefopt::dlib_pair_loss<prefopt::bradley_terry> const layer{{}, {.all_reduce = other_ranks}};
  outputs_only odd{{1, 2, 3}}, wide{{1, 2}, 1, 2, 3}, four{{1, 2, 3, 4}};
  layer.compute_loss_value_and_gradient(four.input, label_list(4).begin(), four);
  CHECK(told == std::vector<double>{0});
  told.clear();
  CHECK_THROWS(layer.compute_loss_value_and_gradient(odd.input, label_list(3).begin(), odd));
  CHECK_THROWS(layer.compute_loss_value_and_gradient(wide.input, label_list(2).begin(), wide));
  label_list const mixed{{.margin = 1.0F}, {}, {}, {}}, negative{{.weight = -1.0F}, {}, {.weight = 1.0F}, {}};
  CHECK_THROWS(layer.compute_loss_value_and_gradient(four.input, mixed.begin(), four));
  CHECK_THROWS(layer.compute_loss_value_and_gradient(four.input, negative.begin(), four));
  CHECK(told == std::vector<double>(4, 1.0));
}

TEST_CASE("a layer's loss is written and read with its parameters") {
  using loss = prefopt::smoothed<prefopt::cdpo>;
  std::istringstream in{written(loss{.base = {.beta = 0.3, .epsilon = 0.05}, .epsilon = 0.25})};
  prefopt::dlib_pair_loss<loss> layer;
  deserialize(layer, in);
  CHECK(layer.loss().epsilon == 0.25);
  CHECK(layer.loss().base.epsilon == 0.05);
  CHECK(layer.loss().base.beta == 0.3);

  std::ostringstream text, xml;
  text << layer;
  to_xml(layer, xml);
  CHECK(text.str() == "prefopt\t (smoothed<cdpo>, epsilon=0.25, beta=0.3, epsilon=0.05)");
  CHECK(xml.str() ==
        "<prefopt_pair_loss name='smoothed&lt;cdpo&gt;'>\n<parameter name='epsilon' value='0.25'/>\n"
        "<parameter name='beta' value='0.3'/>\n<parameter name='epsilon' value='0.05'/>\n</prefopt_pair_loss>\n");
}

TEST_CASE("what a layer refuses to read") {
  CHECK(refused_reading(prefopt::ipo{}, written(prefopt::dpo{})) ==
        "prefopt::dlib_pair_loss: the file holds the loss dpo, expected ipo");
  CHECK(refused_reading(prefopt::dpo{.beta = 0.5}, written(prefopt::dpo{.beta = -1})) ==
        "prefopt::dlib_pair_loss: the file holds beta=-1, expected a number > 0");
  CHECK(refused_reading(prefopt::dpo{.beta = 0.5},
                        written(prefopt::dpo{.beta = std::numeric_limits<double>::quiet_NaN()})) ==
        "prefopt::dlib_pair_loss: the file holds beta=nan, expected a number > 0");
  std::ostringstream other;
  dlib::serialize(std::string{"loss_mean_squared_"}, other);
  CHECK(refused_reading(prefopt::dpo{}, other.str()) ==
        "prefopt::dlib_pair_loss: the file holds the layer \"loss_mean_squared_\", expected \"prefopt_pair_loss_1\"");
  auto const whole = written(prefopt::dpo{.beta = 0.2});
  CHECK(refused_reading(prefopt::dpo{}, whole.substr(0, whole.size() - 3)) != "no error");
  prefopt::any_pair_loss const any{prefopt::dpo{}};
  CHECK(refused_reading(any, written(any)) == "no error");
  CHECK(refused_reading(any, written(prefopt::any_pair_loss{prefopt::ipo{}})) ==
        "prefopt::dlib_pair_loss: the file holds the loss ipo, expected dpo");
  CHECK(refused_reading(any, written(prefopt::any_pair_loss{prefopt::dpo{.beta = 0.5}})) ==
        "prefopt::dlib_pair_loss: the file holds beta=0.5, the layer's loss has 0.1");
}
