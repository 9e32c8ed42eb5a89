// Compiling a program: plans, kernels that differ, machine code made in parallel, and LLVM's ORC to load it.
#include "codegen/compile.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <future>
#include <map>
#include <numeric>
#include <thread>

#include "codegen/module.h"
#include "codegen/target.h"
#include "descent/error.h"

namespace descent::codegen {

namespace {

template <typename T>
T check(llvm::Expected<T> value) {
  if (!value) throw std::runtime_error("LLVM: " + llvm::toString(value.takeError()));
  return std::move(*value);
}

/// The kernels of a module, by their index in the set; one module also has the functions that run them.
struct Part {
  std::vector<std::size_t> kernels;
  bool has_functions = false;
};

/// Parts of about equal work, judged by how much there is to say of a kernel.
std::vector<Part> share_work(const KernelSet& set, std::size_t parts) {
  std::vector<Part> result(parts);
  result[0].has_functions = true;
  std::vector<std::size_t> order(set.kernels.size()), load(parts, 0);
  std::iota(order.begin(), order.end(), 0);
  const auto work = [&](std::size_t k) {
    const KernelSet::Entry& entry = set.kernels[k];
    return entry.signature.key.size() + (entry.kernel->contraction != nullptr ? 1000 : 300);
  };
  for (const auto& [name, calls] : set.calls) load[0] += calls.size() * 10;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return work(a) > work(b); });
  for (std::size_t k : order) {
    const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    result[least].kernels.push_back(k);
    load[least] += work(k);
  }
  return result;
}

struct Built {
  std::unique_ptr<llvm::LLVMContext> context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> module;
  bool has_epoch = false;
};

Built build(const ir::Program& program, const std::map<std::string, passes::KernelPlan>& plans, const KernelSet& set,
            const Part& part, const passes::Machine& machine, llvm::TargetMachine& target) {
  Built built;
  built.module = std::make_unique<llvm::Module>(program.name, *built.context);
  built.module->setDataLayout(target.createDataLayout());
  built.module->setTargetTriple(target.getTargetTriple());
  ModuleWriter writer(*built.module, program, set, machine);
  for (std::size_t k : part.kernels) writer.add_kernel(k);
  if (part.has_functions) {
    for (const auto& [name, plan] : plans) {
      writer.add_function(name);
      if (name == "step") built.has_epoch = writer.add_epoch(plan);
    }
  }
  writer.finish();
  optimize(*built.module, target);
  return built;
}

class JitProgram : public CompiledProgram {
 public:
  JitProgram(const ir::Program& program, const std::vector<std::string>& names,
             const std::optional<passes::Machine>& plan_for) {
    const auto target = make_target_machine({});
    const passes::Machine machine = plan_for.value_or(describe(*target));
    std::map<std::string, passes::KernelPlan> plans;
    for (const std::string& name : names) {
      plans[name] = passes::plan_kernels(program, program.function(name), machine);
    }
    const KernelSet set = collect_kernels(plans);
    calls_ = set.calls;
    const std::size_t threads = std::max<std::size_t>(1, std::thread::hardware_concurrency());
    const std::vector<Part> parts = share_work(set, std::min(threads, set.kernels.size() / 2 + 1));

    bool has_epoch = false;
    const auto make = [&](const Part& part, llvm::TargetMachine& with) {
      Built built = build(program, plans, set, part, machine, with);
      if (part.has_functions) has_epoch = built.has_epoch;
      return emit_object(*built.module, with);
    };
    std::vector<std::future<std::unique_ptr<llvm::MemoryBuffer>>> others;
    for (std::size_t p = 1; p < parts.size(); ++p) {
      others.push_back(std::async(std::launch::async, [&, p] { return make(parts[p], *make_target_machine({})); }));
    }
    std::vector<std::unique_ptr<llvm::MemoryBuffer>> objects;
    objects.push_back(make(parts[0], *target));
    jit_ = check(llvm::orc::LLJITBuilder().create());
    for (auto& other : others) objects.push_back(other.get());
    for (auto& object : objects) add(jit_->addObjectFile(std::move(object)));

    for (auto& [name, plan] : plans) {
      CompiledFunction function{std::move(plan), nullptr};
      function.run = check(jit_->lookup("descent_" + name)).toPtr<RunFunction>();
      functions_.emplace(name, std::move(function));
    }
    if (has_epoch) epoch_ = check(jit_->lookup("descent_epoch")).toPtr<RunEpoch>();
  }

  const CompiledFunction& function(const std::string& name) const override {
    auto at = functions_.find(name);
    if (at == functions_.end()) throw Error("the function '" + name + "' was not compiled");
    return at->second;
  }
  std::vector<KernelCall> calls(const std::string& name) const override {
    std::vector<KernelCall> result;
    for (const KernelSet::Call& call : calls_.at(name)) {
      const std::string code = kernel_name(call.kernel);
      result.push_back({check(jit_->lookup(code)).toPtr<decltype(KernelCall::code)>(), code, call.slots});
    }
    return result;
  }
  RunEpoch epoch() const override { return epoch_; }

 private:
  static void add(llvm::Error error) {
    if (error) throw std::runtime_error("LLVM: " + llvm::toString(std::move(error)));
  }

  std::unique_ptr<llvm::orc::LLJIT> jit_;
  std::map<std::string, CompiledFunction> functions_;
  std::map<std::string, std::vector<KernelSet::Call>> calls_;
  RunEpoch epoch_ = nullptr;
};

/// One function of a program in one module, for printing.
Built build_function(const ir::Program& program, const std::string& function, llvm::TargetMachine& target) {
  const passes::Machine machine = describe(target);
  std::map<std::string, passes::KernelPlan> plans;
  plans[function] = passes::plan_kernels(program, program.function(function), machine);
  const KernelSet set = collect_kernels(plans);
  return build(program, plans, set, share_work(set, 1)[0], machine, target);
}

}  // namespace

std::shared_ptr<const CompiledProgram> compile(const ir::Program& program, const std::vector<std::string>& functions,
                                               const std::optional<passes::Machine>& plan_for) {
  return std::make_shared<JitProgram>(program, functions, plan_for);
}

passes::Machine this_machine() { return describe(*make_target_machine({})); }

std::string print_llvm(const ir::Program& program, const std::string& function, const Target& target) {
  const auto machine = make_target_machine(target);
  const Built built = build_function(program, function, *machine);
  std::string text;
  llvm::raw_string_ostream out(text);
  built.module->print(out, nullptr);
  return text;
}

std::string print_assembly(const ir::Program& program, const std::string& function, const Target& target) {
  const auto machine = make_target_machine(target);
  const Built built = build_function(program, function, *machine);
  return emit_assembly(*built.module, *machine);
}

}  // namespace descent::codegen
