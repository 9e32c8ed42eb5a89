// What LLVM cannot see of a kernel's memory: that its buffers are apart from each other.
#pragma once

#include <llvm/IR/Function.h>

namespace descent::codegen {

/// Marks every access in the function that is made through one of these pointers: what is reached from one of them is
/// not reached from another ("alias.scope" and "noalias" of LLVM's language reference).
void mark_apart(llvm::Function& function, llvm::ArrayRef<llvm::Value*> pointers);

}  // namespace descent::codegen
