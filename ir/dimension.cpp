#include "ir/dimension.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>

#include "descent/error.h"

namespace descent::ir {

namespace {

std::int64_t sum_of(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw Error("a size here is too large");
  return sum;
}

std::int64_t product_of(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Error("a size here is too large");
  return product;
}

// Far beyond the sizes of any model; a polynomial that is squared again and again would fill the memory.
constexpr std::size_t most_terms = 64, most_factors = 8;

}  // namespace

/// A polynomial that is being made.
class Dimension::Sum {
 public:
  explicit Sum(std::int64_t constant) : constant_(constant) {}
  explicit Sum(const Dimension& d) : constant_(d.constant_), terms_(d.terms()) {}

  void add(const std::vector<std::string>& symbols, std::int64_t coefficient) {
    if (symbols.empty()) {
      constant_ = sum_of(constant_, coefficient);
      return;
    }
    auto at = std::lower_bound(terms_.begin(), terms_.end(), symbols,
                               [](const Term& t, const std::vector<std::string>& s) { return t.symbols < s; });
    if (at == terms_.end() || at->symbols != symbols) {
      if (coefficient == 0) return;
      if (terms_.size() >= most_terms || symbols.size() > most_factors) throw Error("a size here has too many terms");
      terms_.insert(at, Term{symbols, coefficient});
    } else if ((at->coefficient = sum_of(at->coefficient, coefficient)) == 0) {
      terms_.erase(at);
    }
  }

  Dimension take() {
    return {constant_, terms_.empty() ? nullptr : std::make_shared<const std::vector<Term>>(std::move(terms_))};
  }

 private:
  std::int64_t constant_;
  std::vector<Term> terms_;
};

Dimension Dimension::symbol(const std::string& name) {
  Sum d(0);
  d.add({name}, 1);
  return d.take();
}

Dimension operator+(const Dimension& a, const Dimension& b) {
  const std::int64_t constant = sum_of(a.constant_, b.constant_);
  if (b.is_constant()) return {constant, a.terms_};
  if (a.is_constant()) return {constant, b.terms_};
  Dimension::Sum sum(a);
  sum.add({}, b.constant_);
  for (const auto& t : b.terms()) sum.add(t.symbols, t.coefficient);
  return sum.take();
}

Dimension operator-(const Dimension& a, const Dimension& b) { return a + Dimension(-1) * b; }

Dimension operator*(const Dimension& a, const Dimension& b) {
  if (a.is_one()) return b;
  if (b.is_one()) return a;
  if (a.is_constant() && b.is_constant()) return {product_of(a.constant_, b.constant_)};
  Dimension::Sum product(product_of(a.constant_, b.constant_));
  for (const auto& t : a.terms()) product.add(t.symbols, product_of(t.coefficient, b.constant_));
  for (const auto& t : b.terms()) product.add(t.symbols, product_of(t.coefficient, a.constant_));
  for (const auto& s : a.terms()) {
    for (const auto& t : b.terms()) {
      std::vector<std::string> symbols = s.symbols;
      symbols.insert(symbols.end(), t.symbols.begin(), t.symbols.end());
      std::sort(symbols.begin(), symbols.end());
      product.add(symbols, product_of(s.coefficient, t.coefficient));
    }
  }
  return product.take();
}

std::int64_t Dimension::evaluate(const DimensionValues& values) const {
  std::int64_t sum = constant_;
  for (const Term& t : terms()) {
    std::int64_t product = t.coefficient;
    for (const auto& name : t.symbols) {
      auto at = values.find(name);
      if (at == values.end()) throw Error("the size of the dimension '" + name + "' is not known");
      product *= at->second;
    }
    sum += product;
  }
  return sum;
}

std::optional<Dimension> Dimension::divided_by(std::int64_t divisor) const {
  const std::int64_t rest = (constant_ % divisor + divisor) % divisor;
  Sum quotient((constant_ - rest) / divisor);
  for (const Term& t : terms()) {
    if (t.coefficient % divisor != 0) return std::nullopt;
    quotient.add(t.symbols, t.coefficient / divisor);
  }
  return quotient.take();
}

std::optional<Dimension> Dimension::divided_by(const Dimension& divisor) const {
  if (divisor.is_constant()) {
    if (divisor.constant_ == 0) return std::nullopt;
    const auto quotient = divided_by(divisor.constant_);
    return quotient && *quotient * divisor == *this ? quotient : std::nullopt;
  }
  if (divisor.terms().size() != 1 || divisor.constant_ != 0 || constant_ != 0) return std::nullopt;
  const Term& by = divisor.terms()[0];
  Sum quotient(0);
  for (const Term& t : terms()) {
    if (t.coefficient % by.coefficient != 0 ||
        !std::includes(t.symbols.begin(), t.symbols.end(), by.symbols.begin(), by.symbols.end())) {
      return std::nullopt;
    }
    std::vector<std::string> rest;
    std::set_difference(t.symbols.begin(), t.symbols.end(), by.symbols.begin(), by.symbols.end(),
                        std::back_inserter(rest));
    quotient.add(rest, t.coefficient / by.coefficient);
  }
  return quotient.take();
}

void Dimension::collect_symbols(std::vector<std::string>& names) const {
  for (const Term& t : terms()) {
    for (const auto& name : t.symbols) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
}

std::string Dimension::to_string() const {
  std::string text;
  for (const Term& t : terms()) {
    const bool negative = t.coefficient < 0;
    const std::int64_t magnitude = negative ? -t.coefficient : t.coefficient;
    text += text.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
    if (magnitude != 1) text += std::to_string(magnitude) + "*";
    for (std::size_t i = 0; i < t.symbols.size(); ++i) text += (i > 0 ? "*" : "") + t.symbols[i];
  }
  if (text.empty()) return std::to_string(constant_);
  if (constant_ > 0) text += " + " + std::to_string(constant_);
  if (constant_ < 0) text += " - " + std::to_string(-constant_);
  return text;
}

Dimension Dimension::parse(std::string_view text) {
  std::int64_t number = 0;  // most sizes are one
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0 && text.size() <= 18) return number;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (!text.empty() && text.size() <= 18 && std::all_of(text.begin(), text.end(), is_letter)) {
    return symbol(std::string(text));  // and most others
  }
  Dimension sum(0);
  std::size_t at = 0;
  const auto blank = [&] {
    while (at < text.size() && text[at] == ' ') ++at;
  };
  const auto fail = [&] { throw Error("'" + std::string(text) + "' is not a dimension"); };
  std::int64_t sign = 1;
  blank();
  if (at < text.size() && text[at] == '-') sign = -1, ++at;
  while (true) {
    Dimension product(sign);
    while (true) {
      blank();
      const std::size_t begin = at;
      while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_')) ++at;
      if (begin == at || at - begin > 18) fail();
      const std::string factor(text.substr(begin, at - begin));
      if (std::isdigit(static_cast<unsigned char>(factor[0]))) {
        for (char c : factor)
          if (!std::isdigit(static_cast<unsigned char>(c))) fail();
        product = product * Dimension(std::stoll(factor));
      } else {
        product = product * symbol(factor);
      }
      blank();
      if (at < text.size() && text[at] == '*')
        ++at;
      else
        break;
    }
    sum = sum + product;
    if (at == text.size()) return sum;
    if (text[at] != '+' && text[at] != '-') fail();
    sign = text[at++] == '-' ? -1 : 1;
  }
}

std::size_t Dimension::hash() const {
  std::size_t h = static_cast<std::size_t>(constant_) * 0x9E3779B97F4A7C15u;
  for (const Term& t : terms()) {
    for (const auto& name : t.symbols) h = (h ^ std::hash<std::string>{}(name)) * 0x9E3779B97F4A7C15u;
    h ^= static_cast<std::size_t>(t.coefficient) << 7;
  }
  return h;
}

Dimension element_count(const Shape& shape) {
  Dimension count(1);
  for (const auto& d : shape) count = count * d;
  return count;
}

std::int64_t element_count(const Shape& shape, const DimensionValues& values) {
  std::int64_t count = 1;
  for (std::int64_t size : evaluate(shape, values)) count *= size;
  return count;
}

std::vector<std::int64_t> evaluate(const Shape& shape, const DimensionValues& values) {
  std::vector<std::int64_t> sizes;
  for (const auto& d : shape) {
    sizes.push_back(d.evaluate(values));
    if (sizes.back() < 0) throw Error("the size " + d.to_string() + " is negative: " + std::to_string(sizes.back()));
  }
  return sizes;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + shape[i].to_string();
  return text + "]";
}

}  // namespace descent::ir
