// The LLVM module of a program, or a part of it: kernels, and the functions that run them in order.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <functional>

#include "codegen/kernel_emitter.h"
#include "codegen/kernel_set.h"

namespace descent::codegen {

/// A loop from 0 to `end`; `body` gets the index.
void count_to(llvm::IRBuilder<>& builder, llvm::Value* end, const std::function<void(llvm::Value* index)>& body);

class ModuleWriter {
 public:
  ModuleWriter(llvm::Module& module, const ir::Program& program, const KernelSet& kernels,
               const passes::Machine& machine)
      : module_(module), program_(program), kernels_(kernels), machine_(machine), builder_(module.getContext()) {}

  void add_kernel(std::size_t index);
  /// Kernels that may differ in sizes alone: those that do are one function.
  void add_family(const std::vector<std::size_t>& indices);
  /// The function descent_NAME; kernels that are not in this module are declared.
  void add_function(const std::string& name);
  void finish();

 private:
  using Value = llvm::Value;
  llvm::Function* create(const std::string& name, const std::vector<llvm::Type*>& parameters);
  KernelEmitter emitter(std::size_t index);
  std::vector<llvm::Type*> kernel_parameters();
  llvm::FunctionCallee kernel(std::size_t index);
  /// Constant memory with these numbers.
  template <typename Number>
  llvm::GlobalVariable* table(const std::vector<Number>& numbers, const char* name);
  Value* i64(std::int64_t v) { return builder_.getInt64(static_cast<std::uint64_t>(v)); }
  void loop(Value* end, const std::function<void(Value*)>& body) { count_to(builder_, end, body); }

  llvm::Module& module_;
  const ir::Program& program_;
  const KernelSet& kernels_;
  passes::Machine machine_;
  llvm::IRBuilder<> builder_;
};

}  // namespace descent::codegen
