// Second derivatives of what a network is made of, against central differences in float64: the gradient of a gradient's
// slope along a direction, the forward derivative of a gradient (both are the Hessian times the direction), and the
// slope's gradient with respect to another tensor. As they are derived, and as all passes leave them.
//
// Tolerance: a central difference with h = 1e-5 has an error of h^2 f''' / 6 + 2^-53 f / h, below 1e-8 for the values
// here; 1e-7 relative to 1 + |derivative|. No element is within h of a kink.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "frontend/frontend.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

using namespace descent;

namespace {

constexpr double kStep = 1e-5, kTolerance = 1e-7;

struct Function {
  const char *name, *x, *w;  ///< the shapes of two tensors
  const char* value;         ///< a number made of them
};

constexpr Function functions[] = {
    {"convolution", "[2, 7, 2]", "[3, 2, 2]", "sum(tanh(einsum(\"nokc,kcf->nof\", windows(x, 1, 3), w))^2)"},
    {"convolution with stride, dilation and padding", "[2, 6, 2]", "[3, 2, 2]",
     "sum(tanh(einsum(\"nokc,kcf->nof\", windows(pad(x, 2, 1, 1), 1, 3, 2, 2), w))^2)"},
    {"convolution in two dimensions", "[1, 4, 5, 2]", "[2, 3, 2, 2]",
     "sum(sigmoid(einsum(\"nyaxbc,abcf->nyxf\", windows(windows(x, 1, 2), 3, 3), w))^2)"},
    {"maximum of windows", "[2, 6, 2]", "[6, 2]", "sum(max_pool1d(x * w, size = 3, stride = 2)^3)"},
    {"maximum of windows in two dimensions", "[1, 4, 4, 2]", "[4, 4, 2]", "sum(exp(max_pool2d(x * w)))"},
    {"mean of windows", "[2, 6, 2]", "[6, 2]", "sum(average_pool1d(x * x * w)^3)"},
    {"gather of the same rows", "[4, 3]", "[3, 3]", "sum(sin(gather(x, [2, 0, 2], 0) * w)^2)"},
    {"gather of columns", "[3, 4]", "[3, 3]", "sum(tanh(gather(x, [3, 3, 1], 1) @ w)^2)"},
    {"scatter on the same rows", "[4, 3]", "[3, 3]", "sum(exp(scatter_add([0, 2, 0, 2], tanh(x), 3) * w))"},
    {"embedding", "[5, 3]", "[3, 2]", "sum(tanh(gather(x, [4, 1, 4, 0], 0) @ w)^3)"},
    {"maximum over an axis", "[3, 4]", "[3, 4]", "sum(max(x * w, axis = 1)^3)"},
    {"minimum over two axes", "[2, 3, 2]", "[2, 3, 2]", "sum(exp(min(x * w, axis = [0, 2])))"},
    {"maximum with ties", "[3, 4]", "[3, 4]", "sum(max(concat([x * w, x * w, x * w - 9], 1), axis = 1)^3)"},
    {"maximum with ties of what is gathered", "[2, 3]", "[3]",
     "sum(exp(max(gather(x * w, [1, 0, 1, 1], 0), axis = 0)))"},
    {"maximum of two equal ones", "[3, 4]", "[3, 4]", "sum(max((x * w)^3, w^3 * x^3) * x)"},
    {"minimum of two equal ones", "[3, 4]", "[3, 4]", "sum(exp(min(x * x * w, w * x^2)))"},
    {"choice", "[3, 4]", "[3, 4]", "sum(if x > 0.1 then exp(x * w) else x^3 * w^2)"},
    {"choice within a choice", "[3, 4]", "[3, 4]",
     "sum(tanh(if x * w > 0 then (if x > 0.5 then x^2 else w * x) else x / (2 + w)))"},
    {"product of three tensors", "[3, 4]", "[4, 2]", "sum(einsum(\"ij,jk,ik->jk\", x, w, tanh(x @ w))^2)"},
    {"product over a batch", "[2, 3, 2]", "[2, 2, 3]", "sum(tanh(einsum(\"bij,bjk->bki\", x, w))^2)"},
    {"rows of products", "[3, 3]", "[3]", "sum(exp(einsum(\"ij,ij,i->i\", x @ x, x, w) * 0.5))"},
    {"outer product", "[3]", "[4]", "sum(tanh(einsum(\"i,j->ij\", x, w))^3)"},
    {"attention", "[2, 3, 2]", "[2, 4, 2]", "sum(attention(x, w, w * w)^2)"},
    {"normalised rows", "[3, 4]", "[4]",
     "sum(tanh((x - mean(x, 1, keep = true)) / sqrt(variance(x, 1, keep = true) + 0.1) * w)^2)"},
    {"cross entropy", "[3, 4]", "[4, 3]", "cross_entropy(softmax(x @ w), softmax(w[:3]))"},
    {"one less a softmax", "[3, 4]", "[3, 4]", "sum(w * log(1 - softmax(2 * x)))"},
    {"weighted sum of exponentials", "[3, 4]", "[3, 4]",
     "sum(log(sum(max(w, 0) * softmax(x * x), 1) + sum(exp(-w), 1)))"},
    {"weights of which some are 0", "[3, 4]", "[3, 4]", "sum(log(sum(max(w, 0) * exp(x * x), 1)) * x[:, 0])"},
    {"reciprocal of cosh", "[3, 4]", "[3, 4]", "sum(2 / (exp(x * w) + exp(-x * w)) * x)"},
    {"reciprocal of a sum of exponentials", "[3, 4]", "[3, 4]", "sum(1 / sum(exp(x * w), 1))"},
    {"a gated unit", "[3, 4]", "[4, 4]", "sum(((1 - sigmoid(x @ w)) * x + sigmoid(x @ w) * tanh(x @ transpose(w)))^2)"},
    {"parts put together", "[4, 3]", "[3, 3]", "sum(concat([reverse(x, 0)[1:3], transpose(w)[:2] * x[2:]], 0)^3)"},
    {"cumulative products", "[3, 4]", "[3, 4]", "sum((x[:, 1:] * x[:, :-1] + w[:, 1:])^3)"},
};

/// The tensors that a program is made of, and how its outputs change with them.
class Slopes {
 public:
  Slopes(ir::Program program, const test::Values& tensors)
      : program_(std::move(program)), runner_(test::interpreted(program_)) {
    runner_->tensors = tensors;
  }
  test::Values values() { return runner_->run("predict"); }

  /// What an output changes by when `move` adds a step, per step.
  std::vector<double> difference(const std::string& output, const std::string& tensor,
                                 const std::function<double(std::size_t)>& direction) {
    std::vector<double>& values = runner_->tensors.at(tensor);
    const std::vector<double> middle = values;
    const auto at = [&](double step) {
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = middle[i] + step * direction(i);
      return runner_->run("predict").at(output);
    };
    const std::vector<double> above = at(kStep), below = at(-kStep);
    values = middle;
    std::vector<double> slopes;
    for (std::size_t i = 0; i < above.size(); ++i) slopes.push_back((above[i] - below[i]) / (2 * kStep));
    return slopes;
  }

 private:
  ir::Program program_;
  std::unique_ptr<test::Runner> runner_;
};

void check_close(const char* what, const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO(what << "[" << i << "]: " << got[i] << ", by differences " << expected[i]);
    CHECK(std::fabs(got[i] - expected[i]) <= kTolerance * (1 + std::fabs(expected[i])));
  }
}

/// Numbers in (-1, 1), no two of them the same.
std::vector<double> numbers(const ir::Shape& shape, double phase) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < ir::element_count(shape, {}); ++i) {
    values.push_back(std::sin(1.7 * static_cast<double>(i) + phase));
  }
  return values;
}

}  // namespace

TEST_CASE("second_derivatives_agree_with_differences") {
  for (const Function& f : functions) {
    INFO(f.name << ": " << f.value);
    const std::string x = f.x, w = f.w;
    const frontend::Model model = frontend::load_model(
        "model m {\n    input x: " + x + "\n    input w: " + w + "\n    input v: " + x + "\n    output f = " + f.value +
            "\n    output slopes = grad(f, x)\n    output slope = sum(slopes * v)\n    output twice = grad(slope, x)\n"
            "    output forward = jvp(grad(f, x), x, v)\n    output by_w = grad(slope, w)\n}\n",
        "second.descent");
    test::Values tensors;
    for (const ir::Input& input : model.program->inputs) {
      tensors[input.name] = numbers(input.shape, input.name == "x" ? 0.3 : input.name == "w" ? 1.1 : 2.5);
    }
    for (const bool optimized : {false, true}) {
      INFO((optimized ? "optimized" : "as derived"));
      Slopes slopes(optimized ? passes::run_pipeline(*model.program) : passes::differentiate(*model.program), tensors);
      const test::Values got = slopes.values();
      const auto along_v = [&](std::size_t i) { return tensors.at("v")[i]; };
      check_close("slope", got.at("slope"), slopes.difference("f", "x", along_v));
      const std::vector<double> expected = slopes.difference("slopes", "x", along_v);
      check_close("grad(slope, x)", got.at("twice"), expected);
      check_close("jvp(grad(f, x), x, v)", got.at("forward"), expected);
      std::vector<double> by_w;
      for (std::size_t k = 0; k < tensors.at("w").size(); ++k) {
        by_w.push_back(slopes.difference("slope", "w", [&](std::size_t i) { return i == k ? 1.0 : 0.0; })[0]);
      }
      check_close("grad(slope, w)", got.at("by_w"), by_w);
    }
  }
}
