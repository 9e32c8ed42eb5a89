// What an expression of the language is while the graph is built. Cheap to copy.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontend/ast.h"
#include "ir/expr.h"

namespace descent::frontend {

struct Builtin;
class Scope;
struct BoundLayer;

struct Value {
  enum class Kind {
    number,     ///< known while compiling
    boolean,    ///< known while compiling
    dimension,  ///< a size with a symbol in it
    tensor,     ///< a node of the graph
    text,
    list,      ///< [a, b]; where a tensor is expected, its items on a new first axis
    tensors,   ///< weights, parameters or gradients: operators and functions apply to each
    callable,  ///< a fn, layer or optimizer
    bound,     ///< a layer or optimizer with its settings, without the tensors it will be applied to
    builtin,   ///< a primitive function
    absent,    ///< an optional argument that was not given
    broken,    ///< what it should be is not known because of a mistake that has been reported
  } kind = Kind::broken;
  double number = 0;
  bool boolean = false;
  bool is_size = false;  ///< a number that is the size of an axis by its name: it can name the axis
  const ir::Node* node = nullptr;
  const Definition* definition = nullptr;  ///< of a callable
  Scope* environment = nullptr;            ///< of a callable: where a local one was defined
  const Builtin* builtin = nullptr;
  std::shared_ptr<BoundLayer> bound;

  const ir::Dimension& dimension() const { return *dimension_; }
  const std::string& text() const { return *text_; }
  const std::vector<Value>& items() const { return *items_; }  ///< of a list or of tensors

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
  static Value of(ir::Expr e) { return of(e.node); }
  static Value truth(bool b) {
    Value v;
    v.kind = Kind::boolean;
    v.boolean = b;
    return v;
  }
  static Value of(const ir::Dimension& d);
  static Value of(const Builtin* builtin) {
    Value v;
    v.kind = Kind::builtin;
    v.builtin = builtin;
    return v;
  }
  static Value of(const Definition* definition, Scope* environment) {
    Value v;
    v.kind = Kind::callable;
    v.definition = definition;
    v.environment = environment;
    return v;
  }
  static Value of_text(std::string text) {
    Value v;
    v.kind = Kind::text;
    v.text_ = std::make_shared<const std::string>(std::move(text));
    return v;
  }
  static Value absent() {
    Value v;
    v.kind = Kind::absent;
    return v;
  }
  static Value list(std::vector<Value> items, Kind kind = Kind::list) {
    Value v;
    v.kind = kind;
    v.items_ = std::make_shared<const std::vector<Value>>(std::move(items));
    return v;
  }

  bool is(Kind k) const { return kind == k; }

 private:
  std::shared_ptr<const ir::Dimension> dimension_;
  std::shared_ptr<const std::string> text_;
  std::shared_ptr<const std::vector<Value>> items_;
};

std::string describe(const Value& value);  ///< for messages: "3", "f32[n, 30]"
std::string describe_number(double number);

/// An argument of a call: its name, empty for a positional one, and its value.
struct GivenArgument {
  std::string name;
  Value value;
  Span span;
};

/// `let f = dense(16)`: the layer, its settings, and the path of its parameters, which all its applications share.
struct BoundLayer {
  const Definition* definition;
  Scope* environment;
  std::vector<GivenArgument> settings;  ///< all with names
  std::string path;                     ///< "f."; empty until it is named or applied
};

}  // namespace descent::frontend
