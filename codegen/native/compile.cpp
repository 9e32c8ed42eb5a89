// From program to machine code: plans, then code from the object cache or made by LLVM.
#include "codegen/compile.h"

#include <cstdlib>
#include <iterator>
#include <mutex>

#include "codegen/backend.h"
#include "codegen/native/digest.h"
#include "codegen/native/host.h"
#include "codegen/native/object_cache.h"
#include "codegen/native/object_image.h"
#include "codegen/native/table_bytes.h"
#include "descent/error.h"
#include "ir/text.h"

namespace descent::codegen {

namespace {

/// The processor to make code for instead of this one; empty: this one.
std::string chosen_cpu() {
  const char* named = std::getenv("DESCENT_CPU");
  return named == nullptr ? "" : named;
}

class NativeProgram : public CompiledProgram {
 public:
  /// `kernels`: the bytes of the kernel table, read when it is asked for.
  NativeProgram(BufferTables tables, std::string kernels, Linked code)
      : code_(std::move(code)), kernel_bytes_(std::move(kernels)) {
    for (auto& [name, table] : tables) {
      const auto run = reinterpret_cast<RunFunction>(code_.symbols.at("descent_" + name));
      const auto* slots = static_cast<const Slot*>(code_.symbols.at(slots_name(name)));  // the first: their number
      functions_.emplace(name,
                         CompiledFunction{std::move(table), run, {slots + 1, static_cast<std::size_t>(slots->buffer)}});
    }
  }

  const CompiledFunction& function(const std::string& name) const override {
    auto at = functions_.find(name);
    if (at == functions_.end()) throw Error("the function '" + name + "' was not compiled");
    return at->second;
  }
  KernelCode kernel(std::size_t index) const override {
    return reinterpret_cast<KernelCode>(code_.symbols.at(kernel_name(index)));
  }
  const KernelTable& kernels() const override {
    std::call_once(kernels_read_, [this] { kernels_ = kernel_table(kernel_bytes_); });
    return kernels_;
  }

 private:
  Linked code_;
  std::string kernel_bytes_;
  mutable std::once_flag kernels_read_;
  mutable KernelTable kernels_;
  std::map<std::string, CompiledFunction> functions_;
};

/// Equal keys, equal code: the graphs of the functions, what makes code of them, and the machine.
std::string cache_key(const Digests& digests) {
  static const std::string host = host_identity() + chosen_cpu();
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
  std::vector<std::string> entry;  ///< of the cache: the tables of buffers and kernels, then the objects
  std::shared_ptr<const CompiledProgram> program;
};

std::vector<std::string_view> views_of(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

std::shared_ptr<const CompiledProgram> load(std::span<const std::string_view> entry) {
  if (entry.size() < 2) throw Error("there is no code");
  return std::make_shared<NativeProgram>(buffer_tables(entry[0]), std::string(entry[1]),
                                         load_objects(entry.subspan(2)));
}

Made make(const ir::Program& program, const std::vector<std::string>& functions,
          const OlderMachine& made_for = chosen_machine()) {
  const auto& [target, machine] = made_for;
  Plans plans;
  for (const std::string& name : functions) {
    const StageTimer timer(Stage::plan);
    plans[name] = passes::plan_kernels(program, program.function(name), machine);
  }
  const KernelSet set = collect_kernels(plans);
  std::vector<std::string> objects =
      backend().compile(program, plans, set, machine, target, CollectStageTimes::current());
  const std::string kernels = to_bytes(kernel_table(set, machine));
  BufferTables buffers;
  for (auto& [name, plan] : plans) buffers.emplace(name, static_cast<passes::BufferTable&&>(plan));
  Made made{{to_bytes(buffers), kernels}, nullptr};
  std::move(objects.begin(), objects.end(), std::back_inserter(made.entry));
  const StageTimer timer(Stage::link);
  made.program = load(views_of(made.entry));
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
  const auto entry = cache.find(cache_key(digests));
  if (!entry) return nullptr;
  try {
    return load(entry->pieces());
  } catch (const std::exception&) {
    cache.count_damaged();  // nothing that this version knows: compiled again
    return nullptr;
  }
}

std::shared_ptr<const CompiledProgram> compile_and_store(const ir::Program& program, const Digests& digests,
                                                         ObjectCache& cache) {
  std::vector<std::string> functions;
  for (const auto& [function, digest] : digests) functions.push_back(function);
  const Made made = make(program, functions);
  const StageTimer timer(Stage::cache);
  cache.store(cache_key(digests), views_of(made.entry));
  return made.program;
}

std::shared_ptr<const CompiledProgram> compile(const ir::Program& program, const std::vector<std::string>& functions,
                                               ObjectCache* cache, const std::optional<OlderMachine>& older) {
  // The keys of a cache know of this machine alone.
  if (older) return make(program, functions, *older).program;
  if (cache == nullptr) return make(program, functions).program;
  Digests digests;
  for (const std::string& name : functions) digests[name] = digest_of_function(program, program.function(name));
  if (auto known = find_compiled(digests, *cache)) return known;
  return compile_and_store(program, digests, *cache);
}

OlderMachine older_machine(const std::string& cpu) {
  const Target target{"", cpu};
  const passes::Machine machine = backend().machine_of(target);
  if (const auto lacking = backend().missing_here(target); !lacking.empty()) {
    throw Error("this processor cannot run the code of '" + cpu + "', which has " + lacking.front(),
                "name an older one, such as x86-64-v3 (AVX2) or x86-64");
  }
  return {target, machine};
}

const OlderMachine& chosen_machine() {
  static const std::string cpu = chosen_cpu();
  static const OlderMachine chosen = cpu.empty() ? OlderMachine{{}, this_machine()} : older_machine(cpu);
  return chosen;
}

std::string print_llvm(const ir::Program& program, const std::string& function, const Target& target) {
  return backend().print_llvm(program, function, target, CollectStageTimes::current());
}

std::string print_assembly(const ir::Program& program, const std::string& function, const Target& target) {
  return backend().print_assembly(program, function, target, CollectStageTimes::current());
}

}  // namespace descent::codegen
