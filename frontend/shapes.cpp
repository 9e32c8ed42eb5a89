// Shapes that are declared against shapes that are found: sizes that are not known yet are solved for.
//
// `x: [n, 2*d]` against a tensor [n, 32] says d = 16. An axis whose size holds one unknown name, once and multiplied by
// a number, gives its value; the others are checked when all names are known.
#include <cmath>

#include "frontend/foreign.h"
#include "frontend/lower.h"
#include "frontend/sizes.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

using ir::Dimension;
using Kind = Value::Kind;

namespace {

/// Symbols of names that are not known yet; no name of the language has a '?'.
std::string unknown_symbol(const std::string& name) { return "?" + name; }

bool mentions(const Dimension& d, const std::string& symbol) {
  std::vector<std::string> symbols;
  d.collect_symbols(symbols);
  return std::find(symbols.begin(), symbols.end(), symbol) != symbols.end();
}

/// The value of the only unknown in `pattern`, where pattern = size; nothing if there is none or another form.
std::optional<Dimension> solve(const Dimension& pattern, const std::string& unknown, const Dimension& size) {
  std::int64_t factor = 0;
  for (const Dimension::Term& term : pattern.terms()) {
    if (std::find(term.symbols.begin(), term.symbols.end(), unknown) == term.symbols.end()) continue;
    if (term.symbols.size() != 1) return std::nullopt;  // d * d, or n * d
    factor = term.coefficient;
  }
  if (factor == 0) return std::nullopt;
  const Dimension known = pattern - Dimension(factor) * Dimension::symbol(unknown);
  return divide_exactly(size - known, factor);
}

/// A shape as it was written.
std::string written(const std::vector<ExpressionPtr>& sizes) {
  std::string text;
  for (const ExpressionPtr size : sizes) {
    text += text.empty() ? "" : ", ";
    text += text_of(size->span);
  }
  return "[" + text + "]";
}

}  // namespace

/// The type that `int[n]` names; f32 where none is named. What is declared as a category is a whole number.
ir::DType Lowering::dtype_of(const TypeAnnotation& type) const {
  static const std::vector<std::pair<std::string, ir::DType>> table = {
      {"f32", ir::DType::f32}, {"f64", ir::DType::f64}, {"int", ir::DType::i32}, {"bool", ir::DType::boolean}};
  if (type.dtype.empty()) return type.categories != nullptr ? ir::DType::i32 : ir::DType::f32;
  std::vector<std::string> names;
  for (const auto& [name, dtype] : table) {
    if (name == type.dtype) return dtype;
    names.push_back(name);
  }
  const auto meant = ir::nearest(type.dtype, names);
  const std::string foreign = foreign_type(type.dtype);
  fail(type.span, "there is no type '" + type.dtype + "'",
       !foreign.empty() ? foreign
       : meant          ? "did you mean '" + *meant + "'?"
                        : "the types are f32, f64, int and bool");
}

/// The size as a polynomial of symbols, with a symbol for each name that is not known yet.
Dimension Lowering::size_pattern(const Expression& e, Scope& scope, std::vector<std::string>& unknown) {
  if (e.kind == Expression::Kind::name && scope.find(e.text) == nullptr &&
      find_definition(e.text, scope.file()) == nullptr) {
    if (std::find(unknown.begin(), unknown.end(), e.text) == unknown.end()) unknown.push_back(e.text);
    return Dimension::symbol(unknown_symbol(e.text));
  }
  if (e.kind == Expression::Kind::binary && (e.text == "+" || e.text == "-" || e.text == "*")) {
    const Dimension a = size_pattern(*e.operands[0], scope, unknown), b = size_pattern(*e.operands[1], scope, unknown);
    return e.text == "+" ? a + b : e.text == "-" ? a - b : a * b;
  }
  const Value v = evaluate(e, scope);
  if (v.is(Kind::broken)) throw Failure{};
  if (v.is(Kind::dimension)) return v.dimension();
  if (v.is(Kind::number) && v.number == std::floor(v.number) && std::fabs(v.number) <= 1e9) {
    return static_cast<std::int64_t>(v.number);
  }
  fail(e.span, "a size must be a whole number from 1, not " + describe(v));
}

ir::Shape Lowering::shape_of(const std::vector<ExpressionPtr>& sizes, Scope& scope) {
  ir::Shape shape;
  for (const ExpressionPtr e : sizes) {
    const Value v = evaluate(*e, scope);
    if (v.is(Kind::broken)) throw Failure{};
    shape.push_back(shape_argument(Value::list({v}), e->span)[0]);
  }
  return shape;
}

/// Where the sizes of a shape have their values from.
std::vector<Note> Lowering::origins(const std::vector<ExpressionPtr>& sizes, Scope& scope) const {
  std::vector<Note> notes;
  for (const ExpressionPtr size : sizes) {
    if (size->kind != Expression::Kind::name) continue;
    const Binding* binding = scope.find(size->text);
    if (binding == nullptr || binding->origin.source == nullptr || binding->origin.source->is_library) continue;
    const std::string value =
        binding->value.is(Kind::dimension) ? binding->value.dimension().to_string() : describe(binding->value);
    if (value != size->text) notes.push_back(note(binding->origin, "here " + size->text + " is " + value));
  }
  return notes;
}

void Lowering::bind_shape(const Parameter& p, const Value& value, const Span& span, Scope& scope) {
  const std::vector<ExpressionPtr>& sizes = p.type->shape;
  const ir::Expr given = tensor(value, span);
  const ir::Shape& shape = given.shape();
  if (!p.type->dtype.empty() && given.node->type.dtype != dtype_of(*p.type)) {
    fail(span, "'" + p.name + "' must be " + p.type->dtype + ", found " + ir::to_string(given.node->type));
  }
  const auto mismatch = [&] {
    std::string hint;
    if (sizes.size() == shape.size() + 1 && sizes.back()->kind == Expression::Kind::number &&
        sizes.back()->number == 1) {
      hint =
          "to make a column of it, write reshape(..., [" + (shape.empty() ? "" : shape[0].to_string() + ", ") + "1])";
    } else if (sizes.size() == shape.size() + 1 && !shape.empty()) {
      std::string one_more;
      for (const Dimension& size : shape) one_more += size.to_string() + ", ";
      hint = "to add an axis, write reshape(..., [" + one_more + "1])";
    } else if (sizes.size() > shape.size()) {
      hint = "write reshape(..., " + written(sizes) + "), with numbers for the sizes";
    } else if (sizes.size() == 2 && shape.size() > 2) {
      hint = "to put the other axes together, write reshape(..., [" + shape[0].to_string() + ", -1])";
    }
    fail(span, "'" + p.name + "' must have the shape " + written(sizes) + ", found " + ir::to_string(shape), hint,
         origins(sizes, scope));
  };
  if (shape.size() != sizes.size()) mismatch();
  std::vector<bool> done(sizes.size(), false);
  bool progress = true;
  while (progress) {
    progress = false;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (done[i]) continue;
      std::vector<std::string> unknown;
      const Dimension pattern = size_pattern(*sizes[i], scope, unknown);
      if (unknown.empty()) {
        if (pattern != shape[i]) mismatch();
        done[i] = progress = true;
      } else if (unknown.size() == 1) {
        const auto solution = solve(pattern, unknown_symbol(unknown[0]), shape[i]);
        const bool is_size = solution && !(solution->is_constant() && solution->constant() < 1);
        if (!is_size && mentions(pattern, unknown_symbol(unknown[0])) && pattern.terms().size() == 1) mismatch();
        if (!is_size) continue;
        Value size = Value::of(*solution);
        size.is_size = true;
        scope.declare(unknown[0], size, span);
        done[i] = progress = true;
      }
    }
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (done[i]) continue;
    fail(sizes[i]->span, "this size cannot be told from " + ir::to_string(shape),
         "declare what it depends on with a parameter of its own: units: size");
  }
}

/// let h: [n, 16] = ...: what is declared is what must be.
void Lowering::check_type(const Statement& s, const Value& value, Scope& scope) {
  if (!s.type || value.is(Kind::broken)) return;
  Parameter declared{};
  declared.name = s.name;
  declared.type = s.type;
  bind_shape(declared, value, s.value->span, scope);
}

/// What a layer returns against what stands behind its ->.
void Lowering::check_result(const Definition& layer, Scope& scope) {
  if (result_.is(Kind::broken)) return;
  const TypeAnnotation& declared = *layer.result;
  const ir::Expr result = tensor(result_, declared.span);
  const ir::Shape& shape = result.shape();
  const bool type_fits = declared.dtype.empty() || dtype_of(declared) == result.node->type.dtype;
  bool fits = type_fits && shape.size() == declared.shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    std::vector<std::string> unknown;
    const Dimension size = size_pattern(*declared.shape[i], scope, unknown);
    if (!unknown.empty()) return;  // reported as an unknown name
    fits = size == shape[i];
  }
  if (fits) return;
  fail(declared.span,
       "'" + layer.name + "' says that it returns " + declared.dtype + written(declared.shape) + ", but returns " +
           (declared.dtype.empty() ? ir::to_string(shape) : ir::to_string(result.node->type)),
       "", origins(declared.shape, scope));
}

}  // namespace descent::frontend
