#include "frontend/lexer.h"

#include <cctype>
#include <charconv>

namespace descent::frontend {

std::vector<Token> tokenize(const Source& source, std::vector<Diagnostic>& mistakes) {
  static const char* const symbols[] = {"|>", "->", "<-", "..", "==", "!=", "<=", ">=", "(", ")", "[", "]", "{",
                                        "}",  ",",  ":",  "=",  "<",  ">",  "+",  "-",  "*", "/", "^", "@", "."};
  const std::string& text = source.text;
  std::vector<Token> tokens;
  std::size_t at = 0;
  bool first = true;
  const auto add = [&](Token::Kind kind, std::size_t begin, std::string content, double number = 0) {
    tokens.push_back(Token{kind, std::move(content), number, Span{&source, begin, at}, first});
    first = false;
  };
  while (at < text.size()) {
    const char c = text[at];
    const std::size_t begin = at;
    const auto is = [&](std::size_t i, int (*predicate)(int)) {
      return i < text.size() && predicate(static_cast<unsigned char>(text[i])) != 0;
    };
    if (c == '\n') first = true;
    if (is(at, std::isspace)) {
      ++at;
    } else if (text.compare(at, 2, "//") == 0) {
      while (at < text.size() && text[at] != '\n') ++at;
    } else if (is(at, std::isalpha) || c == '_') {
      while (is(at, std::isalnum) || (at < text.size() && text[at] == '_')) ++at;
      add(Token::Kind::name, begin, text.substr(begin, at - begin));
    } else if (is(at, std::isdigit) || (c == '.' && is(at + 1, std::isdigit))) {
      double value = 0;
      // "0..k" is a range: the first number ends before two dots.
      std::size_t limit = text.find("..", at);
      const auto [end, error] = std::from_chars(text.data() + at, text.data() + std::min(limit, text.size()), value);
      at = static_cast<std::size_t>(end - text.data());
      if (at == begin) ++at;
      if (at < text.size() && text[at] == '%') ++at, value /= 100;
      if (error != std::errc()) {
        mistakes.push_back(diagnostic({&source, begin, at}, "this number is out of range"));
      } else if (is(at, std::isalpha)) {
        while (is(at, std::isalnum)) ++at;
        mistakes.push_back(diagnostic({&source, begin, at}, "'" + text.substr(begin, at - begin) + "' is not a number",
                                      "names do not begin with a digit; a product is written 2 * x"));
      }
      add(Token::Kind::number, begin, text.substr(begin, at - begin), value);
    } else if (c == '"') {
      ++at;
      while (at < text.size() && text[at] != '"' && text[at] != '\n') ++at;
      std::string content = text.substr(begin + 1, at - begin - 1);
      if (at < text.size() && text[at] == '"')
        ++at;
      else
        mistakes.push_back(diagnostic({&source, begin, at}, "this text has no closing quote", "end it with \""));
      add(Token::Kind::string, begin, std::move(content));
    } else {
      const char* found = nullptr;
      for (const char* symbol : symbols) {
        if (text.compare(at, std::string_view(symbol).size(), symbol) == 0) {
          found = symbol;
          break;
        }
      }
      if (found == nullptr) {
        ++at;
        while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
          ++at;  // the rest of a UTF-8 character
        mistakes.push_back(
            diagnostic({&source, begin, begin + 1}, "unexpected character '" + text.substr(begin, at - begin) + "'"));
        continue;
      }
      at += std::string_view(found).size();
      add(Token::Kind::symbol, begin, found);
    }
  }
  first = true;
  add(Token::Kind::end, at, "");
  return tokens;
}

}  // namespace descent::frontend
