// Tensors of a model's shapes to time its step with: the same numbers every time.
#pragma once

#include <cmath>

#include "descent/descent.h"
#include "ir/threefry.h"
#include "runtime/model.h"

namespace descent::cli {

/// The batch is the first symbolic size; others, such as the length of a sequence, are made up as the data are.
inline ir::DimensionValues made_up_sizes(const Model& model, std::int64_t batch) {
  ir::DimensionValues sizes;
  for (const std::string& name : model.implementation()->interface.dimensions())
    sizes[name] = sizes.empty() ? batch : 16;
  return sizes;
}

struct MadeUpData {
  std::vector<std::vector<float>> values;
  Tensors tensors;  ///< of `values`

  /// Inputs uniform in [-1, 1), targets 0 or 1; whole numbers below how many things they name one of, or below 16.
  MadeUpData(const Model& model, const ir::DimensionValues& sizes) {
    const auto& index_counts = model.implementation()->settings.index_counts;
    for (const ir::Input& input : model.implementation()->interface.inputs) {
      std::vector<float> numbers(static_cast<std::size_t>(ir::element_count(input.shape, sizes)));
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto bits = ir::threefry2x32(0, static_cast<std::uint32_t>(ir::Stream::bench_data),
                                           static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(values.size()));
        const float u = ir::uniform_from_bits(bits[0]);
        const auto counted = index_counts.find(input.name);
        if (counted != index_counts.end() || input.dtype == ir::DType::i32) {
          numbers[i] = std::floor(u * static_cast<float>(counted == index_counts.end() ? 16 : counted->second));
        } else {
          const bool is_truth = input.is_target || input.dtype == ir::DType::boolean;
          numbers[i] = is_truth ? (u < 0.5f ? 0.0f : 1.0f) : 2 * u - 1;
        }
      }
      values.push_back(std::move(numbers));
    }
    for (const auto& numbers : values) tensors.emplace_back(numbers);
  }
  MadeUpData(const MadeUpData&) = delete;
  MadeUpData& operator=(const MadeUpData&) = delete;
};

}  // namespace descent::cli
