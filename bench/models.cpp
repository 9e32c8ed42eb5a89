#include "bench/models.h"

#include <fmt/format.h>

#include <cmath>
#include <random>

namespace descent::bench {
namespace {

std::string source_text(const std::vector<std::int64_t>& widths, std::int64_t batch, const std::string& optimizer,
                        const std::string& activation) {
  std::string layers;
  for (std::size_t i = 1; i + 1 < widths.size(); ++i)
    layers += fmt::format("dense({}) |> {} |> ", widths[i], activation);
  return fmt::format(
      "model benchmark {{\n"
      "    input  x: [n, {}]\n"
      "    target y: [n, 1]\n"
      "    output p = x |> {}dense(1) |> sigmoid\n"
      "    loss = bce(p, y)\n"
      "}}\n"
      "train {{\n"
      "    optimizer = {}\n"
      "    batch     = {}\n"
      "}}\n",
      widths.front(), layers, optimizer, batch);
}

}  // namespace

Model make_model(std::string name, std::vector<std::int64_t> widths, std::int64_t batch, Optimizer optimizer,
                 Activation activation) {
  const bool adam = optimizer == Optimizer::adam;
  std::string source = source_text(widths, batch, adam ? "adam(lr = 1e-3)" : "sgd(lr = 0.01)",
                                   activation == Activation::relu ? "relu" : "tanh");
  return {std::move(name), std::move(widths), batch, optimizer, activation, adam ? 1e-3F : 1e-2F, std::move(source)};
}

namespace {

/// 64 layers of 64 units and a last one.
std::vector<std::int64_t> deep_widths() {
  std::vector<std::int64_t> widths(65, 64);
  widths.push_back(1);
  return widths;
}

/// Uniform in (-1, 1). The engine's numbers are fixed by the standard, those of the library's distributions are not.
float uniform(std::mt19937& engine) { return (static_cast<float>(engine() >> 8U) + 0.5F) * 0x1p-23F - 1.0F; }

}  // namespace

const std::vector<Model>& models() {
  static const std::vector<Model> all = {
      make_model("logistic", {30, 1}, 569, Optimizer::sgd),
      make_model("tiny", {30, 16, 1}, 32, Optimizer::sgd),
      make_model("small", {30, 64, 32, 1}, 64, Optimizer::adam),
      make_model("medium", {784, 256, 128, 1}, 128, Optimizer::adam),
      make_model("deep", deep_widths(), 64, Optimizer::sgd),
      make_model("large", {1024, 1024, 1024, 1}, 256, Optimizer::adam),
      make_model("xl", {4096, 4096, 4096, 1}, 1024, Optimizer::sgd),
  };
  return all;
}

std::int64_t parameter_count(const Model& model) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i + 1 < model.widths.size(); ++i) count += (model.widths[i] + 1) * model.widths[i + 1];
  return count;
}

double step_flops(const Model& model) {
  double flops = 0;
  for (std::size_t i = 0; i + 1 < model.widths.size(); ++i) {
    const double multiply_adds = static_cast<double>(model.batch * model.widths[i] * model.widths[i + 1]);
    flops += 2 * multiply_adds * (i == 0 ? 2 : 3);
  }
  return flops;
}

std::vector<float> initial_parameters(const Model& model) {
  std::mt19937 engine(1);
  std::vector<float> parameters;
  for (std::size_t i = 0; i + 1 < model.widths.size(); ++i) {
    const std::int64_t inputs = model.widths[i];
    const std::int64_t units = model.widths[i + 1];
    const float limit = std::sqrt(6.0F / static_cast<float>(inputs + units));
    for (std::int64_t k = 0; k < inputs * units; ++k) parameters.push_back(limit * uniform(engine));
    parameters.insert(parameters.end(), static_cast<std::size_t>(units), 0.0F);
  }
  return parameters;
}

std::vector<Batch> batches(const Model& model, int count) {
  std::mt19937 engine(2);
  std::vector<float> rule(static_cast<std::size_t>(model.widths.front()));
  for (float& w : rule) w = uniform(engine);
  std::vector<Batch> result;
  for (int b = 0; b < count; ++b) {
    Batch batch;
    for (std::int64_t row = 0; row < model.batch; ++row) {
      float score = 0;
      for (const float w : rule) {
        batch.x.push_back(1.7F * uniform(engine));  // variance about 1, as of standardised data
        score += w * batch.x.back();
      }
      const bool flipped = engine() % 10 == 0;
      batch.y.push_back((score > 0) != flipped ? 1.0F : 0.0F);
    }
    result.push_back(std::move(batch));
  }
  return result;
}

}  // namespace descent::bench
