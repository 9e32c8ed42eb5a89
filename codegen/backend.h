// Between the part of the code generator that every program links (codegen/native) and the part that needs LLVM, which
// is a library of its own and loaded when something has to be compiled: LLVM costs tens of milliseconds and megabytes
// that a program whose code is in the object cache does not have to spend.
#pragma once

#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/kernel_set.h"
#include "codegen/standalone.h"
#include "ir/stage_times.h"
#include "passes/machine.h"

namespace descent::codegen {

/// The functions of the library with LLVM. All throw std::runtime_error for a failure of LLVM, and add the time that
/// their stages take to `times` unless it is null.
struct Backend {
  const char* build_id;  ///< of the sources it was built from: must be that of its user
  void (*prepare)();     ///< makes what the first compilation needs, if it is not yet there
  /// Relocatable object files with the kernels, and descent_NAME for every function.
  std::vector<std::string> (*compile)(const ir::Program& program, const Plans& plans, const KernelSet& kernels,
                                      const passes::Machine& machine, const Target& target, StageTimes* times);
  std::string (*print_llvm)(const ir::Program& program, const std::string& function, const Target& target,
                            StageTimes* times);
  std::string (*print_assembly)(const ir::Program& program, const std::string& function, const Target& target,
                                StageTimes* times);
  /// What there is to know of a machine. Throws descent::Error for one that there is no code for.
  passes::Machine (*machine_of)(const Target& target);
  /// What instructions a processor has that this one lacks, by LLVM's names of their sets.
  std::vector<std::string> (*missing_here)(const Target& target);
  /// One relocatable object file with the functions of a standalone model.
  std::string (*build)(const ir::Program& program, const Plans& plans, const KernelSet& kernels,
                       const Standalone& model, const Target& target, StageTimes* times);
};

/// Loads the library at the first call. Throws descent::Error where it is not found or was built from other sources.
const Backend& backend();

/// Changes whenever a source does that decides what machine code comes out.
extern const char* const build_id;

}  // namespace descent::codegen
