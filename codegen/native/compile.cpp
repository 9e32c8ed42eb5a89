// From program to machine code: plans, then code from the object cache or made by LLVM.
#include "codegen/compile.h"

#include "codegen/backend.h"
#include "codegen/native/buffer_text.h"
#include "codegen/native/digest.h"
#include "codegen/native/host.h"
#include "codegen/native/object_cache.h"
#include "codegen/native/object_image.h"
#include "descent/error.h"
#include "ir/text.h"

namespace descent::codegen {

namespace {

class NativeProgram : public CompiledProgram {
 public:
  NativeProgram(BufferTables tables, Linked code) : code_(std::move(code)) {
    for (auto& [name, table] : tables) {
      const auto run = reinterpret_cast<RunFunction>(code_.symbols.at("descent_" + name));
      const auto* slots = static_cast<const Slot*>(code_.symbols.at(slots_name(name)));  // the first: their number
      functions_.emplace(name,
                         CompiledFunction{std::move(table), run, {slots + 1, static_cast<std::size_t>(slots->buffer)}});
    }
    const auto at = code_.symbols.find("descent_epoch");
    if (at != code_.symbols.end()) epoch_ = reinterpret_cast<RunEpoch>(at->second);
  }

  const CompiledFunction& function(const std::string& name) const override {
    auto at = functions_.find(name);
    if (at == functions_.end()) throw Error("the function '" + name + "' was not compiled");
    return at->second;
  }
  std::vector<std::string> functions() const override {
    std::vector<std::string> names;
    for (const auto& [name, function] : functions_) names.push_back(name);
    return names;
  }
  KernelCode kernel(std::size_t index) const override {
    return reinterpret_cast<KernelCode>(code_.symbols.at(kernel_name(index)));
  }
  RunEpoch epoch() const override { return epoch_; }

 private:
  Linked code_;
  std::map<std::string, CompiledFunction> functions_;
  RunEpoch epoch_ = nullptr;
};

/// Equal keys, equal code: the graphs of the functions, what makes code of them, and the machine.
std::string cache_key(const Digests& digests) {
  static const std::string host = host_identity();
  std::string text = std::string(build_id) + "\n" + host;
  for (const auto& [function, digest] : digests) text += "\n" + function + " " + digest;
  return digest_of(text);
}

std::string digest_of_function(const ir::Program& program, const ir::Function& function) {
  const StageTimer timer(Stage::cache);
  ir::Program one = program;
  one.functions = {function};
  return digest_of(ir::print(one));
}

struct Made {
  BufferTables tables;
  std::vector<std::string> objects;
  std::shared_ptr<const CompiledProgram> program;
};

Made make(const ir::Program& program, const std::vector<std::string>& functions, const passes::Machine& machine) {
  Plans plans;
  for (const std::string& name : functions) {
    const StageTimer timer(Stage::plan);
    plans[name] = passes::plan_kernels(program, program.function(name), machine);
  }
  const KernelSet set = collect_kernels(plans);
  Made made;
  made.objects = backend().compile(program, plans, set, machine, CollectStageTimes::current());
  for (auto& [name, plan] : plans) made.tables.emplace(name, static_cast<passes::BufferTable&&>(plan));
  const StageTimer timer(Stage::link);
  made.program = std::make_shared<NativeProgram>(made.tables, load_objects(made.objects));
  return made;
}

}  // namespace

Digests digests_of(const ir::Program& program) {
  Digests digests;
  for (const ir::Function& function : program.functions) {
    if (function.name != "initial") digests[function.name] = digest_of_function(program, function);
  }
  return digests;
}

std::shared_ptr<const CompiledProgram> find_compiled(const Digests& digests, ObjectCache& cache) {
  const StageTimer timer(Stage::cache);
  auto entry = cache.find(cache_key(digests));
  if (!entry || entry->empty()) return nullptr;
  try {
    BufferTables tables = parse_buffers(entry->front());
    entry->erase(entry->begin());
    return std::make_shared<NativeProgram>(std::move(tables), load_objects(*entry));
  } catch (const std::exception&) {
    cache.count_damaged();  // nothing that this version knows: compiled again
    return nullptr;
  }
}

std::shared_ptr<const CompiledProgram> compile_and_store(const ir::Program& program, const Digests& digests,
                                                         ObjectCache& cache) {
  std::vector<std::string> functions;
  for (const auto& [function, digest] : digests) functions.push_back(function);
  Made made = make(program, functions, this_machine());
  const StageTimer timer(Stage::cache);
  made.objects.insert(made.objects.begin(), print_buffers(made.tables));
  cache.store(cache_key(digests), made.objects);
  return made.program;
}

std::shared_ptr<const CompiledProgram> compile(const ir::Program& program, const std::vector<std::string>& functions,
                                               ObjectCache* cache, const std::optional<passes::Machine>& plan_for) {
  // The keys of a cache know of this machine alone.
  if (cache == nullptr || plan_for) return make(program, functions, plan_for.value_or(this_machine())).program;
  Digests digests;
  for (const std::string& name : functions) digests[name] = digest_of_function(program, program.function(name));
  if (auto known = find_compiled(digests, *cache)) return known;
  return compile_and_store(program, digests, *cache);
}

std::string print_llvm(const ir::Program& program, const std::string& function, const Target& target) {
  return backend().print_llvm(program, function, target, CollectStageTimes::current());
}

std::string print_assembly(const ir::Program& program, const std::string& function, const Target& target) {
  return backend().print_assembly(program, function, target, CollectStageTimes::current());
}

}  // namespace descent::codegen
