#include "frontend/frontend.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "frontend/import.h"
#include "frontend/lower.h"
#include "frontend/names.h"
#include "frontend/parser.h"
#include "frontend/prelude.h"
#include "frontend/settings.h"
#include "ir/stage_times.h"

namespace descent::frontend {

const File& prelude() {
  static const Source source{"<prelude>", std::string(prelude_source), true};
  static const std::unique_ptr<File> file = [] {
    const StageTimer timer(Stage::parse);
    std::vector<Diagnostic> mistakes;
    std::unique_ptr<File> parsed = parse_file(source, mistakes);
    if (!mistakes.empty()) throw Error(mistakes);
    return parsed;
  }();
  return *file;
}

namespace {

/// Throws all mistakes, in the order in which they stand; those of the file named `main` first.
[[noreturn]] void report(std::vector<Diagnostic> mistakes, const std::string& main) {
  std::stable_sort(mistakes.begin(), mistakes.end(), [&](const Diagnostic& a, const Diagnostic& b) {
    return std::tuple(a.file != main, a.file, a.line, a.column) < std::tuple(b.file != main, b.file, b.line, b.column);
  });
  throw Error(std::move(mistakes));
}

/// Takes out what was found in lines that could not be read: it follows from that. The first `unreadable` are those.
void drop_consequences(std::vector<Diagnostic>& mistakes, std::size_t unreadable) {
  std::set<std::pair<std::string, int>> lines;
  for (std::size_t i = 0; i < unreadable; ++i) lines.emplace(mistakes[i].file, mistakes[i].line);
  const auto first = mistakes.begin() + static_cast<std::ptrdiff_t>(unreadable);
  mistakes.erase(
      std::remove_if(first, mistakes.end(), [&](const Diagnostic& d) { return lines.contains({d.file, d.line}); }),
      mistakes.end());
}

/// The one block of each kind that a file holds.
std::map<Definition::Kind, const Definition*> find_blocks(const File& file, std::vector<Diagnostic>& mistakes) {
  std::map<Definition::Kind, const Definition*> blocks;
  for (const Definition* d : file.definitions) {
    if (d->is_callable()) continue;
    const auto [earlier, is_new] = blocks.emplace(d->kind, d);
    if (is_new) continue;
    Diagnostic second = diagnostic(d->name_span, "there is a second block of this kind",
                                   "a file holds one model, one data and one train block");
    second.notes.push_back(note(earlier->second->name_span, "the first is here"));
    mistakes.push_back(second);
  }
  if (!blocks.contains(Definition::Kind::model) && mistakes.empty()) {
    Diagnostic missing =
        diagnostic({file.source, 0, 0}, "there is no model in this file", "begin with: model name { ... }");
    missing.source_line.clear();
    mistakes.push_back(missing);
  }
  return blocks;
}

}  // namespace

Model load_model(const std::string& text, const std::string& file) {
  const StageTimer timer(Stage::lower);
  std::vector<Diagnostic> mistakes;
  const std::unique_ptr<SourceTree> tree = load_source_tree(text, file, mistakes);
  const std::size_t unreadable = mistakes.size();
  const auto blocks = find_blocks(*tree->main, mistakes);
  std::set<const Definition*> recursive;
  for (const auto& part : tree->files) recursive.merge(check_names(*part, &prelude(), mistakes));
  if (!blocks.contains(Definition::Kind::model)) {
    drop_consequences(mistakes, unreadable);
    report(mistakes, file);
  }
  const Definition& definition = *blocks.at(Definition::Kind::model);
  Model model;
  model.name = definition.name;
  UpdateRules rules;
  if (blocks.contains(Definition::Kind::train)) {
    model.train = read_train_block(*blocks.at(Definition::Kind::train), definition, rules, mistakes);
  }
  if (blocks.contains(Definition::Kind::data)) {
    model.data = read_data_block(*blocks.at(Definition::Kind::data), definition, mistakes);
  }
  auto program = std::make_shared<ir::Program>();
  program->name = definition.name;
  Lowering lowering(*program, *tree->main, &prelude(), recursive, mistakes);
  lowering.lower_model(definition, rules);
  model.category_counts = lowering.category_counts();
  model.index_counts = lowering.index_counts();
  drop_consequences(mistakes, unreadable);
  if (!mistakes.empty()) report(mistakes, file);
  model.program = program;
  return model;
}

ir::Program load_expression(const std::string& expression, const std::map<std::string, double>& values) {
  const Source source{"", expression};
  std::vector<Diagnostic> mistakes;
  File file;
  const ExpressionPtr tree = parse_expression(source, file, mistakes);
  if (!mistakes.empty()) report(mistakes, "");
  ir::Program program;
  program.name = "expression";
  std::vector<std::string> names;
  for (const auto& [name, value] : values) {
    program.inputs.push_back({name, {}});
    names.push_back(name);
  }
  const Value value = Lowering(program, file, &prelude(), {}, mistakes).lower_expression(*tree, names);
  if (!mistakes.empty()) report(mistakes, "");
  program.functions.push_back({"predict", {{"value", value.node}}, {}});
  return program;
}

}  // namespace descent::frontend
