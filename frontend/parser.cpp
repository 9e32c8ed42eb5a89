// Definitions and statements. After a mistake parsing goes on with the next statement, or the next definition.
#include "frontend/parser.h"

#include <algorithm>
#include <map>

#include "frontend/parse_expression.h"
#include "frontend/statements.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

namespace {

using StatementKind = Statement::Kind;
using Block = Definition::Kind;

const std::map<std::string_view, Block>& blocks() {
  static const std::map<std::string_view, Block> table = {{"fn", Block::function},         {"layer", Block::layer},
                                                          {"optimizer", Block::optimizer}, {"model", Block::model},
                                                          {"data", Block::data},           {"train", Block::train}};
  return table;
}

const std::map<std::string_view, StatementKind>& keywords() {
  static const std::map<std::string_view, StatementKind> table = {
      {"input", StatementKind::input},   {"target", StatementKind::target}, {"param", StatementKind::param},
      {"state", StatementKind::state},   {"fit", StatementKind::fit},       {"let", StatementKind::let},
      {"output", StatementKind::output}, {"loss", StatementKind::loss},     {"metric", StatementKind::metric}};
  return table;
}

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  void file() {
    while (peek().kind != Token::Kind::end) {
      const std::size_t begin = at_;
      try {
        if (is_word("import")) {
          import();
        } else {
          Definition* d = definition();
          if (d->is_callable()) define(*d);
          file_.definitions.push_back(d);
        }
      } catch (const SyntaxError& error) {
        report(error);
        nesting_ = open_brackets_ = 0;
        // On to the next definition: a word that begins one at the beginning of a line.
        do next();
        while (peek().kind != Token::Kind::end && !(peek().first_on_line && begins_definition()));
        give_up_names(begin, file_.broken_names);
      }
    }
  }

 private:
  bool begins_definition() const {
    return peek().kind == Token::Kind::name && (blocks().contains(peek().text) || peek().text == "import") &&
           !is_symbol("=", 1) && !is_symbol("<-", 1);
  }

  void report(const SyntaxError& error) {
    if (mistakes_.size() >= most_mistakes) {
      at_ = tokens_.size() - 1;  // to the end
      return;
    }
    // What follows from a mistake of spelling in the same line is no second mistake.
    for (const Diagnostic& earlier : mistakes_) {
      if (earlier.line == error.diagnostic.line && earlier.file == error.diagnostic.file) return;
    }
    mistakes_.push_back(error.diagnostic);
  }

  /// The names in text that was skipped: whatever they should have been, they are not unknown.
  void give_up_names(std::size_t begin, std::vector<std::string>& names) {
    for (std::size_t i = begin; i < at_; ++i) {
      if (tokens_[i].kind == Token::Kind::name) names.emplace_back(tokens_[i].text);
    }
  }

  void define(const Definition& d) {
    const auto [at, is_new] = file_.by_name.emplace(d.name, &d);
    if (is_new || mistakes_.size() >= most_mistakes) return;
    Diagnostic twice = diagnostic(d.name_span, "'" + d.name + "' is defined twice", "give one of them another name");
    twice.notes.push_back(note(at->second->name_span, "first defined here"));
    mistakes_.push_back(twice);
  }

  void import() {
    next();
    if (peek().kind != Token::Kind::string)
      unexpected("the name of a file in quotes after 'import'", "write import \"layers.descent\"");
    const Token& path = next();
    file_.imports.push_back({std::string(path.text), path.span, nullptr});
  }

  Definition* definition() {
    const auto documentation = documentation_.find(at_);
    const Token& word = peek();
    if (word.kind != Token::Kind::name || !blocks().contains(word.text)) {
      const auto meant = ir::nearest(word.text, {"fn", "layer", "optimizer", "model", "data", "train", "import"});
      unexpected("a model, data, train, fn, layer or optimizer",
                 meant && word.kind == Token::Kind::name ? "did you mean '" + *meant + "'?" : "");
    }
    Definition& d = file_.owned_definitions.emplace_back();
    d.kind = blocks().at(word.text);
    d.file = &file_;
    if (documentation != documentation_.end()) d.documentation = documentation->second;
    d.span = d.name_span = next().span;
    const bool has_name = d.kind != Block::data && d.kind != Block::train;
    if (has_name) {
      const Token& name = expect_name("a name after '" + std::string(word.text) + "'");
      d.name = name.text;
      d.name_span = name.span;
    }
    if (d.is_callable()) d.parameters = parameters();
    if (d.kind == Block::layer && accept("->")) d.result = type_annotation();
    if (d.kind == Block::function && accept("=")) {
      Statement s{};
      s.kind = StatementKind::result;
      s.value = expression();
      s.span = s.name_span = s.value->span;
      d.span = join(d.span, s.span);
      d.body.push_back(std::move(s));
      return &d;
    }
    if (!is_symbol("{"))
      unexpected(d.kind == Block::function ? "'=' or '{' and the function's body"
                                           : "'{' and the body of '" + std::string(word.text) + "'");
    d.span = join(d.span, body(d.kind, d.body, d.name_span, false));
    check_statements(d, mistakes_);
    return &d;
  }

  /// { statements }; returns the range of the closing brace.
  Span body(Block block, std::vector<Statement>& statements, const Span& opened_at, bool in_loop) {
    if (++nesting_ > maximum_nesting) {
      fail(peek().span, "this is nested more than " + std::to_string(maximum_nesting) + " deep");
    }
    next();
    while (!is_symbol("}")) {
      if (peek().kind == Token::Kind::end || (begins_definition() && peek().first_on_line && !local_definition())) {
        Diagnostic unclosed = diagnostic(opened_at, "this block has no closing '}'");
        if (peek().kind != Token::Kind::end) unclosed.notes.push_back(note(peek().span, "the next one begins here"));
        throw SyntaxError{unclosed};
      }
      const std::size_t begin = at_, nesting = static_cast<std::size_t>(nesting_);
      open_brackets_ = 0;
      try {
        statement(block, statements, in_loop);
      } catch (const SyntaxError& error) {
        report(error);
        nesting_ = static_cast<int>(nesting);
        if (at_ == begin) next();
        skip_statement();
        // At the end of the file every block around this one is unclosed too: the outermost says so for all.
        if (nesting > 1 && peek().kind == Token::Kind::end) throw;
        std::vector<std::string> names;
        give_up_names(begin, names);
        for (std::string& name : names) {
          Statement s{};
          s.kind = StatementKind::broken;
          s.name = std::move(name);
          s.span = s.name_span = tokens_[begin].span;
          statements.push_back(std::move(s));
        }
      }
    }
    --nesting_;
    return next().span;
  }

  bool is_symbol_before(std::string_view text) const {
    return at_ > 0 && tokens_[at_ - 1].kind == Token::Kind::symbol && tokens_[at_ - 1].text == text;
  }
  bool local_definition() const { return is_word("fn") || is_word("layer"); }

  /// To the first word of a line that may begin a statement. A line inside of brackets is none, unless its first word
  /// says so: the bracket may be what is missing.
  void skip_statement() {
    int open = open_brackets_;
    while (peek().kind != Token::Kind::end && !is_symbol("}")) {
      if (peek().first_on_line && (open <= 0 || keywords().contains(peek().text) || begins_definition())) return;
      if (is_symbol("(") || is_symbol("[") || is_symbol("{")) ++open;
      if (is_symbol(")") || is_symbol("]")) --open;
      if (is_symbol("{")) {  // the block of a loop or a local function that was not understood
        int braces = 0;
        do {
          braces += is_symbol("{") ? 1 : is_symbol("}") ? -1 : 0;
          next();
        } while (braces > 0 && peek().kind != Token::Kind::end);
        --open;
        continue;
      }
      next();
    }
  }

  void statement(Block block, std::vector<Statement>& statements, bool in_loop) {
    const Token& word = peek();
    if (word.kind == Token::Kind::name && !is_symbol("=", 1) && !is_symbol("<-", 1)) {
      if (word.text == "return") return result(statements);
      if (word.text == "for" || word.text == "repeat") return loop(block, statements);
      if (local_definition()) return local(statements);
      if (const auto at = keywords().find(word.text); at != keywords().end()) {
        return declarations(at->second, statements);
      }
      if (begins_definition())
        fail(word.span, "'" + std::string(word.text) + "' cannot stand inside of a block",
             "end the block before it with '}'");
    }
    (void)in_loop;
    assignment(statements);
  }

  void result(std::vector<Statement>& statements) {
    Statement s{};
    s.kind = StatementKind::result;
    s.name_span = next().span;
    s.value = expression();
    s.span = join(s.name_span, s.value->span);
    statements.push_back(std::move(s));
  }

  void loop(Block block, std::vector<Statement>& statements) {
    Statement s{};
    s.kind = StatementKind::loop;
    const bool counts = is_word("repeat");
    s.span = s.name_span = next().span;
    if (!counts) {
      const Token& name = expect_name("the name of the loop's variable, as in: for i in 0..3 { }");
      s.name = name.text;
      s.name_span = name.span;
      if (!is_word("in")) unexpected("'in' and a range, as in: for " + s.name + " in 0..3 { }");
      next();
    }
    s.value = expression();
    if (!is_symbol("{")) unexpected("'{' and the body of the loop");
    s.span = join(s.span, body(block, s.body, s.span, true));
    statements.push_back(std::move(s));
  }

  void local(std::vector<Statement>& statements) {
    Definition* d = definition();
    Statement s{};
    s.kind = StatementKind::define;
    s.name = d->name;
    s.name_span = d->name_span;
    s.span = d->span;
    s.definition = d;
    statements.push_back(std::move(s));
  }

  /// state m = zeros, v = zeros
  void declarations(StatementKind kind, std::vector<Statement>& statements) {
    const Token& word = next();
    do {
      Statement s{};
      s.kind = kind;
      const Token& name = expect_name("a name after '" + std::string(word.text) + "'");
      s.name = name.text;
      s.name_span = s.span = name.span;
      if (accept(":")) s.type = type_annotation(), s.span = join(s.span, s.type->span);
      if (accept("=")) s.value = expression(), s.span = join(s.span, s.value->span);
      statements.push_back(std::move(s));
    } while (accept(","));
  }

  void assignment(std::vector<Statement>& statements) {
    Statement s{};
    const Token& word = peek();
    const std::string found = text_of(word.span);
    if (!word.first_on_line && !is_symbol_before("{") && !is_symbol("=", 1) && !is_symbol("<-", 1)) {
      fail(word.span, "expected an operator or the end of the line, found '" + found + "'", hint_here());
    }
    if (word.kind != Token::Kind::name || is_reserved(word.text)) {
      fail(word.span, "expected a statement, found '" + found + "'");
    }
    if (is_statement_keyword(word.text) && word.text != "loss") {
      next();
      unexpected("a name after '" + found + "'",
                 "write " + found + (found == "input" || found == "target" ? " x: [n, 30]" : " h = ..."));
    }
    next();
    s.name = word.text;
    s.name_span = word.span;
    if (accept("<-")) {
      s.kind = StatementKind::update;
    } else if (accept("=")) {
      s.kind = word.text == "loss" ? StatementKind::loss : StatementKind::assign;
    } else {
      std::vector<std::string> known{"for", "repeat", "return", "fn", "layer"};
      for (const auto& [keyword, kind] : keywords()) known.emplace_back(keyword);
      const auto meant = ir::nearest(word.text, known);
      if (meant && peek().kind == Token::Kind::name) {
        fail(word.span, "there is no statement '" + s.name + "'", "did you mean '" + *meant + "'?");
      }
      const bool typed = is_symbol(":"), assigns = is_symbol("=", 1);  // h += 1
      const std::string foreign = hint_here();
      unexpected("'=' after '" + s.name + "'",
                 typed              ? "what is declared begins with input, target, param, state or fit"
                 : assigns          ? "write " + s.name + " = " + s.name + " " + text_of(peek().span) + " ..."
                 : !foreign.empty() ? foreign
                                    : "a statement gives a name a value; a function gives its own by return ...");
    }
    s.value = expression();
    s.span = join(s.name_span, s.value->span);
    statements.push_back(std::move(s));
  }
};

}  // namespace

std::unique_ptr<File> parse_file(const Source& source, std::vector<Diagnostic>& mistakes) {
  auto file = std::make_unique<File>();
  Parser(source, *file, mistakes).file();
  return file;
}

ExpressionPtr parse_expression(const Source& source, File& file, std::vector<Diagnostic>& mistakes) {
  return Parser(source, file, mistakes).only_expression();
}

}  // namespace descent::frontend
