// Textbook forms, values and gradients, against stable closed forms for every size of their argument: by the interpreter
// in float64 after the passes, and by the generated code in float32.
//
// Tolerance in float32: 4 ULP (4 * 2^-24, doubled for the binade) of the largest of the result and `scale`, the terms
// that the formula itself adds: bce at y = 0.3 is a difference of z and 0.3 z, so its rounding is that of z. In float64:
// the same with 2^-53, times 8 for the functions of libm on both sides.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

using namespace descent;

namespace {

double sigmoid(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }
double softplus(double z) { return std::fmax(z, 0) + std::log1p(std::exp(-std::fabs(z))); }
double power(double a, double b) { return std::pow(a, b); }

/// An expression of z (and y), its value, its derivative, and the size of the terms that the value and the derivative
/// are sums of.
struct Form {
  const char* text;
  std::function<double(double z, double y)> value, derivative;
  std::function<double(double z, double y)> scale = [](double, double) { return 0.0; };
  double least = -1e4, most = 1e4;  ///< of z
};

const std::vector<Form>& forms() {
  const auto unit = [](double, double) { return 1.0; };
  const auto of_z = [](double z, double) { return std::fabs(z); };
  const auto one_or_z = [](double z, double) { return std::fmax(1, std::fabs(z)); };
  static const std::vector<Form> all = {
      {"log(sigmoid(z))", [](double z, double) { return -softplus(-z); }, [](double z, double) { return sigmoid(-z); }},
      {"log(1 - sigmoid(z))", [](double z, double) { return -softplus(z); }, [](double z, double) { return -sigmoid(z); }},
      {"log(1 + exp(z))", [](double z, double) { return softplus(z); }, [](double z, double) { return sigmoid(z); }},
      {"log(exp(z) + exp(y))", [](double z, double y) { return y + softplus(z - y); },
       [](double z, double y) { return sigmoid(z - y); }, one_or_z},
      {"exp(z) - 1", [](double z, double) { return std::expm1(z); }, [](double z, double) { return std::exp(z); },
       [](double, double) { return 0.0; }, -1e4, 88},
      {"log(1 + z)", [](double z, double) { return std::log1p(z); }, [](double z, double) { return 1 / (1 + z); },
       [](double, double) { return 0.0; }, -0.99, 1e4},
      {"sqrt(z^2)", [](double z, double) { return std::fabs(z); },
       [](double z, double) { return double((z > 0) - (z < 0)); }},
      {"1 / (1 + exp(-z))", [](double z, double) { return sigmoid(z); },
       [](double z, double) { return sigmoid(z) * sigmoid(-z); }},
      {"exp(z) / (1 + exp(z))", [](double z, double) { return sigmoid(z); },
       [](double z, double) { return sigmoid(z) * sigmoid(-z); }},
      {"1 - sigmoid(z)", [](double z, double) { return sigmoid(-z); },
       [](double z, double) { return -sigmoid(z) * sigmoid(-z); }},
      {"(exp(z) - exp(-z)) / (exp(z) + exp(-z))", [](double z, double) { return std::tanh(z); },
       [](double z, double) { return 1 / std::pow(std::cosh(std::fmin(std::fabs(z), 300)), 2); }, unit},
      {"(exp(2 * z) - 1) / (exp(2 * z) + 1)", [](double z, double) { return std::tanh(z); },
       [](double z, double) { return 1 / std::pow(std::cosh(std::fmin(std::fabs(z), 300)), 2); }, unit},
      {"2 * sigmoid(2 * z) - 1", [](double z, double) { return std::tanh(z); },
       [](double z, double) { return 1 / std::pow(std::cosh(std::fmin(std::fabs(z), 300)), 2); }, unit},
      {"z * sigmoid(z)", [](double z, double) { return z * sigmoid(z); },
       [](double z, double) { return sigmoid(z) * (1 + z * sigmoid(-z)); }, one_or_z},
      {"bce(sigmoid(z), y)", [](double z, double y) { return softplus(z) - y * z; },
       [](double z, double y) { return sigmoid(z) - y; }, one_or_z},
      {"bce(sigmoid(z), y, positive_weight = 3)",
       [](double z, double y) { return 3 * y * softplus(-z) + (1 - y) * softplus(z); },
       [](double z, double y) { return (1 - y) * sigmoid(z) - 3 * y * sigmoid(-z); }, of_z},
      {"focal(sigmoid(z), y)",
       [](double z, double y) {
         return 0.25 * y * power(sigmoid(-z), 2) * softplus(-z) + 0.75 * (1 - y) * power(sigmoid(z), 2) * softplus(z);
       },
       [](double z, double y) {
         const double p = sigmoid(z), q = sigmoid(-z);
         return -0.25 * y * q * q * (2 * p * softplus(-z) + q) + 0.75 * (1 - y) * p * p * (2 * q * softplus(z) + p);
       },
       of_z},
      // The update of a gated recurrent unit (Cho and others, 2014): between a state y and a candidate 0.5.
      {"(1 - sigmoid(z)) * y + sigmoid(z) * 0.5", [](double z, double y) { return sigmoid(-z) * y + sigmoid(z) * 0.5; },
       [](double z, double y) { return sigmoid(z) * sigmoid(-z) * (0.5 - y); }, unit},
      {"y * log(y) - y * log(sigmoid(z))",
       [](double z, double y) { return (y > 0 ? y * std::log(y) : 0) + y * softplus(-z); },
       [](double z, double y) { return -y * sigmoid(-z); }, of_z},
  };
  return all;
}

/// A model with the value of `text` and the derivative of its sum with respect to z as outputs.
ir::Program program_of(const std::string& text, const std::string& shape) {
  const std::string source = "model form {\n    input z: " + shape + "\n    input y: " + shape + "\n    output value = " +
                             text + "\n    output derivative = grad(sum(" + text + "), z)\n}\n";
  return passes::run_pipeline(*frontend::load_model(source, "form.descent").program);
}

void check(const char* what, double got, double expected, double scale, double epsilon) {
  if (std::fabs(expected) > 3.4e38) return;
  INFO(what << ": " << got << ", expected " << expected << ", off by "
            << std::fabs(got - expected) / (epsilon * std::max(std::fabs(expected), scale)) << " units");
  CHECK(std::isfinite(got));
  // Numbers below the least normal float have no relative precision.
  CHECK(std::fabs(got - expected) <= 4 * epsilon * std::max(std::fabs(expected), scale) + (epsilon > 1e-10 ? 3e-45 : 1e-310));
}

}  // namespace

TEST_CASE("textbook_forms_are_right_for_every_size_of_their_argument") {
  std::vector<double> sizes{0, 1e-30, 1e-8, 1e-4, 0.1, 0.5, 1, 2, 3.7, 5, 9, 10, 17, 20, 40, 88, 89, 104, 500, 1e3, 1e4};
  for (const Form& form : forms()) {
    std::vector<double> z, y;
    for (double size : sizes) {
      for (double sign : {-1.0, 1.0}) {
        if (sign * size < form.least || sign * size > form.most) continue;
        for (double target : {0.0, 0.3, 0.5, 1.0}) {
          z.push_back(static_cast<double>(static_cast<float>(sign * size)));
          y.push_back(static_cast<double>(static_cast<float>(target)));
        }
      }
    }
    // mean(...) of one row at a time: every entry of the prelude that ends in a mean gives its own row then.
    const bool mean = std::string(form.text).find("bce") == 0 || std::string(form.text).find("focal") == 0;
    const ir::Program program = program_of(form.text, "[n]");
    const auto exact = test::interpreted(program), single = test::compiled(program, {"predict"});
    const std::size_t count = mean ? 1 : z.size();
    for (std::size_t begin = 0; begin < z.size(); begin += count) {
      const auto from = static_cast<std::ptrdiff_t>(begin), to = static_cast<std::ptrdiff_t>(begin + count);
      for (test::Runner* runner : {exact.get(), single.get()}) {
        runner->dimensions = {{"n", static_cast<std::int64_t>(count)}};
        runner->tensors = {{"z", {z.begin() + from, z.begin() + to}}, {"y", {y.begin() + from, y.begin() + to}}};
        const bool is_exact = runner == exact.get();
        const test::Values got = runner->run("predict");
        for (std::size_t i = 0; i < count; ++i) {
          const double zi = z[begin + i], yi = y[begin + i];
          INFO("z = " << zi << ", y = " << yi << (is_exact ? ", float64" : ", float32"));
          const double epsilon = is_exact ? 0x1p-50 : 0x1p-23, scale = form.scale(zi, yi);
          const double derivative = form.derivative(zi, yi);
          check("value", got.at("value")[i], form.value(zi, yi), scale, epsilon);
          check("derivative", got.at("derivative")[i], derivative, std::min(scale, 1.0), epsilon);
        }
      }
    }
  }
}
