#include "runtime/training.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "runtime/checkpoint.h"
#include "runtime/file.h"
#include "runtime/metrics.h"
#include "runtime/model.h"
#include "runtime/split.h"

namespace descent::runtime {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

[[noreturn]] void fail(const frontend::Location& at, const std::string& message, const std::string& hint) {
  throw Error(Diagnostic{at.file, at.line, at.column, at.length, message, hint, at.source_line});
}

std::string data_path(const frontend::Model& description, const std::string& model_path,
                      const std::optional<std::string>& override_path) {
  if (override_path) return *override_path;
  if (!description.data) {
    throw Error("the model file names no data", "add a data block or call with --data FILE.csv");
  }
  const std::string path = (std::filesystem::path(model_path).parent_path() / description.data->source).string();
  if (!std::filesystem::exists(path)) {
    fail(description.data->source_location, "there is no file " + path,
         "the name is relative to the folder of the model file");
  }
  return path;
}

struct Parts {
  Dataset training, validation;  ///< no rows of validation where nothing is held out
};

Parts split_data(const Dataset& all, const ir::Declarations& program, const frontend::Model& description) {
  if (!description.data || !description.data->validation) return {all, {}};
  const frontend::SplitSpec& spec = *description.data->validation;
  if (!spec.stratify) {
    const Split split = split_rows(spec, static_cast<std::uint32_t>(all.rows));
    return {all.select(split.training), all.select(split.held_out)};
  }
  const auto& inputs = program.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name != *spec.stratify) continue;
    const auto width = static_cast<std::uint32_t>(all.tensors[i].size() / static_cast<std::size_t>(all.rows));
    const Split split = split_rows_stratified(spec, all.tensors[i].as_floats(), width);
    return {all.select(split.training), all.select(split.held_out)};
  }
  fail(spec.location, "'" + *spec.stratify + "' is no input or target of the model",
       "name the target whose classes keep their shares");
}

/// The loss, the named losses and the metrics.
void set_figures(Scores& scores, const std::vector<Trainer::Figure>& figures, const ir::Interface& program) {
  scores.loss = figures[0].value;
  const auto metrics = program.results.find("metrics");
  const std::size_t first_metric = figures.size() - (metrics == program.results.end() ? 0 : metrics->second.size());
  const auto at = [&](std::size_t i) { return figures.begin() + static_cast<std::ptrdiff_t>(i); };
  scores.losses.assign(at(1), at(first_metric));
  scores.metrics.assign(at(first_metric), figures.end());
}

/// How well the first output says the classes of the first target.
void judge_classes(Scores& scores, const std::vector<float>& predictions, const Dataset& data,
                   const ir::Declarations& program) {
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    if (!program.inputs[i].is_target) continue;
    if (data.tensors[i].size() != predictions.size()) return;
    const std::vector<float> targets = data.tensors[i].as_floats();
    const std::size_t columns = predictions.size() / static_cast<std::size_t>(data.rows);
    const TargetKind kind = kind_of_target(targets, columns);
    if (kind == TargetKind::numbers) return;
    scores.accuracy =
        kind == TargetKind::one_hot ? row_accuracy(predictions, targets, columns) : accuracy(predictions, targets);
    scores.auc = auc(predictions, targets, columns).value_or(std::nan(""));
    scores.brier = brier_score(predictions, targets);
    if (kind == TargetKind::one_hot) scores.brier *= static_cast<double>(columns);
    return;
  }
}

/// The figures of data; those of classes only where they are wanted, as they need the rows sorted.
Scores measure(Trainer& trainer, const Dataset& data, bool with_classes) {
  const ir::Interface& program = trainer.implementation().model->interface;
  Scores scores;
  scores.rows = data.rows;
  std::vector<float> predictions;
  const Tensors tensors = data.views(true, program);
  set_figures(scores, trainer.measure(tensors, data.rows, with_classes ? &predictions : nullptr), program);
  if (with_classes) judge_classes(scores, predictions, data, program);
  return scores;
}

bool is_of_classes(const std::string& figure) { return figure == "accuracy" || figure == "auc" || figure == "brier"; }

/// Stops when a figure of the validation data has not improved for some epochs, and remembers the variables of the best
/// one. A file that it has written to says how far it was.
class EarlyStop {
 public:
  EarlyStop(const frontend::EarlyStopping& rule, Trainer::Implementation& trainer) : rule_(rule), trainer_(trainer) {}

  const std::string& figure() const { return rule_.figure; }

  /// Goes on where the training stopped that wrote the file.
  void resume(const TensorFile& file, const std::string& path) {
    const auto state = stopping(file, rule_.figure);
    if (!state) return;
    state_ = *state;
    restore(trainer_, file, path, false);
    best_variables_ = trainer_.variables;
    restore(trainer_, file, path, true);
  }

  bool should_stop(const Scores& validation) {
    const double figure = validation.figure(rule_.figure);
    if (std::isnan(figure) && is_of_classes(rule_.figure)) {
      fail(rule_.location, "the validation data have no " + rule_.figure,
           "the first target must be of classes, and the rows held out of more than one");
    }
    if (rule_.largest_is_best ? figure > state_.best : figure < state_.best) {
      state_ = {figure, 0};
      best_variables_ = trainer_.variables;
      return false;
    }
    return ++state_.epochs_since >= rule_.patience;
  }

  void restore_best() {
    latest_variables_ = trainer_.variables;
    put(best_variables_);
  }

  /// What the best epoch came to; where training may go on after a later one, that as well.
  void write(TensorFile& file, bool is_over) {
    if (best_variables_.empty()) return;
    add_stopping(file, rule_.figure, {state_.best, is_over ? 0 : state_.epochs_since});
    if (is_over || state_.epochs_since == 0) return;
    put(latest_variables_);
    add_latest(file, trainer_);
    put(best_variables_);
  }

 private:
  /// In place, as native code knows the addresses.
  void put(const std::vector<Elements>& variables) {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      std::ranges::copy(variables[i].bytes, trainer_.variables[i].bytes.begin());
    }
  }

  const frontend::EarlyStopping& rule_;
  Trainer::Implementation& trainer_;
  StoppingState state_{rule_.largest_is_best ? -kInfinity : kInfinity, 0};
  std::vector<Elements> best_variables_, latest_variables_;
};

/// Trains for at most so many epochs.
void run_epochs(Trainer& trainer, const Parts& data, std::int64_t epochs, std::int64_t batch,
                const TrainOptions& options, std::optional<EarlyStop>& stop,
                const std::function<void(const TrainProgress&)>& progress, TrainReport& report) {
  const ir::Interface& program = trainer.implementation().model->interface;
  const Tensors training = data.training.views(true, program);
  const bool validates = data.validation.rows > 0;
  const bool has_figures = program.results.contains("metrics") || trainer.implementation().model->loss_count() > 1;
  for (std::int64_t epoch = 1; epoch <= epochs && !report.stopped_early && !report.was_interrupted; ++epoch) {
    TrainProgress& now = report.history.emplace_back(
        TrainProgress{epoch, epochs, trainer.epoch(training, data.training.rows, batch), {}, {}});
    report.epochs = epoch;
    if (!std::isfinite(now.loss)) {
      throw Error("the loss is no longer a finite number in epoch " + std::to_string(epoch),
                  "try a smaller learning rate, or standardize the inputs");
    }
    if (has_figures) now.training = measure(trainer, data.training, false);
    if (validates) now.validation = measure(trainer, data.validation, stop && is_of_classes(stop->figure()));
    if (progress) progress(now);
    report.stopped_early = stop && stop->should_stop(*now.validation);
    report.was_interrupted =
        !report.stopped_early && epoch < epochs && options.is_interrupted && options.is_interrupted();
  }
  if (stop) stop->restore_best();
}

}  // namespace

Dataset load_dataset(Trainer& trainer, const Model& model, const std::string& model_path,
                     const std::optional<std::string>& override_path, bool with_targets) {
  const frontend::Model& description = model.implementation()->settings;
  const Table table = load_csv(data_path(description, model_path, override_path));
  return make_dataset(table, model.implementation()->interface, description, with_targets,
                      trainer.implementation().categories);
}

double Scores::figure(const std::string& name) const {
  for (const auto* list : {&losses, &metrics}) {
    for (const Trainer::Figure& figure : *list) {
      if (figure.name == name) return figure.value;
    }
  }
  return name == "loss"       ? loss
         : name == "accuracy" ? accuracy
         : name == "auc"      ? auc
         : name == "brier"    ? brier
                              : kUnknown;
}

Scores score(Trainer& trainer, const Dataset& data) { return measure(trainer, data, true); }

TrainReport train(const Model& model, const std::string& model_path, const TrainOptions& options,
                  const std::function<void(const TrainProgress&)>& progress) {
  const frontend::Model& description = model.implementation()->settings;
  if (!model.implementation()->interface.results.contains("step")) {
    throw file_error(model_path, "the model '" + description.name + "' has no loss, so it cannot be trained",
                     "add a line such as: loss = bce(p, y)");
  }
  if (!options.save.empty()) check_writable(options.save);
  Trainer trainer(model, options.seed.value_or(description.train.seed));
  trainer.set_threads(options.threads);
  TensorFile resumed;
  if (!options.resume.empty()) {
    resumed = load_tensors(options.resume);
    restore(trainer.implementation(), resumed, options.resume, true);
  }
  const Parts data = split_data(load_dataset(trainer, model, model_path, options.data, true),
                                model.implementation()->interface, description);
  if (options.resume.empty()) {
    trainer.fit(data.training.views(true, model.implementation()->interface), data.training.rows);
  }
  const std::int64_t epochs = options.epochs.value_or(description.train.epochs);
  if (epochs > 0) model.implementation()->compile_together({"step", "evaluate"});

  TrainReport report;
  const auto begin = std::chrono::steady_clock::now();
  std::optional<EarlyStop> stop;
  if (data.validation.rows > 0 && description.train.stop) {
    stop.emplace(*description.train.stop, trainer.implementation()).resume(resumed, options.resume);
  }
  run_epochs(trainer, data, epochs, options.batch.value_or(description.train.batch), options, stop, progress, report);
  report.train_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  report.parameters = model.parameter_count();
  report.steps = trainer.steps();
  report.arena_bytes = trainer.implementation().workspaces["step"].planned_bytes;
  report.training = score(trainer, data.training);
  if (data.validation.rows > 0) report.validation = score(trainer, data.validation);
  report.compile_ms = model.implementation()->compile_ms();
  if (!options.save.empty()) {
    TensorFile file = saved(trainer.implementation());
    if (stop) stop->write(file, report.stopped_early);
    save_tensors(options.save, file);
  }
  return report;
}

}  // namespace descent::runtime
