// The rest of a kernel done on a tile of a contraction while its sums are in registers: where that is short (a bias, an
// activation, plain gradient descent), to write the tile to memory first and go through it again would take as long as
// a tenth of the products.
//
// Tiles overlap at the end of a block (contraction.cpp). What a tile makes again is not finished again where that
// matters: reductions do not take those lanes in, and a variable that would be updated twice is not touched.
#include <algorithm>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using passes::Blocking;

/// Short work on each number, with sums over all or down the columns only.
bool KernelEmitter::finishes_tiles() const {
  constexpr int kShort = 10;  // instructions for a vector; it is in the code once for every vector of the tile
  if (blocking_.form != Blocking::Form::tiles || blocking_.depth > 0 || instructions_ > kShort) return false;
  const passes::ContractionAxes axes = passes::contraction_axes(kernel_.contraction, plan_);
  const Dimension& columns = axes.columns.back().size;
  if (!columns.is_constant()) return false;
  return std::all_of(accumulators_.begin(), accumulators_.end(),
                     [&](const Accumulator& a) { return is_whole(a) || is_column(a); });
}

/// Before the rows of a panel: sums down its columns begin.
void KernelEmitter::begin_columns() {
  for (Accumulator& a : accumulators_) {
    if (!is_column(a)) continue;
    a.columns.clear();
    for (std::int64_t v = 0; v < blocking_.tile_vectors; ++v) {
      a.columns.push_back(stack(vector_type(a.node->type.dtype), "column"));
      builder_.CreateStore(identity(a.node), a.columns.back());
    }
  }
}

/// For the vectors of columns that are this tile's own; of one that is in part, the lanes under a mask.
void KernelEmitter::for_own_vectors(const Product& product, const Panel& panel,
                                    const std::function<void(std::size_t, Value*)>& body) {
  const bool whole_vectors = product.columns.constant() % machine_.lanes == 0;
  for (std::int64_t v = 0; v < blocking_.tile_vectors; ++v) {
    const auto vector = static_cast<std::size_t>(v);
    if (product.column_loop != nullptr) {
      product.column_loop->index = panel.column;
      product.column_loop->ahead = v * machine_.lanes;
    }
    if (panel.all) {
      body(vector, nullptr);
      continue;
    }
    Value *column = add(panel.column, i64(v * machine_.lanes)), *next = add(column, i64(machine_.lanes));
    Value* own = builder_.CreateAnd(builder_.CreateICmpSGE(column, panel.own.begin),
                                    builder_.CreateICmpSLE(next, panel.own.end));
    branch(own, [&] { body(vector, nullptr); });
    if (whole_vectors) continue;
    Value* some = builder_.CreateAnd(builder_.CreateICmpSGT(next, panel.own.begin),
                                     builder_.CreateICmpSLT(column, panel.own.end));
    branch(builder_.CreateAnd(some, builder_.CreateNot(own)), [&] {
      Value* before = lane_mask(builder_.CreateSub(panel.own.begin, column));
      Value* until = lane_mask(builder_.CreateSub(panel.own.end, column));
      body(vector, builder_.CreateAnd(until, builder_.CreateNot(before)));
    });
  }
  if (product.column_loop != nullptr) product.column_loop->ahead = 0;
}

void KernelEmitter::finish_tile(const Product& product, const Panel& panel, const TileRows& rows, const Values& sums,
                                std::vector<Loop>& loops) {
  const auto vectors = static_cast<std::size_t>(blocking_.tile_vectors);
  Panel stored = panel;
  stored.all = panel.all || panel.repeats;
  const auto lanes_of = [&](Value* number) {
    return builder_.CreateVectorSplat(width(), builder_.CreateTrunc(number, builder_.getInt32Ty()));
  };
  const bool sums_rows = !rows.all && rows.repeats && !accumulators_.empty();
  const bool sums_columns =
      !panel.all && panel.repeats &&
      std::any_of(accumulators_.begin(), accumulators_.end(), [&](const Accumulator& a) { return is_whole(a); });
  Value* rows_before = sums_rows ? lanes_of(builder_.CreateSub(rows.own.begin, rows.first)) : nullptr;
  Value* columns_before = sums_columns ? lanes_of(builder_.CreateSub(panel.own.begin, panel.column)) : nullptr;
  for (std::size_t r = 0; r < sums.size() / vectors; ++r) {
    if (product.row_loop != nullptr) {
      product.row_loop->index = rows.first;
      product.row_loop->ahead = static_cast<std::int64_t>(r);
    }
    if (sums_rows) {
      counted_rows_ = builder_.CreateICmpSLE(rows_before, static_cast<Value*>(lanes_.i32(static_cast<int>(r))));
    }
    Value* own = builder_.getTrue();
    if (!rows.all && !rows.repeats) {
      Value* row = add(rows.first, i64(static_cast<std::int64_t>(r)));
      own = builder_.CreateAnd(builder_.CreateICmpSGE(row, rows.own.begin), builder_.CreateICmpSLT(row, rows.own.end));
    }
    branch(own, [&] {
      for_own_vectors(product, stored, [&](std::size_t v, Value* mask) {
        for (Accumulator& a : accumulators_) {
          if (is_column(a)) a.vector = a.columns[v];
        }
        if (sums_columns) {
          Value* first = static_cast<Value*>(lanes_.i32(static_cast<int>(v) * static_cast<int>(width())));
          Value* places = builder_.CreateAdd(first, lane_numbers(builder_.getInt32Ty()));
          counted_columns_ = builder_.CreateICmpSLE(columns_before, places);
        }
        emit_vector(loops, sums[r * vectors + v], mask);
      });
    });
  }
  counted_rows_ = counted_columns_ = nullptr;
  if (product.row_loop != nullptr) product.row_loop->ahead = 0;
  for (Accumulator& a : accumulators_) {
    if (is_column(a)) a.vector = nullptr;
  }
}

/// After the rows of a panel: its sums go to the results.
void KernelEmitter::end_columns(const Product& product, const Panel& panel, std::vector<Loop>& loops) {
  current_ = &loops;
  for_own_vectors(product, panel, [&](std::size_t v, Value* mask) {
    mask_ = mask;
    for (Accumulator& a : accumulators_) {
      if (is_column(a)) accumulate(a, builder_.CreateLoad(vector_type(a.node->type.dtype), a.columns[v]));
    }
  });
}

}  // namespace descent::codegen
