#include "tests/support/random_graph.h"

#include <algorithm>

#include "ir/expr.h"
#include "ir/op.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "passes/rules.h"

namespace descent::test {

using ir::Dimension;
using ir::DType;
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
    static const std::int64_t sizes[] = {1, 2, 3, 4, 5, 7, 0};
    const auto size = [&] { return Dimension(sizes[below(below(8) == 0 ? 7 : 6)]); };
    result_.program.name = "random";
    result_.environment.dimensions = {{"n", 1 + below(6)}};
    result_.environment.counters = {{"step", 3}, {"epoch", 0.5}};
    const Dimension n = below(3) == 0 ? Dimension::symbol("n") : size();
    shapes_ = {{}, {size()}, {n, size()}, {size(), size(), size()}};
    shapes_.push_back({shapes_[2][1], below(3) == 0 ? shapes_[2][1] : shapes_[3][0]});
    shapes_.push_back({Dimension::symbol("n")});
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      for (const char* name : {"x", "y"}) add_input(name + std::to_string(i), shapes_[i], DType::f32);
      add_input("i" + std::to_string(i), shapes_[i], DType::i32);
    }
    const std::uint32_t count = 6 + below(25);
    for (std::uint32_t i = 0; i < count; ++i) grow();
    ir::Function f{"predict", {}, {}};
    for (std::size_t i = 0; i < 3; ++i) {
      const Node* last = nodes_[nodes_.size() - 1 - i];
      f.results.push_back({"r" + std::to_string(i), ir::convert(Expr(graph_, last), DType::f32).node});
    }
    result_.program.functions.push_back(f);
    return std::move(result_);
  }

 private:
  std::uint32_t below(std::size_t n) {
    return ir::threefry2x32(seed_, 0, count_++, 0)[0] % static_cast<std::uint32_t>(n);
  }
  double uniform() {
    return 4 * static_cast<double>(ir::uniform_from_bits(ir::threefry2x32(seed_, 1, count_++, 0)[0])) - 2;
  }

  void add_input(const std::string& name, const Shape& shape, DType dtype) {
    static const double special[] = {0, 1, -1, 0.5, 40, -40, 150, -150, 1e-3, 1e-30};
    result_.program.inputs.push_back({name, shape, false, dtype});
    const Node* leaf = graph_.leaf(Op::input, name, shape, dtype);
    nodes_.push_back(leaf);
    ir::Tensor t{ir::evaluate(shape, result_.environment.dimensions), {}};
    for (std::int64_t i = 0; i < ir::element_count(shape, result_.environment.dimensions); ++i) {
      const double number = below(10) == 0 ? special[below(std::size(special))] : uniform();
      t.values.push_back(dtype == DType::i32 ? static_cast<double>(below(8)) - 1
                                             : static_cast<double>(static_cast<float>(number)));
    }
    result_.environment.tensors[name] = t;
  }

  /// A place among n, more likely a late one: so that much of what is made has a part in the results.
  std::size_t recent(std::size_t n) {
    const std::size_t first = below(n);
    return std::max<std::size_t>(first, below(n));
  }
  template <typename Fits>
  const Node* chosen(Fits fits) {
    std::vector<const Node*> fitting;
    for (const Node* node : nodes_) {
      if (fits(node)) fitting.push_back(node);
    }
    return fitting.empty() ? nullptr : fitting[recent(fitting.size())];
  }
  const Node* any() { return nodes_[recent(nodes_.size())]; }
  const Node* any(DType dtype) {
    return chosen([&](const Node* node) { return node->type.dtype == dtype; });
  }
  const Node* any_of(const ir::Type& type) {
    const Node* node = chosen([&](const Node* n) { return n->type == type; });
    if (node != nullptr && below(12) != 0) return node;
    if (type.dtype == DType::boolean && below(8) != 0) {
      // Rarely whether computed numbers are equal: that hangs on their last bit.
      const DType dtype = below(3) == 0 ? DType::i32 : DType::f32;
      const Op op = dtype == DType::f32 ? (below(2) == 0 ? Op::compare_lt : Op::compare_le)
                                        : (below(2) == 0 ? Op::compare_eq : Op::compare_ne);
      return graph_.make(op, {any_of({dtype, type.shape}), any_of({dtype, type.shape})});
    }
    static const double constants[] = {0, 1, -1, 2, 0.5, -3};
    if (type.dtype == DType::boolean) return graph_.boolean(below(2) == 0, type.shape);
    return graph_.constant(type.dtype == DType::i32 ? static_cast<double>(below(5)) - 1 : constants[below(6)], type);
  }

  void grow() {
    const std::uint32_t kind = below(12);
    const Node* node = nullptr;
    if (kind == 0) {
      node = structural(Op::dot_general);  // most rarely find two operands that fit
    } else if (kind < 5) {
      node = from_rule(*all_rules()[below(all_rules().size())]);
    } else {
      const auto op = static_cast<Op>(below(ir::all_ops().size()));
      node = ir::info(op).kind == ir::OpKind::elementwise ? elementwise(op) : structural(op);
    }
    if (node != nullptr && node->shape().size() <= 4) nodes_.push_back(node);
  }

  const Node* elementwise(Op op) {
    const ir::OpInfo& info = ir::info(op);
    const Shape shape = any()->shape();
    const auto dtype = static_cast<DType>(below(3));
    std::vector<ir::Type> types(static_cast<std::size_t>(info.arity), {DType::f32, shape});
    ir::Attributes attributes;
    switch (info.signature) {
      case ir::Signature::real:
        break;
      case ir::Signature::arithmetic:
      case ir::Signature::comparison:
        // Not whether computed numbers are equal: that hangs on their last bit.
        if (op == Op::compare_eq || op == Op::compare_ne || (below(4) == 0 && info.arity == 2))
          types.assign(2, {DType::i32, shape});
        break;
      case ir::Signature::logical:
        types.assign(types.size(), {DType::boolean, shape});
        break;
      case ir::Signature::selection:
        types = {{DType::boolean, shape}, {dtype, shape}, {dtype, shape}};
        break;
      case ir::Signature::conversion:
        types[0].dtype = static_cast<DType>(below(3));
        attributes.dtype = dtype;
        break;
    }
    std::vector<const Node*> operands;
    for (const ir::Type& type : types) operands.push_back(any_of(type));
    return graph_.make(op, operands, attributes);
  }

  /// Axes of a shape, none of them maybe.
  std::vector<int> some_axes(const Shape& shape) {
    std::vector<int> axes;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (below(2) == 0) axes.push_back(static_cast<int>(axis));
    }
    return axes;
  }
  static std::int64_t fixed(const Dimension& d) { return d.is_constant() ? d.constant() : -1; }

  const Node* structural(Op op) {
    const Expr a(graph_, any());
    const Shape& shape = a.shape();
    const std::size_t rank = shape.size();
    const int axis = rank == 0 ? -1 : static_cast<int>(below(rank));
    const std::int64_t size = rank == 0 ? -1 : fixed(shape[static_cast<std::size_t>(axis)]);
    const bool numbers = a.node->type.dtype != DType::boolean;
    switch (op) {
      case Op::reduce_sum:
        return numbers ? ir::reduce_sum(a, some_axes(shape)).node : nullptr;
      case Op::reduce_max:
      case Op::reduce_min: {  // of no elements an infinity, which no rule keeps
        const auto axes = some_axes(shape);
        const bool empty = std::any_of(axes.begin(), axes.end(),
                                       [&](int i) { return shape[static_cast<std::size_t>(i)] == Dimension(0); });
        if (!numbers || empty) return nullptr;
        return (op == Op::reduce_max ? ir::reduce_max(a, axes) : ir::reduce_min(a, axes)).node;
      }
      case Op::transpose: {
        std::vector<int> order;
        for (std::size_t i = 0; i < rank; ++i) order.insert(order.begin() + below(i + 1), static_cast<int>(i));
        return ir::transpose(a, order).node;
      }
      case Op::broadcast_in_dim:
        return repeated(a);
      case Op::reshape: {
        if (rank == 0) return nullptr;
        Shape to = {ir::element_count(shape)};
        if (below(2) == 0) to = {shape.rbegin(), shape.rend()};
        if (below(3) == 0) to.insert(to.begin() + below(to.size() + 1), Dimension(1));
        return ir::reshape(a, to).node;
      }
      case Op::slice:
      case Op::pad:
      case Op::reverse:
      case Op::windows:
        return rank == 0 ? nullptr : moved(op, a, axis, size);
      case Op::diagonal: {
        const Node* square =
            chosen([](const Node* n) { return n->shape().size() > 1 && n->shape()[0] == n->shape()[1]; });
        return square == nullptr ? nullptr : ir::diagonal({graph_, square}, 0, 1).node;
      }
      case Op::concatenate: {
        if (rank == 0) return nullptr;
        std::vector<Expr> parts;
        for (std::uint32_t i = 2 + below(2); i > 0; --i) parts.emplace_back(graph_, any_of(a.node->type));
        return ir::concatenate(parts, axis).node;
      }
      case Op::gather:
        return size > 0 ? ir::gather(a, {graph_, any(DType::i32)}, axis).node : nullptr;
      case Op::scatter_add:
      case Op::first_occurrence:
        return picked(op, a, axis, size);
      case Op::dot_general:
        return contraction({graph_, any(DType::f32)});
      case Op::dimension:
        return graph_.dimension(Dimension::symbol("n"));
      case Op::iota:
        return rank == 0 ? nullptr : ir::iota(graph_, shape, axis).node;
      case Op::counter:
        return graph_.leaf(Op::counter, below(2) == 0 ? "step" : "epoch", {});
      case Op::rng_uniform: {
        ir::Attributes attributes;
        attributes.shape = shape, attributes.value = below(3);
        return graph_.make(op, {}, attributes);
      }
      default:
        return nullptr;
    }
  }

  const Node* repeated(Expr a) {
    const Shape& shape = a.shape();
    std::vector<const Shape*> fitting;
    for (const Shape& to : shapes_) {
      if (to.size() > shape.size() &&
          std::equal(shape.begin(), shape.end(), to.end() - static_cast<long>(shape.size())))
        fitting.push_back(&to);
    }
    if (fitting.empty()) return nullptr;
    const Shape& to = *fitting[below(fitting.size())];
    std::vector<int> axes;
    for (std::size_t i = to.size() - shape.size(); i < to.size(); ++i) axes.push_back(static_cast<int>(i));
    return ir::broadcast(a, to, axes).node;
  }

  /// A view of some elements of one axis.
  const Node* moved(Op op, Expr a, int axis, std::int64_t size) {
    const auto at = static_cast<std::size_t>(axis);
    const std::size_t rank = a.shape().size();
    Shape low(rank, Dimension(0)), high = low;
    std::vector<int> between(rank, 0), strides(rank, 1);
    if (op == Op::reverse) return ir::reverse(a, {axis}).node;
    if (op == Op::pad) {
      low[at] = Dimension(below(3)), high[at] = Dimension(below(3));
      if (size > 0) between[at] = static_cast<int>(below(3));
      return ir::pad(a, low, high, between).node;
    }
    if (size < 1) return nullptr;
    const auto count = static_cast<std::size_t>(size);
    if (op == Op::windows) {
      const int width = 1 + static_cast<int>(below(count)), room = static_cast<int>(size) - width;
      const int dilation = width > 1 && room >= width - 1 && below(3) == 0 ? 2 : 1;
      return ir::windows(a, axis, width, 1 + static_cast<int>(below(2)), dilation).node;
    }
    Shape limits = a.shape();
    low[at] = Dimension(below(count)), strides[at] = 1 + static_cast<int>(below(2));
    limits[at] = low[at] + 1 + below(static_cast<std::size_t>(size - low[at].constant()));
    return ir::slice(a, low, limits, strides).node;
  }

  /// What is added to rows of a table.
  const Node* picked(Op op, Expr table, int axis, std::int64_t size) {
    if (op == Op::first_occurrence) {
      const Node* indices = chosen([](const Node* n) { return n->type.dtype == DType::i32 && n->shape().size() == 1; });
      if (indices == nullptr) return nullptr;
      const Expr i(graph_, indices);
      ir::Attributes attributes;
      attributes.shape = {Dimension(5)};
      return graph_.make(op, {ir::min(ir::max(i, ir::like(i, 0)), ir::like(i, 4)).node}, attributes);
    }
    if (size < 1 || table.node->type.dtype != DType::f32) return nullptr;
    const Expr indices(graph_, any(DType::i32));
    const Expr updates = ir::gather(table, indices, axis);
    return ir::scatter_add(indices, {graph_, any_of(updates.node->type)}, table.shape(), axis).node;
  }

  /// Axes of equal size are paired as they come: contracted, or as batches.
  const Node* contraction(Expr a) {
    const Expr b(graph_, any(DType::f32));
    ir::Attributes attributes;
    std::vector<bool> used(b.shape().size(), false);
    for (std::size_t i = 0; i < a.shape().size(); ++i) {
      for (std::size_t j = 0; j < b.shape().size(); ++j) {
        if (used[j] || a.shape()[i] != b.shape()[j] || below(3) == 0) continue;
        const bool contract = attributes.lhs_contract.empty() || below(2) == 0;
        (contract ? attributes.lhs_contract : attributes.lhs_batch).push_back(static_cast<int>(i));
        (contract ? attributes.rhs_contract : attributes.rhs_batch).push_back(static_cast<int>(j));
        used[j] = true;
        break;
      }
    }
    return attributes.lhs_contract.empty() ? nullptr : ir::dot_general(a, b, attributes).node;
  }

  /// The pattern of a rule, with nodes in place of its letters.
  const Node* from_rule(const passes::Rule& rule) {
    const Pattern& p = *rule.pattern.pattern;
    const Shape full = any(DType::f32)->shape();
    match_ = {};
    const bool reduces = has_reduction(p);
    if (reduces && full.empty()) return nullptr;
    if (reduces) match_.axes = {static_cast<int>(full.size()) - 1}, match_.full_shape = full;
    if (reduces && full.back() == Dimension(0)) return nullptr;
    const Shape shape = reduces && !spreads_outside(p) ? passes::without(full, match_.axes) : full;
    bind(p, shape, false);
    return passes::instantiate(p, match_, graph_, {DType::f32, shape});
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
      if (match_[p.letter] == nullptr)
        match_[p.letter] = boolean ? any_of({DType::boolean, shape}) : any_of({DType::f32, shape});
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
  std::vector<const Node*> nodes_;
  passes::Match match_;
};

}  // namespace

RandomGraph random_graph(std::uint32_t seed) { return Generator(seed).run(); }

}  // namespace descent::test
