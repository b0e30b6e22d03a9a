// Work in parts: all of it once, in few parts and no smaller ones than are wanted.
#include <catch.hpp>
#include <cstddef>
#include <prefopt/core/parts.hpp>

using prefopt::detail::parts;

TEST_CASE("parts are all of the work, one behind the other, as many as there may be and no smaller than wanted") {
  for (std::size_t const unit : {1U, 3U, 16U}) {
    for (std::size_t const least : {0U, 1U, 2U, 7U}) {
      for (std::size_t n = 0; n < 2500; n += n < 200 ? 1 : 37) {
        CAPTURE(n, least, unit);
        parts const split{n, least, unit};
        std::size_t const units = (n + unit - 1) / unit, smallest = least == 0 ? 1 : least;
        // The shortest parts of which 64 are enough.
        std::size_t length = smallest;
        while (64 * length < units) ++length;
        CHECK(split.size == n);
        CHECK(split.length == length * unit);
        CHECK(split.count <= 64);
        std::size_t at = 0;
        for (std::size_t part = 0; part < split.count; ++part) {
          CHECK(split.begin(part) == at);
          CHECK(split.end(part) > at);
          if (part + 1 < split.count) CHECK(split.end(part) - at == split.length);
          at = split.end(part);
        }
        CHECK(at == n);
      }
    }
  }
}
