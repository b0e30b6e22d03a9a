// Reference files of every family, damaged, and forged with a checksum that is right: refused, or as a writer writes them.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <prefopt/train/reference_file.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz_input.hpp"
#include "in_memory_file.hpp"

namespace {

prefopt::data_checksum checksum_of_data() {
  prefopt::data_checksum data;
  data.add(std::string_view{"p"});
  return data;
}

/// Any numbers behind a first line that fits them, or nearly.
std::string forged(fuzz_input& in, prefopt::detail::reference_kind const& kind) {
  bool const is_sound = !in.one_in(3);
  std::uint64_t const items = in.below(6);
  std::uint64_t groups = in.below(4);
  std::uint64_t const bits = in.one_in(2) ? 32 : 64;
  std::string contents;
  std::uint64_t at = 0;
  for (std::uint64_t g = 0; kind.has_offsets && g <= groups; ++g) {
    prefopt::detail::append_little_endian(contents, in.one_in(8) ? in.bits(8) : at, 8);
    at = g + 1 == groups && !in.one_in(8) ? items : at + in.below(3);
  }
  for (std::uint64_t i = 0; i < kind.sequences * items; ++i) {
    std::uint64_t const number =
        bits == 32 ? std::uint64_t{std::bit_cast<std::uint32_t>(in.one_in(8) ? in.any<float>() : -1.5F)}
                   : std::bit_cast<std::uint64_t>(in.one_in(8) ? in.any<double>() : -1.5);
    prefopt::detail::append_little_endian(contents, number, bits / 8);
  }
  prefopt::detail::reference_header header{kind, kind.has_offsets ? groups : items, kind.sequences * items, bits,
                                           checksum_of_data().value()};
  if (!is_sound && in.one_in(4)) header.count = in.bits(8);
  if (!is_sound && in.one_in(4)) header.values = in.bits(8);
  std::string file = header.line(contents) + contents;
  if (!is_sound && in.one_in(4)) file[in.below(file.size())] = static_cast<char>(in.bits(1));
  if (!is_sound && in.one_in(8)) file.resize(in.below(file.size()));
  return file;
}

template <class T>
void check_numbers(std::span<T const> numbers) {
  for (T const x : numbers) promise(x < std::numeric_limits<T>::infinity(), "a reference file of NaN or +inf is taken");
}

template <class T, class Family>
void read(std::string const& path) {
  try {
    prefopt::reference_file<T, Family> const file{path, checksum_of_data()};
    if constexpr (requires { file.pairs(); }) {
      check_numbers<T>(file.chosen());
      check_numbers<T>(file.rejected());
      promise(file.chosen().size() == file.pairs() && file.rejected().size() == file.pairs(),
              "sizes of a reference file differ");
    } else if constexpr (requires { file.groups(); }) {
      check_numbers<T>(file.logp());
      auto const offsets = file.offsets();
      promise(!offsets.empty() && offsets.front() == 0 && std::is_sorted(offsets.begin(), offsets.end()) &&
                  static_cast<std::size_t>(offsets.back()) == file.logp().size(),
              "a reference file is taken whose offsets no batch has");
    } else {
      check_numbers<T>(file.logp());
    }
  } catch (std::invalid_argument const&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static in_memory_file file;
  fuzz_input in{data, size};
  std::size_t const kind = in.below(3);
  bool const is_plain = in.one_in(4);
  std::string const& path =
      file.with(is_plain ? std::string{in.rest()} : forged(in, prefopt::detail::reference_kinds[kind]));
  bool const is_float = in.one_in(2);
  switch (is_plain ? in.below(3) : kind) {
    case 0:
      is_float ? read<float, prefopt::pair_family>(path) : read<double, prefopt::pair_family>(path);
      break;
    case 1:
      is_float ? read<float, prefopt::list_family>(path) : read<double, prefopt::list_family>(path);
      break;
    default:
      is_float ? read<float, prefopt::unpaired_family>(path) : read<double, prefopt::unpaired_family>(path);
  }
  return 0;
}
