#include "byte_model.hpp"

#include "gaussian_matrix.hpp"

namespace {

constexpr unsigned char end_mark = 0xff;  // does not occur in UTF-8

/// Each place before the row has embeddings of its own.
Eigen::Index embedding_row(std::size_t place, unsigned char byte) {
  return static_cast<Eigen::Index>(place) * byte_model::alphabet + byte;
}

}  // namespace

void text_rows::add(std::string_view prompt, std::string_view completion) {
  std::array<unsigned char, context> seen{};
  auto const read = [&](unsigned char byte, std::int32_t label) {
    before.push_back(seen);
    labels.push_back(label);
    for (std::size_t place = context - 1; place > 0; --place) seen[place] = seen[place - 1];
    seen[0] = byte;
  };
  for (char const c : prompt) read(static_cast<unsigned char>(c), ignored);
  for (char const c : completion) read(static_cast<unsigned char>(c), static_cast<unsigned char>(c));
  read(end_mark, end_mark);
  offsets.push_back(static_cast<std::int64_t>(labels.size()));
}

byte_model::byte_model(std::mt19937_64& random)
    : embedding{0.2F * gaussian_matrix<float>(static_cast<Eigen::Index>(text_rows::context) * alphabet, width, random)},
      output{0.2F * gaussian_matrix<float>(alphabet, width, random)} {}

row_major_matrix byte_model::hidden(text_rows const& rows) const {
  row_major_matrix sums = row_major_matrix::Zero(static_cast<Eigen::Index>(rows.labels.size()), width);
  for (Eigen::Index row = 0; row < sums.rows(); ++row) {
    auto const& bytes = rows.before[static_cast<std::size_t>(row)];
    for (std::size_t place = 0; place < bytes.size(); ++place) {
      sums.row(row) += embedding.row(embedding_row(place, bytes[place]));
    }
  }
  return sums.array().tanh();
}

row_major_matrix embedding_gradient(text_rows const& rows, row_major_matrix const& hidden,
                                    row_major_matrix const& d_hidden) {
  row_major_matrix const d_sums = d_hidden.array() * (1 - hidden.array().square());
  row_major_matrix gradient =
      row_major_matrix::Zero(static_cast<Eigen::Index>(text_rows::context) * byte_model::alphabet, byte_model::width);
  for (Eigen::Index row = 0; row < d_sums.rows(); ++row) {
    auto const& bytes = rows.before[static_cast<std::size_t>(row)];
    for (std::size_t place = 0; place < bytes.size(); ++place) {
      gradient.row(embedding_row(place, bytes[place])) += d_sums.row(row);
    }
  }
  return gradient;
}
