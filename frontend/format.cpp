// Works on tokens, not on the tree, so that comments and line ends stay where they are. Three steps: tokens to lines
// with their depth, lines to text, and columns where lines of one kind follow each other.
#include "frontend/format.h"

#include <algorithm>

#include "frontend/lexer.h"
#include "frontend/parse_expression.h"
#include "frontend/parser.h"

namespace descent::frontend {

namespace {

constexpr int indent_width = 4;

struct Line {
  std::vector<const Token*> tokens;
  int depth = 0;
  bool blank_before = false;
  bool is_alone = true;  ///< a statement of one line, which may stand in columns
  bool in_settings = false;
};

bool is_symbol(const Token* t, std::string_view text) {
  return t != nullptr && t->kind == Token::Kind::symbol && t->text == text;
}
bool is_word(const Token* t, std::string_view text) {
  return t != nullptr && t->kind == Token::Kind::name && t->text == text;
}
bool is_open(const Token* t) { return is_symbol(t, "(") || is_symbol(t, "[") || is_symbol(t, "{"); }
bool is_close(const Token* t) { return is_symbol(t, ")") || is_symbol(t, "]") || is_symbol(t, "}"); }

/// A word after which an expression begins, so that a bracket behind it is no call.
bool precedes_expression(const Token* t) {
  static const std::string_view words[] = {"if", "then", "else", "and", "or", "not", "in", "return", "repeat"};
  return t->kind == Token::Kind::name && std::find(std::begin(words), std::end(words), t->text) != std::end(words);
}

/// An operator or sign that needs something on both sides, so that the expression goes on in the next line.
bool is_infix(const Token* t) {
  static const std::string_view signs[] = {"|>", "->", "<-", "..", "==", "!=", "<=", ">=", ",", "=",
                                           "<",  ">",  "+",  "-",  "*",  "/",  "%",  "^",  "@", "."};
  static const std::string_view words[] = {"and", "or", "then", "else"};
  if (t->kind == Token::Kind::name) return std::find(std::begin(words), std::end(words), t->text) != std::end(words);
  return t->kind == Token::Kind::symbol && std::find(std::begin(signs), std::end(signs), t->text) != std::end(signs);
}

/// Whether `t` ends an operand, so that a '-' behind it is a difference, and '(' a call.
bool ends_operand(const Token* t) {
  if (t == nullptr) return false;
  if (t->kind == Token::Kind::symbol) return is_symbol(t, ")") || is_symbol(t, "]");
  return t->kind != Token::Kind::comment && !precedes_expression(t);
}

std::size_t newlines_between(const Token& a, const Token& b) {
  const std::string& text = b.span.source->text;
  return static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(a.span.end),
                                             text.begin() + static_cast<std::ptrdiff_t>(b.span.begin), '\n'));
}

/// Tokens to lines. Brackets that a line opens together are one level, however many they are.
class LineBreaker {
 public:
  std::vector<Line> run(const std::vector<Token>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const Token& t = tokens[i];
      if (t.kind == Token::Kind::end) break;
      if (t.first_on_line || lines_.empty()) begin_line(tokens, i);
      lines_.back().tokens.push_back(&t);
      track_brackets(t);
      if (t.kind != Token::Kind::comment) last_ = &t;
    }
    return std::move(lines_);
  }

 private:
  struct Open {
    bool is_brace;
    std::size_t line;  // that opened it
    bool is_settings;
  };

  void begin_line(const std::vector<Token>& tokens, std::size_t i) {
    const Token& t = tokens[i];
    Line line;
    line.depth = depth_at(t);
    const bool in_brackets = !open_.empty() && !open_.back().is_brace;
    const bool goes_on = !in_brackets && last_ != nullptr && t.kind != Token::Kind::comment && !is_close(&t) &&
                         (is_infix(last_) || is_infix(&t) || precedes_expression(last_));
    if (goes_on) ++line.depth;
    if ((goes_on || in_brackets) && !lines_.empty()) lines_.back().is_alone = false;
    line.is_alone = !goes_on && !in_brackets && !is_close(&t);
    line.in_settings = !open_.empty() && open_.back().is_settings;
    const bool after_brace = !lines_.empty() && is_symbol(lines_.back().tokens.back(), "{");
    line.blank_before = i > 0 && newlines_between(tokens[i - 1], t) > 1 && !after_brace && !is_close(&t);
    lines_.push_back(std::move(line));
  }

  int depth_at(const Token& t) const {
    std::size_t last_line = std::string::npos;
    int depth = 0;
    const std::size_t closed = is_close(&t) ? 1 : 0;
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (open_[i].line == last_line) continue;
      last_line = open_[i].line;
      // A level that this token closes entirely is none for its line.
      const bool closes = closed == 1 && open_.back().line == last_line;
      if (!closes) ++depth;
    }
    return depth;
  }

  void track_brackets(const Token& t) {
    if (is_open(&t)) {
      const Line& line = lines_.back();
      const bool settings = is_symbol(&t, "{") && !line.tokens.empty() &&
                            (is_word(line.tokens[0], "data") || is_word(line.tokens[0], "train")) && open_.empty();
      open_.push_back({is_symbol(&t, "{"), lines_.size() - 1, settings});
    }
    if (is_close(&t) && !open_.empty()) open_.pop_back();
  }

  std::vector<Line> lines_;
  std::vector<Open> open_;
  const Token* last_ = nullptr;
};

/// Lines to text: what stands between two tokens of a line.
class Spacing {
 public:
  std::string before(const Token* previous, const Token* t, const Token* next) {
    const std::string space = separation(previous, t, next);
    track(previous, t);
    return space;
  }

 private:
  std::string separation(const Token* previous, const Token* t, const Token* next) const {
    if (previous == nullptr) return "";
    if (after_sign_ || is_symbol(previous, "(") || is_symbol(previous, "[")) return "";
    if (is_symbol(t, ")") || is_symbol(t, "]") || is_symbol(t, ",")) return "";
    if (is_symbol(t, "}")) return is_symbol(previous, "{") ? "" : " ";
    const bool in_index = !brackets_.empty() && brackets_.back() == '[';
    if (is_symbol(t, ":") || (is_symbol(previous, ":") && in_index)) {
      return is_symbol(t, ":") && is_symbol(previous, ",") ? " " : "";
    }
    for (const Token* tight : {previous, t}) {
      if (is_symbol(tight, "^") || is_symbol(tight, ".")) return "";
    }
    if (is_symbol(t, "(") || is_symbol(t, "[")) return ends_operand(previous) ? "" : " ";
    if (is_symbol(t, "..")) return is_text(previous) || is_text(next) ? " " : "";
    if (is_symbol(previous, "..")) return is_text(t) || before_range_is_text_ ? " " : "";
    return " ";
  }

  static bool is_text(const Token* t) { return t != nullptr && t->kind == Token::Kind::string; }

  void track(const Token* previous, const Token* t) {
    after_sign_ = is_symbol(t, "-") && !ends_operand(previous);
    if (is_symbol(t, "..")) before_range_is_text_ = is_text(previous);
    if (is_open(t)) brackets_ += t->text;
    if (is_close(t) && !brackets_.empty()) brackets_.pop_back();
  }

  bool after_sign_ = false;  // behind the '-' of a negative number
  bool before_range_is_text_ = false;
  std::string brackets_;
};

/// A statement in columns: `param`, `w: [i, units]` and `= init`.
struct Columns {
  std::string kind;  ///< what may stand below each other; empty for a line that stands alone
  std::string keyword, name, rest;
  std::string comment;  ///< behind the code
};

struct Written {
  std::string code, comment;
  bool blank_before;
};

class Writer {
 public:
  std::string run(const std::vector<Line>& lines) {
    for (std::size_t begin = 0; begin < lines.size();) {
      const std::string kind = kind_of(lines[begin]);
      std::size_t end = begin + 1;
      while (!kind.empty() && end < lines.size() && !lines[end].blank_before &&
             lines[end].depth == lines[begin].depth && kind_of(lines[end]) == kind) {
        ++end;
      }
      write_run(lines, begin, end, !kind.empty());
      begin = end;
    }
    return text();
  }

 private:
  static std::string kind_of(const Line& line) {
    const Token* first = line.tokens[0];
    if (!line.is_alone || first->kind != Token::Kind::name || line.tokens.size() < 2) return "";
    int brackets = 0;
    for (const Token* t : line.tokens) {
      brackets += is_open(t) ? 1 : is_close(t) ? -1 : 0;
      if (is_symbol(t, "{") || (is_symbol(t, ",") && brackets == 0)) return "";  // a block, or several declarations
    }
    if (is_symbol(line.tokens[1], "=")) return line.in_settings ? "setting" : "";
    if (is_symbol(line.tokens[1], "<-")) return "update";
    if (first->text == "input" || first->text == "target") return "input";
    for (const char* keyword : {"param", "state", "fit", "let"}) {
      if (first->text == keyword) return keyword;
    }
    return "";
  }

  Columns columns_of(const Line& line, bool in_columns) {
    Columns c;
    std::string* part = &c.rest;
    if (in_columns) part = is_symbol(line.tokens[1], "=") || is_symbol(line.tokens[1], "<-") ? &c.name : &c.keyword;
    int brackets = 0;
    const Token* previous = nullptr;
    for (std::size_t i = 0; i < line.tokens.size(); ++i) {
      const Token* t = line.tokens[i];
      const std::string space = spacing_.before(previous, t, i + 1 < line.tokens.size() ? line.tokens[i + 1] : nullptr);
      brackets += is_open(t) ? 1 : is_close(t) ? -1 : 0;
      if (t->kind == Token::Kind::comment) {  // always the last of its line
        (i == 0 ? c.rest : c.comment) = t->text;
        break;
      }
      const bool new_column = (part == &c.keyword && i == 1) ||
                              (part == &c.name && brackets == 0 && (is_symbol(t, "=") || is_symbol(t, "<-")));
      if (new_column) {
        part = part == &c.keyword ? &c.name : &c.rest;
      } else {
        *part += space;
      }
      *part += t->kind == Token::Kind::string ? "\"" + std::string(t->text) + "\"" : std::string(t->text);
      previous = t;
    }
    return c;
  }

  void write_run(const std::vector<Line>& lines, std::size_t begin, std::size_t end, bool in_columns) {
    std::vector<Columns> columns;
    std::size_t keyword_width = 0, name_width = 0;
    for (std::size_t i = begin; i < end; ++i) {
      columns.push_back(columns_of(lines[i], in_columns));
      keyword_width = std::max(keyword_width, columns.back().keyword.size());
      if (!columns.back().rest.empty()) name_width = std::max(name_width, columns.back().name.size());
    }
    for (std::size_t i = begin; i < end; ++i) {
      const Columns& c = columns[i - begin];
      Written line{std::string(static_cast<std::size_t>(lines[i].depth * indent_width), ' '), c.comment,
                   lines[i].blank_before};
      if (!c.keyword.empty()) line.code += padded(c.keyword, keyword_width) + " ";
      line.code += c.rest.empty() || c.name.empty() ? c.name : padded(c.name, name_width) + " ";
      line.code += c.rest;
      written_.push_back(std::move(line));
    }
  }

  /// Comments behind the code of lines that follow each other begin in one column.
  std::string text() const {
    std::string text;
    for (std::size_t begin = 0; begin < written_.size();) {
      std::size_t end = begin, width = 0;
      do {
        width = std::max(width, written_[end++].code.size());
      } while (end < written_.size() && !written_[begin].comment.empty() && !written_[end].comment.empty() &&
               !written_[end].blank_before);
      for (; begin < end; ++begin) {
        const Written& line = written_[begin];
        text += line.blank_before ? "\n" : "";
        text += line.comment.empty() ? line.code : padded(line.code, width) + "  " + line.comment;
        text += "\n";
      }
    }
    return text;
  }

  static std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
  }

  std::vector<Written> written_;
  Spacing spacing_;
};

}  // namespace

std::string format(const std::string& text, const std::string& file) {
  const Source source{file, text};
  std::vector<Diagnostic> mistakes;
  parse_file(source, mistakes);
  if (!mistakes.empty()) throw Error(mistakes);
  const std::vector<Token> tokens = tokenize(source, mistakes);
  return Writer().run(LineBreaker().run(tokens));
}

}  // namespace descent::frontend
