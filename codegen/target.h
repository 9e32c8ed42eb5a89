// The machine that code is made for, and LLVM's way from a module to machine code.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include "codegen/compile.h"
#include "passes/machine.h"

namespace descent::codegen {

/// LLVM's target machine for `target`. Each thread that compiles needs one of its own.
std::unique_ptr<llvm::TargetMachine> make_target_machine(const Target& target);

/// What the planner and the kernels know of it; the caches are this machine's.
passes::Machine describe(const llvm::TargetMachine& target);

/// The sets of instructions of a machine that this one lacks.
std::vector<std::string> host_lacks(const llvm::TargetMachine& target);

/// The few passes over LLVM IR that the code generator's output profits from.
void optimize(llvm::Module& module, llvm::TargetMachine& target);

/// A relocatable object file.
std::string emit_object(llvm::Module& module, llvm::TargetMachine& target);
std::string emit_assembly(llvm::Module& module, llvm::TargetMachine& target);

}  // namespace descent::codegen
