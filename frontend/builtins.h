// The primitive functions of the language: what stands for ops of the graph and cannot be written in the prelude.
//
// Adding one is adding a row to the table of the file it belongs to (builtins_*.cpp):
//     {"sum", "x, axis = all, keep = false", "The sum of the elements, ...", lower_sum}
// Arguments are bound to the parameters by position and name, and too many, unknown and missing ones reported, before
// the row's function is called.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/lower.h"

namespace descent::frontend {

class BuiltinCall;

struct Builtin {
  const char* name;
  /// As a person would write them. What stands after '=' is for readers: an argument that is not given is `absent`. Of
  /// the last one, "tensors ...", there is one or more.
  const char* parameters;
  const char* meaning;  ///< one or two sentences, shown by `descent doc`
  Value (*lower)(const BuiltinCall& call);
};

/// All primitive functions; null if there is none of that name.
const Builtin* find_builtin(std::string_view name);
const std::vector<const Builtin*>& all_builtins();

/// One call of a primitive function: its arguments in the order of the parameters, converted on request. What is not
/// as a conversion needs it is reported at that argument.
class BuiltinCall {
 public:
  BuiltinCall(Lowering& context, const Builtin& row, std::vector<Value> values, std::vector<Span> spans, Span whole)
      : lowering(context), builtin(row), span(whole), values_(std::move(values)), spans_(std::move(spans)) {}

  Lowering& lowering;
  const Builtin& builtin;
  const Span span;  ///< of the whole call

  std::size_t count() const { return values_.size(); }
  bool given(std::size_t i) const { return values_[i].kind != Value::Kind::absent; }
  const Value& value(std::size_t i) const { return values_[i]; }
  const Span& at(std::size_t i) const { return given(i) ? spans_[i] : span; }

  ir::Expr tensor(std::size_t i) const { return lowering.tensor(values_[i], at(i)); }
  ir::Expr numbers(std::size_t i) const;    ///< a tensor that is not boolean
  ir::Expr condition(std::size_t i) const;  ///< a boolean tensor
  /// Positions of axes, none twice: one or a list, negative ones from the end; all axes if not given.
  std::vector<int> axes(std::size_t i, std::size_t rank) const;
  /// Also by the name of the size, as in sum(x, axis = n).
  std::vector<int> axes(std::size_t i, const ir::Shape& shape) const;
  int axis(std::size_t i, std::size_t rank, int fallback) const;  ///< exactly one
  ir::Shape shape(std::size_t i) const;                           ///< [n, 16], or the shape of a tensor
  ir::Dimension size(std::size_t i) const;                        ///< from 1; may be symbolic
  double number(std::size_t i, double fallback) const;            ///< known while compiling
  std::int64_t whole(std::size_t i, std::int64_t fallback) const;
  bool flag(std::size_t i, bool fallback) const;        ///< true or false
  std::string text(std::size_t i) const;                ///< "nij,njk->nik"
  const std::vector<Value>& list(std::size_t i) const;  ///< at least one item

  [[noreturn]] void fail(std::size_t i, const std::string& message, const std::string& hint = "") const;
  [[noreturn]] void fail(const std::string& message, const std::string& hint = "") const;

 private:
  std::vector<Value> values_;
  std::vector<Span> spans_;
};

// The tables, one for each file of them.
std::span<const Builtin> elementwise_builtins();
std::span<const Builtin> reduction_builtins();
std::span<const Builtin> shape_builtins();
std::span<const Builtin> einsum_builtins();
std::span<const Builtin> list_builtins();
std::span<const Builtin> index_builtins();
std::span<const Builtin> other_builtins();

}  // namespace descent::frontend
