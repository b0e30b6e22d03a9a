// In the place of engine/every_loss.cpp: a loss of each kind of kernel, compiled by the program itself.
#include "engine/pairs.hpp"

using namespace prefopt;

std::vector<any_pair_loss> const& every_loss() {
  static std::vector<any_pair_loss> const all{dpo{}, simpo{}, bradley_terry{}, labelled<hinge>{}};
  return all;
}

std::vector<any_pair_loss> const& every_independent_loss() { return every_loss(); }
