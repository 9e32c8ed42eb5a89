// Addresses in kernels are pointers to buffers, moved on: which buffer an access is to is found by going back.
#include "codegen/alias_scopes.h"

#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Operator.h>

namespace descent::codegen {

namespace {

struct Lists {
  llvm::MDNode *own, *others;
};
using ListsOfPointers = llvm::DenseMap<llvm::Value*, Lists>;

/// What is said of the pointer that an address was made of; null where it is none of these. A loop that carries an
/// address along begins with one of the same buffer.
const Lists* find_lists(llvm::Value* address, const ListsOfPointers& lists) {
  while (true) {
    if (const auto at = lists.find(address); at != lists.end()) return &at->second;
    if (auto* place = llvm::dyn_cast<llvm::GEPOperator>(address)) {
      address = place->getPointerOperand();
    } else if (auto* carried = llvm::dyn_cast<llvm::PHINode>(address)) {
      address = carried->getIncomingValue(0);
    } else {
      return nullptr;
    }
  }
}

/// The address of an access; null where the instruction is none, or has several.
llvm::Value* address_of(llvm::Instruction& instruction) {
  if (auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) return load->getPointerOperand();
  if (auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) return store->getPointerOperand();
  llvm::Value* found = nullptr;
  if (auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction)) {
    for (llvm::Value* argument : call->args()) {
      if (!argument->getType()->isPtrOrPtrVectorTy()) continue;
      if (found != nullptr) return nullptr;
      found = argument;
    }
  }
  return found;
}

}  // namespace

void mark_apart(llvm::Function& function, llvm::ArrayRef<llvm::Value*> pointers) {
  if (pointers.size() < 2) return;
  llvm::LLVMContext& context = function.getContext();
  llvm::MDBuilder metadata(context);
  llvm::MDNode* domain = metadata.createAnonymousAliasScopeDomain();
  llvm::SmallVector<llvm::Metadata*, 8> scopes;
  for (std::size_t i = 0; i < pointers.size(); ++i) scopes.push_back(metadata.createAnonymousAliasScope(domain));
  ListsOfPointers lists;
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    llvm::SmallVector<llvm::Metadata*, 8> others = scopes;
    others.erase(others.begin() + i);
    lists[pointers[i]] = {llvm::MDNode::get(context, scopes[i]), llvm::MDNode::get(context, others)};
  }
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    llvm::Value* address = address_of(instruction);
    if (address == nullptr) continue;
    const Lists* said = find_lists(address, lists);
    if (said == nullptr) continue;
    instruction.setMetadata(llvm::LLVMContext::MD_alias_scope, said->own);
    instruction.setMetadata(llvm::LLVMContext::MD_noalias, said->others);
  }
}

}  // namespace descent::codegen
