#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oracle/bits.hpp"

// Losses by name, as a program names them. The library's types depend on the instruction set that a file is compiled
// for; nothing here does, so that one library of oracles serves all test programs.

namespace oracle {

/// A loss, the parameters that are not at their standard, and for a modifier the one loss that it goes over.
struct named_loss {
  std::string name;
  std::vector<std::pair<std::string, double>> given{};
  std::vector<named_loss> over{};
};

inline named_loss modified(std::string name, named_loss base, std::vector<std::pair<std::string, double>> given = {}) {
  return {std::move(name), std::move(given), {std::move(base)}};
}

/// A parameter as the library's card of the loss has it.
struct parameter_limits {
  std::string name;
  double standard, low, high;
  bool low_is_in, high_is_in, is_whole;
};

/// A loss's or a modifier's own parameters, in the card's order; not the base's.
std::vector<parameter_limits> const& parameters_of(std::string_view name);

/// The loss's own parameter: as given, or the standard one.
double value_of(named_loss const& loss, std::string_view parameter);

/// Every parameter, its own and then the base's, in order: as the library gives them.
std::vector<std::pair<std::string, double>> all_values_of(named_loss const& loss);

/// "smoothed<dpo>", as the library writes it.
std::string full_name_of(named_loss const& loss);

/// The same with every parameter.
std::string describe(named_loss const& loss);

/// The names in the library's lists, in their order.
std::vector<std::string> const& pair_losses();
std::vector<std::string> const& list_losses();

/// Whether the two have a parameter of one name: the library cannot make that by name, only as a type.
bool needs_a_type(std::string_view modifier, std::string_view base);

/// Every modifier that goes over the pair loss, in the list's order; and every pair loss, each followed by those.
std::vector<named_loss> modifications_of(named_loss const& base);
std::vector<named_loss> every_pair_loss();
bool goes_over(std::string_view modifier, std::string_view base);

/// Whether the loss, or what it goes over, sorts the batch: what it gives a pair is not of that pair alone.
bool sorts_batch(named_loss const& loss);
/// Whether it is a modifier that is run over numbers of its base: one path for all of them, see modified_apart.hpp.
bool goes_apart(named_loss const& loss);

/// The loss with its standard parameters, and with `count` random ones, the ends of finite ranges among them.
std::vector<named_loss> variants_of(named_loss const& loss, std::size_t count, random_numbers& random);

/// The list loss with its standard parameters, and with `count` random sets, every combination of yes and no among
/// four.
std::vector<named_loss> list_variants_of(std::string const& name, std::size_t count, random_numbers& random);

}  // namespace oracle
