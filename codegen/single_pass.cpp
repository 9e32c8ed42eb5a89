// Two products that read the same matrix, block of rows by block of rows (passes/single_pass.h).
#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using llvm::Value;

void KernelEmitter::emit_single_pass() {
  KernelEmitter first(module_, program_, plan_, kernel_.phases[0], signature_, machine_);
  KernelEmitter second(module_, program_, plan_, kernel_.phases[1], signature_, machine_);
  KernelEmitter* at = this;  // who writes at the moment
  const auto go_on_as = [&](KernelEmitter& emitter) -> KernelEmitter& {
    emitter.builder_.SetInsertPoint(at->builder_.GetInsertBlock());
    at = &emitter;
    return emitter;
  };
  for (KernelEmitter* phase : {&first, &second}) {
    phase->share_frame(*at);
    at = phase;
    phase->collect_buffers();
    phase->begin_reductions();
  }
  std::vector<Loop> loops;
  const Product product = second.turned_product(loops);
  const Block block = second.begin_sums(product);
  // The rows of the block before are added between this block's products and what is made of them: they are at hand
  // while the processor waits for the products' last sums, and what is made of these then goes on beside the loads of
  // the next block.
  const std::int64_t rows = first.blocking_.block_rows;
  first.after_products_ = [&](Value* row) {
    go_on_as(second);
    second.emit_pass(product, block, second.builder_.CreateSub(row, i64(rows)), second.minimum(row, i64(rows)), true,
                     loops);
    go_on_as(first);
  };
  go_on_as(first).emit_contraction();
  first.end_reductions();
  go_on_as(second);
  Value* all = second.size(product.contracted[0].size);
  Value* left = second.builder_.CreateSRem(second.builder_.CreateSub(all, i64(1)), i64(rows));
  Value* last = second.builder_.CreateSub(second.builder_.CreateSub(all, i64(1)), left);
  second.emit_pass(product, block, last, second.builder_.CreateSub(all, last), true, loops);
  go_on_as(second).end_sums(product, block, loops);
  second.end_reductions();
  go_on_as(*this);
}

/// The kernel's product, with its rows as columns. `loops` become those of its space.
KernelEmitter::Product KernelEmitter::turned_product(std::vector<Loop>& loops) {
  const passes::ContractionAxes axes = passes::contraction_axes(kernel_.contraction, plan_);
  const auto source = [&](std::size_t i) { return address(passes::view_of(kernel_.contraction->operands[i], plan_)); };
  const auto &row = axes.rows[0], &column = axes.columns[0];
  loops = {Loop{i64(0), i64(1), row.size}};
  return in_order(
      {source(0), source(1), row.size, column.size, row.lhs, column.rhs, axes.contracted, loops.data(), nullptr});
}

/// Memory for all sums of a product with one row, in which they begin with 0.
KernelEmitter::Block KernelEmitter::begin_sums(const Product& product) {
  const auto numbers = static_cast<std::uint64_t>(blocking_.block_columns + blocking_.panel(machine_));
  Value* scratch = stack(llvm::ArrayType::get(product_type(), numbers), "sums");
  const Block block{i64(0), i64(1), i64(1), i64(0), size(product.columns), scratch};
  clear_block(block);
  return block;
}

/// The rest of the kernel, when the sums are complete.
void KernelEmitter::end_sums(const Product& product, const Block& block, std::vector<Loop>& loops) {
  product.column_loop->count = block.column_count;
  product.column_loop->tile_stride = i64(1);
  product.column_loop->whole_vectors = product.columns.constant() % machine_.lanes == 0;
  emit_part(loops, block.scratch);
}

}  // namespace descent::codegen
