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

llvm::Value* ModuleWriter::field(Value* base, std::size_t offset) {
  return builder_.CreateConstGEP1_64(builder_.getInt8Ty(), base, offset);
}

llvm::Value* ModuleWriter::slot(Value* buffers, int index) {
  auto* pointer = builder_.getPtrTy();
  return builder_.CreateLoad(pointer, builder_.CreateConstGEP1_64(pointer, buffers, static_cast<std::uint64_t>(index)));
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

/// The epoch walks rows: every input must have the batch as its first axis.
bool ModuleWriter::walks_rows() const {
  const auto& inputs = program_.inputs;
  return !inputs.empty() &&
         std::all_of(inputs.begin(), inputs.end(), [&](const ir::Input& i) { return program_.has_rows(i.shape); });
}

/// Copies the rows `order[0 .. count)` of the data into the input buffers.
void ModuleWriter::gather(const passes::KernelPlan& plan, Value* buffers, Value* data, Value* widths, Value* order,
                          Value* count) {
  auto* pointer = builder_.getPtrTy();
  for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
    const ir::Shape row_shape(program_.inputs[i].shape.begin() + 1, program_.inputs[i].shape.end());
    const ir::Dimension row_size = ir::element_count(row_shape);
    Value* width =
        row_size.is_constant()
            ? i64(row_size.constant())
            : builder_.CreateLoad(builder_.getInt64Ty(), builder_.CreateConstGEP1_64(builder_.getInt64Ty(), widths, i));
    Value* bytes = i64(ir::element_bytes(program_.inputs[i].dtype));
    Value* from = builder_.CreateLoad(pointer, builder_.CreateConstGEP1_64(pointer, data, i));
    Value* to = slot(buffers, plan.buffer(program_.inputs[i].name));
    loop(count, [&](Value* row) {
      Value* which = builder_.CreateLoad(builder_.getInt32Ty(), builder_.CreateGEP(builder_.getInt32Ty(), order, row));
      Value* source = builder_.CreateMul(builder_.CreateZExt(which, builder_.getInt64Ty()), width);
      const auto place = [&](Value* base, Value* elements) {
        return builder_.CreateGEP(builder_.getInt8Ty(), base, builder_.CreateMul(elements, bytes));
      };
      builder_.CreateMemCpy(place(to, builder_.CreateMul(row, width)), llvm::Align(4), place(from, source),
                            llvm::Align(4), builder_.CreateMul(width, bytes));
    });
  }
}

bool ModuleWriter::add_epoch(const passes::KernelPlan& plan) {
  if (!walks_rows()) return false;
  llvm::Function* run = module_.getFunction("descent_step");
  auto* pointer = builder_.getPtrTy();
  auto *i64_type = builder_.getInt64Ty(), *i32_type = builder_.getInt32Ty();
  auto* f64 = builder_.getDoubleTy();
  const int loss_buffer = plan.buffer("loss");
  const bool wide_loss = plan.buffers[static_cast<std::size_t>(loss_buffer)].dtype == ir::DType::f64;
  auto* epoch = create("descent_epoch", {pointer});
  Value* arguments = epoch->getArg(0);
  const auto argument = [&](std::size_t offset, llvm::Type* type) {
    return builder_.CreateLoad(type, field(arguments, offset));
  };
  Value* buffers = argument(offsetof(EpochArguments, buffers), pointer);
  Value* addresses = argument(offsetof(EpochArguments, addresses), pointer);
  Value* dimensions = argument(offsetof(EpochArguments, dimensions), pointer);
  Value* state = argument(offsetof(EpochArguments, state), pointer);
  Value* data = argument(offsetof(EpochArguments, data), pointer);
  Value* widths = argument(offsetof(EpochArguments, widths), pointer);
  Value* permutation = argument(offsetof(EpochArguments, permutation), pointer);
  Value* rows = argument(offsetof(EpochArguments, rows), i64_type);
  Value* batch = argument(offsetof(EpochArguments, batch), i64_type);
  Value* batches = builder_.CreateSDiv(builder_.CreateAdd(rows, builder_.CreateSub(batch, i64(1))), batch);
  Value* share = builder_.CreateFDiv(llvm::ConstantFP::get(f64, 1), builder_.CreateSIToFP(batches, f64));
  Value* epoch_field = field(state, offsetof(RunState, epoch));
  Value* first_epoch = builder_.CreateLoad(f64, epoch_field);
  Value* first = argument(offsetof(EpochArguments, begin), i64_type);
  Value* end = argument(offsetof(EpochArguments, end), i64_type);
  loop(builder_.CreateSub(end, first), [&](Value* place) {
    Value* index = builder_.CreateAdd(first, place);
    Value* begin = builder_.CreateMul(index, batch);
    Value* left = builder_.CreateSub(rows, begin);
    Value* count = builder_.CreateSelect(builder_.CreateICmpSLT(left, batch), left, batch);
    builder_.CreateStore(count, dimensions);
    gather(plan, buffers, data, widths, builder_.CreateGEP(i32_type, permutation, begin), count);
    Value* step = builder_.CreateLoad(i64_type, state);
    builder_.CreateStore(builder_.CreateAdd(step, i64(1)), state);
    Value* done = builder_.CreateFMul(builder_.CreateSIToFP(index, f64), share);
    builder_.CreateStore(builder_.CreateFAdd(first_epoch, done), epoch_field);
    builder_.CreateCall(run, {addresses, dimensions, state});
    Value* loss = builder_.CreateLoad(wide_loss ? f64 : builder_.getFloatTy(), slot(buffers, loss_buffer));
    loss = builder_.CreateFPCast(loss, f64);
    Value* weighted = builder_.CreateFMul(loss, builder_.CreateSIToFP(count, f64));
    Value* total = field(arguments, offsetof(EpochArguments, loss_sum));
    builder_.CreateStore(builder_.CreateFAdd(builder_.CreateLoad(f64, total), weighted), total);
  });
  builder_.CreateRetVoid();
  return true;
}

}  // namespace descent::codegen
