// Tensors that lie elsewhere, and what is refused of any tensor: without ggml.

#include <Eigen/Core>
#include <algorithm>
#include <cstring>
#include <prefopt/adapter/ggml.hpp>
#include <prefopt/chain/evaluate.hpp>
#include <prefopt/chain/token_policy.hpp>
#include <prefopt/engine/evaluate.hpp>
#include <prefopt/loss/dpo.hpp>
#include <span>
#include <vector>

#include "../catch.hpp"
#include "../refusal.hpp"
#include "fake_ggml.hpp"

namespace {

/// A tensor in a buffer of its own, `gap` elements after each row.
template <class U>
fake::tensor tensor_of(fake::device_buffer& buffer, fake::number type, std::vector<U> const& values,
                       std::vector<std::int64_t> const& shape, std::size_t gap = 0) {
  fake::tensor made{.type = type, .buffer = &buffer, .data = reinterpret_cast<void*>(0x1000)};
  std::strcpy(made.name, "x");
  std::copy(shape.begin(), shape.end(), made.ne);
  made.nb[0] = sizeof(U);
  made.nb[1] = (static_cast<std::size_t>(made.ne[0]) + gap) * sizeof(U);
  for (int i = 2; i < 4; ++i) made.nb[i] = made.nb[i - 1] * static_cast<std::size_t>(made.ne[i - 1]);
  auto const columns = static_cast<std::size_t>(made.ne[0]);
  buffer.bytes.resize(values.size() / columns * made.nb[1]);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::memcpy(buffer.bytes.data() + i / columns * made.nb[1] + i % columns * sizeof(U), &values[i], sizeof(U));
  }
  return made;
}

template <class T>
std::vector<double> numbers(prefopt::column<T> const& from) {
  std::vector<double> all;
  for (std::size_t i = 0; i < from.size(); ++i) all.push_back(static_cast<double>(from[i]));
  return all;
}

using doubles = std::vector<double>;

std::string refused_numbers(fake::tensor const& tensor) {
  return refusal([&] { prefopt::ggml_numbers{&tensor}; });
}

}  // namespace

TEST_CASE("ggml: a tensor elsewhere is read once and written when stored") {
  fake::device_buffer x_buffer, d_buffer;
  auto const x = tensor_of<float>(x_buffer, fake::number::f32, {-2, -3, -4, -1}, {4});
  auto g = tensor_of<float>(d_buffer, fake::number::f32, {9, 9, 9, 9}, {4});

  prefopt::ggml_numbers const seen{&x};
  prefopt::ggml_gradient d{&g};
  std::vector<float> const reference{-2, -2};
  std::vector<float> d_chosen(2), d_rejected(2);
  prefopt::pair_batch<float> const batch{
      .chosen = seen.values(0, 2), .rejected = seen.values(2, 2), .ref_chosen = reference, .ref_rejected = reference};
  prefopt::evaluate(prefopt::dpo{}, batch, {.d_chosen = d.values(0, 2), .d_rejected = d.values(2, 2)});
  prefopt::evaluate(prefopt::dpo{}, batch, {.d_chosen = d_chosen, .d_rejected = d_rejected});
  CHECK(x_buffer.reads == 1);
  CHECK(d_buffer.writes == 0);
  d.store();
  CHECK(d_buffer.writes == 1);
  float stored[4];
  std::memcpy(stored, d_buffer.bytes.data(), sizeof stored);
  CHECK(stored[0] == d_chosen[0]);
  CHECK(stored[1] == d_chosen[1]);
  CHECK(stored[2] == d_rejected[0]);
  CHECK(stored[3] == d_rejected[1]);
}

TEST_CASE("ggml: what lies in a gradient elsewhere can be added to") {
  fake::device_buffer buffer;
  auto g = tensor_of<float>(buffer, fake::number::f32, {1, 2, 3, 4}, {2, 2});
  prefopt::ggml_gradient d{&g};
  CHECK(d.sequences()[1].in_place()[0] == 3);
  CHECK(d.rows()[1][1] == 4);
  CHECK(d.values(1, 2).in_place()[1] == 3);
}

TEST_CASE("ggml: a view's memory is that of its source") {
  fake::device_buffer buffer;
  auto source = tensor_of<float>(buffer, fake::number::f32, {1, 2, 3, 4, 5, 6}, {6});
  fake::tensor view = source;
  view.buffer = nullptr;
  view.view_src = &source;
  view.data = reinterpret_cast<void*>(0x1000 + 2 * sizeof(float));
  view.ne[0] = 3;
  CHECK(numbers(prefopt::ggml_numbers{&view}.values()) == doubles{3, 4, 5});
}

TEST_CASE("ggml: host memory is viewed where it lies") {
  std::vector<float> memory{1, 2, 3, 4, 5, 6};
  fake::device_buffer buffer{.bytes = {}, .is_host = true};
  fake::tensor x{.buffer = &buffer, .data = memory.data()};
  x.ne[0] = 6;
  prefopt::ggml_numbers const seen{&x};
  prefopt::ggml_gradient d{&x};
  CHECK(seen.values().in_place() == memory.data());
  CHECK(seen.values(2, 3).in_place() == memory.data() + 2);
  CHECK(d.values().in_place() == memory.data());
  d.store();
  CHECK(buffer.reads + buffer.writes == 0);
  x.buffer = nullptr;
  CHECK(prefopt::ggml_numbers{&x}.values().in_place() == memory.data());

  SECTION("every second one") {
    x.ne[0] = 3;
    x.nb[0] = 8;
    CHECK(numbers(prefopt::ggml_numbers{&x}.values()) == doubles{1, 3, 5});
    CHECK(numbers(prefopt::ggml_numbers{&x}.values(1, 2)) == doubles{3, 5});
  }
  SECTION("one number, whatever its stride") {
    x.ne[0] = 1;
    x.nb[0] = 3;
    CHECK(numbers(prefopt::ggml_numbers{&x}.values()) == doubles{1});
  }
  SECTION("transposed") {
    x.ne[0] = 2;
    x.ne[1] = 3;
    x.nb[0] = 12;
    x.nb[1] = 4;
    prefopt::ggml_numbers const transposed{&x};
    CHECK(numbers(transposed.sequences()[1]) == doubles{2, 5});
    CHECK(refusal([&] { (void)transposed.values(); }) ==
          "prefopt::ggml_numbers: the tensor is [2, 3, 1, 1] with gaps or permuted (nb[1] is 4 bytes), expected "
          "elements evenly apart: ggml_cont");
    CHECK(refusal([&] { (void)transposed.rows(); }) ==
          "prefopt::ggml_numbers: the tensor has a stride of 12 bytes in its rows (nb[0]), expected 4");
  }
}

TEST_CASE("ggml: numbers of every type") {
  fake::device_buffer buffer;
  doubles const expected{0.5, -1.25, 3};
  SECTION("f64") {
    auto const x = tensor_of<double>(buffer, fake::number::f64, {0.5, -1.25, 3}, {3});
    prefopt::ggml_numbers const seen{&x};
    CHECK(numbers(seen.values<double>()) == expected);
    CHECK(refusal([&] { (void)seen.values(); }) ==
          "prefopt::ggml_numbers: x is of type f64, which float cannot hold: ask for double");
    CHECK(refusal([&] { (void)seen.rows(); }) ==
          "prefopt::ggml_numbers: x is of another type, f64, than the rows that are asked for");
  }
  SECTION("f16") {
    using prefopt::float16;
    auto const x =
        tensor_of<float16>(buffer, fake::number::f16, {float16{0.5F}, float16{-1.25F}, float16{3.0F}}, {3, 1});
    prefopt::ggml_numbers const seen{&x};
    CHECK(numbers(seen.values()) == expected);
    CHECK(numbers(seen.values<double>()) == expected);
    CHECK(static_cast<float>(seen.rows<float16>()[0][2]) == 3);
  }
  SECTION("bf16, in rows with gaps") {
    using prefopt::bfloat16;
    auto const x = tensor_of<bfloat16>(buffer, fake::number::bf16,
                                       {bfloat16{1.0F}, bfloat16{2.0F}, bfloat16{3.0F}, bfloat16{4.0F}}, {2, 2}, 3);
    prefopt::ggml_numbers const seen{&x};
    CHECK(numbers(seen.sequences()[0]) == doubles{1, 2});
    CHECK(numbers(seen.sequences()[1]) == doubles{3, 4});
    CHECK(seen.rows<bfloat16>().stride() == 5);
    CHECK(static_cast<float>(seen.rows<Eigen::bfloat16>()[1][1]) == 4);
    CHECK(refusal([&] { (void)seen.rows<Eigen::half>(); }) ==
          "prefopt::ggml_numbers: x is of another type, bf16, than the rows that are asked for");
  }
}

TEST_CASE("ggml: token log-probs in rows, gradients in their shape") {
  fake::device_buffer x_buffer, d_buffer;
  std::vector<float> const mask{1, 1, 0, 1, 1, 1};
  auto const x = tensor_of<float>(x_buffer, fake::number::f32, {-1, -2, -9, -3, -4, -5}, {3, 2}, 1);
  auto g = tensor_of<float>(d_buffer, fake::number::f32, {7, 7, 7, 7, 7, 7}, {3, 2});
  prefopt::ggml_numbers const seen{&x};
  prefopt::ggml_gradient d{&g};
  std::vector<float> log_prob(2), reference{-2, -13};
  prefopt::evaluate(
      prefopt::dpo{.beta = 1},
      prefopt::token_policy<prefopt::dense_tokens<float>>{
          .tokens = {.log_prob = seen.sequences(), .mask = {mask.data(), 2, 3}}, .d_tokens = d.sequences()},
      prefopt::policy_pairs<float>{.ref_log_prob = reference}, {.log_prob = log_prob});
  CHECK(log_prob == std::vector<float>{-3, -12});
  std::vector<float> chosen{-3}, rejected{-12}, d_chosen(1);
  prefopt::evaluate(prefopt::dpo{.beta = 1},
                    prefopt::pair_batch<float>{.chosen = chosen,
                                               .rejected = rejected,
                                               .ref_chosen = std::span{reference}.first(1),
                                               .ref_rejected = std::span{reference}.last(1)},
                    {.d_chosen = d_chosen});
  float const slope = d_chosen[0], *const written = d.values().in_place();
  CHECK(std::vector<float>(written, written + 6) == std::vector<float>{slope, slope, 0, -slope, -slope, -slope});
}

TEST_CASE("ggml: refusals") {
  fake::device_buffer buffer;
  auto x = tensor_of<float>(buffer, fake::number::f32, {1, 2, 3, 4}, {2, 2});
  SECTION("no tensor") {
    CHECK(refusal([] { prefopt::ggml_numbers{static_cast<fake::tensor const*>(nullptr)}; }) ==
          "prefopt::ggml_numbers: the tensor is null");
    CHECK(refusal([] { prefopt::ggml_gradient{static_cast<fake::tensor*>(nullptr)}; }) ==
          "prefopt::ggml_gradient: the tensor is null");
  }
  SECTION("no memory") {
    x.data = nullptr;
    CHECK(refused_numbers(x) == "prefopt::ggml_numbers: x has no memory yet: allocate its context or graph first");
  }
  SECTION("no floating-point numbers") {
    x.type = fake::number::q8_0;
    CHECK(refused_numbers(x) == "prefopt::ggml_numbers: x is of type q8_0, expected f32, f16, bf16 or f64");
  }
  SECTION("nothing in it") {
    x.ne[1] = 0;
    CHECK(refused_numbers(x) == "prefopt::ggml_numbers: x is [2, 0, 1, 1], expected sizes of 1 or more");
  }
  SECTION("half elements") {
    x.nb[1] = 10;
    CHECK(refused_numbers(x) ==
          "prefopt::ggml_numbers: x has a stride of 10 bytes (nb[1]), expected a multiple of its elements' 4");
  }
  SECTION("an odd address") {
    std::vector<float> memory(5);
    x.buffer = nullptr;
    x.data = reinterpret_cast<std::byte*>(memory.data()) + 2;
    CHECK(refused_numbers(x) ==
          "prefopt::ggml_numbers: x lies at an address that is not a multiple of its elements' 4 bytes");
  }
  SECTION("a part that is not there") {
    prefopt::ggml_numbers const seen{&x};
    CHECK(refusal([&] { (void)seen.values(3, 2); }) ==
          "prefopt::ggml_numbers: x has 4 elements, asked for 2 from 3 on");
    CHECK(refusal([&] { (void)seen.values(5, static_cast<std::size_t>(-2)); }) ==
          "prefopt::ggml_numbers: x has 4 elements, asked for 18446744073709551614 from 5 on");
    CHECK(refusal([&] { (void)prefopt::ggml_gradient{&x}.values(0, 5); }) ==
          "prefopt::ggml_gradient: x has 4 elements, asked for 5 from 0 on");
  }
  SECTION("a gradient of another type") {
    auto half = tensor_of<prefopt::float16>(buffer, fake::number::f16, {{}, {}}, {2});
    CHECK(refusal([&] { prefopt::ggml_gradient{&half}; }) == "prefopt::ggml_gradient: x is of type f16, expected f32");
  }
  SECTION("a gradient that is computed") {
    x.op = fake::operation::mul;
    CHECK(refusal([&] { prefopt::ggml_gradient{&x}; }) ==
          "prefopt::ggml_gradient: x is the result of an operation, which would replace the gradient");
  }
  SECTION("a gradient with gaps") {
    auto gaps = tensor_of<float>(buffer, fake::number::f32, {1, 2, 3, 4}, {2, 2}, 1);
    CHECK(refusal([&] { prefopt::ggml_gradient{&gaps}; }) ==
          "prefopt::ggml_gradient: x is [2, 2, 1, 1] with gaps or permuted (nb[1] is 12 bytes), expected elements "
          "evenly apart: ggml_cont");
    gaps.ne[1] = 1;
    gaps.nb[0] = 8;
    CHECK(refusal([&] { prefopt::ggml_gradient{&gaps}; }) ==
          "prefopt::ggml_gradient: x has its elements 8 bytes apart, expected no gaps");
  }
}
