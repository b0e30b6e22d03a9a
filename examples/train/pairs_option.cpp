#include "pairs_option.hpp"

#include <algorithm>
#include <string_view>

#include "input_error.hpp"

namespace {

struct pairing_name {
  std::string_view name;
  prefopt::pairing which;
};
constexpr pairing_name pairings[] = {{"every", prefopt::pairing::every},
                                     {"adjacent", prefopt::pairing::adjacent},
                                     {"best-rest", prefopt::pairing::best_versus_rest},
                                     {"best-worst", prefopt::pairing::best_versus_worst}};

}  // namespace

CLI::Option* add_pairs_option(CLI::App& app, std::string& pairs) {
  return app.add_option("--pairs", pairs, "which pairs a pair loss takes of ranked answers")
      ->type_name("every|adjacent|best-rest|best-worst")
      ->default_val("every")
      ->check(CLI::IsMember({"every", "adjacent", "best-rest", "best-worst"}).description(""));
}

prefopt::pairing pairing_of(std::string const& pairs) {
  return std::ranges::find(pairings, pairs, &pairing_name::name)->which;
}

void check_list_loss(loss_choice const& choice, bool has_pairs) {
  if (choice.kind == loss_kind::unpaired && has_pairs)
    throw input_error{"--pairs: " + choice.name + " is a loss of single completions and takes each by itself"};
  if (choice.kind != loss_kind::list) return;
  if (make_list_loss(choice).is_square()) {
    throw input_error{"--loss: " + choice.name +
                      " is computed on every response under every one of as many prompts, and a record has one prompt"};
  }
  if (has_pairs) throw input_error{"--pairs: " + choice.name + " is a list loss and takes groups as they are"};
}
