// From program to machine code: plans, then code from the object cache or made by LLVM.
#include "codegen/compile.h"

#include <xxhash.h>

#include "codegen/backend.h"
#include "codegen/native/host.h"
#include "codegen/native/object_cache.h"
#include "codegen/native/object_image.h"
#include "descent/error.h"
#include "ir/text.h"

namespace descent::codegen {

namespace {

class NativeProgram : public CompiledProgram {
 public:
  NativeProgram(Plans plans, const KernelSet& set, Linked code, const passes::Machine& machine)
      : code_(std::move(code)), calls_(set.calls), machine_(machine) {
    for (auto& [name, plan] : plans) {
      CompiledFunction function{std::move(plan), nullptr};
      function.run = reinterpret_cast<RunFunction>(code_.symbols.at("descent_" + name));
      functions_.emplace(name, std::move(function));
    }
    const auto at = code_.symbols.find("descent_epoch");
    if (at != code_.symbols.end()) epoch_ = reinterpret_cast<RunEpoch>(at->second);
  }

  const CompiledFunction& function(const std::string& name) const override {
    auto at = functions_.find(name);
    if (at == functions_.end()) throw Error("the function '" + name + "' was not compiled");
    return at->second;
  }
  std::vector<KernelCall> calls(const std::string& name) const override {
    std::vector<KernelCall> result;
    const passes::KernelPlan& plan = function(name).plan;
    for (const KernelSet::Call& call : calls_.at(name)) {
      const std::string code = kernel_name(call.kernel);
      result.push_back({reinterpret_cast<decltype(KernelCall::code)>(code_.symbols.at(code)), code, call.slots,
                        passes::partition_of(plan.kernels[result.size()], plan, machine_)});
    }
    return result;
  }
  RunEpoch epoch() const override { return epoch_; }

 private:
  Linked code_;
  std::map<std::string, std::vector<KernelSet::Call>> calls_;
  std::map<std::string, CompiledFunction> functions_;
  passes::Machine machine_;
  RunEpoch epoch_ = nullptr;
};

/// Equal keys, equal code: the graphs of the functions, what makes code of them, and the machine.
std::string cache_key(const ir::Program& program, const std::vector<std::string>& functions) {
  ir::Program compiled = program;
  compiled.functions.clear();
  for (const std::string& name : functions) compiled.functions.push_back(program.function(name));
  static const std::string host = host_identity();
  const std::string text = std::string(build_id) + "\n" + host + ir::print(compiled);
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  char digits[33];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return digits;
}

}  // namespace

std::shared_ptr<const CompiledProgram> compile(const ir::Program& program, const std::vector<std::string>& functions,
                                               ObjectCache* cache, const std::optional<passes::Machine>& plan_for) {
  const passes::Machine machine = plan_for.value_or(this_machine());
  if (plan_for) cache = nullptr;  // whose keys know of this machine alone
  Plans plans;
  for (const std::string& name : functions) {
    const StageTimer timer(Stage::plan);
    plans[name] = passes::plan_kernels(program, program.function(name), machine);
  }
  const KernelSet set = collect_kernels(plans);
  std::string key;
  if (cache != nullptr) {
    const StageTimer timer(Stage::cache);
    key = cache_key(program, functions);
    if (const auto objects = cache->find(key)) {
      try {
        return std::make_shared<NativeProgram>(std::move(plans), set, load_objects(*objects), machine);
      } catch (const std::runtime_error&) {
        cache->count_damaged();  // nothing that this loader knows: compiled again
      }
    }
  }
  const std::vector<std::string> objects =
      backend().compile(program, plans, set, machine, CollectStageTimes::current());
  if (cache != nullptr) {
    const StageTimer timer(Stage::cache);
    cache->store(key, objects);
  }
  const StageTimer timer(Stage::link);
  return std::make_shared<NativeProgram>(std::move(plans), set, load_objects(objects), machine);
}

std::string print_llvm(const ir::Program& program, const std::string& function, const Target& target) {
  return backend().print_llvm(program, function, target, CollectStageTimes::current());
}

std::string print_assembly(const ir::Program& program, const std::string& function, const Target& target) {
  return backend().print_assembly(program, function, target, CollectStageTimes::current());
}

}  // namespace descent::codegen
