#pragma once

#include <prefopt/loss/adpo.hpp>
#include <prefopt/loss/adpo_kde.hpp>
#include <prefopt/loss/adpo_ranked.hpp>
#include <prefopt/loss/alpha_dpo.hpp>
#include <prefopt/loss/alpha_po.hpp>
#include <prefopt/loss/aot.hpp>
#include <prefopt/loss/aot_unpaired.hpp>
#include <prefopt/loss/apo_down.hpp>
#include <prefopt/loss/apo_zero.hpp>
#include <prefopt/loss/apo_zero_unpaired.hpp>
#include <prefopt/loss/bco.hpp>
#include <prefopt/loss/bco_pair.hpp>
#include <prefopt/loss/best_versus_worst.hpp>
#include <prefopt/loss/beta_dpo.hpp>
#include <prefopt/loss/binary_cross_entropy.hpp>
#include <prefopt/loss/bradley_terry.hpp>
#include <prefopt/loss/cal_dpo.hpp>
#include <prefopt/loss/cauchy_dpo.hpp>
#include <prefopt/loss/cdpo.hpp>
#include <prefopt/loss/cispo.hpp>
#include <prefopt/loss/cost_model.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/loss/dapo.hpp>
#include <prefopt/loss/davidson.hpp>
#include <prefopt/loss/diffusion_dpo.hpp>
#include <prefopt/loss/discopop.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/dpo_shift.hpp>
#include <prefopt/loss/dpop.hpp>
#include <prefopt/loss/dpop_outside.hpp>
#include <prefopt/loss/dr_grpo.hpp>
#include <prefopt/loss/dro.hpp>
#include <prefopt/loss/exo_pair.hpp>
#include <prefopt/loss/f_dpo_alpha.hpp>
#include <prefopt/loss/f_dpo_forward_kl.hpp>
#include <prefopt/loss/f_dpo_js.hpp>
#include <prefopt/loss/f_dpo_reverse_kl.hpp>
#include <prefopt/loss/focal_bt.hpp>
#include <prefopt/loss/focal_po.hpp>
#include <prefopt/loss/gaussian_bt.hpp>
#include <prefopt/loss/grpo.hpp>
#include <prefopt/loss/gspo.hpp>
#include <prefopt/loss/hinge.hpp>
#include <prefopt/loss/info_nce.hpp>
#include <prefopt/loss/ipo.hpp>
#include <prefopt/loss/ipo_mean.hpp>
#include <prefopt/loss/irepo.hpp>
#include <prefopt/loss/kto.hpp>
#include <prefopt/loss/list_mle.hpp>
#include <prefopt/loss/list_net.hpp>
#include <prefopt/loss/ln_dpo.hpp>
#include <prefopt/loss/log_barrier.hpp>
#include <prefopt/loss/mallows_dpo.hpp>
#include <prefopt/loss/modpo.hpp>
#include <prefopt/loss/nbpo.hpp>
#include <prefopt/loss/nca_pair.hpp>
#include <prefopt/loss/noise_mixture.hpp>
#include <prefopt/loss/odpo.hpp>
#include <prefopt/loss/orpo.hpp>
#include <prefopt/loss/plackett_luce.hpp>
#include <prefopt/loss/ppo.hpp>
#include <prefopt/loss/pro.hpp>
#include <prefopt/loss/r_dpo.hpp>
#include <prefopt/loss/rank_dpo.hpp>
#include <prefopt/loss/rao_kupper.hpp>
#include <prefopt/loss/rationale_dpo.hpp>
#include <prefopt/loss/rdpo.hpp>
#include <prefopt/loss/real_loss.hpp>
#include <prefopt/loss/reinforce_pp.hpp>
#include <prefopt/loss/repo.hpp>
#include <prefopt/loss/rloo.hpp>
#include <prefopt/loss/rpo_bwd_kl.hpp>
#include <prefopt/loss/rpo_fwd_kl.hpp>
#include <prefopt/loss/rpo_sq.hpp>
#include <prefopt/loss/rrhf.hpp>
#include <prefopt/loss/sami.hpp>
#include <prefopt/loss/score_regression.hpp>
#include <prefopt/loss/sft.hpp>
#include <prefopt/loss/simper.hpp>
#include <prefopt/loss/simpo.hpp>
#include <prefopt/loss/slic.hpp>
#include <prefopt/loss/smooth_hinge.hpp>
#include <prefopt/loss/smpo.hpp>
#include <prefopt/loss/soft_ipo.hpp>
#include <prefopt/loss/sppo.hpp>
#include <prefopt/loss/tdpo.hpp>
#include <prefopt/loss/tpo.hpp>
#include <prefopt/loss/tpo_l.hpp>
#include <prefopt/loss/weighted_nll.hpp>
#include <prefopt/loss/xpo.hpp>
#include <prefopt/modifier/labelled.hpp>
#include <prefopt/modifier/lcpo.hpp>
#include <prefopt/modifier/smoothed.hpp>
#include <prefopt/modifier/unbiased.hpp>
#include <prefopt/modifier/with_nll.hpp>
#include <prefopt/surrogate/cispo.hpp>
#include <prefopt/surrogate/cispo_around_one.hpp>
#include <prefopt/surrogate/clip_cov.hpp>
#include <prefopt/surrogate/dppo_kl.hpp>
#include <prefopt/surrogate/dppo_tv.hpp>
#include <prefopt/surrogate/dro_token.hpp>
#include <prefopt/surrogate/fipo.hpp>
#include <prefopt/surrogate/gmpo.hpp>
#include <prefopt/surrogate/gspo.hpp>
#include <prefopt/surrogate/gspo_token.hpp>
#include <prefopt/surrogate/kl_cov.hpp>
#include <prefopt/surrogate/masked_ratio.hpp>
#include <prefopt/surrogate/ppo_clip.hpp>
#include <prefopt/surrogate/reinforce.hpp>
#include <prefopt/surrogate/sapo.hpp>
#include <prefopt/surrogate/sequence_clip.hpp>
#include <prefopt/surrogate/topr.hpp>
#include <prefopt/surrogate/vespo.hpp>

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
using pair_losses =
    loss_list<dpo, cdpo, rdpo, ipo, ipo_mean, simpo, ln_dpo, hinge, cpo, bradley_terry, exo_pair, discopop, rpo_bwd_kl,
              rpo_fwd_kl, rpo_sq, irepo, soft_ipo, cauchy_dpo, focal_po, focal_bt, r_dpo, odpo, modpo, smpo,
              mallows_dpo, tdpo, diffusion_dpo, repo, rao_kupper, davidson, noise_mixture, gaussian_bt, beta_dpo,
              alpha_dpo, aot, aot_unpaired, nca_pair, bco_pair, sppo, apo_zero, apo_down, slic, smooth_hinge, orpo,
              alpha_po, dpop, dpop_outside, dpo_shift, f_dpo_reverse_kl, f_dpo_forward_kl, f_dpo_js, f_dpo_alpha,
              cal_dpo, simper, cost_model, rationale_dpo, tpo, tpo_l, xpo, sft>;

/// The one list of the list losses.
using list_losses = loss_list<plackett_luce, list_mle, pro, adpo, adpo_kde, adpo_ranked, list_net, info_nce, rank_dpo,
                              best_versus_worst, rrhf, sami, real_loss>;

/// The one list of the losses of single completions.
using unpaired_losses = loss_list<kto, apo_zero_unpaired, bco, binary_cross_entropy, nbpo, score_regression, dro,
                                  weighted_nll, log_barrier>;

/// The one list of the surrogates of tokens, which any KL, correction and aggregation goes with.
using token_surrogates =
    loss_list<surrogate::reinforce, surrogate::ppo_clip, surrogate::cispo, surrogate::cispo_around_one, surrogate::topr,
              surrogate::sapo, surrogate::gspo, surrogate::gspo_token, surrogate::sequence_clip, surrogate::gmpo,
              surrogate::vespo, surrogate::dro_token, surrogate::dppo_tv, surrogate::dppo_kl, surrogate::fipo,
              surrogate::clip_cov, surrogate::kl_cov, surrogate::masked_ratio>;

/// The one list of the presets, which are compositions of them.
using token_losses = loss_list<grpo, dr_grpo, dapo, gspo, cispo, rloo, reinforce_pp, ppo>;

namespace detail {

template <class... Lists>
struct joined_lists {
  using type = loss_list<>;
};
template <class... A>
struct joined_lists<loss_list<A...>> {
  using type = loss_list<A...>;
};
template <class... A, class... B, class... Rest>
struct joined_lists<loss_list<A...>, loss_list<B...>, Rest...> {
  using type = typename joined_lists<loss_list<A..., B...>, Rest...>::type;
};

/// The modifier over L, where it goes over it.
template <template <class> class Modifier, class L, bool GoesOver>
struct modifier_if {
  using type = loss_list<>;
};
template <template <class> class Modifier, class L>
struct modifier_if<Modifier, L, true> {
  using type = loss_list<Modifier<L>>;
};

}  // namespace detail

/// The modifiers that can be laid over the loss L.
template <class L>
struct modifiers_of {
  using type = loss_list<>;
};
template <pair_loss L>
struct modifiers_of<L> {
 private:
  template <template <class> class Modifier, bool GoesOver>
  using if_over = typename detail::modifier_if<Modifier, L, GoesOver>::type;
  static constexpr bool swaps = loss_of_two_orders<L>, flips = loss_with_opposite_label<L>,
                        is_labelled = detail::reads<detail::resolved<L>>(columns::label);

 public:
  using type =
      typename detail::joined_lists<if_over<smoothed, flips>, if_over<labelled, flips && !is_labelled>,
                                    if_over<unbiased, swaps>, if_over<lcpo, swaps>, if_over<with_nll, true>>::type;
};

}  // namespace prefopt::inline PREFOPT_ABI
