#pragma once

#include <cstdint>
#include <vector>

#include "oracle/every_list_loss.hpp"
#include "oracle/front.hpp"

namespace oracle {

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

template <class T, class L>
list_results<T> list_results_of(L const& loss, std::vector<candidate_list> const& groups, list_given const& given) {
  list_table<T> const table{groups};
  std::vector<T> d_logp(table.logp.size());
  list_results<T> r;
  r.loss.resize(groups.size());
  front::evaluate(loss, table.batch(given), {.loss = r.loss, .d_logp = d_logp},
                  {.reduction = prefopt::reduction::none});
  for (std::size_t g = 0; g < groups.size(); ++g) {
    r.d_logp.emplace_back(d_logp.begin() + table.offsets[g], d_logp.begin() + table.offsets[g + 1]);
  }
  return r;
}

/// Makes list_results_of<T, L> for every list loss, for a program's other files to link to.
template <class T>
void instantiate_results_of_every_list_loss() {
  prefopt::list_losses::for_each([]<class L> {
    list_results<T> (*volatile function)(L const&, std::vector<candidate_list> const&, list_given const&) =
        &list_results_of<T, L>;
    (void)function;
  });
}

}  // namespace oracle
