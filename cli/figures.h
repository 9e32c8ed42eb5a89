// Numbers as the commands show them.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/training.h"

namespace descent::cli {

/// JSON has no NaN: such a figure is null.
inline nlohmann::ordered_json figure(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

inline std::string shown(double value, int digits = 4) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : "-";
}

/// The losses and metrics that have names, as members of a JSON object; none where the model has none.
inline void add_named_figures(nlohmann::ordered_json& object, const runtime::Scores& scores,
                              const std::string& before_keys = "") {
  const auto add = [&](const char* key, const std::vector<Trainer::Figure>& figures) {
    for (const Trainer::Figure& f : figures) object[before_keys + key][f.name] = figure(f.value);
  };
  add("losses", scores.losses);
  add("metrics", scores.metrics);
}

/// All figures of those with names, losses first.
inline std::vector<Trainer::Figure> named_figures(const runtime::Scores& scores) {
  std::vector<Trainer::Figure> figures = scores.losses;
  figures.insert(figures.end(), scores.metrics.begin(), scores.metrics.end());
  return figures;
}

}  // namespace descent::cli
