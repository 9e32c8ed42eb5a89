// Expressions by recursive descent with precedence climbing. The parser of statements builds on it.
#pragma once

#include <map>

#include "frontend/lexer.h"

namespace descent::frontend {

/// A mistake that ends the statement being parsed.
struct SyntaxError {
  Diagnostic diagnostic;
};

/// Levels of parentheses, calls and blocks in one another: a clear error instead of a full stack.
constexpr int maximum_nesting = 200;

class ExpressionParser {
 public:
  ExpressionParser(const Source& source, File& file, std::vector<Diagnostic>& mistakes);

  /// The whole source as one expression; broken if it is none.
  ExpressionPtr only_expression();

 protected:
  // tokens
  const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& next();
  bool is_symbol(std::string_view text, std::size_t ahead = 0) const {
    return peek(ahead).kind == Token::Kind::symbol && peek(ahead).text == text;
  }
  bool is_word(std::string_view text) const { return peek().kind == Token::Kind::name && peek().text == text; }
  bool accept(std::string_view symbol);
  const Token& expect(std::string_view symbol, const std::string& where);
  const Token& expect_name(const std::string& what);
  /// Reports what stands here instead of what was expected; at the end of a line, behind what stands there.
  [[noreturn]] void unexpected(const std::string& expected, std::string hint = "");
  /// What is written here that other languages would write so; empty where nothing is known.
  std::string hint_here() const;
  [[noreturn]] static void fail(const Span& span, const std::string& message, const std::string& hint = "");

  // expressions
  ExpressionPtr expression(int minimum = 0);
  TypeAnnotation type_annotation();
  const NumberKind* number_kind();
  std::vector<Parameter> parameters();
  ExpressionPtr broken(const Span& span) { return make(Expression::Kind::broken, span); }

  /// What is between this sign and the one that closes it: items with commas between, and one behind them if you like.
  template <typename Item>
  Span list(std::string_view close, const std::string& what, Item item) {
    ++open_brackets_;
    while (!is_symbol(close)) {
      item();
      if (is_symbol(close)) break;
      if (!accept(",")) unexpected("',' or '" + std::string(close) + "' in " + what);
    }
    --open_brackets_;
    return next().span;
  }

  File& file_;
  std::vector<Diagnostic>& mistakes_;
  std::vector<Token> tokens_;                         // without comments
  std::map<std::size_t, std::string> documentation_;  // of tokens, by position
  std::size_t at_ = 0;
  int nesting_ = 0;
  int open_brackets_ = 0;  // that the statement being parsed has not closed yet

 private:
  Expression* make(Expression::Kind kind, const Span& span, std::string_view text = "");
  bool begins_statement() const;
  ExpressionPtr prefix(int minimum);
  ExpressionPtr postfix(ExpressionPtr e);
  ExpressionPtr primary(int minimum);
  ExpressionPtr pipe(ExpressionPtr left, ExpressionPtr right);
  ExpressionPtr call(ExpressionPtr callee);
  ExpressionPtr index(ExpressionPtr indexed);
  ExpressionPtr conditional();
  ExpressionPtr anonymous_function(int minimum);
  void word(const std::string& text);

  std::string whole_ = "file";  // what the text is, for messages
};

/// Reserved: what these mean cannot be changed by a definition of that name.
bool is_reserved(std::string_view word);
/// Begins a declaration where a name follows.
bool is_statement_keyword(std::string_view word);

}  // namespace descent::frontend
