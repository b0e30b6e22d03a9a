// What every loss of every family refuses: the lists of losses, their tables of parameters and the families' tables of
// columns are walked, and each message is compared with what the tables say.
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <special_numbers.hpp>
#include <string>
#include <vector>

#include "pairs.hpp"

using namespace prefopt;

namespace every_refusal {
namespace {

constexpr std::size_t n = 4;

/// Just outside and far outside an interval, and what is no whole number where one is expected.
std::vector<double> bad_values(range const& valid) {
  std::vector<double> bad{not_a_number<double>, infinity<double>, -infinity<double>};
  if (valid.low > std::numeric_limits<double>::lowest()) {
    bad.push_back(valid.low - 1);
    bad.push_back(valid.low_is_in ? std::nextafter(valid.low, -infinity<double>) : valid.low);
  }
  if (valid.high < std::numeric_limits<double>::max()) {
    bad.push_back(valid.high + (valid.is_whole && valid.high > 1e15 ? 2 : 1));
    if (!valid.high_is_in) bad.push_back(valid.high);
  }
  if (valid.is_whole) bad.push_back(valid.low + 0.5);
  return bad;
}

/// What a loss takes none of in a column, and how it says so: of its own rule, or of the column's range.
struct bad_entry {
  double value;
  std::string expected;
};

std::vector<bad_entry> bad_entries(value_range range, allowed_values rule, std::string const& loss) {
  double const tiny = std::numeric_limits<double>::denorm_min();
  std::vector<double> of_rule;
  switch (rule) {
    case allowed_values::positive:
      of_rule = {0, -0.0, -1, -tiny};
      break;
    case allowed_values::inside:
      of_rule = {0, 1};
      break;
    case allowed_values::outcome:
      of_rule = {0.25, 2, -1, infinity<double>};
      break;
    case allowed_values::binary:
      of_rule = {0.5, 2, -1, infinity<double>};
      break;
    case allowed_values::log_prob:
      of_rule = {tiny, 0.5};
      break;
    default:
      break;
  }
  std::vector<bad_entry> all;
  for (double const bad : of_rule) all.push_back({bad, std::string{expectation_of(rule)} + " with " + loss});
  if (!of_rule.empty() && rule != allowed_values::inside) return all;
  if (range == value_range::non_negative) {
    for (double const bad : {-1.0, -tiny, -infinity<double>}) all.push_back({bad, "a number >= 0"});
  } else if (range == value_range::probability) {
    for (double const bad : {-1.0, -tiny, std::nextafter(1, 2), infinity<double>}) {
      all.push_back({bad, "a number in [0, 1]"});
    }
  } else if (range == value_range::weight) {
    for (double const bad : {-1.0, -tiny, infinity<double>, -infinity<double>, not_a_number<double>}) {
      all.push_back({bad, "a finite number >= 0"});
    }
  }
  return all;
}

/// A batch of what the loss reads, as columns that can be changed one by one.
template <class Family>
struct sample {
  using batch_type = typename Family::template batch<double>;

  std::array<std::vector<double>, Family::input_count> columns;
  std::vector<std::int64_t> offsets{0, n};

  explicit sample(any_loss<Family> const& loss) {
    for (std::size_t c = 0; c < Family::input_count; ++c) {
      auto const& row = Family::template inputs<double>[c];
      // One of two that exclude each other.
      bool const is_second = contains(loss.facts().one_of, row.kind) && row.kind == prefopt::columns::target;
      if (row.when == presence::as_read && (is_second || !loss.reads(row.kind))) continue;
      if (row.when != presence::optional) columns[c] = values(loss, row);
    }
  }

  template <class Row>
  static std::vector<double> values(any_loss<Family> const& loss, Row const& row) {
    if (row.when == presence::always) return {-1, -2, -3, -4};
    if (row.kind == prefopt::columns::reward) return {4, 3, 2, 1};
    bool const is_doubtful = loss.rule().kind == row.kind && loss.rule().values == allowed_values::inside;
    return std::vector<double>(n, is_doubtful ? 0.5 : 1);
  }

  [[nodiscard]] batch_type batch() const {
    batch_type all;
    for (std::size_t c = 0; c < Family::input_count; ++c) {
      // An empty vector would be a column that is given.
      if (!columns[c].empty()) all.*Family::template inputs<double>[c].values = columns[c];
    }
    if constexpr (requires { all.offsets; }) all.offsets = offsets;
    return all;
  }
};

/// The text of the refusal, of a call that has written nothing.
template <class Family>
std::string text_of(any_loss<Family> const& loss, sample<Family> const& data) {
  std::vector<double> values(n, 7.0), of_groups(1, 7.0);
  typename Family::template outputs<double> outputs;
  bool constexpr in_groups =
      Family::template results<double>[0].per == entries::of_examples && std::string_view{Family::example} == "group";
  outputs.loss = in_groups ? of_groups : values;
  auto const text = refusal([&] { static_cast<void>(evaluate(loss, data.batch(), outputs)); });
  bool const is_untouched = values == std::vector<double>(n, 7.0) && of_groups[0] == 7.0;
  return (text == "no error") == is_untouched ? "outputs and errors go together: " + text : text;
}

template <class Family>
std::string const& name_of_first() {
  static std::string const name = Family::template inputs<double>[0].name;
  return name;
}

/// Every column given and left away, too short, and with each value that it may not have.
template <class Family>
std::size_t check_columns(any_loss<Family> const& loss) {
  std::size_t checks = 0;
  auto const& rows = Family::template inputs<double>;
  std::string const name = loss.name(), at = "prefopt::evaluate: ";
  sample<Family> const good{loss};
  CHECK(text_of(loss, good) == "no error");
  auto const expect = [&](sample<Family> const& data, std::string const& text) {
    ++checks;
    CHECK(text_of(loss, data) == at + text);
  };
  for (std::size_t c = 0; c < Family::input_count; ++c) {
    auto const& row = rows[c];
    std::string const column = row.name;
    CAPTURE(name, column);
    auto changed = good;
    bool const is_alternative = contains(loss.facts().one_of, row.kind) && row.kind != columns::none;
    bool const sorts = loss.facts().matches != rank_matching::none;
    bool const is_read = row.when == presence::optional ? !sorts : row.when == presence::always || loss.reads(row.kind);
    bool const is_needed = row.when == presence::always || (row.when == presence::as_read && loss.needs(row.kind));
    if (!is_read) {
      changed.columns[c].assign(n, 1.0);
      expect(changed, name + " does not read the column " + column + ", which is given");
      continue;
    }
    if (c == 0) continue;  // says how many there are
    if (is_alternative) {
      bool const was_given = !good.columns[c].empty();
      was_given ? changed.columns[c].clear() : changed.columns[c].assign(n, 0.25);
      expect(changed, name + " needs one of the columns reward and target, got " + (was_given ? "none" : "both"));
    } else if (is_needed) {
      changed.columns[c].clear();
      expect(changed, name + " needs the column " + column + ", which is not given");
    } else if (row.when == presence::as_read) {
      // All of a kind may be left away, and no part of it.
      std::string other;
      for (std::size_t k = 0; k < Family::input_count; ++k) {
        if (k != c && rows[k].when == presence::as_read && rows[k].kind == row.kind) other = rows[k].name;
      }
      changed.columns[c].clear();
      if (other.empty()) {
        CHECK(text_of(loss, changed) == "no error");
      } else {
        expect(changed, other + " is given, but " + column + " is not");
      }
    }
    if (is_alternative && good.columns[c].empty()) continue;
    changed = good;
    changed.columns[c].assign(n - 1, 1.0);
    if (row.per != entries::of_either) {
      expect(changed, column + " has 3 elements, " + name_of_first<Family>() + " has 4");
    } else {
      expect(changed, column + " has 3 elements, expected 1, one a group, or 4, one a candidate");
    }
  }
  for (std::size_t c = 0; c < Family::input_count; ++c) {
    auto const& row = rows[c];
    bool const sorts = loss.facts().matches != rank_matching::none;
    if (row.when == presence::optional ? sorts : good.columns[c].empty()) continue;
    // The rule of a column's kind; of none, the rule is of what the gradients are of.
    bool const is_ruled = row.when == presence::optional ? false
                          : row.when == presence::always ? loss.rule().kind == columns::none
                                                         : loss.rule().kind == row.kind;
    for (auto const& [value, expected] :
         bad_entries(row.range, is_ruled ? loss.rule().values : allowed_values::all, name)) {
      if (row.per == entries::of_either && std::isnan(value)) continue;  // differs from its group's first
      auto changed = good;
      if (changed.columns[c].empty()) changed.columns[c].assign(n, 1.0);
      std::size_t const bad_row = row.per == entries::of_either ? 0 : 2;
      if (row.per == entries::of_either) {
        changed.columns[c].assign(n, value);
      } else {
        changed.columns[c][bad_row] = value;
      }
      CAPTURE(name, row.name, value);
      expect(changed, std::string{row.name} + "[" + std::to_string(bad_row) + "] is " + detail::text(value) +
                          ", expected " + expected);
    }
  }
  return checks;
}

/// Every parameter of a loss at every value that it may not have.
template <class Make>
std::size_t check_parameters(listed_loss_card const& card, std::string const& name, Make const& make) {
  std::size_t checks = 0;
  for (auto const& parameter : card.parameters) {
    for (double const bad : bad_values(parameter.valid)) {
      ++checks;
      CHECK(refusal([&] {
              static_cast<void>(make(parameter_values{{std::string{parameter.name}, bad}}));
            }) == "prefopt::" + name + ": " + std::string{parameter.name} + " is " + detail::text(bad) + ", expected " +
                      (parameter.valid.is_whole ? "" : "a finite number ") + parameter.valid.text());
    }
  }
  return checks;
}

}  // namespace

TEST_CASE("every parameter of every loss is held to its range") {
  std::size_t checks = 0;
  for (auto const& card : pair_loss_cards()) {
    std::string const name{card.card.name};
    if (!card.is_modifier) {
      checks += check_parameters(card, name, [&](auto const& given) { return make_pair_loss(name, given); });
    }
    for (auto const base : card.bases) {
      checks += check_parameters(card, name + "<" + std::string{base} + ">",
                                 [&](auto const& given) { return make_pair_loss(name, given, base); });
    }
  }
  for (auto const& card : list_loss_cards()) {
    std::string const name{card.card.name};
    checks += check_parameters(card, name, [&](auto const& given) { return make_list_loss(name, given); });
  }
  for (auto const& card : unpaired_loss_cards()) {
    std::string const name{card.card.name};
    checks += check_parameters(card, name, [&](auto const& given) { return make_unpaired_loss(name, given); });
  }
  CHECK(checks >= 1500);
}

TEST_CASE("every column of every loss: missing, not read, too short, out of range") {
  std::size_t of_pairs = 0, of_lists = 0, of_completions = 0;
  for (auto const& loss : every_loss()) of_pairs += check_columns(loss);
  for (auto const& card : list_loss_cards()) of_lists += check_columns(make_list_loss(card.card.name));
  for (auto const& card : unpaired_loss_cards()) of_completions += check_columns(make_unpaired_loss(card.card.name));
  CHECK(of_pairs >= 310 * 20);
  CHECK(of_lists >= 100);
  CHECK(of_completions >= 100);
}

}  // namespace every_refusal
