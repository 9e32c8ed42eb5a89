// Prints what the compiler makes of a file at a stage.
#include <algorithm>

#include "cli/commands.h"
#include "cli/output.h"
#include "codegen/compile.h"
#include "frontend/frontend.h"
#include "frontend/print.h"
#include "ir/formula.h"
#include "ir/text.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "runtime/file.h"

namespace descent::cli {

const std::vector<std::string>& dump_stages() {
  static const std::vector<std::string> stages = {"ast",     "graph",    "simplified", "gradient",
                                                  "derived", "formulas", "optimized",  "hoisted",
                                                  "kernels", "llvm",     "asm"};
  return stages;
}

namespace {

/// What a training step computes, or a prediction where nothing is trained, as a person would write it.
std::string formulas_of(const ir::Program& program) {
  const ir::Function* step = program.find_function("step");
  const ir::Function& function = step != nullptr ? *step : program.function("predict");
  std::vector<std::pair<std::string, const ir::Node*>> named;
  for (const ir::Binding& b : function.results) named.emplace_back(b.name, b.node);
  for (const ir::Binding& b : function.updates) named.emplace_back("new " + b.name, b.node);
  return ir::formulas(named);
}

}  // namespace

int dump(const DumpArguments& a) {
  if (a.stage == "ast") {
    print("{}", frontend::print_syntax_tree(runtime::read_file(a.file), a.file));
    return 0;
  }
  const frontend::Model model = frontend::load_model(runtime::read_file(a.file), a.file);
  std::map<std::string, std::string> stages;
  const ir::Program optimized =
      passes::run_pipeline(*model.program, [&](const std::string& stage, const ir::Program& p) {
        if (stage == a.stage) stages[stage] = ir::print(p);
        if (stage == "derived" && a.stage == "formulas") stages[a.stage] = formulas_of(p);
      });
  const bool trains = optimized.find_function("step") != nullptr;
  const std::string function = trains ? "step" : "predict";
  if (a.stage == "kernels")
    print("{}", passes::print(
                    passes::plan_kernels(optimized, optimized.function(function), codegen::chosen_machine().machine)));
  else if (a.stage == "llvm")
    print("{}", codegen::print_llvm(optimized, function));
  else if (a.stage == "asm")
    print("{}", codegen::print_assembly(optimized, function));
  else
    print("{}", stages.at(a.stage));
  return 0;
}

}  // namespace descent::cli
