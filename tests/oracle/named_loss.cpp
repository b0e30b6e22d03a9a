#include "oracle/named_loss.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <prefopt/prefopt.hpp>
#include <stdexcept>

namespace oracle {
namespace {

/// What no name can make, and is tested as a type: two parameters of one name.
std::pair<std::string_view, std::string_view> const made_as_types[]{{"smoothed", "cdpo"}, {"smoothed", "rdpo"},
                                                                    {"smoothed", "tpo"},  {"unbiased", "cdpo"},
                                                                    {"unbiased", "rdpo"}, {"unbiased", "tpo"}};

template <class Card>
std::vector<parameter_limits> limits_on(Card const& card) {
  std::vector<parameter_limits> limits;
  for (auto const& p : card.parameters) {
    limits.push_back({std::string{p.name}, p.standard, p.valid.low, p.valid.high, p.valid.low_is_in, p.valid.high_is_in,
                      p.valid.is_whole});
  }
  return limits;
}

std::map<std::string, std::vector<parameter_limits>, std::less<>> all_limits() {
  std::map<std::string, std::vector<parameter_limits>, std::less<>> all;
  for (auto const& card : prefopt::pair_loss_cards()) all.emplace(card.card.name, limits_on(card));
  for (auto const& card : prefopt::list_loss_cards()) all.emplace(card.card.name, limits_on(card));
  return all;
}

/// What the types of the list say of a loss, or of a modifier over it, by its full name.
struct type_facts {
  bool sorts_batch, goes_apart;
};

template <class L>
type_facts facts_of_type() {
  return {prefopt::detail::sorts_batch<prefopt::detail::resolved<L>>, prefopt::detail::goes_apart<L>()};
}

std::map<std::string, type_facts, std::less<>> all_type_facts() {
  std::map<std::string, type_facts, std::less<>> all;
  prefopt::pair_losses::for_each([&]<class L> {
    all.emplace(prefopt::detail::name_of<L>(), facts_of_type<L>());
    prefopt::modifiers_of<L>::type::for_each(
        [&]<class M> { all.emplace(prefopt::detail::name_of<M>(), facts_of_type<M>()); });
  });
  return all;
}

type_facts const& facts_of_type(named_loss const& loss) {
  static auto const all = all_type_facts();
  return all.at(full_name_of(loss));
}

bool is_infinite(parameter_limits const& p) { return p.high == std::numeric_limits<double>::max(); }

bool is_unbounded(parameter_limits const& p) { return p.low == std::numeric_limits<double>::lowest(); }

/// An end of a finite range, as a rule a number between; one of the numbers of a choice.
double random_in(parameter_limits const& p, random_numbers& random) {
  if (p.is_whole) return p.low + static_cast<double>(random.bits() % static_cast<std::uint64_t>(p.high - p.low + 1));
  double const low = p.low_is_in ? p.low : p.low + 0.1 * (p.high - p.low),
               high = p.high_is_in ? p.high : p.low + 0.9 * (p.high - p.low);
  return random.chance(0.2) ? low : random.chance(0.2) ? high : random.uniform(low, high);
}

void set_random_parameters(named_loss& loss, random_numbers& random) {
  loss.given.clear();
  for (parameter_limits const& p : parameters_of(loss.name)) {
    double value = !is_infinite(p)                      ? random_in(p, random)
                   : p.low_is_in && random.chance(0.25) ? (is_unbounded(p) ? 0 : p.low)
                                                        : random.spread(0.03, 8);
    if (is_unbounded(p) && random.chance(0.5)) value = -value;
    loss.given.emplace_back(p.name, value);
  }
  // Rates that are possible together.
  if (loss.name == "noise_mixture") loss.given[1].second *= 1 - loss.given[0].second;
  for (named_loss& base : loss.over) set_random_parameters(base, random);
}

/// Random numbers, and of the yes-or-no parameters what the bits of `choices` say.
void set_list_parameters(named_loss& loss, std::size_t choices, random_numbers& random) {
  for (parameter_limits const& p : parameters_of(loss.name)) {
    double value = 0;
    if (p.is_whole && p.high == 1) {
      value = (choices & 1) != 0 ? 1 : 0;
      choices >>= 1;
    } else if (p.is_whole) {
      double const counts[] = {0, 1, 2, 3, 6, 50, 1e6};
      value = counts[random.bits() % std::size(counts)];
    } else if (!is_infinite(p)) {
      value = random_in(p, random);
    } else {
      value = p.low_is_in && random.chance(0.25) ? p.low : random.spread(0.05, 8);
    }
    loss.given.emplace_back(p.name, value);
  }
}

}  // namespace

std::vector<parameter_limits> const& parameters_of(std::string_view name) {
  static auto const all = all_limits();
  auto const found = all.find(name);
  if (found == all.end()) throw std::out_of_range{"no card of a loss named " + std::string{name}};
  return found->second;
}

double value_of(named_loss const& loss, std::string_view parameter) {
  for (auto const& [name, value] : loss.given) {
    if (name == parameter) return value;
  }
  for (parameter_limits const& p : parameters_of(loss.name)) {
    if (p.name == parameter) return p.standard;
  }
  throw std::out_of_range{loss.name + " has no parameter " + std::string{parameter}};
}

std::vector<std::pair<std::string, double>> all_values_of(named_loss const& loss) {
  std::vector<std::pair<std::string, double>> values;
  for (parameter_limits const& p : parameters_of(loss.name)) values.emplace_back(p.name, value_of(loss, p.name));
  for (named_loss const& base : loss.over) {
    for (auto& value : all_values_of(base)) values.push_back(std::move(value));
  }
  return values;
}

std::string full_name_of(named_loss const& loss) {
  return loss.over.empty() ? loss.name : loss.name + '<' + full_name_of(loss.over[0]) + '>';
}

std::string describe(named_loss const& loss) {
  std::string text = loss.name + "{";
  for (parameter_limits const& p : parameters_of(loss.name)) {
    text += p.name + "=" + std::to_string(value_of(loss, p.name)) + " ";
  }
  for (named_loss const& base : loss.over) text += describe(base);
  return text + "}";
}

std::vector<std::string> const& pair_losses() {
  static std::vector<std::string> const names = [] {
    std::vector<std::string> all;
    for (auto const& card : prefopt::pair_loss_cards()) {
      if (!card.is_modifier) all.emplace_back(card.card.name);
    }
    return all;
  }();
  return names;
}

std::vector<std::string> const& list_losses() {
  static std::vector<std::string> const names = [] {
    std::vector<std::string> all;
    for (auto const& card : prefopt::list_loss_cards()) all.emplace_back(card.card.name);
    return all;
  }();
  return names;
}

bool needs_a_type(std::string_view modifier, std::string_view base) {
  return std::find(std::begin(made_as_types), std::end(made_as_types), std::pair{modifier, base}) !=
         std::end(made_as_types);
}

std::vector<named_loss> modifications_of(named_loss const& base) {
  std::vector<named_loss> all;
  for (auto const& card : prefopt::pair_loss_cards()) {
    if (goes_over(card.card.name, base.name)) all.push_back(modified(std::string{card.card.name}, base));
  }
  return all;
}

std::vector<named_loss> every_pair_loss() {
  std::vector<named_loss> all;
  for (std::string const& name : pair_losses()) {
    all.push_back({name});
    for (named_loss const& over : modifications_of({name})) all.push_back(over);
  }
  return all;
}

bool goes_over(std::string_view modifier, std::string_view base) {
  if (needs_a_type(modifier, base)) return true;
  for (auto const& card : prefopt::pair_loss_cards()) {
    if (card.card.name == modifier) return std::find(card.bases.begin(), card.bases.end(), base) != card.bases.end();
  }
  return false;
}

bool sorts_batch(named_loss const& loss) { return facts_of_type(loss).sorts_batch; }
bool goes_apart(named_loss const& loss) { return facts_of_type(loss).goes_apart; }

std::vector<named_loss> variants_of(named_loss const& loss, std::size_t count, random_numbers& random) {
  std::vector<named_loss> variants{loss};
  while (variants.size() <= count) set_random_parameters(variants.emplace_back(loss), random);
  return variants;
}

std::vector<named_loss> list_variants_of(std::string const& name, std::size_t count, random_numbers& random) {
  std::vector<named_loss> variants{{name}};
  while (variants.size() <= count)
    set_list_parameters(variants.emplace_back(named_loss{name}), variants.size(), random);
  return variants;
}

}  // namespace oracle
