// The library with LLVM: kernels to object files, in parallel.
#include "codegen/backend.h"

#include <fmt/format.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <numeric>

#include "codegen/module.h"
#include "codegen/native/host.h"
#include "codegen/standalone_writer.h"
#include "codegen/target.h"
#include "descent/error.h"

namespace descent::codegen {

namespace {

/// Kernels, by their index in the set, that may differ in sizes alone.
using Family = std::vector<std::size_t>;

/// The kernels of a module; one module also has the functions that run them.
struct Part {
  std::vector<Family> families;
  bool has_functions = false;
};

/// About the processor time that a kernel takes to be made, in hundredths of a millisecond (Zen 5): fitted to 278
/// kernels of 18 models, each compiled by itself. So much for each kernel, node and phase, for a tile and each of its
/// sums, for tiles of few rows, for rows one by one, and for packing.
std::int64_t estimated_time(const KernelSet::Entry& entry) {
  const auto nodes = std::count(entry.signature.key.begin(), entry.signature.key.end(), '\n');
  const auto phases = static_cast<std::int64_t>(entry.kernel->phases.size());
  const std::int64_t elementwise = 80 + 2 * nodes + 110 * phases;
  if (entry.kernel->contraction == nullptr) return elementwise;
  using passes::Blocking;
  const Blocking& blocking = entry.kernel->blocking;
  if (blocking.outer) return elementwise + 80;
  if (blocking.form == Blocking::Form::dots) return elementwise + 640;
  if (blocking.form == Blocking::Form::turned) return elementwise + 130;
  const passes::FewRows& few = blocking.few;
  const bool has_low_tile = blocking.low_rows < blocking.tile_rows;
  const std::int64_t rows = blocking.tile_rows + (has_low_tile ? blocking.low_rows : 0);
  std::int64_t tiles = 110 + 7 * rows * blocking.tile_vectors;
  if (few.below > 1 && few.tiles_from > 1) tiles += 165;
  if (few.tiles_from < few.below) tiles += 230;
  return elementwise + tiles + (blocking.pack_rhs ? 350 : 0) + (blocking.pack_lhs ? 300 : 0);
}

/// Equal texts: kernels that may become one function with their sizes as arguments, if their code is the same. Empty:
/// one that keeps its sizes in the code, since it is small, or is made of several.
std::string family_of(const KernelSet::Entry& entry) {
  const passes::Kernel& kernel = *entry.kernel;
  if (!kernel.phases.empty() || kernel.scan != nullptr) return {};
  if (kernel.contraction != nullptr &&
      (kernel.blocking.form != passes::Blocking::Form::tiles || kernel.blocking.outer ||
       !passes::is_large(passes::contraction_axes(kernel.contraction, *entry.plan)))) {
    return {};
  }
  // Its lines without any numbers, in an order that follows from nothing else (operands that may be exchanged are
  // written down in one that does).
  std::vector<std::string> lines(1);
  for (char c : entry.signature.key) {
    if (c == '\n')
      lines.emplace_back();
    else if (c < '0' || c > '9')
      lines.back() += c;
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

/// In the order of their first members.
std::vector<Family> families_of(const KernelSet& set) {
  std::vector<Family> families;
  std::map<std::string, std::size_t> known;
  for (std::size_t k = 0; k < set.kernels.size(); ++k) {
    const std::string text = family_of(set.kernels[k]);
    const auto [at, is_new] = known.try_emplace(text, families.size());
    if (is_new || text.empty())
      families.push_back({k});
    else
      families[at->second].push_back(k);
  }
  return families;
}

/// Parts of about equal work.
std::vector<Part> share_work(const KernelSet& set, std::size_t parts) {
  std::vector<Part> result(parts);
  result[0].has_functions = true;
  const std::vector<Family> families = families_of(set);
  std::vector<std::int64_t> load(parts, 0), work;
  for (const Family& family : families) {
    // Where their code turns out not to be the same, all are made.
    work.push_back(estimated_time(set.kernels[family[0]]) * static_cast<std::int64_t>(family.size()));
  }
  load[0] = 80;  // the functions, by the time that they take, less what passes until another thread has begun
  std::vector<std::size_t> order(families.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return work[a] > work[b]; });
  for (std::size_t k : order) {
    const auto least = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    result[least].families.push_back(families[k]);
    load[least] += work[k];
  }
  return result;
}

struct Built {
  std::unique_ptr<llvm::LLVMContext> context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> module;
};

Built build(const ir::Program& program, const Plans& plans, const KernelSet& set, const Part& part,
            const passes::Machine& machine, llvm::TargetMachine& target, const Standalone* model = nullptr) {
  const StageTimer timer(Stage::llvm_ir);
  Built built;
  built.module = std::make_unique<llvm::Module>(program.name, *built.context);
  built.module->setDataLayout(target.createDataLayout());
  built.module->setTargetTriple(target.getTargetTriple());
  ModuleWriter writer(*built.module, program, set, machine);
  for (const Family& family : part.families) {
    if (family.size() == 1)
      writer.add_kernel(family[0]);
    else
      writer.add_family(family);
  }
  if (part.has_functions) {
    for (const auto& [name, plan] : plans) writer.add_function(name);
  }
  if (model != nullptr) write_standalone(*built.module, program, plans, set, *model);
  writer.finish();
  optimize(*built.module, target);
  return built;
}

/// A description of this machine for LLVM, made ahead for the next who needs one.
class SpareTarget {
 public:
  void make() {
    auto made = make_target_machine({});
    const std::lock_guard lock(mutex_);
    if (!spare_) spare_ = std::move(made);
  }
  std::unique_ptr<llvm::TargetMachine> take() {
    {
      const std::lock_guard lock(mutex_);
      if (spare_) return std::move(spare_);
    }
    return make_target_machine({});
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<llvm::TargetMachine> spare_;
};

SpareTarget& spare_target() {
  static SpareTarget spare;
  return spare;
}

void prepare() { spare_target().make(); }

std::vector<std::string> compile_program(const ir::Program& program, const Plans& plans, const KernelSet& set,
                                         const passes::Machine& machine, const Target& target, StageTimes* times) {
  const auto threads = static_cast<std::size_t>(host_processors());
  const std::vector<Part> parts = share_work(set, std::min(threads, set.kernels.size() / 2 + 1));
  const auto make = [&](const Part& part) {
    const CollectStageTimes collect(times);  // of this thread
    const auto made = target.is_this_machine() ? spare_target().take() : make_target_machine(target);
    const Built built = build(program, plans, set, part, machine, *made);
    return emit_object(*built.module, *made);
  };
  std::vector<std::future<std::string>> others;
  for (std::size_t p = 1; p < parts.size(); ++p) {
    others.push_back(std::async(std::launch::async, [&, p] { return make(parts[p]); }));
  }
  std::vector<std::string> objects{make(parts[0])};
  for (auto& other : others) objects.push_back(other.get());
  return objects;
}

/// One function of a program in one module, for printing.
struct Printed {
  Plans plans;
  KernelSet set;
  Built built;
};

Printed build_function(const ir::Program& program, const std::string& function, llvm::TargetMachine& target) {
  const passes::Machine machine = describe(target);
  Printed printed;
  {
    const StageTimer timer(Stage::plan);
    printed.plans[function] = passes::plan_kernels(program, program.function(function), machine);
  }
  printed.set = collect_kernels(printed.plans);
  printed.built = build(program, printed.plans, printed.set, share_work(printed.set, 1)[0], machine, target);
  return printed;
}

/// Before the label of each kernel's function, what the kernel makes; equal ones share their code.
std::string with_titles(const std::string& assembly, const Printed& printed, const std::string& function) {
  const auto& calls = printed.set.calls.at(function);
  const passes::KernelPlan& plan = printed.plans.at(function);
  std::map<std::string, std::string> titles;  // by label
  for (std::size_t call = 0; call < calls.size(); ++call) {
    const std::string name = kernel_name(calls[call].kernel);
    const std::string line = fmt::format("# kernel {}: {}\n", call, passes::title(plan.kernels[call], plan));
    titles[name + ":"] += line;
  }
  std::string text;
  std::size_t at = 0;
  while (at < assembly.size()) {
    const std::size_t end = std::min(assembly.find('\n', at), assembly.size() - 1) + 1;
    const std::string_view line(assembly.data() + at, end - at);
    if (auto found = titles.find(std::string(line.substr(0, line.find_first_of(" \t\n")))); found != titles.end()) {
      text += found->second;
    }
    text += line;
    at = end;
  }
  return text;
}

std::string llvm_text(const ir::Program& program, const std::string& function, const Target& target,
                      StageTimes* times) {
  const CollectStageTimes collect(times);
  const auto machine = make_target_machine(target);
  const Printed printed = build_function(program, function, *machine);
  std::string text;
  llvm::raw_string_ostream out(text);
  printed.built.module->print(out, nullptr);
  return text;
}

std::string assembly_text(const ir::Program& program, const std::string& function, const Target& target,
                          StageTimes* times) {
  const CollectStageTimes collect(times);
  const auto machine = make_target_machine(target);
  const Printed printed = build_function(program, function, *machine);
  return with_titles(emit_assembly(*printed.built.module, *machine), printed, function);
}

passes::Machine machine_of(const Target& target) { return describe(*make_target_machine(target)); }

std::vector<std::string> missing_here(const Target& target) { return host_lacks(*make_target_machine(target)); }

std::string build_standalone(const ir::Program& program, const Plans& plans, const KernelSet& set,
                             const Standalone& model, const Target& target, StageTimes* times) {
  const CollectStageTimes collect(times);
  const auto made = make_target_machine(target);
  const Built built = build(program, plans, set, share_work(set, 1)[0], describe(*made), *made, &model);
  return emit_object(*built.module, *made);
}

}  // namespace

}  // namespace descent::codegen

/// What codegen/native finds in this library.
extern "C" {
extern const descent::codegen::Backend descent_backend;
const descent::codegen::Backend descent_backend = {
    descent::codegen::build_id,     descent::codegen::prepare,         descent::codegen::compile_program,
    descent::codegen::llvm_text,    descent::codegen::assembly_text,   descent::codegen::machine_of,
    descent::codegen::missing_here, descent::codegen::build_standalone};
}
