// Trains the model of a file on its data, with progress on standard error and a closing table.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/interruption.h"
#include "cli/output.h"

namespace descent::cli {

namespace {

using json = nlohmann::ordered_json;

/// A bar on a terminal, plain lines elsewhere; on standard error.
class Progress {
 public:
  void operator()(const runtime::TrainProgress& now) {
    const auto time = std::chrono::steady_clock::now();
    std::string figures = now.training ? named(*now.training) : "";
    if (now.validation) figures += fmt::format("  validation {:.4f}", now.validation->loss) + named(*now.validation);
    if (terminal_) {
      const double done = static_cast<double>(now.epoch) - 1 + now.share, all = static_cast<double>(now.epochs);
      if (done < all && time - last_ < std::chrono::milliseconds(50)) return;
      const auto filled = static_cast<std::size_t>(30 * done / all);
      say("\r[{}{}] epoch {}/{}{}  loss {:.4f}{}\033[K", std::string(filled, '#'), std::string(30 - filled, ' '),
          now.epoch, now.epochs, now.share < 1 ? fmt::format(", {:2.0f}%", std::floor(100 * now.share)) : "", now.loss,
          figures);
      drawn_ = true;
    } else {
      if (now.share < 1) return;
      const std::int64_t every = std::max<std::int64_t>(1, now.epochs / 10);
      if (now.epoch % every != 0 && now.epoch != 1) return;
      say("epoch {}/{}  loss {:.4f}{}\n", now.epoch, now.epochs, now.loss, figures);
    }
    last_ = time;
  }
  ~Progress() {
    if (drawn_) say("\n");
  }

 private:
  static std::string named(const runtime::Scores& scores) {
    std::string text;
    for (const Trainer::Figure& f : named_figures(scores)) text += fmt::format("  {} {}", f.name, shown(f.value));
    return text;
  }
  bool terminal_ = isatty(STDERR_FILENO) != 0, drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

void print_report(const runtime::TrainReport& r) {
  std::string names;
  for (const Trainer::Figure& f : named_figures(r.training)) names += fmt::format("  {:>8}", f.name);
  print("\n{:<12}{:>8}  {:>10}{:>10}{:>10}{}\n", "", "rows", "loss", "accuracy", "AUC", names);
  const auto row = [](const char* name, const runtime::Scores& s) {
    print("{:<12}{:>8}  {:>10}{:>10}{:>10}", name, s.rows, shown(s.loss), shown(s.accuracy), shown(s.auc));
    for (const Trainer::Figure& f : named_figures(s)) {
      print("  {:>{}}", shown(f.value), std::max<std::size_t>(8, f.name.size()));
    }
    print("\n");
  };
  row("training", r.training);
  if (r.validation) row("validation", *r.validation);
  if (r.left_out > 0) print("{:<12}{:>8}  since a value is missing\n", "left out", r.left_out);
  print("\n{} epoch{}{}, {} steps, {} parameters; compiled in {:.1f} ms, trained in {:.1f} ms\n", r.epochs,
        r.epochs == 1 ? "" : "s",
        r.stopped_early     ? " (stopped early)"
        : r.was_interrupted ? " (interrupted)"
                            : "",
        r.steps, r.parameters, r.compile_ms, r.train_ms);
}

/// What each epoch came to: the mean loss of its steps, and the figures of the training and validation data after it.
json history(const runtime::TrainReport& report) {
  json epochs = json::array();
  for (const runtime::TrainProgress& epoch : report.history) {
    json entry = {{"epoch", epoch.epoch}, {"loss", figure(epoch.loss)}};
    if (epoch.training) add_named_figures(entry, *epoch.training);
    if (epoch.validation) {
      entry["validation_loss"] = figure(epoch.validation->loss);
      add_named_figures(entry, *epoch.validation, "validation_");
    }
    epochs.push_back(std::move(entry));
  }
  return epochs;
}

}  // namespace

int train(const TrainArguments& a) {
  const Model model = Model::from_file(a.file, a.options.batch.value_or(0));
  runtime::TrainReport report;
  {
    Progress progress;
    runtime::TrainOptions options = a.options;
    options.is_interrupted = [&] {
      if (!options.save.empty()) defer_interruptions();  // there is now something that would be lost
      return pending_signal() != 0;
    };
    report = runtime::train(model, a.file, options, std::ref(progress));
  }
  const int status = report.was_interrupted ? 128 + pending_signal() : 0;
  if (!a.as_json) {
    print_report(report);
    return status;
  }
  json result = {{"epochs", report.epochs}, {"steps", report.steps}, {"loss", figure(report.training.loss)}};
  add_named_figures(result, report.training);
  result["validation"] = nullptr;
  if (report.validation) {
    result["validation"] = {{"loss", figure(report.validation->loss)},
                            {"accuracy", figure(report.validation->accuracy)},
                            {"auc", figure(report.validation->auc)}};
    add_named_figures(result["validation"], *report.validation);
  }
  result["compile_ms"] = report.compile_ms;
  result["train_ms"] = report.train_ms;
  result["parameters"] = report.parameters;
  result["arena_bytes"] = report.arena_bytes;
  result["left_out"] = report.left_out;
  result["history"] = history(report);
  print("{}\n", result.dump());
  return status;
}

}  // namespace descent::cli
