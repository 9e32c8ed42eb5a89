// The training step by hand, with OpenBLAS's products.
#include <cblas.h>

#include "bench/by_hand.h"

namespace descent::bench {
namespace {

struct OpenBlasContractions {
  static void forward(const float* a, const float* w, float* z, Index rows, Index inputs, Index units) {
    const auto [m, k, n] = sizes(rows, inputs, units);
    if (units == 1) {
      cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1.0F, a, k, w, 1, 0.0F, z, 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0F, a, k, w, n, 0.0F, z, n);
    }
  }

  static void gradient(const float* a, const float* d, float* w, Index rows, Index inputs, Index units, float alpha,
                       float beta) {
    const auto [m, k, n] = sizes(rows, inputs, units);
    if (units == 1) {
      cblas_sgemv(CblasRowMajor, CblasTrans, m, k, alpha, a, k, d, 1, beta, w, 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, n, m, alpha, a, k, d, n, beta, w, n);
    }
  }

  static void backward(const float* d, const float* w, float* da, Index rows, Index inputs, Index units) {
    const auto [m, k, n] = sizes(rows, inputs, units);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, k, n, 1.0F, d, n, w, n, 0.0F, da, k);
  }

 private:
  struct Sizes {
    blasint m, k, n;
  };
  static Sizes sizes(Index rows, Index inputs, Index units) {
    return {static_cast<blasint>(rows), static_cast<blasint>(inputs), static_cast<blasint>(units)};
  }
};

}  // namespace

std::unique_ptr<TrainingStep> make_openblas_step(const Model& model, std::span<const float> parameters) {
  openblas_set_num_threads(1);
  return std::make_unique<ByHand<OpenBlasContractions>>(model, parameters);
}

}  // namespace descent::bench
