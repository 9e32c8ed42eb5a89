#include "frontend/print.h"

#include "frontend/number_kinds.h"
#include "frontend/parser.h"

namespace descent::frontend {

namespace {

class Printer {
 public:
  std::string text;

  void definition(int depth, const Definition& d) {
    static const char* kinds[] = {"fn", "layer", "optimizer", "model", "data", "train"};
    line(depth, kinds[static_cast<int>(d.kind)] + (d.name.empty() ? "" : " " + d.name));
    for (const Parameter& p : d.parameters) {
      line(depth + 1, "parameter " + p.name + (p.number != nullptr ? std::string(": ") + p.number->name : ""));
      if (p.type) type(depth + 2, *p.type);
      if (p.fallback != nullptr) expression(depth + 2, *p.fallback, "default ");
    }
    for (const Statement& s : d.body) statement(depth + 1, s);
  }

 private:
  void line(int depth, const std::string& content) {
    text += std::string(static_cast<std::size_t>(depth) * 2, ' ') + content + "\n";
  }

  void statement(int depth, const Statement& s) {
    static const char* kinds[] = {"input",  "target", "param",  "state",  "fit",  "let",    "output", "loss",
                                  "metric", "return", "assign", "update", "loop", "define", "broken"};
    const std::string kind = kinds[static_cast<int>(s.kind)];
    line(depth, kind + (s.name.empty() || s.name == kind ? "" : " " + s.name));
    if (s.type) type(depth + 1, *s.type);
    if (s.value != nullptr) expression(depth + 1, *s.value);
    for (const Statement& inner : s.body) statement(depth + 1, inner);
    if (s.definition != nullptr) definition(depth + 1, *s.definition);
  }

  /// Of a long chain of operators the tree is as deep as it is long, and its indentation the square of that.
  static constexpr int most_levels = 1000;

  void expression(int depth, const Expression& e, const std::string& label = "") {
    if (depth > most_levels) return line(depth, "...");
    static const char* kinds[] = {"number", "text", "name", "unary", "binary", "call",  "pipe",
                                  "member", "if",   "list", "index", "fn",     "broken"};
    std::string head = label + kinds[static_cast<int>(e.kind)];
    if (e.kind == Expression::Kind::string)
      head += " \"" + e.text + "\"";
    else if (!e.text.empty())
      head += " " + e.text;
    if (!e.unit.empty()) head += " " + e.unit;
    const bool named_call = e.kind == Expression::Kind::call && e.operands[0]->kind == Expression::Kind::name;
    if (named_call) head += " " + e.operands[0]->text;
    line(depth, head);
    for (const ExpressionPtr operand : e.operands) {
      if (!named_call) expression(depth + 1, *operand);
    }
    for (const Argument& a : e.arguments) expression(depth + 1, *a.value, a.name.empty() ? "" : a.name + " = ");
    for (const Subscript& s : e.subscripts) {
      if (s.is_slice) line(depth + 1, "slice");
      if (s.lower != nullptr) expression(depth + 1 + s.is_slice, *s.lower, s.is_slice ? "from " : "");
      if (s.upper != nullptr) expression(depth + 2, *s.upper, "to ");
      if (s.step != nullptr) expression(depth + 2, *s.step, "by ");
    }
    if (e.definition != nullptr) definition(depth + 1, *e.definition);
  }

  void type(int depth, const TypeAnnotation& t) {
    line(depth, "shape" + (t.dtype.empty() ? "" : " " + t.dtype));
    for (const ExpressionPtr size : t.shape) expression(depth + 1, *size);
    if (t.categories != nullptr) expression(depth + 1, *t.categories, "categories ");
  }
};

}  // namespace

std::string print_syntax_tree(const std::string& text, const std::string& file) {
  const Source source{file, text};
  std::vector<Diagnostic> mistakes;
  const std::unique_ptr<File> tree = parse_file(source, mistakes);
  if (!mistakes.empty()) throw Error(mistakes);
  Printer printer;
  for (const Definition* d : tree->definitions) printer.definition(0, *d);
  return std::move(printer.text);
}

}  // namespace descent::frontend
