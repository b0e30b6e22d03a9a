// What is said of offsets: they begin at 0, never fall, and end at the number of items.
#include <catch.hpp>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <prefopt/prefopt.hpp>
#include <refusal.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace prefopt;

namespace {

using offset_numbers = std::vector<std::int64_t>;

std::string refused_offsets(column<std::int64_t> const& offsets, std::size_t items) {
  return refusal([&] { detail::check_offsets("f", offsets, items); });
}

std::string refused_offsets(offset_numbers const& offsets, std::size_t items) {
  return refused_offsets(column<std::int64_t>{offsets}, items);
}

/// 0, 1, ..., count - 1.
offset_numbers whole_numbers(std::size_t count) {
  offset_numbers all(count);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

TEST_CASE("offsets span the items in examples, of any size") {
  std::vector<std::pair<std::size_t, std::size_t>> sizes;
  offset_numbers const offsets{0, 2, 2, 7};
  detail::check_offsets("f", offsets, 7,
                        [&](std::size_t example, std::size_t size) { sizes.emplace_back(example, size); });
  CHECK(sizes == std::vector<std::pair<std::size_t, std::size_t>>{{0, 2}, {1, 0}, {2, 5}});
  CHECK(refused_offsets(offset_numbers{0}, 0) == "no error");
  CHECK(refused_offsets(offset_numbers{0, 0}, 0) == "no error");
}

TEST_CASE("offsets that do not span the items are refused, and the first that is wrong is named") {
  CHECK(refused_offsets(offset_numbers{}, 3) ==
        "prefopt::f: offsets is empty, expected the number of groups + 1 entries");
  CHECK(refused_offsets(offset_numbers{1, 3}, 3) == "prefopt::f: offsets[0] is 1, expected 0");
  CHECK(refused_offsets(offset_numbers{-1, 3}, 3) == "prefopt::f: offsets[0] is -1, expected 0");
  CHECK(refused_offsets(offset_numbers{0, 2, 1, 0}, 3) == "prefopt::f: offsets[2] is 1, expected a number from 2 to 3");
  CHECK(refused_offsets(offset_numbers{0, 4}, 3) == "prefopt::f: offsets[1] is 4, expected a number from 0 to 3");
  CHECK(refused_offsets(offset_numbers{0, 2}, 3) == "prefopt::f: offsets end at 2, logp has 3 elements");
  CHECK(refused_offsets(offset_numbers{0}, 1) == "prefopt::f: offsets end at 0, logp has 1 element");
  offset_numbers const two{0, 2};
  CHECK(refusal([&] {
          detail::check_offsets("f", two, 3, [](std::size_t, std::size_t) {}, {"group_offsets", "pair", "token"});
        }) == "prefopt::f: group_offsets end at 2, token has 3 elements");
}

TEST_CASE("many offsets are read to the last, in place or not, and no further") {
  for (std::size_t const count : {2UL, 255UL, 256UL, 257UL, 512UL, 513UL, 1000UL}) {
    CAPTURE(count);
    offset_numbers all = whole_numbers(count);
    // What would be refused, if it were read.
    all.push_back(-1);
    column<std::int64_t> const in_place{all.data(), count};
    CHECK(refused_offsets(in_place, count - 1) == "no error");
    offset_numbers apart(2 * count + 1, -1);
    for (std::size_t i = 0; i < count; ++i) apart[2 * i] = all[i];
    column<std::int64_t> const strided{apart.data(), count, 2};
    CHECK(refused_offsets(strided, count - 1) == "no error");

    std::size_t next = 0;
    detail::check_offsets("f", in_place, count - 1, [&](std::size_t example, std::size_t size) {
      CHECK(example == next++);
      CHECK(size == 1);
    });
    CHECK(next == count - 1);

    all[count - 1] = 0;
    if (count == 2) continue;
    CHECK(refused_offsets(in_place, count - 1) == "prefopt::f: offsets[" + std::to_string(count - 1) +
                                                      "] is 0, expected a number from " + std::to_string(count - 2) +
                                                      " to " + std::to_string(count - 1));
  }
}
