#include "frontend/lexer.h"

#include <charconv>

#include "ir/utf8.h"

namespace descent::frontend {

namespace {

// Bytes, not characters: what a name or a number is made of does not depend on the locale.
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return begins_name(c) || is_digit(c); }

/// What people write who know another language, or whose editor is too clever.
std::string hint_for(std::string_view character) {
  static const std::pair<std::string_view, const char*> table[] = {
      {"#", "a comment begins with //"},
      {";", "a statement ends without a sign"},
      {"'", "texts stand in double quotes"},
      {"\u2018", "texts stand in double quotes"},
      {"\u2019", "texts stand in double quotes"},
      {"\u201c", "texts stand in straight quotes: \"...\""},
      {"\u201d", "texts stand in straight quotes: \"...\""},
      {"!", "write not for a condition, != to compare"},
      {"&", "write and"},
      {"|", "write or, or |> to pass a value on"},
      {"\\", "a statement goes on in the next line without a sign"},
      {"?", "a choice is written if c then a else b"},
      {"$", ""},
      {"\u00d7", "write *"},
      {"\u00b7", "write *"},
      {"\u2212", "write -"},
      {"\u2013", "write -"},
      {"\u2264", "write <="},
      {"\u2265", "write >="},
      {"\u2260", "write !="},
      {"\u2192", "write ->"},
      {"\u2026", "write .."},
      {"\u00a0", "this is a no-break space: write a plain one"},
      {"\ufeff", "this is a byte order mark: save the file without it"},
  };
  for (const auto& [sign, hint] : table) {
    if (sign == character) return hint;
  }
  return character.size() > 1 ? "names have the letters a to z, digits and _" : "";
}

class Lexer {
 public:
  Lexer(const Source& source, std::vector<Diagnostic>& mistakes)
      : source_(source), text_(source.text), mistakes_(mistakes) {}

  std::vector<Token> run() {
    tokens_.reserve(text_.size() / 6);  // about as many as there are in code with comments
    while (at_ < text_.size()) {
      const char c = text_[at_];
      begin_ = at_;
      if (c == '\n') first_ = true;
      if (is_space(c)) {
        ++at_;
      } else if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
        std::size_t end = at_;
        while (is_space(text_[end - 1])) --end;
        add(Token::Kind::comment, text_.substr(begin_, end - begin_));
      } else if (begins_name(c)) {
        while (at_ < text_.size() && in_name(text_[at_])) ++at_;
        add(Token::Kind::name, text_.substr(begin_, at_ - begin_));
      } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
        number();
      } else if (c == '"') {
        string();
      } else {
        symbol();
      }
    }
    first_ = true;
    begin_ = at_;
    add(Token::Kind::end, "");
    return std::move(tokens_);
  }

 private:
  void add(Token::Kind kind, std::string_view content, double value = 0) {
    tokens_.push_back(Token{kind, content, value, Span{&source_, begin_, at_}, first_});
    first_ = false;
  }
  void mistake(std::size_t end, const std::string& message, const std::string& hint = "") {
    // One for each line: where a sign is wrong, what follows in the line often is for the same reason.
    const std::size_t line = text_.rfind('\n', begin_) + 1;
    if (line == last_wrong_line_ || mistakes_.size() >= most_mistakes) return;
    last_wrong_line_ = line;
    mistakes_.push_back(diagnostic({&source_, begin_, end}, message, hint));
  }

  /// By the mark at its beginning.
  bool is_utf16() const { return text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF"); }

  /// How far a number can go. "0..k" is a range: the first number ends before two dots.
  std::size_t end_of_number() const {
    for (std::size_t at = at_; at < text_.size() && (is_digit(text_[at]) || text_[at] == '.'); ++at) {
      if (text_.substr(at, 2) == "..") return at;
    }
    return text_.size();
  }

  void number() {
    double value = 0;
    const std::size_t limit = end_of_number();
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + limit, value);
    at_ = std::max(at_ + 1, static_cast<std::size_t>(end - text_.data()));
    const bool is_share = at_ < text_.size() && text_[at_] == '%';
    if (is_share) ++at_, value /= 100;
    if (at_ < text_.size() && in_name(text_[at_])) {
      const std::size_t suffix = at_;
      while (at_ < text_.size() && in_name(text_[at_])) ++at_;
      const std::string_view number = text_.substr(begin_, suffix - begin_), unit = text_.substr(suffix, at_ - suffix);
      const bool is_memory = unit.size() <= 3 && unit.ends_with("B");
      mistake(at_, "'" + std::string(number) + std::string(unit) + "' is not a number",
              is_memory  ? "write " + std::string(number) + " " + std::string(unit)
              : is_share ? "a remainder has a blank before its sign: 7 % 3"
                         : "names do not begin with a digit; a product is written 2 * x");
    } else if (error != std::errc()) {
      mistake(at_, "this number is out of range");
    }
    add(Token::Kind::number, text_.substr(begin_, at_ - begin_), value);
  }

  void string() {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') ++at_;
    const std::string_view content = text_.substr(begin_ + 1, at_ - begin_ - 1);
    if (at_ < text_.size() && text_[at_] == '"') {
      ++at_;
    } else {
      mistake(at_, "this text has no closing quote", "end it with \"");
    }
    add(Token::Kind::string, content);
  }

  void symbol() {
    static const std::string_view symbols[] = {"|>", "->", "<-", "..", "==", "!=", "<=", ">=", "(",
                                               ")",  "[",  "]",  "{",  "}",  ",",  ":",  "=",  "<",
                                               ">",  "+",  "-",  "*",  "/",  "%",  "^",  "@",  "."};
    for (const std::string_view symbol : symbols) {
      if (symbol[0] != text_[at_] || text_.substr(at_, symbol.size()) != symbol) continue;
      at_ += symbol.size();
      add(Token::Kind::symbol, symbol);
      return;
    }
    const std::size_t length = ir::character_length(text_.substr(at_));
    if (length == 0 || text_[at_] == 0x7F || (text_[at_] >= 0 && text_[at_] < ' ')) {
      static const char* digits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(text_[at_++]);
      // One mistake for a whole run: a file that is no text at all would give thousands.
      while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) >= 0x80 || text_[at_] < ' ') &&
             !is_space(text_[at_])) {
        ++at_;
      }
      const bool is_binary =
          text_.substr(begin_, at_ - begin_).find(std::string_view("\0\0", 2)) != std::string_view::npos;
      if (is_utf16() || is_binary) at_ = text_.size();
      mistake(at_, std::string("this is not text: the byte 0x") + digits[byte >> 4] + digits[byte & 15],
              is_utf16() ? "save the file as UTF-8: this is UTF-16" : "a .descent file is UTF-8");
      return;
    }
    at_ += length;
    const std::string_view character = text_.substr(begin_, length);
    mistake(at_, "unexpected character '" + std::string(character) + "'", hint_for(character));
    if (character == "#") at_ = std::min(text_.find('\n', at_), text_.size());
  }

  const Source& source_;
  std::string_view text_;
  std::vector<Diagnostic>& mistakes_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0, begin_ = 0;
  bool first_ = true;
  std::size_t last_wrong_line_ = std::string_view::npos;  // where it begins
};

}  // namespace

std::vector<Token> tokenize(const Source& source, std::vector<Diagnostic>& mistakes) {
  return Lexer(source, mistakes).run();
}

}  // namespace descent::frontend
