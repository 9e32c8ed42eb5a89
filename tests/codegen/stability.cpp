// Textbook forms, values and gradients, against stable closed forms for every size of their argument: by the
// interpreter in float64 after the passes, and by the generated code in float32.
//
// Tolerance in float32: 4 ULP (4 * 2^-24, doubled for the binade) of the largest of the result and `scale`, the terms
// that the formula itself adds: bce at y = 0.3 is a difference of z and 0.3 z, so its rounding is that of z. In
// float64: the same with 2^-53, times 8 for the functions of libm on both sides.
#include <algorithm>
#include <array>
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
using Row = std::array<double, 4>;
double power(double a, double b) { return std::pow(a, b); }

/// An expression of z (and y), its value, its derivative, and the size of the terms that the value and the derivative
/// are sums of.
struct Form {
  const char* text;
  std::function<double(double z, double y)> value, derivative;
  std::function<double(double z, double y)> scale = [](double, double) { return 0.0; };
  double least = -1e4, most = 1e4;  ///< of z
  double derivative_scale = 1;      ///< the size of the terms of the derivative, at most
};

const std::vector<Form>& forms() {
  const auto unit = [](double, double) { return 1.0; };
  const auto of_z = [](double z, double) { return std::fabs(z); };
  const auto one_or_z = [](double z, double) { return std::fmax(1, std::fabs(z)); };
  // 1 / cosh(z), which e^-z bounds.
  const auto sech = [](double z, double) { return 2 * std::exp(-std::fabs(z)) / (1 + std::exp(-2 * std::fabs(z))); };
  const auto sech_squared = [=](double z, double) { return std::pow(sech(z, 0), 2); };
  const auto sech_squared_derivative = [=](double z, double) { return -2 * sech_squared(z, 0) * std::tanh(z); };
  static const std::vector<Form> all = {
      {"2 / (exp(z) + exp(-z))", sech, [=](double z, double) { return -sech(z, 0) * std::tanh(z); }, sech},
      {"4 / (exp(z) + exp(-z))^2", sech_squared, sech_squared_derivative, sech_squared},
      {"(2 / (exp(-z) + exp(z)))^2", sech_squared, sech_squared_derivative, sech_squared},
      {"1 / ((exp(z) + exp(-z)) / 2)^2", sech_squared, sech_squared_derivative, sech_squared},
      {"log(sigmoid(z))", [](double z, double) { return -softplus(-z); }, [](double z, double) { return sigmoid(-z); }},
      {"log(1 - sigmoid(z))", [](double z, double) { return -softplus(z); },
       [](double z, double) { return -sigmoid(z); }},
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
      {"z * tanh(log(1 + exp(z)))", [](double z, double) { return z * std::tanh(softplus(z)); },
       [](double z, double) {
         const double t = std::tanh(softplus(z));
         return t + z * (1 - t * t) * sigmoid(z);
       },
       one_or_z, -1e4, 1e4, 10},  // z (1 - t^2), where 1 - t^2 is not 0
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
      // The same in other words: with signs, factors and terms inside of the functions.
      {"tanh(z / 2 - 1)", [](double z, double) { return std::tanh(z / 2 - 1); },
       [](double z, double) { return 0.5 / std::pow(std::cosh(std::fmin(std::fabs(z / 2 - 1), 300)), 2); }, one_or_z},
      {"0.5 * z * (1 + tanh(0.8 * (z + 0.045 * z^3)))",
       [](double z, double) { return z * sigmoid(1.6 * (z + 0.045 * z * z * z)); },
       [](double z, double) {
         const double u = 1.6 * (z + 0.045 * z * z * z);
         return sigmoid(u) + z * sigmoid(u) * sigmoid(-u) * 1.6 * (1 + 0.135 * z * z);
       },
       one_or_z, -1e4, 1e4, 20},
      {"bce(sigmoid(y - 2 * z), 1)", [](double z, double y) { return softplus(2 * z - y); },
       [](double z, double y) { return 2 * sigmoid(2 * z - y); }, one_or_z, -1e4, 1e4, 40},  // the rounding of y - 2 z
      {"max(z, 0) - y * z + log(1 + exp(-abs(z)))", [](double z, double y) { return softplus(z) - y * z; },
       [](double z, double y) { return sigmoid(z) - y; }, one_or_z},
      {"log(exp(z) + exp(-z)) - log(2)",
       [](double z, double) { return std::fabs(z) + softplus(-2 * std::fabs(z)) - std::log(2); },
       [](double z, double) { return std::tanh(z); }, one_or_z},
      {"log((exp(z) + exp(-z)) / 2)",
       [](double z, double) { return std::fabs(z) + softplus(-2 * std::fabs(z)) - std::log(2); },
       [](double z, double) { return std::tanh(z); }, one_or_z},
      {"log(3 + 2 * exp(z))", [](double z, double) { return std::log(3) + softplus(z + std::log(2.0 / 3)); },
       [](double z, double) { return sigmoid(z + std::log(2.0 / 3)); }, one_or_z},
      {"log(1 + exp(z) + exp(y))", [](double z, double y) { return softplus(y + softplus(z - y)); },
       [](double z, double y) { return sigmoid(y + softplus(z - y)) * sigmoid(z - y); }, one_or_z},
      {"log(exp(z) + exp(y) + exp(1))", [](double z, double y) { return 1 + softplus(y + softplus(z - y) - 1); },
       [](double z, double y) { return sigmoid(y + softplus(z - y) - 1) * sigmoid(z - y); }, one_or_z},
      {"exp(z) / (exp(z) + exp(y))", [](double z, double y) { return sigmoid(z - y); },
       [](double z, double y) { return sigmoid(z - y) * sigmoid(y - z); }, unit},
      {"exp(z) / (exp(z) + exp(y) + 2)", [](double z, double y) { return sigmoid(z - std::log(2 + std::exp(y))); },
       [](double z, double y) {
         const double d = z - std::log(2 + std::exp(y));
         return sigmoid(d) * sigmoid(-d);
       },
       unit},
      {"log(sigmoid(z) / (1 - sigmoid(z)))", [](double z, double) { return z; }, [](double, double) { return 1.0; }},
      {"log(sigmoid(z) * (1 - sigmoid(z)))", [](double z, double) { return -softplus(z) - softplus(-z); },
       [](double z, double) { return sigmoid(-z) - sigmoid(z); }, one_or_z},
      {"log((1 + tanh(z)) / 2)", [](double z, double) { return -softplus(-2 * z); },
       [](double z, double) { return 2 * sigmoid(-2 * z); }},
      {"log(0.5 - 0.5 * tanh(z))", [](double z, double) { return -softplus(2 * z); },
       [](double z, double) { return -2 * sigmoid(2 * z); }},
      {"log(1 - tanh(z)^2)", [](double z, double) { return 2 * std::log(2) - softplus(2 * z) - softplus(-2 * z); },
       [](double z, double) { return -2 * std::tanh(z); }, one_or_z},
      {"log(1 - tanh(z))", [](double z, double) { return std::log(2) - softplus(2 * z); },
       [](double z, double) { return -2 * sigmoid(2 * z); }, one_or_z},
      {"sigmoid(z)^1.5", [](double z, double) { return std::exp(-1.5 * softplus(-z)); },
       [](double z, double) { return 1.5 * std::exp(-1.5 * softplus(-z)) * sigmoid(-z); }, unit},
      {"-((1 - sigmoid(z))^y) * log(sigmoid(z))",
       [](double z, double y) { return std::exp(-y * softplus(z)) * softplus(-z); },
       [](double z, double y) { return -std::exp(-y * softplus(z)) * (sigmoid(-z) + y * sigmoid(z) * softplus(-z)); },
       of_z, -1e4, 1e4, 10},
      {"sqrt(1 + z^2) - 1", [](double z, double) { return z * z / (1 + std::sqrt(1 + z * z)); },
       [](double z, double) { return z / std::sqrt(1 + z * z); }},
      {"y * log(y / sigmoid(z)) + (1 - y) * log((1 - y) / (1 - sigmoid(z)))",
       [](double z, double y) {
         const auto of = [](double p, double q) { return p > 0 ? p * (std::log(p) + q) : 0; };
         return of(y, softplus(-z)) + of(1 - y, softplus(z));
       },
       [](double z, double y) { return sigmoid(z) - y; }, one_or_z},
      {"y * (log(y) - log(sigmoid(z))) + (1 - y) * (log(1 - y) - log(1 - sigmoid(z)))",
       [](double z, double y) {
         const auto of = [](double p, double q) { return p > 0 ? p * (std::log(p) + q) : 0; };
         return of(y, softplus(-z)) + of(1 - y, softplus(z));
       },
       [](double z, double y) { return sigmoid(z) - y; }, one_or_z},
      {"y * log(y) - y * log(sigmoid(z))",
       [](double z, double y) { return (y > 0 ? y * std::log(y) : 0) + y * softplus(-z); },
       [](double z, double y) { return -y * sigmoid(-z); }, one_or_z},
  };
  return all;
}

/// A model with the value of `text` and the derivative of its sum with respect to z as outputs.
ir::Program program_of(const std::string& text, const std::string& shape) {
  const std::string source = "model form {\n    input z: " + shape + "\n    input y: " + shape +
                             "\n    output value = " + text + "\n    output derivative = grad(sum(" + text +
                             "), z)\n}\n";
  return passes::run_pipeline(*frontend::load_model(source, "form.descent").program);
}

void check(const char* what, double got, double expected, double scale, double epsilon) {
  if (std::fabs(expected) > 3.4e38) return;
  INFO(what << ": " << got << ", expected " << expected << ", off by "
            << std::fabs(got - expected) / (epsilon * std::max(std::fabs(expected), scale)) << " units");
  CHECK(std::isfinite(got));
  // Numbers below the least normal float have no relative precision.
  CHECK(std::fabs(got - expected) <=
        4 * epsilon * std::max(std::fabs(expected), scale) + (epsilon > 1e-10 ? 3e-45 : 1e-310));
}

}  // namespace

TEST_CASE("textbook_forms_are_right_for_every_size_of_their_argument") {
  std::vector<double> sizes{0,  1e-30, 1e-8, 1e-4, 0.1, 0.5, 1,   2,   3.7, 5,  9,
                            10, 17,    20,   40,   88,  89,  104, 500, 1e3, 1e4};
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
          check("derivative", got.at("derivative")[i], derivative, std::min(scale, form.derivative_scale), epsilon);
        }
      }
    }
  }
}

namespace {

/// An expression of the rows of z and y [n, 4], one number a row; its value and its derivative.
struct RowForm {
  const char* text;
  std::function<double(const Row& z, const Row& y)> value;
  std::function<Row(const Row& z, const Row& y)> derivative;
};

double largest(const Row& z) { return *std::max_element(z.begin(), z.end()); }
double log_sum_exp(const Row& z) {
  double sum = 0;
  for (double v : z) sum += std::exp(v - largest(z));
  return largest(z) + std::log(sum);
}
double softmax(const Row& z, std::size_t i) {
  double sum = 0;
  for (double v : z) sum += std::exp(v - largest(z));
  return std::exp(z[i] - largest(z)) / sum;
}
Row each(const Row& z, const std::function<double(std::size_t)>& f) {
  Row result{};
  for (std::size_t i = 0; i < z.size(); ++i) result[i] = f(i);
  return result;
}
double sum(const Row& z) { return z[0] + z[1] + z[2] + z[3]; }
/// log(sum(y * exp(z))), for weights that are not negative.
double largest_weighted(const Row& z, const Row& y) {
  double top = -INFINITY;
  for (std::size_t i = 0; i < 4; ++i) top = y[i] > 0 ? std::max(top, z[i]) : top;
  return top;
}
double shifted_mixture(const Row& z, const Row& y) {
  double sum = 0;
  for (std::size_t i = 0; i < 4; ++i) sum += y[i] > 0 ? y[i] * std::exp(z[i] - largest_weighted(z, y)) : 0;
  return sum;
}
double log_mixture(const Row& z, const Row& y) { return largest_weighted(z, y) + std::log(shifted_mixture(z, y)); }
/// Its derivative with respect to z[j].
double share(const Row& z, const Row& y, std::size_t j) {
  return y[j] > 0 ? y[j] * std::exp(z[j] - largest_weighted(z, y)) / shifted_mixture(z, y) : 0;
}
/// The elements but one have the weight 1: log(sum of exp(z) over the others) is the mixture.
Row all_but(std::size_t k) {
  Row others{1, 1, 1, 1};
  others[k] = 0;
  return others;
}
double log_one_minus_softmax(const Row& z, std::size_t k) { return log_mixture(z, all_but(k)) - log_sum_exp(z); }
double log_one_minus_softmax_derivative(const Row& z, std::size_t k, std::size_t j) {
  return share(z, all_but(k), j) - softmax(z, j);
}

const std::vector<RowForm>& row_forms() {
  const auto cross_entropy = [](const Row& z, const Row& y) {
    double loss = 0;
    for (std::size_t i = 0; i < 4; ++i) loss += y[i] * (log_sum_exp(z) - z[i]);
    return loss;
  };
  const auto cross_entropy_derivative = [](const Row& z, const Row& y) {
    return each(z, [&](std::size_t i) { return softmax(z, i) * sum(y) - y[i]; });
  };
  const auto variance = [](const Row& z, const Row&) {
    double v = 0;
    for (double x : z) v += (x - sum(z) / 4) * (x - sum(z) / 4) / 4;
    return v;
  };
  const auto of_class_1 = [](const Row& z, const Row&) { return log_one_minus_softmax(z, 1); };
  const auto of_class_1_derivative = [](const Row& z, const Row&) {
    return each(z, [&](std::size_t j) { return log_one_minus_softmax_derivative(z, 1, j); });
  };
  const auto log_softmax_derivative = [](const Row& z, const Row&) {
    return each(z, [&](std::size_t j) { return double(j == 1) - softmax(z, j); });
  };
  static const std::vector<RowForm> all = {
      {"sum(y * log(1 - softmax(z)), 1)",
       [](const Row& z, const Row& y) {
         double s = 0;
         for (std::size_t k = 0; k < 4; ++k) s += y[k] * log_one_minus_softmax(z, k);
         return s;
       },
       [](const Row& z, const Row& y) {
         return each(z, [&](std::size_t j) {
           double s = 0;
           for (std::size_t k = 0; k < 4; ++k) s += y[k] * log_one_minus_softmax_derivative(z, k, j);
           return s;
         });
       }},
      {"log(1 - softmax(z))[:, 1]", of_class_1, of_class_1_derivative},
      {"log(1 - softmax(z)[:, 1])", of_class_1, of_class_1_derivative},
      {"log(softmax(z)[:, 1])", [](const Row& z, const Row&) { return z[1] - log_sum_exp(z); }, log_softmax_derivative},
      {"log(sum(y * softmax(z), 1))", [](const Row& z, const Row& y) { return log_mixture(z, y) - log_sum_exp(z); },
       [](const Row& z, const Row& y) {
         return each(z, [&](std::size_t j) { return share(z, y, j) - softmax(z, j); });
       }},
      {"log(sum(y * exp(z), 1))", log_mixture,
       [](const Row& z, const Row& y) { return each(z, [&](std::size_t j) { return share(z, y, j); }); }},
      {"1 / sum(exp(z), 1)", [](const Row& z, const Row&) { return std::exp(-log_sum_exp(z)); },
       [](const Row& z, const Row&) {
         return each(z, [&](std::size_t j) { return -softmax(z, j) * std::exp(-log_sum_exp(z)); });
       }},
      {"exp(z[:, 1]) / sum(exp(z), 1)", [](const Row& z, const Row&) { return softmax(z, 1); },
       [](const Row& z, const Row&) {
         return each(z, [&](std::size_t j) { return softmax(z, 1) * (double(j == 1) - softmax(z, j)); });
       }},
      {"log(sum(exp(z), 1))", [](const Row& z, const Row&) { return log_sum_exp(z); },
       [](const Row& z, const Row&) { return each(z, [&](std::size_t i) { return softmax(z, i); }); }},
      {"max(z, axis = 1) + log(sum(exp(z - max(z, axis = 1, keep = true)), 1))",
       [](const Row& z, const Row&) { return log_sum_exp(z); },
       [](const Row& z, const Row&) { return each(z, [&](std::size_t i) { return softmax(z, i); }); }},
      {"sum(softmax(z)^2, 1)",
       [](const Row& z, const Row&) {
         double s = 0;
         for (std::size_t i = 0; i < 4; ++i) s += softmax(z, i) * softmax(z, i);
         return s;
       },
       [](const Row& z, const Row&) {
         double s = 0;
         for (std::size_t i = 0; i < 4; ++i) s += softmax(z, i) * softmax(z, i);
         return each(z, [&](std::size_t i) { return 2 * softmax(z, i) * (softmax(z, i) - s); });
       }},
      {"sum(-(y * log(softmax(z))), 1)", cross_entropy, cross_entropy_derivative},
      {"-sum(y * log_softmax(z), 1)", cross_entropy, cross_entropy_derivative},
      {"-sum(y * log(exp(z - max(z, axis = 1, keep = true)) / sum(exp(z - max(z, axis = 1, keep = true)), 1, keep = "
       "true)), 1)",
       cross_entropy, cross_entropy_derivative},
      {"sum(if y > 0 then y * (log(y) - log(softmax(z))) else 0, 1)",
       [&](const Row& z, const Row& y) {
         double kl = 0;
         for (std::size_t i = 0; i < 4; ++i) kl += y[i] > 0 ? y[i] * (std::log(y[i]) + log_sum_exp(z) - z[i]) : 0;
         return kl;
       },
       cross_entropy_derivative},
      {"sum(y * (log(y) - log(softmax(z))), 1)",
       [&](const Row& z, const Row& y) {
         double kl = 0;
         for (std::size_t i = 0; i < 4; ++i) kl += y[i] > 0 ? y[i] * (std::log(y[i]) + log_sum_exp(z) - z[i]) : 0;
         return kl;
       },
       cross_entropy_derivative},
      {"sum(y * log(y / softmax(z)), 1)",
       [&](const Row& z, const Row& y) {
         double kl = 0;
         for (std::size_t i = 0; i < 4; ++i) kl += y[i] > 0 ? y[i] * (std::log(y[i]) + log_sum_exp(z) - z[i]) : 0;
         return kl;
       },
       cross_entropy_derivative},
      {"sum(-(y * log_softmax(z)), 1)", cross_entropy, cross_entropy_derivative},
      {"log(mean(exp(z), 1))", [](const Row& z, const Row&) { return log_sum_exp(z) - std::log(4); },
       [](const Row& z, const Row&) { return each(z, [&](std::size_t i) { return softmax(z, i); }); }},
      {"log(1 + sum(exp(z), 1))", [](const Row& z, const Row&) { return softplus(log_sum_exp(z)); },
       [](const Row& z, const Row&) {
         return each(z, [&](std::size_t i) { return softmax(z, i) * sigmoid(log_sum_exp(z)); });
       }},
      {"sum(exp(z) * y, 1) / sum(exp(z), 1)",
       [](const Row& z, const Row& y) {
         double s = 0;
         for (std::size_t i = 0; i < 4; ++i) s += softmax(z, i) * y[i];
         return s;
       },
       [](const Row& z, const Row& y) {
         double s = 0;
         for (std::size_t i = 0; i < 4; ++i) s += softmax(z, i) * y[i];
         return each(z, [&](std::size_t i) { return softmax(z, i) * (y[i] - s); });
       }},
      {"sqrt(sum(z^2, 1))",
       [](const Row& z, const Row&) { return std::sqrt(z[0] * z[0] + z[1] * z[1] + z[2] * z[2] + z[3] * z[3]); },
       [](const Row& z, const Row&) {
         const double norm = std::sqrt(z[0] * z[0] + z[1] * z[1] + z[2] * z[2] + z[3] * z[3]);
         return each(z, [&](std::size_t i) { return norm > 0 ? z[i] / norm : 0; });
       }},
      // The mean of the squares less the square of the mean: 10000 and 10001 have the variance of 0 and 1.
      {"sum(z^2, 1) / 4 - (sum(z, 1) / 4)^2", variance,
       [](const Row& z, const Row&) { return each(z, [&](std::size_t i) { return (z[i] - sum(z) / 4) / 2; }); }},
      {"sum(z^2, 1) / count(z, 1) - (sum(z, 1) / count(z, 1))^2", variance,
       [](const Row& z, const Row&) { return each(z, [&](std::size_t i) { return (z[i] - sum(z) / 4) / 2; }); }},
  };
  return all;
}

}  // namespace

TEST_CASE("textbook_forms_of_rows_are_right_for_every_size_of_their_elements") {
  const std::vector<Row> rows = {{0, 0, 0, 0},
                                 {1, 2, 3, 4},
                                 {-1, 0.5, 0.25, -3},
                                 {1e4, -1e4, 0, 1e4},
                                 {-1e4, -1e4, -1e4, -1e4},
                                 {88, 89, 90, 104},
                                 {1e4, 1e4 + 1, 1e4 + 2, 1e4 - 1},
                                 {-500, 500, 20, 17},
                                 {1e-8, 2e-8, -1e-8, 0}};
  const std::vector<Row> targets = {{1, 0, 0, 0}, {0, 0, 0, 1}, {0.25, 0.25, 0.25, 0.25}, {0.5, 0, 0.5, 0}};
  std::vector<double> z, y;
  for (const Row& row : rows) {
    for (const Row& target : targets) {
      for (std::size_t i = 0; i < 4; ++i) z.push_back(static_cast<float>(row[i])), y.push_back(target[i]);
    }
  }
  for (const RowForm& form : row_forms()) {
    INFO(form.text);
    const ir::Program program = program_of(form.text, "[n, 4]");
    const auto exact = test::interpreted(program), single = test::compiled(program, {"predict"});
    for (test::Runner* runner : {exact.get(), single.get()}) {
      runner->dimensions = {{"n", static_cast<std::int64_t>(z.size() / 4)}};
      runner->tensors = {{"z", z}, {"y", y}};
      const double epsilon = runner == exact.get() ? 0x1p-50 : 0x1p-23;
      const test::Values got = runner->run("predict");
      for (std::size_t i = 0; i < z.size() / 4; ++i) {
        Row zi{}, yi{};
        for (std::size_t j = 0; j < 4; ++j) zi[j] = z[4 * i + j], yi[j] = y[4 * i + j];
        INFO("z = " << zi[0] << ", " << zi[1] << ", " << zi[2] << ", " << zi[3] << "; y = " << yi[0] << ", " << yi[1]
                    << ", " << yi[2] << ", " << yi[3] << (runner == exact.get() ? ", float64" : ", float32"));
        // Exponents are rounded to the ULP of the largest element, in the reference too.
        double scale = 1;
        for (double v : zi) scale = std::max(scale, std::fabs(v));
        check("value", got.at("value")[i], form.value(zi, yi), scale, epsilon);
        const Row derivative = form.derivative(zi, yi);
        for (std::size_t j = 0; j < 4; ++j) {
          check("derivative", got.at("derivative")[4 * i + j], derivative[j], 1, epsilon);
        }
      }
    }
  }
}

// Sums of logarithms are computed as logarithms of products (codegen/reductions.cpp): neither many large factors nor
// factors next to 1 may lose anything. Tolerance: 4 ULP, and for the sum itself a rounding for each of its `count`
// summands of a lane, of which half are as large as the sum.
TEST_CASE("a_mean_loss_is_right_for_any_number_of_rows") {
  // The logits are read, or made block by block by a product of which the first factor alone is not 0.
  for (const std::string logits : {"z", "dense(z, 1)"}) {
    const std::size_t width = logits == "z" ? 1 : 4;
    const std::string source = "model m { input z: [n, " + std::to_string(width) +
                               "]  target y: [n, 1]  output p = sigmoid(" + logits + ")  loss = bce(p, y) }";
    const ir::Program program = passes::run_pipeline(*frontend::load_model(source, "loss.descent").program);
    const auto runner = test::compiled(program, {"evaluate"});
    for (const double z : {0.0, 1e-3, -1e-3, 1.0, -3.0, 15.0, -15.0, 40.0, 1e4, -1e4}) {
      for (const double y : {0.0, 1.0, 0.25}) {
        for (const std::int64_t rows : {1, 7, 64, 509, 20000}) {
          runner->dimensions = {{"n", rows}};
          const auto count = static_cast<std::size_t>(rows);
          const auto exact = static_cast<double>(static_cast<float>(z));
          std::vector<double> read(count * width, 0);
          for (std::size_t i = 0; i < count; ++i) read[i * width] = exact;
          runner->tensors = {{"z", read}, {"y", std::vector<double>(count, y)}};
          if (width > 1) runner->tensors["dense.0.w"] = {1, 0, 0, 0};
          const double expected = softplus(exact) - y * exact, scale = std::max(expected, std::fabs(y * exact));
          const double lanes = static_cast<double>(rows) / 8;
          INFO("z = " << z << ", y = " << y << ", " << rows << " rows, logits " << logits);
          CHECK(std::fabs(runner->run("evaluate").at("loss")[0] - expected) <= (8 + lanes / 2) * 0x1p-24 * scale);
        }
      }
    }
  }
}
