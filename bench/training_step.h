// What Descent and its rivals have in common: one training step on a batch.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "bench/models.h"

namespace descent::bench {

/// Forward pass, loss, backward pass and update of one model, prepared for the model's batch size, on one thread.
class TrainingStep {
 public:
  TrainingStep() = default;
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;
  virtual ~TrainingStep() = default;

  /// Trains on x [batch, inputs] and y [batch, 1]; returns the mean loss before the update.
  virtual float step(const float* x, const float* y) = 0;
};

/// Each starts from the parameters given, in the order of initial_parameters.
std::unique_ptr<TrainingStep> make_descent_step(const Model& model, std::span<const float> parameters);
std::unique_ptr<TrainingStep> make_eigen_step(const Model& model, std::span<const float> parameters);
std::unique_ptr<TrainingStep> make_openblas_step(const Model& model, std::span<const float> parameters);
std::unique_ptr<TrainingStep> make_onednn_step(const Model& model, std::span<const float> parameters);
std::unique_ptr<TrainingStep> make_libxsmm_step(const Model& model, std::span<const float> parameters);
std::unique_ptr<TrainingStep> make_loops_step(const Model& model, std::span<const float> parameters);

}  // namespace descent::bench
