// What a model says of data: evaluation, metrics and prediction, some rows at a time so that memory is bounded.
#include <algorithm>

#include "ir/interpreter.h"
#include "runtime/model.h"
#include "runtime/row_gatherer.h"
#include "runtime/sizes.h"

namespace descent {

namespace {
constexpr std::int64_t kChunkRows = 4096;

/// Whether every output has a row for each row of the inputs, so that rows can be computed some at a time.
bool outputs_are_rows(const ir::Interface& program) {
  const auto& outputs = program.results_of("predict");
  return std::all_of(outputs.begin(), outputs.end(), [&](const ir::Interface::Result& output) {
    const ir::Shape& shape = output.shape;
    return !shape.empty() && !program.inputs.empty() && shape[0] == program.inputs[0].shape[0];
  });
}

/// Runs a function on what its inputs point at; on several threads where that is faster.
void run_once(Trainer::Implementation& self, const std::string& name, const ir::DimensionValues& sizes,
              Trainer::Implementation::Workspace& w) {
  codegen::RunState state = self.state;
  const ir::Interface& program = self.model->interface;
  const codegen::CompiledFunction& function = self.model->compiled(name).function(name);
  if (runtime::SharedFunction* shared = self.shared_function(name, sizes); shared != nullptr) {
    for (const ir::Input& input : program.inputs) {
      const auto buffer = static_cast<std::size_t>(function.plan.buffer(input.name));
      shared->set_buffer(buffer, w.buffers[buffer]);
    }
    return self.run_together([&](int member) { shared->run(member, *self.team, &state); });
  }
  function.run(w.buffers.data(), runtime::in_order(program, sizes).data(), &state);
}

/// Runs a function chunk by chunk; calls `use` with the plan, the addresses and the sizes of each.
template <typename Use>
void run_chunks(Trainer::Implementation& self, const std::string& name, const Tensors& tensors, std::int64_t rows,
                ir::DimensionValues sizes, Use use) {
  const ir::Interface& program = self.model->interface;
  const codegen::CompiledFunction& function = self.model->compiled(name).function(name);
  const std::int64_t chunk = outputs_are_rows(program) ? std::min(rows, kChunkRows) : rows;
  std::int64_t batch = chunk;
  const auto set_batch = [&](std::int64_t count) {
    batch = count;
    if (!program.dimensions().empty()) sizes[program.dimensions()[0]] = batch;
  };
  set_batch(chunk);
  auto& w = self.workspace(name, sizes, false);
  const std::vector<const float*>& addresses = self.given.read(self.model->interface, self.model->settings, tensors);
  for (std::int64_t begin = 0; begin < rows; begin += chunk) {
    set_batch(std::min(chunk, rows - begin));
    std::size_t at = 0;
    for (const ir::Input& input : program.inputs) {
      if (input.is_target && tensors.size() != program.inputs.size()) continue;
      w.buffers[static_cast<std::size_t>(function.plan.buffer(input.name))] =
          const_cast<float*>(addresses[at++]) + begin * runtime::row_width(input, sizes);  // kernels only read
    }
    run_once(self, name, sizes, w);
    use(function.plan, w.buffers, sizes, batch);
  }
}

void append(std::vector<float>& to, const passes::BufferTable& plan, const std::vector<float*>& buffers,
            const ir::Interface::Result& output, const ir::DimensionValues& sizes) {
  const float* values = buffers[static_cast<std::size_t>(plan.buffer(output.name))];
  to.insert(to.end(), values, values + ir::element_count(output.shape, sizes));
}

}  // namespace

float Trainer::evaluate(const Tensors& tensors, std::int64_t rows, std::vector<float>* outputs) {
  return static_cast<float>(measure(tensors, rows, outputs)[0].value);
}

std::vector<Trainer::Figure> Trainer::measure(const Tensors& tensors, std::int64_t rows, std::vector<float>* outputs) {
  Implementation& self = *implementation_;
  const ir::Interface& program = self.model->interface;
  const ir::DimensionValues sizes = runtime::sizes_of_call(program, tensors, rows, true);
  self.need_fit("evaluation");
  const auto& results = program.results_of("evaluate");
  const std::size_t output_count = program.results_of("predict").size();
  const std::size_t losses = results.size() - output_count - self.model->metrics.parts.size();
  std::vector<Figure> figures;
  for (std::size_t i = 0; i < losses; ++i) figures.push_back({results[i].name, 0.0});
  runtime::RowGatherer gatherer(self.model->metrics.parts);
  run_chunks(self, "evaluate", tensors, rows, sizes,
             [&](const auto& plan, const auto& buffers, const ir::DimensionValues& now, std::int64_t count) {
               const auto values = [&](const auto& result) {
                 return buffers[static_cast<std::size_t>(plan.buffer(result.name))];
               };
               for (std::size_t i = 0; i < losses; ++i) {
                 figures[i].value += static_cast<double>(*values(results[i])) * static_cast<double>(count);
               }
               gatherer.add(now, values);
               if (outputs != nullptr) append(*outputs, plan, buffers, results[losses], now);
             });
  for (Figure& loss : figures) loss.value /= static_cast<double>(rows);
  for (const auto& [name, value] : self.metrics(gatherer.take(), sizes)) figures.push_back({name, value});
  return figures;
}

/// The metrics from what was gathered of the rows, in float64.
std::vector<Trainer::Figure> Trainer::Implementation::metrics(std::map<std::string, ir::Tensor> gathered,
                                                              const ir::DimensionValues& sizes) const {
  const ir::Function& rest = model->metrics.rest;
  if (rest.results.empty()) return {};
  ir::Environment environment;
  environment.seed = state.seed;
  environment.counters = {{"step", static_cast<double>(state.step)}, {"epoch", static_cast<double>(state.epoch)}};
  environment.dimensions = sizes;
  environment.tensors = std::move(gathered);
  for (const ir::Node* node : ir::reachable(rest.roots())) {
    if (node->op != ir::Op::parameter && node->op != ir::Op::state) continue;
    const ir::Variable& v = *model->interface.find_variable(node->attributes.name);
    const auto& values = variables[static_cast<std::size_t>(&v - model->interface.variables.data())];
    environment.tensors[v.name] = {ir::evaluate(v.shape, {}), {values.begin(), values.end()}};
  }
  std::vector<Figure> figures;
  const std::vector<ir::Tensor> values = ir::interpret(rest.roots(), environment);
  for (std::size_t i = 0; i < values.size(); ++i) figures.push_back({rest.results[i].name, values[i].values[0]});
  return figures;
}

std::vector<float> Trainer::predict(const Tensors& inputs, std::int64_t rows) {
  return std::move(predict_all(inputs, rows)[0].values);
}

std::vector<Trainer::Output> Trainer::predict_all(const Tensors& inputs, std::int64_t rows) {
  Implementation& self = *implementation_;
  const ir::DimensionValues sizes = runtime::sizes_of_call(self.model->interface, inputs, rows, false);
  self.need_fit("prediction");
  const auto& bindings = self.model->interface.results_of("predict");
  std::vector<Output> outputs;
  for (const ir::Interface::Result& binding : bindings) outputs.push_back({binding.name, {}});
  run_chunks(self, "predict", inputs, rows, sizes,
             [&](const auto& plan, const auto& buffers, const ir::DimensionValues& now, std::int64_t) {
               for (std::size_t i = 0; i < bindings.size(); ++i) {
                 append(outputs[i].values, plan, buffers, bindings[i], now);
               }
             });
  return outputs;
}

}  // namespace descent
