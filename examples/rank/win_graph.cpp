#include "win_graph.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "input_error.hpp"

namespace {

using edge = std::pair<std::size_t, std::size_t>;

/// The targets of the edges that leave each vertex.
class adjacency {
 public:
  adjacency(std::size_t vertices, std::span<edge const> edges) : begins_(vertices + 1), targets_(edges.size()) {
    for (auto const& [from, to] : edges) ++begins_[from + 1];
    for (std::size_t v = 0; v < vertices; ++v) begins_[v + 1] += begins_[v];
    std::vector<std::size_t> next(begins_);
    for (auto const& [from, to] : edges) targets_[next[from]++] = to;
  }

  std::size_t size() const { return begins_.size() - 1; }
  std::span<std::size_t const> operator[](std::size_t vertex) const {
    return std::span{targets_}.subspan(begins_[vertex], begins_[vertex + 1] - begins_[vertex]);
  }

 private:
  std::vector<std::size_t> begins_;
  std::vector<std::size_t> targets_;
};

/// Visits, depth first, what can be reached from the vertex and was not seen, calling `leave` as it leaves each.
template <class Leave>
void depth_first(adjacency const& graph, std::size_t from, std::vector<char>& seen, Leave leave) {
  std::vector<edge> path{{from, 0}};  // vertices, each with the number of its edges that were followed
  seen[from] = 1;
  while (!path.empty()) {
    auto& [vertex, followed] = path.back();
    if (followed == graph[vertex].size()) {
      leave(vertex);
      path.pop_back();
    } else if (std::size_t const next = graph[vertex][followed++]; !seen[next]) {
      seen[next] = 1;
      path.emplace_back(next, 0);
    }
  }
}

/// The strongly connected components (Kosaraju's algorithm), in the order of their first vertices.
std::vector<std::vector<std::size_t>> components(std::size_t vertices, std::vector<edge> edges) {
  std::vector<std::size_t> left;
  std::vector<char> seen(vertices);
  adjacency const graph{vertices, edges};
  for (std::size_t v = 0; v < vertices; ++v) {
    if (!seen[v]) depth_first(graph, v, seen, [&](std::size_t vertex) { left.push_back(vertex); });
  }
  for (auto& [from, to] : edges) std::swap(from, to);
  adjacency const reversed{vertices, edges};
  std::vector<std::vector<std::size_t>> found;
  seen.assign(vertices, 0);
  for (std::size_t i = vertices; i-- > 0;) {
    if (seen[left[i]]) continue;
    found.emplace_back();
    depth_first(reversed, left[i], seen, [&](std::size_t vertex) { found.back().push_back(vertex); });
    std::ranges::sort(found.back());
  }
  std::ranges::sort(found);
  return found;
}

/// "'a', 'b' and 7 more"
std::string listed(std::span<std::string const> names, std::span<std::size_t const> items) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t const item : items.first(std::min(most, items.size()))) {
    text.append(text.empty() ? "" : ", ").append(in_quotes(names[item]));
  }
  if (items.size() > most) text += " and " + std::to_string(items.size() - most) + " more";
  return text;
}

/// What the items of each strongly connected group do to those of others.
std::string blame(std::span<std::string const> names, std::span<edge const> won,
                  std::span<std::vector<std::size_t> const> groups) {
  std::vector<std::size_t> group_of(names.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t const item : groups[g]) group_of[item] = g;
  }
  std::vector<char> wins(groups.size()), loses(groups.size());
  for (auto const& [winner, loser] : won) {
    if (group_of[winner] == group_of[loser]) continue;
    wins[group_of[winner]] = 1;
    loses[group_of[loser]] = 1;
  }
  std::vector<std::size_t> unbeaten, winless;
  std::string text;
  auto const add = [&](std::span<std::size_t const> items, char const* one, char const* several) {
    if (items.empty()) return;
    text.append(text.empty() ? "" : "; ").append(listed(names, items)).append(items.size() == 1 ? one : several);
  };
  for (std::size_t g = 0; g < groups.size(); ++g) {
    // Of two groups the larger one would be blamed for the same games.
    if (groups.size() == 2 && groups[g].size() > groups[1 - g].size()) continue;
    if (groups[g].size() > 1) {
      if (!loses[g]) add(groups[g], "", " never lose to the others");
      if (!wins[g]) add(groups[g], "", " never win against the others");
    } else {
      if (!loses[g]) unbeaten.push_back(groups[g].front());
      if (!wins[g]) winless.push_back(groups[g].front());
    }
  }
  add(unbeaten, " never loses", " never lose");
  add(winless, " never wins", " never win");
  return text;
}

/// So many of the wins that all others follow: each item over the next.
std::vector<edge> wins_of(choices const& terms, std::span<double const> counts) {
  std::vector<edge> won;
  auto const chosen_from = [&](auto const& items, std::size_t last_chosen) {
    for (std::size_t place = 1; place <= last_chosen; ++place) won.emplace_back(items[place - 1], items[place]);
    for (std::size_t left = last_chosen + 1; left < items.size(); ++left)
      won.emplace_back(items[last_chosen], items[left]);
  };
  for (auto const& [first, second, count] : terms.pairs) {
    if (counts[count] + counts[count + 2] > 0) won.emplace_back(first, second);
    if (counts[count + 1] + counts[count + 2] > 0) won.emplace_back(second, first);
  }
  for (auto const& order : terms.orders) {
    if (counts[order.count] > 0) chosen_from(order.items, order.chosen - 1);
  }
  for (auto const& set : terms.sets) {
    for (auto const& outcome : set.outcomes) {
      if (counts[outcome.count] == 0) continue;
      // The first of the chosen ones wins against all others, and the other chosen ones win against it.
      std::size_t const first = set.items[outcome.chosen.front()];
      for (std::size_t place = 0; place < set.items.size(); ++place) {
        if (set.items[place] != first) won.emplace_back(first, set.items[place]);
        if (std::ranges::binary_search(outcome.chosen, place) && set.items[place] != first)
          won.emplace_back(set.items[place], first);
      }
    }
  }
  return won;
}

}  // namespace

std::optional<std::string> why_no_maximum(choices const& terms, std::span<double const> counts,
                                          std::span<std::string const> names) {
  std::vector<edge> const won = wins_of(terms, counts);
  auto const groups = components(names.size(), won);
  if (groups.size() == 1) return {};
  std::vector<edge> compared = won;
  for (auto const& [winner, loser] : won) compared.emplace_back(loser, winner);
  auto const parts = components(names.size(), std::move(compared));
  std::string text;
  if (parts.size() > 1) {
    constexpr std::size_t most = 3;
    for (auto const& part : std::span{parts}.first(std::min(most, parts.size()))) {
      text.append(text.empty() ? "" : " | ").append(listed(names, part));
    }
    text = "the comparisons fall into " + std::to_string(parts.size()) + " unconnected parts: " + text +
           (parts.size() > most ? " | ..." : "");
  } else {
    text = blame(names, won, groups);
  }
  return "the likelihood has no maximum: " + text + "; with --prior ghost it has one";
}
