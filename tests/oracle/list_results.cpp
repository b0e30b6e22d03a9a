#include "oracle/list_results.hpp"

#include <cstddef>
#include <cstdint>

#include "oracle/made_loss.hpp"

namespace oracle {
namespace {

/// The columns of a list batch, a group's numbers rounded to T.
template <class T>
struct list_table {
  std::vector<T> logp, reference, length, reward, target;
  std::vector<std::int64_t> offsets{0};

  explicit list_table(std::vector<candidate_list> const& groups) {
    for (candidate_list const& group : groups) {
      for (list_candidate const& c : group) {
        logp.push_back(static_cast<T>(c.logp));
        reference.push_back(static_cast<T>(c.reference));
        length.push_back(static_cast<T>(c.length));
        reward.push_back(static_cast<T>(c.reward));
        target.push_back(static_cast<T>(c.target));
      }
      offsets.push_back(static_cast<std::int64_t>(logp.size()));
    }
  }

  [[nodiscard]] prefopt::list_batch<T> batch(list_given const& given) const {
    prefopt::list_batch<T> batch{.logp = logp, .offsets = offsets};
    if (given.reference) batch.ref_logp = reference;
    if (given.length) batch.length = length;
    if (given.reward) batch.reward = reward;
    if (given.target) batch.target = target;
    return batch;
  }
};

}  // namespace

template <class T>
list_results<T> list_results_of(named_loss const& loss, std::vector<candidate_list> const& groups,
                                list_given const& given) {
  list_table<T> const table{groups};
  std::vector<T> d_logp(table.logp.size());
  list_results<T> r;
  r.loss.resize(groups.size());
  front::evaluate(made_list(loss), table.batch(given), {.loss = r.loss, .d_logp = d_logp},
                  {.reduction = prefopt::reduction::none});
  for (std::size_t g = 0; g < groups.size(); ++g) {
    r.d_logp.emplace_back(d_logp.begin() + table.offsets[g], d_logp.begin() + table.offsets[g + 1]);
  }
  return r;
}

template list_results<float> list_results_of<float>(named_loss const&, std::vector<candidate_list> const&,
                                                    list_given const&);
template list_results<double> list_results_of<double>(named_loss const&, std::vector<candidate_list> const&,
                                                      list_given const&);

list_facts facts_of_list_loss(named_loss const& loss) {
  using prefopt::columns;
  auto const made_loss = made_list(loss);
  auto const each = [](auto const& has) -> list_given {
    return {.reference = has(columns::reference),
            .length = has(columns::length),
            .reward = has(columns::reward),
            .target = has(columns::target)};
  };
  return {made_loss.name(),
          each([&](columns which) { return made_loss.needs(which); }),
          each([&](columns which) { return made_loss.reads(which); }),
          made_loss.is_square(),
          made_loss.refuses_ties(),
          made_loss.parameters()};
}

}  // namespace oracle
