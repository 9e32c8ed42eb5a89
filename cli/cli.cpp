#include "cli/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/bench.h"
#include "frontend/frontend.h"
#include "frontend/print.h"
#include "ir/interpreter.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "runtime/file.h"
#include "runtime/model.h"
#include "runtime/training.h"

namespace descent::cli {

namespace {

using nlohmann::json;

/// JSON has no NaN: such a figure is null.
json figure(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }
std::string shown(double value, int digits = 4) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : "-";
}

/// A bar on a terminal, plain lines elsewhere; on standard error.
class Progress {
 public:
  void operator()(const runtime::TrainProgress& now) {
    const auto time = std::chrono::steady_clock::now();
    const std::string validation = now.validation_loss ? fmt::format("  validation {:.4f}", *now.validation_loss) : "";
    if (terminal_) {
      if (now.epoch < now.epochs && time - last_ < std::chrono::milliseconds(50)) return;
      const auto filled = static_cast<std::size_t>(30 * now.epoch / now.epochs);
      fmt::print(stderr, "\r[{}{}] epoch {}/{}  loss {:.4f}{}\033[K", std::string(filled, '#'),
                 std::string(30 - filled, ' '), now.epoch, now.epochs, now.loss, validation);
      drawn_ = true;
    } else {
      const std::int64_t every = std::max<std::int64_t>(1, now.epochs / 10);
      if (now.epoch % every != 0 && now.epoch != 1) return;
      fmt::print(stderr, "epoch {}/{}  loss {:.4f}{}\n", now.epoch, now.epochs, now.loss, validation);
    }
    last_ = time;
  }
  ~Progress() {
    if (drawn_) fmt::print(stderr, "\n");
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) != 0, drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

void print_report(const runtime::TrainReport& r) {
  fmt::print("\n{:<12}{:>8}{:>10}{:>10}{:>10}\n", "", "rows", "loss", "accuracy", "AUC");
  const auto row = [](const char* name, const runtime::Scores& s) {
    fmt::print("{:<12}{:>8}{:>10}{:>10}{:>10}\n", name, s.rows, shown(s.loss), shown(s.accuracy), shown(s.auc));
  };
  row("training", r.training);
  if (r.validation) row("validation", *r.validation);
  fmt::print("\n{} epochs{}, {} steps, {} parameters; compiled in {:.1f} ms, trained in {:.1f} ms\n", r.epochs,
             r.stopped_early ? " (stopped early)" : "", r.steps, r.parameters, r.compile_ms, r.train_ms);
}

struct Arguments {
  std::string file, expression, stage = "graph", weights, data, output;
  std::vector<std::string> values;
  runtime::TrainOptions train;
  std::int64_t epochs = -1, batch = 0, threads = 1;
  std::int64_t seed = -1;
  double seconds = 1;
  bool as_json = false;
};

int train(const Arguments& a) {
  const Model model = Model::from_file(a.file);
  runtime::TrainReport report;
  {
    Progress progress;
    report = runtime::train(model, a.file, a.train, [&](const runtime::TrainProgress& now) { progress(now); });
  }
  if (!a.as_json) {
    print_report(report);
    return 0;
  }
  json result = {{"epochs", report.epochs}, {"steps", report.steps}, {"loss", figure(report.training.loss)}};
  if (report.validation) {
    result["validation"] = {{"loss", figure(report.validation->loss)},
                            {"accuracy", figure(report.validation->accuracy)},
                            {"auc", figure(report.validation->auc)}};
  } else {
    result["validation"] = nullptr;
  }
  result["compile_ms"] = report.compile_ms;
  result["train_ms"] = report.train_ms;
  result["parameters"] = report.parameters;
  fmt::print("{}\n", result.dump());
  return 0;
}

int evaluate(const Arguments& a) {
  const Model model = Model::from_file(a.file);
  Trainer trainer(model);
  trainer.load(a.weights);
  const runtime::Scores s = runtime::score(trainer, model, runtime::load_dataset(model, a.file, a.data, true));
  if (a.as_json) {
    fmt::print("{}\n", json{{"rows", s.rows},
                            {"loss", figure(s.loss)},
                            {"accuracy", figure(s.accuracy)},
                            {"auc", figure(s.auc)},
                            {"brier", figure(s.brier)}}
                           .dump());
  } else {
    fmt::print("rows {}  loss {}  accuracy {}  AUC {}  Brier {}\n", s.rows, shown(s.loss), shown(s.accuracy),
               shown(s.auc), shown(s.brier));
  }
  return 0;
}

int predict(const Arguments& a) {
  const Model model = Model::from_file(a.file);
  Trainer trainer(model);
  trainer.load(a.weights);
  const runtime::Dataset data = runtime::load_dataset(model, a.file, a.data, false);
  const std::vector<float> p = trainer.predict(data.spans(false, model.implementation()->program), data.rows);
  const std::string name = model.outputs()[0];
  const std::size_t width = p.size() / static_cast<std::size_t>(data.rows);
  std::string text;
  for (std::size_t j = 0; j < width; ++j)
    text += (j > 0 ? "," : "") + (width > 1 ? fmt::format("{}.{}", name, j) : name);
  for (std::size_t i = 0; i < p.size(); ++i) text += fmt::format("{}{}", i % width == 0 ? "\n" : ",", p[i]);
  text += "\n";
  if (a.output.empty()) {
    fmt::print("{}", text);
  } else {
    const std::string_view pieces[] = {text};
    runtime::write_file_atomically(a.output, pieces);
  }
  return 0;
}

int dump(const Arguments& a) {
  if (a.stage == "ast") {
    fmt::print("{}", frontend::print_syntax_tree(runtime::read_file(a.file), a.file));
    return 0;
  }
  const frontend::Model model = frontend::load_model(runtime::read_file(a.file), a.file);
  std::map<std::string, std::string> stages;
  const ir::Program optimized =
      passes::run_pipeline(*model.program, [&](const std::string& stage, const ir::Program& p) {
        if (stage == a.stage) stages[stage] = ir::print(p);
      });
  const bool trains = optimized.find_function("step") != nullptr;
  const std::string function = trains ? "step" : "predict";
  if (a.stage == "kernels")
    fmt::print("{}", passes::print(passes::plan_kernels(optimized, optimized.function(function))));
  else if (a.stage == "llvm")
    fmt::print("{}", codegen::print_llvm(optimized, function));
  else if (a.stage == "asm")
    fmt::print("{}", codegen::print_assembly(optimized, function));
  else
    fmt::print("{}", stages.at(a.stage));
  return 0;
}

int eval(const Arguments& a) {
  std::map<std::string, double> values;
  ir::Environment environment;
  for (const std::string& text : a.values) {
    const std::size_t equals = text.find('=');
    try {
      std::size_t used = 0;
      const std::string number = text.substr(std::min(equals, text.size() - 1) + 1);
      if (equals == std::string::npos || equals == 0) throw std::invalid_argument("");
      values[text.substr(0, equals)] = std::stod(number, &used);
      if (used != number.size()) throw std::invalid_argument("");
    } catch (const std::logic_error&) {
      fmt::print(stderr, "descent eval: '{}' is not of the form name=number\n", text);
      return 2;
    }
  }
  for (const auto& [name, value] : values) environment.tensors[name] = {{}, {value}};
  environment.counters = {{"step", 1}, {"epoch", 0}};
  const ir::Program program = passes::run_pipeline(frontend::load_expression(a.expression, values));
  const ir::Tensor result = ir::interpret({program.function("predict").results[0].node}, environment)[0];
  for (double value : result.values) {
    const double magnitude = std::fabs(value);
    fmt::print("{}\n", magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e15) ? fmt::format("{:.6f}", value)
                                                                                 : fmt::format("{:.6e}", value));
  }
  return 0;
}

int bench(const Arguments& a) {
  const BenchResult r = run_bench(Model::from_file(a.file), a.batch, a.seconds);
  if (a.as_json) {
    fmt::print("{}\n", json{{"batch", r.batch},
                            {"threads", 1},
                            {"parameters", r.parameters},
                            {"flops", r.flops},
                            {"step_us_min", r.step_us_min},
                            {"step_us_median", r.step_us_median},
                            {"gflops", r.gflops},
                            {"compile_ms", r.compile_ms},
                            {"arena_bytes", r.arena_bytes},
                            {"kernels", r.kernels}}
                           .dump());
  } else {
    fmt::print(
        "batch {}, {} parameters, {} kernels, {} bytes of arena\nstep {:.2f} us at least, {:.2f} us in the median; {} "
        "flops, {:.1f} GFLOP/s; compiled in {:.1f} ms\n",
        r.batch, r.parameters, r.kernels, r.arena_bytes, r.step_us_min, r.step_us_median, r.flops, r.gflops,
        r.compile_ms);
  }
  return 0;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app{
      "Descent: a language for neural networks and a compiler for it.\n\nExamples:\n  descent train "
      "examples/tumour.descent --save weights.safetensors\n  descent predict examples/tumour.descent --weights "
      "weights.safetensors --data new.csv\n  descent eval \"bce(0.9, 1)\""};
  app.require_subcommand(1);
  Arguments a;
  const auto add = [&](const char* name, const char* help, bool file = true) {
    CLI::App* command = app.add_subcommand(name, help);
    if (file) command->add_option("FILE", a.file, "the .descent file")->required();
    return command;
  };
  CLI::App* train_command = add("train", "train the model of a file on its data");
  std::string train_data;
  train_command->add_option("--data", train_data, "a CSV file instead of the data block's source");
  train_command->add_option("--epochs", a.epochs, "instead of the train block's")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1000000000}));
  train_command->add_option("--batch", a.batch, "rows in a step, instead of the train block's")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000000}));
  train_command->add_option("--seed", a.seed, "of first weights, shuffling and dropout")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{4294967295}));
  train_command->add_option("--threads", a.threads, "the most threads to use; the step runs on one at present")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1024}));
  train_command->add_option("--save", a.train.save, "write the weights to this safetensors file");
  train_command->add_option("--resume", a.train.resume, "go on from a file written by --save");
  train_command->add_flag("--json", a.as_json, "one JSON object on standard output");
  CLI::App* evaluate_command = add("evaluate", "measure trained weights on data");
  evaluate_command->add_option("--weights", a.weights, "a safetensors file")->required();
  evaluate_command->add_option("--data", a.data, "a CSV file")->required();
  evaluate_command->add_flag("--json", a.as_json, "one JSON object on standard output");
  CLI::App* predict_command = add("predict", "write the model's output for every row of a table as CSV");
  predict_command->add_option("--weights", a.weights, "a safetensors file")->required();
  predict_command->add_option("--data", a.data, "a CSV file; targets are not needed")->required();
  predict_command->add_option("--output", a.output, "write here instead of standard output");
  CLI::App* check_command = add("check", "report every mistake of a file, or nothing");
  CLI::App* dump_command = add("dump", "print what the compiler makes of a file at a stage");
  dump_command->add_option("--stage", a.stage, "ast graph simplified gradient derived optimized kernels llvm asm")
      ->required()
      ->check(
          CLI::IsMember({"ast", "graph", "simplified", "gradient", "derived", "optimized", "kernels", "llvm", "asm"}));
  CLI::App* bench_command = add("bench", "time the training step on made-up data");
  bench_command->add_option("--batch", a.batch, "rows in a step, instead of the train block's")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000000}));
  bench_command->add_option("--threads", a.threads, "the most threads to use; the step runs on one at present")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1024}));
  bench_command->add_option("--seconds", a.seconds, "how long to measure")->check(CLI::Range(0.01, 3600.0));
  bench_command->add_flag("--json", a.as_json, "one JSON object on standard output");
  CLI::App* eval_command = add("eval", "the value of an expression, in float64", false);
  eval_command->add_option("EXPRESSION", a.expression, "such as \"grad(bce(sigmoid(z), 1), z)\"")->required();
  eval_command->add_option("name=value", a.values, "values of the names in it");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!train_data.empty()) a.train.data = train_data;
  if (a.epochs >= 0) a.train.epochs = a.epochs;
  if (a.batch > 0) a.train.batch = a.batch;
  if (a.seed >= 0) a.train.seed = static_cast<std::uint64_t>(a.seed);
  try {
    if (train_command->parsed()) return train(a);
    if (evaluate_command->parsed()) return evaluate(a);
    if (predict_command->parsed()) return predict(a);
    if (dump_command->parsed()) return dump(a);
    if (bench_command->parsed()) return bench(a);
    if (eval_command->parsed()) return eval(a);
    if (check_command->parsed()) frontend::load_model(runtime::read_file(a.file), a.file);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "error: there is not enough memory\n");
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "internal error: {}\nThis is a defect in Descent; please report it with the model file.\n",
               error.what());
    return 70;
  }
}

}  // namespace descent::cli
