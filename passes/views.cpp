#include "passes/views.h"

#include <algorithm>

namespace descent::passes {

using ir::Dimension;
using ir::Shape;

std::vector<Dimension> row_major(const Shape& shape) {
  std::vector<Dimension> strides(shape.size(), Dimension(0));
  Dimension stride(1);
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (!shape[i].is_one()) strides[i] = stride;
    stride = stride * shape[i];
  }
  return strides;
}

std::vector<Block> matching_blocks(const Shape& from, const Shape& to) {
  std::vector<Block> blocks;
  std::size_t i = 0, j = 0;
  const auto next = [&]() -> Block {
    Dimension left(1);
    for (std::size_t p = i; p < from.size(); ++p) {
      left = left * from[p];
      Dimension right(1);
      for (std::size_t q = j; q < to.size(); ++q) {
        right = right * to[q];
        if (left == right) return {i, p + 1, j, q + 1};
      }
    }
    return {i, from.size(), j, to.size()};
  };
  while (i < from.size() || j < to.size()) {
    blocks.push_back(next());
    i = blocks.back().from_end;
    j = blocks.back().to_end;
  }
  return blocks;
}

namespace {

/// start + sum of coefficients * index, with the index replaced by what `map` makes of the new one.
struct Affine {
  Dimension start;
  std::vector<Dimension> coefficients;
};

Affine substitute(const Affine& f, const ir::IndexMap& map, const Shape& to) {
  Affine g{f.start, std::vector<Dimension>(to.size(), Dimension(0))};
  for (std::size_t axis = 0; axis < map.size(); ++axis) {
    g.start = g.start + f.coefficients[axis] * map[axis].start;
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (!to[i].is_one()) g.coefficients[i] = g.coefficients[i] + f.coefficients[axis] * map[axis].coefficients[i];
    }
  }
  return g;
}

/// Coefficients by axis of `from` to those by axis of `to`, if the axes of each block can be walked as one.
std::optional<std::vector<Dimension>> regrouped(const std::vector<Dimension>& coefficients, const Shape& from,
                                                const Shape& to, const std::vector<Block>& blocks) {
  std::vector<Dimension> result(to.size(), Dimension(0));
  for (const Block& block : blocks) {
    Dimension step(0), inner_size(1);
    bool first = true;
    for (std::size_t i = block.from_end; i-- > block.from_begin;) {
      if (from[i].is_one()) continue;
      if (first) {
        step = coefficients[i];
        first = false;
      } else if (coefficients[i] != step * inner_size) {
        return std::nullopt;
      }
      inner_size = inner_size * from[i];
    }
    for (std::size_t j = block.to_end; j-- > block.to_begin;) {
      if (!to[j].is_one()) result[j] = step;
      step = step * to[j];
    }
  }
  return result;
}

}  // namespace

bool is_immediate(const ir::Node* node) {
  return node->op == ir::Op::constant || node->op == ir::Op::dimension || node->op == ir::Op::counter ||
         node->op == ir::Op::iota;
}

namespace {

/// The view with its index replaced by what `map` makes of the new one.
View moved(const View& inner, const ir::IndexMap& map, const Shape& to) {
  const Affine place = substitute({inner.offset, inner.strides}, map, to);
  View view{inner.source, place.start, place.coefficients};
  for (const View::Bound& bound : inner.bounds) {
    const Affine index = substitute({bound.start, bound.coefficients}, map, to);
    view.bounds.push_back({index.start, index.coefficients, bound.size});
  }
  for (const Indirection& i : inner.indirections)
    view.indirections.push_back({moved(i.index, map, to), i.limit, i.stride});
  return view;
}

bool depends_on_axis(const View& view, std::size_t axis) {
  const auto used = [&](const std::vector<Dimension>& list) { return !(list[axis] == Dimension(0)); };
  return used(view.strides) ||
         std::any_of(view.bounds.begin(), view.bounds.end(), [&](const auto& b) { return used(b.coefficients); }) ||
         std::any_of(view.indirections.begin(), view.indirections.end(),
                     [&](const Indirection& i) { return depends_on_axis(i.index, axis); });
}

}  // namespace

View compose(const View& inner, const ir::IndexMap& map, const Shape& from, const Shape& to) {
  View view = moved(inner, map, to);
  for (std::size_t axis = 0; axis < map.size(); ++axis) {
    if (!map[axis].bounded) continue;
    std::vector<Dimension> coefficients = map[axis].coefficients;
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (to[i].is_one()) coefficients[i] = Dimension(0);
    }
    view.bounds.push_back({map[axis].start, coefficients, from[axis]});
  }
  return view;
}

std::optional<View> picked(const View& table, const View& indices, const Shape& from, std::size_t axis,
                           std::size_t index_rank, const Shape& to) {
  View row = table;
  row.strides[axis] = Dimension(0);
  if (depends_on_axis(row, axis)) return std::nullopt;
  // Axes of the table, and of the indices, by axes of the result; along its own axis the table is seen at index 0.
  const auto axis_at = [&](std::size_t result_axis) {
    ir::AxisMap map{Dimension(0), std::vector<Dimension>(to.size(), Dimension(0))};
    map.coefficients[result_axis] = Dimension(1);
    return map;
  };
  ir::IndexMap rows, index;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i == axis)
      rows.push_back({Dimension(0), std::vector<Dimension>(to.size(), Dimension(0))});
    else
      rows.push_back(axis_at(i < axis ? i : i + index_rank - 1));
  }
  for (std::size_t i = 0; i < index_rank; ++i) index.push_back(axis_at(axis + i));
  View view = moved(row, rows, to);
  view.indirections.push_back({moved(indices, index, to), from[axis], table.strides[axis]});
  return view;
}

std::optional<View> reshaped(const View& view, const Shape& from, const Shape& to) {
  const auto blocks = matching_blocks(from, to);
  View result = view;
  bool possible = true;
  for_each_axes(result, [&](std::vector<Dimension>& list) {
    auto grouped = regrouped(list, from, to, blocks);
    possible = possible && grouped;
    if (grouped) list = std::move(*grouped);
  });
  return possible ? std::optional(result) : std::nullopt;
}

void for_each_axes(View& view, const std::function<void(std::vector<Dimension>&)>& change) {
  change(view.strides);
  for (View::Bound& bound : view.bounds) change(bound.coefficients);
  for (Indirection& i : view.indirections) for_each_axes(i.index, change);
}

std::vector<const ir::Node*> sources(const View& view) {
  std::vector<const ir::Node*> found{view.source};
  for (const Indirection& i : view.indirections) {
    const auto inner = sources(i.index);
    found.insert(found.end(), inner.begin(), inner.end());
  }
  return found;
}

std::string to_string(const View& view) {
  std::string text = view.offset.to_string() + " " + ir::to_string(view.strides);
  for (const View::Bound& b : view.bounds) {
    text += " if 0 <= " + b.start.to_string() + " + " + ir::to_string(b.coefficients) + " < " + b.size.to_string();
  }
  for (const Indirection& i : view.indirections) {
    text += " + (" + to_string(i.index) + " below " + i.limit.to_string() + ") * " + i.stride.to_string();
  }
  return text;
}

}  // namespace descent::passes
