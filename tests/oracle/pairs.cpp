#include "oracle/pairs.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace oracle {

pair swapped(pair const& p) {
  pair other = p;
  std::swap(other.chosen, other.rejected);
  std::swap(other.ref_chosen, other.ref_rejected);
  std::swap(other.chosen_length, other.rejected_length);
  std::swap(other.chosen_kl, other.rejected_kl);
  std::swap(other.chosen_deviation, other.rejected_deviation);
  std::swap(other.chosen_sign, other.rejected_sign);
  return other;
}

template <class T>
pair as_read(pair const& p, pair_columns const& read) {
  pair seen;
  for (auto const& column : pair_column_table) {
    if (column.kind == nullptr || read.*column.kind)
      seen.*column.value = static_cast<real>(static_cast<T>(p.*column.value));
  }
  return seen;
}

template pair as_read<float>(pair const&, pair_columns const&);
template pair as_read<double>(pair const&, pair_columns const&);

std::vector<pair> random_pairs(std::size_t count, random_numbers& random) {
  std::vector<pair> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    pair p;
    p.chosen_length = 1 + std::floor(random.spread(1, 400));
    p.rejected_length = 1 + std::floor(random.spread(1, 400));
    if (random.chance(0.3)) p.chosen_length = p.rejected_length = 1;
    real const scale = random.spread(1e-4, 1e3);
    p.ref_chosen = -random.spread(1e-2, 1e3);
    p.ref_rejected = -random.spread(1e-2, 1e3);
    p.chosen = p.ref_chosen + scale * random.uniform(-1, 1);
    p.rejected = p.ref_rejected + scale * random.uniform(-1, 1);
    // For losses without a reference the two log-probs themselves have to be close at times.
    if (random.chance(0.5)) p.rejected = p.chosen + scale * random.uniform(-1, 1);
    p.margin = random.chance(0.3) ? 0 : random.uniform(-1, 3);
    real const ends[] = {0, 0.5, 1};
    p.label = random.chance(0.3) ? ends[random.bits() % 3] : random.uniform();
    p.reliability = random.chance(0.3) ? ends[random.bits() % 3] : random.uniform();
    if (random.chance(0.1)) p.reliability = random.chance(0.5) ? 1e-6 : 1 - 1e-6;
    pairs.push_back(p);
  }
  // From numbers of their own: the columns before are what they were.
  random_numbers further{count};
  for (pair& p : pairs) {
    p.target = further.spread(1e-2, 10);
    p.scale = further.chance(0.1) ? 0 : further.spread(0.1, 5);
    p.chosen_kl = further.chance(0.1) ? 0 : further.spread(1e-2, 1e2);
    p.rejected_kl = further.chance(0.1) ? p.chosen_kl : further.spread(1e-2, 1e2);
    p.chosen_deviation = further.spread(0.1, 4);
    p.rejected_deviation = further.spread(0.1, 4);
    p.chosen_sign = further.chance(0.5) ? 1 : -1;
    p.rejected_sign = further.chance(0.2) ? further.uniform(-1, 1) : further.chance(0.5) ? 1 : -1;
    p.rationale = -further.spread(1e-2, 1e2);
    p.gold = -further.spread(1e-2, 20);
  }
  return pairs;
}

template <class T>
std::vector<pair> extreme_pairs() {
  double const tiny = static_cast<double>(std::numeric_limits<T>::denorm_min());
  double const smallest = static_cast<double>(std::numeric_limits<T>::min());
  std::vector<pair> pairs;
  for (double const h : {0., -0., tiny, -tiny, 1e3 * tiny, smallest, 50., -50., 1e3, -1e3, 1e4, -1e4}) {
    for (double const eta : {0., 0.5, 0.9, 1.}) {
      pairs.push_back({.chosen = h, .label = eta, .reliability = eta});
      pairs.push_back({.rejected = h, .chosen_length = 4, .rejected_length = 2, .label = eta, .reliability = eta});
      pairs.push_back({.chosen = -3, .rejected = -3, .ref_chosen = h, .margin = 1, .label = eta, .reliability = eta});
    }
    // What rewards say is beyond doubt, of a policy that is sure of it, or not, or of the opposite.
    for (double const sure : {1e3, -1e3}) pairs.push_back({.chosen = h, .margin = sure, .target = sure});
  }
  return pairs;
}

template std::vector<pair> extreme_pairs<float>();
template std::vector<pair> extreme_pairs<double>();

}  // namespace oracle
