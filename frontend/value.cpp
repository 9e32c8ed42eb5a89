#include "frontend/value.h"

#include "frontend/builtins.h"

namespace descent::frontend {

Value Value::of(const ir::Dimension& d) {
  if (d.is_constant()) return of(static_cast<double>(d.constant()));
  Value v;
  v.kind = Kind::dimension;
  v.dimension = d;
  return v;
}

std::string describe(const Value& v) {
  switch (v.kind) {
    case Value::Kind::number: {
      std::string text = std::to_string(v.number);
      text.erase(text.find_last_not_of('0') + 1);
      if (text.back() == '.') text.pop_back();
      return text;
    }
    case Value::Kind::boolean:
      return v.boolean ? "true" : "false";
    case Value::Kind::dimension:
      return "the size " + v.dimension.to_string();
    case Value::Kind::tensor:
      return ir::to_string(v.node->type);
    case Value::Kind::text:
      return "the text \"" + v.text + "\"";
    case Value::Kind::list:
      return "a list";
    case Value::Kind::callable:
      return "'" + v.definition->name + "'";
    case Value::Kind::builtin:
      return std::string("'") + v.builtin->name + "'";
    case Value::Kind::absent:
    case Value::Kind::broken:
      break;
  }
  return "nothing";
}

}  // namespace descent::frontend
