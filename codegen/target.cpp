// LLVM's standard pipelines are made for code as people write it. Kernels come in the form they should have: sums in
// registers, addresses that loops carry along, no calls. What is left to do is little, and what is not needed costs a
// large part of the time to compile: measured with -time-passes, loop strength reduction and its analyses took a
// quarter of it, and made tiles slower by keeping an address for every row.
#include "codegen/target.h"

#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/BasicAliasAnalysis.h>
#include <llvm/Analysis/MemorySSA.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/ScopedNoAliasAA.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/SubtargetFeature.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Utils/Mem2Reg.h>

#include <algorithm>
#include <mutex>

#include "descent/error.h"
#include "ir/stage_times.h"

namespace descent::codegen {

namespace {

std::string host_features() {
  llvm::SubtargetFeatures features;
  for (const auto& [name, has] : llvm::sys::getHostCPUFeatures()) features.AddFeature(name, has);
  return features.getString();
}

/// Hands passes on to a pass manager, except those that kernels have no use for.
class ChosenPasses : public llvm::legacy::PassManagerBase {
 public:
  void add(llvm::Pass* pass) override {
    static constexpr llvm::StringRef unused[] = {
        "Loop Strength Reduction",
        "Canonicalize Freeze Instructions in Loops",
        "Merge contiguous icmps into a memcmp",
        "Constant Hoisting",
        "Partially inline calls to library functions",
        "Interleaved Access Pass",
        "Expand memcmp() to load/stores",
        "Replace intrinsics with calls to vector library",
        "Machine Trace Metrics",
        "Early If-Conversion",
        // Measured to make no step faster:
        "BreakFalseDeps",
        "Detect Dead Lanes",
        "Early Tail Duplication",
        "Live DEBUG_VALUE analysis",
        "Machine InstCombiner",
        "Machine Late Instructions Cleanup Pass",
        "Machine Loop Invariant Code Motion",
        "Merge disjoint stack slots",
        "Optimize machine instruction PHIs",
        "PostRA Machine Sink",
        "Shrink Wrapping analysis",
        "Stack Slot Coloring",
        "Tail Duplication",
        "X86 Avoid Store Forwarding Blocks",
        "X86 Byte/Word Instruction Fixup",
        "X86 Domain Reassignment Pass",
        "X86 Execution Dependency Fix",
        "X86 Fixup SetCC",
        "X86 Fixup Vector Constants",
        "X86 LEA Optimize",
        "X86 Partial Reduction",
        "X86 cmov Conversion",
    };
    if (std::find(std::begin(unused), std::end(unused), pass->getPassName()) != std::end(unused)) {
      delete pass;  // the interface hands passes over as plain pointers
    } else {
      passes_.add(pass);
    }
  }
  void run(llvm::Module& module) { passes_.run(module); }

 private:
  llvm::legacy::PassManager passes_;
};

}  // namespace

std::unique_ptr<llvm::TargetMachine> make_target_machine(const Target& target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
  const llvm::Triple triple(target.triple.empty() ? llvm::sys::getProcessTriple() : target.triple);
  std::string message;
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, message);
  const auto arch = triple.getArch();
  if (found == nullptr || (arch != llvm::Triple::x86_64 && arch != llvm::Triple::aarch64)) {
    throw Error("there is no code generator for the target '" + target.triple + "'",
                "write one such as x86_64-linux-gnu or aarch64-linux-gnu");
  }
  const bool host = target.is_this_machine();
  const std::string cpu = host ? llvm::sys::getHostCPUName().str() : target.cpu;
  const std::unique_ptr<llvm::MCSubtargetInfo> known(found->createMCSubtargetInfo(triple, "", ""));
  if (!cpu.empty() && !known->isCPUStringValid(cpu)) {
    throw Error("there is no processor '" + cpu + "' of the target " + triple.str(),
                triple.isX86() ? "write one such as x86-64-v3 (AVX2), x86-64-v4 (AVX-512), znver4 or sapphirerapids"
                               : "write one such as generic, neoverse-n1, neoverse-v2, cortex-a76 or apple-m1");
  }
  std::unique_ptr<llvm::TargetMachine> machine(
      found->createTargetMachine(triple, cpu, host ? host_features() : "", llvm::TargetOptions(), llvm::Reloc::PIC_,
                                 llvm::CodeModel::Small, llvm::CodeGenOptLevel::Less, /*JIT=*/true));
  if (machine == nullptr) throw std::runtime_error("LLVM has no code generator for " + triple.str());
  return machine;
}

passes::Machine describe(const llvm::TargetMachine& target) {
  passes::Machine machine = this_machine();  // whose caches serve for every target
  const llvm::MCSubtargetInfo& features = *target.getMCSubtargetInfo();
  if (!target.getTargetTriple().isX86()) {
    passes::set_vectors(machine, passes::Vectors::neon);
    return machine;
  }
  const bool fuses = features.checkFeatures("+avx2,+fma");
  passes::set_vectors(machine, fuses && features.checkFeatures("+avx512f") ? passes::Vectors::avx512
                               : fuses                                     ? passes::Vectors::avx2
                               : features.checkFeatures("+sse4.1")         ? passes::Vectors::sse4
                                                                           : passes::Vectors::sse2);
  return machine;
}

std::vector<std::string> host_lacks(const llvm::TargetMachine& target) {
  std::vector<std::string> lacking;
  const llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  for (const llvm::SubtargetFeatureKV& feature : target.getMCSubtargetInfo()->getEnabledProcessorFeatures()) {
    const auto known = host.find(feature.Key);
    if (known != host.end() && !known->second) lacking.emplace_back(feature.Key);
  }
  return lacking;
}

void optimize(llvm::Module& module, llvm::TargetMachine& target) {
  const StageTimer timer(Stage::optimize);
  // What these passes ask for, and no more: LLVM's PassBuilder brings every pass that there is into memory.
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  loops.registerPass([] { return llvm::PassInstrumentationAnalysis(); });
  loops.registerPass([&] { return llvm::FunctionAnalysisManagerLoopProxy(functions); });
  functions.registerPass([] { return llvm::PassInstrumentationAnalysis(); });
  functions.registerPass([&] { return llvm::LoopAnalysisManagerFunctionProxy(loops); });
  functions.registerPass([&] { return target.getTargetIRAnalysis(); });
  functions.registerPass(
      [&] { return llvm::TargetLibraryAnalysis(llvm::TargetLibraryInfoImpl(target.getTargetTriple())); });
  functions.registerPass([] {
    llvm::AAManager aliases;
    aliases.registerFunctionAnalysis<llvm::BasicAA>();
    aliases.registerFunctionAnalysis<llvm::ScopedNoAliasAA>();
    return aliases;
  });
  functions.registerPass([] { return llvm::AssumptionAnalysis(); });
  functions.registerPass([] { return llvm::BasicAA(); });
  functions.registerPass([] { return llvm::DominatorTreeAnalysis(); });
  functions.registerPass([] { return llvm::LoopAnalysis(); });
  functions.registerPass([] { return llvm::MemorySSAAnalysis(); });
  functions.registerPass([] { return llvm::ScalarEvolutionAnalysis(); });
  functions.registerPass([] { return llvm::ScopedNoAliasAA(); });

  llvm::FunctionPassManager passes;
  passes.addPass(llvm::PromotePass());  // sums of reductions into registers
  // What does not change out of the loops.
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass());  // what has met in front of a loop
  for (llvm::Function& function : module) {
    if (!function.isDeclaration()) passes.run(function, functions);
  }
}

std::string emit_object(llvm::Module& module, llvm::TargetMachine& target) {
  const StageTimer timer(Stage::select);
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream out(object);
  ChosenPasses passes;
  llvm::MCContext* context = nullptr;
  if (target.addPassesToEmitMC(passes, context, out))
    throw std::runtime_error("LLVM cannot make code for this machine");
  passes.run(module);
  return {object.begin(), object.end()};
}

std::string emit_assembly(llvm::Module& module, llvm::TargetMachine& target) {
  const StageTimer timer(Stage::select);
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream out(text);
  ChosenPasses passes;
  if (target.addPassesToEmitFile(passes, out, nullptr, llvm::CodeGenFileType::AssemblyFile)) {
    throw std::runtime_error("LLVM cannot print assembly for this machine");
  }
  passes.run(module);
  return std::string(text.str());
}

}  // namespace descent::codegen
