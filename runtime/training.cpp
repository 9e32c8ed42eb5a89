#include "runtime/training.h"

#include <chrono>
#include <cmath>
#include <filesystem>

#include "runtime/file.h"
#include "runtime/metrics.h"
#include "runtime/model.h"
#include "runtime/split.h"

namespace descent::runtime {

Dataset load_dataset(const Model& model, const std::string& model_path, const std::optional<std::string>& override_path,
                     bool with_targets) {
  const frontend::Model& description = model.implementation()->model;
  std::string path;
  if (override_path) {
    path = *override_path;
  } else if (description.data) {
    path = (std::filesystem::path(model_path).parent_path() / description.data->source).string();
    if (!std::filesystem::exists(path)) {
      const frontend::Location& at = description.data->source_location;
      throw Error(Diagnostic{at.file, at.line, at.column, at.length, "there is no file " + path,
                             "the name is relative to the folder of the model file", at.source_line});
    }
  } else {
    throw Error("the model file names no data", "add a data block or call with --data FILE.csv");
  }
  return make_dataset(load_csv(path), description, with_targets);
}

Scores score(Trainer& trainer, const Model& model, const Dataset& data) {
  const ir::Program& program = model.implementation()->program;
  Scores scores;
  scores.rows = data.rows;
  std::vector<float> predictions;
  scores.loss = trainer.evaluate(data.spans(true, program), data.rows, &predictions);
  scores.accuracy = scores.auc = scores.brier = std::nan("");
  // The first target is compared with the first output where they have the same size.
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    if (!program.inputs[i].is_target) continue;
    if (data.tensors[i].size() == predictions.size()) {
      scores.accuracy = accuracy(predictions, data.tensors[i]);
      scores.auc = auc(predictions, data.tensors[i]).value_or(std::nan(""));
      scores.brier = brier_score(predictions, data.tensors[i]);
    }
    break;
  }
  return scores;
}

TrainReport train(const Model& model, const std::string& model_path, const TrainOptions& options,
                  const std::function<void(const TrainProgress&)>& progress) {
  const frontend::Model& description = model.implementation()->model;
  const ir::Program& program = model.implementation()->program;
  if (program.find_function("step") == nullptr) {
    throw Error(Diagnostic{model_path, 0, 0, 1,
                           "the model '" + description.name + "' has no loss, so it cannot be trained",
                           "add a line such as: loss = bce(p, y)", ""});
  }
  if (!options.save.empty()) check_writable(options.save);
  const Dataset all = load_dataset(model, model_path, options.data, true);
  Dataset training = all, validation;
  if (description.data && description.data->validation) {
    const frontend::SplitSpec& spec = *description.data->validation;
    std::span<const float> classes;
    for (std::size_t i = 0; i < program.inputs.size() && spec.stratify; ++i) {
      if (program.inputs[i].name == *spec.stratify) classes = all.tensors[i];
    }
    if (spec.stratify && classes.size() != static_cast<std::size_t>(all.rows)) {
      const auto& at = spec.location;
      throw Error(Diagnostic{at.file, at.line, at.column, at.length,
                             "'" + *spec.stratify + "' is no target with one column",
                             "name the target whose classes keep their shares", at.source_line});
    }
    const Split split =
        spec.stratify ? split_rows_stratified(spec, classes) : split_rows(spec, static_cast<std::uint32_t>(all.rows));
    training = all.select(split.training);
    validation = all.select(split.held_out);
  }
  const std::int64_t epochs = options.epochs.value_or(description.train.epochs);
  const std::int64_t batch = options.batch.value_or(description.train.batch);
  Trainer trainer(model, options.seed.value_or(description.train.seed));
  const Tensors tensors = training.spans(true, program);
  trainer.fit(tensors, training.rows);
  if (!options.resume.empty()) trainer.load(options.resume, true);
  if (epochs > 0) model.implementation()->compile_together({"step", "evaluate"});

  TrainReport report;
  report.parameters = model.parameter_count();
  const auto& stop = description.train.stop;
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::vector<float>> best_variables;
  std::int64_t since_best = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    TrainProgress now{epoch, epochs, trainer.epoch(tensors, training.rows, batch), {}};
    report.epochs = epoch;
    if (!std::isfinite(now.loss)) {
      throw Error("the loss is no longer a finite number in epoch " + std::to_string(epoch),
                  "try a smaller learning rate, or standardize the inputs");
    }
    if (validation.rows > 0) {
      now.validation_loss = trainer.evaluate(validation.spans(true, program), validation.rows);
      if (*now.validation_loss < best) {
        best = *now.validation_loss;
        since_best = 0;
        if (stop) best_variables = trainer.implementation().variables;
      } else {
        ++since_best;
      }
    }
    if (progress) progress(now);
    if (stop && validation.rows > 0 && since_best >= stop->patience) {
      report.stopped_early = true;
      break;
    }
  }
  // Early stopping gives the weights of the best epoch; they are copied in place, as native code knows their addresses.
  for (std::size_t i = 0; i < best_variables.size(); ++i) {
    std::copy(best_variables[i].begin(), best_variables[i].end(), trainer.implementation().variables[i].begin());
  }
  report.train_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  report.steps = trainer.steps();
  report.training = score(trainer, model, training);
  if (validation.rows > 0) report.validation = score(trainer, model, validation);
  report.compile_ms = model.implementation()->compile_ms();
  if (!options.save.empty()) trainer.save(options.save);
  return report;
}

}  // namespace descent::runtime
