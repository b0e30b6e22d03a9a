#pragma once

#include <prefopt/loss/adpo.hpp>
#include <prefopt/loss/adpo_kde.hpp>
#include <prefopt/loss/adpo_ranked.hpp>
#include <prefopt/loss/best_versus_worst.hpp>
#include <prefopt/loss/bradley_terry.hpp>
#include <prefopt/loss/cdpo.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/hinge.hpp>
#include <prefopt/loss/info_nce.hpp>
#include <prefopt/loss/ipo.hpp>
#include <prefopt/loss/ipo_mean.hpp>
#include <prefopt/loss/list_mle.hpp>
#include <prefopt/loss/list_net.hpp>
#include <prefopt/loss/ln_dpo.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <prefopt/loss/pro.hpp>
#include <prefopt/loss/rank_dpo.hpp>
#include <prefopt/loss/rdpo.hpp>
#include <prefopt/loss/rrhf.hpp>
#include <prefopt/loss/sami.hpp>
#include <prefopt/loss/simpo.hpp>
#include <prefopt/modifier/labelled.hpp>
#include <prefopt/modifier/lcpo.hpp>
#include <prefopt/modifier/smoothed.hpp>
#include <prefopt/modifier/unbiased.hpp>

namespace prefopt::inline PREFOPT_ABI {

/// Calls f.operator()<L>() for every L.
template <class... L>
struct loss_list {
  template <class F>
  static constexpr void for_each(F&& f) {
    (f.template operator()<L>(), ...);
  }
};

/// The one list of the pair losses: tests, benchmarks, programs and the documentation's table walk it.
using pair_losses = loss_list<dpo, cdpo, rdpo, ipo, ipo_mean, simpo, ln_dpo, hinge, cpo, bradley_terry>;

/// The one list of the list losses.
using list_losses = loss_list<plackett_luce, list_mle, pro, adpo, adpo_kde, adpo_ranked, list_net, info_nce, rank_dpo,
                              best_versus_worst, rrhf, sami>;

/// The modifiers that can be laid over the loss L.
template <class L>
struct modifiers_of {
  using type = loss_list<>;
};
template <pair_loss L>
struct modifiers_of<L> {
  using type = loss_list<unbiased<L>, lcpo<L>>;
};
template <pair_loss L>
  requires loss_with_opposite_label<L>
struct modifiers_of<L> {
  using type = loss_list<smoothed<L>, labelled<L>, unbiased<L>, lcpo<L>>;
};

}  // namespace prefopt::inline PREFOPT_ABI
