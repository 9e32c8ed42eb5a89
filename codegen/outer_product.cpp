// A product whose contracted axis has one element, or, a batch, happens to have: the gradient of a weight from a single
// row is an outer product. Each number is then one multiplication, and memory is what takes time: the rest of the
// kernel walks the result from one end to the other, which the processor sees and fetches ahead, and no tile is made.
//
// The number is the one that a tile would make, so that results do not depend on which way was taken.
#include <algorithm>

#include "codegen/kernel_emitter.h"
#include "passes/estimate.h"

namespace descent::codegen {

using ir::Dimension;

/// Whether there is code for it: a result that fits the first-level cache beside its operands is made by tiles as fast.
bool KernelEmitter::may_be_outer(const Product& product) const {
  if (blocking_.form == passes::Blocking::Form::dots) return false;
  if (blocking_.outer) return true;
  if (product.contracted.size() != 1 || product.contracted[0].size.is_constant()) return false;
  return passes::estimate(product.rows) * passes::estimate(product.columns) * machine_.element > machine_.level1 / 2;
}

void KernelEmitter::emit_outer_product(const Product& product, std::vector<Loop>& loops) {
  const auto walk = [&](Loop* along, const Dimension& whole, const Range& range) {
    if (along == nullptr) return;
    along->base = range.begin;
    along->count = builder_.CreateSub(range.end, range.begin);
    along->whole_vectors = whole.is_constant() && whole.constant() % machine_.lanes == 0;
  };
  walk(product.row_loop, product.rows, rows_of(product));
  walk(product.column_loop, product.columns, columns_of(product));
  outer_ = &product;
  if (product.row_loop == nullptr ||
      std::none_of(accumulators_.begin(), accumulators_.end(), [&](const Accumulator& a) { return is_column(a); })) {
    emit_part(loops, nullptr);
  } else {  // sums down the columns, of so few rows at a time that all of them are read as they lie
    constexpr std::int64_t few = 16;
    const Range rows = rows_of(product);
    loop(rows.begin, rows.end, i64(few), [&](Value* row) {
      product.row_loop->base = row;
      product.row_loop->count = minimum(i64(few), builder_.CreateSub(rows.end, row));
      emit_part(loops, nullptr);
    });
  }
  outer_ = nullptr;
}

/// The products of the vector at hand.
llvm::Value* KernelEmitter::outer_vector(Value* mask) {
  const auto at = [&](Value* base, const Loop* along, const Dimension& stride) {
    return along == nullptr ? base : element(base, multiply(along->index, size(stride)));
  };
  Value* number = builder_.CreateLoad(product_type(), at(outer_->a, outer_->row_loop, outer_->a_row));
  Value* repeated = builder_.CreateVectorSplat(width(), number);
  Value* from = at(outer_->b, outer_->column_loop, outer_->b_column);
  if (outer_->b_column == Dimension(0)) {
    return builder_.CreateFMul(repeated,
                               builder_.CreateVectorSplat(width(), builder_.CreateLoad(product_type(), from)));
  }
  return builder_.CreateFMul(repeated, load_vector(from, size(outer_->b_column), outer_->b_column.is_one(), mask));
}

}  // namespace descent::codegen
