#include "runtime/known_model.h"

#include <sstream>

#include "codegen/backend.h"
#include "codegen/native/digest.h"
#include "descent/error.h"
#include "ir/stage_times.h"
#include "ir/text.h"

namespace descent::runtime {

namespace {

std::string key_of(const std::string& text) {
  return codegen::digest_of(std::string(codegen::build_id) + "\nmodel\n" + text);
}

/// Lines of a name and what belongs to it.
template <typename Values>
std::string lines_of(const Values& values) {
  std::ostringstream text;
  for (const auto& [name, value] : values) text << name << ' ' << value << '\n';
  return text.str();
}
template <typename Values>
Values values_of(const std::string& text) {
  Values values;
  std::istringstream lines(text);
  std::string name;
  while (lines >> name) lines >> values[name];
  return values;
}

std::string text_of(const std::vector<passes::RowPart>& parts) {
  std::ostringstream text;
  for (const passes::RowPart& part : parts) {
    text << part.value.name << ' ' << static_cast<int>(part.gather) << ' ' << part.axis << '\n';
  }
  return text.str();
}

/// The rest of the metrics as a program, whose inputs are the parts.
ir::Program program_of(const passes::DividedFunction& metrics, const ir::Declarations& declared) {
  ir::Program program;
  program.name = declared.name;
  program.variables = declared.variables;
  for (const passes::RowPart& part : metrics.parts) {
    program.inputs.push_back({part.value.name, part.value.node->shape(), false, part.value.node->type.dtype});
  }
  program.functions = {metrics.rest};
  return program;
}

passes::DividedFunction metrics_of(const std::string& parts, const ir::Program& program) {
  passes::DividedFunction metrics;
  std::istringstream lines(parts);
  std::string name;
  for (int gather = 0, axis = 0; lines >> name >> gather >> axis;) {
    const ir::Input* input = program.find_input(name);
    if (input == nullptr || gather < 0 || gather > static_cast<int>(passes::RowPart::Gather::smallest)) {
      throw Error("the parts of the metrics cannot be read");
    }
    metrics.parts.push_back({{name, program.graph->leaf(ir::Op::input, name, input->shape, input->dtype)},
                             static_cast<passes::RowPart::Gather>(gather),
                             axis});
  }
  metrics.rest = program.functions.at(0);
  return metrics;
}

}  // namespace

std::optional<KnownModel> find_known(const std::string& text, codegen::ObjectCache& cache) {
  const StageTimer timer(Stage::cache);
  if (text.empty()) return std::nullopt;
  const auto pieces = cache.find(key_of(text));
  if (!pieces) return std::nullopt;
  try {
    if (pieces->size() != 7) throw Error("another number of pieces");
    std::optional<KnownModel> known(std::in_place);
    known->interface = ir::parse_interface(pieces->at(0));
    known->digests = values_of<codegen::Digests>(pieces->at(1));
    known->category_counts = values_of<std::map<std::string, std::int64_t>>(pieces->at(2));
    known->index_counts = values_of<std::map<std::string, std::int64_t>>(pieces->at(5));
    known->rows_are_independent = pieces->at(6) == "rows are independent";
    if (pieces->at(4).empty()) return known;
    const ir::Program rest = ir::parse(pieces->at(4));
    known->metrics = metrics_of(pieces->at(3), rest);
    known->metrics_graph = rest.graph;
    return known;
  } catch (const Error&) {
    cache.count_damaged();
    return std::nullopt;
  }
}

void store_known(const std::string& text, const KnownModel& model, codegen::ObjectCache& cache) {
  const StageTimer timer(Stage::cache);
  const bool has_metrics = !model.metrics.rest.results.empty();
  cache.store(key_of(text),
              {ir::print(model.interface), lines_of(model.digests), lines_of(model.category_counts),
               text_of(model.metrics.parts), has_metrics ? ir::print(program_of(model.metrics, model.interface)) : "",
               lines_of(model.index_counts), model.rows_are_independent ? "rows are independent" : "rows meet"});
}

}  // namespace descent::runtime
