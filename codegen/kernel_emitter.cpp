// A kernel's function: its arguments, and what its lanes will load (the loops: nest.cpp, contraction.cpp, rows.cpp).
#include "codegen/kernel_emitter.h"

#include <algorithm>

#include "codegen/alias_scopes.h"
#include "ir/op.h"

namespace descent::codegen {

using ir::Dimension;
using ir::Node;
using ir::Op;

llvm::Type* KernelEmitter::memory_type(ir::DType dtype) {
  switch (dtype) {
    case ir::DType::i32:
      return builder_.getInt32Ty();
    case ir::DType::f64:
      return builder_.getDoubleTy();
    case ir::DType::f32:
    case ir::DType::boolean:
      break;
  }
  return builder_.getFloatTy();
}

llvm::Value* KernelEmitter::number(double value, ir::DType dtype) {
  return llvm::ConstantFP::get(vector_type(dtype), value);
}

namespace {

constexpr int kRandom = 120;  // instructions of a random number: 20 rounds of Threefry

/// A vector has as many lanes as a register holds of the widest numbers that the kernel reads or writes; that of a
/// contraction as many as one holds of its own. A kernel for one number works on it alone, not on a vector with one
/// number in it.
Machine machine_for(const passes::Kernel& kernel, const passes::KernelPlan& plan, const passes::Signature& signature,
                    const Machine& machine) {
  std::int64_t widest = 4;
  for (const passes::BufferSlot& slot : signature.buffers) {
    widest = std::max(widest, ir::element_bytes(plan.buffers[static_cast<std::size_t>(slot.buffer)].dtype));
  }
  if (kernel.contraction != nullptr) widest = ir::element_bytes(kernel.contraction->type.dtype);
  Machine result = passes::for_elements(machine, widest);
  if (kernel.contraction == nullptr && ir::element_count(kernel.space).is_one()) result.lanes = 1;
  return result;
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

const Node* magnitude_of_decay(const Node* node) {
  if (node->op != Op::exponential || node->operands[0]->op != Op::negate) return nullptr;
  const Node* magnitude = node->operands[0]->operands[0];
  return magnitude->op == Op::abs ? magnitude->operands[0] : nullptr;
}

KernelEmitter::KernelEmitter(llvm::Module& module, const ir::Program& program, const passes::KernelPlan& plan,
                             const passes::Kernel& kernel, const passes::Signature& signature, const Machine& machine)
    : module_(module),
      context_(module.getContext()),
      builder_(context_),
      lanes_(builder_, static_cast<unsigned>(machine_for(kernel, plan, signature, machine).lanes), machine),
      program_(program),
      plan_(plan),
      kernel_(kernel),
      signature_(signature),
      machine_(machine_for(kernel, plan, signature, machine)),
      blocking_(kernel.blocking),
      partition_(passes::partition_of(kernel, plan, machine_)),
      stores_over_(passes::stores_over(kernel, plan)) {}

llvm::Function* KernelEmitter::emit(const std::string& name, Sizes* sizes) {
  sizes_ = sizes;
  auto* pointer = llvm::PointerType::get(context_, 0);
  auto* i64_type = builder_.getInt64Ty();
  std::vector<llvm::Type*> arguments{pointer, pointer, pointer, pointer};
  if (sizes_ != nullptr) arguments.push_back(pointer);
  auto* type = llvm::FunctionType::get(builder_.getVoidTy(), arguments, false);
  const auto linkage = sizes_ != nullptr ? llvm::Function::InternalLinkage : llvm::Function::ExternalLinkage;
  function_ = llvm::Function::Create(type, linkage, name, module_);
  function_->addFnAttr(llvm::Attribute::NoUnwind);
  for (unsigned argument = 0; argument < 4; ++argument) {
    function_->addParamAttr(argument, llvm::Attribute::NoAlias);
    function_->addParamAttr(argument, llvm::Attribute::ReadOnly);
  }
  Value *table = function_->getArg(0), *dimensions = function_->getArg(1);
  state_ = function_->getArg(2);
  builder_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function_));
  std::uint64_t slot = 0;
  const auto next = [&](llvm::Type* as) {
    return builder_.CreateLoad(as, builder_.CreateConstGEP1_64(pointer, table, slot++));
  };
  std::vector<Value*> addresses;
  for (const passes::BufferSlot& buffer : signature_.buffers) {
    addresses.push_back(next(pointer));
    pointers_[buffer.buffer] = {addresses.back(), buffer.first};
  }
  for (double stream : signature_.streams) {
    streams_[stream] = builder_.CreateTrunc(next(i64_type), builder_.getInt32Ty());
  }
  for (std::size_t cut = 0; cut < partition_.size(); ++cut) {
    const auto end = [&](std::uint64_t which) {
      return builder_.CreateLoad(i64_type,
                                 builder_.CreateConstGEP1_64(i64_type, function_->getArg(3), 2 * cut + which));
    };
    Value* begin = end(0);
    parts_.push_back({begin, end(1)});
  }
  std::uint64_t position = 0;
  for (const std::string& symbol : program_.dimensions()) {
    symbols_[symbol] = builder_.CreateLoad(
        builder_.getInt64Ty(), builder_.CreateConstGEP1_64(builder_.getInt64Ty(), dimensions, position++), symbol);
  }
  if (kernel_.in_blocks) {
    emit_single_pass();
  } else if (!kernel_.phases.empty()) {
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
  mark_apart(*function_, addresses);
  return function_;
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
    if (node == kernel_.contraction || views_.contains(node)) return;
    if (node->op == Op::rng_uniform) {
      if (values_.emplace(node, nullptr).second) instructions_ += kRandom;
      return;
    }
    if (passes::computed_in(kernel_, node, plan_)) {
      if (!values_.emplace(node, nullptr).second) return;
      instructions_ += ir::instruction_count(node);
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
  for (const auto& [node, none] : values_) {
    if (node->op != Op::logistic || node->operands[0]->op != Op::negate) continue;
    const Node* x = node->operands[0]->operands[0];
    const auto mirrors = [&](const auto& entry) {
      return entry.first->op == Op::logistic && entry.first->operands[0] == x;
    };
    if (std::any_of(values_.begin(), values_.end(), mirrors)) both_sides_.insert(x);
  }
  values_.clear();
  if (kernel_.contraction == nullptr) {
    while (merge_axes()) {
    }
    order_axes();
    choose_short_rows();
  }
}

/// Everything that goes along with the axes of the space.
void KernelEmitter::for_each_strides(const std::function<void(std::vector<Dimension>&)>& change) {
  change(space_strides_);
  for (auto& [node, view] : views_) passes::for_each_axes(view, change);
  for (Accumulator& a : accumulators_) passes::for_each_axes(a.place, change);
  for (passes::View& place : store_places_) passes::for_each_axes(place, change);
}

/// Makes one axis of two neighbours that every tensor walks as one; longer innermost loops fill more vectors.
bool KernelEmitter::merge_axes() {
  std::vector<std::vector<Dimension>*> strides;
  for_each_strides([&](std::vector<Dimension>& list) { strides.push_back(&list); });
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

}  // namespace descent::codegen
