#include "runtime/standalone.h"

#include <algorithm>

#include "codegen/backend.h"
#include "runtime/model.h"
#include "runtime/standalone_header.h"

namespace descent::runtime {

namespace {

using codegen::StandaloneLayout;

constexpr std::int64_t in_lines(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }
/// Vectors are read whole: the last one lies inside.
constexpr std::int64_t with_room(std::int64_t bytes) { return in_lines(bytes) + 64; }

/// The functions that other programs call, with what they give back alone.
ir::Program called_functions(const ir::Program& program) {
  ir::Program called = program;
  std::erase_if(called.functions,
                [](const ir::Function& f) { return f.name != "step" && f.name != "evaluate" && f.name != "predict"; });
  for (ir::Function& function : called.functions) {
    if (function.name == "evaluate") function.results.resize(1);  // the loss, without metrics and outputs
  }
  std::erase_if(called.functions, [](const ir::Function& f) { return f.results.empty() && f.updates.empty(); });
  return called;
}

bool is_zero(const Elements& values) {
  return std::all_of(values.bytes.begin(), values.bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

/// Lays out the memory, front to back.
class Layout {
 public:
  Layout(const ir::Program& program, const codegen::Plans& plans, const codegen::KernelSet& set,
         const std::vector<Elements>& variables, std::int64_t batch)
      : program_(program), places_(variables.size()) {
    at_ = in_lines(sizeof(codegen::RunState));
    layout.first_values = at_;
    // Those that are not 0 lie together: the others need no bytes in the object file.
    for (const bool zero : {false, true}) {
      for (std::size_t i = 0; i < variables.size(); ++i) {
        if (is_zero(variables[i]) != zero) continue;
        places_[i] = at_;
        at_ += with_room(static_cast<std::int64_t>(variables[i].bytes.size()));
        if (zero) continue;
        first_values.resize(static_cast<std::size_t>(at_ - layout.first_values), '\0');
        std::copy_n(reinterpret_cast<const char*>(variables[i].bytes.data()), variables[i].bytes.size(),
                    first_values.begin() + (places_[i] - layout.first_values));
      }
    }
    state_bytes = at_;
    const std::vector<std::string> symbols = program.dimensions();
    layout.dimensions = at_;
    at_ += in_lines(8 * static_cast<std::int64_t>(symbols.size()));
    for (const auto& [name, calls] : set.calls) {
      layout.functions[name].addresses = at_;
      std::int64_t addresses = 0;
      for (const codegen::KernelSet::Call& call : calls) addresses += static_cast<std::int64_t>(call.slots.size());
      at_ += in_lines(8 * addresses);
    }
    layout.cleared = at_;
    std::int64_t arena = 0;
    for (const auto& [name, plan] : plans) {
      ir::DimensionValues sizes = plan.limit_sizes;
      if (!symbols.empty()) sizes[symbols[0]] = std::max(sizes[symbols[0]], batch);
      const passes::MemoryPlan memory = passes::plan_memory(plan, sizes);
      layout.functions[name].buffers = buffers_of(plan, memory);
      arena = std::max(arena, memory.bytes);
    }
    bytes = with_room(at_ + arena);
  }

  std::int64_t place(std::size_t variable) const { return places_[variable]; }

  StandaloneLayout layout;
  std::string first_values;
  std::int64_t state_bytes = 0;  ///< the part that training changes and that means the same elsewhere
  std::int64_t bytes = 0;        ///< of all

 private:
  /// One function runs at a time: their temporaries lie in the same memory.
  std::vector<std::int64_t> buffers_of(const passes::BufferTable& plan, const passes::MemoryPlan& memory) const {
    std::vector<std::int64_t> buffers;
    for (const std::int64_t offset : memory.offsets) {
      buffers.push_back(offset < 0 ? StandaloneLayout::kGiven : layout.cleared + offset);
    }
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const int buffer = plan.buffer(program_.variables[i].name);
      if (buffer >= 0) buffers[static_cast<std::size_t>(buffer)] = places_[i];
    }
    return buffers;
  }

  const ir::Program& program_;
  std::vector<std::int64_t> places_;  ///< of the variables
  std::int64_t at_ = 0;
};

}  // namespace

StandaloneFiles build_standalone(Trainer& trainer, const std::string& header_for, const codegen::Target& target) {
  Trainer::Implementation& self = trainer.implementation();
  if (!self.fitted) {
    throw Error("the model fits some values to the training data, which the object file is to bring along",
                "train it and write: --weights weights.safetensors");
  }
  const passes::Machine machine = codegen::backend().machine_of(target);
  const ir::Program program = called_functions(self.model->program());
  const std::vector<std::string> symbols = program.dimensions();
  if (symbols.size() > 1) {
    throw Error("the memory of an object file's model is laid out when it is built, but the size '" + symbols[1] +
                    "' is not known before a call",
                "write a number for it; the batch, '" + symbols[0] + "', may stay open");
  }
  codegen::Plans plans;
  for (const ir::Function& function : program.functions) {
    const StageTimer timer(Stage::plan);
    plans[function.name] = passes::plan_kernels(program, function, machine);
  }
  const codegen::KernelSet set = codegen::collect_kernels(plans);
  codegen::Standalone model;
  model.prefix = c_prefix(program.name);
  model.batch = self.model->settings.train.batch;
  model.rows_are_independent = self.model->rows_are_independent;
  Layout layout(program, plans, set, self.variables, model.batch);
  model.layout = layout.layout;
  model.first_values = std::move(layout.first_values);
  StandaloneHeader header{
      program,     model, header_for, {}, self.model->settings.index_counts, self.categories, layout.state_bytes,
      layout.bytes};
  for (std::size_t i = 0; i < program.variables.size(); ++i) header.places.push_back(layout.place(i));
  model.header_digest = header.digest();
  StandaloneFiles files;
  files.object = codegen::backend().build(program, plans, set, model, target, CollectStageTimes::current());
  files.header = header.text();
  files.prefix = model.prefix;
  files.memory_bytes = layout.bytes;
  return files;
}

}  // namespace descent::runtime
