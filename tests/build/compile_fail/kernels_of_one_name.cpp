// The kernels of a program are found by name: two losses of one name are refused, one loss twice is not.
#include <prefopt/engine/kernel_choice.hpp>
// after the instruction set is chosen
#include <prefopt/engine/compiled_kernels.hpp>
#include <prefopt/loss/cpo.hpp>
#include <prefopt/loss/dpo.hpp>
#include <prefopt/loss/hinge.hpp>

namespace own {

struct hinge : prefopt::hinge {
#ifdef MISTAKE
  static constexpr prefopt::loss_card card{"dpo", "max(0, 1 - beta h)", "hinge under another's name"};
#else
  static constexpr prefopt::loss_card card{"own_hinge", "max(0, 1 - beta h)", "hinge under its own name"};
#endif
};

}  // namespace own

int main() {
  return prefopt::detail::kernel_table_of<prefopt::loss_list<prefopt::dpo, own::hinge, prefopt::cpo>, prefopt::dpo>()
             .losses[0]
             .name[0] == '\0';
}
