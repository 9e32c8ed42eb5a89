// The functions of views and structural ops: type rule, derivative and meaning of each. ir/ops.def lists them.
#pragma once

#include "ir/op.h"

namespace descent::ir {

#define ELEMENTWISE(...)
#define LEAF(name, ...) Type infer_##name(const OpInfo&, std::span<const Node* const>, const Attributes&);
#define STRUCTURAL(name, ...)                                                        \
  Type infer_##name(const OpInfo&, std::span<const Node* const>, const Attributes&); \
  Adjoints derivative_##name(Expr y, Expr g, std::span<const Expr> operands);        \
  void evaluate_##name(const Node& node, std::span<const Tensor* const> x, Tensor& y);
#define VIEW(name)                                                                   \
  Type infer_##name(const OpInfo&, std::span<const Node* const>, const Attributes&); \
  Adjoints derivative_##name(Expr y, Expr g, std::span<const Expr> operands);        \
  IndexMap index_map_##name(const Node& node);
#include "ir/ops.def"
#undef ELEMENTWISE
#undef LEAF
#undef VIEW
#undef STRUCTURAL

}  // namespace descent::ir
