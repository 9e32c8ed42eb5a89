// The library with LLVM: kernels to machine code, in parallel, and LLVM's ORC to load it.
#include "codegen/backend.h"

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

Built build(const ir::Program& program, const Plans& plans, const KernelSet& set, const Part& part,
            const passes::Machine& machine, llvm::TargetMachine& target) {
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

void check(llvm::Error error) {
  if (error) throw std::runtime_error("LLVM: " + llvm::toString(std::move(error)));
}

Linked compile_program(const ir::Program& program, const Plans& plans, const KernelSet& set,
                       const passes::Machine& machine) {
  const std::size_t threads = std::max<std::size_t>(1, std::thread::hardware_concurrency());
  const std::vector<Part> parts = share_work(set, std::min(threads, set.kernels.size() / 2 + 1));
  bool has_epoch = false;
  const auto make = [&](const Part& part) {
    const auto target = make_target_machine({});
    Built built = build(program, plans, set, part, machine, *target);
    if (part.has_functions) has_epoch = built.has_epoch;
    return emit_object(*built.module, *target);
  };
  std::vector<std::future<std::unique_ptr<llvm::MemoryBuffer>>> others;
  for (std::size_t p = 1; p < parts.size(); ++p) {
    others.push_back(std::async(std::launch::async, [&, p] { return make(parts[p]); }));
  }
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> objects;
  objects.push_back(make(parts[0]));
  std::shared_ptr<llvm::orc::LLJIT> jit = check(llvm::orc::LLJITBuilder().create());
  for (auto& other : others) objects.push_back(other.get());

  Linked linked{jit, {}, {}};
  for (auto& object : objects) {
    linked.objects.push_back(object->getBuffer().str());
    check(jit->addObjectFile(std::move(object)));
  }
  std::vector<std::string> names;
  for (const auto& [name, plan] : plans) names.push_back("descent_" + name);
  for (std::size_t k = 0; k < set.kernels.size(); ++k) names.push_back(kernel_name(k));
  if (has_epoch) names.emplace_back("descent_epoch");
  for (const std::string& name : names) linked.symbols[name] = check(jit->lookup(name)).toPtr<void*>();
  return linked;
}

/// One function of a program in one module, for printing.
Built build_function(const ir::Program& program, const std::string& function, llvm::TargetMachine& target) {
  const passes::Machine machine = describe(target);
  Plans plans;
  plans[function] = passes::plan_kernels(program, program.function(function), machine);
  const KernelSet set = collect_kernels(plans);
  return build(program, plans, set, share_work(set, 1)[0], machine, target);
}

std::string llvm_text(const ir::Program& program, const std::string& function, const Target& target) {
  const auto machine = make_target_machine(target);
  const Built built = build_function(program, function, *machine);
  std::string text;
  llvm::raw_string_ostream out(text);
  built.module->print(out, nullptr);
  return text;
}

std::string assembly_text(const ir::Program& program, const std::string& function, const Target& target) {
  const auto machine = make_target_machine(target);
  const Built built = build_function(program, function, *machine);
  return emit_assembly(*built.module, *machine);
}

}  // namespace

}  // namespace descent::codegen

/// What codegen/native finds in this library.
extern "C" {
extern const descent::codegen::Backend descent_backend;
const descent::codegen::Backend descent_backend = {descent::codegen::build_id, descent::codegen::compile_program,
                                                   descent::codegen::llvm_text, descent::codegen::assembly_text};
}
