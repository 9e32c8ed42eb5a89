#include "tests/support/runner.h"

#include <stdexcept>

#include "tests/support/guarded_memory.h"

namespace descent::test {

namespace {

class InterpretedRunner : public Runner {
 public:
  explicit InterpretedRunner(const ir::Program& program) : program_(program) {}

  Values run(const std::string& name) override {
    ir::Environment e;
    e.dimensions = dimensions;
    e.counters = {{"step", static_cast<double>(step)}, {"epoch", epoch}};
    e.seed = seed;
    const auto add = [&](const std::string& tensor, const ir::Shape& shape) {
      std::vector<double> values = tensors[tensor];
      values.resize(static_cast<std::size_t>(ir::element_count(shape, dimensions)));
      e.tensors[tensor] = {ir::evaluate(shape, dimensions), values};
    };
    for (const ir::Input& input : program_.inputs) add(input.name, input.shape);
    for (const ir::Variable& variable : program_.variables) add(variable.name, variable.shape);
    const ir::Function& function = program_.function(name);
    const std::vector<ir::Tensor> roots = ir::interpret(function.roots(), e);
    Values values;
    std::size_t at = 0;
    for (const ir::Binding& result : function.results) values[result.name] = roots[at++].values;
    for (const ir::Binding& update : function.updates) values[update.name] = tensors[update.name] = roots[at++].values;
    return values;
  }

 private:
  const ir::Program& program_;
};

class CompiledRunner : public Runner {
 public:
  CompiledRunner(const ir::Program& program, const std::vector<std::string>& functions,
                 const std::optional<codegen::OlderMachine>& older)
      : program_(program), code_(codegen::compile(program, functions, nullptr, older)) {}

  Values run(const std::string& name) override {
    const codegen::CompiledFunction& function = code_->function(name);
    GuardedMemory memory(function.plan, dimensions,
                         [&](const std::string& tensor) -> auto& { return tensors[tensor]; });
    std::vector<std::int64_t> sizes;
    for (const std::string& symbol : program_.dimensions()) sizes.push_back(dimensions.at(symbol));
    codegen::RunState state{step, epoch, seed};
    function.run_on(memory.addresses(), sizes.data(), &state);
    if (memory.overrun()) throw std::logic_error("code wrote beyond the end of a buffer");
    Values values;
    const auto read = [&](const std::string& result) {
      return values[result] = memory.values(function.plan.buffer(result));
    };
    const ir::Function& description = program_.function(name);
    for (const ir::Binding& result : description.results) read(result.name);
    for (const ir::Binding& update : description.updates) tensors[update.name] = read(update.name);
    return values;
  }

 private:
  const ir::Program& program_;
  std::shared_ptr<const codegen::CompiledProgram> code_;
};

}  // namespace

std::unique_ptr<Runner> interpreted(const ir::Program& program) { return std::make_unique<InterpretedRunner>(program); }

std::unique_ptr<Runner> compiled(const ir::Program& program, const std::vector<std::string>& functions,
                                 const std::optional<codegen::OlderMachine>& older) {
  return std::make_unique<CompiledRunner>(program, functions, older);
}

std::vector<std::string> processors() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"x86-64", "x86-64-v3", ""};
  return {"x86-64", ""};
#else
  return {""};
#endif
}

std::optional<codegen::OlderMachine> machine_of(const std::string& processor) {
  if (processor.empty()) return std::nullopt;
  return codegen::older_machine(processor);
}

}  // namespace descent::test
