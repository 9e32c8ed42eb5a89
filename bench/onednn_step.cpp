// The training step by hand, with oneDNN's products.
#include <dnnl.h>
#include <omp.h>

#include <stdexcept>

#include "bench/by_hand.h"

namespace descent::bench {
namespace {

struct OneDnnContractions {
  static void forward(const float* a, const float* w, float* z, Index rows, Index inputs, Index units) {
    check(dnnl_sgemm('N', 'N', rows, units, inputs, 1.0F, a, inputs, w, units, 0.0F, z, units));
  }
  static void gradient(const float* a, const float* d, float* w, Index rows, Index inputs, Index units, float alpha,
                       float beta) {
    check(dnnl_sgemm('T', 'N', inputs, units, rows, alpha, a, inputs, d, units, beta, w, units));
  }
  static void backward(const float* d, const float* w, float* da, Index rows, Index inputs, Index units) {
    check(dnnl_sgemm('N', 'T', rows, inputs, units, 1.0F, d, units, w, units, 0.0F, da, inputs));
  }

 private:
  static void check(dnnl_status_t status) {
    if (status != dnnl_success) throw std::runtime_error("oneDNN refuses a product");
  }
};

}  // namespace

std::unique_ptr<TrainingStep> make_onednn_step(const Model& model, std::span<const float> parameters) {
  omp_set_num_threads(1);
  return std::make_unique<ByHand<OneDnnContractions>>(model, parameters);
}

}  // namespace descent::bench
