// Reports every mistake of a file, or nothing; and where the numbers of a model without mistakes can fail it.
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "cli/commands.h"
#include "cli/output.h"
#include "codegen/compile.h"
#include "frontend/frontend.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "passes/unstable.h"
#include "runtime/file.h"

namespace descent::cli {

namespace {

using nlohmann::json;

json as_json(const Diagnostic& d) {
  json notes = json::array();
  for (const Note& n : d.notes) {
    notes.push_back(
        {{"file", n.file}, {"line", n.line}, {"column", n.column}, {"length", n.length}, {"message", n.message}});
  }
  return {{"file", d.file},       {"line", d.line}, {"column", d.column}, {"length", d.length},
          {"message", d.message}, {"hint", d.hint}, {"notes", notes}};
}

/// For editors: the mistakes and warnings as data. A byte that is not UTF-8 is replaced.
void print_json(const json& mistakes, const json& warnings) {
  const json report = {{"mistakes", mistakes}, {"warnings", warnings}};
  print("{}\n", report.dump(-1, ' ', false, json::error_handler_t::replace));
}

struct Warning {
  passes::Unstable unstable;
  Diagnostic diagnostic;
};

/// Of first values and the training step only what layers keep is looked at, and need go through the passes.
ir::Program judged_part(ir::Program program) {
  std::erase_if(program.functions, [](const ir::Function& f) { return f.name == "metrics"; });
  for (ir::Function& f : program.functions) {
    if (f.name != "initial" && f.name != "step") continue;
    f.results.clear();
    std::erase_if(f.updates, [&](const ir::Binding& update) {
      const ir::Variable& v = *program.find_variable(update.name);
      return v.of_optimizer || v.kind == ir::Variable::Kind::parameter;
    });
  }
  return program;
}

/// Plans the training step, which throws where it does not fit into the memory that the train block gives it.
void keep_to_memory(const CheckArguments& a) {
  const frontend::Model whole = frontend::load_model(runtime::read_file(a.file), a.file);
  const ir::Program optimized = passes::run_pipeline(*whole.program);
  const ir::Function* step = optimized.find_function("step");
  if (step != nullptr) passes::plan_kernels(optimized, *step, codegen::chosen_machine().machine);
}

/// Those in one place of the text that say the same are one.
std::vector<Warning> warnings_of(const CheckArguments& a) {
  // Kept until the process ends: to give back each node of a graph takes a tenth of the time.
  static const frontend::Model* kept = nullptr;
  kept = new frontend::Model(frontend::load_model(runtime::read_file(a.file), a.file, frontend::Purpose::check));
  const frontend::Model& model = *kept;
  if (model.train.memory) keep_to_memory(a);
  const ir::Program judged = judged_part(*model.program);
  std::vector<Warning> warnings;
  std::set<std::tuple<std::string, int, int, std::string>> said;
  ir::Program optimized;  // before tables of constants, of which all is known, become variables
  passes::run_pipeline(judged, [&](const std::string& stage, const ir::Program& p) {
    if (stage == "optimized") optimized = p;
  });
  for (const passes::Unstable& unstable : passes::find_unstable(optimized)) {
    Diagnostic d{a.file, 0, 0, 1, unstable.reason, unstable.advice, ""};
    if (const auto at = frontend::origin_of(model, unstable.node)) {
      d = {at->file, at->line, at->column, at->length, unstable.reason, unstable.advice, at->source_line};
      if (!said.emplace(d.file, d.line, d.column, d.message).second) continue;
    }
    d.is_warning = true;
    d.notes.push_back({"computed as " + unstable.what + ", for '" + unstable.place + "'", "", 0, 0, 1});
    warnings.push_back({unstable, d});
  }
  return warnings;
}

}  // namespace

int check(const CheckArguments& a) {
  if (!a.as_json) {
    for (const Warning& warning : warnings_of(a)) say("{}\n", warning.diagnostic.to_string());
    return 0;
  }
  json mistakes = json::array(), warnings = json::array();
  try {
    for (const Warning& w : warnings_of(a)) {
      json warning = as_json(w.diagnostic);
      warning.erase("notes");
      warning.update({{"place", w.unstable.place}, {"expression", w.unstable.what}});
      warnings.push_back(std::move(warning));
    }
  } catch (const Error& error) {
    for (const Diagnostic& d : error.diagnostics()) mistakes.push_back(as_json(d));
  }
  print_json(mistakes, warnings);
  return mistakes.empty() ? 0 : 1;
}

}  // namespace descent::cli
