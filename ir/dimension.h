// The size of one axis of a tensor: a polynomial with integer coefficients in symbolic sizes, such as n, 30 or 2*n + 1.
//
// Sizes that are known only when a function is called (the batch) are symbols. Two sizes are equal when their
// polynomials are the same, which is decided by keeping them in one normal form: sorted terms, no zero coefficients.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace descent::ir {

/// The values of the symbolic sizes of one call.
using DimensionValues = std::map<std::string, std::int64_t>;

class Dimension {
 public:
  Dimension(std::int64_t constant) : constant_(constant) {}  // NOLINT: a number is a size
  static Dimension symbol(const std::string& name);

  bool is_constant() const { return terms_ == nullptr; }
  std::int64_t constant() const { return constant_; }  ///< the constant term
  bool is_one() const { return is_constant() && constant_ == 1; }

  /// The size where every symbol has its value in `values`; throws descent::Error for a symbol without one.
  std::int64_t evaluate(const DimensionValues& values) const;
  void collect_symbols(std::vector<std::string>& names) const;  ///< appends those not yet in `names`
  /// The floor of this size / divisor, where it is the same polynomial for all sizes: 2*n + 3 by 2 is n + 1.
  std::optional<Dimension> divided_by(std::int64_t divisor) const;
  /// This size / divisor, where that is a polynomial: 2*d*n by n is 2*d. The divisor is one term.
  std::optional<Dimension> divided_by(const Dimension& divisor) const;
  std::string to_string() const;                  ///< "30", "n", "2*n + 1"
  static Dimension parse(std::string_view text);  ///< inverse of to_string; throws descent::Error
  std::size_t hash() const;

  friend Dimension operator+(const Dimension& a, const Dimension& b);
  friend Dimension operator-(const Dimension& a, const Dimension& b);
  friend Dimension operator*(const Dimension& a, const Dimension& b);
  friend bool operator==(const Dimension& a, const Dimension& b) {
    return a.constant_ == b.constant_ && (a.terms_ == b.terms_ || a.terms() == b.terms());
  }

  /// One product of symbols (sorted, with repetition) with its coefficient.
  struct Term {
    std::vector<std::string> symbols;
    std::int64_t coefficient;
    friend bool operator==(const Term&, const Term&) = default;
  };
  const std::vector<Term>& terms() const {
    static const std::vector<Term> none;
    return terms_ == nullptr ? none : *terms_;
  }

 private:
  class Sum;
  Dimension(std::int64_t constant, std::shared_ptr<const std::vector<Term>> terms)
      : constant_(constant), terms_(std::move(terms)) {}

  std::int64_t constant_;
  /// Shared between copies, which are made all the time; null where there are none.
  std::shared_ptr<const std::vector<Term>> terms_;
};

using Shape = std::vector<Dimension>;

Dimension element_count(const Shape& shape);
std::int64_t element_count(const Shape& shape, const DimensionValues& values);
std::vector<std::int64_t> evaluate(const Shape& shape, const DimensionValues& values);
std::string to_string(const Shape& shape);  ///< "[n, 30]"

}  // namespace descent::ir
