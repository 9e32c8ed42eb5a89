#include "tests/support/rounding.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <unordered_map>

#include "ir/expr.h"
#include "ir/op.h"
#include "ir/threefry.h"

namespace descent::test {

using ir::Node;

namespace {

/// The same graph, in which `change` gives what takes the place of every value on the way.
template <typename Change>
const Node* changed_on_the_way(ir::Graph& graph, const Node* root, const Change& change) {
  std::unordered_map<const Node*, const Node*> rebuilt;
  for (const Node* node : ir::reachable({root})) {
    std::vector<const Node*> operands;
    for (const Node* operand : node->operands) operands.push_back(rebuilt.at(operand));
    const Node* same = operands == node->operands ? node : graph.make(node->op, std::move(operands), node->attributes);
    const bool is_value = node->type.dtype == ir::DType::f32 && !node->is_constant();
    rebuilt[node] = is_value ? change(node, ir::Expr(graph, same)).node : same;
  }
  return rebuilt.at(root);
}

/// A tensor like `like` of epsilon and -epsilon, drawn for every element.
ir::Expr drawn_steps(ir::Graph& graph, const Node* like, double epsilon, std::uint32_t stream) {
  ir::Attributes attributes;
  attributes.shape = like->type.shape, attributes.value = stream;
  const ir::Expr uniform(graph, graph.make(ir::Op::rng_uniform, {}, attributes));
  return ir::select(uniform < 0.5, ir::like(uniform, -epsilon), ir::like(uniform, epsilon));
}

/// The same graph with every element on the way moved by epsilon of itself, each up or down on its own, as a sum that
/// cancels moves by what its terms do and not by what it is; a remainder also by that of what it is left of, since it
/// may be 0 where the two are the same over the real numbers; and what is 0 only because float64 ends, e^-1000, off 0.
const Node* with_noise(ir::Graph& graph, const Node* root, const Precision& precision, std::uint32_t seed) {
  return changed_on_the_way(graph, root, [&](const Node* node, const ir::Expr& value) {
    if (ir::is_view(node)) return value;
    const auto bits = ir::threefry2x32(seed, 5, node->id, 0);
    const ir::Expr moved = value * (1 + drawn_steps(graph, node, precision.epsilon, bits[0]));
    if (node->op == ir::Op::remainder) {
      return moved + ir::Expr(graph, value.node->operands[0]) * drawn_steps(graph, node, precision.epsilon, bits[1]);
    }
    const bool is_never_0 =
        node->op == ir::Op::exponential || node->op == ir::Op::logistic || node->op == ir::Op::softplus;
    return is_never_0 ? moved + 1e-300 : moved;
  });
}

}  // namespace

double largest_on_the_way(const std::vector<const Node*>& roots, const ir::Environment& environment) {
  double largest = 1;
  for (const ir::Tensor& t : ir::interpret(ir::reachable(roots), environment)) {
    for (double v : t.values) {
      if (std::isnan(v)) return std::numeric_limits<double>::infinity();
      largest = std::max(largest, std::fabs(v));
    }
  }
  return largest;
}

std::optional<Expected> expected(ir::Graph& graph, const Node* root, const ir::Environment& environment,
                                 const Precision& precision) {
  const double scale = largest_on_the_way({root}, environment);
  if (scale > kLargest) return std::nullopt;
  std::vector<const Node*> nodes{root};
  for (std::uint32_t draw = 0; draw < precision.draws; ++draw)
    nodes.push_back(with_noise(graph, root, precision, draw));
  const auto values = ir::interpret(nodes, environment);
  Expected result{values[0].values, {}};
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    double noise = 0;
    for (std::size_t draw = 1; draw < values.size(); ++draw) {
      const double change = std::fabs(values[draw].values[i] - result.values[i]);
      noise = std::isnan(change) ? std::numeric_limits<double>::infinity() : std::max(noise, change);
    }
    result.bounds.push_back(10 * precision.epsilon * scale + 20 * noise);
  }
  return result;
}

std::vector<double> in_float32_range(ir::Graph& graph, const Node* root, const ir::Environment& environment) {
  const Node* in_range = changed_on_the_way(graph, root, [&](const Node* node, ir::Expr value) {
    if (node->op == ir::Op::sine || node->op == ir::Op::cosine) {  // NaN for large angles (docs/numerics.md)
      const ir::Expr angle(graph, value.node->operands[0]);
      value = ir::select(abs(angle) < 1e6, value, std::numeric_limits<double>::quiet_NaN());
    }
    if (node->op == ir::Op::remainder) {  // exact for moderate quotients (ir/ops.def)
      const ir::Expr a(graph, value.node->operands[0]), b(graph, value.node->operands[1]);
      value = ir::select(abs(a / b) < 0x1p22, value, std::numeric_limits<double>::quiet_NaN());
    }
    const ir::Expr size = abs(value);
    const double infinity = std::numeric_limits<double>::infinity();
    const ir::Expr large = ir::select(size >= 0x1p128, value * infinity, value);
    return ir::select(size < 0x1p-126, ir::like(value, 0), large);
  });
  return ir::interpret({in_range}, environment)[0].values;
}

std::string out_of_bounds(const Expected& expected, const std::vector<double>& got) {
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    if (std::fabs(got[i] - expected.values[i]) <= expected.bounds[i]) continue;
    if (std::isinf(expected.bounds[i])) continue;
    return fmt::format("element {}: {}, expected {} within {:.2g}", i, got[i], expected.values[i], expected.bounds[i]);
  }
  return "";
}

std::uint32_t setting(const char* name, std::uint32_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : fallback;
}

}  // namespace descent::test
