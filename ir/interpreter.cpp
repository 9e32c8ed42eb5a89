#include "ir/interpreter.h"

#include <algorithm>
#include <unordered_map>

#include "descent/error.h"
#include "ir/op.h"
#include "ir/threefry.h"

namespace descent::ir {

std::int64_t Tensor::count() const { return static_cast<std::int64_t>(values.size()); }

std::vector<std::int64_t> strides_of(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

namespace {

double counter_value(const Environment& environment, const std::string& name) {
  auto at = environment.counters.find(name);
  if (at == environment.counters.end()) throw Error("the counter '" + name + "' has no value");
  return at->second;
}

// Large models have millions of initial parameters: in vectors as wide as the machine has.
#ifdef __x86_64__
__attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#endif
void uniform_numbers(std::uint32_t seed, std::uint32_t stream, std::uint32_t step, std::size_t first,
                     std::span<double> y) {
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto element = static_cast<std::uint32_t>(first + i);
    y[i] = static_cast<double>(uniform_from_bits(threefry2x32(seed, stream, element, step)[0]));
  }
}

/// The elements from `first` on of a tensor of this shape, as many as `y` has.
void evaluate_leaf(const Node& node, const Environment& environment, const std::vector<std::int64_t>& shape,
                   std::size_t first, std::span<double> y) {
  const std::string& name = node.attributes.name;
  switch (node.op) {
    case Op::constant:
      std::fill(y.begin(), y.end(), node.attributes.value);
      return;
    case Op::dimension:
      y[0] = static_cast<double>(node.attributes.shape[0].evaluate(environment.dimensions));
      return;
    case Op::iota: {
      const auto axis = static_cast<std::size_t>(node.attributes.axes[0]);
      const std::int64_t stride = strides_of(shape)[axis], size = shape[axis];
      for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] = static_cast<double>(static_cast<std::int64_t>(first + i) / stride % size);
      }
      return;
    }
    case Op::counter:
      y[0] = counter_value(environment, name);
      return;
    case Op::rng_uniform:
      return uniform_numbers(static_cast<std::uint32_t>(environment.seed),
                             static_cast<std::uint32_t>(node.attributes.value),
                             static_cast<std::uint32_t>(counter_value(environment, "step")), first, y);
    default: {
      auto at = environment.tensors.find(name);
      if (at == environment.tensors.end()) throw Error("the tensor '" + name + "' has no value");
      if (at->second.shape != shape) {
        throw Error("the tensor '" + name + "' has " + std::to_string(at->second.count()) +
                    " elements of another shape than " + to_string(node.type.shape));
      }
      std::copy_n(at->second.values.begin() + static_cast<std::ptrdiff_t>(first), y.size(), y.begin());
    }
  }
}

/// `x`: the elements of the operands at the places of `y`.
void evaluate_elementwise(const Node& node, std::span<const double* const> x, std::span<double> y) {
  const double* a = x[0];
  const double* b = x.size() > 1 ? x[1] : a;
  const double* c = x.size() > 2 ? x[2] : a;
  if (is_real(node.type.dtype)) return info(node.op).meanings(a, b, c, y.data(), y.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = element_value(node, a[i], b[i], c[i]);
}

/// One axis of a tensor that a view reads, while the view's elements are walked.
struct ReadAxis {
  std::int64_t at, size, stride, spacing;  ///< at: the place of the present element, kept up to date
  std::vector<std::int64_t> steps;         ///< by axis of the view

  /// Whether every element of a view of this shape is an element of the tensor.
  bool is_inside(const std::vector<std::int64_t>& shape) const {
    std::int64_t least = at, largest = at;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      (steps[i] < 0 ? least : largest) += steps[i] * (shape[i] - 1);
    }
    return spacing == 1 && least >= 0 && largest < size;
  }
};

/// Goes to the next index of a shape, row-major; calls `step` with every axis that changes and by how much. Returns
/// whether there is one.
template <typename Step>
bool advance(std::vector<std::int64_t>& index, const std::vector<std::int64_t>& shape, std::size_t axes, Step step) {
  for (std::size_t i = axes; i-- > 0;) {
    const bool wraps = ++index[i] == shape[i];
    step(i, wraps ? 1 - shape[i] : 1);
    if (!wraps) return true;
    index[i] = 0;
  }
  return false;
}

/// A view all of whose elements are there: row by row, each with one stride.
void copy_view(const std::vector<ReadAxis>& axes, const Tensor& x, Tensor& y) {
  const std::size_t rank = y.shape.size();
  std::vector<std::int64_t> strides(rank, 0), index(rank, 0);
  std::int64_t offset = 0;
  for (const ReadAxis& axis : axes) {
    offset += axis.at * axis.stride;
    for (std::size_t i = 0; i < rank; ++i) strides[i] += axis.steps[i] * axis.stride;
  }
  const std::int64_t columns = rank == 0 ? 1 : y.shape[rank - 1], stride = rank == 0 ? 0 : strides[rank - 1];
  double* to = y.values.data();
  do {
    const double* from = x.values.data() + offset;
    for (std::int64_t c = 0; c < columns; ++c) *to++ = from[c * stride];
  } while (rank > 1 &&
           advance(index, y.shape, rank - 1, [&](std::size_t i, std::int64_t by) { offset += strides[i] * by; }));
}

/// Element by element, as the index map says.
void evaluate_view(const Node& node, const Environment& environment, const Tensor& x, Tensor& y) {
  std::vector<ReadAxis> axes;
  const auto strides = strides_of(x.shape);
  for (const AxisMap& map : info(&node).index_map(node)) {
    ReadAxis axis{
        map.start.evaluate(environment.dimensions), x.shape[axes.size()], strides[axes.size()], map.spacing, {}};
    for (const Dimension& c : map.coefficients) axis.steps.push_back(c.evaluate(environment.dimensions));
    axes.push_back(std::move(axis));
  }
  if (y.values.empty()) return;
  if (std::all_of(axes.begin(), axes.end(), [&](const ReadAxis& axis) { return axis.is_inside(y.shape); })) {
    return copy_view(axes, x, y);
  }
  std::vector<std::int64_t> index(y.shape.size(), 0);
  for (double& value : y.values) {
    std::int64_t offset = 0;
    bool inside = true;
    for (const ReadAxis& axis : axes) {
      inside = inside && axis.at >= 0 && axis.at < axis.size * axis.spacing && axis.at % axis.spacing == 0;
      offset += axis.at / axis.spacing * axis.stride;
    }
    value = inside ? x.values[static_cast<std::size_t>(offset)] : 0.0;
    advance(index, y.shape, index.size(), [&](std::size_t i, std::int64_t by) {
      for (ReadAxis& axis : axes) axis.at += axis.steps[i] * by;
    });
  }
}

std::vector<const double*> elements_of(const std::vector<const Tensor*>& tensors) {
  std::vector<const double*> elements;
  for (const Tensor* tensor : tensors) elements.push_back(tensor->values.data());
  return elements;
}

}  // namespace

std::vector<Tensor> interpret(const std::vector<const Node*>& roots, const Environment& environment) {
  std::unordered_map<const Node*, Tensor> values;
  const std::vector<const Node*> nodes = reachable(roots);
  std::unordered_map<const Node*, std::size_t> uses;  // still to come: a value is dropped after its last one
  for (const Node* root : roots) ++uses[root];
  for (const Node* node : nodes) {
    for (const Node* operand : node->operands) ++uses[operand];
  }
  for (const Node* node : nodes) {
    Tensor y;
    y.shape = evaluate(node->type.shape, environment.dimensions);
    y.values.resize(static_cast<std::size_t>(element_count(node->type.shape, environment.dimensions)));
    std::vector<const Tensor*> x;
    for (const Node* operand : node->operands) x.push_back(&values.at(operand));
    switch (info(node->op).kind) {
      case OpKind::leaf:
        evaluate_leaf(*node, environment, y.shape, 0, y.values);
        break;
      case OpKind::elementwise:
        evaluate_elementwise(*node, elements_of(x), y.values);
        break;
      case OpKind::view:
        evaluate_view(*node, environment, *x[0], y);
        break;
      case OpKind::structural:
        info(node->op).evaluate(*node, x, y);
        break;
    }
    values.emplace(node, std::move(y));
    for (const Node* operand : node->operands) {
      if (--uses.at(operand) == 0) values.erase(operand);
    }
  }
  std::vector<Tensor> results;
  for (const Node* root : roots) results.push_back(values.at(root));
  return results;
}

void interpret_in_pieces(const Node* root, const Environment& environment,
                         const std::function<void(std::size_t, std::span<const double>)>& take) {
  const std::vector<const Node*> nodes = reachable({root});
  const bool place_by_place = std::all_of(nodes.begin(), nodes.end(), [&](const Node* node) {
    const OpKind kind = info(node->op).kind;
    return (kind == OpKind::leaf || kind == OpKind::elementwise) && node->type.shape == root->type.shape;
  });
  if (!place_by_place) return take(0, interpret({root}, environment)[0].values);
  constexpr std::size_t kPiece = 1024;
  const std::vector<std::int64_t> shape = evaluate(root->type.shape, environment.dimensions);
  const auto count = static_cast<std::size_t>(element_count(root->type.shape, environment.dimensions));
  std::unordered_map<const Node*, std::vector<double>> pieces;
  std::vector<std::vector<const double*>> operands;
  for (const Node* node : nodes) {
    pieces[node].resize(std::min(count, kPiece));
    auto& x = operands.emplace_back();
    for (const Node* operand : node->operands) x.push_back(pieces.at(operand).data());
  }
  for (std::size_t first = 0; first < count; first += kPiece) {
    const std::size_t size = std::min(kPiece, count - first);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const std::span<double> y(pieces.at(nodes[i]).data(), size);
      if (info(nodes[i]->op).kind == OpKind::elementwise) {
        evaluate_elementwise(*nodes[i], operands[i], y);
      } else if (first == 0 || nodes[i]->op != Op::constant) {
        evaluate_leaf(*nodes[i], environment, shape, first, y);
      }
    }
    take(first, {pieces.at(root).data(), size});
  }
}

}  // namespace descent::ir
