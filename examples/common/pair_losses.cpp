#include "pair_losses.hpp"

namespace prefopt {
template any_pair_loss make_pair_loss<pair_losses>(std::string_view, parameter_values const&, std::string_view);
}
