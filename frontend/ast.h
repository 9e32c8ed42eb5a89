// The syntax tree of a .descent file.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace descent::frontend {

struct Source;

/// A range of bytes of a source.
struct Span {
  const Source* source = nullptr;
  std::size_t begin = 0, end = 0;
};
inline Span join(const Span& a, const Span& b) { return {a.source, a.begin, b.end}; }

struct Expression;
struct Definition;
struct File;
struct NumberKind;
using ExpressionPtr = const Expression*;  ///< owned by the file

struct Argument {
  std::string name;  ///< empty for a positional one
  ExpressionPtr value;
  Span span;
};

/// One part of x[...]: an index, or the slice lower:upper:step, of which each may be missing.
struct Subscript {
  bool is_slice = false;
  ExpressionPtr lower = nullptr, upper = nullptr, step = nullptr;
  Span span;
};

struct Expression {
  enum class Kind {
    number,
    string,
    name,
    unary,
    binary,
    call,
    pipe,  ///< x |> f(a): the operands are x and the callee f, the arguments those of f
    member,
    conditional,
    list,
    index,
    function,  ///< fn(x) = ...
    broken,    ///< a syntax error that has been reported
  } kind;
  Span span;
  std::string text;  ///< the name, string, operator or member
  double number = 0;
  std::string unit;                     ///< of a number that is a size of memory: "MiB"; it counts in `number`
  std::vector<ExpressionPtr> operands;  ///< also: callee, condition and branches, list items
  std::vector<Argument> arguments;      ///< of a call
  std::vector<Subscript> subscripts;    ///< of an index
  const Definition* definition = nullptr;
};

/// `: int[n, 3]` or `: [n] category(12)`.
struct TypeAnnotation {
  std::string dtype;  ///< "f32", "int" ...; empty: f32
  std::vector<ExpressionPtr> shape;
  ExpressionPtr categories = nullptr;
  Span span;
};

struct Statement {
  enum class Kind {
    input,
    target,
    param,
    state,
    fit,
    let,
    output,
    loss,
    metric,
    result,
    assign,
    update,
    loop,    ///< for name in value { body }; repeat value { body } has no name
    define,  ///< a local fn or layer
    broken,  ///< a syntax error that has been reported
  } kind;
  std::string name;
  Span name_span, span;
  std::optional<TypeAnnotation> type;
  ExpressionPtr value = nullptr;
  std::vector<Statement> body;
  const Definition* definition = nullptr;
};

struct Parameter {
  std::string name;
  Span span;
  const NumberKind* number = nullptr;  ///< `rate: fraction`
  std::optional<TypeAnnotation> type;
  ExpressionPtr fallback = nullptr;
};

/// fn, layer, optimizer, model, data or train.
struct Definition {
  enum class Kind { function, layer, optimizer, model, data, train } kind;
  std::string name;
  Span span, name_span;       ///< `span` is the whole text, without the documentation
  std::string documentation;  ///< the lines of /// above it, without the slashes
  std::vector<Parameter> parameters;
  std::optional<TypeAnnotation> result;  ///< of a layer: what stands behind ->
  std::vector<Statement> body;
  const File* file = nullptr;

  bool is_callable() const { return kind == Kind::function || kind == Kind::layer || kind == Kind::optimizer; }
};

struct Import {
  std::string path;
  Span span;
  const File* file = nullptr;
};

struct File {
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const Source* source = nullptr;
  std::vector<Import> imports;
  std::vector<const Definition*> definitions;                  ///< in order; local ones are not among them
  std::unordered_map<std::string, const Definition*> by_name;  ///< the callable ones
  std::vector<std::string> broken_names;                       ///< in the text that could not be understood

  std::deque<Expression> expressions;
  std::deque<Definition> owned_definitions;
};

}  // namespace descent::frontend
