// Training from a model file: data, epochs, early stopping, figures at the end.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "descent/descent.h"
#include "runtime/dataset.h"

namespace descent::runtime {

/// The loss, and how well the first output predicts the first target: NaN where that is not a question of classes.
struct Scores {
  std::int64_t rows = 0;
  double loss = 0;
  double accuracy = 0;  ///< runtime/metrics.h: of elements, or of rows whose target is one-hot
  double auc = 0, brier = 0;
};

struct TrainOptions {
  std::optional<std::string> data;
  std::optional<std::int64_t> epochs, batch;
  std::optional<std::uint64_t> seed;
  std::string save, resume;
  int threads = 0;  ///< at most; 0: one for each processor
};

struct TrainProgress {
  std::int64_t epoch, epochs;
  double loss;
  std::optional<double> validation_loss;
};

struct TrainReport {
  std::int64_t epochs = 0, steps = 0, parameters = 0;
  Scores training;
  std::optional<Scores> validation;
  double compile_ms = 0, train_ms = 0;
  bool stopped_early = false;
};

TrainReport train(const Model& model, const std::string& model_path, const TrainOptions& options,
                  const std::function<void(const TrainProgress&)>& progress);

/// The data of a model file: `override_path`, or the source of the data block relative to the model file. Categories
/// that the trainer does not know yet are learned by it.
Dataset load_dataset(Trainer& trainer, const Model& model, const std::string& model_path,
                     const std::optional<std::string>& override_path, bool with_targets);

Scores score(Trainer& trainer, const Model& model, const Dataset& data);

}  // namespace descent::runtime
