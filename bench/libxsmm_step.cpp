// The training step by hand, with LIBXSMM's products: code made for small sizes, OpenBLAS for what it leaves to a BLAS.
// Its matrices lie column by column, so that each product is asked for transposed.
#include <libxsmm.h>

#include "bench/by_hand.h"

namespace descent::bench {
namespace {

struct LibxsmmContractions {
  static void forward(const float* a, const float* w, float* z, Index rows, Index inputs, Index units) {
    product('N', 'N', units, rows, inputs, 1.0F, w, units, a, inputs, 0.0F, z, units);
  }
  static void gradient(const float* a, const float* d, float* w, Index rows, Index inputs, Index units, float alpha,
                       float beta) {
    product('N', 'T', units, inputs, rows, alpha, d, units, a, inputs, beta, w, units);
  }
  static void backward(const float* d, const float* w, float* da, Index rows, Index inputs, Index units) {
    product('T', 'N', inputs, rows, units, 1.0F, w, units, d, units, 0.0F, da, inputs);
  }

 private:
  static void product(char turn_a, char turn_b, Index rows, Index columns, Index depth, float alpha, const float* a,
                      Index a_stride, const float* b, Index b_stride, float beta, float* c, Index c_stride) {
    const auto m = static_cast<libxsmm_blasint>(rows), n = static_cast<libxsmm_blasint>(columns),
               k = static_cast<libxsmm_blasint>(depth), lda = static_cast<libxsmm_blasint>(a_stride),
               ldb = static_cast<libxsmm_blasint>(b_stride), ldc = static_cast<libxsmm_blasint>(c_stride);
    libxsmm_sgemm(&turn_a, &turn_b, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc);
  }
};

}  // namespace

std::unique_ptr<TrainingStep> make_libxsmm_step(const Model& model, std::span<const float> parameters) {
  return std::make_unique<ByHand<LibxsmmContractions>>(model, parameters);
}

}  // namespace descent::bench
