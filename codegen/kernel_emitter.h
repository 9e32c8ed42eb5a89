// One kernel as an LLVM function: void kernel(ptr buffers, ptr dimensions, ptr state).
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <functional>
#include <map>

#include "codegen/lanes.h"
#include "passes/kernels.h"

namespace descent::codegen {

/// What of the machine decides how kernels are written.
struct Machine {
  unsigned width = 8;       ///< float lanes of a vector register
  unsigned registers = 16;  ///< vector registers
};

class KernelEmitter {
 public:
  KernelEmitter(llvm::Module& module, const ir::Program& program, const passes::KernelPlan& plan,
                const passes::Kernel& kernel, const Machine& machine);
  llvm::Function* emit(const std::string& name);

 private:
  using Value = llvm::Value;
  using Dimension = ir::Dimension;

  /// One axis of the space while its loop runs: elements base + local, local in [0, count).
  struct Loop {
    Value* base;                   ///< where this part of the axis begins
    Value* count;                  ///< how many elements it has
    ir::Dimension size;            ///< of the whole axis
    Value* index = nullptr;        ///< base + local, of the first lane on the innermost axis
    Value* tile_stride = nullptr;  ///< of the contraction's tile, in elements
  };
  /// A reduction that is accumulated while the loops run.
  struct Accumulator {
    const ir::Node* node;
    int buffer;
    std::vector<ir::Dimension> strides;  ///< of the result, by axis of the space; 0 on reduced axes
    Value* vector = nullptr;             ///< memory for partial sums in lanes, where the innermost axis is reduced
  };

  // kernel_emitter.cpp: frame, reductions, loops.
  void collect_buffers();
  void begin_reductions();
  void end_reductions();
  void emit_elementwise();
  /// The loops over a part of the space; the contraction's values are in `tile` (null without a contraction).
  void emit_part(std::vector<Loop> loops, Value* tile);
  void emit_inner(std::vector<Loop>& loops, Value* tile);
  void emit_vector(std::vector<Loop>& loops, Value* tile, Value* mask);
  bool merge_axes();

  // lane values, of the current vector
  Value* lane_value(const ir::Node* node);
  Value* load_view(const ir::Node* node);
  Value* uniform(const ir::Node* leaf);
  Value* linear_index(const std::vector<ir::Dimension>& strides);
  bool is_uniform(const ir::Node* node) const;
  Value* offset_of(const std::vector<ir::Dimension>& strides, const std::vector<Loop>& loops);
  Value* load_vector(Value* pointer, Value* stride, bool unit, Value* mask);
  void store_vector(Value* value, Value* pointer, Value* stride, bool unit, Value* mask);
  void accumulate(Accumulator& accumulator, Value* value);

  // contraction.cpp
  void emit_contraction();
  /// A matrix product in the form that the inner loop wants: out[row, column] = sum over k of a[row, k] * b[k, column],
  /// where columns are the lanes of vectors and a's elements are repeated in all lanes.
  struct Product {
    Value *a, *b;
    Dimension rows, columns;
    Dimension a_row, b_column;
    std::vector<passes::ContractionAxes::Axis> contracted;  ///< lhs: stride in a, rhs: stride in b
    Loop* row_loop;                                         ///< null where there is one row
    Loop* column_loop;                                      ///< null where there is one column
  };
  void emit_product(const Product& product, std::vector<Loop>& loops);
  void emit_rows(const Product& product, std::vector<Loop>& loops, unsigned vectors, Value* column,
                 Value* column_count);
  void emit_tile(const Product& product, std::vector<Loop>& loops, unsigned rows, unsigned vectors, Value* row,
                 Value* column, Value* column_count);
  /// One column, contracted along contiguous memory: sums of products in lanes, several rows at a time.
  void emit_dot_products(const Product& product, std::vector<Loop>& loops);
  void emit_dot_rows(const Product& product, unsigned rows, Value* first, Value* tile, Value* tile_offset);
  void pack_rhs(const passes::ContractionAxes& axes);

  // helpers
  Value* i64(std::int64_t value) { return builder_.getInt64(static_cast<std::uint64_t>(value)); }
  Value* size(const ir::Dimension& dimension);
  Value* multiply(Value* a, Value* b);
  Value* add(Value* a, Value* b);
  Value* element(Value* base, Value* offset) { return builder_.CreateGEP(builder_.getFloatTy(), base, offset); }
  Value* lane_mask(Value* remaining);
  Value* stack(llvm::Type* type, const char* name);
  void loop(Value* begin, Value* end, Value* step, const std::function<void(Value*)>& body);
  Value* minimum(Value* a, Value* b) { return builder_.CreateSelect(builder_.CreateICmpSLT(a, b), a, b); }
  Value* reduce_lanes(const ir::Node* reduction, Value* vector);
  Value* combine(const ir::Node* reduction, Value* a, Value* b);
  Value* identity(const ir::Node* reduction);

  llvm::Module& module_;
  llvm::LLVMContext& context_;
  llvm::IRBuilder<> builder_;
  VectorEmitter lanes_;
  const ir::Program& program_;
  const passes::KernelPlan& plan_;
  const passes::Kernel& kernel_;
  const Machine machine_;

  llvm::Function* function_ = nullptr;
  std::map<int, Value*> pointers_;         // buffer → address
  std::map<std::string, Value*> symbols_;  // symbolic size → value
  Value* state_ = nullptr;
  std::vector<Accumulator> accumulators_;

  // While the loops run: the space without axes of size 1, possibly with neighbours merged, and how views look on it.
  ir::Shape axes_;
  std::map<const ir::Node*, std::pair<const ir::Node*, std::vector<ir::Dimension>>> views_;
  std::vector<std::vector<ir::Dimension>*> all_strides_;
  std::vector<ir::Dimension> store_strides_;
  std::vector<Loop>* current_ = nullptr;
  Value* mask_ = nullptr;
  Value* tile_value_ = nullptr;
  std::map<const ir::Node*, Value*> values_;
};

}  // namespace descent::codegen
