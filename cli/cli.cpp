// The command line: every command and option, in one place. What a command does is in the file of its name.
#include "cli/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <new>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/time_passes.h"
#include "ir/edit_distance.h"

namespace descent::cli {

namespace {

constexpr std::int64_t kMost = 1000000000;

template <typename T>
CLI::Range from(T least, T most) {
  return {least, most};
}

/// The commands of the app, each with the function to call when it has been chosen.
class Commands {
 public:
  explicit Commands(CLI::App& app) : app_(app) {
    add_train();
    add_evaluate();
    add_predict();
    add_check();
    add_format();
    add_doc();
    add_dump();
    add_eval();
    add_bench();
    add_build();
    add_completions();
    add_cache();
  }

  /// What to say of a first word that is no command; empty where it is one.
  std::string unknown_command(const std::string& word) const {
    std::vector<std::string> names;
    for (const auto& [command, run] : runs_) names.push_back(command->get_name());
    if (word.starts_with("-") || std::find(names.begin(), names.end(), word) != names.end()) return "";
    const auto meant = ir::nearest(word, names);
    return fmt::format("descent: there is no command '{}'{}", word,
                       meant ? fmt::format("; did you mean '{}'?", *meant) : "");
  }

  /// What to say of an option that the command has not; empty where there is none.
  std::string unknown_option(int argc, char** argv) const {
    for (const auto& [command, run] : runs_) {
      if (argc < 2 || command->get_name() != argv[1]) continue;
      std::vector<std::string> names;
      for (const CLI::Option* option : command->get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
      for (int i = 2; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const std::string option(argument.substr(0, argument.find('=')));
        if (!option.starts_with("--") || std::ranges::find(names, option) != names.end()) continue;
        const auto meant = ir::nearest(option, names);
        return fmt::format("descent {}: there is no option '{}'{}", argv[1], option,
                           meant ? fmt::format("; did you mean '{}'?", *meant) : "");
      }
    }
    return "";
  }

  int run_chosen() const {
    for (const auto& [command, run] : runs_) {
      if (!command->parsed()) continue;
      if (!time_passes_) return run();
      StageTimes times;
      const CollectStageTimes collect(&times);
      const int status = run();
      print_stage_times(times);
      return status;
    }
    return 0;
  }

 private:
  CLI::App& add(const char* name, const char* help, const char* examples, std::function<int()> run) {
    CLI::App* command = app_.add_subcommand(name, help);
    command->footer(std::string("Examples:\n") + examples);
    runs_.emplace_back(command, std::move(run));
    return *command;
  }
  static void add_file(CLI::App& command, std::string& file) {
    command.add_option("FILE", file, "the .descent file")->required();
  }
  static void add_json(CLI::App& command, bool& as_json) {
    command.add_flag("--json", as_json, "print one JSON object on the last line of standard output, and nothing else");
  }
  void add_time_passes(CLI::App& command) {
    command.add_flag("--time-passes", time_passes_, "say on standard error what each stage of the compiler took");
  }
  static void add_threads(CLI::App& command, int& threads) {
    command
        .add_option("--threads", threads,
                    "the most threads to use, 0: one for each processor; results are the same for any number")
        ->check(from<int>(0, 1024))
        ->capture_default_str();
  }

  void add_train() {
    CLI::App& c = add("train", "train the model of a file on its data",
                      "  descent train examples/tumour.descent --save weights.safetensors\n"
                      "  descent train examples/tumour.descent --resume weights.safetensors --epochs 20",
                      [this] { return train(train_); });
    add_file(c, train_.file);
    runtime::TrainOptions& o = train_.options;
    c.add_option("--data", o.data, "a CSV file instead of the data block's source");
    c.add_option("--epochs", o.epochs, "instead of the train block's")->check(from<std::int64_t>(0, kMost));
    c.add_option("--batch", o.batch, "rows in a step, instead of the train block's")
        ->check(from<std::int64_t>(1, kMost));
    c.add_option("--seed", o.seed, "of first weights, shuffling and dropout, instead of the train block's")
        ->check(from<std::int64_t>(0, 4294967295));
    add_threads(c, o.threads);
    c.add_option("--save", o.save,
                 "write the weights to this safetensors file: at the end, when interrupted, every 30 seconds");
    c.add_option("--resume", o.resume,
                 "go on from a file written by --save, where it was written; --epochs counts from there");
    add_time_passes(c);
    add_json(c, train_.as_json);
  }

  void add_evaluate() {
    CLI::App& c = add("evaluate", "measure trained weights on data",
                      "  descent evaluate tumour.descent --weights weights.safetensors --data new.csv",
                      [this] { return evaluate(evaluate_); });
    add_file(c, evaluate_.file);
    c.add_option("--weights", evaluate_.weights, "a safetensors file")->required();
    c.add_option("--data", evaluate_.data, "a CSV file")->required();
    add_time_passes(c);
    add_json(c, evaluate_.as_json);
  }

  void add_predict() {
    CLI::App& c = add("predict", "write the model's output for every row of a table as CSV",
                      "  descent predict tumour.descent --weights weights.safetensors --data new.csv --output p.csv",
                      [this] { return predict(predict_); });
    add_file(c, predict_.file);
    c.add_option("--weights", predict_.weights, "a safetensors file")->required();
    c.add_option("--data", predict_.data, "a CSV file; targets are not needed, unless an output depends on one")
        ->required();
    c.add_option("--output", predict_.output, "write here instead of standard output");
    add_time_passes(c);
  }

  void add_check() {
    CLI::App& c = add("check", "report every mistake of a file, and where its numbers can overflow or divide by 0",
                      "  descent check tumour.descent", [this] { return check(check_); });
    add_file(c, check_.file);
    add_json(c, check_.as_json);
  }

  void add_format() {
    CLI::App& c = add("format", "write a file in the one layout, in place",
                      "  descent format tumour.descent\n  descent format tumour.descent --check",
                      [this] { return format(format_); });
    add_file(c, format_.file);
    c.add_flag("--check", format_.check, "leave the file; exit with 1 if it is not formatted");
  }

  void add_doc() {
    CLI::App& c = add("doc", "what comes with Descent: documentation and source of an entry, or a list of all",
                      "  descent doc\n  descent doc adam", [this] { return doc(doc_); });
    c.add_option("NAME", doc_.name, "a function, layer, optimizer or schedule");
  }

  void add_dump() {
    CLI::App& c = add("dump", "print what the compiler makes of a file at a stage",
                      "  descent dump tumour.descent --stage=optimized", [this] { return dump(dump_); });
    add_file(c, dump_.file);
    c.add_option("--stage", dump_.stage, fmt::format("{}", fmt::join(dump_stages(), " ")))
        ->required()
        ->check(CLI::IsMember(dump_stages()));
    add_time_passes(c);
  }

  void add_eval() {
    CLI::App& c = add("eval", "the value of an expression, in float64",
                      "  descent eval \"bce(0.9, 1)\"\n"
                      "  descent eval \"grad(bce(sigmoid(z), 1), z)\" z=0.5",
                      [this] { return eval(eval_); });
    c.add_option("EXPRESSION", eval_.expression, "such as \"bce(0.9, 1)\"")->required();
    c.add_option("name=value", eval_.values, "values of the names in it");
  }

  void add_bench() {
    CLI::App& c = add("bench", "time the training step on made-up data of the model's shapes",
                      "  descent bench tumour.descent --batch 128 --seconds 2\n"
                      "  descent bench tumour.descent --threads 2 --json\n\n"
                      "DESCENT_CPU=x86-64-v3 in the environment: by the code for a processor with AVX2 and no more.",
                      [this] { return bench(bench_); });
    add_file(c, bench_.file);
    c.add_option("--batch", bench_.batch, "rows in a step, instead of the train block's")
        ->check(from<std::int64_t>(1, kMost));
    add_threads(c, bench_.threads);
    c.add_option("--seconds", bench_.seconds, "how long to measure")->check(from(0.01, 3600.0));
    c.add_flag("--profile", bench_.profile,
               "time every kernel by itself, beside what the machine can do at most; and each thread's waits and work");
    add_time_passes(c);
    add_json(c, bench_.as_json);
  }

  void add_build() {
    CLI::App& c =
        add("build", "write the model as an object file that other programs link, and a header in C for it",
            "  descent build tumour.descent -o tumour.o --header tumour.h\n"
            "  descent build tumour.descent -o tumour.o --header tumour.h --weights weights.safetensors\n"
            "  descent build tumour.descent -o tumour.o --header tumour.h --cpu x86-64-v3\n"
            "  descent build tumour.descent -o tumour.o --header tumour.h --target aarch64-linux-gnu --cpu neoverse-n1",
            [this] { return build(build_); });
    add_file(c, build_.file);
    c.add_option("-o,--output", build_.object, "the object file to write")->required();
    c.add_option("--header", build_.header, "the header to write")->required();
    c.add_option("--target", build_.triple, "the system to make code for, such as aarch64-linux-gnu; else this one");
    c.add_option(
        "--cpu", build_.cpu,
        "the least processor that it runs on, such as x86-64-v3; else, without --target, the one of this machine");
    c.add_option("--weights", build_.weights, "a safetensors file, whose numbers become the first values");
    c.add_option("--batch", build_.batch, "the most rows of a step, instead of the train block's")
        ->check(from<std::int64_t>(1, kMost));
    c.add_option("--seed", build_.seed, "of the first values, where there are no weights")
        ->check(from<std::int64_t>(0, 4294967295));
    add_time_passes(c);
  }

  void add_completions() {
    CLI::App& c = add("completions", "print the completions for a shell",
                      "  descent completions bash > ~/.local/share/bash-completion/completions/descent\n"
                      "  descent completions zsh > ~/.zfunc/_descent\n"
                      "  descent completions fish > ~/.config/fish/completions/descent.fish",
                      [this] { return completions(completions_, app_); });
    c.add_option("SHELL", completions_.shell, fmt::format("{}", fmt::join(completion_shells(), " ")))
        ->required()
        ->check(CLI::IsMember(completion_shells()));
  }

  void add_cache() {
    CLI::App& c = add("cache", "what is kept of compiled code, so that it need not be compiled again",
                      "  descent cache info\n"
                      "  descent cache clear\n\n"
                      "DESCENT_CACHE names another folder, or is 'off'.",
                      [this] { return cache(cache_); });
    c.require_subcommand(1);
    c.add_subcommand("info", "where it is, and how large");
    c.add_subcommand("clear", "remove everything in it")->callback([this] { cache_.clear = true; });
  }

  CLI::App& app_;
  std::vector<std::pair<CLI::App*, std::function<int()>>> runs_;
  TrainArguments train_;
  EvaluateArguments evaluate_;
  PredictArguments predict_;
  CheckArguments check_;
  FormatArguments format_;
  DocArguments doc_;
  CompletionsArguments completions_;
  DumpArguments dump_;
  EvalArguments eval_;
  BenchArguments bench_;
  BuildArguments build_;
  CacheArguments cache_;
  bool time_passes_ = false;
};

}  // namespace

int run(int argc, char** argv) {
  occupy_closed_streams();
  CLI::App app{"Descent: a language for neural networks and a compiler for it.", "descent"};
  app.footer(
      "Examples:\n"
      "  descent train examples/tumour.descent --save weights.safetensors\n"
      "  descent predict examples/tumour.descent --weights weights.safetensors --data new.csv\n"
      "  descent eval \"bce(0.9, 1)\"\n\n"
      "Exit status: 0 done; 1 the file or the data is wrong; 2 the command line is wrong; 70 a defect in Descent;\n"
      "128 and the number of the signal: interrupted.");
  app.require_subcommand(1);
  app.set_version_flag("--version", "descent " DESCENT_VERSION);
  const Commands commands(app);
  if (argc > 1) {
    if (const std::string unknown = commands.unknown_command(argv[1]); !unknown.empty()) {
      say("{}\nRun with --help for more information.\n", unknown);
      return 2;
    }
  }
  try {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ExtrasError& error) {
      const std::string unknown = commands.unknown_option(argc, argv);
      if (unknown.empty()) return app.exit(error), 2;
      say("{}\nRun with --help for more information.\n", unknown);
      return 2;
    } catch (const CLI::ParseError& error) {
      if (app.exit(error) != 0) return 2;
      finish_results();
      return 0;
    }
    const int status = commands.run_chosen();
    finish_results();
    return status;
  } catch (const Error& error) {
    say("{}\n", error.what());
    return 1;
  } catch (const std::bad_alloc&) {
    say("error: there is not enough memory\n");
    return 1;
  } catch (const std::exception& error) {
    say("internal error: {}\n  = help: this is a defect in Descent; please report it with the model file\n",
        error.what());
    return 70;
  }
}

}  // namespace descent::cli
