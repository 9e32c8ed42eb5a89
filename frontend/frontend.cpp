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
  static const Source source{"<prelude>", std::string(prelude_source), 0, true};
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
  if (mistakes.size() >= most_mistakes) {
    mistakes.push_back({main, 0, 0, 1, "after so many mistakes no others were looked for", "", ""});
  }
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

/// Gives the training step the limit of the train block, for the batch that stands there.
void limit_memory(ir::Program& program, const TrainSpec& train, std::vector<Diagnostic>& mistakes) {
  const Location& at = train.memory->location;
  Diagnostic place{at.file, at.line, at.column, at.length, "", "", at.source_line};
  ir::MemoryLimit limit{train.memory->bytes, {}, place};
  const std::vector<std::string> symbols = program.dimensions();
  for (const std::string& symbol : symbols) limit.sizes[symbol] = train.batch;
  if (symbols.size() > 1) {
    place.message = "how much memory a step takes is not known before it runs: it depends on '" + symbols[1] + "' too";
    place.hint = "write a number for '" + symbols[1] + "' in the shapes of the inputs";
    mistakes.push_back(place);
    return;
  }
  for (ir::Function& f : program.functions) {
    if (f.name == "step") f.memory_limit = limit;
  }
}

}  // namespace

/// What has been read of a model's files, and what is still to be lowered.
struct ModelSource::Parts {
  std::string name;  ///< of the file
  std::vector<Diagnostic> mistakes;
  std::shared_ptr<const SourceTree> tree;
  std::size_t unreadable = 0;  ///< mistakes of the parser, which come first
  std::map<Definition::Kind, const Definition*> blocks;
  UpdateRules rules;
  Model model;
};

ModelSource::ModelSource(const std::string& text, const std::string& file) : parts_(std::make_unique<Parts>()) {
  const StageTimer timer(Stage::parse);
  Parts& p = *parts_;
  p.name = file;
  p.tree = load_source_tree(text, file, p.mistakes);
  p.unreadable = p.mistakes.size();
  p.blocks = find_blocks(*p.tree->main, p.mistakes);
  if (!p.blocks.contains(Definition::Kind::model)) return;
  const Definition& definition = *p.blocks.at(Definition::Kind::model);
  p.model.name = definition.name;
  if (p.blocks.contains(Definition::Kind::train)) {
    const auto data = p.blocks.find(Definition::Kind::data);
    p.model.train = read_train_block(*p.blocks.at(Definition::Kind::train), definition,
                                     data == p.blocks.end() ? nullptr : data->second, p.rules, p.mistakes);
  }
  if (p.blocks.contains(Definition::Kind::data)) {
    p.model.data = read_data_block(*p.blocks.at(Definition::Kind::data), definition, p.mistakes);
  }
}

ModelSource::~ModelSource() = default;
ModelSource::ModelSource(ModelSource&&) noexcept = default;
ModelSource& ModelSource::operator=(ModelSource&&) noexcept = default;

void ModelSource::set_batch(std::int64_t batch) { parts_->model.train.batch = batch; }

const Model& ModelSource::settings() const { return parts_->model; }

std::string ModelSource::text() const {
  if (!parts_->mistakes.empty()) return "";
  std::string all;
  for (const auto& source : parts_->tree->sources) {
    all += std::to_string(source->text.size()) + "\n" + source->text;  // two files are not one with both texts
  }
  // The step is planned for this batch.
  if (parts_->model.train.memory) all += "\nbatch " + std::to_string(parts_->model.train.batch);
  return all;
}

Model ModelSource::lower(Purpose purpose) const {
  const StageTimer timer(Stage::lower);
  const Parts& p = *parts_;
  std::vector<Diagnostic> mistakes = p.mistakes;
  std::set<const Definition*> recursive;
  for (const auto& part : p.tree->files) recursive.merge(check_names(*part, &prelude(), mistakes));
  if (!p.blocks.contains(Definition::Kind::model) || mistakes.size() >= most_mistakes) {
    drop_consequences(mistakes, p.unreadable);
    report(mistakes, p.name);
  }
  Model model = p.model;
  auto program = std::make_shared<ir::Program>();
  program->name = model.name;
  Lowering lowering(*program, *p.tree->main, &prelude(), recursive, mistakes);
  UpdateRules rules = p.rules;
  rules.one_of_each = purpose == Purpose::check;
  lowering.lower_model(*p.blocks.at(Definition::Kind::model), rules);
  if (model.train.memory) limit_memory(*program, model.train, mistakes);
  model.category_counts = lowering.category_counts();
  model.index_counts = lowering.index_counts();
  drop_consequences(mistakes, p.unreadable);
  if (!mistakes.empty()) report(mistakes, p.name);
  model.program = program;
  model.sources = p.tree;
  return model;
}

Model load_model(const std::string& text, const std::string& file, Purpose purpose) {
  return ModelSource(text, file).lower(purpose);
}

std::optional<Location> origin_of(const Model& model, const ir::Node* node) {
  const ir::Origin& origin = node->origin;
  if (origin.source == 0 || origin.source > model.sources->sources.size()) return std::nullopt;
  return locate({model.sources->sources[origin.source - 1].get(), origin.begin, origin.end});
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
