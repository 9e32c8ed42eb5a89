#include "frontend/frontend.h"

#include <algorithm>

#include "frontend/lower.h"
#include "frontend/parser.h"
#include "frontend/prelude.h"
#include "frontend/settings.h"

namespace descent::frontend {

namespace {

/// The prelude's tree, parsed once.
const File& prelude() {
  static const Source source{"<prelude>", std::string(prelude_source)};
  static const File file = [] {
    std::vector<Diagnostic> mistakes;
    File parsed = parse_file(source, mistakes);
    if (!mistakes.empty()) throw Error(mistakes);
    return parsed;
  }();
  return file;
}

[[noreturn]] void report(std::vector<Diagnostic> mistakes) {
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.line < b.line; });
  throw Error(std::move(mistakes));
}

}  // namespace

Model load_model(const std::string& text, const std::string& file) {
  const Source source{file, text};
  std::vector<Diagnostic> mistakes;
  const File tree = parse_file(source, mistakes);
  if (!mistakes.empty()) report(mistakes);

  std::map<Definition::Kind, const Definition*> blocks;
  for (const auto& d : tree.definitions) {
    const bool block =
        d->kind == Definition::Kind::model || d->kind == Definition::Kind::data || d->kind == Definition::Kind::train;
    if (block && !blocks.emplace(d->kind, d.get()).second) {
      mistakes.push_back(diagnostic(d->span, "there is a second block of this kind",
                                    "a file holds one model, one data and one train block"));
    }
  }
  if (!blocks.contains(Definition::Kind::model)) {
    Diagnostic missing =
        diagnostic({&source, 0, 0}, "there is no model in this file", "begin with: model name { ... }");
    missing.source_line.clear();
    mistakes.push_back(missing);
    report(mistakes);
  }
  const Definition& definition = *blocks.at(Definition::Kind::model);
  auto program = std::make_shared<ir::Program>();
  program->name = definition.name;
  Model model;
  model.name = definition.name;
  UpdateRules rules;
  if (blocks.contains(Definition::Kind::train)) {
    model.train = read_train_block(*blocks.at(Definition::Kind::train), rules, mistakes);
  }
  Lowering lowering(*program, {&prelude(), &tree}, mistakes);
  lowering.lower_model(definition, rules);
  if (blocks.contains(Definition::Kind::data)) {
    model.data = read_data_block(*blocks.at(Definition::Kind::data), *program, mistakes);
  }
  if (!mistakes.empty()) report(mistakes);
  model.program = program;
  return model;
}

ir::Program load_expression(const std::string& expression, const std::map<std::string, double>& values) {
  const Source source{"", expression};
  std::vector<Diagnostic> mistakes;
  const ExpressionPtr tree = parse_expression(source, mistakes);
  if (!mistakes.empty()) report(mistakes);
  ir::Program program;
  program.name = "expression";
  Scope scope;
  for (const auto& [name, value] : values) {
    program.inputs.push_back({name, {}});
    scope[name] = Value::of(program.graph->leaf(ir::Op::input, name, {}));
  }
  Lowering lowering(program, {&prelude()}, mistakes);
  try {
    const Value value = lowering.evaluate(*tree, scope);
    const ir::Node* node = value.kind == Value::Kind::number    ? program.graph->constant(value.number)
                           : value.kind == Value::Kind::boolean ? program.graph->boolean(value.boolean)
                                                                : value.node;
    if (node == nullptr) throw Failure{{diagnostic(tree->span, "expected a number, found " + describe(value))}};
    program.functions.push_back({"predict", {{"value", node}}, {}});
  } catch (const Failure& failure) {
    report(failure.diagnostics);
  }
  return program;
}

}  // namespace descent::frontend
