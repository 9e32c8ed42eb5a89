#include "frontend/names.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "frontend/builtins.h"
#include "frontend/foreign.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

namespace {

constexpr const char* special_names[] = {"weights", "parameters", "training", "step", "epoch",
                                         "pi",      "true",       "false",    "all"};

/// Walks the definitions of a file with the names that are visible at each place.
class NameChecker {
 public:
  NameChecker(const File& file, const File* prelude, std::vector<Diagnostic>& mistakes)
      : file_(file), prelude_(prelude), mistakes_(mistakes) {
    broken_.insert(file.broken_names.begin(), file.broken_names.end());
  }

  std::set<const Definition*> run() {
    for (const Definition* d : file_.definitions) {
      if (d->kind == Definition::Kind::data || d->kind == Definition::Kind::train) continue;
      current_ = d;
      definition(*d);
    }
    for (const Definition* d : file_.definitions) find_cycle(*d);
    return std::move(recursive_);
  }

 private:
  using Names = std::unordered_set<std::string>;

  bool is_visible(const std::string& name) const {
    return std::any_of(visible_.begin(), visible_.end(), [&](const Names& names) { return names.contains(name); });
  }
  void declare(const std::string& name) { visible_.back().insert(name); }

  void definition(const Definition& d) {
    visible_.emplace_back();
    for (const Parameter& p : d.parameters) {
      if (p.type) shape(p.type->shape, true);
      if (p.fallback != nullptr) expression(*p.fallback);
      declare(p.name);
    }
    statements(d.body);
    if (d.result) shape(d.result->shape, false);
    visible_.pop_back();
  }

  /// In the shapes of parameters and inputs a name that is not known yet is a size.
  void shape(const std::vector<ExpressionPtr>& sizes, bool declares) {
    for (const ExpressionPtr size : sizes) {
      if (declares) declare_sizes(*size);
      expression(*size);
    }
  }
  void declare_sizes(const Expression& e) {
    if (e.kind == Expression::Kind::name && !is_visible(e.text) &&
        find_definition(e.text, &file_, prelude_) == nullptr) {
      declare(e.text);
    }
    if (e.kind != Expression::Kind::binary) return;
    for (const ExpressionPtr operand : e.operands) declare_sizes(*operand);
  }

  void statements(const std::vector<Statement>& body) {
    for (const Statement& s : body) {
      if (s.kind == Statement::Kind::broken) {
        broken_.insert(s.name);
        continue;
      }
      const bool is_input = s.kind == Statement::Kind::input || s.kind == Statement::Kind::target;
      if (s.type) shape(s.type->shape, is_input);
      if (s.value != nullptr) expression(*s.value);
      if (s.kind == Statement::Kind::loop) {
        visible_.emplace_back();
        if (!s.name.empty()) declare(s.name);
        statements(s.body);
        visible_.pop_back();
        continue;
      }
      if (!s.name.empty() && s.kind != Statement::Kind::update) declare(s.name);
      if (s.kind != Statement::Kind::define) continue;
      active_locals_.emplace_back(s.name, s.definition);
      definition(*s.definition);
      active_locals_.pop_back();
    }
  }

  void expression(const Expression& root) {
    // Chains of operators are long to the left: they are walked, not recursed into.
    for (const Expression* e = &root; e != nullptr;) {
      if (e->kind == Expression::Kind::name) name(*e);
      if (e->kind == Expression::Kind::function) definition(*e->definition);
      for (const Argument& a : e->arguments) expression(*a.value);
      for (const Subscript& s : e->subscripts) {
        if (s.lower != nullptr) expression(*s.lower);
        if (s.upper != nullptr) expression(*s.upper);
        if (s.step != nullptr) expression(*s.step);
      }
      for (std::size_t i = 1; i < e->operands.size(); ++i) expression(*e->operands[i]);
      e = e->operands.empty() ? nullptr : e->operands[0];
    }
  }

  void name(const Expression& e) {
    for (const auto& [local, d] : active_locals_) {
      if (local != e.text) continue;
      recursion(e.span, "'" + e.text + "' calls itself");
      recursive_.insert(d);
      return;
    }
    if (is_visible(e.text) || broken_.contains(e.text) || is_special_name(e.text)) return;
    if (e.text == "gradients" && current_->kind == Definition::Kind::optimizer) return;
    if (const Definition* d = find_definition(e.text, &file_, prelude_)) {
      if (d->file == &file_) references_[current_].push_back({d, e.span});
      return;
    }
    if (find_builtin(e.text) != nullptr || mistakes_.size() >= most_mistakes) return;
    std::vector<std::string> names;
    for (const Names& scope : visible_) names.insert(names.end(), scope.begin(), scope.end());
    Diagnostic unknown = diagnostic(e.span, "unknown name '" + e.text + "'");
    for (const Statement& s : current_->body) {
      if (s.name != e.text || s.kind == Statement::Kind::update || s.kind == Statement::Kind::loop) continue;
      unknown.notes.push_back(note(s.name_span, "it is declared here, after its use"));
      break;
    }
    if (unknown.notes.empty()) unknown.hint = name_hint(e.text, names, file_, prelude_);
    mistakes_.push_back(unknown);
  }

  void recursion(const Span& span, const std::string& message) {
    mistakes_.push_back(diagnostic(span, message, "there is no recursion; a loop is written for i in 0..3 { }"));
  }

  /// Reports the reference that closes a circle, once for each circle that the search meets.
  void find_cycle(const Definition& d) {
    enum { unknown, active, done };
    if (state_[&d] == done) return;
    state_[&d] = active;
    path_.push_back(&d);
    for (const auto& [next, span] : references_[&d]) {
      if (state_[next] == unknown) find_cycle(*next);
      if (state_[next] != active) continue;
      const auto begin = std::find(path_.begin(), path_.end(), next);
      recursion(span, "'" + next->name + "' calls itself" + (next == &d ? "" : " through '" + d.name + "'"));
      recursive_.insert(begin, path_.end());
    }
    path_.pop_back();
    state_[&d] = done;
  }

  const File& file_;
  const File* prelude_;
  std::vector<Diagnostic>& mistakes_;
  Names broken_;
  std::vector<Names> visible_;
  std::vector<std::pair<std::string, const Definition*>> active_locals_;
  const Definition* current_ = nullptr;
  std::unordered_map<const Definition*, std::vector<std::pair<const Definition*, Span>>> references_;
  std::unordered_map<const Definition*, int> state_;
  std::vector<const Definition*> path_;
  std::set<const Definition*> recursive_;
};

template <typename Visit>
void each_visible_file(const File* file, const File* prelude, Visit visit) {
  if (file != nullptr) {
    visit(*file);
    for (auto import = file->imports.rbegin(); import != file->imports.rend(); ++import) {
      if (import->file != nullptr) visit(*import->file);
    }
  }
  if (prelude != nullptr && prelude != file) visit(*prelude);
}

}  // namespace

std::set<const Definition*> check_names(const File& file, const File* prelude, std::vector<Diagnostic>& mistakes) {
  return NameChecker(file, prelude, mistakes).run();
}

const Definition* find_definition(const std::string& name, const File* file, const File* prelude) {
  const Definition* found = nullptr;
  each_visible_file(file, prelude, [&](const File& f) {
    if (found != nullptr) return;
    if (const auto at = f.by_name.find(name); at != f.by_name.end()) found = at->second;
  });
  return found;
}

std::vector<std::string> definition_names(const File& file, const File* prelude, std::optional<Definition::Kind> kind) {
  std::vector<std::string> names;
  each_visible_file(&file, prelude, [&](const File& f) {
    for (const auto& [name, d] : f.by_name) {
      if (!kind || d->kind == *kind) names.push_back(name);
    }
  });
  std::sort(names.begin(), names.end());
  return names;
}

bool is_special_name(const std::string& name) {
  return std::find(std::begin(special_names), std::end(special_names), name) != std::end(special_names);
}

std::string name_hint(const std::string& name, std::vector<std::string> visible, const File& file,
                      const File* prelude) {
  if (std::string hint = foreign_name(name); !hint.empty()) return hint;
  std::vector<std::string> names = definition_names(file, prelude);
  names.insert(names.end(), visible.begin(), visible.end());
  for (const Builtin* builtin : all_builtins()) names.emplace_back(builtin->name);
  for (const char* special : special_names) names.emplace_back(special);
  std::sort(names.begin(), names.end());  // of names equally near always the same one is suggested
  const auto meant = ir::nearest(name, names);
  return meant ? "did you mean '" + *meant + "'?" : "";
}

}  // namespace descent::frontend
