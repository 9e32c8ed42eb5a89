// A tensor seen through views: an affine map from the index to the place in memory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/op.h"

namespace descent::passes {

/// The element with index (i0, i1, ...) is at offset + sum of i * stride in the memory of `source`.
struct View {
  const ir::Node* source;  ///< a stored node, or a leaf that is one number
  ir::Dimension offset = 0;
  std::vector<ir::Dimension> strides;  ///< one for each axis of the viewing node

  /// Padding: the element is 0, and memory must not be read, unless 0 <= start + sum of i * coefficient < size.
  struct Bound {
    ir::Dimension start;
    std::vector<ir::Dimension> coefficients;
    ir::Dimension size;
  };
  std::vector<Bound> bounds;  ///< all must hold
};

/// Strides of a tensor without gaps, the last axis innermost; 0 for axes of size 1.
std::vector<ir::Dimension> row_major(const ir::Shape& shape);

/// The view whose element is the one that `map` finds in `inner`, a view with the shape `from`.
View compose(const View& inner, const ir::IndexMap& map, const ir::Shape& from, const ir::Shape& to);

/// `view`, of shape `from`, under another shape of as many elements; nothing where strides cannot say that.
std::optional<View> reshaped(const View& view, const ir::Shape& from, const ir::Shape& to);

/// Everything but the source, as text: equal texts, equal places.
std::string to_string(const View& view);

}  // namespace descent::passes
