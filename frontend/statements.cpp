#include "frontend/statements.h"

namespace descent::frontend {

namespace {

using Kind = Statement::Kind;
using Block = Definition::Kind;

const char* name(Block block) {
  static const char* names[] = {"a fn", "a layer", "an optimizer", "a model", "a data block", "a train block"};
  return names[static_cast<int>(block)];
}

std::string name(const Statement& s) {
  static const char* names[] = {"'input'",   "'target'", "'param'", "'state'",    "'fit'",
                                "'let'",     "'output'", "a loss",  "'metric'",   "'return'",
                                "a setting", "'<-'",     "a loop",  "a function", ""};
  return s.kind == Kind::assign ? "'" + s.name + " = ...'" : names[static_cast<int>(s.kind)];
}

bool fits(Kind statement, Block block, bool in_loop) {
  switch (statement) {
    case Kind::input:
    case Kind::target:
    case Kind::output:
    case Kind::loss:
    case Kind::metric:
      return block == Block::model && !in_loop;
    case Kind::param:
    case Kind::fit:
      return block == Block::model || block == Block::layer;
    case Kind::state:
    case Kind::update:
      return block == Block::model || block == Block::layer || block == Block::optimizer;
    case Kind::result:
      return (block == Block::function || block == Block::layer) && !in_loop;
    case Kind::let:
    case Kind::loop:
    case Kind::define:
      return block != Block::data && block != Block::train;
    case Kind::assign:
    case Kind::broken:
      return true;
  }
  return true;
}

std::string hint_for(Kind statement, Block block, bool in_loop) {
  if (in_loop && statement == Kind::result) return "give the result a name in the loop and return it after the loop";
  if (statement == Kind::result && block == Block::model) return "a model has outputs: output p = ...";
  if (statement == Kind::result && block == Block::optimizer)
    return "an optimizer gives the parameter a new value: w <- ...";
  if (statement == Kind::param && block == Block::function) return "make it a layer: layers have parameters";
  if (statement == Kind::state && block == Block::function) return "make it a layer: layers have states";
  if (block == Block::data || block == Block::train) return "settings are written name = value";
  if (statement == Kind::input || statement == Kind::target)
    return "what a fn or layer is given stands in its parentheses";
  return "";
}

void check(std::vector<Statement>& body, Block block, bool in_loop, std::vector<Diagnostic>& mistakes) {
  bool has_result = false;
  for (Statement& s : body) {
    if (has_result && s.kind != Kind::broken) {
      mistakes.push_back(diagnostic(s.span, "nothing after 'return' is done", "let 'return' be the last statement"));
      return;
    }
    if (!fits(s.kind, block, in_loop)) {
      mistakes.push_back(diagnostic(s.kind == Kind::result || s.kind == Kind::loop ? s.name_span : s.span,
                                    name(s) + " has no place in " + (in_loop ? "a loop" : name(block)),
                                    hint_for(s.kind, block, in_loop)));
      s.kind = Kind::broken;
    }
    has_result = has_result || s.kind == Kind::result;
    if (s.kind == Kind::loop) check(s.body, block, true, mistakes);
  }
}

}  // namespace

void check_statements(Definition& d, std::vector<Diagnostic>& mistakes) {
  const std::size_t before = mistakes.size();
  check(d.body, d.kind, false, mistakes);
  if (mistakes.size() > before || (d.kind != Block::function && d.kind != Block::layer)) return;
  for (const Statement& s : d.body) {
    if (s.kind == Kind::result || s.kind == Kind::broken) return;
  }
  mistakes.push_back(diagnostic(d.name_span, "'" + d.name + "' returns nothing", "end its body with: return ..."));
}

}  // namespace descent::frontend
