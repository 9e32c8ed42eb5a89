// The commands: what each is given, and the function that does it. Each returns the exit status and throws
// descent::Error where the user's file or data is wrong. Their options are declared in cli.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/training.h"

namespace CLI {
class App;
}

namespace descent::cli {

struct TrainArguments {
  std::string file;
  runtime::TrainOptions options;
  bool as_json = false;
};
int train(const TrainArguments& arguments);

struct EvaluateArguments {
  std::string file, weights, data;
  bool as_json = false;
};
int evaluate(const EvaluateArguments& arguments);

struct PredictArguments {
  std::string file, weights, data;
  std::string output;  ///< empty: standard output
};
int predict(const PredictArguments& arguments);

struct CheckArguments {
  std::string file;
  bool as_json = false;
};
int check(const CheckArguments& arguments);

struct FormatArguments {
  std::string file;
  bool check = false;  ///< say whether it is formatted, and leave it
};
int format(const FormatArguments& arguments);

struct DocArguments {
  std::string name;  ///< empty: a list of all
};
int doc(const DocArguments& arguments);

struct CompletionsArguments {
  std::string shell;
};
/// The shells that `completions` writes for.
const std::vector<std::string>& completion_shells();
int completions(const CompletionsArguments& arguments, const CLI::App& app);

struct DumpArguments {
  std::string file, stage;
};
/// The stages that `dump` prints, in the order of the pipeline.
const std::vector<std::string>& dump_stages();
int dump(const DumpArguments& arguments);

struct BenchArguments {
  std::string file;
  std::int64_t batch = 0;  ///< 0: the train block's
  double seconds = 1;
  int threads = 1;       ///< at most; 0: one for each processor
  bool profile = false;  ///< time every kernel by itself
  bool as_json = false;
};
int bench(const BenchArguments& arguments);
/// `bench --profile`: every kernel of the step by itself.
int profile(const Model& model, const BenchArguments& arguments);

struct BuildArguments {
  std::string file, object, header;
  std::string triple, cpu;  ///< empty: this machine's
  std::string weights;      ///< empty: first values
  std::int64_t batch = 0;   ///< the most rows of a step; 0: the train block's
  std::int64_t seed = 0;    ///< of the first values
};
int build(const BuildArguments& arguments);

struct CacheArguments {
  bool clear = false;
};
/// Says what is in the cache of compiled code, or empties it.
int cache(const CacheArguments& arguments);

struct EvalArguments {
  std::string expression;
  std::vector<std::string> values;  ///< of the form name=number
};
int eval(const EvalArguments& arguments);

}  // namespace descent::cli
