// The graph: immutable nodes of primitive ops, each made once.
//
// A node is an op, its operands, its attributes and the type (dtype and shape) that follows from them. Nodes are
// hash-consed: asking for a node that exists returns it, so that equal expressions are one node (common subexpressions
// never arise) and comparing two expressions is comparing two pointers. A graph only grows; which nodes matter is said
// by the functions of the program (ir/program.h) that reach them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <vector>

#include "ir/dimension.h"

namespace descent::ir {

/// i32 is exact for whole numbers of 32 bits; arithmetic wraps around. Kernels compute f32 in float32, f64 in float64,
/// booleans as masks.
enum class DType : std::uint8_t { f32, f64, i32, boolean };
std::string to_string(DType dtype);
inline bool is_real(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }
/// Bytes of an element in memory, where a boolean is the float32 number 0 or 1.
inline std::int64_t element_bytes(DType dtype) { return dtype == DType::f64 ? 8 : 4; }

struct Type {
  DType dtype = DType::f32;
  Shape shape;
  friend bool operator==(const Type&, const Type&) = default;
};
std::string to_string(const Type& type);  ///< "f32[n, 30]"

/// Every primitive op; what each means stands in ir/ops.def.
enum class Op : std::uint8_t {
#define ELEMENTWISE(name, ...) name,
#define VIEW(name) name,
#define STRUCTURAL(name, ...) name,
#define LEAF(name, ...) name,
#include "ir/ops.def"
#undef ELEMENTWISE
#undef VIEW
#undef STRUCTURAL
#undef LEAF
};

/// The attributes of a node; an op uses those that ir/ops.def names and leaves the others empty.
struct Attributes {
  std::string name;                                                   ///< of an input, parameter, state or counter
  double value = 0;                                                   ///< of a constant; the stream of rng_uniform
  DType dtype = DType::f32;                                           ///< of leaves and convert
  std::vector<int> axes;                                              ///< of views and reductions
  Shape shape;                                                        ///< of leaves, broadcast_in_dim and reshape
  Shape starts, limits;                                               ///< of slice, by axis
  std::vector<int> strides;                                           ///< of slice, by axis
  Shape low, high;                                                    ///< of pad, by axis
  std::vector<int> window;                                            ///< of windows: size, stride, dilation
  std::vector<int> interior;                                          ///< of pad, by axis
  std::vector<int> lhs_batch, rhs_batch, lhs_contract, rhs_contract;  ///< of dot_general
  friend bool operator==(const Attributes&, const Attributes&);       ///< values are compared bit by bit (NaN, -0)
};

/// The attributes of nodes as a graph keeps them: each once, with the hash of what they say.
struct KeptAttributes : Attributes {
  explicit KeptAttributes(Attributes attributes);
  std::size_t hash;
};

/// The place in a text that a node stems from; it has no part in what the node is.
struct Origin {
  std::uint32_t source = 0;  ///< the number of the text; 0: unknown
  std::uint32_t begin = 0, end = 0;
};

struct Node {
  Op op;
  std::vector<const Node*> operands;
  const KeptAttributes& attributes;  ///< kept by the graph: nodes of one graph with equal attributes share them
  Type type;
  std::uint32_t id;      ///< operands have smaller ids: id order is a topological order
  std::size_t hash = 0;  ///< of what makes it this node: op, operands and attributes
  Origin origin = {};

  const Shape& shape() const { return type.shape; }
  bool is_constant() const { return op == Op::constant; }
  bool is_constant(double value) const { return op == Op::constant && attributes.value == value; }
};

class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// The node of this op, made now or earlier. Throws descent::Error if the operands' types do not fit the op.
  const Node* make(Op op, std::vector<const Node*> operands, Attributes attributes = {});

  const Node* constant(double value, const Shape& shape = {});
  const Node* constant(double value, const Type& type);  ///< of any dtype; booleans are 0 and 1
  const Node* boolean(bool value, const Shape& shape = {});
  const Node* leaf(Op op, const std::string& name, const Shape& shape,
                   DType dtype = DType::f32);                              ///< input, parameter, state or counter
  const Node* dimension(const Dimension& size, DType dtype = DType::f32);  ///< its value as a scalar

  /// The op of a node on other operands, as if made where the node was; the node itself if they are its own.
  const Node* with_operands(const Node* node, std::vector<const Node*> operands);

  /// What nodes stem from that are made from now on.
  void set_origin(const Origin& origin) { origin_ = origin; }
  const Origin& origin() const { return origin_; }

  std::size_t size() const { return nodes_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const Node* node) const { return node->hash; }
    std::size_t operator()(const KeptAttributes* attributes) const { return attributes->hash; }
  };
  struct Equal {
    bool operator()(const Node* a, const Node* b) const;
    bool operator()(const KeptAttributes* a, const KeptAttributes* b) const;
  };
  const KeptAttributes& keep(const KeptAttributes& attributes);
  const Node* make_kept(Op op, std::vector<const Node*> operands, const KeptAttributes& attributes);

  std::deque<KeptAttributes> attributes_;
  std::deque<Node> nodes_;
  Origin origin_;
  std::unordered_set<const KeptAttributes*, Hash, Equal> attribute_index_;
  std::unordered_set<const Node*, Hash, Equal> index_;
};

/// Values by node, of nodes of one graph. A node that was given none has T(), which stands for none.
template <typename T>
class NodeMap {
 public:
  T& operator[](const Node* node) {
    if (node->id >= values_.size()) values_.resize(std::max<std::size_t>(node->id + 1, 2 * values_.size()));
    return values_[node->id];
  }
  const T& of(const Node* node) const {
    static const T none{};
    return node->id < values_.size() ? values_[node->id] : none;
  }

 private:
  std::vector<T> values_;
};

/// The nodes that `roots` reach, all of one graph, operands before users.
std::vector<const Node*> reachable(const std::vector<const Node*>& roots);

}  // namespace descent::ir
