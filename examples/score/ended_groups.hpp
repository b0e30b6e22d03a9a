#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

/// The groups of a file that have ended, each with its last line. There may be millions: of a name only 80 bits are kept,
/// which two names in a file of ten million groups have in common with a probability of 1e-10.
class ended_groups {
 public:
  void add(std::string_view name, std::size_t line) { bucket(name).push_back({fingerprint(name), line}); }

  /// The last line of the group with that name, if it has ended.
  std::optional<std::size_t> find(std::string_view name) {
    auto const& all = bucket(name);
    auto const found = std::ranges::find(all, fingerprint(name), &group::name);
    if (found == all.end()) return {};
    return found->line;
  }

 private:
  struct group {
    std::uint64_t name;
    std::size_t line;
  };

  static std::uint64_t fingerprint(std::string_view name) {  // FNV-1a, mixed once more
    std::uint64_t hash = 0xcbf29ce484222325;
    for (char const c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93;
    return hash ^ hash >> 32;
  }

  std::vector<group>& bucket(std::string_view name) {
    return buckets_[std::hash<std::string_view>{}(name) % buckets_.size()];
  }

  std::vector<std::vector<group>> buckets_{std::size_t{1} << 16};
};
