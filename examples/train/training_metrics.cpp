#include "training_metrics.hpp"

#include <cmath>
#include <cstdio>

#include "number_text.hpp"

namespace {

struct metric {
  char const* name;
  double loss_metrics::*value;
};
constexpr metric always[] = {
    {"loss", &loss_metrics::loss}, {"accuracy", &loss_metrics::accuracy}, {"margin", &loss_metrics::margin}};
constexpr metric best_probability{"best_probability", &loss_metrics::best_probability};

/// During sft there is a loss only, and before the first epoch nothing was trained.
bool is_known(epoch_metrics const& row, loss_metrics epoch_metrics::*part, metric const& which, known_metrics known) {
  bool const is_loss = which.value == &loss_metrics::loss;
  if (row.phase == training_phase::sft) return is_loss;
  if (!known.accuracy && !is_loss) return false;
  return row.epoch != 0 || part == &epoch_metrics::held_out;
}

}  // namespace

std::string described(loss_metrics const& metrics, known_metrics known) {
  char text[128];
  std::snprintf(text, sizeof text, "loss %.4f", metrics.loss);
  std::string all{text};
  if (known.accuracy) {
    std::snprintf(text, sizeof text, ", accuracy %.3f, margin %.3f", metrics.accuracy, metrics.margin);
    all += text;
  }
  if (known.best_probability) {
    std::snprintf(text, sizeof text, ", best probability %.3f", metrics.best_probability);
    all += text;
  }
  return all;
}

std::string metrics_csv(std::vector<epoch_metrics> const& rows, known_metrics known) {
  struct column {
    char const* phase;
    loss_metrics epoch_metrics::*part;
    metric which;
  };
  std::vector<column> columns;
  for (auto const& which : always) columns.push_back({"training_", &epoch_metrics::training, which});
  for (auto const& which : always) columns.push_back({"held_out_", &epoch_metrics::held_out, which});
  if (known.best_probability) {
    columns.push_back({"training_", &epoch_metrics::training, best_probability});
    columns.push_back({"held_out_", &epoch_metrics::held_out, best_probability});
  }

  std::string text = "phase,epoch";
  for (auto const& [phase, part, which] : columns) text.append(",").append(phase).append(which.name);
  text += '\n';
  for (auto const& row : rows) {
    text.append(row.phase == training_phase::sft ? "sft," : "preference,").append(std::to_string(row.epoch));
    for (auto const& [phase, part, which] : columns) {
      text += ',';
      if (is_known(row, part, which, known)) text += number_text(row.*part.*(which.value));
    }
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
