#include "ir/graph.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "descent/error.h"
#include "ir/op.h"

namespace descent::ir {

std::string to_string(DType dtype) {
  static const char* const names[] = {"f32", "f64", "i32", "bool"};
  return names[static_cast<std::size_t>(dtype)];
}
std::string to_string(const Type& type) { return to_string(type.dtype) + to_string(type.shape); }

bool operator==(const Attributes& a, const Attributes& b) {
  return std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value) && a.dtype == b.dtype &&
         a.name == b.name && a.axes == b.axes && a.shape == b.shape && a.lhs_batch == b.lhs_batch &&
         a.rhs_batch == b.rhs_batch && a.lhs_contract == b.lhs_contract && a.rhs_contract == b.rhs_contract &&
         a.starts == b.starts && a.limits == b.limits && a.strides == b.strides && a.low == b.low && a.high == b.high &&
         a.interior == b.interior && a.window == b.window;
}

namespace {

/// Mixes numbers into one.
class Mixer {
 public:
  explicit Mixer(std::size_t seed) : hash_(seed) {}
  void mix(std::size_t value) {
    hash_ = (hash_ ^ value) * 0x9E3779B97F4A7C15u;
    hash_ ^= hash_ >> 29;
  }
  std::size_t hash() const { return hash_; }

 private:
  std::size_t hash_;
};

std::size_t hash_of(const Attributes& a) {
  Mixer mixer(static_cast<std::size_t>(a.dtype));
  mixer.mix(std::bit_cast<std::uint64_t>(a.value));
  if (!a.name.empty()) mixer.mix(std::hash<std::string>{}(a.name));
  for (int axis : a.axes) mixer.mix(static_cast<std::size_t>(axis) + 3);
  for (const Shape* sizes : {&a.shape, &a.starts, &a.limits, &a.low, &a.high}) {
    for (const Dimension& d : *sizes) mixer.mix(d.hash());
  }
  for (int stride : a.strides) mixer.mix(static_cast<std::size_t>(stride));
  for (int number : a.window) mixer.mix(static_cast<std::size_t>(number));
  for (int axis : a.lhs_contract) mixer.mix(static_cast<std::size_t>(axis) + 5);
  for (int axis : a.rhs_contract) mixer.mix(static_cast<std::size_t>(axis) + 7);
  return mixer.hash();
}

std::size_t hash_of(const Node& node) {
  Mixer mixer(static_cast<std::size_t>(node.op));
  for (const Node* operand : node.operands) mixer.mix(operand->id + 1);
  mixer.mix(node.attributes.hash);
  return mixer.hash();
}

/// The sizes that are known stay far from where the number of elements, or of their bytes, would overflow.
void check_size(const Type& type) {
  constexpr std::int64_t most = std::int64_t{1} << 48;
  std::int64_t count = 1;
  for (const Dimension& d : type.shape) {
    if (!d.is_constant() || d.constant() == 0) continue;
    if (d.constant() > most / count) throw Error("a tensor of " + to_string(type.shape) + " is too large");
    count *= d.constant();
  }
}

}  // namespace

KeptAttributes::KeptAttributes(Attributes attributes) : Attributes(std::move(attributes)), hash(hash_of(*this)) {}

bool Graph::Equal::operator()(const KeptAttributes* a, const KeptAttributes* b) const {
  return a == b || static_cast<const Attributes&>(*a) == static_cast<const Attributes&>(*b);
}
bool Graph::Equal::operator()(const Node* a, const Node* b) const {
  return a->op == b->op && a->operands == b->operands && &a->attributes == &b->attributes;
}

const KeptAttributes& Graph::keep(const KeptAttributes& attributes) {
  if (auto at = attribute_index_.find(&attributes); at != attribute_index_.end()) return **at;
  attributes_.push_back(attributes);
  attribute_index_.insert(&attributes_.back());
  return attributes_.back();
}

const Node* Graph::make(Op op, std::vector<const Node*> operands, Attributes attributes) {
  return make_kept(op, std::move(operands), keep(KeptAttributes(std::move(attributes))));
}

const Node* Graph::make_kept(Op op, std::vector<const Node*> operands, const KeptAttributes& attributes) {
  Node candidate{op, std::move(operands), attributes, {}, 0};
  candidate.hash = hash_of(candidate);
  if (auto at = index_.find(&candidate); at != index_.end()) return *at;
  const OpInfo& op_info = info(op);
  if (op_info.arity == variadic) {
    if (candidate.operands.empty()) throw Error(std::string(op_info.name) + " takes at least one operand");
  } else if (op_info.arity != static_cast<int>(candidate.operands.size())) {
    throw Error(std::string(op_info.name) + " takes " + std::to_string(op_info.arity) + " operands, not " +
                std::to_string(candidate.operands.size()));
  }
  candidate.type = op_info.infer(op_info, candidate.operands, candidate.attributes);
  check_size(candidate.type);
  candidate.id = static_cast<std::uint32_t>(nodes_.size());
  candidate.origin = origin_;
  nodes_.push_back(std::move(candidate));
  index_.insert(&nodes_.back());
  return &nodes_.back();
}

const Node* Graph::with_operands(const Node* node, std::vector<const Node*> operands) {
  if (operands == node->operands) return node;
  origin_ = node->origin;
  return make_kept(node->op, std::move(operands), keep(node->attributes));
}

const Node* Graph::constant(double value, const Shape& shape) { return constant(value, Type{DType::f32, shape}); }
const Node* Graph::boolean(bool value, const Shape& shape) {
  return constant(value ? 1 : 0, Type{DType::boolean, shape});
}
const Node* Graph::constant(double value, const Type& type) {
  Attributes a;
  a.value = value;
  a.dtype = type.dtype;
  a.shape = type.shape;
  return make(Op::constant, {}, std::move(a));
}

const Node* Graph::leaf(Op op, const std::string& name, const Shape& shape, DType dtype) {
  Attributes a;
  a.name = name;
  a.dtype = dtype;
  a.shape = shape;
  return make(op, {}, std::move(a));
}

const Node* Graph::dimension(const Dimension& size, DType dtype) {
  if (size.is_constant()) return constant(static_cast<double>(size.constant()), Type{dtype, {}});
  Attributes a;
  a.shape = {size};
  a.dtype = dtype;
  return make(Op::dimension, {}, std::move(a));
}

namespace {

/// The nodes of a small expression, however large its graph is; nothing where it is not small.
std::optional<std::vector<const Node*>> reachable_of_few(const std::vector<const Node*>& roots) {
  constexpr std::size_t few = 32;
  std::vector<const Node*> nodes;
  const auto meet = [&](const Node* node) {
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
  };
  for (const Node* root : roots) meet(root);
  for (std::size_t i = 0; i < nodes.size() && nodes.size() <= few; ++i) {
    for (const Node* operand : nodes[i]->operands) meet(operand);
  }
  if (nodes.size() > few) return std::nullopt;
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id < b->id; });
  return nodes;
}

}  // namespace

std::vector<const Node*> reachable(const std::vector<const Node*>& roots) {
  if (roots.size() == 1) {
    if (auto nodes = reachable_of_few(roots)) return std::move(*nodes);
  }
  std::size_t count = 0;
  for (const Node* root : roots) count = std::max<std::size_t>(count, root->id + 1);
  std::vector<const Node*> nodes(count, nullptr);  // by id; operands have smaller ones than their users
  std::vector<const Node*> stack;
  const auto meet = [&](const Node* node) {
    if (std::exchange(nodes[node->id], node) == nullptr) stack.push_back(node);
  };
  for (const Node* root : roots) meet(root);
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    for (const Node* operand : node->operands) meet(operand);
  }
  nodes.erase(std::remove(nodes.begin(), nodes.end(), nullptr), nodes.end());
  return nodes;
}

}  // namespace descent::ir
