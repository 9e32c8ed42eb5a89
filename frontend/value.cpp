#include "frontend/value.h"

#include <charconv>

#include "frontend/builtins.h"

namespace descent::frontend {

Value Value::of(const ir::Dimension& d) {
  if (d.is_constant()) return of(static_cast<double>(d.constant()));
  Value v;
  v.kind = Kind::dimension;
  v.dimension_ = std::make_shared<const ir::Dimension>(d);
  return v;
}

/// As short as it can be read back.
std::string describe_number(double number) {
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  return {text, end};
}

std::string describe(const Value& v) {
  switch (v.kind) {
    case Value::Kind::number:
      return describe_number(v.number);
    case Value::Kind::boolean:
      return v.boolean ? "true" : "false";
    case Value::Kind::dimension:
      return "the size " + v.dimension().to_string();
    case Value::Kind::tensor:
      return ir::to_string(v.node->type);
    case Value::Kind::text:
      return "the text \"" + v.text() + "\"";
    case Value::Kind::list:
      return v.items().empty() ? "an empty list" : "a list of " + std::to_string(v.items().size());
    case Value::Kind::tensors:
      return "a collection of " + std::to_string(v.items().size()) + " tensors";
    case Value::Kind::callable:
      return v.definition->name == "fn" ? "a function" : "'" + v.definition->name + "'";
    case Value::Kind::bound:
      return "'" + v.bound->definition->name + "(...)'";
    case Value::Kind::builtin:
      return std::string("'") + v.builtin->name + "'";
    case Value::Kind::absent:
    case Value::Kind::broken:
      break;
  }
  return "nothing";
}

}  // namespace descent::frontend
