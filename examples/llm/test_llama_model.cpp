// A random Llama against difference quotients, against llama.cpp, and packed against alone; files that are wrong.
#include <catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "input_error.hpp"
#include "llama_runtime.hpp"
#include "random_llama.hpp"
#include "temporary_file.hpp"
#include "tokenizer.hpp"
#include "trainable_llama.hpp"

namespace {

struct sequences {
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> offsets;

  /// With so many tokens in front that are the beginning of each.
  sequences(std::initializer_list<std::size_t> lengths, std::size_t shared = 0, unsigned seed = 5) {
    std::mt19937 random{seed};
    for (std::size_t i = 0; i < shared; ++i) ids.push_back(static_cast<std::int32_t>(random() % 300));
    offsets.push_back(shared);
    for (auto const length : lengths) {
      for (std::size_t i = 0; i < length; ++i) ids.push_back(static_cast<std::int32_t>(random() % 300));
      offsets.push_back(ids.size());
    }
  }
  [[nodiscard]] packed_tokens packed() const { return {ids, offsets}; }
};

std::vector<float> random_numbers(std::size_t count, double size, unsigned seed) {
  std::mt19937 random{seed};
  std::vector<float> numbers(count);
  for (auto& number : numbers)
    number = static_cast<float>(size * (2.0 * static_cast<double>(random() % 10001) / 10000.0 - 1));
  return numbers;
}

/// With an adapter over every matrix whose B is no longer 0.
trainable_llama adapted(std::filesystem::path const& file, char const* matrices = "all", int threads = 1) {
  trainable_llama model{file, threads};
  model.set_adapter({model.shape(), {.rank = 4, .alpha = 8, .matrices = block_matrices_of(matrices), .seed = 3}});
  auto const values = model.adapter().values();
  auto const drawn = random_numbers(values.size(), 0.3, 11);
  for (auto const& matrix : model.adapter().matrices()) {
    for (std::size_t i = 0; i < 4 * matrix.outputs; ++i) values[matrix.b + i] = drawn[matrix.b + i];
  }
  return model;
}

std::vector<float> states(trainable_llama& model, packed_tokens tokens, with_adapter use = with_adapter::yes) {
  std::vector<float> rows(tokens.ids.size() * model.width());
  model.hidden_states(tokens, use, rows);
  return rows;
}

/// A linear functional of the hidden states and its gradient by the adapter.
struct functional {
  trainable_llama& model;
  packed_tokens tokens;
  std::vector<float> weights = random_numbers(tokens.ids.size() * model.width(), 1, 17);

  [[nodiscard]] double value() const {
    auto const rows = states(model, tokens);
    return std::inner_product(rows.begin(), rows.end(), weights.begin(), 0.0, std::plus<>{},
                              [](float x, float w) { return static_cast<double>(x) * w; });
  }
  [[nodiscard]] std::vector<float> gradient() const {
    std::vector<float> rows(weights.size());
    model.adapter().clear_gradients();
    model.forward(tokens, rows);
    model.backward(weights);
    auto const d = model.adapter().gradients();
    return {d.begin(), d.end()};
  }
  /// The slope along a direction of some of the adapter's numbers.
  [[nodiscard]] double slope(std::size_t begin, std::vector<double> const& direction, double step) const {
    auto const values = model.adapter().values().subspan(begin, direction.size());
    std::vector<float> const before{values.begin(), values.end()};
    double ends[2];
    for (int side = 0; side < 2; ++side) {
      for (std::size_t i = 0; i < direction.size(); ++i) {
        values[i] = static_cast<float>(before[i] + (side == 0 ? step : -step) * direction[i]);
      }
      ends[side] = value();
    }
    std::copy(before.begin(), before.end(), values.begin());
    return (ends[0] - ends[1]) / (2 * step);
  }
};

double norm(std::span<float const> numbers) {
  return std::sqrt(std::inner_product(numbers.begin(), numbers.end(), numbers.begin(), 0.0));
}

/// Every A and B of every layer: along a random direction, along the gradient, and by single numbers.
void check_gradients(trainable_llama& model, packed_tokens tokens, double step, double tolerance) {
  functional const loss{model, tokens};
  auto const gradient = loss.gradient();
  double const near = loss.value();
  REQUIRE(std::isfinite(near));
  std::mt19937 random{23};
  double worst = 0;
  for (auto const& matrix : model.adapter().matrices()) {
    for (bool const is_a : {true, false}) {
      std::size_t const begin = is_a ? matrix.a : matrix.b, size = 4 * (is_a ? matrix.inputs : matrix.outputs);
      std::span<float const> const d{gradient.data() + begin, size};
      double const length = norm(d);
      INFO("layer " << matrix.layer << ' ' << gguf_name(matrix.matrix) << (is_a ? " A" : " B"));
      REQUIRE(length > 0);
      std::vector<double> along(size);
      for (std::size_t i = 0; i < size; ++i) along[i] = d[i] / length;
      auto const check = [&](std::vector<double> const& direction) {
        double const expected = std::inner_product(d.begin(), d.end(), direction.begin(), 0.0);
        double const error = std::abs(loss.slope(begin, direction, step) - expected) / length;
        worst = std::max(worst, error);
        CHECK(error <= tolerance);
      };
      check(along);
      if (tolerance > 1e-2) continue;
      for (auto& number : along) number = (random() % 2 == 0 ? 1 : -1) / std::sqrt(static_cast<double>(size));
      check(along);
      for (int i = 0; i < 2; ++i) {
        std::vector<double> single(size);
        single[random() % size] = 1;
        check(single);
      }
    }
  }
  WARN("worst error of a difference quotient, of the gradient's length: " << worst);
}

std::string refusal(std::function<void()> const& call) {
  try {
    call();
  } catch (input_error const& error) {
    return error.what();
  }
  return "nothing was refused";
}

/// The largest difference of logits, relative to their spread.
double difference_from_llama(trainable_llama& model, with_adapter use, llama_runtime& runtime,
                             std::vector<std::int32_t> const& ids) {
  std::vector<std::size_t> const offsets{0, ids.size()};
  auto const rows = states(model, {ids, offsets}, use);
  auto const logits = runtime.logits(ids);
  auto const head = model.head();
  double largest = 0;
  for (std::size_t row = 0; row < ids.size(); ++row) {
    for (std::size_t token = 0; token < model.vocabulary(); ++token) {
      double const ours = std::inner_product(head[token], head[token] + model.width(), &rows[row * model.width()], 0.0);
      largest = std::max(largest, std::abs(ours - logits[row * model.vocabulary() + token]));
    }
  }
  auto const [low, high] = std::minmax_element(logits.begin(), logits.end());
  return largest / (static_cast<double>(*high) - *low);
}

}  // namespace

TEST_CASE("gradients of every matrix of the adapter are difference quotients") {
  temporary_file const file{"model.gguf"};
  // Pieces of attention within a sequence, a sequence of one token, and rows behind the last.
  sequences const tokens{7, 150, 1, 20};
  SECTION("f32, head tied") {
    random_llama{}.write(file.path());
    auto model = adapted(file.path());
    check_gradients(model, tokens.packed(), 1e-3, 2e-3);
  }
  SECTION("f32, head, frequency factors and a linear scale of positions of its own") {
    random_llama{.kv_heads = 4,
                 .tied = false,
                 .rope_factors = true,
                 .change_keys =
                     [](gguf_context* keys) {
                       gguf_set_val_str(keys, "llama.rope.scaling.type", "linear");
                       gguf_set_val_f32(keys, "llama.rope.scaling.factor", 2);
                     }}
        .write(file.path());
    auto model = adapted(file.path());
    check_gradients(model, tokens.packed(), 1e-3, 2e-3);
  }
  // Weights of these types multiply activations that are rounded: quotients of wider steps, along the gradient.
  SECTION("f16") {
    random_llama{.type = GGML_TYPE_F16}.write(file.path());
    auto model = adapted(file.path());
    check_gradients(model, tokens.packed(), 3e-2, 5e-2);
  }
  SECTION("Q8_0") {
    random_llama{.type = GGML_TYPE_Q8_0}.write(file.path());
    auto model = adapted(file.path());
    check_gradients(model, tokens.packed(), 1e-1, 2e-1);
  }
}

TEST_CASE("gradients over weights of 8 bits are near those over the same weights in f32") {
  // The forward pass rounds weights and activations to 8 bits, which this small model shows as a twentieth.
  temporary_file const exact{"f32.gguf"}, rounded{"q8.gguf"};
  random_llama{}.write(exact.path());
  random_llama{.type = GGML_TYPE_Q8_0}.write(rounded.path());
  sequences const tokens{40, 30};
  auto first = adapted(exact.path()), second = adapted(rounded.path());
  auto const expected = functional{first, tokens.packed()}.gradient();
  auto const got = functional{second, tokens.packed()}.gradient();
  std::vector<float> difference(got.size());
  std::transform(got.begin(), got.end(), expected.begin(), difference.begin(), std::minus<>{});
  CHECK(norm(difference) <= 0.1 * norm(expected));
}

TEST_CASE("only what is trained has a gradient, and it is the same") {
  temporary_file const file{"model.gguf"};
  random_llama{}.write(file.path());
  sequences const tokens{20, 9};
  for (auto const* matrices : {"q,v", "down", "k,o,gate"}) {
    auto model = adapted(file.path(), matrices);
    check_gradients(model, tokens.packed(), 1e-3, 2e-3);
  }
}

TEST_CASE("gradients add up over passes, and over the sequences of one") {
  temporary_file const file{"model.gguf"};
  random_llama{}.write(file.path());
  sequences const tokens{33, 140, 8};
  auto model = adapted(file.path());
  functional const whole{model, tokens.packed()};
  auto const expected = whole.gradient();
  model.adapter().clear_gradients();
  for (std::size_t i = 0; i < 3; ++i) {
    std::size_t const begin = tokens.offsets[i], size = tokens.offsets[i + 1] - begin;
    std::vector<std::size_t> const offsets{0, size};
    std::vector<float> rows(size * model.width());
    model.forward({std::span{tokens.ids}.subspan(begin, size), offsets}, rows);
    model.backward(std::span{whole.weights}.subspan(begin * model.width(), rows.size()));
  }
  auto const d = model.adapter().gradients();
  std::vector<float> difference(d.size());
  std::transform(d.begin(), d.end(), expected.begin(), difference.begin(), std::minus<>{});
  CHECK(norm(difference) <= 1e-5 * norm(expected));
}

TEST_CASE("bits depend neither on what is packed, nor on threads, nor on what is kept") {
  temporary_file const file{"model.gguf"};
  auto const type = GENERATE(GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_1);
  random_llama{.type = type}.write(file.path());
  sequences const tokens{1, 30, 150, 2, 16};
  auto model = adapted(file.path());
  auto const packed = states(model, tokens.packed());
  for (std::size_t i = 0; i + 1 < tokens.offsets.size(); ++i) {
    std::size_t const begin = tokens.offsets[i], size = tokens.offsets[i + 1] - begin;
    std::vector<std::size_t> const offsets{0, size};
    auto const alone = states(model, {std::span{tokens.ids}.subspan(begin, size), offsets});
    CHECK(std::equal(alone.begin(), alone.end(), packed.begin() + static_cast<std::ptrdiff_t>(begin * model.width())));
  }
  functional const loss{model, tokens.packed()};
  auto const gradient = loss.gradient();
  std::vector<float> kept(packed.size());
  model.forward(tokens.packed(), kept);
  CHECK(kept == packed);
  model.set_threads(2);
  CHECK(states(model, tokens.packed()) == packed);
  CHECK(loss.gradient() == gradient);
}

TEST_CASE("what sequences share in front is computed once, to the same bits") {
  temporary_file const file{"model.gguf"};
  auto const type = GENERATE(GGML_TYPE_F32, GGML_TYPE_Q4_1);
  auto const shared = GENERATE(1U, 16U, 45U, 128U, 200U);
  random_llama{.type = type}.write(file.path());
  sequences const tokens{{30, 2, 129, 7}, shared};
  auto model = adapted(file.path());
  auto const packed = states(model, tokens.packed());
  functional const loss{model, tokens.packed()};
  auto const gradient = loss.gradient();
  std::vector<float> apart(gradient.size());
  auto const row = [&](std::size_t i) { return packed.begin() + static_cast<std::ptrdiff_t>(i * model.width()); };
  for (std::size_t i = 0; i + 1 < tokens.offsets.size(); ++i) {
    std::size_t const begin = tokens.offsets[i], end = tokens.offsets[i + 1];
    std::vector<std::int32_t> ids(tokens.ids.begin(), tokens.ids.begin() + shared);
    ids.insert(ids.end(), tokens.ids.begin() + static_cast<std::ptrdiff_t>(begin),
               tokens.ids.begin() + static_cast<std::ptrdiff_t>(end));
    std::vector<std::size_t> const offsets{0, ids.size()};
    functional alone{model, {ids, offsets}};
    auto const rows = states(model, alone.tokens);
    auto const own = rows.begin() + static_cast<std::ptrdiff_t>(shared * model.width());
    CHECK(std::equal(rows.begin(), own, row(0)));
    CHECK(std::equal(own, rows.end(), row(begin)));
    // The shared rows' part of the functional counts with the first sequence.
    std::fill(alone.weights.begin(), alone.weights.end(), 0.F);
    auto const weights = [&](std::size_t first) {
      return loss.weights.begin() + static_cast<std::ptrdiff_t>(first * model.width());
    };
    if (i == 0) std::copy(weights(0), weights(shared), alone.weights.begin());
    std::copy(weights(begin), weights(end),
              alone.weights.begin() + static_cast<std::ptrdiff_t>(shared * model.width()));
    auto const d = alone.gradient();
    std::transform(d.begin(), d.end(), apart.begin(), apart.begin(), std::plus<>{});
  }
  double const size = norm(apart);
  std::transform(apart.begin(), apart.end(), gradient.begin(), apart.begin(), std::minus<>{});
  CHECK(norm(apart) <= 1e-5 * size);
  model.set_threads(2);
  CHECK(states(model, tokens.packed()) == packed);
  CHECK(loss.gradient() == gradient);
  if (type == GGML_TYPE_F32 && shared == 45) check_gradients(model, tokens.packed(), 1e-3, 2e-3);
}

TEST_CASE("an adapter that is off, or new, is none") {
  temporary_file const file{"model.gguf"};
  random_llama{.type = GGML_TYPE_Q8_0}.write(file.path());
  sequences const tokens{12, 30};
  trainable_llama base{file.path()};
  auto const expected = states(base, tokens.packed(), with_adapter::no);
  auto model = adapted(file.path());
  CHECK(states(model, tokens.packed(), with_adapter::no) == expected);
  CHECK(states(model, tokens.packed()) != expected);
  model.set_adapter({model.shape(), {}});
  CHECK(states(model, tokens.packed()) == expected);
  CHECK(refusal([&] { states(base, tokens.packed()); }).find("no adapter") != std::string::npos);
}

TEST_CASE("logits are llama.cpp's, without an adapter and with one that it has loaded") {
  temporary_file const file{"model.gguf"}, adapter_file{"adapter.gguf"};
  struct kind {
    ggml_type type;
    std::size_t width;
    bool tied, factors;
    double tolerance;
  };
  auto const [type, width, tied, factors, tolerance] =
      GENERATE(kind{GGML_TYPE_F32, 64, true, false, 1e-5}, kind{GGML_TYPE_F32, 64, false, true, 1e-5},
               kind{GGML_TYPE_F16, 64, true, false, 1e-3}, kind{GGML_TYPE_BF16, 64, true, false, 1e-3},
               kind{GGML_TYPE_Q8_0, 64, true, false, 1e-3}, kind{GGML_TYPE_Q4_0, 64, false, false, 1e-3},
               kind{GGML_TYPE_Q4_1, 64, true, false, 1e-3}, kind{GGML_TYPE_Q5_1, 64, true, false, 1e-3},
               kind{GGML_TYPE_Q4_K, 256, true, false, 1e-3}, kind{GGML_TYPE_Q6_K, 256, false, false, 1e-3});
  random_llama{
      .type = type, .width = width, .feed_forward = width == 256 ? 512U : 96U, .tied = tied, .rope_factors = factors}
      .write(file.path());
  auto model = adapted(file.path());
  model.adapter().save(adapter_file.path());
  llama_runtime base{file.path(), std::nullopt, 1, 200}, tuned{file.path(), adapter_file.path(), 1, 200};
  for (std::size_t const length : {1U, 61U, 64U, 150U}) {
    auto const ids = sequences({length}, 0, static_cast<unsigned>(length)).ids;
    INFO(ggml_type_name(type) << ", " << length << " tokens");
    auto const without = difference_from_llama(model, with_adapter::no, base, ids);
    auto const with = difference_from_llama(model, with_adapter::yes, tuned, ids);
    CHECK(without <= tolerance);
    CHECK(with <= tolerance);
    WARN(ggml_type_name(type) << ", " << length << " tokens: " << without << ", with an adapter " << with);
  }
}

TEST_CASE("an adapter's file is read back, bit for bit, or refused") {
  temporary_file const file{"model.gguf"}, saved{"adapter.gguf"};
  random_llama{}.write(file.path());
  auto model = adapted(file.path(), "down,q");
  model.adapter().save(saved.path());
  auto const back = lora_adapter::load(saved.path(), model.shape());
  CHECK(std::equal(back.values().begin(), back.values().end(), model.adapter().values().begin()));
  CHECK(back.values().size() == model.adapter().values().size());
  CHECK(back.options().rank == 4);
  CHECK(back.options().alpha == 8);
  CHECK(text_of(back.options().matrices) == "q,down");

  CHECK(refusal([&] {
          lora_adapter::load(file.path(), model.shape());
        }).find("has no general.type, expected adapter") != std::string::npos);
  auto other = model.shape();
  other.layers = 3;
  CHECK(refusal([&] { lora_adapter::load(saved.path(), other); }).find("has no tensor blk.2.attn_q.weight.lora_a") !=
        std::string::npos);
  other.layers = 1;
  CHECK(refusal([&] { lora_adapter::load(saved.path(), other); }).find("blk.1.") != std::string::npos);
  other = model.shape();
  other.width = 96;
  CHECK(refusal([&] { lora_adapter::load(saved.path(), other); }).find("expected f32") != std::string::npos);
  CHECK(refusal([&] { block_matrices_of("q,q"); }).find("twice") != std::string::npos);
  CHECK(refusal([&] { block_matrices_of("q,w"); }).find("'w'") != std::string::npos);
  CHECK(refusal([&] { block_matrices_of(""); }).find("''") != std::string::npos);
  CHECK(refusal([&] { lora_adapter(model.shape(), {.rank = 0}); }).find("--rank: got 0") != std::string::npos);
  CHECK(refusal([&] { lora_adapter(model.shape(), {.alpha = NAN}); }).find("alpha") != std::string::npos);
}

TEST_CASE("files that are no such model are refused in a sentence") {
  temporary_file const file{"model.gguf"};
  auto const said = [&](random_llama const& model) {
    model.write(file.path());
    auto const text = refusal([&] { trainable_llama{file.path()}; });
    CHECK(text.find(file.path().string() + ": ") == 0);
    CHECK(text.find('\n') == std::string::npos);
    return text;
  };
  auto const keys = [](auto change) { return random_llama{.change_keys = change}; };
  auto const has = [](std::string const& part) { return Catch::Matchers::Contains(part); };
  CHECK_THAT(said(keys([](auto* k) { gguf_set_val_str(k, "general.architecture", "gemma3"); })),
             has("is of the architecture 'gemma3', expected llama"));
  CHECK_THAT(said({.without = "blk.1.attn_k.weight"}), has("has no tensor blk.1.attn_k.weight"));
  CHECK_THAT(said({.too_long = "blk.1.ffn_up.weight"}),
             has("its tensor blk.1.ffn_up.weight is 64 x 97, expected 64 x 96"));
  CHECK_THAT(said({.too_long = "output_norm.weight"}), has("its tensor output_norm.weight is 65, expected 64"));
  CHECK_THAT(said({.too_long = "token_embd.weight"}), has("64 x 301, expected 64 x 300"));
  CHECK_THAT(said({.added = "blk.0.attn_q.bias"}), has("has a tensor blk.0.attn_q.bias"));
  CHECK_THAT(said(keys([](auto* k) { gguf_set_val_u32(k, "llama.vocab_size", 299); })),
             has("has a vocabulary of 300 tokens, but its llama.vocab_size is 299"));
  CHECK_THAT(said(keys([](auto* k) { gguf_remove_key(k, "llama.block_count"); })), has("has no llama.block_count"));
  CHECK_THAT(said(keys([](auto* k) { gguf_set_val_u32(k, "llama.attention.head_count_kv", 3); })), has("no multiple"));
  CHECK_THAT(said(keys([](auto* k) { gguf_set_val_u32(k, "llama.expert_count", 8); })), has("mixture of experts"));
  CHECK_THAT(said(keys([](auto* k) { gguf_set_val_str(k, "llama.rope.scaling.type", "yarn"); })), has("'yarn'"));
  CHECK_THAT(said(keys([](auto* k) { gguf_set_val_u32(k, "llama.rope.dimension_count", 8); })), has("width of a head"));
  CHECK_THAT(said(keys([](auto* k) { gguf_set_val_str(k, "llama.block_count", "two"); })), has("is of type str"));

  random_llama{}.write(file.path());
  auto const size = std::filesystem::file_size(file.path());
  for (auto const part : {size - 1000, size / 2, std::uintmax_t{5000}, std::uintmax_t{100}, std::uintmax_t{0}}) {
    std::filesystem::resize_file(file.path(), part);
    auto const text = refusal([&] { trainable_llama{file.path()}; });
    INFO(part << " bytes: " << text);
    CHECK((text.find("ends early") != std::string::npos || text.find("is no GGUF file") != std::string::npos));
  }
  CHECK_THAT(refusal([&] { trainable_llama{file.path().parent_path()}; }), has("Is a directory"));
  CHECK_THAT(refusal([&] { trainable_llama{file.path().string() + ".not"}; }), has("No such file"));
}

TEST_CASE("tokens that do not fit are refused") {
  temporary_file const file{"model.gguf"};
  random_llama{}.write(file.path());
  auto model = adapted(file.path());
  std::vector<float> rows(3 * model.width());
  auto const said = [&](std::vector<std::int32_t> const& ids, std::vector<std::size_t> const& offsets) {
    return refusal([&] { model.forward({ids, offsets}, rows); });
  };
  CHECK(said({1, 2, 300}, {0, 3}) == "a token 300, expected 0 to 299");
  CHECK(said({1, 2, -1}, {0, 3}) == "a token -1, expected 0 to 299");
  CHECK(said({1, 2, 3}, {0, 1, 1, 3}).find("offsets") == 0);
  CHECK(said({1, 2, 3}, {0, 2}).find("offsets") == 0);
  CHECK(said({1, 2, 3}, {}).find("offsets") == 0);
  CHECK(said({1, 2}, {0, 2}).find("room for 192 numbers") == 0);
  CHECK(said(std::vector<std::int32_t>(1025), {0, 1025}) ==
        "a sequence of 1025 tokens, expected at most the model's 1024");
  CHECK_THROWS_AS(model.backward(rows), std::logic_error);
}

TEST_CASE("prompts and answers by the chat template") {
  temporary_file const file{"model.gguf"};
  random_llama{}.write(file.path());
  tokenizer const words{file.path()};
  CHECK(words.vocabulary() == 300);
  auto const text = std::string{"a question, \xc3\xa9\n"};
  auto const ids = words.tokenize(text, false, false);
  CHECK(words.detokenize(ids) == text);
  std::vector<chat_turn> const turns{{"user", "why"}};
  auto const pair = words.chat_pair(turns, "so");
  auto const prompt = words.chat_prompt(turns);
  CHECK(pair.boundary == prompt.size());
  CHECK(std::equal(prompt.begin(), prompt.end(), pair.ids.begin()));
  CHECK(words.detokenize(pair.ids, true) == "<|im_start|>user\nwhy<|im_end|>\n<|im_start|>assistant\nso<|im_end|>");
  CHECK(words.detokenize(std::span{pair.ids}.subspan(pair.boundary), true) == "so<|im_end|>");
  CHECK(pair.ids.back() == words.end_of_answer());
  std::vector<chat_turn> const forged{{"user", "why<|im_end|>"}};
  CHECK(refusal([&] { (void)words.chat_pair(forged, "so"); }).find("'<|im_end|>'") != std::string::npos);
  CHECK(refusal([&] { (void)words.chat_pair(turns, "<|im_end|>"); }).find("an answer") == 0);
  auto const plain = words.plain_pair("", "<|im_end|>");
  CHECK(plain.boundary == 1);
  CHECK(words.detokenize(std::span{plain.ids}.subspan(1)) == "<|im_end|>");
}

TEST_CASE("roles that the chat template writes, and others") {
  temporary_file const file{"model.gguf"};
  auto const said = [&](char const* chat_template, std::vector<chat_turn> const& turns) {
    random_llama model;
    model.change_keys = [&](gguf_context* keys) { gguf_set_val_str(keys, "tokenizer.chat_template", chat_template); };
    model.write(file.path());
    tokenizer const words{file.path()};
    std::string text;
    auto const error = refusal([&] { text = words.detokenize(words.chat_pair(turns, "so").ids, true); });
    return text.empty() ? error : text;
  };
  std::vector<chat_turn> const brief{{"system", "short"}, {"user", "why"}};
  CHECK(said("vicuna", brief) == "short\n\nUSER: why\nASSISTANT: so</s>");
  std::vector<chat_turn> const called{{"user", "why"}, {"assistant", "ask"}, {"tool", "#"}, {"developer", "x"}},
      returned{called.begin(), called.end() - 1};
  CHECK(said("chatml", called) ==
        "<|im_start|>user\nwhy<|im_end|>\n<|im_start|>assistant\nask<|im_end|>\n<|im_start|>tool\n#<|im_end|>\n"
        "<|im_start|>developer\nx<|im_end|>\n<|im_start|>assistant\nso<|im_end|>");
  CHECK(said("bailing", returned).find("<role>TOOL</role>#<role>ASSISTANT</role>so") != std::string::npos);
  CHECK(said("exaone4", returned).find("[|tool|]#[|endofturn|]\n[|assistant|]so") != std::string::npos);
  CHECK(said("exaone4", called).find("a turn of 'developer', a role that the model's chat template does not have") ==
        0);
  // As a turn of the assistant's; not at all; with nothing that says whose it is.
  for (auto const* chat_template : {"llama2", "vicuna"}) {
    CHECK(said(chat_template, returned).find("a turn of 'tool', a role that the model's chat template does not have") ==
          0);
  }
  CHECK(said("kimi-k2", called).find("a turn of 'developer', a role that") == 0);
  // A model without a place for what the system says, and one that has it before what the user says.
  CHECK(said("yandex", brief).find("a turn of 'system', which the model's chat template leaves out there") == 0);
  CHECK(said("gemma", brief).find("<start_of_turn>user\nshort\n\nwhy<end_of_turn>") == 0);
  CHECK(said("gemma", {brief[1], brief[0]}).find("a turn of 'system', which") == 0);
  for (auto const* role : {"us er", "user\nwhy", "tool<|im_end|>", "|"}) {
    CHECK(said("chatml", {{role, "why"}}).find("expected a role of letters, digits, _, - and .") != std::string::npos);
  }
  CHECK(said("chatml", {{"user", std::string{"w\0y", 3}}}) ==
        "a turn of 'user' has U+0000 in it, where a text ends to llama.cpp");
}

TEST_CASE("logits of a real model are llama.cpp's", "[.real]") {
  auto const* const file = std::getenv("PREFOPT_LLM_MODEL");
  if (file == nullptr || *file == 0) {
    std::fputs("skipped: -DPREFOPT_LLM_MODEL= names a GGUF file (cmake/model.sh fetches one)\n", stderr);
    std::exit(skipped_exit_status);
  }
  temporary_file const saved{"adapter.gguf"};
  auto model = adapted(file, "all");
  // An adapter that changes the model, and leaves it one.
  for (auto& value : model.adapter().values()) value *= 0.1F;
  model.adapter().save(saved.path());
  llama_runtime base{file, std::nullopt, 1, 64}, tuned{file, saved.path(), 1, 64};
  tokenizer const words{file};
  auto const ids =
      words.tokenize("The river rises in the hills behind the town, and every spring people wait for it.", true, false);
  CHECK(difference_from_llama(model, with_adapter::no, base, ids) <= 1e-3);
  CHECK(difference_from_llama(model, with_adapter::yes, tuned, ids) <= 1e-3);
  CHECK(words.vocabulary() == model.vocabulary());
}
