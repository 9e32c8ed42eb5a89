// What a model says of data: evaluation, metrics and prediction, some rows at a time so that memory is bounded.
#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "ir/interpreter.h"
#include "runtime/model.h"
#include "runtime/row_gatherer.h"
#include "runtime/sizes.h"

namespace descent {

namespace {
constexpr std::int64_t kChunkRows = 4096;

/// Runs a function on what its inputs point at; on several threads where that is faster.
void run_once(Trainer::Implementation& self, const std::string& name, const ir::DimensionValues& sizes,
              Trainer::Implementation::Workspace& w) {
  codegen::RunState state = self.state;
  const ir::Interface& program = self.model->interface;
  const codegen::CompiledFunction& function = self.model->compiled(name).function(name);
  const auto run_alone = [&] { function.run(w.addresses.data(), runtime::in_order(program, sizes).data(), &state); };
  if (runtime::SharedFunction* shared = self.shared_function(name, sizes); shared != nullptr) {
    for (const ir::Input& input : program.inputs) {
      const auto buffer = static_cast<std::size_t>(function.plan.buffer(input.name));
      shared->set_buffer(buffer, w.addresses.buffer(buffer));
    }
    return self.run_faster(*shared, &state, run_alone);
  }
  run_alone();
}

/// Runs a function chunk by chunk; calls `use` with the plan, the addresses and the sizes of each.
template <typename Use>
void run_chunks(Trainer::Implementation& self, const std::string& name, const Tensors& tensors, std::int64_t rows,
                ir::DimensionValues sizes, Use use) {
  const ir::Interface& program = self.model->interface;
  const codegen::CompiledFunction& function = self.model->compiled(name).function(name);
  const std::int64_t chunk = self.model->rows_are_independent ? std::min(rows, kChunkRows) : rows;
  std::int64_t batch = chunk;
  const std::vector<std::string> symbols = program.dimensions();
  const auto set_batch = [&](std::int64_t count) {
    batch = count;
    if (!symbols.empty()) sizes[symbols[0]] = batch;
  };
  set_batch(chunk);
  auto& w = self.workspace(name, sizes, false);
  const std::vector<const void*>& addresses = self.given.read(self.model->interface, self.model->settings, tensors);
  for (std::int64_t begin = 0; begin < rows; begin += chunk) {
    if (self.before_part) self.before_part();
    set_batch(std::min(chunk, rows - begin));
    std::size_t at = 0;
    for (const ir::Input& input : program.inputs) {
      if (input.is_target && tensors.size() != program.inputs.size()) continue;
      auto* first = static_cast<std::byte*>(const_cast<void*>(addresses[at++]));  // kernels only read
      const std::int64_t skipped =
          begin > 0 && program.has_rows(input.shape) ? begin * runtime::row_width(input, sizes) : 0;
      w.addresses.set(static_cast<std::size_t>(function.plan.buffer(input.name)),
                      first + skipped * ir::element_bytes(input.dtype));
    }
    run_once(self, name, sizes, w);
    use(function.plan, w.addresses, sizes, batch);
  }
}

template <typename Number>
void append(std::vector<Number>& to, const void* memory, std::int64_t count) {
  const auto* numbers = static_cast<const Number*>(memory);
  to.insert(to.end(), numbers, numbers + count);
}

void append(Trainer::Output& to, const void* memory, ir::DType dtype, std::int64_t count) {
  if (dtype == ir::DType::f64) return append(to.doubles, memory, count);
  if (dtype == ir::DType::i32) return append(to.whole, memory, count);
  append(to.values, memory, count);
}

std::vector<float> as_floats(Trainer::Output output) {
  if (!output.doubles.empty()) return {output.doubles.begin(), output.doubles.end()};
  if (!output.whole.empty()) return {output.whole.begin(), output.whole.end()};
  return std::move(output.values);
}

}  // namespace

TensorView Trainer::Output::view() const {
  return !doubles.empty() ? TensorView(doubles) : !whole.empty() ? TensorView(whole) : TensorView(values);
}

double Trainer::evaluate(const Tensors& tensors, std::int64_t rows, std::vector<float>* outputs) {
  return measure(tensors, rows, outputs)[0].value;
}

std::vector<Trainer::Figure> Trainer::measure(const Tensors& tensors, std::int64_t rows, std::vector<float>* outputs) {
  Implementation& self = *implementation_;
  const ir::Interface& program = self.model->interface;
  const ir::DimensionValues sizes = runtime::sizes_of_call(program, tensors, rows, true);
  self.need_fit("evaluation");
  const auto& results = program.results_of("evaluate");
  const std::size_t losses = self.model->loss_count();
  std::vector<Figure> figures;
  for (std::size_t i = 0; i < losses; ++i) figures.push_back({results[i].name, 0.0});
  runtime::RowGatherer gatherer(self.model->metrics.parts);
  Output first;
  run_chunks(self, "evaluate", tensors, rows, sizes,
             [&](const auto& plan, const auto& addresses, const ir::DimensionValues& now, std::int64_t count) {
               const auto values = [&](const auto& result) {
                 return addresses.buffer(static_cast<std::size_t>(plan.buffer(result.name)));
               };
               for (std::size_t i = 0; i < losses; ++i) {
                 figures[i].value += ir::element(values(results[i]), results[i].dtype, 0) * static_cast<double>(count);
               }
               gatherer.add(now, values);
               if (outputs != nullptr)
                 append(first, values(results[losses]), results[losses].dtype,
                        ir::element_count(results[losses].shape, now));
             });
  if (outputs != nullptr) *outputs = as_floats(std::move(first));
  for (Figure& loss : figures) loss.value /= static_cast<double>(rows);
  for (const auto& [name, value] : self.metrics(gatherer.take(), rows, sizes)) figures.push_back({name, value});
  return figures;
}

namespace {

/// The largest tensor that a metric is computed from.
struct LargestTensor {
  std::string metric;
  const ir::Node* node = nullptr;
  double count = 0;  ///< of its elements, which may be more than a whole number holds
};

LargestTensor largest_tensor(const ir::Function& metrics, const ir::DimensionValues& sizes) {
  LargestTensor largest;
  for (const ir::Binding& metric : metrics.results) {
    for (const ir::Node* node : ir::reachable({metric.node})) {
      double count = 1;
      for (const ir::Dimension& d : node->shape()) count *= static_cast<double>(d.evaluate(sizes));
      if (count > largest.count) largest = {metric.name, node, count};
    }
  }
  return largest;
}

Error not_enough_memory(const LargestTensor& largest, std::int64_t rows) {
  return Error(
      fmt::format("the metric '{}' compares rows with each other, and of {} there is not enough memory for the {} "
                  "with {:.0f} numbers that it needs",
                  largest.metric, rows, ir::to_string(largest.node->shape()), largest.count),
      "measure it on fewer rows");
}

}  // namespace

/// The metrics from what was gathered of the rows, in float64.
std::vector<Trainer::Figure> Trainer::Implementation::metrics(std::map<std::string, ir::Tensor> gathered,
                                                              std::int64_t rows,
                                                              const ir::DimensionValues& sizes) const {
  const ir::Function& rest = model->metrics.rest;
  if (rest.results.empty()) return {};
  ir::Environment environment;
  environment.seed = state.seed;
  environment.counters = {{"step", static_cast<double>(state.step)}, {"epoch", state.epoch}};
  environment.dimensions = sizes;
  environment.tensors = std::move(gathered);
  for (const ir::Node* node : ir::reachable(rest.roots())) {
    if (node->op != ir::Op::parameter && node->op != ir::Op::state) continue;
    const ir::Variable& v = *model->interface.find_variable(node->attributes.name);
    const auto& values = variables[static_cast<std::size_t>(&v - model->interface.variables.data())];
    environment.tensors[v.name] = {ir::evaluate(v.shape, {}), values.values()};
  }
  // A system may promise more memory than it has, and end the program that uses it.
  const LargestTensor largest = largest_tensor(rest, sizes);
  if (largest.count * sizeof(double) > runtime::machine_memory()) throw not_enough_memory(largest, rows);
  std::vector<Figure> figures;
  std::vector<ir::Tensor> values;
  try {
    values = ir::interpret(rest.roots(), environment);
  } catch (const std::bad_alloc&) {
    throw not_enough_memory(largest, rows);
  }
  for (std::size_t i = 0; i < values.size(); ++i) figures.push_back({rest.results[i].name, values[i].values[0]});
  return figures;
}

std::vector<float> Trainer::predict(const Tensors& inputs, std::int64_t rows) {
  return as_floats(std::move(predict_all(inputs, rows)[0]));
}

std::vector<Trainer::Output> Trainer::predict_all(const Tensors& inputs, std::int64_t rows) {
  Implementation& self = *implementation_;
  const ir::Interface& program = self.model->interface;
  if (program.predicts_from_targets && inputs.size() < program.inputs.size()) {
    throw Error("an output depends on a target, so that prediction needs the targets too",
                "give all tensors, or let outputs depend on inputs alone");
  }
  const ir::DimensionValues sizes = runtime::sizes_of_call(program, inputs, rows, false);
  self.need_fit("prediction");
  const auto& bindings = program.results_of("predict");
  std::vector<Output> outputs;
  for (const ir::Interface::Result& binding : bindings) outputs.push_back({binding.name, {}, {}, {}});
  run_chunks(self, "predict", inputs, rows, sizes,
             [&](const auto& plan, const auto& addresses, const ir::DimensionValues& now, std::int64_t) {
               for (std::size_t i = 0; i < bindings.size(); ++i) {
                 const auto buffer = static_cast<std::size_t>(plan.buffer(bindings[i].name));
                 append(outputs[i], addresses.buffer(buffer), bindings[i].dtype,
                        ir::element_count(bindings[i].shape, now));
               }
             });
  return outputs;
}

}  // namespace descent
