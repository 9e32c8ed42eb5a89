// The rewrite rules, row by row: each holds over the real numbers, each fires, none fires where its conditions do not
// hold, and together they end.
#include "passes/rules.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "ir/expr.h"
#include "ir/formula.h"
#include "ir/interpreter.h"
#include "ir/op.h"
#include "ir/threefry.h"
#include "passes/passes.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;
using ir::Op;
using passes::Pattern;
using passes::Property;
using passes::Rule;

namespace {

const ir::Shape kFull{Dimension(3), Dimension(4)}, kReduced{Dimension(3)};

struct Table {
  const char* name;
  const std::vector<Rule>& rules;
  bool written;
};
std::vector<Table> tables() {
  return {{"normal form", passes::normal_form_rules(), true},
          {"algebra", passes::algebra_rules(), false},
          {"functions", passes::function_rules(), false},
          {"stability", passes::stability_rules(), false},
          {"lowering", passes::lowering_rules(), true}};
}

std::string text(const Rule& rule) {
  return to_string(*rule.pattern.pattern) + " -> " + to_string(*rule.replacement.pattern);
}

bool contains(const Pattern& p, Pattern::Kind kind, std::optional<Op> op = {}) {
  if (p.kind == kind && (!op || p.op == *op)) return true;
  for (const auto& operand : p.operands)
    if (contains(*operand, kind, op)) return true;
  return false;
}
constexpr std::array kReductions{Op::reduce_sum, Op::reduce_max, Op::reduce_min};
bool has_reduction(const Pattern& p) {
  return std::any_of(kReductions.begin(), kReductions.end(), [&](Op op) { return contains(p, Pattern::Kind::op, op); });
}
/// Whether a repetition stands outside of every reduction: the root then has the full shape.
bool spreads_outside(const Pattern& p) {
  if (p.kind == Pattern::Kind::spread) return true;
  if (p.kind == Pattern::Kind::op && passes::is_reduction(p.op)) return false;
  for (const auto& operand : p.operands)
    if (spreads_outside(*operand)) return true;
  return false;
}

/// Gives every letter of a pattern a node: plain inputs, or (`fitting`) expressions for which the conditions hold.
class Instance {
 public:
  Instance(const Rule& rule, bool fitting) : rule_(rule), fitting_(fitting) {
    const Pattern& p = *rule.pattern.pattern;
    root_full_ = !has_reduction(p) || spreads_outside(p);
    match_.axes = {1}, match_.full_shape = kFull;
    visit(p, root_full_, false);
    pattern = instantiate(p, match_, graph, {ir::DType::f32, shape()});
    replacement = instantiate(*rule.replacement.pattern, match_, graph, {ir::DType::f32, shape()});
  }
  const ir::Shape& shape() const { return root_full_ ? kFull : kReduced; }

  ir::Environment environment(std::uint32_t seed) const {
    ir::Environment e;
    std::uint32_t count = 0;
    for (const auto& [name, full] : inputs_) {
      ir::Tensor t{full ? std::vector<std::int64_t>{3, 4} : std::vector<std::int64_t>{3}, {}};
      for (int i = 0; i < (full ? 12 : 3); ++i) {
        const auto bits = ir::threefry2x32(seed, 7, count++, 0);
        // Small, large, zero and ones among them.
        static const double special[] = {0, 1, -1, 5, -5, 2};  // 1 - tanh(5) has 12 digits left
        const double u = 4 * static_cast<double>(ir::uniform_from_bits(bits[0])) - 2;
        t.values.push_back(bits[1] % 4 == 0 ? special[bits[1] / 4 % 6] : u);
      }
      e.tensors[name] = t;
    }
    return e;
  }

  ir::Graph graph;
  const ir::Node *pattern = nullptr, *replacement = nullptr;

 private:
  void visit(const Pattern& p, bool full, bool boolean) {
    switch (p.kind) {
      case Pattern::Kind::letter:
        if (match_[p.letter] == nullptr) match_[p.letter] = letter(p.letter, full, boolean);
        return;
      case Pattern::Kind::constant:
      case Pattern::Kind::coefficient:
        if (match_[p.letter] == nullptr)
          match_[p.letter] = graph.constant(p.letter == 'k'   ? 4
                                            : p.letter == 'l' ? -0.75
                                            : p.letter == 'm' ? 3
                                                              : 1.5,
                                            full ? kFull : kReduced);
        return;
      case Pattern::Kind::spread:
        return visit(*p.operands[0], false, false);
      case Pattern::Kind::number:
        return;
      case Pattern::Kind::op:
        break;
    }
    const bool reduces = passes::is_reduction(p.op);
    for (std::size_t i = 0; i < p.operands.size(); ++i) {
      visit(*p.operands[i], full || reduces, p.op == Op::logical_not || (p.op == Op::select && i == 0));
    }
  }

  const ir::Node* letter(char name, bool full, bool boolean) {
    const ir::Shape& shape = full ? kFull : kReduced;
    const auto input = [&](const std::string& text) {
      inputs_[text] = full;
      return Expr(graph, graph.leaf(Op::input, text, shape));
    };
    const Expr u = input(std::string(1, name));
    if (boolean) return (u < 0.25).node;
    if (!fitting_) return u.node;
    const Expr count = ir::broadcast(Expr(graph, graph.dimension(kFull[1])), shape, {});
    for (const passes::Requirement& r : rule_.when) {
      const bool first = r.first == name;
      if (!first && r.second != name) continue;
      switch (r.property) {
        case Property::positive:
        case Property::nonzero:
          return exp(u).node;
        case Property::negative:
          return (-exp(u)).node;
        case Property::nonnegative:
          return abs(u).node;
        case Property::nonpositive:
          return (-abs(u)).node;
        case Property::at_least:
        case Property::above:
          return first ? exp(u).node : (-exp(u)).node;
        case Property::counts:
          return count.node;
        case Property::repeated:
          return ir::broadcast(ir::reduce_sum(abs(u), full ? std::vector<int>{0, 1} : std::vector<int>{0}), shape, {})
              .node;
        case Property::square_of:
          return first ? (count * count).node : count.node;
        default:
          break;
      }
    }
    return u.node;
  }

  const Rule& rule_;
  bool fitting_, root_full_ = true;
  passes::Match match_;
  std::map<std::string, bool> inputs_;
};

/// Compares two nodes where the first has finite values; returns the number of values compared.
/// Tolerance: a rule's two sides differ by the rounding of a few ops in float64, 1e-11 relative to the larger of 1 and
/// the value, as some sides cancel.
int compare(const ir::Node* expected, const ir::Node* got, const ir::Environment& e) {
  const auto values = ir::interpret({expected, got}, e);
  int compared = 0;
  for (std::size_t i = 0; i < values[0].values.size(); ++i) {
    const double a = values[0].values[i], b = values[1].values[i];
    if (!std::isfinite(a) || std::fabs(a) > 1e12) continue;
    INFO("element " << i << ": " << a << " became " << b);
    CHECK(std::fabs(a - b) <= 1e-11 * std::max(1.0, std::fabs(a)));
    ++compared;
  }
  return compared;
}

}  // namespace

TEST_CASE("every_rule_holds_over_the_real_numbers") {
  for (const Table& table : tables()) {
    for (const Rule& rule : table.rules) {
      INFO(table.name << ": " << text(rule));
      const Instance instance(rule, true);
      int compared = 0;
      for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        compared += compare(instance.pattern, instance.replacement, instance.environment(seed));
      }
      CHECK(compared > 0);
    }
  }
}

TEST_CASE("exact_rules_give_the_same_float_for_infinities_and_nan_too") {
  // Bit by bit but for the sign of a zero and the payload of a NaN. Facts are of finite data (docs/numerics.md): a
  // letter that has a condition is none of infinities, and of NaN only where the row does not ask that it is a number.
  for (const Table& table : tables()) {
    for (const Rule& rule : table.rules) {
      if (rule.effect != passes::Effect::exact || has_reduction(*rule.pattern.pattern)) continue;
      INFO(table.name << ": " << text(rule));
      const Instance instance(rule, true);
      ir::Environment e = instance.environment(1);
      const auto values_of = [&](char letter) -> std::vector<double> {
        bool asked = false, number = false;
        for (const passes::Requirement& r : rule.when) {
          if (r.first != letter && r.second != letter) continue;
          asked = true, number = number || r.property == Property::number;
        }
        if (number) return {0, 1, -2.5};
        if (asked) return {0, 1, -2.5, std::nan("")};
        return {0, 1, -2.5, std::nan(""), INFINITY, -INFINITY};
      };
      for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        std::uint32_t count = 0;
        for (auto& [name, tensor] : e.tensors) {
          const std::vector<double> special = values_of(name[0]);
          for (double& v : tensor.values) v = special[ir::threefry2x32(seed, 8, count++, 0)[0] % special.size()];
        }
        const auto values = ir::interpret({instance.pattern, instance.replacement}, e);
        for (std::size_t i = 0; i < values[0].values.size(); ++i) {
          const double before = values[0].values[i], after = values[1].values[i];
          INFO("element " << i << ": " << before << " became " << after);
          CHECK((before == after || (std::isnan(before) && std::isnan(after))));
        }
      }
    }
  }
}

TEST_CASE("every_rule_matches_its_own_pattern") {
  for (const Table& table : tables()) {
    for (const Rule& rule : table.rules) {
      INFO(table.name << ": " << text(rule));
      // As a whole expression, by the prepared form; constants fold in the replacement only.
      ir::Graph graph;
      Instance instance(rule, true);
      const passes::Form form =
          table.written ? passes::written_form(*rule.pattern.pattern) : passes::flat_form(*rule.pattern.pattern);
      passes::Match match;
      if (instance.pattern->op != rule.pattern.pattern->op) continue;  // known as it stands: a * 1
      bool matches = false;
      if (form.kind == passes::Form::Kind::sum || form.kind == passes::Form::Kind::product) {
        const auto view = form.kind == passes::Form::Kind::sum ? passes::sum_view(instance.pattern, nullptr, true)
                                                               : passes::product_view(instance.pattern, nullptr, true);
        matches = passes::match_items(form, view, instance.graph, match);
      } else {
        matches = passes::match(form, instance.pattern, instance.graph, match);
      }
      REQUIRE(matches);
      passes::FactTable facts;
      CHECK(passes::holds(rule.when, match, facts));
    }
  }
}

TEST_CASE("rules_do_not_apply_where_their_conditions_do_not_hold") {
  // Letters of which nothing is known: whatever the rules make of the pattern must still be right, negative numbers,
  // zeros and ones included.
  for (const Table& table : tables()) {
    for (const Rule& rule : table.rules) {
      INFO(table.name << ": " << text(rule));
      Instance instance(rule, false);
      bool exhausted = false;
      const ir::Node* simplified = passes::simplify_nodes(instance.graph, {instance.pattern}, &exhausted)[0];
      const ir::Node* lowered = passes::lower_nodes(instance.graph, {simplified})[0];
      INFO("simplified:\n" << ir::formula(simplified));
      CHECK_FALSE(exhausted);
      for (std::uint32_t seed = 1; seed <= 10; ++seed) {
        const ir::Environment e = instance.environment(seed);
        compare(instance.pattern, simplified, e);
        compare(instance.pattern, lowered, e);
      }
    }
  }
}

TEST_CASE("rules_do_not_hide_what_leaves_the_domain_of_a_function") {
  // The root of a negative number is NaN, and stays it through every rule (docs/numerics.md): numbers of both signs,
  // none of which is 0, so that NaN has no other cause.
  for (const Table& table : tables()) {
    for (const Rule& rule : table.rules) {
      INFO(table.name << ": " << text(rule));
      Instance instance(rule, false);
      const ir::Node* simplified = passes::simplify_nodes(instance.graph, {instance.pattern})[0];
      INFO("simplified:\n" << ir::formula(simplified));
      for (std::uint32_t seed = 1; seed <= 4; ++seed) {
        ir::Environment e = instance.environment(seed);
        std::uint32_t count = 0;
        for (auto& [name, tensor] : e.tensors) {
          for (double& v : tensor.values) {
            const auto bits = ir::threefry2x32(seed, 9, count++, 0);
            v = (bits[1] % 2 == 0 ? 1 : -1) * (0.1 + 2 * static_cast<double>(ir::uniform_from_bits(bits[0])));
          }
        }
        const auto values = ir::interpret({instance.pattern, simplified}, e);
        for (std::size_t i = 0; i < values[0].values.size(); ++i) {
          if (!std::isnan(values[0].values[i])) continue;
          INFO("element " << i << ": NaN became " << values[1].values[i]);
          CHECK(std::isnan(values[1].values[i]));
        }
      }
    }
  }
}

TEST_CASE("reductions_of_nothing_do_not_see_what_there_is_none_of") {
  ir::Graph graph;
  for (const double value : {std::nan(""), 3.0}) {
    const Expr none(graph, graph.constant(value, ir::Shape{Dimension(2), Dimension(0)}));
    for (const Expr& e : {ir::reduce_sum(none, {1}), ir::reduce_max(none, {1}), ir::reduce_min(none, {1})}) {
      const ir::Node* simplified = passes::simplify_nodes(graph, {e.node})[0];
      CHECK(ir::interpret({simplified}, {})[0].values == ir::interpret({e.node}, {})[0].values);
    }
  }
}

// The negative of a letter is found in whatever form the rules have brought it.
TEST_CASE("rules_see_a_negative_written_in_another_way") {
  ir::Graph graph;
  const auto input = [&](const char* name) { return Expr(graph, graph.leaf(Op::input, name, kFull)); };
  const Expr x = input("x"), y = input("y");
  for (const Expr& a : {x, 2 * x, x * 2, x - y, 1 - x, x - 1, 2 * (x - y), -2 * (x + 1), x / 3, 2 * x / 3, x * y, x / y,
                        2 * x - 3 * y, 0.7 * (x + 0.1 * x * x * x)}) {
    const Expr hyperbolic = (exp(a) - exp(-a)) / (exp(a) + exp(-a));
    const Expr sum = y * -log(1 / (1 + exp(-a))) + (1 - y) * -log(1 - 1 / (1 + exp(-a)));
    INFO(ir::formula(a.node));
    const ir::Node* simplified = passes::simplify_nodes(graph, {hyperbolic.node})[0];
    CHECK((simplified->op == Op::tanh || simplified->operands[0]->op == Op::tanh));
    const auto cross_entropy = ir::reachable({passes::simplify_nodes(graph, {sum.node})[0]});
    CHECK(std::count_if(cross_entropy.begin(), cross_entropy.end(), [](auto* n) { return n->op == Op::softplus; }) ==
          1);
  }
}

TEST_CASE("bounded_exponentials_stay_as_they_are") {
  // What is stable already is not made longer. And of a negative number there is no logarithm to take out.
  ir::Graph graph;
  const auto input = [&](const char* name) { return Expr(graph, graph.leaf(Op::input, name, kFull)); };
  const Expr x = input("x"), y = input("y"), e = exp(-abs(x)), b = abs(y) + 1;
  const Expr sum = ir::reduce_sum(e, {1}), row = abs(Expr(graph, graph.leaf(Op::input, "row", kReduced))) + 1;
  for (const Expr& written :
       {log(0.5 * (e + b)), log((e + b) / 3), log(1 + sum), e / (e + b), ir::reduce_sum(e * y, {1}) / sum,
        log(sum * row), log(sum / row), row / sum, y / ir::broadcast(sum, kFull, {0}), log(ir::reduce_sum(e * b, {1})),
        log(ir::reduce_sum(e * b, {1}) * row), log(ir::reduce_sum(e * b, {1}) / row)}) {
    INFO(ir::formula(written.node));
    const auto count = [](const ir::Node* root, std::initializer_list<Op> ops) {
      const auto nodes = ir::reachable({root});
      return std::count_if(nodes.begin(), nodes.end(),
                           [&](auto* n) { return std::find(ops.begin(), ops.end(), n->op) != ops.end(); });
    };
    const ir::Node* simplified = passes::simplify_nodes(graph, {written.node})[0];
    CHECK(count(simplified, {Op::softplus, Op::logistic, Op::reduce_max}) == 0);
    CHECK(count(simplified, {Op::log, Op::log_plus_one}) == count(written.node, {Op::log}));
  }
  ir::Environment environment;
  environment.tensors["x"] = {{3, 4}, {0.1, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, -1}};
  environment.tensors["y"] = {{3, 4}, {4, 3, 2, 1, 0, -1, -2, -3, 0.5, 1.5, 2.5, 3.5}};
  for (const Expr& written : {log(-2 + exp(x)), log(9 - exp(x)), log(-2 + 3 * exp(x)), log(-2 + exp(x) + exp(y)),
                              log(-2 * (exp(x) - 9)), log((exp(x) - 9) / -2)}) {
    INFO(ir::formula(written.node));
    CHECK(compare(written.node, passes::simplify_nodes(graph, {written.node})[0], environment) > 0);
  }
}

TEST_CASE("what_has_a_weight_is_looked_for_where_a_weight_can_be_0") {
  // The largest exponent of all has a weight where all have: one maximum, no choices.
  ir::Graph graph;
  const auto input = [&](const char* name) { return Expr(graph, graph.leaf(Op::input, name, kFull)); };
  const Expr x = input("x"), y = input("y"), row = exp(Expr(graph, graph.leaf(Op::input, "row", kReduced)));
  const auto choices = [&](Expr weights) {
    const Expr sum = ir::reduce_sum(exp(x) * weights, {1}), all = ir::reduce_sum(exp(x), {1});
    std::vector<std::int64_t> counts;
    for (const Expr& written : {log(sum), log(sum * row), log(sum / row), log(sum / all)}) {
      const auto nodes = ir::reachable({passes::simplify_nodes(graph, {written.node})[0]});
      counts.push_back(std::count_if(nodes.begin(), nodes.end(), [](auto* n) { return n->op == Op::select; }));
    }
    return counts;
  };
  CHECK(choices(abs(y) + 1) == std::vector<std::int64_t>{0, 0, 0, 0});
  CHECK(choices(y) == std::vector<std::int64_t>{1, 1, 1, 1});
}

TEST_CASE("the_others_are_looked_for_where_there_are_others") {
  // log(1 - p) of the only class is log(0).
  ir::Graph graph;
  const ir::Shape shape{Dimension::symbol("n")};
  const Expr x(graph, graph.leaf(Op::input, "x", shape));
  const Expr p = exp(x) / ir::broadcast(ir::reduce_sum(exp(x), {0}), shape, {});
  const ir::Node* simplified = passes::simplify_nodes(graph, {log(1 - p).node})[0];
  ir::Environment e;
  e.dimensions = {{"n", 1}};
  e.tensors["x"] = {{1}, {0.5}};
  CHECK(ir::interpret({simplified}, e)[0].values[0] == -INFINITY);
}

TEST_CASE("a_logarithm_of_a_part_is_the_part_of_a_better_logarithm") {
  ir::Graph graph;
  const ir::Shape shape{Dimension(3), Dimension(4)};
  const Expr x(graph, graph.leaf(Op::input, "x", shape));
  const Expr p = logistic(x * 3), first = ir::slice(p, {0, 1}, {3, 2}, {1, 1});
  const Expr indices(graph, graph.leaf(Op::input, "i", {Dimension(2)}, ir::DType::i32));
  const auto plain = [&](Expr e) {
    const auto nodes = ir::reachable({passes::simplify_nodes(graph, {e.node})[0]});
    return std::any_of(nodes.begin(), nodes.end(),
                       [](auto* n) { return n->op == Op::log || n->op == Op::log_plus_one || n->op == Op::logistic; });
  };
  for (const Expr& e : {log(first), log(1 - first), log(-(first - 1)), log(ir::gather(p, indices, 0)),
                        log(1 - ir::gather(p, indices, 0)), log(ir::transpose(p, {1, 0})), log(ir::reverse(first, {0})),
                        log(ir::reshape(p, {Dimension(12)}))}) {
    INFO(ir::formula(e.node));
    CHECK_FALSE(plain(e));
    ir::Environment environment;
    environment.tensors["x"] = {{3, 4}, {0.1, 0.5, 1, -1.5, 2, 0.9, 1.1, -1.7, 0.4, 0.3, 0.2, -1}};
    environment.tensors["i"] = {{2}, {2, 0}};
    compare(e.node, passes::simplify_nodes(graph, {e.node})[0], environment);
  }
  // Others stay where they are: fewer logarithms.
  const Expr few = ir::slice(x * x + 1, {0, 1}, {3, 2}, {1, 1});
  CHECK(passes::simplify_nodes(graph, {log(few).node})[0]->op == Op::log);
}

TEST_CASE("a_factor_of_0_hides_its_logarithm_however_it_is_written") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(Op::input, "x", kFull)), y(graph, graph.leaf(Op::input, "y", kFull));
  ir::Environment e;
  e.tensors["x"] = {{3, 4}, std::vector<double>(12, 2)};
  e.tensors["y"] = {{3, 4}, std::vector<double>(12, 1)};
  for (const Expr& zero : {x - 2, 1 - 0.5 * x, 1 - x / 2, 1 - x * y * 0.5, y - 0.5 * x, 1 - (x - y), 1 - 0.25 * x * x,
                           1 - 0.5 * x + 0 * y, 1 + (1 - x), 1 - 2 * (x - 1.5)}) {
    INFO(ir::formula(zero.node));
    for (const Expr& hidden : {zero * log(zero), log(zero) * zero, zero * (log(zero) - y)}) {
      CHECK(ir::interpret({passes::simplify_nodes(graph, {hidden.node})[0]}, e)[0].values[0] == 0);
    }
  }
}

TEST_CASE("only_powers_of_two_have_exact_reciprocals") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(Op::input, "x", kFull));
  const auto lowered = [&](double k) { return passes::lower_nodes(graph, {(x / k).node})[0]->op; };
  CHECK(lowered(4) == Op::multiply);
  CHECK(lowered(-0.125) == Op::multiply);
  CHECK(lowered(3) == Op::divide);
  CHECK(lowered(0.1) == Op::divide);
}

TEST_CASE("rules_do_not_guard_what_cannot_be_0") {
  // 0 * log(0) is 0 by a selection, which costs something: none where the logarithm's argument is positive.
  ir::Graph graph;
  const auto input = [&](const char* name) { return Expr(graph, graph.leaf(Op::input, name, kFull)); };
  const Expr a = abs(input("x")) + 2, b = input("b");
  const Expr p = logistic(input("z")) * 0.5;
  for (const Expr e : {a * log(a), a * (log(a) - b), (1 - p) * log(1 - p), (1 - p) * (log(1 - p) - b)}) {
    const ir::Node* simplified = passes::simplify_nodes(graph, {e.node})[0];
    INFO(ir::formula(simplified));
    for (const ir::Node* node : ir::reachable({simplified})) CHECK(node->op != Op::select);
  }
}
