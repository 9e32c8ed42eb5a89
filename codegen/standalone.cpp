// The functions of a standalone model around those that run kernels: NAME_create, NAME_step, NAME_evaluate and
// NAME_predict. What they promise stands in the header that runtime/standalone.cpp writes.
#include "codegen/standalone_writer.h"

#include <cstddef>
#include <limits>

#include "codegen/compile.h"
#include "codegen/module.h"

namespace descent::codegen {

namespace {

using llvm::Type;
using llvm::Value;

class StandaloneWriter {
 public:
  StandaloneWriter(llvm::Module& module, const ir::Program& program, const Plans& plans, const KernelSet& set,
                   const Standalone& model)
      : module_(module),
        program_(program),
        plans_(plans),
        set_(set),
        model_(model),
        builder_(module.getContext()),
        has_rows_(!program.dimensions().empty()) {}

  void write() {
    for (llvm::Function& function : module_) {
      if (!function.isDeclaration()) function.setLinkage(llvm::GlobalValue::InternalLinkage);
    }
    write_create();
    for (const auto& [name, plan] : plans_) {
      module_.getNamedGlobal(slots_name(name))->eraseFromParent();  // written out in `create`
      if (name == "step") write_step(plan);
      if (name == "evaluate") write_evaluate(plan);
      if (name == "predict") write_predict(plan);
    }
  }

 private:
  // What all functions are made of.

  Value* i64(std::int64_t v) { return builder_.getInt64(static_cast<std::uint64_t>(v)); }
  Value* at(Value* base, Value* bytes) { return builder_.CreateGEP(builder_.getInt8Ty(), base, bytes); }
  Value* at(Value* base, std::int64_t bytes) { return at(base, i64(bytes)); }
  llvm::BasicBlock* block(const char* name) {
    return llvm::BasicBlock::Create(module_.getContext(), name, builder_.GetInsertBlock()->getParent());
  }
  llvm::GlobalVariable* constant(llvm::Constant* content, const char* name) {
    auto* global =
        new llvm::GlobalVariable(module_, content->getType(), true, llvm::GlobalValue::PrivateLinkage, content, name);
    global->setAlignment(llvm::Align(64));
    return global;
  }
  llvm::GlobalVariable* table(const std::vector<std::int64_t>& numbers) {
    return constant(llvm::ConstantDataArray::get(module_.getContext(), llvm::ArrayRef(numbers)), "table");
  }
  Value* number(Value* numbers, Value* index) {
    return builder_.CreateLoad(builder_.getInt64Ty(), builder_.CreateGEP(builder_.getInt64Ty(), numbers, index));
  }

  llvm::Function* begin(const std::string& name, Type* result, const std::vector<Type*>& parameters) {
    auto* type = llvm::FunctionType::get(result, parameters, false);
    auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, model_.prefix + "_" + name, module_);
    function->addFnAttr(llvm::Attribute::NoUnwind);
    builder_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function));
    return function;
  }
  /// Returns `otherwise` unless the condition holds.
  void require(Value* condition, Value* otherwise) {
    auto *wrong = block("wrong"), *right = block("right");
    builder_.CreateCondBr(condition, right, wrong);
    builder_.SetInsertPoint(wrong);
    builder_.CreateRet(otherwise);
    builder_.SetInsertPoint(right);
  }

  // A call of a function of the program.

  struct Call {
    std::string function;
    llvm::Function* in;  ///< whose arguments are the model, the inputs, for predict the outputs, and the rows
    Value* model() const { return in->getArg(0); }
    Value* rows() const { return in->getArg(in->arg_size() - 1); }  // where there are any
  };
  Call begin_call(const std::string& function, Type* result, std::size_t outputs) {
    std::vector<Type*> parameters(1 + given_inputs(program_, function).size() + outputs, builder_.getPtrTy());
    if (has_rows_) parameters.push_back(builder_.getInt64Ty());
    return {function, begin(function, result, parameters)};
  }
  /// From 1, or from 0 where more rows than there is room for are made some at a time.
  Value* rows_fit(const Call& call, bool in_parts) {
    if (!has_rows_) return builder_.getTrue();
    if (in_parts) return builder_.CreateICmpSGE(call.rows(), i64(0));
    Value* place = builder_.CreateSub(call.rows(), i64(1));
    return builder_.CreateICmpULT(place, i64(model_.batch));
  }
  /// Calls `body` for parts of the rows that fit: with the first row and how many.
  void in_parts(const Call& call, bool several, const std::function<void(Value* first, Value* count)>& body) {
    if (!has_rows_) return body(i64(0), i64(1));
    if (!several) return body(i64(0), call.rows());
    Value* parts = builder_.CreateSDiv(builder_.CreateAdd(call.rows(), i64(model_.batch - 1)), i64(model_.batch));
    count_to(builder_, parts, [&](Value* part) {
      Value* first = builder_.CreateMul(part, i64(model_.batch));
      Value* left = builder_.CreateSub(call.rows(), first);
      body(first, builder_.CreateSelect(builder_.CreateICmpSLT(left, i64(model_.batch)), left, i64(model_.batch)));
    });
  }
  /// The bytes from one row of a tensor to the next; 0 where its first axis is not the batch.
  std::int64_t row_bytes(const ir::Shape& shape, ir::DType dtype) const {
    if (!program_.has_rows(shape)) return 0;
    return ir::element_count({shape.begin() + 1, shape.end()}).constant() * ir::element_bytes(dtype);
  }
  /// Runs the function on the rows of the inputs from `first` on.
  void run(const Call& call, Value* first, Value* count) {
    const StandaloneLayout::Function& places = model_.layout.functions.at(call.function);
    Value* addresses = at(call.model(), places.addresses);
    unsigned argument = 1;
    for (const ir::Input* input : given_inputs(program_, call.function)) {
      Value* rows =
          at(call.in->getArg(argument++), builder_.CreateMul(first, i64(row_bytes(input->shape, input->dtype))));
      const std::vector<std::int64_t> reads = reads_of(call.function, plans_.at(call.function).buffer(input->name));
      if (reads.empty()) continue;
      Value* numbers = table(reads);  // of each: which address, and from which byte on
      count_to(builder_, i64(static_cast<std::int64_t>(reads.size() / 2)), [&](Value* i) {
        Value* pair = builder_.CreateMul(i, i64(2));
        Value* byte = number(numbers, builder_.CreateAdd(pair, i64(1)));
        builder_.CreateStore(at(rows, byte), builder_.CreateGEP(builder_.getPtrTy(), addresses, number(numbers, pair)));
      });
    }
    Value* dimensions = at(call.model(), model_.layout.dimensions);
    if (has_rows_) builder_.CreateStore(count, dimensions);
    builder_.CreateCall(module_.getFunction("descent_" + call.function), {addresses, dimensions, call.model()});
  }
  std::vector<std::int64_t> reads_of(const std::string& function, int buffer) const {
    std::vector<std::int64_t> reads;
    std::int64_t index = 0;
    for (const KernelSet::Call& call : set_.calls.at(function)) {
      for (const Slot& slot : call.slots) {
        if (slot.buffer == buffer) reads.insert(reads.end(), {index, slot.value});
        ++index;
      }
    }
    return reads;
  }
  /// Where a result lies that the function has made.
  Value* result(const Call& call, const passes::KernelPlan& plan, const std::string& name) {
    const auto buffer = static_cast<std::size_t>(plan.buffer(name));
    return at(call.model(), model_.layout.functions.at(call.function).buffers[buffer]);
  }
  Value* loss(const Call& call, const passes::KernelPlan& plan) {
    return builder_.CreateLoad(loss_type(call.function), result(call, plan, loss_of(call.function).name));
  }
  const ir::Binding& loss_of(const std::string& function) const { return program_.function(function).results[0]; }
  Type* loss_type(const std::string& function) {
    return loss_of(function).node->type.dtype == ir::DType::f64 ? builder_.getDoubleTy() : builder_.getFloatTy();
  }

  // The functions.

  /// NAME *create(void *memory, uint32_t seed): the memory, or null where it is not aligned.
  void write_create() {
    auto* pointer = builder_.getPtrTy();
    llvm::Function* create = begin("create", pointer, {pointer, builder_.getInt32Ty()});
    llvm::GlobalAlias::create(model_.prefix + "_create_" + model_.header_digest, create);
    Value* memory = create->getArg(0);
    Value* whole = builder_.CreatePtrToInt(memory, builder_.getInt64Ty());
    Value* rest = builder_.CreateAnd(whole, i64(StandaloneLayout::kAlignment - 1));
    require(builder_.CreateAnd(builder_.CreateICmpEQ(rest, i64(0)), builder_.CreateICmpNE(whole, i64(0))),
            llvm::ConstantPointerNull::get(pointer));
    builder_.CreateMemSet(memory, builder_.getInt8(0), i64(model_.layout.cleared), llvm::Align(64));
    builder_.CreateStore(create->getArg(1), at(memory, offsetof(RunState, seed)));
    if (!model_.first_values.empty()) {
      auto* values = constant(llvm::ConstantDataArray::getString(module_.getContext(), model_.first_values, false),
                              "first_values");
      builder_.CreateMemCpy(at(memory, model_.layout.first_values), llvm::Align(64), values, llvm::Align(64),
                            i64(static_cast<std::int64_t>(model_.first_values.size())));
    }
    for (const auto& [name, places] : model_.layout.functions) {
      const std::vector<std::int64_t> addresses = addresses_of(name, places);
      if (addresses.empty()) continue;
      Value* numbers = table(addresses);  // of each: a number, and whether it counts from the memory's beginning
      Value* to = at(memory, places.addresses);
      count_to(builder_, i64(static_cast<std::int64_t>(addresses.size() / 2)), [&](Value* i) {
        Value* pair = builder_.CreateMul(i, i64(2));
        Value* base = builder_.CreateMul(number(numbers, builder_.CreateAdd(pair, i64(1))), whole);
        builder_.CreateStore(builder_.CreateAdd(number(numbers, pair), base),
                             builder_.CreateGEP(builder_.getInt64Ty(), to, i));
      });
    }
    builder_.CreateRet(memory);
  }
  std::vector<std::int64_t> addresses_of(const std::string& function, const StandaloneLayout::Function& places) const {
    std::vector<std::int64_t> addresses;
    for (const KernelSet::Call& call : set_.calls.at(function)) {
      for (const Slot& slot : call.slots) {
        const std::int64_t begin =
            slot.buffer == Slot::kNumber ? 0 : places.buffers[static_cast<std::size_t>(slot.buffer)];
        const bool is_inside = slot.buffer != Slot::kNumber && begin != StandaloneLayout::kGiven;
        addresses.insert(addresses.end(), {is_inside ? begin + slot.value : slot.value, is_inside});
      }
    }
    return addresses;
  }

  /// float step(NAME *, inputs ..., int64_t rows): the loss, or NaN where the rows do not fit.
  void write_step(const passes::KernelPlan& plan) {
    Type* type = loss_type("step");
    const Call call = begin_call("step", type, 0);
    require(rows_fit(call, false), llvm::ConstantFP::getNaN(type));
    Value* step = builder_.CreateLoad(builder_.getInt64Ty(), call.model());
    builder_.CreateStore(builder_.CreateAdd(step, i64(1)), call.model());
    run(call, i64(0), has_rows_ ? call.rows() : i64(1));
    builder_.CreateRet(loss(call, plan));
  }

  /// float evaluate(NAME *, inputs ..., int64_t rows): the loss, a mean over the rows, likewise.
  void write_evaluate(const passes::KernelPlan& plan) {
    Type* type = loss_type("evaluate");
    const Call call = begin_call("evaluate", type, 0);
    const bool several = model_.rows_are_independent;
    require(rows_fit(call, several), llvm::ConstantFP::getNaN(type));
    auto* f64 = builder_.getDoubleTy();
    Value* sum = builder_.CreateAlloca(f64);
    builder_.CreateStore(llvm::ConstantFP::get(f64, 0), sum);
    in_parts(call, several, [&](Value* first, Value* count) {
      run(call, first, count);
      Value* part =
          builder_.CreateFMul(builder_.CreateFPCast(loss(call, plan), f64), builder_.CreateSIToFP(count, f64));
      builder_.CreateStore(builder_.CreateFAdd(builder_.CreateLoad(f64, sum), part), sum);
    });
    Value* rows = builder_.CreateSIToFP(has_rows_ ? call.rows() : i64(1), f64);
    builder_.CreateRet(builder_.CreateFPCast(builder_.CreateFDiv(builder_.CreateLoad(f64, sum), rows), type));
  }

  /// int predict(NAME *, inputs ..., outputs ..., int64_t rows): 0, or 1 where the rows do not fit.
  void write_predict(const passes::KernelPlan& plan) {
    const auto& outputs = program_.function("predict").results;
    const Call call = begin_call("predict", builder_.getInt32Ty(), outputs.size());
    const bool several = model_.rows_are_independent;
    require(rows_fit(call, several), builder_.getInt32(1));
    in_parts(call, several, [&](Value* first, Value* count) {
      run(call, first, count);
      auto argument = static_cast<unsigned>(1 + given_inputs(program_, "predict").size());
      for (const ir::Binding& output : outputs) {
        const std::int64_t row = row_bytes(output.node->type.shape, output.node->type.dtype);
        Value* bytes = row > 0 ? builder_.CreateMul(count, i64(row)) : size_of(call, output.node->type);
        builder_.CreateMemCpy(at(call.in->getArg(argument++), builder_.CreateMul(first, i64(row))), llvm::Align(4),
                              result(call, plan, output.name), llvm::Align(64), bytes);
      }
    });
    builder_.CreateRet(builder_.getInt32(0));
  }
  /// Of an output that does not have the batch as its first axis.
  Value* size_of(const Call& call, const ir::Type& type) {
    const ir::Dimension count = ir::element_count(type.shape);
    Value* elements = i64(count.constant());
    for (const ir::Dimension::Term& term : count.terms()) {
      Value* product = i64(term.coefficient);
      for (std::size_t i = 0; i < term.symbols.size(); ++i) product = builder_.CreateMul(product, call.rows());
      elements = builder_.CreateAdd(elements, product);
    }
    return builder_.CreateMul(elements, i64(ir::element_bytes(type.dtype)));
  }

  llvm::Module& module_;
  const ir::Program& program_;
  const Plans& plans_;
  const KernelSet& set_;
  const Standalone& model_;
  llvm::IRBuilder<> builder_;
  bool has_rows_;
};

}  // namespace

void write_standalone(llvm::Module& module, const ir::Program& program, const Plans& plans, const KernelSet& set,
                      const Standalone& model) {
  StandaloneWriter(module, program, plans, set, model).write();
}

}  // namespace descent::codegen
