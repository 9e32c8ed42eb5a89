#include "tests/support/random_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/expr.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "passes/rules.h"

namespace descent::test {

using ir::Dimension;
using ir::Expr;
using ir::Node;
using ir::Op;
using ir::Shape;
using passes::Pattern;

namespace {

const std::vector<const passes::Rule*>& all_rules() {
  static const std::vector<const passes::Rule*> rules = [] {
    std::vector<const passes::Rule*> all;
    for (const auto* table : {&passes::normal_form_rules(), &passes::algebra_rules(), &passes::function_rules(),
                              &passes::stability_rules()}) {
      for (const passes::Rule& rule : *table) all.push_back(&rule);
    }
    return all;
  }();
  return rules;
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : seed_(seed), graph_(*result_.program.graph) {}

  RandomGraph run() {
    static const std::int64_t sizes[] = {1, 2, 3, 4, 5, 0};
    const auto size = [&] { return Dimension(sizes[below(below(8) == 0 ? 6 : 5)]); };
    result_.program.name = "random";
    shapes_ = {{}, {size()}, {size(), size()}, {size(), size(), size()}};
    shapes_.push_back({shapes_[2][1], shapes_[3][0]});
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      for (const char* name : {"x", "y"}) add_input(name + std::to_string(i), shapes_[i]);
    }
    const std::uint32_t count = 6 + below(25);
    for (std::uint32_t i = 0; i < count; ++i) grow();
    ir::Function f{"predict", {}, {}};
    for (std::size_t i = 0; i < 3; ++i) {
      f.results.push_back({"r" + std::to_string(i), numbers_[numbers_.size() - 1 - i]});
    }
    result_.program.functions.push_back(f);
    return std::move(result_);
  }

 private:
  std::uint32_t below(std::uint32_t n) { return ir::threefry2x32(seed_, 0, count_++, 0)[0] % n; }
  double uniform() {
    return 4 * static_cast<double>(ir::uniform_from_bits(ir::threefry2x32(seed_, 1, count_++, 0)[0])) - 2;
  }

  void add_input(const std::string& name, const Shape& shape) {
    static const double special[] = {0, 1, -1, 0.5, 40, -40};
    result_.program.inputs.push_back({name, shape});
    const Node* leaf = graph_.leaf(Op::input, name, shape);
    result_.inputs.push_back(leaf);
    numbers_.push_back(leaf);
    ir::Tensor t{ir::evaluate(shape, {}), {}};
    for (std::int64_t i = 0; i < ir::element_count(shape, {}); ++i) {
      t.values.push_back(below(10) == 0 ? special[below(6)] : uniform());
    }
    result_.environment.tensors[name] = t;
  }

  const Node* any() { return numbers_[below(static_cast<std::uint32_t>(numbers_.size()))]; }
  const Node* any_of(const Shape& shape) {
    std::vector<const Node*> fitting;
    for (const Node* node : numbers_) {
      if (node->shape() == shape) fitting.push_back(node);
    }
    if (fitting.empty() || below(12) == 0) {
      static const double constants[] = {0, 1, -1, 2, 0.5, -3};
      return graph_.constant(constants[below(6)], shape);
    }
    return fitting[below(static_cast<std::uint32_t>(fitting.size()))];
  }
  const Node* condition(const Shape& shape) {
    // Not whether numbers are equal: that hangs on their last bit.
    const Node* c = graph_.make(below(2) == 0 ? Op::compare_lt : Op::compare_le, {any_of(shape), any_of(shape)});
    return below(4) == 0 ? graph_.make(Op::logical_not, {c}) : c;
  }

  void grow() {
    const Node* node = nullptr;
    switch (below(6)) {
      case 0:
      case 1:
        node = from_rule(*all_rules()[below(static_cast<std::uint32_t>(all_rules().size()))]);
        break;
      case 2:
        node = structural();
        break;
      default:
        node = elementwise();
    }
    if (node != nullptr && node->type.dtype == ir::DType::f32) numbers_.push_back(node);
  }

  const Node* elementwise() {
    const auto ops = ir::all_ops();
    while (true) {
      const auto index = below(static_cast<std::uint32_t>(ops.size()));
      const ir::OpInfo& op = ops[index];
      if (op.kind != ir::OpKind::elementwise) continue;
      const Shape shape = any()->shape();
      if (op.signature == ir::Signature::conversion) return graph_.make(static_cast<Op>(index), {condition(shape)});
      std::vector<const Node*> operands;
      if (op.signature == ir::Signature::selection) operands.push_back(condition(shape));
      const bool numbers = op.signature == ir::Signature::arithmetic || op.signature == ir::Signature::real;
      if (op.signature != ir::Signature::selection && !numbers) continue;
      // Steps, of which differences of computed numbers say nothing.
      const auto chosen = static_cast<Op>(index);
      if (chosen == Op::floor || chosen == Op::round_nearest_even || chosen == Op::remainder) continue;
      while (static_cast<int>(operands.size()) < op.arity) operands.push_back(any_of(shape));
      return graph_.make(static_cast<Op>(index), operands);
    }
  }

  const Node* structural() {
    const Expr a(graph_, any());
    const auto rank = static_cast<std::uint32_t>(a.shape().size());
    std::vector<int> axes;
    for (std::uint32_t axis = 0; axis < rank; ++axis) {
      if (below(2) == 0) axes.push_back(static_cast<int>(axis));
    }
    switch (below(6)) {
      case 0:
        return axes.empty() ? nullptr : ir::reduce_sum(a, axes).node;
      case 1: {  // of no elements the maximum is -inf, which no rule keeps
        for (int axis : axes) {
          if (a.shape()[static_cast<std::size_t>(axis)] == Dimension(0)) return nullptr;
        }
        return axes.empty() ? nullptr : ir::reduce_max(a, axes).node;
      }
      case 2:
        return rank == 2 ? ir::transpose(a, {1, 0}).node : nullptr;
      case 3: {
        for (const Shape& to : shapes_) {
          if (to.size() > rank && std::equal(a.shape().begin(), a.shape().end(), to.end() - rank)) {
            for (std::uint32_t i = 0; i < rank; ++i) axes.clear();
            axes.clear();
            for (std::size_t i = to.size() - rank; i < to.size(); ++i) axes.push_back(static_cast<int>(i));
            if (below(2) == 0) return ir::broadcast(a, to, axes).node;
          }
        }
        return nullptr;
      }
      case 4:
        return rank > 0 ? ir::reshape(a, {ir::element_count(a.shape())}).node : nullptr;
      default: {
        if (rank != 2) return nullptr;
        ir::Attributes attributes;
        attributes.lhs_contract = {static_cast<int>(below(2))}, attributes.rhs_contract = {static_cast<int>(below(2))};
        const Expr b(graph_, any());
        if (b.shape().size() != 2) return nullptr;
        const auto of = [](const Expr& e, int axis) { return e.shape()[static_cast<std::size_t>(axis)]; };
        if (of(a, attributes.lhs_contract[0]) != of(b, attributes.rhs_contract[0])) return nullptr;
        return ir::dot_general(a, b, attributes).node;
      }
    }
  }

  /// The pattern of a rule, with nodes in place of its letters.
  const Node* from_rule(const passes::Rule& rule) {
    const Pattern& p = *rule.pattern.pattern;
    const Shape full = any()->shape();
    match_ = {};
    const bool reduces = has_reduction(p);
    if (reduces && full.empty()) return nullptr;
    if (reduces) match_.axes = {static_cast<int>(full.size()) - 1}, match_.full_shape = full;
    if (reduces && full.back() == Dimension(0)) return nullptr;
    const Shape shape = reduces && !spreads_outside(p) ? passes::without(full, match_.axes) : full;
    bind(p, shape, false);
    return passes::instantiate(p, match_, graph_, shape);
  }

  static bool is_reduction(const Pattern& p) {
    return p.kind == Pattern::Kind::op && (p.op == Op::reduce_sum || p.op == Op::reduce_max);
  }
  static bool has_reduction(const Pattern& p) {
    return is_reduction(p) ||
           std::any_of(p.operands.begin(), p.operands.end(), [](auto& o) { return has_reduction(*o); });
  }
  static bool spreads_outside(const Pattern& p) {
    if (p.kind == Pattern::Kind::spread) return true;
    return !is_reduction(p) &&
           std::any_of(p.operands.begin(), p.operands.end(), [](auto& o) { return spreads_outside(*o); });
  }

  void bind(const Pattern& p, const Shape& shape, bool boolean) {
    if (p.kind == Pattern::Kind::letter) {
      if (match_[p.letter] == nullptr) match_[p.letter] = boolean ? condition(shape) : any_of(shape);
    } else if (p.kind == Pattern::Kind::constant || p.kind == Pattern::Kind::coefficient) {
      static const double constants[] = {2, 4, -1, 0.5, -3, 1};
      match_[p.letter] = graph_.constant(constants[below(6)], shape);
    } else if (p.kind == Pattern::Kind::spread) {
      bind(*p.operands[0], passes::without(match_.full_shape, match_.axes), false);
    } else if (p.kind == Pattern::Kind::op) {
      for (std::size_t i = 0; i < p.operands.size(); ++i) {
        bind(*p.operands[i], is_reduction(p) ? match_.full_shape : shape,
             p.op == Op::logical_not || (p.op == Op::select && i == 0));
      }
    }
  }

  std::uint32_t seed_, count_ = 0;
  RandomGraph result_;
  ir::Graph& graph_;
  std::vector<Shape> shapes_;
  std::vector<const Node*> numbers_;
  passes::Match match_;
};

}  // namespace

RandomGraph random_graph(std::uint32_t seed) { return Generator(seed).run(); }

std::string shrink(ir::Graph& graph, const Node* root, const ir::Environment& environment, const Fails& fails) {
  // The first node, operands before users, that fails by itself.
  for (const Node* node : ir::reachable({root})) {
    if (node->type.dtype == ir::DType::f32 && !ir::is_leaf(node) && fails(graph, node, environment)) {
      root = node;
      break;
    }
  }
  // Then an input in place of each part, as long as it still fails: users first, so that large parts go at once.
  ir::Environment e = environment;
  int inputs = 0;
  for (bool changed = true; changed;) {
    changed = false;
    const auto nodes = ir::reachable({root});
    for (auto at = nodes.rbegin(); at != nodes.rend() && !changed; ++at) {
      const Node* node = *at;
      if (node == root || ir::is_leaf(node) || node->type.dtype != ir::DType::f32) continue;
      const std::string name = "part" + std::to_string(inputs);
      ir::Environment trial = e;
      trial.tensors[name] = ir::interpret({node}, e)[0];
      const Node* leaf = graph.leaf(Op::input, name, node->shape());
      const Node* smaller = passes::substitute(graph, {root}, {{node, leaf}})[0];
      if (!fails(graph, smaller, trial)) continue;
      root = smaller, e = trial, changed = true, ++inputs;
    }
  }
  ir::Program program;
  program.name = "shrunk";
  std::string values;
  for (const Node* node : ir::reachable({root})) {
    if (node->op != Op::input) continue;
    program.inputs.push_back({node->attributes.name, node->shape()});
    values +=
        fmt::format("{} = {}\n", node->attributes.name, fmt::join(e.tensors.at(node->attributes.name).values, ", "));
  }
  program.functions.push_back({"predict", {{"root", root}}, {}});
  return ir::print(program) + values;
}

}  // namespace descent::test
