#pragma once

/// What becomes of items that share a place.
enum class tie_model {
  none,        ///< only the last place may have several, which then have no order
  half,        ///< every order of them, with equal shares of the count: of two, half a win and half a loss
  davidson,    ///< a choice of its own, with a parameter for each size (Davidson 1970; Turner, Firth et al. 2020)
  rao_kupper,  ///< of two: a difference in worth below a threshold (Rao and Kupper 1967)
};

/// Whether ties are choices of their own, with a parameter.
inline bool has_parameters(tie_model ties) { return ties == tie_model::davidson || ties == tie_model::rao_kupper; }
