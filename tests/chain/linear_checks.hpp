#pragma once

#include <cstdio>
#include <mutex>
#include <set>

#include "host_products.hpp"
#include "linear_data.hpp"
#include "thread_pool.hpp"

/// Another product that notes how many rows of logits it was asked for.
template <class Product>
struct noting_product {
  Product product{};
  std::set<std::size_t>* chunks = nullptr;

  template <class A, class T>
    requires prefopt::matrix_product<Product, A, A, T>
  void operator()(prefopt::matrix_factor<A> const& a, prefopt::matrix_factor<A> const& b,
                  prefopt::row_major<T> const& c, bool accumulate) const {
    // Of the three products only that of the logits has its second factor alone transposed.
    if (chunks != nullptr && !a.transposed && b.transposed) chunks->insert(c.rows());
    product(a, b, c, accumulate);
  }
};

/// Log-probs, then gradients, within their bounds under every memory budget: from one row at a time to all.
template <class U, class Product>
void check_every_chunk(linear_data<U> const& data, char const* name, Product const& product = {},
                       std::size_t steps_a_row = 3) {
  using T = prefopt::detail::computed_of<U>;
  using factor = prefopt::detail::factor_of<Product, U>;
  T const before = T(0.75);
  linear_truth<U, factor> const truth{data}, added{data, before};
  worst_share log_probs, gradients;
  std::set<std::size_t> chunks;
  noting_product<Product> const noting{product, &chunks};
  std::size_t const least = data.least_budget(noting, linear_results<T>{data}.targets());
  std::size_t const a_row = data.vocabulary * sizeof(T) + data.width * (sizeof(factor) + sizeof(T));
  std::size_t calls = 0;
  for (std::size_t step = 0; step <= steps_a_row * (data.counted() + 1); ++step) {
    std::size_t const budget = least + step * a_row / steps_a_row + step % 5;
    INFO(name << ", memory budget " << budget);
    std::vector<T> log_prob(data.rows, T(-77));
    std::vector<double> log_sum_exp(data.rows, -77);
    linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp}, noting,
                          {.memory_budget = budget});
    truth.check_log_probs(log_prob, log_probs);
    for (bool const adds : {false, true}) {
      linear_results<T> got{data, adds ? before : linear_results<T>::untouched};
      linear_token_logprob_gradients(
          data.head(), data.labels, log_sum_exp, data.d_log_prob, got.targets(), noting,
          {.gradient = adds ? prefopt::gradient_write::accumulate : prefopt::gradient_write::assign,
           .memory_budget = budget});
      (adds ? added : truth).check_gradients(got, gradients);
      // Rows with an ignored label: 0, or what was there, exactly; and nothing between the rows.
      std::size_t strays = 0;
      for (std::size_t row = 0; row < data.rows; ++row) {
        for (std::size_t k = 0; k < got.stride; ++k) {
          T const at = got.hidden[row * got.stride + k];
          if (k >= got.width) {
            strays += at != (adds ? before : linear_results<T>::untouched);
          } else if (data.labels[row] == -100) {
            strays += at != (adds ? before : T(0));
          }
        }
      }
      for (std::size_t i = 0; i < got.weight.size(); ++i) {
        strays += i % got.stride >= got.width && got.weight[i] != (adds ? before : linear_results<T>::untouched);
      }
      CHECK(strays == 0);
    }
    ++calls;
  }
  // The last chunk has as many rows as there is room for, and all numbers of them occur.
  for (std::size_t count = 1; steps_a_row > 1 && count <= data.counted(); ++count) CHECK(chunks.contains(count));
  std::printf("%-24s %3zu memory budgets: largest error of log-probs %.3Lf, of gradients %.3Lf of their bounds\n", name,
              calls, log_probs.share, gradients.share);
}

/// The bits do not depend on the number of threads, in parts of the vocabulary and of the width, one chunk or several.
template <class U, class Product>
void check_threads(char const* name, Product const& product = {}) {
  using T = prefopt::detail::computed_of<U>;
  using factor = prefopt::detail::factor_of<Product, U>;
  linear_data<U> const data{5, 1101, 259};
  for (std::size_t const rows : {2U, 8U}) {
    std::size_t const budget = data.least_budget(product, linear_results<T>{data}.targets()) +
                               (rows - 1) * (data.vocabulary * sizeof(T) + data.width * (sizeof(factor) + sizeof(T)));
    std::vector<T> alone;
    linear_results<T> serial{data};
    for (std::size_t const threads : {0U, 2U, 7U}) {
      INFO(name << ", " << threads << " threads");
      thread_pool const pool{threads};
      prefopt::linear_options options{.memory_budget = budget};
      if (threads != 0) options.executor = pool;
      std::vector<T> log_prob(data.rows);
      std::vector<double> log_sum_exp(data.rows);
      linear_token_logprobs(data.head(), data.labels, {.log_prob = log_prob, .log_sum_exp = log_sum_exp}, product,
                            options);
      linear_results<T> got{data};
      linear_token_logprob_gradients(data.head(), data.labels, log_sum_exp, data.d_log_prob, got.targets(), product,
                                     options);
      if (threads == 0) {
        alone = log_prob;
        serial = got;
        worst_share worst;
        linear_truth<U, factor> const truth{data};
        truth.check_log_probs(log_prob, worst);
        truth.check_gradients(got, worst);
      } else {
        CHECK(same_numbers(log_prob, alone));
        CHECK(got == serial);
      }
    }
  }
}

/// Products of all small shapes, one row, column or both among them, stored either way, with and without gaps between
/// rows, set and added up: exactly those of plain loops, as the numbers are small and whole.
template <class T, class Product>
void check_small_products(Product const& product = {}) {
  std::vector<T> a(128), b(128);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<T>(i * 7 % 11) - 5;
    b[i] = static_cast<T>(i * 5 % 13) - 6;
  }
  std::size_t different = 0, shapes = 0;
  for (std::size_t const rows : {1U, 2U, 5U}) {
    for (std::size_t const inner : {1U, 2U, 4U}) {
      for (std::size_t const columns : {1U, 2U, 7U}) {
        for (unsigned way = 0; way < 16; ++way) {
          bool const a_is_turned = (way & 1) != 0, b_is_turned = (way & 2) != 0, adds = (way & 4) != 0;
          std::size_t const gap = (way & 8) != 0 ? 3 : 0;
          auto const factor = [&](std::vector<T> const& numbers, std::size_t height, std::size_t width, bool turned) {
            if (turned) std::swap(height, width);
            return prefopt::matrix_factor<T>{{numbers.data(), height, width, static_cast<std::ptrdiff_t>(width + gap)},
                                             turned};
          };
          std::vector<T> got(80, T(1)), expected = got;
          auto const target = [&](std::vector<T>& numbers) {
            return prefopt::row_major<T>{numbers.data(), rows, columns, static_cast<std::ptrdiff_t>(columns + gap)};
          };
          auto const left = factor(a, rows, inner, a_is_turned), right = factor(b, inner, columns, b_is_turned);
          product(left, right, target(got), adds);
          multiply_plainly(left, right, target(expected), adds);
          ++shapes;
          if (got == expected) continue;
          ++different;
          INFO(rows << " x " << inner << " x " << columns << ", way " << way);
          CHECK(got == expected);
        }
      }
    }
  }
  CHECK(different == 0);
  CHECK(shapes == 432);
}
