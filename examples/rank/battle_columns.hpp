#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Who won a battle of two.
enum class battle_outcome { first, second, tie };

/// Where a table of battles has what: the two items, and who won, in one column (`model_a,model_b,winner` with model_a,
/// model_b, tie or "tie (bothbad)"; `left,right,winner`; `left,right,label` with the winner's name) or in three
/// (`winner_model_a,winner_model_b,winner_tie`, one of them 1).
struct battle_columns {
  std::string first_name, second_name;
  std::size_t first = 0, second = 0;
  struct three {
    std::size_t first, second, tie;
  };
  std::optional<std::size_t> winner;
  std::optional<three> won;  ///< where there is no winner

  bool has(std::size_t column) const;
  /// What messages say of the columns, or of the text in a winner's.
  std::string expected_columns() const;
  std::string expected_winner() const;
};

/// Nothing where no two columns are those of items.
std::optional<battle_columns> find_battle_columns(
    std::function<std::optional<std::size_t>(std::string_view)> const& find);

/// What the text of a winner's column means as a word: one for a side or for a tie.
std::optional<battle_outcome> outcome_by_word(battle_columns const& columns, std::string_view winner);
/// What it means as the name of one of the two items.
std::optional<battle_outcome> outcome_by_name(std::string_view winner, std::string_view first, std::string_view second);
/// What those of the three columns mean; nothing where not exactly one is 1 and the others 0.
std::optional<battle_outcome> outcome_of_three(std::string_view first, std::string_view second, std::string_view tie);
