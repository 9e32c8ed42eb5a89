// The training step by hand, with plain loops that the compiler vectorises.
#include "bench/by_hand.h"

namespace descent::bench {
namespace {

struct LoopContractions {
  static void forward(const float* __restrict a, const float* __restrict w, float* __restrict z, Index rows,
                      Index inputs, Index units) {
    for (Index r = 0; r < rows; ++r, a += inputs, z += units) {
      for (Index j = 0; j < units; ++j) z[j] = 0;
      for (Index k = 0; k < inputs; ++k)
        for (Index j = 0; j < units; ++j) z[j] += a[k] * w[k * units + j];
    }
  }

  static void gradient(const float* __restrict a, const float* __restrict d, float* __restrict w, Index rows,
                       Index inputs, Index units, float alpha, float beta) {
    for (Index i = 0; i < inputs * units; ++i) w[i] *= beta;
    for (Index r = 0; r < rows; ++r, a += inputs, d += units)
      for (Index k = 0; k < inputs; ++k)
        for (Index j = 0; j < units; ++j) w[k * units + j] += alpha * a[k] * d[j];
  }

  static void backward(const float* __restrict d, const float* __restrict w, float* __restrict da, Index rows,
                       Index inputs, Index units) {
    for (Index r = 0; r < rows; ++r, d += units, da += inputs)
      for (Index k = 0; k < inputs; ++k) {
        float sum = 0;
        for (Index j = 0; j < units; ++j) sum += d[j] * w[k * units + j];
        da[k] = sum;
      }
  }
};

}  // namespace

std::unique_ptr<TrainingStep> make_loops_step(const Model& model, std::span<const float> parameters) {
  return std::make_unique<ByHand<LoopContractions>>(model, parameters);
}

}  // namespace descent::bench
