#include "frontend/parse_expression.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "frontend/foreign.h"
#include "frontend/number_kinds.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

namespace {

/// How tightly an infix operator binds; all associate to the left but ^.
int precedence(const Token& token) {
  static const std::unordered_map<std::string_view, int> table = {
      {"|>", 1}, {"or", 2}, {"and", 3}, {"==", 4}, {"!=", 4}, {"<", 4}, {"<=", 4}, {">", 4}, {">=", 4},
      {"..", 5}, {"+", 6},  {"-", 6},   {"*", 7},  {"/", 7},  {"%", 7}, {"@", 7},  {"^", 9}};
  if (token.kind != Token::Kind::symbol && token.kind != Token::Kind::name) return 0;
  const auto at = table.find(token.text);
  return at == table.end() ? 0 : at->second;
}
constexpr int pipe_precedence = 1;
constexpr int unary_precedence = 8;  // -x^2 is -(x^2)
constexpr int not_precedence = 4;    // not a == b is not (a == b)

/// How many bytes a unit of memory has that follows a number; 0: the token is none.
double bytes_of_unit(const Token& token) {
  static const std::unordered_map<std::string_view, double> table = {{"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                                                                     {"KB", 1e3},     {"MB", 1e6},     {"GB", 1e9}};
  if (token.kind != Token::Kind::name || token.first_on_line) return 0;
  const auto at = table.find(token.text);
  return at == table.end() ? 0 : at->second;
}

/// Counts a level of nesting for as long as it lives.
class Nesting {
 public:
  explicit Nesting(int& level) : level_(level) { ++level_; }
  ~Nesting() { --level_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  int& level_;
};

}  // namespace

bool is_reserved(std::string_view word) {
  static const std::string_view words[] = {"fn",  "if",  "then", "else",   "and",   "or",
                                           "not", "for", "in",   "repeat", "return"};
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool is_statement_keyword(std::string_view word) {
  static const std::string_view words[] = {"input", "target", "param", "state", "fit",
                                           "let",   "output", "loss",  "metric"};
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

ExpressionParser::ExpressionParser(const Source& source, File& file, std::vector<Diagnostic>& mistakes)
    : file_(file), mistakes_(mistakes) {
  file_.source = &source;
  std::string documentation;
  const std::vector<Token> all = tokenize(source, mistakes);
  tokens_.reserve(all.size());
  for (const Token& token : all) {
    if (token.kind == Token::Kind::comment) {
      if (!token.text.starts_with("///") || !token.first_on_line) {
        documentation.clear();
        continue;
      }
      std::string_view line = token.text.substr(3);
      if (line.starts_with(" ")) line.remove_prefix(1);
      documentation.append(line).append("\n");
      continue;
    }
    if (!documentation.empty()) documentation_.emplace(tokens_.size(), std::exchange(documentation, {}));
    tokens_.push_back(token);
  }
}

const Token& ExpressionParser::next() {
  const Token& token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool ExpressionParser::accept(std::string_view symbol) {
  if (!is_symbol(symbol)) return false;
  next();
  return true;
}

const Token& ExpressionParser::expect(std::string_view symbol, const std::string& where) {
  if (!is_symbol(symbol)) unexpected("'" + std::string(symbol) + "' " + where);
  return next();
}

const Token& ExpressionParser::expect_name(const std::string& what) {
  if (peek().kind != Token::Kind::name) unexpected(what);
  if (is_reserved(peek().text)) {
    fail(peek().span, "expected " + what + ", but '" + std::string(peek().text) + "' is a word of the language",
         "choose another name");
  }
  return next();
}

void ExpressionParser::fail(const Span& span, const std::string& message, const std::string& hint) {
  throw SyntaxError{diagnostic(span, message, hint)};
}

std::string ExpressionParser::hint_here() const {
  if (at_ == 0) return "";
  const Token &before = tokens_[at_ - 1], &found = peek();
  std::string hint = foreign_syntax(before.text, found.text);
  const bool is_value = found.kind == Token::Kind::number || found.kind == Token::Kind::string;
  const bool is_called = before.kind == Token::Kind::name && !is_reserved(before.text) && open_brackets_ == 0;
  if (hint.empty() && is_called && is_value && !found.text.starts_with('.')) {
    hint = "a call has parentheses: " + text_of(before.span) + "(" + text_of(found.span) + ")";
  }
  return hint;
}

void ExpressionParser::unexpected(const std::string& expected, std::string hint) {
  const Token& token = peek();
  if (hint.empty() && !token.first_on_line) hint = hint_here();
  const bool line_ended = token.first_on_line && at_ > 0;
  if (line_ended && token.kind != Token::Kind::end) {
    const std::size_t end = tokens_[at_ - 1].span.end;
    fail({token.span.source, end, end}, "expected " + expected + ", found the end of the line", hint);
  }
  const Span& span = token.span;
  const std::string text = text_of(span);
  if (token.kind == Token::Kind::end) {
    // Blank lines at the end of a file are nobody's mistake: point behind the last word.
    const std::size_t end = at_ > 0 ? tokens_[at_ - 1].span.end : span.begin;
    fail({span.source, end, end}, "expected " + expected + ", found the end of the " + whole_, hint);
  }
  fail(span, "expected " + expected + ", found " + (token.kind == Token::Kind::string ? text : "'" + text + "'"), hint);
}

Expression* ExpressionParser::make(Expression::Kind kind, const Span& span, std::string_view text) {
  Expression& e = file_.expressions.emplace_back();
  e.kind = kind;
  e.span = span;
  e.text = text;
  return &e;
}

ExpressionPtr ExpressionParser::only_expression() {
  whole_ = "expression";
  try {
    const ExpressionPtr e = expression();
    if (peek().kind != Token::Kind::end) unexpected("the end of the expression");
    return e;
  } catch (const SyntaxError& error) {
    mistakes_.push_back(error.diagnostic);
    return broken(tokens_[0].span);
  }
}

ExpressionPtr ExpressionParser::expression(int minimum) {
  const Nesting nesting(nesting_);
  if (nesting_ > maximum_nesting) {
    fail(peek().span, "this is nested more than " + std::to_string(maximum_nesting) + " deep",
         "give a part of it a name with 'let'");
  }
  ExpressionPtr left = prefix(minimum);
  while (true) {
    const Token& op = peek();
    const int binding = precedence(op);
    if (binding == 0 || binding < minimum) break;
    next();
    const ExpressionPtr right = expression(op.text == "^" ? unary_precedence : binding + 1);
    if (op.text == "|>") {
      left = pipe(left, right);
    } else {
      Expression* e = make(Expression::Kind::binary, join(left->span, right->span), op.text);
      e->operands = {left, right};
      left = e;
    }
  }
  return left;
}

/// x |> f(a) is f(x, a); x |> f is f(x).
ExpressionPtr ExpressionParser::pipe(ExpressionPtr left, ExpressionPtr right) {
  Expression* e = make(Expression::Kind::pipe, join(left->span, right->span));
  if (right->kind == Expression::Kind::call) {
    e->operands = {left, right->operands[0]};
    e->arguments = right->arguments;
  } else if (right->kind == Expression::Kind::name || right->kind == Expression::Kind::index ||
             right->kind == Expression::Kind::function) {
    e->operands = {left, right};
  } else {
    fail(right->span, "expected a function or a layer after '|>'", "write x |> f(a), which is f(x, a)");
  }
  return e;
}

ExpressionPtr ExpressionParser::prefix(int minimum) {
  const Token& token = peek();
  const bool logical_not = is_word("not");
  if (!is_symbol("-") && !logical_not) return postfix(primary(minimum));
  next();
  const ExpressionPtr operand = expression(logical_not ? not_precedence : unary_precedence);
  Expression* e = make(Expression::Kind::unary, join(token.span, operand->span), token.text);
  e->operands.push_back(operand);
  return e;
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr e) {
  for (int links = 0;; ++links) {
    if (links > maximum_nesting) fail(peek().span, "too many calls, indices and members follow one another");
    if (is_symbol("(")) {
      e = call(e);
    } else if (is_symbol("[")) {
      e = index(e);
    } else if (is_symbol(".")) {
      next();
      const Token& name = expect_name("a name after '.'");
      Expression* member = make(Expression::Kind::member, join(e->span, name.span), name.text);
      member->operands.push_back(e);
      e = member;
    } else {
      return e;
    }
  }
}

ExpressionPtr ExpressionParser::call(ExpressionPtr callee) {
  Expression* e = make(Expression::Kind::call, callee->span);
  e->operands.push_back(callee);
  next();
  const Span close = list(")", "the arguments", [&] {
    Argument argument;
    const Span begin = peek().span;
    if (peek().kind == Token::Kind::name && is_symbol("=", 1)) {
      argument.name = next().text;
      next();
    }
    argument.value = expression();
    argument.span = join(begin, argument.value->span);
    e->arguments.push_back(std::move(argument));
  });
  e->span = join(callee->span, close);
  return e;
}

ExpressionPtr ExpressionParser::index(ExpressionPtr indexed) {
  Expression* e = make(Expression::Kind::index, indexed->span);
  e->operands.push_back(indexed);
  const Span open = next().span;
  const Span close = list("]", "the index", [&] {
    Subscript s;
    const Span begin = peek().span;
    if (!is_symbol(":")) s.lower = expression();
    Span end = s.lower != nullptr ? s.lower->span : begin;
    if (is_symbol(":")) {
      s.is_slice = true;
      end = next().span;
      const auto is_given = [&] { return !is_symbol(",") && !is_symbol("]") && !is_symbol(":"); };
      if (is_given()) s.upper = expression(), end = s.upper->span;
      if (is_symbol(":")) {
        end = next().span;
        if (is_given()) s.step = expression(), end = s.step->span;
      }
    }
    s.span = join(begin, end);
    e->subscripts.push_back(s);
  });
  e->span = join(indexed->span, close);
  if (e->subscripts.empty()) fail(join(open, close), "this index is empty", "write x[0] or x[:, 2:10]");
  return e;
}

ExpressionPtr ExpressionParser::conditional() {
  Expression* e = make(Expression::Kind::conditional, next().span);
  e->operands.push_back(expression());
  word("then");
  e->operands.push_back(expression());
  word("else");
  e->operands.push_back(expression());
  e->span = join(e->span, e->operands[2]->span);
  return e;
}

/// fn(x) = x^2, whose value takes in the pipes that follow, unless it stands behind one itself: x |> fn(v) = 2 * v |>
/// f.
ExpressionPtr ExpressionParser::anonymous_function(int minimum) {
  Expression* e = make(Expression::Kind::function, next().span);
  Definition& d = file_.owned_definitions.emplace_back();
  d.kind = Definition::Kind::function;
  d.name = "fn";
  d.file = &file_;
  d.parameters = parameters();
  expect("=", "and the function's value");
  Statement s{};
  s.kind = Statement::Kind::result;
  s.value = expression(std::min(minimum, pipe_precedence + 1));
  s.span = s.name_span = s.value->span;
  e->span = d.span = d.name_span = join(e->span, s.value->span);
  d.body.push_back(std::move(s));
  e->definition = &d;
  return e;
}

/// A line that begins with `let h` or `h =` is the next statement, not the expression that is missing before it.
bool ExpressionParser::begins_statement() const {
  const Token& token = peek();
  if (token.kind != Token::Kind::name || !token.first_on_line || at_ == 0) return false;
  if (open_brackets_ == 0 && (is_symbol("=", 1) || is_symbol("<-", 1))) return true;
  return is_statement_keyword(token.text) && peek(1).kind == Token::Kind::name;
}

ExpressionPtr ExpressionParser::primary(int minimum) {
  const Token& token = peek();
  if (begins_statement()) unexpected("an expression");
  switch (token.kind) {
    case Token::Kind::number: {
      Expression* e = make(Expression::Kind::number, next().span, token.text);
      e->number = token.number;
      if (const double bytes = bytes_of_unit(peek()); bytes > 0) {
        e->unit = peek().text;
        e->number *= bytes;
        e->span = join(e->span, next().span);
      }
      return e;
    }
    case Token::Kind::string:
      return make(Expression::Kind::string, next().span, token.text);
    case Token::Kind::name:
      if (token.text == "if") return conditional();
      if (token.text == "fn") return anonymous_function(minimum);
      if (is_reserved(token.text)) break;
      return make(Expression::Kind::name, next().span, token.text);
    case Token::Kind::symbol:
      if (accept("(")) {
        ++open_brackets_;
        const ExpressionPtr inner = expression();
        const Span close = expect(")", "to close the parenthesis").span;
        --open_brackets_;
        // The same expression, with the parentheses in its range.
        Expression* e = make(inner->kind, join(token.span, close));
        const Span whole = e->span;
        *e = *inner;
        e->span = whole;
        return e;
      }
      if (accept("[")) {
        Expression* e = make(Expression::Kind::list, token.span);
        const Span close = list("]", "the list", [&] { e->operands.push_back(expression()); });
        e->span = join(token.span, close);
        return e;
      }
      break;
    default:
      break;
  }
  std::string hint;
  if (is_symbol("*") && at_ > 0 && tokens_[at_ - 1].text == "*") hint = "a power is written x^2";
  if (is_symbol("*") && at_ > 0 && tokens_[at_ - 1].text == "/") hint = "a comment begins with //";
  if (is_symbol("=") && at_ > 0 && tokens_[at_ - 1].text == "=") hint = "compare with ==";
  if (is_symbol("+")) hint = "a sign + is not needed";
  unexpected("an expression", hint);
}

void ExpressionParser::word(const std::string& text) {
  if (!is_word(text))
    unexpected("'" + text + "'", text == "else" || text == "then" ? "a choice has both: if c then a else b" : "");
  next();
}

TypeAnnotation ExpressionParser::type_annotation() {
  TypeAnnotation type;
  type.span = peek().span;
  if (peek().kind == Token::Kind::name && !is_reserved(peek().text)) type.dtype = next().text;
  const Span open =
      expect("[", type.dtype.empty() ? "to begin a shape such as [n, 30]" : "and a shape such as [n, 30]").span;
  const Span close = list("]", "the shape", [&] { type.shape.push_back(expression()); });
  type.span = join(type.dtype.empty() ? open : type.span, close);
  if (is_word("category")) {
    next();
    expect("(", "and the number of categories");
    type.categories = expression();
    type.span = join(type.span, expect(")", "after the number of categories").span);
  }
  return type;
}

/// `size` or `fraction`; nothing where a type stands.
const NumberKind* ExpressionParser::number_kind() {
  if (peek().kind != Token::Kind::name || is_symbol("[", 1)) return nullptr;
  if (const NumberKind* kind = find_number_kind(peek().text)) {
    next();
    return kind;
  }
  std::vector<std::string> names;
  for (const NumberKind& kind : number_kinds()) names.emplace_back(kind.name);
  if (const auto meant = ir::nearest(peek().text, names)) {
    fail(peek().span, "there is no kind of number '" + std::string(peek().text) + "'",
         "did you mean '" + *meant + "'?");
  }
  return nullptr;
}

std::vector<Parameter> ExpressionParser::parameters() {
  std::vector<Parameter> parameters;
  std::unordered_set<std::string> names;
  expect("(", "and parameters");
  list(")", "the parameters", [&] {
    Parameter p;
    const Token& name = expect_name("the name of a parameter");
    p.name = name.text;
    p.span = name.span;
    if (!names.insert(p.name).second) fail(p.span, "there are two parameters '" + p.name + "'");
    if (accept(":")) {
      p.number = number_kind();
      if (p.number == nullptr) p.type = type_annotation();
    }
    if (accept("=")) p.fallback = expression();
    parameters.push_back(std::move(p));
  });
  return parameters;
}

}  // namespace descent::frontend
