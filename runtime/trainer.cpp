#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "ir/interpreter.h"
#include "runtime/memory.h"
#include "runtime/model.h"
#include "runtime/sizes.h"

namespace descent {

namespace {

/// Parameters and states that this machine cannot hold: a system may promise more memory than it has, and end the
/// program that uses it.
void check_memory(const ir::Interface& program) {
  const auto bytes_of = [](const ir::Variable& v) {
    return static_cast<double>(ir::element_count(v.shape).constant()) * static_cast<double>(ir::element_bytes(v.dtype));
  };
  double all = 0;
  const ir::Variable* largest = nullptr;
  for (const ir::Variable& v : program.variables) {
    all += bytes_of(v);
    if (largest == nullptr || bytes_of(v) > bytes_of(*largest)) largest = &v;
  }
  if (all <= runtime::machine_memory()) return;
  constexpr double gib = 0x1p30;
  throw Error(fmt::format("the parameters and states of the model take {:.0f} GiB, more memory than this machine has",
                          all / gib),
              fmt::format("the largest, {}, is {} and takes {:.0f} GiB", largest->name, ir::to_string(largest->shape),
                          bytes_of(*largest) / gib));
}

}  // namespace

Trainer::Trainer(const Model& model, std::uint64_t seed) : implementation_(std::make_unique<Implementation>()) {
  Implementation& self = *implementation_;
  self.model = model.implementation();
  self.state.seed = static_cast<std::uint32_t>(seed);
  const ir::Interface& program = self.model->interface;
  check_memory(program);
  self.fitted = true;
  ir::Environment environment;
  environment.seed = seed;
  environment.counters = {{"step", 0}, {"epoch", 0}};
  std::unordered_map<std::string, const ir::Node*> first_values;
  for (const ir::Binding& update : self.model->initial().updates) first_values[update.name] = update.node;
  for (const ir::Variable& v : program.variables) {
    runtime::Elements values(v.dtype, static_cast<std::size_t>(ir::element_count(v.shape).constant()));
    if (v.kind == ir::Variable::Kind::fitted) {
      self.fitted = false;
    } else {
      ir::interpret_in_pieces(first_values.at(v.name), environment,
                              [&](std::size_t first, std::span<const double> piece) { values.set(piece, first); });
    }
    self.variables.push_back(std::move(values));
  }
}

Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;

void Trainer::Implementation::need_fit(const char* what) const {
  if (!fitted)
    throw Error(
        std::string("the model fits some values to the training data, which has not been seen before this ") + what,
        "call fit(tensors, rows) or load(weights) first");
}

Trainer::Implementation::Workspace& Trainer::Implementation::workspace(const std::string& function,
                                                                       const ir::DimensionValues& sizes,
                                                                       bool copies_inputs) {
  const codegen::CompiledFunction& compiled = model->compiled(function).function(function);
  const passes::BufferTable& plan = compiled.plan;
  Workspace& w = workspaces[function];
  const auto fits = [&](const auto& size) {
    return w.capacity.contains(size.first) && size.second <= w.capacity.at(size.first);
  };
  if (!w.addresses.empty() && std::all_of(sizes.begin(), sizes.end(), fits)) return w;
  // Their addresses are of the memory that is given up now.
  prepared = {};
  std::erase_if(shared, [&](const auto& entry) { return entry.first.first == function; });
  ir::DimensionValues capacity = sizes;
  for (const ir::DimensionValues* known : {&std::as_const(w.capacity), &plan.limit_sizes}) {
    for (const auto& [symbol, size] : *known) capacity[symbol] = std::max(capacity[symbol], size);
  }
  const passes::MemoryPlan memory = passes::plan_memory(plan, capacity);
  if (plan.limit > 0 && memory.bytes > plan.limit) {
    throw Error("a " + function + " of so many rows needs " + passes::memory_text(memory.bytes) +
                    ", more than the limit of " + passes::memory_text(plan.limit) + " that the train block sets",
                "plans are made for the batch that stands there: write the largest one");
  }
  w.planned_bytes = memory.bytes;
  std::int64_t bytes = memory.bytes;
  std::vector<std::int64_t> inputs;
  for (const ir::Input& input : model->interface.inputs) {
    inputs.push_back(bytes);
    if (copies_inputs)
      bytes += (ir::element_count(input.shape, capacity) * ir::element_bytes(input.dtype) + 127) / 64 * 64;
  }
  w.arena.reserve(bytes);
  std::vector<void*> buffers(plan.buffers.size(), nullptr);
  for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
    if (memory.offsets[b] >= 0) buffers[b] = w.arena.at(memory.offsets[b]);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    buffers[static_cast<std::size_t>(plan.buffer(model->interface.inputs[i].name))] =
        copies_inputs ? w.arena.at(inputs[i]) : nullptr;
  }
  for (std::size_t i = 0; i < variables.size(); ++i) {
    buffers[static_cast<std::size_t>(plan.buffer(model->interface.variables[i].name))] = variables[i].bytes.data();
  }
  w.addresses = codegen::AddressTable(compiled.slots, std::move(buffers));
  w.capacity = std::move(capacity);
  return w;
}

void Trainer::fit(const Tensors& tensors, std::int64_t rows) {
  Implementation& self = *implementation_;
  const ir::Interface& program = self.model->interface;
  ir::Environment environment;
  environment.seed = self.state.seed;
  environment.counters = {{"step", 0}, {"epoch", 0}};
  environment.dimensions = runtime::sizes_of_call(program, tensors, rows, false);
  self.given.read(self.model->interface, self.model->settings, tensors);  // reports numbers that cannot be
  const auto values_of = [&](const ir::Variable& v) -> runtime::Elements& {
    return self.variables[static_cast<std::size_t>(&v - program.variables.data())];
  };
  const auto add = [&](const std::string& name, const ir::Shape& shape, std::vector<double> values) {
    environment.tensors[name] = {ir::evaluate(shape, environment.dimensions), std::move(values)};
  };
  // What a node reads, where it is not there yet: only what is fitted needs the data.
  const auto add_leaf = [&](const ir::Node* node) {
    const std::string& name = node->attributes.name;
    if (name.empty() || environment.tensors.contains(name)) return;
    if (const ir::Variable* v = program.find_variable(name)) return add(name, v->shape, values_of(*v).values());
    const bool all = tensors.size() == program.inputs.size();
    std::size_t at = 0;
    for (const ir::Input& input : program.inputs) {
      if (input.is_target && !all) continue;
      const TensorView& tensor = tensors[at++];
      if (input.name != name) continue;
      std::vector<double> values(tensor.size());
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = tensor[i];
      add(name, input.shape, std::move(values));
    }
  };
  std::unordered_set<std::string_view> fitted;
  for (const ir::Variable& v : program.variables) {
    if (v.kind == ir::Variable::Kind::fitted) fitted.insert(v.name);
  }
  for (const ir::Binding& update : self.model->initial().updates) {
    if (!fitted.contains(update.name)) continue;
    const ir::Variable& v = *program.find_variable(update.name);
    for (const ir::Node* node : ir::reachable({update.node})) add_leaf(node);
    values_of(v).set(ir::interpret({update.node}, environment)[0].values);
    add(v.name, v.shape, values_of(v).values());
  }
  self.fitted = true;
}

std::int64_t Trainer::steps() const { return implementation_->state.step; }

}  // namespace descent
