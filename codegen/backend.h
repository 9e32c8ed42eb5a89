// Between the part of the code generator that every program links (codegen/native) and the part that needs LLVM, which
// is a library of its own and loaded when something has to be compiled: LLVM costs tens of milliseconds and megabytes
// that a program whose code is in the object cache does not have to spend.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/kernel_set.h"
#include "passes/machine.h"

namespace descent::codegen {

/// Machine code in memory.
struct Linked {
  std::shared_ptr<void> owner;           ///< keeps the code
  std::map<std::string, void*> symbols;  ///< kernels, descent_NAME for every function, descent_epoch if there is one
  std::vector<std::string> objects;      ///< the relocatable object files that it was linked from
};

/// The functions of the library with LLVM. All throw std::runtime_error for a failure of LLVM.
struct Backend {
  const char* build_id;  ///< of the sources it was built from: must be that of its user
  Linked (*compile)(const ir::Program& program, const Plans& plans, const KernelSet& kernels,
                    const passes::Machine& machine);
  std::string (*print_llvm)(const ir::Program& program, const std::string& function, const Target& target);
  std::string (*print_assembly)(const ir::Program& program, const std::string& function, const Target& target);
};

/// Loads the library at the first call. Throws descent::Error where it is not found or was built from other sources.
const Backend& backend();

/// Changes whenever a source does that decides what machine code comes out.
extern const char* const build_id;

}  // namespace descent::codegen
