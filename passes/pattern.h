// Patterns of expressions, written as algebra: P a = P::letter('a'); log(logistic(a)) is a pattern.
//
// A letter stands for any node, and for the same node wherever it appears again; a constant for any number; a
// coefficient for a constant factor that may be missing, then 1. A number stands for a constant of that value, of any
// shape. `sum(p)`, `largest(p)` and `smallest(p)` are reductions over any axes, `spread(p)` is p, which lacks those
// axes, repeated along them.
//
// Matching knows that sums and products may be taken in any order and grouping: x + y - z is seen as the terms x, y and
// -z, and x * y / z as the factors x, y and 1/z, however they are nested. A rule for a sum or a product applies to any
// of its terms or factors, and the others are kept; inside of a pattern, the last letter of a sum or product stands for
// all that the others leave. So no rule stands twice, neither for another order nor for another sign.
#pragma once

#include <array>
#include <bitset>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "ir/expr.h"

namespace descent::passes {

/// A pattern as it is written.
struct Pattern {
  enum class Kind { letter, constant, coefficient, number, op, spread } kind;
  char letter = 0;
  double number = 0;
  ir::Op op{};
  std::vector<std::shared_ptr<const Pattern>> operands;
};

struct P {
  std::shared_ptr<const Pattern> pattern;
  P(double number) : pattern(std::make_shared<Pattern>(Pattern{Pattern::Kind::number, 0, number, {}, {}})) {}  // NOLINT
  P(ir::Op op, std::initializer_list<P> operands);
  static P letter(char name);       ///< any node
  static P constant(char name);     ///< any constant
  static P coefficient(char name);  ///< any constant factor, or none
  static P spread(P a);             ///< repeated along the axes of the pattern's reduction
 private:
  explicit P(Pattern p) : pattern(std::make_shared<Pattern>(std::move(p))) {}
};

inline P operator+(P a, P b) { return {ir::Op::add, {a, b}}; }
inline P operator-(P a, P b) { return {ir::Op::subtract, {a, b}}; }
inline P operator*(P a, P b) { return {ir::Op::multiply, {a, b}}; }
inline P operator/(P a, P b) { return {ir::Op::divide, {a, b}}; }
inline P operator<(P a, P b) { return {ir::Op::compare_lt, {a, b}}; }
inline P operator<=(P a, P b) { return {ir::Op::compare_le, {a, b}}; }
inline P operator==(P a, P b) { return {ir::Op::compare_eq, {a, b}}; }
inline P operator-(P a) { return {ir::Op::negate, {a}}; }
inline P operator!(P a) { return {ir::Op::logical_not, {a}}; }
inline P exp(P a) { return {ir::Op::exponential, {a}}; }
inline P expm1(P a) { return {ir::Op::exponential_minus_one, {a}}; }
inline P log(P a) { return {ir::Op::log, {a}}; }
inline P log1p(P a) { return {ir::Op::log_plus_one, {a}}; }
inline P logistic(P a) { return {ir::Op::logistic, {a}}; }
inline P softplus(P a) { return {ir::Op::softplus, {a}}; }
inline P tanh(P a) { return {ir::Op::tanh, {a}}; }
inline P sqrt(P a) { return {ir::Op::sqrt, {a}}; }
inline P abs(P a) { return {ir::Op::abs, {a}}; }
inline P sign(P a) { return {ir::Op::sign, {a}}; }
inline P erf(P a) { return {ir::Op::erf, {a}}; }
inline P scaled_erfc(P a) { return {ir::Op::scaled_erfc, {a}}; }
inline P sin(P a) { return {ir::Op::sine, {a}}; }
inline P cos(P a) { return {ir::Op::cosine, {a}}; }
inline P pow(P a, P b) { return {ir::Op::power, {a, b}}; }
inline P max(P a, P b) { return {ir::Op::maximum, {a, b}}; }
inline P min(P a, P b) { return {ir::Op::minimum, {a, b}}; }
inline P stop_gradient(P a) { return {ir::Op::stop_gradient, {a}}; }
inline P select(P c, P a, P b) { return {ir::Op::select, {c, a, b}}; }
inline P sum(P a) { return {ir::Op::reduce_sum, {a}}; }
inline P largest(P a) { return {ir::Op::reduce_max, {a}}; }
inline P smallest(P a) { return {ir::Op::reduce_min, {a}}; }
inline bool is_reduction(ir::Op op) {
  return op == ir::Op::reduce_sum || op == ir::Op::reduce_max || op == ir::Op::reduce_min;
}
inline P spread(P a) { return P::spread(a); }

/// A pattern prepared for matching. `flat`: sums and products as their terms and factors; otherwise every op as it is
/// written, with the operands of commutative ops in either order.
struct Form {
  enum class Kind { letter, constant, coefficient, number, op, spread, sum, product } kind;
  char letter = 0;
  double number = 0;
  ir::Op op{};
  struct Item;
  std::vector<Item> items;  ///< of an op its operands; of a sum its terms; of a product its factors
  bool negative = false;    ///< of a product: its sign
  std::bitset<256> needs;   ///< of a sum or product: ops that must be among the items of what matches
  /// What two terms of a sum have in common: a factor, a divisor, or all but a number.
  enum class Common { nothing, factor, divisor, rest } common = Common::nothing;
};
struct Form::Item {
  Form form;
  bool inverse = false;  ///< of a sum: subtracted; of a product: divided by
};
Form flat_form(const Pattern& pattern);
Form written_form(const Pattern& pattern);

/// A node seen as a sum of terms or a product of factors.
struct ItemView {
  struct Item {
    const ir::Node* node;
    bool inverse;
  };
  std::vector<Item> items;
  bool negative = false;  ///< of a product: its sign
  std::bitset<256> ops;   ///< of the items
  /// Of a view that is kept: sums and products of some of its items that were asked for before.
  mutable std::vector<std::pair<std::uint32_t, const ir::Node*>> made;
  bool opens_shared = false;  ///< whether an item is inside of a node that others use too
};

/// How often a node is used; a sum is not taken apart where another node needs it anyway.
using UseCounts = ir::NodeMap<int>;

ItemView sum_view(const ir::Node* node, const UseCounts* uses, bool open_shared);
ItemView product_view(const ir::Node* node, const UseCounts* uses, bool open_shared);

/// Nodes seen as sums and products with all that is in them taken apart; each is looked at many times.
class OpenViews {
 public:
  const ItemView& sum(const ir::Node* node) { return kept(sums_, node, sum_view); }
  const ItemView& product(const ir::Node* node) { return kept(products_, node, product_view); }
  /// The same number for nodes that are the same sum of the same products, or one minus the other.
  std::uint64_t key(const ir::Node* node);

 private:
  using Places = ir::NodeMap<std::size_t>;  ///< in `views_`, from 1 on
  const ItemView& kept(Places& places, const ir::Node* node,
                       ItemView (*view)(const ir::Node*, const UseCounts*, bool)) {
    std::size_t& place = places[node];
    if (place == 0) {
      views_.push_back(view(node, nullptr, true));
      place = views_.size();
    }
    return views_[place - 1];
  }
  Places sums_, products_;
  std::deque<ItemView> views_;
  ir::NodeMap<std::uint64_t> keys_;  ///< 0: not yet known
};

/// What the letters of a pattern stand for, its reduction, and what of a sum or product is left over. It may be used
/// again, for nodes of the same graph.
struct Match {
  std::array<const ir::Node*, 26> letters{};
  std::array<const ir::Node*, 4> units{};  ///< the graph's 1 and -1 of f32 and f64, once they were needed
  OpenViews views;
  ir::Shape full_shape;              ///< what the pattern's reductions reduce
  std::vector<int> axes;             ///< along which they do
  std::vector<ItemView::Item> rest;  ///< items of the root that the pattern leaves
  bool negative = false;             ///< the root is minus what the pattern says
  const ir::Node*& operator[](char letter) { return letters[static_cast<std::size_t>(letter - 'a')]; }
  const ir::Node* operator[](char letter) const { return letters[static_cast<std::size_t>(letter - 'a')]; }
};

/// Whether `node` has the form, as a whole. New nodes that letters stand for (-x, where x is subtracted) are made in
/// `graph`.
bool match(const Form& form, const ir::Node* node, ir::Graph& graph, Match& result);

/// Whether some items of `view` have the form of a sum or product.
bool match_items(const Form& form, const ItemView& view, ir::Graph& graph, Match& result);

/// The pattern with its letters replaced; `type` is that of the whole, or where that is a truth value, of the numbers
/// in it. A number in an op has the dtype of the operand beside it.
const ir::Node* instantiate(const Pattern& pattern, const Match& match, ir::Graph& graph, const ir::Type& type);
/// The type for `instantiate` to put something in the place of this node.
ir::Type number_type(const ir::Node* node);

/// Items put together again, in their order; an empty sum is 0 and an empty product 1 of `type`.
const ir::Node* build_sum(const std::vector<ItemView::Item>& terms, ir::Graph& graph, const ir::Type& type);
const ir::Node* build_product(const std::vector<ItemView::Item>& factors, bool negative, ir::Graph& graph,
                              const ir::Type& type);

/// The axes of a tensor of this rank that are not among `axes`, and a shape without its `axes`.
std::vector<int> other_axes(std::size_t rank, const std::vector<int>& axes);
ir::Shape without(const ir::Shape& shape, const std::vector<int>& axes);

/// The pattern as it is read: "log(1 + exp(a))".
std::string to_string(const Pattern& pattern);

}  // namespace descent::passes
