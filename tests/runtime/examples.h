// The examples of the repository with their data.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "runtime/model.h"
#include "runtime/training.h"

namespace descent::test {

/// Calls `use` with the model of every example that has data, its tensors, and how many rows they have: at most so
/// many.
inline void for_examples(std::int64_t most,
                         const std::function<void(const Model&, const Tensors&, std::int64_t)>& use) {
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SOURCE_DIR) + "/examples")) {
    if (entry.path().extension() != ".descent") continue;
    const std::string file = entry.path().string();
    INFO(file);
    const Model model = Model::from_file(file);
    if (!model.implementation()->settings.data) continue;
    Trainer first(model);
    const runtime::Dataset data = runtime::load_dataset(first, model, file, std::nullopt, true);
    const std::int64_t rows = std::min(data.rows, most);
    Tensors tensors = data.views(true, model.implementation()->interface);
    for (auto& tensor : tensors)
      tensor = tensor.first(tensor.size() / static_cast<std::size_t>(data.rows) * static_cast<std::size_t>(rows));
    use(model, tensors, rows);
  }
}

}  // namespace descent::test
