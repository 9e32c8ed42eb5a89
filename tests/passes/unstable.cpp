// Facts, and the warnings that rest on them: stable forms are silent, what remains unstable is named.
#include <catch2/catch.hpp>

#include "frontend/frontend.h"
#include "ir/expr.h"
#include "passes/facts.h"
#include "passes/passes.h"
#include "passes/unstable.h"

using namespace descent;
using ir::Expr;
using ir::Op;

namespace {

std::vector<passes::Unstable> warnings(const std::string& expression) {
  const std::string source =
      "model m {\n    input x: [n, 4]\n    target y: [n, 4]\n    param w: [4, 4] = glorot_uniform\n    let z = x @ w\n"
      "    output p = " +
      expression + "\n}\n";
  return passes::find_unstable(passes::run_pipeline(*frontend::load_model(source, "m.descent").program));
}

}  // namespace

TEST_CASE("what_remains_unstable_is_named") {
  const auto one = [](const std::string& expression) {
    const auto found = warnings(expression);
    INFO(expression);
    REQUIRE(found.size() == 1);
    CHECK(found[0].place == "p");
    return found[0].what + ": " + found[0].reason;
  };
  CHECK(one("log(max(z, 0))") == "log(max(x @ w, 0)): the argument can be 0, and log(0) is -inf");
  CHECK(one("log(z)") == "log(x @ w): the argument can be 0 or negative, where log is -inf or NaN");
  CHECK(one("bce(max(min(z, 1), 0.1), y)") ==
        "log1p(-max(min(x @ w, 1), 0.1)): the argument can be -1 or less, where log1p is -inf or NaN");
  CHECK(one("z / sum(z)") == "x @ w / sum(x @ w): the divisor can be 0");
  CHECK(one("z / sum(exp(min(z, 1)) - 0.5, 1, keep = true)") ==
        "x @ w / sum(exp(min(x @ w, 1)) + -0.5, 1): the divisor can be 0");
  CHECK(one("exp(z)") == "exp(x @ w): e^x is infinite in float32 where x > 88.7");
  CHECK(one("sqrt(z)") == "sqrt(x @ w): the argument can be negative, where sqrt is NaN");
  // A condition that says too little, of something else, or of one use of two.
  CHECK(one("if z > 0 then exp(z) else z") == "exp(x @ w): e^x is infinite in float32 where x > 88.7");
  CHECK(one("if z > 100 then z else exp(z)") == "exp(x @ w): e^x is infinite in float32 where x > 88.7");
  CHECK(one("if z >= 0 then log(z) else z") ==
        "log(x @ w): the argument can be 0 or negative, where log is -inf or NaN");
  CHECK(one("if y > 0 then z else exp(z)") == "exp(x @ w): e^x is infinite in float32 where x > 88.7");
  CHECK(one("(if z > 0 then z else exp(z)) + 0.1 * exp(z)") == "exp(x @ w): e^x is infinite in float32 where x > 88.7");
  // Weights of which nothing is known, and ones that are as they should be (below).
  CHECK(one("log(sum(z * softmax(z), 1))") ==
        "log(sum(exp(min(... - ..., 0.5)) * (x @ w), 1)): the argument can be 0 or negative, where log is -inf or NaN");
  CHECK(
      one("log(sum(y * softmax(z)))") ==
      "log(sum(y * exp(... - ...) / sum(exp(... - ...), 1))): the argument can be 0 or negative, where log is -inf or "
      "NaN");
  CHECK(one("1 / sum(exp(z), 1)") == "exp(-max(x @ w, 1)): e^x is infinite in float32 where x > 88.7");
  CHECK(one("z^0.3") == "power(x @ w, 0.3): the base can be negative, where a power that is not whole is NaN");
}

TEST_CASE("stable_forms_are_silent") {
  for (const char* expression :
       {"log(sigmoid(z))", "log(1 - sigmoid(z))", "bce(sigmoid(z), y)", "log(1 + exp(z))", "softmax(z)",
        "log(softmax(z))", "cross_entropy(softmax(z), y)", "tanh(z)", "log(sum(exp(z), 1))", "sqrt(sum(z^2))",
        "focal(sigmoid(z), y)", "z / (sqrt(sum(z^2)) + 1e-6)", "log(max(z, 1e-7))", "exp(min(z, 80))",
        "z / (1 + abs(z))", "log(x)", "z / y", "z / (if z > 0.5 then z else 1)", "elu(z)", "mish(z)", "exp(-z^2)",
        "sqrt(mean(z^2) - 0.0 * mean(z))", "mean(z) / count(z)", "log(1.5 + cos(z))", "sigmoid(z)^0.3",
        // What is needed only where a condition holds is judged there.
        "if z > 0 then z else exp(z) - 1", "if z <= 0 then exp(z) else 1 + z",
        "if abs(z) < 10 then exp(abs(z)) else exp(-abs(z))", "if z > 0.5 then log(z) + 1 / z + sqrt(z) else z",
        "if z < 1 then z else if z < 5 then exp(z) else 2 * log(z)",
        // Targets and inputs are as they should be.
        "sum(y * log(y / softmax(z)), 1)", "y * log(y / sigmoid(z)) + (1 - y) * log((1 - y) / (1 - sigmoid(z)))",
        "log(1 - y)", "sum(softmax(z) * log(softmax(z) / softmax(y)), 1)", "tanh(2 * z - 1)",
        "0.5 * z * (1 + tanh(0.8 * (z + 0.045 * z^3)))", "log((exp(z) + exp(-z)) / 2)", "log(mean(exp(z), 1))",
        "log(exp(z) + exp(y) + exp(1))", "log(1 - tanh(z)^2)", "exp(z) / (exp(z) + exp(y))",
        "log(sigmoid(z) / (1 - sigmoid(z)))", "log(1 - softmax(z))", "log(1 - softmax(z))[:, 1]",
        "log(1 - softmax(z)[:, 1])", "log(softmax(z)[:, 1])", "log(1 - sigmoid(z)[:, 1])",
        "log(sum(y * softmax(z), 1))", "log(sum(y * exp(z), 1))", "1 / (exp(z) + exp(-z))", "4 / (exp(z) + exp(-z))^2",
        "if z < 0 then exp(z) else exp(-z)"}) {
    INFO(expression);
    const auto found = warnings(expression);
    CHECK(found.empty());
    for (const auto& f : found) UNSCOPED_INFO(f.what << ": " << f.reason);
  }
}

TEST_CASE("states_that_stay_positive_are_known") {
  const auto count = [](const std::string& update) {
    const std::string source =
        "layer normalised(x) {\n    state v: [4] = ones\n    v <- " + update +
        "\n    return x / sqrt(v + 1e-5)\n}\nmodel m {\n    input x: [n, 4]\n    target y: [n, 4]\n"
        "    output p = dense(normalised(x), 4)\n    loss = mse(p, y)\n}\ntrain { optimizer = sgd(lr = 0.1) }\n";
    return passes::find_unstable(passes::run_pipeline(*frontend::load_model(source, "m.descent").program)).size();
  };
  CHECK(count("0.9 * v + 0.1 * mean(x^2, 0)") == 0);
  CHECK(count("0.9 * v + 0.1 * mean(x, 0)") == 2);  // may become negative: the root and the division
}

TEST_CASE("facts_are_intervals") {
  ir::Graph graph;
  const ir::Shape shape{ir::Dimension::symbol("n"), ir::Dimension(4)};
  const Expr x(graph, graph.leaf(Op::input, "x", shape));
  passes::FactTable real, single(passes::FactTable::Arithmetic::float32);
  const auto of = [&](Expr e) { return real.of(e.node); };
  CHECK(of(exp(x)).positive());
  CHECK_FALSE(single.of(exp(x).node).positive());
  CHECK(single.of((exp(x) + 1.0).node).positive());
  CHECK(of(logistic(x)) == passes::Facts{0, 1, true, true, false, passes::Defined::finite});
  CHECK(single.of(logistic(x).node) == passes::Facts{0, 1, false, false, false, passes::Defined::finite});
  CHECK(of(x * x).nonnegative());
  CHECK_FALSE(of(x * x).positive());
  CHECK(of(max(x, ir::like(x, 2))).low == 2);
  CHECK(of(min(x, ir::like(x, 2)) - 3.0).high == -1);
  CHECK(of(1.0 / (x * x + 1.0)) == passes::Facts{0, 1, true, false, false, passes::Defined::finite});
  CHECK(of(-logistic(x)).negative());
  CHECK(of(ir::reduce_sum(exp(x), {0, 1})).positive());
  CHECK(of(ir::reduce_sum(logistic(x), {1})) == passes::Facts{0, 4, true, true, false, passes::Defined::finite});
  CHECK(of(select(x > 0.0, x, 1.0)).positive());
  // The end that a condition gives is open where the condition says so, not where the end before it was.
  CHECK(of(select(tanh(x) < 0.0, -tanh(x), tanh(x))) ==
        passes::Facts{0, 1, false, true, false, passes::Defined::finite});
  CHECK(of(select(tanh(x) >= 0.0, ir::like(x, 1), tanh(x))) ==
        passes::Facts{-1, 1, true, false, false, passes::Defined::finite});
  CHECK(of(select(tanh(x) <= 0.0, tanh(x), -0.5)) == passes::Facts{-1, 0, true, false, false, passes::Defined::finite});
  CHECK(of(ir::convert(x < 0.0, ir::DType::f32)) == passes::Facts{0, 1, false, false, true, passes::Defined::finite});
  CHECK(of(sign(x) * 3.0 + 1.0).whole);
  CHECK_FALSE(of(x).whole);
  CHECK_FALSE(of(x / x).nonzero());
  // x - max(x) is at most 0, and the sum of its exponentials at least 1.
  const Expr shifted = x - ir::broadcast(ir::reduce_max(x, {1}), shape, {0});
  CHECK(of(shifted).nonpositive());
  CHECK(single.of(ir::reduce_sum(exp(shifted), {1}).node).low == 1);
  CHECK_FALSE(single.of(ir::reduce_sum(exp(shifted), {0}).node).low == 1);
}
