// The training step by hand, with Eigen's products.
#include <Eigen/Core>

#include "bench/by_hand.h"

namespace descent::bench {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Matrix>;
using Map = Eigen::Map<Matrix>;
using ConstVector = Eigen::Map<const Eigen::VectorXf>;
using Vector = Eigen::Map<Eigen::VectorXf>;

// Told that a factor is a vector, Eigen takes its matrix-vector code, which is several times faster there.
struct EigenContractions {
  static void forward(const float* a, const float* w, float* z, Index rows, Index inputs, Index units) {
    const ConstMap activations(a, rows, inputs);
    if (units == 1) {
      Vector(z, rows).noalias() = activations * ConstVector(w, inputs);
    } else {
      Map(z, rows, units).noalias() = activations * ConstMap(w, inputs, units);
    }
  }

  static void gradient(const float* a, const float* d, float* w, Index rows, Index inputs, Index units, float alpha,
                       float beta) {
    const ConstMap activations(a, rows, inputs);
    if (units == 1) {
      Vector weights(w, inputs);
      const auto product = activations.transpose() * ConstVector(d, rows);
      if (beta == 0) {
        weights.noalias() = product;  // alpha is 1
      } else {
        weights.noalias() += alpha * product;
      }
    } else {
      Map weights(w, inputs, units);
      const auto product = activations.transpose() * ConstMap(d, rows, units);
      if (beta == 0) {
        weights.noalias() = product;
      } else {
        weights.noalias() += alpha * product;
      }
    }
  }

  static void backward(const float* d, const float* w, float* da, Index rows, Index inputs, Index units) {
    Map(da, rows, inputs).noalias() = ConstMap(d, rows, units) * ConstMap(w, inputs, units).transpose();
  }
};

}  // namespace

std::unique_ptr<TrainingStep> make_eigen_step(const Model& model, std::span<const float> parameters) {
  Eigen::setNbThreads(1);  // OpenMP, which oneDNN needs, would have it use all
  return std::make_unique<ByHand<EigenContractions>>(model, parameters);
}

}  // namespace descent::bench
