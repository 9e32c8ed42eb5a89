// What kernels are built from: sizes, arithmetic on indices, loops and branches.
#include <algorithm>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;

llvm::Value* KernelEmitter::size(const Dimension& dimension) {
  Value* sum = size(dimension.constant());
  for (const Dimension::Term& term : dimension.terms()) {
    Value* product = size(term.coefficient);
    for (const std::string& symbol : term.symbols) product = multiply(product, symbols_.at(symbol));
    sum = add(sum, product);
  }
  return sum;
}

llvm::Value* KernelEmitter::size(std::int64_t number) {
  if (!is_argument(number)) return i64(number);
  auto& values = sizes_->values;
  const auto at = static_cast<std::size_t>(std::find(values.begin(), values.end(), number) - values.begin());
  if (at == values.size()) {
    values.push_back(number);
    llvm::BasicBlock& entry = function_->getEntryBlock();
    llvm::IRBuilder<> at_entry(&entry, entry.begin());
    Value* place = at_entry.CreateConstGEP1_64(at_entry.getInt64Ty(), function_->getArg(4), at);
    size_values_.push_back(at_entry.CreateLoad(at_entry.getInt64Ty(), place));
  }
  return size_values_[at];
}

ir::Dimension KernelEmitter::literal(std::int64_t number) {
  const std::string name = " " + std::to_string(number);  // as no size of a program is called
  symbols_[name] = i64(number);
  return Dimension::symbol(name);
}

llvm::Value* KernelEmitter::multiply(Value* a, Value* b) {
  const auto is = [](Value* v, std::uint64_t n) {
    auto* c = llvm::dyn_cast<llvm::ConstantInt>(v);
    return c != nullptr && c->getZExtValue() == n;
  };
  if (is(a, 0) || is(b, 1)) return a;
  if (is(b, 0) || is(a, 1)) return b;
  return builder_.CreateNSWMul(a, b);
}

llvm::Value* KernelEmitter::add(Value* a, Value* b) {
  const auto zero = [](Value* v) {
    auto* c = llvm::dyn_cast<llvm::ConstantInt>(v);
    return c != nullptr && c->isZero();
  };
  return zero(a) ? b : zero(b) ? a : builder_.CreateNSWAdd(a, b);
}

llvm::Value* KernelEmitter::stack(llvm::Type* type, const char* name) {
  llvm::BasicBlock& entry = function_->getEntryBlock();
  llvm::IRBuilder<> at_entry(&entry, entry.begin());
  auto* memory = at_entry.CreateAlloca(type, nullptr, name);
  memory->setAlignment(llvm::Align(64));
  return memory;
}

void KernelEmitter::loop(Value* begin, Value* end, Value* step, const std::function<void(Value*)>& body) {
  carry(begin, end, step, {}, [&](Value* index, const Values&) {
    body(index);
    return Values{};
  });
}

/// The condition stands at the end of the loop, and once before it; a loop that runs once or never is none.
KernelEmitter::Values KernelEmitter::carry(Value* begin, Value* end, Value* step, Values values,
                                           const std::function<Values(Value*, const Values&)>& body) {
  auto *first = llvm::dyn_cast<llvm::ConstantInt>(begin), *last = llvm::dyn_cast<llvm::ConstantInt>(end),
       *by = llvm::dyn_cast<llvm::ConstantInt>(step);
  const bool known = first != nullptr && last != nullptr && by != nullptr;
  const std::int64_t length = known ? last->getSExtValue() - first->getSExtValue() : 0;
  if (known && length <= 0) return values;
  if (known && length <= by->getSExtValue()) return body(begin, values);
  llvm::BasicBlock* before = builder_.GetInsertBlock();
  const auto block = [&](const char* name) { return llvm::BasicBlock::Create(context_, name, function_); };
  // Blocks of its own in front of the loop and behind it, where passes put what leaves it.
  llvm::BasicBlock *start = before, *inside = block("loop"), *after = block("after"), *done = after;
  if (!known) {
    start = block("start");
    done = block("done");
    builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), start, after);
    builder_.SetInsertPoint(start);
  }
  builder_.CreateBr(inside);
  builder_.SetInsertPoint(inside);
  auto* index = builder_.CreatePHI(builder_.getInt64Ty(), 2);
  index->addIncoming(begin, start);
  Values now;
  for (Value* value : values) {
    auto* phi = builder_.CreatePHI(value->getType(), 2);
    phi->addIncoming(value, start);
    now.push_back(phi);
  }
  const Values next = body(index, now);
  Value* next_index = builder_.CreateNSWAdd(index, step);
  llvm::BasicBlock* latch = builder_.GetInsertBlock();
  index->addIncoming(next_index, latch);
  builder_.CreateCondBr(builder_.CreateICmpSLT(next_index, end), inside, done);
  for (std::size_t i = 0; i < now.size(); ++i) llvm::cast<llvm::PHINode>(now[i])->addIncoming(next[i], latch);
  if (known) {
    builder_.SetInsertPoint(after);
    return next;
  }
  builder_.SetInsertPoint(done);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  Values results;
  for (std::size_t i = 0; i < now.size(); ++i) {
    auto* phi = builder_.CreatePHI(values[i]->getType(), 2);
    phi->addIncoming(next[i], done);
    phi->addIncoming(values[i], before);
    results.push_back(phi);
  }
  return results;
}

KernelEmitter::Values KernelEmitter::carry_many(Value* begin, Value* end, Value* step, Values values,
                                                const std::function<Values(Value*, const Values&)>& body) {
  auto *first = llvm::dyn_cast<llvm::ConstantInt>(begin), *last = llvm::dyn_cast<llvm::ConstantInt>(end);
  if (first != nullptr && last != nullptr) return carry(begin, end, step, std::move(values), body);
  const auto block = [&](const char* name) { return llvm::BasicBlock::Create(context_, name, function_); };
  llvm::BasicBlock *before = builder_.GetInsertBlock(), *test = block("test"), *inside = block("loop"),
                   *after = block("after");
  builder_.CreateBr(test);
  builder_.SetInsertPoint(test);
  auto* index = builder_.CreatePHI(builder_.getInt64Ty(), 2);
  index->addIncoming(begin, before);
  Values now;
  for (Value* value : values) {
    auto* phi = builder_.CreatePHI(value->getType(), 2);
    phi->addIncoming(value, before);
    now.push_back(phi);
  }
  builder_.CreateCondBr(builder_.CreateICmpSLT(index, end), inside, after);
  builder_.SetInsertPoint(inside);
  const Values next = body(index, now);
  llvm::BasicBlock* latch = builder_.GetInsertBlock();
  index->addIncoming(builder_.CreateNSWAdd(index, step), latch);
  for (std::size_t i = 0; i < now.size(); ++i) llvm::cast<llvm::PHINode>(now[i])->addIncoming(next[i], latch);
  builder_.CreateBr(test);
  builder_.SetInsertPoint(after);
  return now;
}

void KernelEmitter::branch(Value* condition, const std::function<void()>& body) {
  if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(condition); known != nullptr) {
    if (known->isOne()) body();
    return;
  }
  auto* inside = llvm::BasicBlock::Create(context_, "then", function_);
  auto* after = llvm::BasicBlock::Create(context_, "after", function_);
  builder_.CreateCondBr(condition, inside, after);
  builder_.SetInsertPoint(inside);
  body();
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
}

/// True in the first `remaining` lanes.
llvm::Value* KernelEmitter::lane_mask(Value* remaining) {
  llvm::SmallVector<llvm::Constant*> numbers;
  for (unsigned i = 0; i < width(); ++i) numbers.push_back(builder_.getInt32(i));
  Value* limit = builder_.CreateTrunc(minimum(remaining, i64(machine_.lanes)), builder_.getInt32Ty());
  return builder_.CreateICmpSLT(llvm::ConstantVector::get(numbers), builder_.CreateVectorSplat(width(), limit));
}

}  // namespace descent::codegen
