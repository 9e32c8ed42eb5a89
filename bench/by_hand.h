// The training step as one writes it by hand for speed: nothing is allocated, element by element work is fused into the
// fewest passes, the last layer (one unit) is vectors instead of matrices, SGD is folded into the gradient's
// contraction, and Adam is one pass over a layer's parameters while their gradient is still in the cache. The
// contractions, the greater part of the work, are the library's:
//
//   struct Contractions {                                        all matrices row by row
//     // z[rows, units] = a[rows, inputs] @ w[inputs, units]
//     static void forward(const float* a, const float* w, float* z, rows, inputs, units);
//     // w[inputs, units] = beta * w + alpha * transpose(a)[inputs, rows] @ d[rows, units];  beta is 0 or 1
//     static void gradient(const float* a, const float* d, float* w, rows, inputs, units, float alpha, float beta);
//     // da[rows, inputs] = d[rows, units] @ transpose(w)[units, inputs]
//     static void backward(const float* d, const float* w, float* da, rows, inputs, units);
//   };
//
// Files that include this are compiled with -O3 -march=native -ffast-math, which vectorises the loops below, exp and
// log too.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "bench/training_step.h"

namespace descent::bench {
namespace {  // each including file has its own copy, compiled with its own flags

using Index = std::int64_t;

// The activations: their value, and from that value the factor by which an adjoint goes back through them.
struct Relu {
  static float value(float z) { return std::max(z, 0.0F); }
  static float back(float a, float adjoint) { return a > 0 ? adjoint : 0.0F; }
};
struct Tanh {
  static float value(float z) { return std::tanh(z); }
  static float back(float a, float adjoint) { return adjoint * (1.0F - a * a); }
};

/// a = activation(z + b) in place.
template <class Function>
void add_bias_activate(float* __restrict a, const float* __restrict bias, Index rows, Index units) {
  for (Index r = 0; r < rows; ++r, a += units)
    for (Index j = 0; j < units; ++j) a[j] = Function::value(a[j] + bias[j]);
}

/// From logits z (bias not yet added) the mean of the stable BCE; z becomes its gradient (sigmoid(z) - y) / rows.
inline float loss_and_gradient(float* __restrict z, float bias, const float* __restrict y, Index rows) {
  const float scale = 1.0F / static_cast<float>(rows);
  float loss = 0;
  for (Index r = 0; r < rows; ++r) {
    const float logit = z[r] + bias;
    const float e = std::exp(-std::abs(logit));
    loss += std::max(logit, 0.0F) - logit * y[r] + std::log(1.0F + e);
    z[r] = ((logit >= 0 ? 1.0F : e) / (1.0F + e) - y[r]) * scale;
  }
  return loss * scale;
}

/// d[rows, units] = outer(dz, w) through the activation: the gradient of the last layer's input, and of what was before
/// the activation.
template <class Function>
void outer_through(const float* __restrict dz, const float* __restrict w, const float* __restrict a,
                   float* __restrict d, Index rows, Index units) {
  for (Index r = 0; r < rows; ++r, a += units, d += units)
    for (Index j = 0; j < units; ++j) d[j] = Function::back(a[j], dz[r] * w[j]);
}

template <class Function>
void through(const float* __restrict a, float* __restrict d, Index count) {
  for (Index i = 0; i < count; ++i) d[i] = Function::back(a[i], d[i]);
}

/// b = beta * b + alpha * (sum of the rows of d).
inline void gradient_of_bias(const float* __restrict d, float* __restrict b, Index rows, Index units, float alpha,
                             float beta) {
  for (Index j = 0; j < units; ++j) b[j] *= beta;
  for (Index r = 0; r < rows; ++r, d += units)
    for (Index j = 0; j < units; ++j) b[j] += alpha * d[j];
}

inline void adam(float* __restrict w, const float* __restrict g, float* __restrict m, float* __restrict v, Index count,
                 float learning_rate, Index step) {
  constexpr float beta1 = 0.9F;
  constexpr float beta2 = 0.999F;
  constexpr float eps = 1e-8F;
  const float correct1 = learning_rate / (1.0F - std::pow(beta1, static_cast<float>(step)));
  const float correct2 = 1.0F / (1.0F - std::pow(beta2, static_cast<float>(step)));
  for (Index i = 0; i < count; ++i) {
    m[i] = beta1 * m[i] + (1.0F - beta1) * g[i];
    v[i] = beta2 * v[i] + (1.0F - beta2) * g[i] * g[i];
    w[i] -= correct1 * m[i] / (std::sqrt(v[i] * correct2) + eps);
  }
}

template <class Contractions>
class ByHand : public TrainingStep {
 public:
  ByHand(const Model& model, std::span<const float> initial)
      : model_(model), parameters_(initial.begin(), initial.end()) {
    Index offset = 0;
    Index largest = 0;
    for (std::size_t i = 0; i + 1 < model.widths.size(); ++i) {
      layers_.push_back({model.widths[i], model.widths[i + 1], offset});
      offset += layers_.back().size();
      const auto size = static_cast<std::size_t>(model.batch * model.widths[i + 1]);
      activations_.emplace_back(size);
      adjoints_.emplace_back(size);
      largest = std::max(largest, layers_.back().size());
    }
    if (model.optimizer == Optimizer::adam) {
      gradient_.resize(static_cast<std::size_t>(largest));
      first_moment_.resize(parameters_.size());
      second_moment_.resize(parameters_.size());
    }
  }

  float step(const float* x, const float* y) override {
    return model_.activation == Activation::relu ? step_with<Relu>(x, y) : step_with<Tanh>(x, y);
  }

 private:
  template <class Function>
  float step_with(const float* x, const float* y) {
    const Index rows = model_.batch;
    const bool sgd = model_.optimizer == Optimizer::sgd;
    const std::size_t last = layers_.size() - 1;
    for (std::size_t i = 0; i <= last; ++i) {
      const Layer& layer = layers_[i];
      const float* w = parameters_.data() + layer.offset;
      Contractions::forward(input(i, x), w, activations_[i].data(), rows, layer.inputs, layer.units);
      if (i < last)
        add_bias_activate<Function>(activations_[i].data(), w + layer.inputs * layer.units, rows, layer.units);
    }
    float* dz = activations_[last].data();
    const float loss = loss_and_gradient(dz, parameters_.back(), y, rows);
    ++step_;

    // SGD subtracts the gradient where it is made; the gradient of the layer's input is taken before its weights
    // change.
    const float alpha = sgd ? -model_.learning_rate : 1.0F;
    const float beta = sgd ? 1.0F : 0.0F;
    for (std::size_t i = last + 1; i-- > 0;) {
      const Layer& layer = layers_[i];
      const float* d = i == last ? dz : adjoints_[i].data();
      float* w = parameters_.data() + layer.offset;
      if (i == last && i > 0) {
        outer_through<Function>(d, w, activations_[i - 1].data(), adjoints_[i - 1].data(), rows, layer.inputs);
      } else if (i > 0) {
        Contractions::backward(d, w, adjoints_[i - 1].data(), rows, layer.inputs, layer.units);
        through<Function>(activations_[i - 1].data(), adjoints_[i - 1].data(), rows * layer.inputs);
      }
      float* dw = sgd ? w : gradient_.data();
      Contractions::gradient(input(i, x), d, dw, rows, layer.inputs, layer.units, alpha, beta);
      gradient_of_bias(d, dw + layer.inputs * layer.units, rows, layer.units, alpha, beta);
      if (!sgd) {
        adam(w, dw, first_moment_.data() + layer.offset, second_moment_.data() + layer.offset, layer.size(),
             model_.learning_rate, step_);
      }
    }
    return loss;
  }

  struct Layer {
    Index inputs;
    Index units;
    Index offset;  ///< of its weights in the parameters; its bias follows them
    Index size() const { return (inputs + 1) * units; }
  };

  const float* input(std::size_t layer, const float* x) const {
    return layer == 0 ? x : activations_[layer - 1].data();
  }

  Model model_;
  std::vector<float> parameters_;
  std::vector<Layer> layers_;
  std::vector<std::vector<float>>
      activations_;  ///< of each layer, after the activation; logits, then their gradient, for the last
  std::vector<std::vector<float>> adjoints_;  ///< of each layer's pre-activation
  std::vector<float> gradient_;               ///< of one layer's parameters at a time, for Adam
  std::vector<float> first_moment_;
  std::vector<float> second_moment_;
  Index step_ = 0;
};

}  // namespace
}  // namespace descent::bench
