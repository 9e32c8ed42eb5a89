// The LLVM IR of a standalone model.
#pragma once

#include <llvm/IR/Module.h>

#include "codegen/standalone.h"

namespace descent::codegen {

/// Adds the functions of the model to a module that has the kernels and the functions that run them (module.h), and
/// makes everything else known in this module alone: several models can be linked into one program.
void write_standalone(llvm::Module& module, const ir::Program& program, const Plans& plans, const KernelSet& set,
                      const Standalone& model);

}  // namespace descent::codegen
