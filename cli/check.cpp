// Reports every mistake of a file, or nothing; and where the numbers of a model without mistakes can fail it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "frontend/frontend.h"
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
  fmt::print("{}\n", report.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::vector<passes::Unstable> warnings_of(const CheckArguments& a) {
  const frontend::Model model = frontend::load_model(runtime::read_file(a.file), a.file);
  ir::Program judged = *model.program;  // what is not judged, the training step, need not go through the passes
  std::erase_if(judged.functions, [](const ir::Function& f) { return f.name != "evaluate" && f.name != "predict"; });
  return passes::find_unstable(passes::run_pipeline(judged));
}

}  // namespace

int check(const CheckArguments& a) {
  if (!a.as_json) {
    for (const passes::Unstable& place : warnings_of(a)) {
      fmt::print(stderr, "{}: warning: in '{}', computed as {}: {}\n  = help: {}\n", a.file, place.place, place.what,
                 place.reason, place.advice);
    }
    return 0;
  }
  json mistakes = json::array(), warnings = json::array();
  try {
    for (const passes::Unstable& w : warnings_of(a)) {
      warnings.push_back({{"place", w.place}, {"expression", w.what}, {"message", w.reason}, {"hint", w.advice}});
    }
  } catch (const Error& error) {
    for (const Diagnostic& d : error.diagnostics()) mistakes.push_back(as_json(d));
  }
  print_json(mistakes, warnings);
  return mistakes.empty() ? 0 : 1;
}

}  // namespace descent::cli
