#include "frontend/builtins.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace descent::frontend {

using ir::Expr;
using Kind = Value::Kind;

const std::vector<const Builtin*>& all_builtins() {
  static const std::vector<const Builtin*> all = [] {
    std::vector<const Builtin*> rows;
    for (const auto& table : {elementwise_builtins(), reduction_builtins(), shape_builtins(), index_builtins(),
                              einsum_builtins(), list_builtins(), other_builtins()}) {
      for (const Builtin& row : table) rows.push_back(&row);
    }
    return rows;
  }();
  return all;
}

const Builtin* find_builtin(std::string_view name) {
  static const std::map<std::string_view, const Builtin*> index = [] {
    std::map<std::string_view, const Builtin*> rows;
    for (const Builtin* row : all_builtins()) rows.emplace(row->name, row);
    return rows;
  }();
  const auto at = index.find(name);
  return at == index.end() ? nullptr : at->second;
}

void BuiltinCall::fail(std::size_t i, const std::string& message, const std::string& hint) const {
  lowering.fail(at(i), message, hint);
}
void BuiltinCall::fail(const std::string& message, const std::string& hint) const {
  lowering.fail(span, message, hint);
}

Expr BuiltinCall::numbers(std::size_t i) const {
  const Expr x = tensor(i);
  if (x.node->type.dtype == ir::DType::boolean) {
    fail(i, std::string("'") + builtin.name + "' takes numbers, found " + describe(values_[i]),
         "write if ... then 1 else 0 to make a number of a condition");
  }
  return x;
}

Expr BuiltinCall::condition(std::size_t i) const {
  const Expr x = tensor(i);
  if (x.node->type.dtype != ir::DType::boolean) {
    fail(i, "expected a condition, found " + describe(values_[i]), "compare it: ... > 0");
  }
  return x;
}

std::vector<int> BuiltinCall::axes(std::size_t i, std::size_t rank) const {
  std::vector<int> axes;
  if (!given(i)) {
    for (std::size_t axis = 0; axis < rank; ++axis) axes.push_back(static_cast<int>(axis));
    return axes;
  }
  const Value& v = values_[i];
  for (const Value& item : v.kind == Kind::list ? v.items() : std::vector<Value>{v}) {
    const double n = item.number < 0 ? item.number + static_cast<double>(rank) : item.number;
    if (item.kind != Kind::number || n != std::floor(n) || n < 0 || n >= static_cast<double>(rank)) {
      fail(i, "there is no axis " + describe(item) + " in a tensor of rank " + std::to_string(rank),
           rank == 0 ? "" : "its axes are 0 to " + std::to_string(rank - 1) + ", or -1 for the last");
    }
    if (std::find(axes.begin(), axes.end(), static_cast<int>(n)) != axes.end()) {
      fail(i, "axis " + describe(item) + " is given twice");
    }
    axes.push_back(static_cast<int>(n));
  }
  return axes;
}

std::vector<int> BuiltinCall::axes(std::size_t i, const ir::Shape& shape) const {
  const Value& v = values_[i];
  if (v.is(Kind::list) || (!v.is(Kind::dimension) && !(v.is(Kind::number) && v.is_size))) return axes(i, shape.size());
  const ir::Dimension size = v.is(Kind::dimension) ? v.dimension() : ir::Dimension(static_cast<std::int64_t>(v.number));
  const auto first = std::find(shape.begin(), shape.end(), size);
  if (first == shape.end()) fail(i, "no axis of " + ir::to_string(shape) + " has the size " + size.to_string());
  if (std::find(first + 1, shape.end(), size) != shape.end()) {
    fail(i, "more than one axis of " + ir::to_string(shape) + " has the size " + size.to_string(),
         "give the number of the axis, from 0");
  }
  return {static_cast<int>(first - shape.begin())};
}

int BuiltinCall::axis(std::size_t i, std::size_t rank, int fallback) const {
  if (!given(i)) return fallback < 0 ? fallback + static_cast<int>(rank) : fallback;
  if (values_[i].kind == Kind::list) fail(i, std::string("'") + builtin.name + "' takes one axis, not a list");
  return axes(i, rank)[0];
}

ir::Shape BuiltinCall::shape(std::size_t i) const { return lowering.shape_argument(values_[i], at(i)); }

ir::Dimension BuiltinCall::size(std::size_t i) const {
  return lowering.shape_argument(Value::list({values_[i]}), at(i))[0];
}

double BuiltinCall::number(std::size_t i, double fallback) const {
  if (!given(i)) return fallback;
  if (values_[i].kind != Kind::number)
    fail(i, "expected a number known while compiling, found " + describe(values_[i]));
  return values_[i].number;
}

std::int64_t BuiltinCall::whole(std::size_t i, std::int64_t fallback) const {
  const double n = number(i, static_cast<double>(fallback));
  if (n != std::floor(n) || std::fabs(n) > 1e9) fail(i, "expected a whole number, found " + describe(values_[i]));
  return static_cast<std::int64_t>(n);
}

bool BuiltinCall::flag(std::size_t i, bool fallback) const {
  if (!given(i)) return fallback;
  if (values_[i].kind != Kind::boolean) fail(i, "expected true or false, found " + describe(values_[i]));
  return values_[i].boolean;
}

std::string BuiltinCall::text(std::size_t i) const {
  if (values_[i].kind != Kind::text) fail(i, "expected a text in quotes, found " + describe(values_[i]));
  return values_[i].text();
}

const std::vector<Value>& BuiltinCall::list(std::size_t i) const {
  if (values_[i].kind != Kind::list) {
    fail(i, "expected a list such as [a, b], found " + describe(values_[i]),
         std::string("write ") + builtin.name + "([...])");
  }
  if (values_[i].items().empty()) fail(i, "this list is empty");
  return values_[i].items();
}

}  // namespace descent::frontend
