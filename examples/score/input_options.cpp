#include "input_options.hpp"

#include <cstddef>
#include <utility>

void input_options::add_file(std::string const& about) { app_.add_option("FILE", file_, about); }

void input_options::add_dtype() {
  app_.add_option("--dtype", dtype_, "computes in float or double")
      ->check(CLI::IsMember({"f32", "f64"}))
      ->capture_default_str();
}

void input_options::add_non_finite(std::string const& about, std::vector<std::string> treatments) {
  treatments.insert(treatments.begin(), "error");
  app_.add_option("--non-finite", non_finite_, about)
      ->check(CLI::IsMember(std::move(treatments)))
      ->capture_default_str();
}

void input_options::add_ignore() {
  app_.add_option("--ignore", ignored_, "columns of the file to leave out")->type_name("NAME[,NAME]");
}

void input_options::write_to(score_input& input) const {
  input.file = file_;
  input.single_precision = dtype_ == "f32";
  input.non_finite = treatment_of(non_finite_);
  input.ignored_columns = split(ignored_);
}

std::vector<std::string> split(std::string const& list) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= list.size(); begin += items.back().size() + 1) {
    items.push_back(list.substr(begin, list.find(',', begin) - begin));
  }
  return items;
}

prefopt::on_invalid treatment_of(std::string const& name) {
  if (name == "skip") return prefopt::on_invalid::skip;
  return name == "propagate" ? prefopt::on_invalid::propagate : prefopt::on_invalid::error;
}
