// Elementwise loops with stores and reductions, over a space or over the tile that a contraction has just made.
#include "codegen/kernel_emitter.h"

#include <llvm/IR/Intrinsics.h>

#include <limits>
#include <set>

#include "ir/op.h"

namespace descent::codegen {

using ir::Dimension;
using ir::Node;
using ir::Op;

namespace {

constexpr int kLong = 60;  // instructions of a vector, from which on it is worth less to have code for whole vectors

/// Counts the instructions of an op's code.
class Counter : public ir::ScalarEmitter {
 public:
  ir::LaneHandle emit(ir::Instruction, ir::LaneHandle, ir::LaneHandle, ir::LaneHandle) override {
    ++count;
    return nullptr;
  }
  ir::LaneHandle f32(float) override { return nullptr; }
  ir::LaneHandle i32(std::int32_t) override { return nullptr; }
  int count = 0;
};

ir::LaneKind kind_of(const Node* node) {
  switch (node->type.dtype) {
    case ir::DType::i32:
      return ir::LaneKind::i32;
    case ir::DType::boolean:
      return ir::LaneKind::mask;
    case ir::DType::f32:
      break;
  }
  return ir::LaneKind::f32;
}

int instruction_count(const Node* node) {
  Counter counter;
  const ir::Lane lane{&counter, nullptr};
  ir::info(node).code(lane, lane, lane, kind_of(node));
  return counter.count;
}

/// x, where the node is exp(-|x|).
const Node* magnitude_of_decay(const Node* node) {
  if (node->op != Op::exponential || node->operands[0]->op != Op::negate) return nullptr;
  const Node* magnitude = node->operands[0]->operands[0];
  return magnitude->op == Op::abs ? magnitude->operands[0] : nullptr;
}

/// A kernel for one number works on it alone, not on a vector with one number in it.
Machine machine_for(const passes::Kernel& kernel, Machine machine) {
  if (kernel.contraction == nullptr && ir::element_count(kernel.space).is_one()) machine.lanes = 1;
  return machine;
}

/// Drops the axes of size 1.
std::vector<Dimension> squeeze(const std::vector<Dimension>& strides, const ir::Shape& space) {
  std::vector<Dimension> kept;
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (!space[i].is_one()) kept.push_back(strides[i]);
  }
  return kept;
}

}  // namespace

KernelEmitter::KernelEmitter(llvm::Module& module, const ir::Program& program, const passes::KernelPlan& plan,
                             const passes::Kernel& kernel, const passes::Signature& signature, const Machine& machine)
    : module_(module),
      context_(module.getContext()),
      builder_(context_),
      lanes_(builder_, static_cast<unsigned>(machine_for(kernel, machine).lanes)),
      program_(program),
      plan_(plan),
      kernel_(kernel),
      signature_(signature),
      machine_(machine_for(kernel, machine)),
      partition_(passes::partition_of(kernel, plan, machine_)) {}

llvm::Function* KernelEmitter::emit(const std::string& name) {
  auto* pointer = llvm::PointerType::get(context_, 0);
  auto* i32 = builder_.getInt32Ty();
  auto* i64_type = builder_.getInt64Ty();
  auto* type =
      llvm::FunctionType::get(builder_.getVoidTy(), {pointer, pointer, pointer, pointer, i64_type, i64_type}, false);
  function_ = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module_);
  // The wrapper loads addresses; the body takes them as arguments that do not alias.
  builder_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function_));
  const std::size_t buffers = signature_.buffers.size(), streams = signature_.streams.size();
  std::vector<llvm::Value*> arguments;
  std::vector<llvm::Type*> types(buffers + 2, pointer);
  types.insert(types.end(), streams, i32);
  types.insert(types.end(), 2, i64_type);
  for (std::size_t slot = 0; slot < buffers + streams; ++slot) {
    Value* number = builder_.CreateLoad(i32, builder_.CreateConstGEP1_64(i32, function_->getArg(1), slot));
    if (slot >= buffers) {
      arguments.push_back(number);
      continue;
    }
    Value* index = builder_.CreateZExt(number, builder_.getInt64Ty());
    arguments.push_back(builder_.CreateLoad(pointer, builder_.CreateGEP(pointer, function_->getArg(0), index)));
  }
  arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(buffers),
                   {function_->getArg(2), function_->getArg(3)});
  arguments.insert(arguments.end(), {function_->getArg(4), function_->getArg(5)});
  auto* body_type = llvm::FunctionType::get(builder_.getVoidTy(), types, false);
  auto* body = llvm::Function::Create(body_type, llvm::Function::InternalLinkage, name + "_body", module_);
  body->addFnAttr(llvm::Attribute::NoInline);
  body->addFnAttr(llvm::Attribute::NoUnwind);
  builder_.CreateCall(body, arguments);
  builder_.CreateRetVoid();
  llvm::Function* wrapper = function_;

  function_ = body;
  builder_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", body));
  unsigned index = 0;
  for (int b : signature_.buffers) {
    body->addParamAttr(index, llvm::Attribute::NoAlias);
    pointers_[b] = body->getArg(index++);
  }
  body->addParamAttr(index, llvm::Attribute::NoAlias);
  Value* dimensions = body->getArg(index++);
  body->addParamAttr(index, llvm::Attribute::NoAlias);
  state_ = body->getArg(index++);
  for (double stream : signature_.streams) streams_[stream] = body->getArg(index++);
  part_begin_ = body->getArg(index++);
  part_end_ = body->getArg(index++);
  std::uint64_t position = 0;
  for (const std::string& symbol : program_.dimensions()) {
    symbols_[symbol] = builder_.CreateLoad(
        builder_.getInt64Ty(), builder_.CreateConstGEP1_64(builder_.getInt64Ty(), dimensions, position++), symbol);
  }
  if (!kernel_.phases.empty()) {
    emit_phases();
  } else if (kernel_.scan != nullptr) {
    emit_scan();
  } else {
    collect_buffers();
    begin_reductions();
    if (kernel_.contraction != nullptr)
      emit_contraction();
    else
      emit_elementwise();
    end_reductions();
  }
  builder_.CreateRetVoid();
  return wrapper;
}

/// Finds every view that the lanes will load, in the kernel's axes.
void KernelEmitter::collect_buffers() {
  for (const Dimension& d : kernel_.space) {
    if (!d.is_one()) axes_.push_back(d);
  }
  space_strides_ = passes::row_major(axes_);
  const auto squeezed = [&](passes::View view) {
    passes::for_each_axes(view, [&](auto& strides) { strides = squeeze(strides, kernel_.space); });
    return view;
  };
  const auto visit = [&](auto&& self, const Node* node) -> void {
    if (node == kernel_.contraction || node->op == Op::rng_uniform || views_.contains(node)) return;
    if (passes::computed_in(kernel_, node, plan_)) {
      if (!values_.emplace(node, nullptr).second) return;
      instructions_ += instruction_count(node);
      if (const Node* x = magnitude_of_decay(node); x != nullptr) decays_.emplace(x, node);
      for (const Node* operand : node->operands) self(self, operand);
      return;
    }
    views_.emplace(node, squeezed(passes::access(kernel_, node, plan_)));
  };
  for (const passes::Store& s : kernel_.stores) {
    visit(visit, s.node);
    const auto strides = s.strides.empty() ? passes::row_major(kernel_.space) : s.strides;
    passes::View place(s.node, s.offset, strides);
    place.indirections = s.indirections;
    store_places_.push_back(squeezed(std::move(place)));
  }
  for (const auto& [node, b] : kernel_.reductions) {
    visit(visit, passes::reduced_value(node));
    accumulators_.push_back({node, b, squeezed(passes::reduction_place(node, plan_))});
  }
  for (Accumulator& a : accumulators_) {
    if (is_whole(a)) a.logarithm = find_logarithm(a.node);
  }
  values_.clear();
  if (kernel_.contraction == nullptr) {
    while (merge_axes()) {
    }
  }
}

/// Makes one axis of two neighbours that every tensor walks as one; longer innermost loops fill more vectors.
bool KernelEmitter::merge_axes() {
  std::vector<std::vector<Dimension>*> strides{&space_strides_};
  const auto collect = [&](std::vector<Dimension>& list) { strides.push_back(&list); };
  for (auto& [node, view] : views_) passes::for_each_axes(view, collect);
  for (Accumulator& a : accumulators_) passes::for_each_axes(a.place, collect);
  for (passes::View& place : store_places_) passes::for_each_axes(place, collect);
  for (std::size_t i = row_axes_; i + 1 < axes_.size(); ++i) {
    bool all = true;
    for (const auto* s : strides) {
      const bool none = (*s)[i] == Dimension(0) && (*s)[i + 1] == Dimension(0);
      const bool dense = (*s)[i] == (*s)[i + 1] * axes_[i + 1] && !((*s)[i + 1] == Dimension(0));
      all = all && (none || dense);
    }
    if (!all) continue;
    if (i == 0) merged_ = merged_ * axes_[1];
    axes_[i] = axes_[i] * axes_[i + 1];
    axes_.erase(axes_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    for (auto* s : strides) {
      (*s)[i] = (*s)[i + 1];
      s->erase(s->begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
    return true;
  }
  return false;
}

llvm::Value* KernelEmitter::size(const Dimension& dimension) {
  Value* sum = i64(dimension.constant());
  for (const Dimension::Term& term : dimension.terms()) {
    Value* product = i64(term.coefficient);
    for (const std::string& symbol : term.symbols) product = multiply(product, symbols_.at(symbol));
    sum = add(sum, product);
  }
  return sum;
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
  auto* start = llvm::BasicBlock::Create(context_, "start", function_);
  auto* inside = llvm::BasicBlock::Create(context_, "loop", function_);
  auto* done = llvm::BasicBlock::Create(context_, "done", function_);
  auto* after = llvm::BasicBlock::Create(context_, "after", function_);
  if (known) {
    builder_.CreateBr(start);
  } else {
    builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), start, after);
  }
  builder_.SetInsertPoint(start);
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
  builder_.SetInsertPoint(done);
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  Values results;
  for (std::size_t i = 0; i < now.size(); ++i) {
    auto* phi = builder_.CreatePHI(values[i]->getType(), 2);
    phi->addIncoming(next[i], done);
    if (!known) phi->addIncoming(values[i], before);
    results.push_back(phi);
  }
  return results;
}

void KernelEmitter::branch(Value* condition, const std::function<void()>& body) {
  if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(condition); known != nullptr && known->isOne()) return body();
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

KernelEmitter::Range KernelEmitter::part(passes::Partition::Axis axis, const Dimension& whole) {
  if (!is_shared(axis)) return {i64(0), size(whole)};
  return {part_begin_, minimum(part_end_, size(whole))};
}

void KernelEmitter::emit_elementwise() {
  std::vector<Loop> loops;
  for (const Dimension& d : axes_) loops.push_back(Loop{i64(0), size(d), d});
  if (is_shared(passes::Partition::Axis::first)) {
    const Range range = part(passes::Partition::Axis::first, partition_.size);
    Value* scale = size(merged_);
    loops[0].base = multiply(range.begin, scale);
    loops[0].count = multiply(builder_.CreateSub(range.end, range.begin), scale);
    loops[0].whole_vectors = merged_.is_constant() && merged_.constant() % machine_.lanes == 0;
  }
  emit_part(std::move(loops), nullptr);
}

void KernelEmitter::emit_part(std::vector<Loop> loops, Value* tile) {
  // Column by column, sums over the rows stay in registers. That is for reductions which take the rows away and keep
  // the columns, and for rows that are so short that a column of them is in few lines of the cache's sets; a reduction
  // along the innermost axis alone wants that axis inside, and so does memory.
  constexpr std::int64_t kShort = 256;
  const auto keeps_columns = [](const Accumulator& a) { return a.vector == nullptr; };
  const bool is_short = !loops.empty() && loops.back().size.is_constant() && loops.back().size.constant() <= kShort;
  const bool rows_inside =
      tile != nullptr && loops.size() > 1 && is_short &&
      std::any_of(accumulators_.begin(), accumulators_.end(), keeps_columns) &&
      std::none_of(accumulators_.begin(), accumulators_.end(), [&](const Accumulator& a) { return is_row(a); });
  if (rows_inside) return emit_columns(loops, tile);
  const auto nest = [&](auto&& self, std::size_t axis) -> void {
    if (axis + 1 >= loops.size()) return emit_inner(loops, tile);
    loop(i64(0), loops[axis].count, i64(1), [&](Value* local) {
      loops[axis].index = add(loops[axis].base, local);
      self(self, axis + 1);
    });
  };
  nest(nest, 0);
}

/// Where a vector takes long to compute, all are under a mask: code once instead of twice counts more than the mask.
void KernelEmitter::for_vectors(Loop& inner, const std::function<void(Value*)>& body) {
  auto* constant = llvm::dyn_cast<llvm::ConstantInt>(inner.count);
  if (constant == nullptr && !inner.whole_vectors && instructions_ > kLong) {
    loop(i64(0), inner.count, i64(machine_.lanes), [&](Value* local) {
      inner.index = add(inner.base, local);
      mostly_whole_ = true;
      body(lane_mask(builder_.CreateSub(inner.count, local)));
      mostly_whole_ = false;
    });
    return;
  }
  Value* whole = builder_.CreateAnd(inner.count, i64(-machine_.lanes));
  loop(i64(0), whole, i64(machine_.lanes), [&](Value* local) {
    inner.index = add(inner.base, local);
    body(nullptr);
  });
  if (inner.whole_vectors || (constant != nullptr && constant->getSExtValue() % machine_.lanes == 0)) return;
  const auto rest = [&] {
    inner.index = add(inner.base, whole);
    body(lane_mask(builder_.CreateSub(inner.count, whole)));
  };
  if (constant != nullptr) return rest();
  branch(builder_.CreateICmpSLT(whole, inner.count), rest);
}

/// One vector of columns after the other, down all rows of the block.
void KernelEmitter::emit_columns(std::vector<Loop>& loops, Value* tile) {
  std::vector<Accumulator*> columns;
  for (Accumulator& a : accumulators_) {
    if (is_column(a)) columns.push_back(&a);
  }
  for_vectors(loops.back(), [&](Value* mask) {
    for (Accumulator* a : columns) {
      a->vector = stack(lanes_.float_vector(), "column");
      builder_.CreateStore(identity(a->node), a->vector);
    }
    const auto nest = [&](auto&& self, std::size_t axis) -> void {
      if (axis + 1 >= loops.size()) return emit_vector(loops, tile_vector(loops, tile), mask);
      loop(i64(0), loops[axis].count, i64(1), [&](Value* local) {
        loops[axis].index = add(loops[axis].base, local);
        self(self, axis + 1);
      });
    };
    nest(nest, 0);
    current_ = &loops;
    mask_ = mask;
    for (Accumulator* a : columns) {
      Value* sum = builder_.CreateLoad(lanes_.float_vector(), a->vector);
      a->vector = nullptr;
      accumulate(*a, sum);
    }
  });
}

/// The innermost axis: whole vectors, then what is left under a mask.
void KernelEmitter::emit_inner(std::vector<Loop>& loops, Value* tile) {
  if (loops.empty()) {  // a single number: one lane of a vector
    emit_vector(loops, tile_vector(loops, tile), machine_.lanes == 1 ? nullptr : lane_mask(i64(1)));
    return;
  }
  Loop& inner = loops.back();
  for (Accumulator& a : accumulators_) {
    if (is_row(a)) builder_.CreateStore(identity(a.node), a.vector);
  }
  for_vectors(inner, [&](Value* mask) { emit_vector(loops, tile_vector(loops, tile), mask); });
  for (Accumulator& a : accumulators_) {
    if (!is_row(a)) continue;
    inner.index = i64(0);
    Value* at = element(pointers_.at(a.buffer), offset_of(a.place.strides, loops));
    Value* row =
        builder_.CreateVectorSplat(width(), reduce_lanes(a.node, builder_.CreateLoad(lanes_.float_vector(), a.vector)));
    Value* old = builder_.CreateVectorSplat(width(), builder_.CreateLoad(builder_.getFloatTy(), at));
    builder_.CreateStore(builder_.CreateExtractElement(combine(a.node, old, row), std::uint64_t{0}), at);
  }
}

llvm::Value* KernelEmitter::offset_of(const std::vector<Dimension>& strides, const std::vector<Loop>& loops) {
  Value* offset = i64(0);
  for (std::size_t i = 0; i < loops.size(); ++i) {
    if (!(strides[i] == Dimension(0))) offset = add(offset, multiply(loops[i].index, size(strides[i])));
  }
  return offset;
}

/// The numbers that do not change while the kernel runs.
llvm::Value* KernelEmitter::uniform(const Node* leaf) {
  Value* number = nullptr;
  switch (leaf->op) {
    case Op::constant:
      if (leaf->type.dtype == ir::DType::boolean) {
        return builder_.CreateVectorSplat(width(), builder_.getInt1(leaf->attributes.value != 0));
      }
      if (leaf->type.dtype == ir::DType::i32) {
        return static_cast<Value*>(lanes_.i32(static_cast<std::int32_t>(leaf->attributes.value)));
      }
      return static_cast<Value*>(lanes_.f32(static_cast<float>(leaf->attributes.value)));
    case Op::dimension:
      number = builder_.CreateSIToFP(size(leaf->attributes.shape[0]), builder_.getFloatTy());
      break;
    default:  // a counter
      if (leaf->attributes.name == "step") {
        number = builder_.CreateSIToFP(builder_.CreateLoad(builder_.getInt64Ty(), state_), builder_.getFloatTy());
      } else {
        number =
            builder_.CreateLoad(builder_.getFloatTy(), builder_.CreateConstGEP1_64(builder_.getInt8Ty(), state_, 8));
      }
  }
  return builder_.CreateVectorSplat(width(), number);
}

bool KernelEmitter::is_uniform(const Node* node) const {
  auto at = views_.find(node);
  if (at == views_.end()) return false;
  for (const Dimension& d : at->second.strides) {
    if (!(d == Dimension(0))) return false;
  }
  return at->second.bounds.empty() && at->second.indirections.empty() && at->second.source->op != Op::iota;
}

llvm::Value* KernelEmitter::lane_value(const Node* node) {
  if (auto at = values_.find(node); at != values_.end()) return at->second;
  Value* value = nullptr;
  if (node == kernel_.contraction) {
    value = tile_value_;
  } else if (node->op == Op::rng_uniform) {
    llvm::SmallVector<llvm::Constant*> numbers;
    for (unsigned i = 0; i < width(); ++i) numbers.push_back(builder_.getInt32(i));
    const auto splat = [&](Value* v) { return ir::Lane{&lanes_, builder_.CreateVectorSplat(width(), v)}; };
    Value* first = builder_.CreateTrunc(offset_of(space_strides_, *current_), builder_.getInt32Ty());
    Value* index = builder_.CreateAdd(static_cast<Value*>(splat(first).handle), llvm::ConstantVector::get(numbers));
    Value* step = builder_.CreateTrunc(builder_.CreateLoad(builder_.getInt64Ty(), state_), builder_.getInt32Ty());
    Value* seed =
        builder_.CreateLoad(builder_.getInt32Ty(), builder_.CreateConstGEP1_64(builder_.getInt8Ty(), state_, 12));
    Value* stream = streams_.at(node->attributes.value);
    value = static_cast<Value*>(
        ir::scalar::threefry_uniform(splat(seed), splat(stream), ir::Lane{&lanes_, index}, splat(step)).handle);
  } else if (views_.contains(node)) {
    value = load(views_.at(node), node->type.dtype);
  } else if (node->op == Op::divide && is_uniform(node->operands[1])) {
    // The reciprocal of a divisor that never changes leaves the loop; the quotient is within 1.5 ULP.
    Value* one = static_cast<Value*>(lanes_.f32(1));
    value = builder_.CreateFMul(lane_value(node->operands[0]), builder_.CreateFDiv(one, lane_value(node->operands[1])));
  } else if (node->op == Op::logistic && decays_.contains(node->operands[0])) {
    // 1 / (1 + e^-|x|), or e^-|x| times that; the exponential is there already. Within 2 ULP.
    auto* e = lane_value(decays_.at(node->operands[0]));
    auto *one = static_cast<Value*>(lanes_.f32(1)), *zero = static_cast<Value*>(lanes_.f32(0));
    Value* negative = builder_.CreateFCmpOLT(lane_value(node->operands[0]), zero);
    value = builder_.CreateFDiv(builder_.CreateSelect(negative, e, one), builder_.CreateFAdd(e, one));
  } else {
    ir::Lane operands[3];
    for (std::size_t i = 0; i < node->operands.size(); ++i) {
      operands[i] = {&lanes_, lane_value(node->operands[i]), kind_of(node->operands[i])};
    }
    // A product that is added is rounded once, with the sum; inside the functions of ir/scalar.h every rounding counts.
    llvm::IRBuilderBase::FastMathFlagGuard guard(builder_);
    llvm::FastMathFlags flags;
    flags.setAllowContract(node->op == Op::add || node->op == Op::subtract || node->op == Op::multiply);
    builder_.setFastMathFlags(flags);
    value = static_cast<Value*>(ir::info(node).code(operands[0], operands[1], operands[2], kind_of(node)).handle);
  }
  values_[node] = value;
  return value;
}

/// The contraction's values of the vector at hand; null where the kernel has no contraction.
llvm::Value* KernelEmitter::tile_vector(const std::vector<Loop>& loops, Value* tile) {
  if (tile == nullptr) return nullptr;
  Value* offset = i64(0);
  for (const Loop& l : loops) {
    if (l.tile_stride != nullptr) offset = add(offset, multiply(builder_.CreateSub(l.index, l.base), l.tile_stride));
  }
  // The tile is padded to whole vectors, so that loads beyond a row's end stay inside it.
  return builder_.CreateAlignedLoad(lanes_.float_vector(), element(tile, offset), llvm::Align(4));
}

/// One vector of the innermost axis: computes, stores, accumulates.
void KernelEmitter::emit_vector(std::vector<Loop>& loops, Value* product, Value* mask) {
  values_.clear();
  current_ = &loops;
  mask_ = mask;
  tile_value_ = product;
  for (const Accumulator& a : accumulators_) {
    if (a.logarithm != nullptr) values_[a.logarithm] = static_cast<Value*>(lanes_.f32(-0.0f));
  }
  // Everything is computed before anything is stored: a variable may be read and written here.
  std::vector<Value*> stored, reduced;
  for (const passes::Store& s : kernel_.stores) stored.push_back(lane_value(s.node));
  for (Accumulator& a : accumulators_) reduced.push_back(lane_value(passes::reduced_value(a.node)));
  for (std::size_t i = 0; i < stored.size(); ++i) {
    store(kernel_.stores[i], store_places_[i], stored[i]);
  }
  for (std::size_t i = 0; i < reduced.size(); ++i) accumulate(accumulators_[i], reduced[i]);
  values_.clear();
}

}  // namespace descent::codegen
