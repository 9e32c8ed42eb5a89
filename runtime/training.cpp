#include "runtime/training.h"

#include <cmath>
#include <filesystem>
#include <limits>

#include "runtime/checkpoint.h"
#include "runtime/epoch.h"
#include "runtime/file.h"
#include "runtime/metrics.h"
#include "runtime/model.h"
#include "runtime/split.h"
#include "runtime/wall_clock.h"

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

  /// The variables of the best epoch, or the trainer's where none has been finished.
  const std::vector<Elements>& best() const { return best_variables_.empty() ? trainer_.variables : best_variables_; }

  /// Adds to a file with the best variables how far it is; where training may go on after later steps, their variables.
  void write(TensorFile& file, bool is_over) const {
    if (best_variables_.empty()) return;
    add_stopping(file, rule_.figure, {state_.best, is_over ? 0 : state_.epochs_since});
    if (!is_over && (state_.epochs_since > 0 || trainer_.place.batches > 0)) add_latest(file, trainer_);
  }

  void restore_best() {
    // In place, as native code knows the addresses.
    for (std::size_t i = 0; i < best_variables_.size(); ++i) {
      std::ranges::copy(best_variables_[i].bytes, trainer_.variables[i].bytes.begin());
    }
  }

 private:
  const frontend::EarlyStopping& rule_;
  Trainer::Implementation& trainer_;
  StoppingState state_{rule_.largest_is_best ? -kInfinity : kInfinity, 0};
  std::vector<Elements> best_variables_;
};

/// How many batches to run at a time, so that they take some 20 ms.
class Pace {
 public:
  std::int64_t batches() const { return batches_; }
  void took(double microseconds) {
    if (microseconds < 10'000) batches_ = std::min(2 * batches_, std::int64_t{1} << 40);
    if (microseconds > 40'000) batches_ = std::max(batches_ / 2, std::int64_t{1});
  }

 private:
  std::int64_t batches_ = 1;
};

/// Thrown between two parts of the rows that are measured.
struct Interrupted {};

/// A training from its first step to its last.
class Run {
 public:
  using Notify = std::function<void(const TrainProgress&)>;
  Run(Trainer& trainer, const Parts& data, std::int64_t epochs, std::int64_t batch, const TrainOptions& options,
      std::optional<EarlyStop>& stop, const Notify& notify, TrainReport& report)
      : trainer_(trainer),
        program_(trainer.implementation().model->interface),
        data_(data),
        training_(data.training.views(true, program_)),
        epochs_(epochs),
        batch_(batch),
        options_(options),
        stop_(stop),
        notify_(notify),
        report_(report),
        saves_on_the_way_(!options.save.empty() &&
                          !(std::filesystem::exists(options.save) && !std::filesystem::is_regular_file(options.save))) {
  }

  /// Trains for at most so many epochs; the first may be the rest of one.
  void run() {
    Trainer::Implementation& self = trainer_.implementation();
    self.before_part = [this] {
      if (is_interrupted()) throw Interrupted();
    };
    try {
      while (report_.epochs < epochs_ && !report_.stopped_early) run_epoch();
    } catch (const Interrupted&) {
      report_.was_interrupted = true;
    }
    self.before_part = nullptr;
  }

  void save() {
    const Trainer::Implementation& self = trainer_.implementation();
    TensorFile file = saved(self, stop_ ? stop_->best() : self.variables);
    if (stop_) stop_->write(file, report_.stopped_early);
    const WallClock clock;
    save_tensors(options_.save, file);
    since_saved_ = {};
    save_took_us_ = clock.microseconds();
  }

 private:
  bool is_interrupted() const { return options_.is_interrupted && options_.is_interrupted(); }

  void run_epoch() {
    Epoch epoch(trainer_, training_, data_.training.rows, batch_);
    const std::int64_t number = report_.epochs + 1;
    do {
      const WallClock clock;
      epoch.run(pace_.batches());
      pace_.took(clock.microseconds());
      if (!std::isfinite(epoch.loss())) {
        throw Error("the loss is no longer a finite number in epoch " + std::to_string(number),
                    "try a smaller learning rate, or standardize the inputs");
      }
      if (is_interrupted()) throw Interrupted();
      if (epoch.batches_left() == 0) break;
      const double share = 1 - static_cast<double>(epoch.batches_left()) / static_cast<double>(epoch.batches());
      if (notify_) notify_({number, epochs_, share, epoch.loss(), {}, {}});
      save_now_and_then();
    } while (true);
    TrainProgress now{number, epochs_, 1, epoch.loss(), {}, {}};
    const bool has_figures = program_.results.contains("metrics") || trainer_.implementation().model->loss_count() > 1;
    if (has_figures) now.training = measure(trainer_, data_.training, false);
    if (data_.validation.rows > 0) {
      now.validation = measure(trainer_, data_.validation, stop_ && is_of_classes(stop_->figure()));
    }
    epoch.finish();
    report_.epochs = number;
    report_.stopped_early = stop_ && stop_->should_stop(*now.validation);
    if (notify_) notify_(now);
    report_.history.push_back(std::move(now));
    save_now_and_then();
  }

  /// Of hours of work a failure of the machine costs half a minute; where writing takes long, fifty times that.
  void save_now_and_then() {
    if (!saves_on_the_way_) return;
    const double since = since_saved_.microseconds();
    if (since > 1e6 * options_.save_every_s && since > 50 * save_took_us_) save();
  }

  Trainer& trainer_;
  const ir::Interface& program_;
  const Parts& data_;
  Tensors training_;  ///< those of `data_`
  std::int64_t epochs_, batch_;
  const TrainOptions& options_;
  std::optional<EarlyStop>& stop_;
  const Notify& notify_;
  TrainReport& report_;
  bool saves_on_the_way_;  ///< not to a pipe, where one file cannot take the place of another
  Pace pace_;
  WallClock since_saved_;
  double save_took_us_ = 0;
};

}  // namespace

Dataset load_dataset(Trainer& trainer, const Model& model, const std::string& model_path,
                     const std::optional<std::string>& override_path, bool with_targets, bool all_rows) {
  const frontend::Model& description = model.implementation()->settings;
  Table table =
      load_csv(data_path(description, model_path, override_path), description.data ? description.data->decimal : '.');
  std::size_t left_out = 0;
  if (description.data && description.data->skips_missing && !all_rows)
    left_out = leave_out_missing(table, description);
  Dataset data = make_dataset(table, model.implementation()->interface, description, with_targets,
                              trainer.implementation().categories);
  data.left_out = static_cast<std::int64_t>(left_out);
  return data;
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
  const Dataset all = load_dataset(trainer, model, model_path, options.data, true);
  const Parts data = split_data(all, model.implementation()->interface, description);
  if (options.resume.empty()) {
    trainer.fit(data.training.views(true, model.implementation()->interface), data.training.rows);
  }
  const std::int64_t epochs = options.epochs.value_or(description.train.epochs);
  if (epochs > 0) model.implementation()->compile_together({"step", "evaluate"});

  TrainReport report;
  const WallClock clock;
  std::optional<EarlyStop> stop;
  if (data.validation.rows > 0 && description.train.stop) {
    stop.emplace(*description.train.stop, trainer.implementation()).resume(resumed, options.resume);
  }
  Run run(trainer, data, epochs, options.batch.value_or(description.train.batch), options, stop, progress, report);
  run.run();
  report.train_ms = clock.microseconds() / 1000;
  if (!options.save.empty()) run.save();  // first of all: whoever interrupted may not wait for the figures
  if (stop) stop->restore_best();
  report.parameters = model.parameter_count();
  report.left_out = all.left_out;
  report.steps = trainer.steps();
  report.arena_bytes = trainer.implementation().workspaces["step"].planned_bytes;
  report.training = score(trainer, data.training);
  if (data.validation.rows > 0) report.validation = score(trainer, data.validation);
  report.compile_ms = model.implementation()->compile_ms();
  return report;
}

}  // namespace descent::runtime
