#include "frontend/parser.h"

#include <map>

#include "frontend/lexer.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

namespace {

struct SyntaxError {
  Diagnostic diagnostic;
};

/// How tightly an infix operator binds; all associate to the left but ^.
int precedence(const std::string& symbol) {
  static const std::map<std::string, int> table = {{"|>", 1}, {"or", 2}, {"and", 3}, {"==", 4}, {"!=", 4}, {"<", 4},
                                                   {"<=", 4}, {">", 4},  {">=", 4},  {"..", 5}, {"+", 6},  {"-", 6},
                                                   {"*", 7},  {"/", 7},  {"@", 7},   {"^", 9}};
  auto at = table.find(symbol);
  return at == table.end() ? 0 : at->second;
}
constexpr int kUnary = 8;           // -x^2 is -(x^2)
constexpr int kMaximumDepth = 500;  // of nested expressions: a clear error instead of a full stack

const std::map<std::string, Statement::Kind>& keywords() {
  static const std::map<std::string, Statement::Kind> table = {
      {"input", Statement::Kind::input},   {"target", Statement::Kind::target}, {"param", Statement::Kind::param},
      {"state", Statement::Kind::state},   {"fit", Statement::Kind::fit},       {"let", Statement::Kind::let},
      {"output", Statement::Kind::output}, {"return", Statement::Kind::result}};
  return table;
}

class Parser {
 public:
  Parser(const Source& source, std::vector<Diagnostic>& mistakes)
      : mistakes_(mistakes), tokens_(tokenize(source, mistakes)) {}

  File file() {
    File file;
    while (peek().kind != Token::Kind::end) {
      try {
        file.definitions.push_back(definition());
      } catch (const SyntaxError& error) {
        mistakes_.push_back(error.diagnostic);
        // On to the next definition: a word at the beginning of a line, outside of all braces.
        do next();
        while (peek().kind != Token::Kind::end && !(peek().first_on_line && is_definition(peek().text)));
      }
    }
    return file;
  }

  ExpressionPtr only_expression() {
    try {
      auto e = expression(0);
      if (peek().kind != Token::Kind::end)
        fail(peek().span, "expected the end of the expression, found " + shown(peek()));
      return e;
    } catch (const SyntaxError& error) {
      mistakes_.push_back(error.diagnostic);
      return nullptr;
    }
  }

 private:
  [[noreturn]] static void fail(const Span& span, const std::string& message, const std::string& hint = "") {
    throw SyntaxError{diagnostic(span, message, hint)};
  }
  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& next() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool is_symbol(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == Token::Kind::symbol && peek(ahead).text == text;
  }
  bool accept(std::string_view text) {
    if (!is_symbol(text)) return false;
    next();
    return true;
  }
  const Token& expect(std::string_view text, const std::string& where) {
    if (!is_symbol(text))
      fail(peek().span, "expected '" + std::string(text) + "' " + where + ", found " + shown(peek()));
    return next();
  }
  const Token& expect_name(const std::string& what) {
    if (peek().kind != Token::Kind::name) fail(peek().span, "expected " + what + ", found " + shown(peek()));
    return next();
  }
  static std::string shown(const Token& token) {
    return token.kind == Token::Kind::end      ? "the end of the file"
           : token.kind == Token::Kind::string ? "\"" + token.text + "\""
                                               : "'" + token.text + "'";
  }
  static bool is_definition(const std::string& word) {
    return word == "fn" || word == "layer" || word == "optimizer" || word == "model" || word == "data" ||
           word == "train";
  }

  std::unique_ptr<Definition> definition() {
    const Token& word = peek();
    if (word.kind != Token::Kind::name || !is_definition(word.text)) {
      const auto meant = ir::nearest(word.text, {"fn", "layer", "optimizer", "model", "data", "train"});
      fail(word.span, "expected a model, data, train, fn, layer or optimizer, found " + shown(word),
           meant && word.kind == Token::Kind::name ? "did you mean '" + *meant + "'?" : "");
    }
    auto d = std::make_unique<Definition>();
    static const std::map<std::string, Definition::Kind> kinds = {
        {"fn", Definition::Kind::function},         {"layer", Definition::Kind::layer},
        {"optimizer", Definition::Kind::optimizer}, {"model", Definition::Kind::model},
        {"data", Definition::Kind::data},           {"train", Definition::Kind::train}};
    d->kind = kinds.at(word.text);
    d->span = next().span;
    d->name_span = d->span;
    if (d->kind != Definition::Kind::data && d->kind != Definition::Kind::train) {
      const Token& name = expect_name("a name after '" + word.text + "'");
      d->name = name.text;
      d->name_span = name.span;
    }
    if (d->kind == Definition::Kind::function || d->kind == Definition::Kind::layer ||
        d->kind == Definition::Kind::optimizer) {
      parameters(*d);
    }
    if (d->kind == Definition::Kind::layer && accept("->")) shape();  // documentation: the body says what comes out
    if (d->kind == Definition::Kind::function && accept("=")) {
      Statement s{};
      s.kind = Statement::Kind::result;
      s.value = expression(0);
      s.span = s.value->span;
      d->body.push_back(std::move(s));
      return d;
    }
    expect("{", "to begin the body of '" + word.text + "'");
    while (!is_symbol("}")) {
      if (peek().kind == Token::Kind::end) fail(d->name_span, "this block has no closing '}'");
      try {
        statements(d->body);
      } catch (const SyntaxError& error) {
        mistakes_.push_back(error.diagnostic);
        while (peek().kind != Token::Kind::end && !is_symbol("}")) {
          next();
          if (peek().first_on_line) break;
        }
      }
    }
    next();
    return d;
  }

  void parameters(Definition& d) {
    expect("(", "after the name");
    while (!accept(")")) {
      Parameter p;
      const Token& name = expect_name("a parameter");
      p.name = name.text;
      p.span = name.span;
      if (accept(":")) {
        if (peek().text == "size")
          next(), p.is_size = true;
        else
          p.shape = shape(), p.has_shape = true;
      }
      if (accept("=")) p.fallback = expression(0);
      d.parameters.push_back(std::move(p));
      if (!is_symbol(")")) expect(",", "between parameters");
    }
  }

  std::vector<ExpressionPtr> shape() {
    std::vector<ExpressionPtr> sizes;
    expect("[", "to begin a shape");
    while (!accept("]")) {
      sizes.push_back(expression(0));
      if (!is_symbol("]")) expect(",", "between sizes");
    }
    return sizes;
  }

  void statements(std::vector<Statement>& body) {
    Statement s{};
    const Token& word = expect_name("a statement");
    s.span = word.span;
    s.name_span = word.span;
    auto keyword = keywords().find(word.text);
    if (keyword != keywords().end() && !is_symbol("=") && !is_symbol("<-")) {
      s.kind = keyword->second;
      if (s.kind == Statement::Kind::result) {
        s.value = expression(0);
        body.push_back(std::move(s));
        return;
      }
      do {  // state m = zeros, v = zeros
        Statement item{};
        item.kind = s.kind;
        const Token& name = expect_name("a name after '" + word.text + "'");
        item.name = name.text;
        item.name_span = item.span = name.span;
        if (accept(":")) item.shape = shape(), item.has_shape = true;
        if (accept("=")) item.value = expression(0);
        body.push_back(std::move(item));
      } while (accept(","));
      return;
    }
    s.name = word.text;
    if (accept("<-")) {
      s.kind = Statement::Kind::update;
    } else if (accept("=")) {
      s.kind = word.text == "loss" ? Statement::Kind::loss : Statement::Kind::assign;
    } else {
      std::vector<std::string> known{"loss"};
      for (const auto& [k, v] : keywords()) known.push_back(k);
      const auto meant = ir::nearest(word.text, known);
      fail(peek().kind == Token::Kind::name ? word.span : peek().span,
           "expected '=' after '" + word.text + "', found " + shown(peek()),
           meant && peek().kind == Token::Kind::name ? "did you mean '" + *meant + "'?" : "");
    }
    s.value = expression(0);
    s.span = join(s.name_span, s.value->span);
    body.push_back(std::move(s));
  }

  static ExpressionPtr make(Expression::Kind kind, const Span& span, std::string text = "") {
    auto e = std::make_unique<Expression>();
    e->kind = kind;
    e->span = span;
    e->text = std::move(text);
    return e;
  }

  ExpressionPtr expression(int minimum) {
    if (++depth_ > kMaximumDepth) {
      fail(peek().span, "this expression is nested more than " + std::to_string(kMaximumDepth) + " deep",
           "name a part of it with 'let'");
    }
    auto left = prefix();
    while (true) {
      const Token& op = peek();
      const bool word = op.kind == Token::Kind::name && (op.text == "and" || op.text == "or");
      const int binding = op.kind == Token::Kind::symbol || word ? precedence(op.text) : 0;
      if (binding == 0 || binding < minimum) break;
      next();
      auto right = expression(op.text == "^" ? kUnary : binding + 1);
      auto e = make(Expression::Kind::binary, join(left->span, right->span), op.text);
      if (op.text == "|>") {
        e = pipe(std::move(left), std::move(right));
      } else {
        e->operands.push_back(std::move(left));
        e->operands.push_back(std::move(right));
      }
      left = std::move(e);
    }
    --depth_;
    return left;
  }

  /// x |> f(a) is f(x, a); x |> f is f(x).
  ExpressionPtr pipe(ExpressionPtr left, ExpressionPtr right) {
    if (right->kind != Expression::Kind::call) {
      if (right->kind != Expression::Kind::name) {
        fail(right->span, "expected a function or layer after '|>'", "write x |> f(a), which is f(x, a)");
      }
      const Span span = right->span;
      auto call = make(Expression::Kind::call, span);
      call->operands.push_back(std::move(right));
      right = std::move(call);
    }
    const Span span = left->span;
    right->arguments.insert(right->arguments.begin(), Argument{"", std::move(left), span});
    return right;
  }

  ExpressionPtr prefix() {
    const Token& token = peek();
    const bool logical_not = token.kind == Token::Kind::name && token.text == "not";
    if (is_symbol("-") || logical_not) {
      next();
      auto operand = expression(logical_not ? 4 : kUnary);
      auto e = make(Expression::Kind::unary, join(token.span, operand->span), token.text);
      e->operands.push_back(std::move(operand));
      return e;
    }
    auto e = primary();
    while (true) {
      if (is_symbol("(")) {
        e = call(std::move(e));
      } else if (is_symbol(".")) {
        next();
        const Token& name = expect_name("a name after '.'");
        auto member = make(Expression::Kind::member, join(e->span, name.span), name.text);
        member->operands.push_back(std::move(e));
        e = std::move(member);
      } else {
        return e;
      }
    }
  }

  ExpressionPtr call(ExpressionPtr callee) {
    auto e = make(Expression::Kind::call, callee->span);
    e->operands.push_back(std::move(callee));
    next();
    while (!is_symbol(")")) {
      Argument argument;
      const Span begin = peek().span;
      if (peek().kind == Token::Kind::name && is_symbol("=", 1)) {
        argument.name = next().text;
        next();
      }
      argument.value = expression(0);
      argument.span = join(begin, argument.value->span);
      e->arguments.push_back(std::move(argument));
      if (!is_symbol(")")) expect(",", "between arguments");
    }
    e->span = join(e->span, next().span);
    return e;
  }

  ExpressionPtr primary() {
    const Token& token = next();
    if (token.kind == Token::Kind::number) {
      auto e = make(Expression::Kind::number, token.span, token.text);
      e->number = token.number;
      return e;
    }
    if (token.kind == Token::Kind::string) return make(Expression::Kind::string, token.span, token.text);
    if (token.kind == Token::Kind::name && token.text == "if") {
      auto e = make(Expression::Kind::conditional, token.span);
      e->operands.push_back(expression(0));
      word("then");
      e->operands.push_back(expression(0));
      word("else");
      e->operands.push_back(expression(0));
      e->span = join(token.span, e->operands[2]->span);
      return e;
    }
    if (token.kind == Token::Kind::name) return make(Expression::Kind::name, token.span, token.text);
    if (token.kind == Token::Kind::symbol && token.text == "(") {
      auto e = expression(0);
      e->span = join(token.span, expect(")", "to close the parenthesis").span);
      return e;
    }
    if (token.kind == Token::Kind::symbol && token.text == "[") {
      auto e = make(Expression::Kind::list, token.span);
      while (!is_symbol("]")) {
        e->operands.push_back(expression(0));
        if (!is_symbol("]")) expect(",", "between items");
      }
      e->span = join(token.span, next().span);
      return e;
    }
    fail(token.span, "expected an expression, found " + shown(token));
  }

  void word(const std::string& text) {
    if (peek().text != text) fail(peek().span, "expected '" + text + "', found " + shown(peek()));
    next();
  }

  std::vector<Diagnostic>& mistakes_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

File parse_file(const Source& source, std::vector<Diagnostic>& mistakes) { return Parser(source, mistakes).file(); }

ExpressionPtr parse_expression(const Source& source, std::vector<Diagnostic>& mistakes) {
  return Parser(source, mistakes).only_expression();
}

}  // namespace descent::frontend
