// What an expression of the language is while the graph is built.
#pragma once

#include <string>
#include <vector>

#include "frontend/ast.h"
#include "ir/expr.h"

namespace descent::frontend {

struct Builtin;

struct Value {
  enum class Kind {
    number,     ///< known while compiling
    boolean,    ///< known while compiling
    dimension,  ///< a size with a symbol in it
    tensor,     ///< a node of the graph
    text,
    list,
    callable,  ///< a fn, layer or optimizer
    builtin,   ///< a primitive function
    absent,    ///< an optional argument that was not given
    broken,    ///< what it should be is not known because of a mistake that has been reported
  } kind = Kind::broken;
  double number = 0;
  bool boolean = false;
  ir::Dimension dimension = 0;
  const ir::Node* node = nullptr;
  std::string text;
  std::vector<Value> items;
  const Definition* definition = nullptr;
  const Builtin* builtin = nullptr;

  static Value of(double number) {
    Value v;
    v.kind = Kind::number;
    v.number = number;
    return v;
  }
  static Value of(const ir::Node* node) {
    Value v;
    v.kind = Kind::tensor;
    v.node = node;
    return v;
  }
  static Value truth(bool b) {
    Value v;
    v.kind = Kind::boolean;
    v.boolean = b;
    return v;
  }
  static Value of(const ir::Dimension& d);
  static Value absent() {
    Value v;
    v.kind = Kind::absent;
    return v;
  }
  static Value list(std::vector<Value> items) {
    Value v;
    v.kind = Kind::list;
    v.items = std::move(items);
    return v;
  }
};

std::string describe(const Value& value);  ///< for messages: "a number", "f32[n, 30]"

}  // namespace descent::frontend
