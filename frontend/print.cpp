#include "frontend/print.h"

#include "frontend/parser.h"

namespace descent::frontend {

namespace {

class Printer {
 public:
  std::string text;

  void line(int depth, const std::string& content) {
    text += std::string(static_cast<std::size_t>(depth) * 2, ' ') + content + "\n";
  }

  void expression(int depth, const Expression& e, const std::string& label = "") {
    static const char* kinds[] = {"number", "text", "name", "unary", "binary", "call", "member", "if", "list"};
    std::string head = label + kinds[static_cast<int>(e.kind)];
    if (e.kind == Expression::Kind::string)
      head += " \"" + e.text + "\"";
    else if (!e.text.empty())
      head += " " + e.text;
    const bool named_call = e.kind == Expression::Kind::call && e.operands[0]->kind == Expression::Kind::name;
    if (named_call) head += " " + e.operands[0]->text;
    line(depth, head);
    for (const ExpressionPtr& operand : e.operands) {
      if (!named_call) expression(depth + 1, *operand);
    }
    for (const Argument& a : e.arguments) expression(depth + 1, *a.value, a.name.empty() ? "" : a.name + " = ");
  }

  void shape(int depth, const std::vector<ExpressionPtr>& sizes) {
    line(depth, "shape");
    for (const ExpressionPtr& size : sizes) expression(depth + 1, *size);
  }

  void definition(const Definition& d) {
    static const char* kinds[] = {"fn", "layer", "optimizer", "model", "data", "train"};
    static const char* statements[] = {"input",  "target", "param",  "state",  "fit",   "let",
                                       "output", "loss",   "return", "assign", "update"};
    line(0, kinds[static_cast<int>(d.kind)] + (d.name.empty() ? "" : " " + d.name));
    for (const Parameter& p : d.parameters) {
      line(1, "parameter " + p.name + (p.is_size ? ": size" : ""));
      if (p.has_shape) shape(2, p.shape);
      if (p.fallback) expression(2, *p.fallback, "default ");
    }
    for (const Statement& s : d.body) {
      const std::string kind = statements[static_cast<int>(s.kind)];
      line(1, kind + (s.name.empty() || s.name == kind ? "" : " " + s.name));
      if (s.has_shape) shape(2, s.shape);
      if (s.value) expression(2, *s.value);
    }
  }
};

}  // namespace

std::string print_syntax_tree(const std::string& text, const std::string& file) {
  const Source source{file, text};
  std::vector<Diagnostic> mistakes;
  const File tree = parse_file(source, mistakes);
  if (!mistakes.empty()) throw Error(mistakes);
  Printer printer;
  for (const auto& d : tree.definitions) printer.definition(*d);
  return std::move(printer.text);
}

}  // namespace descent::frontend
