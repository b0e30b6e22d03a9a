#include "training_metrics.hpp"

#include <cmath>

#include "number_text.hpp"

namespace {

void append(std::string& line, pair_metrics const& metrics, training_phase phase) {
  line.append(1, ',').append(number_text(metrics.loss));
  if (phase == training_phase::sft) {
    line += ",,";
    return;
  }
  line.append(1, ',').append(number_text(metrics.accuracy)).append(1, ',').append(number_text(metrics.margin));
}

}  // namespace

std::string metrics_csv(std::vector<epoch_metrics> const& rows) {
  std::string text =
      "phase,epoch,training_loss,training_accuracy,training_margin,held_out_loss,held_out_accuracy,held_out_margin\n";
  for (auto const& row : rows) {
    text.append(row.phase == training_phase::sft ? "sft," : "preference,").append(std::to_string(row.epoch));
    if (row.phase == training_phase::preference && row.epoch == 0) {
      text += ",,,";
    } else {
      append(text, row.training, row.phase);
    }
    append(text, row.held_out, row.phase);
    text += '\n';
  }
  return text;
}

interval wilson_interval(double proportion, double count) {
  constexpr double z = 1.959963984540054;
  double const scale = 1 + z * z / count;
  double const center = (proportion + z * z / (2 * count)) / scale;
  double const half = z / scale * std::sqrt(proportion * (1 - proportion) / count + z * z / (4 * count * count));
  return {center - half, center + half};
}
