// A tensor seen through views: an affine map from the index to the place in memory.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/op.h"

namespace descent::passes {

struct Indirection;

/// The element with index (i0, i1, ...) is at offset + sum of i * stride in the memory of `source`; of an iota it is
/// that sum itself.
struct View {
  const ir::Node* source;  ///< a stored node, or an immediate one
  ir::Dimension offset;
  std::vector<ir::Dimension> strides;  ///< one for each axis of the viewing node

  /// Padding: the element is 0, and memory must not be read, unless 0 <= start + sum of i * coefficient < size.
  struct Bound {
    ir::Dimension start;
    std::vector<ir::Dimension> coefficients;
    ir::Dimension size;
  };
  std::vector<Bound> bounds;  ///< all must hold
  std::vector<Indirection> indirections;

  explicit View(const ir::Node* from = nullptr, const ir::Dimension& begin = 0, std::vector<ir::Dimension> steps = {},
                std::vector<Bound> limits = {});
};

/// Adds stride * (the whole number that `index` sees, brought into [0, limit)) to the place.
struct Indirection {
  View index;
  ir::Dimension limit, stride;
};

// Here, where an indirection is a complete type.
inline View::View(const ir::Node* from, const ir::Dimension& begin, std::vector<ir::Dimension> steps,
                  std::vector<Bound> limits)
    : source(from), offset(begin), strides(std::move(steps)), bounds(std::move(limits)) {}

/// Whether kernels make a leaf's elements instead of loading them: numbers that are the same everywhere, and iota.
bool is_immediate(const ir::Node* node);

/// Strides of a tensor without gaps, the last axis innermost; 0 for axes of size 1.
std::vector<ir::Dimension> row_major(const ir::Shape& shape);

/// The view whose element is the one that `map` finds in `inner`, a view with the shape `from`.
View compose(const View& inner, const ir::IndexMap& map, const ir::Shape& from, const ir::Shape& to);

/// The view whose element is the one of `table`, of shape `from`, that `indices` say along the axis; nothing where the
/// place along that axis is not a multiple of the index.
std::optional<View> picked(const View& table, const View& indices, const ir::Shape& from, std::size_t axis,
                           std::size_t index_rank, const ir::Shape& to);

/// Axes [from_begin, from_end) of one shape and [to_begin, to_end) of the other that hold the same elements.
struct Block {
  std::size_t from_begin, from_end, to_begin, to_end;
};

/// The finest such blocks, from the left; the last one takes what is left.
std::vector<Block> matching_blocks(const ir::Shape& from, const ir::Shape& to);

/// `view`, of shape `from`, under another shape of as many elements; nothing where strides cannot say that.
std::optional<View> reshaped(const View& view, const ir::Shape& from, const ir::Shape& to);

/// Calls `change` for every list of strides or coefficients in the view: one entry for each axis.
void for_each_axes(View& view, const std::function<void(std::vector<ir::Dimension>&)>& change);

/// What the view reads: its source and those of indices.
std::vector<const ir::Node*> sources(const View& view);

/// Everything but the sources, as text: equal texts, equal places.
std::string to_string(const View& view);

}  // namespace descent::passes
