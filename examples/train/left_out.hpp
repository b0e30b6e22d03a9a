#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

/// What reading leaves out of the records, and in how many places.
class left_out {
 public:
  void add(std::string_view what) {
    // Names come out of the file: as many as one likes.
    constexpr std::size_t most = 30;
    auto const found = counts_.find(what);
    if (found != counts_.end()) {
      ++found->second;
    } else if (counts_.size() < most) {
      counts_.emplace(what, 1);
    } else {
      ++others_;
    }
  }

  /// "images (3), prompt_id (10)", or "nothing".
  std::string text() const {
    std::string text;
    for (auto const& [what, count] : counts_) append(text, what, count);
    if (others_ != 0) append(text, "others", others_);
    return text.empty() ? "nothing" : text;
  }

 private:
  static void append(std::string& text, std::string_view what, std::size_t count) {
    text.append(text.empty() ? "" : ", ").append(what).append(" (").append(std::to_string(count)).append(")");
  }

  std::map<std::string, std::size_t, std::less<>> counts_;
  std::size_t others_ = 0;
};
