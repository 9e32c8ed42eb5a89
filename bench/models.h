// The models whose training step is measured, the data they see, and the parameters they start from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace descent::bench {

enum class Optimizer { sgd, adam };
enum class Activation { relu, tanh };

/// A multi-layer perceptron for binary classification: dense layers with an activation between them, then sigmoid and
/// BCE.
struct Model {
  std::string name;
  std::vector<std::int64_t> widths;  ///< of the input, of each hidden layer, and 1
  std::int64_t batch = 0;
  Optimizer optimizer = Optimizer::sgd;
  Activation activation = Activation::relu;
  float learning_rate = 0;
  std::string source;  ///< the same model in Descent's language
};

/// A network of dense layers with these widths, the first of which is the input's.
Model make_model(std::string name, std::vector<std::int64_t> widths, std::int64_t batch, Optimizer optimizer,
                 Activation activation = Activation::relu);
/// All models, from the smallest to the largest. The last one, xl, takes seconds a step.
const std::vector<Model>& models();

/// Number of floats of all weights and biases.
std::int64_t parameter_count(const Model& model);

/// Floating-point operations of the contractions of one step, 2 per multiply-add: forward and gradient of the weights
/// for every layer, gradient of the input for every layer but the first.
double step_flops(const Model& model);

/// Weights and biases in the order w0, b0, w1, b1, ...; weights [inputs, units] row by row, Glorot uniform; biases
/// zero.
std::vector<float> initial_parameters(const Model& model);

/// One batch: x is [batch, inputs] row by row, y is [batch] of 0 and 1.
struct Batch {
  std::vector<float> x;
  std::vector<float> y;
};

/// Batches whose labels follow a random linear rule, one in ten turned over so that the loss does not vanish.
std::vector<Batch> batches(const Model& model, int count);

}  // namespace descent::bench
