#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "loss_choice.hpp"
#include "number_options.hpp"

/// The choice of a loss on a command line: --loss, --base, and an option for every parameter of every loss in the
/// catalog, pair losses and list losses.
class loss_options {
 public:
  loss_options(CLI::App& app, std::string const& about_loss);
  loss_options(loss_options const&) = delete;  // the app keeps references to the members
  loss_options& operator=(loss_options const&) = delete;

  /// What the parsed command line asks for: without --loss the standard loss, if there is one; all parameters of the
  /// loss and then of its base, given or by default. Throws, naming what is known, an input_error or
  /// std::invalid_argument for everything that does not go together, and for arguments that no option takes. The
  /// choice tells its kind, which is for the caller to judge: a kind given here only narrows what the errors name.
  loss_choice chosen(std::string_view standard = {}, std::optional<loss_kind> kind = {}) const;

 private:
  CLI::App const& app_;
  std::string name_, base_;
  CLI::Option const* name_option_;
  number_options parameters_;
};
