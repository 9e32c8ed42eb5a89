// Training from a model file: data, epochs, early stopping, figures at the end.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "descent/descent.h"
#include "runtime/dataset.h"

namespace descent::runtime {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// The loss, and how well the first output predicts the first target: NaN where that is not a question of classes.
struct Scores {
  std::int64_t rows = 0;
  double loss = 0;
  /// runtime/metrics.h; accuracy is of elements, or of rows whose target is one-hot
  double accuracy = kUnknown, auc = kUnknown, brier = kUnknown;
  std::vector<Trainer::Figure> losses, metrics;  ///< those that have names of their own, in the order of the file
  /// The figure that is called so in a model file: "loss", "auc", "f1"; NaN if there is none.
  double figure(const std::string& name) const;
};

struct TrainOptions {
  std::optional<std::string> data;
  std::optional<std::int64_t> epochs, batch;
  std::optional<std::uint64_t> seed;
  std::string save, resume;
  int threads = 1;  ///< at most; 0: one for each processor
  /// Asked every 20 ms or so, between two batches; training then ends there. A file that is saved goes on at that
  /// batch.
  std::function<bool()> is_interrupted;
  double save_every_s = 30;  ///< at least, while training goes on
};

struct TrainProgress {
  std::int64_t epoch, epochs;
  double share;                      ///< of the epoch that is done: 1 after it, less now and then within a long one
  double loss;                       ///< the mean of the epoch's steps so far
  std::optional<Scores> training;    ///< after the epoch, of a model that has metrics or named losses
  std::optional<Scores> validation;  ///< accuracy, auc and brier only where early stopping asks for them
};

struct TrainReport {
  std::int64_t epochs = 0;  ///< finished
  std::int64_t steps = 0, parameters = 0;
  std::int64_t arena_bytes = 0;  ///< of what a step computes on the way
  std::int64_t left_out = 0;     ///< rows of the data that lack a value
  Scores training;
  std::optional<Scores> validation;
  double compile_ms = 0, train_ms = 0;
  bool stopped_early = false, was_interrupted = false;
  std::vector<TrainProgress> history;  ///< of every epoch
};

TrainReport train(const Model& model, const std::string& model_path, const TrainOptions& options,
                  const std::function<void(const TrainProgress&)>& progress);

/// The data of a model file: `override_path`, or the source of the data block relative to the model file. Categories
/// that the trainer does not know yet are learned by it. With `all_rows` a row that lacks a value is a mistake,
/// whatever the data block says.
Dataset load_dataset(Trainer& trainer, const Model& model, const std::string& model_path,
                     const std::optional<std::string>& override_path, bool with_targets, bool all_rows = false);

Scores score(Trainer& trainer, const Dataset& data);

}  // namespace descent::runtime
