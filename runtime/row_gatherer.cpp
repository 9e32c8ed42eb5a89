#include "runtime/row_gatherer.h"

#include <algorithm>

#include "ir/elements.h"

namespace descent::runtime {

namespace {

/// Puts the rows of `more` behind those of `all`: both are blocks of rows, one for every index of the axes before.
void append_rows(ir::Tensor& all, const ir::Tensor& more, std::size_t axis) {
  std::size_t blocks = 1;
  for (std::size_t i = 0; i < axis; ++i) blocks *= static_cast<std::size_t>(all.shape[i]);
  std::vector<double> joined;
  joined.reserve(all.values.size() + more.values.size());
  for (std::size_t block = 0; block < blocks; ++block) {
    for (const ir::Tensor* part : {static_cast<const ir::Tensor*>(&all), &more}) {
      const auto length = static_cast<std::ptrdiff_t>(part->values.size() / blocks);
      const auto begin = part->values.begin() + static_cast<std::ptrdiff_t>(block) * length;
      joined.insert(joined.end(), begin, begin + length);
    }
  }
  all.values = std::move(joined);
  all.shape[axis] += more.shape[axis];
}

template <typename Combine>
void combine(ir::Tensor& all, const ir::Tensor& more, Combine operation) {
  for (std::size_t i = 0; i < all.values.size(); ++i) all.values[i] = operation(all.values[i], more.values[i]);
}

}  // namespace

void RowGatherer::add(std::size_t part, const ir::DimensionValues& sizes, const void* values) {
  using enum passes::RowPart::Gather;
  const ir::Type& type = parts_[part].value.node->type;
  ir::Tensor& all = tensors_[part];
  const auto count = static_cast<std::size_t>(ir::element_count(type.shape, sizes));
  ir::Tensor chunk{ir::evaluate(type.shape, sizes), ir::elements(values, type.dtype, count)};
  if (all.values.empty()) {
    all = std::move(chunk);
    return;
  }
  switch (parts_[part].gather) {
    case same:
      return;
    case rows:
      return append_rows(all, chunk, static_cast<std::size_t>(parts_[part].axis));
    case sum:
      return combine(all, chunk, [](double a, double b) { return a + b; });
    case largest:
      return combine(all, chunk, [](double a, double b) { return std::max(a, b); });
    case smallest:
      return combine(all, chunk, [](double a, double b) { return std::min(a, b); });
  }
}

std::map<std::string, ir::Tensor> RowGatherer::take() {
  std::map<std::string, ir::Tensor> tensors;
  for (std::size_t i = 0; i < parts_.size(); ++i) tensors[parts_[i].value.name] = std::move(tensors_[i]);
  return tensors;
}

}  // namespace descent::runtime
