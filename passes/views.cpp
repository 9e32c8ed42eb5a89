#include "passes/views.h"

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

/// Axes [from_begin, from_end) of one shape and [to_begin, to_end) of the other that hold the same elements.
struct Block {
  std::size_t from_begin, from_end, to_begin, to_end;
};

/// The finest such blocks, from the left; the last one takes what is left.
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

View compose(const View& inner, const ir::IndexMap& map, const Shape& from, const Shape& to) {
  const Affine place = substitute({inner.offset, inner.strides}, map, to);
  View view{inner.source, place.start, place.coefficients, {}};
  for (const View::Bound& bound : inner.bounds) {
    const Affine index = substitute({bound.start, bound.coefficients}, map, to);
    view.bounds.push_back({index.start, index.coefficients, bound.size});
  }
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

std::optional<View> reshaped(const View& view, const Shape& from, const Shape& to) {
  const auto blocks = matching_blocks(from, to);
  const auto strides = regrouped(view.strides, from, to, blocks);
  if (!strides) return std::nullopt;
  View result{view.source, view.offset, *strides, {}};
  for (const View::Bound& bound : view.bounds) {
    const auto coefficients = regrouped(bound.coefficients, from, to, blocks);
    if (!coefficients) return std::nullopt;
    result.bounds.push_back({bound.start, *coefficients, bound.size});
  }
  return result;
}

std::string to_string(const View& view) {
  std::string text = view.offset.to_string() + " " + ir::to_string(view.strides);
  for (const View::Bound& b : view.bounds) {
    text += " if 0 <= " + b.start.to_string() + " + " + ir::to_string(b.coefficients) + " < " + b.size.to_string();
  }
  return text;
}

}  // namespace descent::passes
