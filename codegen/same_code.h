// Whether two functions of a module are the same instructions.
#pragma once

#include <llvm/IR/Function.h>

namespace descent::codegen {

/// Instruction by instruction in the order of their blocks, which the same emitter has written. What is said of memory
/// beside (alias scopes) is taken to follow from them.
bool same_code(const llvm::Function& a, const llvm::Function& b);

}  // namespace descent::codegen
