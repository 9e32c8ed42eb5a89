// From program to machine code. No LLVM type appears here.
#pragma once

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codegen/addresses.h"
#include "ir/program.h"
#include "passes/machine.h"
#include "passes/memory.h"
#include "passes/partition.h"

namespace descent::codegen {

/// What the native code reads besides tensors. Its layout is part of the calling convention.
struct RunState {
  std::int64_t step = 0;   ///< of this step, from 1
  double epoch = 0;        ///< epochs done, with the fraction of the present one
  std::uint32_t seed = 0;  ///< of the run
};

/// Runs a function once. `addresses` is what an AddressTable of its slots and of buffers with elements (ir/elements.h)
/// has, `dimensions` the values of Program::dimensions() in order.
using RunFunction = void (*)(void* const* addresses, const std::int64_t* dimensions, RunState* state);

struct CompiledFunction {
  passes::BufferTable plan;
  RunFunction run = nullptr;
  std::span<const Slot> slots;  ///< of all its calls, as long as the program is there

  /// For one run on these buffers; for many, an AddressTable is made once.
  void run_on(std::vector<void*> buffers, const std::int64_t* dimensions, RunState* state) const {
    run(AddressTable(slots, std::move(buffers)).data(), dimensions, state);
  }
};

/// The indices [begin, end) of an axis; an end beyond it is its own.
struct Part {
  std::int64_t begin = 0, end = std::numeric_limits<std::int64_t>::max();
};
/// The code of one kernel, which the functions call with the addresses of its call. Makes a part of each axis that
/// threads share (passes/partition.h).
using KernelCode = void (*)(void* const* addresses, const std::int64_t* dimensions, RunState* state, const Part* parts);
/// Of all axes that a kernel may be cut along the whole.
inline constexpr std::array<Part, passes::kMostCuts> kWhole;

struct KernelTable;  // codegen/kernel_table.h

/// A compiled program; immutable, shared by any number of trainers and threads.
class CompiledProgram {
 public:
  virtual ~CompiledProgram() = default;
  virtual const CompiledFunction& function(const std::string& name) const = 0;  ///< throws descent::Error if not there
  /// The code of a kernel, by its index in the table of the kernels of all functions.
  virtual KernelCode kernel(std::size_t index) const = 0;
  virtual const KernelTable& kernels() const = 0;
};

class ObjectCache;  // codegen/native/object_cache.h

/// For functions of a program, what tells their graphs from others: equal digests, equal code.
using Digests = std::map<std::string, std::string>;  ///< by function
Digests digests_of(const ir::Program& program);      ///< of all but `initial`, which is interpreted

/// The functions of these digests as this version of Descent compiled them together for this machine before; null
/// where the cache has no such code.
std::shared_ptr<const CompiledProgram> find_compiled(const Digests& digests, ObjectCache& cache);

/// Compiles the functions that have a digest, and keeps their code in the cache.
std::shared_ptr<const CompiledProgram> compile_and_store(const ir::Program& program, const Digests& digests,
                                                         ObjectCache& cache);

/// A machine to make code for; empty names: this one.
struct Target {
  std::string triple, cpu;
  bool is_this_machine() const { return triple.empty() && cpu.empty(); }
};

/// A machine whose code this one runs as well: of an older processor, planned for smaller caches or fewer registers.
struct OlderMachine {
  Target target;
  passes::Machine machine;
};
/// Throws descent::Error where there is no such processor, or this one lacks instructions that it has.
OlderMachine older_machine(const std::string& cpu);

/// The machine that code is made for: this one, or the older one that the environment variable DESCENT_CPU names, so
/// that its code can be read and measured here. Throws as `older_machine`.
const OlderMachine& chosen_machine();

/// Compiles the named functions of an optimized program (passes::run_pipeline) for the chosen machine, or takes them
/// from the cache if one is given; or for an older one, whose code is not kept.
std::shared_ptr<const CompiledProgram> compile(const ir::Program& program, const std::vector<std::string>& functions,
                                               ObjectCache* cache = nullptr,
                                               const std::optional<OlderMachine>& older = std::nullopt);

/// What the planner knows of the machine that this program runs on.
passes::Machine this_machine();

/// The LLVM IR, or the assembly, that `compile` makes of one function.
std::string print_llvm(const ir::Program& program, const std::string& function,
                       const Target& target = chosen_machine().target);
std::string print_assembly(const ir::Program& program, const std::string& function,
                           const Target& target = chosen_machine().target);

}  // namespace descent::codegen
