// The syntax tree of a .descent file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace descent::frontend {

struct Source;

/// A range of characters of a source.
struct Span {
  const Source* source = nullptr;
  std::size_t begin = 0, end = 0;
};
inline Span join(const Span& a, const Span& b) { return {a.source, a.begin, b.end}; }

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Argument {
  std::string name;  ///< empty for a positional one
  ExpressionPtr value;
  Span span;
};

struct Expression {
  enum class Kind { number, string, name, unary, binary, call, member, conditional, list } kind;
  Span span;
  std::string text;  ///< the name, string, operator or member
  double number = 0;
  std::vector<ExpressionPtr> operands;  ///< also: callee, condition and branches, list items
  std::vector<Argument> arguments;      ///< of a call
};

struct Statement {
  enum class Kind { input, target, param, state, fit, let, output, loss, result, assign, update } kind;
  std::string name;
  Span name_span, span;
  std::vector<ExpressionPtr> shape;
  bool has_shape = false;
  ExpressionPtr value;
};

struct Parameter {
  std::string name;
  Span span;
  bool is_size = false;
  bool has_shape = false;
  std::vector<ExpressionPtr> shape;
  ExpressionPtr fallback;
};

/// fn, layer, optimizer, model, data or train.
struct Definition {
  enum class Kind { function, layer, optimizer, model, data, train } kind;
  std::string name;
  Span span, name_span;
  std::vector<Parameter> parameters;
  std::vector<Statement> body;
};

struct File {
  std::vector<std::unique_ptr<Definition>> definitions;
};

}  // namespace descent::frontend
