// Large tensors that the rest of a contraction's kernel reads and writes (an optimizer's moments), on their way to the
// cache before they are needed. Rows of a block are pieces of memory with gaps between them, at which the processor's
// own fetching ahead ends.
#include <llvm/IR/Intrinsics.h>

#include <algorithm>

#include "codegen/kernel_emitter.h"
#include "passes/estimate.h"

namespace descent::codegen {

using ir::Dimension;

/// Whether an operand of the contraction mostly does not lie in the second-level cache, and lines that are so far apart
/// are wanted of it that the processor does not fetch them ahead by itself.
bool KernelEmitter::comes_from_afar(std::size_t operand, const Dimension& step) const {
  constexpr std::int64_t kApart = 128;  // bytes
  if (blocking_.form != passes::Blocking::Form::tiles || !step.is_constant()) return false;
  const ir::Node* source = passes::view_of(kernel_.contraction->operands[operand], plan_).source;
  return step.constant() * machine_.element >= kApart &&
         passes::estimate(source->shape()) * machine_.element >= machine_.level2 / 2;
}

/// Those that lie row by row as the space does, which has these two axes; each once. None where all fit the
/// second-level cache beside the rest.
std::vector<KernelEmitter::Rows> KernelEmitter::large_rows(std::size_t row_axis, std::size_t column_axis) {
  const std::int64_t most = sizes_ != nullptr ? sizes_->most_elements : passes::estimate(kernel_.space);
  if (most * machine_.element < machine_.level2 / 4) return {};
  std::vector<Rows> result;
  std::vector<int> buffers;
  const auto add_rows = [&](Value* base, const std::vector<Dimension>& strides, ir::DType dtype, bool written) {
    if (strides[row_axis] == Dimension(0) || !strides[column_axis].is_one()) return;
    result.push_back({base, strides, dtype, written});
  };
  for (std::size_t i = 0; i < kernel_.stores.size(); ++i) {
    const passes::Store& store = kernel_.stores[i];
    buffers.push_back(store.buffer);
    add_rows(address(store.buffer, store.offset), store_places_[i].strides, store.node->type.dtype, true);
  }
  for (const auto& [node, view] : views_) {
    const auto at = plan_.stored.find(view.source);
    if (at == plan_.stored.end() || std::count(buffers.begin(), buffers.end(), at->second) > 0) continue;
    buffers.push_back(at->second);
    add_rows(address(view), view.strides, view.source->type.dtype, false);
  }
  return result;
}

/// Into the first-level cache, or only the second.
void KernelEmitter::fetch_line(Value* at, bool written, bool into_first) {
  builder_.CreateIntrinsic(
      llvm::Intrinsic::prefetch, {at->getType()},
      {at, builder_.getInt32(written ? 1 : 0), builder_.getInt32(into_first ? 3 : 2), builder_.getInt32(1)});
}

/// The lines of so many numbers of the product's type.
void KernelEmitter::fetch(Value* from, std::int64_t count) {
  for (std::int64_t at = 0; at < count; at += 64 / machine_.element) fetch_line(element(from, i64(at)), false);
}

/// So many numbers of such a row. The last two loops are those of rows and columns.
void KernelEmitter::fetch(const Rows& rows, const std::vector<Loop>& loops, Value* row, Value* column,
                          std::int64_t count) {
  llvm::Type* type = memory_type(rows.dtype);
  const std::size_t axis = loops.size() - 2;
  Value* from = multiply(row, size(rows.strides[axis]));
  for (std::size_t i = 0; i < axis; ++i) from = add(from, multiply(loops[i].index, size(rows.strides[i])));
  for (std::int64_t at = 0; at < count; at += 64 / ir::element_bytes(rows.dtype))
    fetch_line(element(rows.base, add(from, add(column, i64(at))), type), rows.written);
}

/// Whether tiles fetch what the rest of the kernel needs of them.
bool KernelEmitter::tiles_fetch() const {
  return blocking_.form == passes::Blocking::Form::tiles && blocking_.splits == 1 && blocking_.depth == 0 &&
         blocking_.few.below == 1;
}

/// Whether the sums of a tile take long enough to fetch anything meanwhile.
llvm::Value* KernelEmitter::sums_many(const std::vector<passes::ContractionAxes::Axis>& contracted) {
  constexpr std::int64_t few = 16;
  return builder_.CreateICmpSGT(size(passes::whole_depth(contracted)), i64(few));
}

/// What is needed at the place of a tile, row by row while its sums are made. All at once it would keep the product
/// waiting, which loads all the time; and memory would rest while products are made.
void KernelEmitter::fetch_on_the_way(const Product& product, Tile& tile, Value* row, Value* column,
                                     const std::vector<Loop>& loops) {
  if (!tiles_fetch() || product.row_loop == nullptr || product.column_loop == nullptr) return;
  const auto axis = [&](const Loop* loop) { return static_cast<std::size_t>(loop - loops.data()); };
  const std::size_t row_axis = axis(product.row_loop), column_axis = axis(product.column_loop);
  if (row_axis + 1 != column_axis || column_axis + 1 != loops.size()) return;
  const std::vector<Rows> large = large_rows(row_axis, column_axis);
  if (large.empty()) return;
  const std::int64_t count = tile.vectors * machine_.lanes;
  tile.on_the_way = [this, large, row, column, count, &loops](Value* r) {
    for (const Rows& rows : large) fetch(rows, loops, add(row, r), column, count);
  };
}

/// Of the next row what is needed of this one, where the tiles did not fetch it: at the end of a block that is the next
/// block's first row.
void KernelEmitter::fetch_next_row(const std::vector<Loop>& loops) {
  if (loops.size() < 2) return;
  const std::size_t axis = loops.size() - 2;
  const std::vector<Rows> large = large_rows(axis, axis + 1);
  if (large.empty()) return;
  Value* fetched = builder_.getFalse();
  if (tiles_fetch()) fetched = sums_many(passes::contraction_axes(kernel_.contraction, plan_).contracted);
  branch(builder_.CreateNot(fetched), [&] {
    for (const Rows& rows : large) fetch(rows, loops, add(loops[axis].index, i64(1)), loops.back().index, width());
  });
}

}  // namespace descent::codegen
