// The module of a program: its kernels, one function that runs them in order for each function of the program, and the
// native epoch; then LLVM's passes, and ORC's LLJIT to load the result.
#include "codegen/compile.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>

#include <map>
#include <mutex>
#include <unordered_map>

#include "codegen/kernel_emitter.h"
#include "descent/error.h"

namespace descent::codegen {

namespace {

template <typename T>
T check(llvm::Expected<T> value) {
  if (!value) throw std::runtime_error("LLVM: " + llvm::toString(value.takeError()));
  return std::move(*value);
}

llvm::orc::JITTargetMachineBuilder host() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  auto builder = check(llvm::orc::JITTargetMachineBuilder::detectHost());
  builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Less);
  return builder;
}

passes::Machine machine_of(const llvm::TargetMachine& target) {
  const llvm::StringRef features = target.getTargetFeatureString();
  passes::Machine machine;
  if (features.contains("+avx512f")) {
    machine.lanes = 16, machine.registers = 32, machine.memory_broadcast = true;
  } else if (!features.contains("+avx2")) {
    machine.lanes = 4;
    machine.registers = target.getTargetTriple().isAArch64() ? 32 : 16;
  }
  return machine;
}

/// Kernels are already in the form they should have: what is left is to keep values in registers and to move what does
/// not change out of the loops.
void optimize(llvm::Module& module, llvm::TargetMachine& target) {
  llvm::PassBuilder builder(&target);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  llvm::ModulePassManager passes;
  const char* pipeline =
      "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(loop-rotate,licm),"
      "early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg)";
  if (auto error = builder.parsePassPipeline(passes, pipeline)) {
    throw std::runtime_error("LLVM: " + llvm::toString(std::move(error)));
  }
  passes.run(module, modules);
}

/// Writes the functions that call the kernels.
class ModuleBuilder {
 public:
  ModuleBuilder(llvm::Module& module, const ir::Program& program, const passes::Machine& machine)
      : module_(module), program_(program), machine_(machine), builder_(module.getContext()) {}

  void add_function(const std::string& name, const passes::KernelPlan& plan) {
    auto* pointer = llvm::PointerType::get(module_.getContext(), 0);
    auto* run = create("descent_" + name, {pointer, pointer, pointer});
    for (const passes::Kernel& kernel : plan.kernels) {
      const passes::Signature signature = passes::signature_of(kernel, plan);
      // Slots: the buffers of this kernel, then the streams of its random numbers.
      std::vector<std::uint32_t> slots(signature.buffers.begin(), signature.buffers.end());
      for (double stream : signature.streams) slots.push_back(static_cast<std::uint32_t>(stream));
      auto* numbers = llvm::ConstantDataArray::get(module_.getContext(), slots);
      auto* table = new llvm::GlobalVariable(module_, numbers->getType(), true, llvm::GlobalValue::PrivateLinkage,
                                             numbers, "slots");
      builder_.CreateCall(kernel_function(kernel, plan, signature),
                          {run->getArg(0), table, run->getArg(1), run->getArg(2)});
    }
    builder_.CreateRetVoid();
    if (name == "step") add_epoch(run, plan);
  }

  void finish() {
    // LLVM splits 512-bit vectors unless a function says that it wants them.
    const std::string bits = std::to_string(machine_.lanes * 32);
    for (llvm::Function& function : module_) {
      if (function.isDeclaration()) continue;
      function.addFnAttr("prefer-vector-width", bits);
      function.addFnAttr("min-legal-vector-width", bits);
    }
    std::string message;
    llvm::raw_string_ostream out(message);
    if (llvm::verifyModule(module_, &out)) throw std::runtime_error("LLVM: " + message);
  }

 private:
  using Value = llvm::Value;

  llvm::Function* create(const std::string& name, std::vector<llvm::Type*> parameters) {
    auto* type = llvm::FunctionType::get(builder_.getVoidTy(), parameters, false);
    auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module_);
    function->addFnAttr(llvm::Attribute::NoUnwind);
    builder_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function));
    return function;
  }

  Value* i64(std::int64_t v) { return builder_.getInt64(static_cast<std::uint64_t>(v)); }
  Value* field(Value* base, std::size_t offset) {
    return builder_.CreateConstGEP1_64(builder_.getInt8Ty(), base, offset);
  }

  /// The code of a kernel, made once for all kernels that are the same but for their buffers.
  llvm::Function* kernel_function(const passes::Kernel& kernel, const passes::KernelPlan& plan,
                                  const passes::Signature& signature) {
    auto& function = kernels_[signature.key];
    if (function == nullptr) {
      KernelEmitter emitter(module_, program_, plan, kernel, signature, machine_);
      function = emitter.emit("kernel" + std::to_string(kernels_.size() - 1));
    }
    return function;
  }

  /// A loop from 0 to `end`; `body` gets the index.
  void loop(Value* end, Value* step, const std::function<void(Value*)>& body) {
    llvm::Function* function = builder_.GetInsertBlock()->getParent();
    llvm::BasicBlock* before = builder_.GetInsertBlock();
    auto* head = llvm::BasicBlock::Create(module_.getContext(), "loop", function);
    auto* inside = llvm::BasicBlock::Create(module_.getContext(), "body", function);
    auto* after = llvm::BasicBlock::Create(module_.getContext(), "after", function);
    builder_.CreateBr(head);
    builder_.SetInsertPoint(head);
    auto* index = builder_.CreatePHI(builder_.getInt64Ty(), 2);
    index->addIncoming(i64(0), before);
    builder_.CreateCondBr(builder_.CreateICmpSLT(index, end), inside, after);
    builder_.SetInsertPoint(inside);
    body(index);
    index->addIncoming(builder_.CreateAdd(index, step), builder_.GetInsertBlock());
    builder_.CreateBr(head);
    builder_.SetInsertPoint(after);
  }

  /// void descent_epoch(EpochArguments*): for every batch gathers its rows, counts the step, steps, adds the loss.
  void add_epoch(llvm::Function* run, const passes::KernelPlan& plan) {
    for (const ir::Input& input : program_.inputs) {
      // The epoch walks rows: every input must have the batch as its first axis and known sizes after it.
      if (input.shape.empty() || input.shape[0].is_constant()) return;
      if (!(input.shape[0] == program_.inputs[0].shape[0])) return;
      for (std::size_t i = 1; i < input.shape.size(); ++i) {
        if (!input.shape[i].is_constant()) return;
      }
    }
    if (program_.inputs.empty()) return;
    auto* pointer = llvm::PointerType::get(module_.getContext(), 0);
    auto* epoch = create("descent_epoch", {pointer});
    Value* arguments = epoch->getArg(0);
    const auto load = [&](llvm::Type* type, Value* address) { return builder_.CreateLoad(type, address); };
    const auto argument = [&](std::size_t offset, llvm::Type* type) { return load(type, field(arguments, offset)); };
    auto* i64_type = builder_.getInt64Ty();
    Value* buffers = argument(offsetof(EpochArguments, buffers), pointer);
    Value* dimensions = argument(offsetof(EpochArguments, dimensions), pointer);
    Value* state = argument(offsetof(EpochArguments, state), pointer);
    Value* data = argument(offsetof(EpochArguments, data), pointer);
    Value* permutation = argument(offsetof(EpochArguments, permutation), pointer);
    Value* rows = argument(offsetof(EpochArguments, rows), i64_type);
    Value* batch = argument(offsetof(EpochArguments, batch), i64_type);
    const auto slot = [&](int index) {
      return load(pointer, builder_.CreateConstGEP1_64(pointer, buffers, static_cast<std::uint64_t>(index)));
    };
    Value* batches = builder_.CreateSDiv(builder_.CreateAdd(rows, builder_.CreateSub(batch, i64(1))), batch);
    Value* share = builder_.CreateFDiv(llvm::ConstantFP::get(builder_.getFloatTy(), 1),
                                       builder_.CreateSIToFP(batches, builder_.getFloatTy()));
    Value* first_epoch = load(builder_.getFloatTy(), field(state, offsetof(RunState, epoch)));
    loop(batches, i64(1), [&](Value* index) {
      Value* begin = builder_.CreateMul(index, batch);
      Value* left = builder_.CreateSub(rows, begin);
      Value* count = builder_.CreateSelect(builder_.CreateICmpSLT(left, batch), left, batch);
      builder_.CreateStore(count, dimensions);
      for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
        std::int64_t width = 1;
        for (std::size_t d = 1; d < program_.inputs[i].shape.size(); ++d)
          width *= program_.inputs[i].shape[d].constant();
        Value* from = load(pointer, builder_.CreateConstGEP1_64(pointer, data, i));
        Value* to = slot(plan.buffer(program_.inputs[i].name));
        loop(count, i64(1), [&](Value* row) {
          Value* which = load(builder_.getInt32Ty(),
                              builder_.CreateGEP(builder_.getInt32Ty(), permutation, builder_.CreateAdd(begin, row)));
          Value* source = builder_.CreateMul(builder_.CreateZExt(which, i64_type), i64(width));
          builder_.CreateMemCpy(builder_.CreateGEP(builder_.getFloatTy(), to, builder_.CreateMul(row, i64(width))),
                                llvm::Align(4), builder_.CreateGEP(builder_.getFloatTy(), from, source), llvm::Align(4),
                                static_cast<std::uint64_t>(width) * 4);
        });
      }
      Value* step = load(i64_type, state);
      builder_.CreateStore(builder_.CreateAdd(step, i64(1)), state);
      Value* done = builder_.CreateFMul(builder_.CreateSIToFP(index, builder_.getFloatTy()), share);
      builder_.CreateStore(builder_.CreateFAdd(first_epoch, done), field(state, offsetof(RunState, epoch)));
      builder_.CreateCall(run, {buffers, dimensions, state});
      Value* loss =
          builder_.CreateFPExt(load(builder_.getFloatTy(), slot(plan.buffer("loss"))), builder_.getDoubleTy());
      Value* weighted = builder_.CreateFMul(loss, builder_.CreateSIToFP(count, builder_.getDoubleTy()));
      Value* total = field(arguments, offsetof(EpochArguments, loss_sum));
      builder_.CreateStore(builder_.CreateFAdd(load(builder_.getDoubleTy(), total), weighted), total);
    });
    builder_.CreateStore(builder_.CreateFAdd(first_epoch, llvm::ConstantFP::get(builder_.getFloatTy(), 1)),
                         field(state, offsetof(RunState, epoch)));
    builder_.CreateRetVoid();
  }

  llvm::Module& module_;
  const ir::Program& program_;
  passes::Machine machine_;
  llvm::IRBuilder<> builder_;
  std::unordered_map<std::string, llvm::Function*> kernels_;  // by signature
};

struct Built {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::map<std::string, passes::KernelPlan> plans;
};

Built build(const ir::Program& program, const std::vector<std::string>& functions, llvm::TargetMachine& target) {
  Built built;
  built.context = std::make_unique<llvm::LLVMContext>();
  built.module = std::make_unique<llvm::Module>(program.name, *built.context);
  built.module->setDataLayout(target.createDataLayout());
  built.module->setTargetTriple(target.getTargetTriple());
  const passes::Machine machine = machine_of(target);
  ModuleBuilder builder(*built.module, program, machine);
  for (const std::string& name : functions) {
    built.plans[name] = passes::plan_kernels(program, program.function(name), machine);
    builder.add_function(name, built.plans[name]);
  }
  builder.finish();
  optimize(*built.module, target);
  return built;
}

class JitProgram : public CompiledProgram {
 public:
  JitProgram(const ir::Program& program, const std::vector<std::string>& names) {
    auto machine = host();
    auto target = check(machine.createTargetMachine());
    Built built = build(program, names, *target);
    jit_ = check(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(machine)).create());
    if (auto error =
            jit_->addIRModule(llvm::orc::ThreadSafeModule(std::move(built.module), std::move(built.context)))) {
      throw std::runtime_error("LLVM: " + llvm::toString(std::move(error)));
    }
    for (const std::string& name : names) {
      CompiledFunction function{std::move(built.plans[name]), nullptr};
      function.run = check(jit_->lookup("descent_" + name)).toPtr<RunFunction>();
      functions_.emplace(name, std::move(function));
    }
    if (functions_.contains("step")) {
      auto symbol = jit_->lookup("descent_epoch");
      if (symbol)
        epoch_ = symbol->toPtr<RunEpoch>();
      else
        llvm::consumeError(symbol.takeError());
    }
  }

  const CompiledFunction& function(const std::string& name) const override {
    auto at = functions_.find(name);
    if (at == functions_.end()) throw Error("the function '" + name + "' was not compiled");
    return at->second;
  }
  RunEpoch epoch() const override { return epoch_; }

 private:
  std::unique_ptr<llvm::orc::LLJIT> jit_;
  std::map<std::string, CompiledFunction> functions_;
  RunEpoch epoch_ = nullptr;
};

}  // namespace

std::shared_ptr<const CompiledProgram> compile(const ir::Program& program, const std::vector<std::string>& functions) {
  return std::make_shared<JitProgram>(program, functions);
}

std::string print_llvm(const ir::Program& program, const std::string& function) {
  auto target = check(host().createTargetMachine());
  const Built built = build(program, {function}, *target);
  std::string text;
  llvm::raw_string_ostream out(text);
  built.module->print(out, nullptr);
  return text;
}

std::string print_assembly(const ir::Program& program, const std::string& function) {
  auto target = check(host().createTargetMachine());
  const Built built = build(program, {function}, *target);
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream out(text);
  llvm::legacy::PassManager passes;
  if (target->addPassesToEmitFile(passes, out, nullptr, llvm::CodeGenFileType::AssemblyFile)) {
    throw std::runtime_error("LLVM cannot print assembly for this machine");
  }
  passes.run(*built.module);
  return std::string(text.str());
}

}  // namespace descent::codegen
