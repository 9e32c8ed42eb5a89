#include "codegen/module.h"

#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <map>

#include "codegen/compile.h"
#include "codegen/kernel_emitter.h"
#include "codegen/same_code.h"

namespace descent::codegen {

KernelEmitter ModuleWriter::emitter(std::size_t index) {
  const KernelSet::Entry& entry = kernels_.kernels[index];
  return {module_, program_, *entry.plan, *entry.kernel, entry.signature, machine_};
}

void ModuleWriter::add_kernel(std::size_t index) { emitter(index).emit(kernel_name(index)); }

/// Each is written with its sizes as arguments, which is right whatever the others are. Where the code of several turns
/// out the same, it is kept once, and each of them becomes a call of it with numbers of its own. A kernel that stands
/// alone has its sizes in the code.
void ModuleWriter::add_family(const std::vector<std::size_t>& indices) {
  struct Member {
    std::size_t index;
    Sizes sizes;
  };
  struct Shared {
    llvm::Function* code;
    std::vector<Member> members;
  };
  Sizes common;
  for (std::size_t index : indices) {
    const KernelSet::Entry& entry = kernels_.kernels[index];
    const ir::Dimension count = ir::element_count(entry.kernel->space);
    if (count.is_constant()) common.most_elements = std::max(common.most_elements, count.constant());
    if (entry.kernel->contraction == nullptr) continue;
    const ir::Dimension rows = passes::contraction_axes(entry.kernel->contraction, *entry.plan).rows.back().size;
    if (rows.constant() % entry.kernel->blocking.tile_rows != 0) common.whole_tiles = false;
  }
  std::vector<Shared> all;
  for (std::size_t index : indices) {
    Member member{index, common};
    llvm::Function* code = emitter(index).emit("shared_" + kernel_name(index), &member.sizes);
    const auto same = std::find_if(all.begin(), all.end(), [&](const Shared& s) { return same_code(*s.code, *code); });
    if (same == all.end()) {
      all.push_back({code, {std::move(member)}});
    } else {
      code->eraseFromParent();
      same->members.push_back(std::move(member));
    }
  }
  for (const Shared& shared : all) {
    if (shared.members.size() == 1) {
      shared.code->eraseFromParent();
      add_kernel(shared.members[0].index);
      continue;
    }
    for (const Member& member : shared.members) {
      auto* run = create(kernel_name(member.index), kernel_parameters());
      llvm::SmallVector<Value*, 6> arguments;
      for (llvm::Argument& argument : run->args()) arguments.push_back(&argument);
      const auto& values = member.sizes.values;
      auto* none = llvm::ConstantPointerNull::get(builder_.getPtrTy());
      arguments.push_back(values.empty() ? static_cast<Value*>(none) : table(values, "sizes"));
      builder_.CreateCall(shared.code, arguments)->setTailCall();
      builder_.CreateRetVoid();
    }
  }
}

std::vector<llvm::Type*> ModuleWriter::kernel_parameters() {
  auto* pointer = builder_.getPtrTy();
  return {pointer, pointer, pointer, pointer};
}

llvm::FunctionCallee ModuleWriter::kernel(std::size_t index) {
  auto* type = llvm::FunctionType::get(builder_.getVoidTy(), kernel_parameters(), false);
  llvm::FunctionCallee function = module_.getOrInsertFunction(kernel_name(index), type);
  // It is linked with this module: its address needs no table.
  llvm::cast<llvm::Function>(function.getCallee())->setDSOLocal(true);
  return function;
}

template <typename Number>
llvm::GlobalVariable* ModuleWriter::table(const std::vector<Number>& numbers, const char* name) {
  auto* content = llvm::ConstantDataArray::get(module_.getContext(), llvm::ArrayRef(numbers));
  return new llvm::GlobalVariable(module_, content->getType(), true, llvm::GlobalValue::PrivateLinkage, content, name);
}

/// A few calls are written out. Many are a table that a loop walks: what there is to compile grows with the number of
/// different kernels, not with the number of calls.
void ModuleWriter::add_function(const std::string& name) {
  constexpr std::size_t kFew = 64;
  auto* pointer = builder_.getPtrTy();
  auto* run = create("descent_" + name, {pointer, pointer, pointer});
  const auto& calls = kernels_.calls.at(name);
  std::vector<std::int64_t> slots{0, 0};  // how many there are, then each
  std::vector<std::uint32_t> steps;       // of each call: which of the function's kernels, and where its slots begin
  std::vector<std::size_t> used;
  std::map<std::size_t, std::uint32_t> places;  // in `used`
  for (const KernelSet::Call& call : calls) {
    const auto [at, is_new] = places.try_emplace(call.kernel, static_cast<std::uint32_t>(used.size()));
    if (is_new) used.push_back(call.kernel);
    steps.insert(steps.end(), {at->second, static_cast<std::uint32_t>(slots[0])});
    slots[0] += static_cast<std::int64_t>(call.slots.size());
    for (const Slot& slot : call.slots) slots.insert(slots.end(), {slot.buffer, slot.value});
  }
  table(slots, slots_name(name).c_str())->setLinkage(llvm::GlobalValue::ExternalLinkage);
  std::vector<std::int64_t> numbers;
  for (const Part& part : kWhole) numbers.insert(numbers.end(), {part.begin, part.end});
  Value* whole = table(numbers, "whole");
  const auto call = [&](llvm::FunctionCallee code, Value* begin) {
    builder_.CreateCall(code,
                        {builder_.CreateGEP(pointer, run->getArg(0), begin), run->getArg(1), run->getArg(2), whole});
  };
  if (calls.size() <= kFew) {
    for (std::size_t i = 0; i < calls.size(); ++i) call(kernel(calls[i].kernel), i64(steps[2 * i + 1]));
  } else {
    auto* i32 = builder_.getInt32Ty();
    Value* codes = builder_.CreateAlloca(pointer, i64(static_cast<std::int64_t>(used.size())), "codes");
    for (std::size_t k = 0; k < used.size(); ++k) {
      builder_.CreateStore(kernel(used[k]).getCallee(), builder_.CreateConstGEP1_64(pointer, codes, k));
    }
    Value* all_steps = table(steps, "steps");
    llvm::FunctionType* type = kernel(used[0]).getFunctionType();
    loop(i64(static_cast<std::int64_t>(calls.size())), [&](Value* i) {
      const auto number = [&](std::int64_t which) {
        Value* at = builder_.CreateAdd(builder_.CreateMul(i, i64(2)), i64(which));
        return builder_.CreateZExt(builder_.CreateLoad(i32, builder_.CreateGEP(i32, all_steps, at)),
                                   builder_.getInt64Ty());
      };
      Value* code = builder_.CreateLoad(pointer, builder_.CreateGEP(pointer, codes, number(0)));
      call({type, code}, number(1));
    });
  }
  builder_.CreateRetVoid();
}

void ModuleWriter::finish() {
  // LLVM splits 512-bit vectors unless a function says that it wants them.
  const std::string bits = std::to_string(machine_.lanes * machine_.element * 8);
  for (llvm::Function& function : module_) {
    if (function.isDeclaration()) continue;
    function.addFnAttr("prefer-vector-width", bits);
    function.addFnAttr("min-legal-vector-width", bits);
  }
#ifndef NDEBUG
  std::string message;
  llvm::raw_string_ostream out(message);
  if (llvm::verifyModule(module_, &out)) throw std::runtime_error("LLVM: " + message);
#endif
}

llvm::Function* ModuleWriter::create(const std::string& name, const std::vector<llvm::Type*>& parameters) {
  auto* type = llvm::FunctionType::get(builder_.getVoidTy(), parameters, false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module_);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  builder_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function));
  return function;
}

void count_to(llvm::IRBuilder<>& builder, llvm::Value* end, const std::function<void(llvm::Value*)>& body) {
  llvm::BasicBlock* before = builder.GetInsertBlock();
  const auto block = [&](const char* name) {
    return llvm::BasicBlock::Create(builder.getContext(), name, before->getParent());
  };
  auto *head = block("loop"), *inside = block("body"), *after = block("after");
  builder.CreateBr(head);
  builder.SetInsertPoint(head);
  auto* index = builder.CreatePHI(builder.getInt64Ty(), 2);
  index->addIncoming(builder.getInt64(0), before);
  builder.CreateCondBr(builder.CreateICmpSLT(index, end), inside, after);
  builder.SetInsertPoint(inside);
  body(index);
  index->addIncoming(builder.CreateAdd(index, builder.getInt64(1)), builder.GetInsertBlock());
  builder.CreateBr(head);
  builder.SetInsertPoint(after);
}

}  // namespace descent::codegen
