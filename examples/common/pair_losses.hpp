#pragma once

#include <prefopt/loss/any.hpp>

// Every loss of the list is compiled once for all programs.
namespace prefopt {
extern template any_pair_loss make_pair_loss<pair_losses>(std::string_view, parameter_values const&, std::string_view);
}
