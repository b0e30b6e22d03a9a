#pragma once

#include <optional>
#include <prefopt/engine/any_loss.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bandit_settings.hpp"

/// What a method's loss is anchored at: nothing, or the reference, where it stays or from where it follows the policy.
enum class anchoring { none, fixed, average, copies, copies_when_far };

/// A loss of the library and how it is put to use on a bandit.
struct method {
  std::string_view name;
  std::variant<prefopt::any_pair_loss, prefopt::any_list_loss, prefopt::any_unpaired_loss> loss;
  anchoring anchor = anchoring::fixed;
  std::optional<double> beta_reward{};  ///< of a pair loss's soft labels
};

/// All methods of the study. cDPO, rDPO and noise_mixture are told which share of the preferences is wrong.
std::vector<method> make_methods(bandit_settings const& settings, double wrong_share);

/// Their names, in the same order.
std::vector<std::string_view> method_names();

/// A method by name and what it is, a line each.
std::string method_explanations();
