// Contractions: register-blocked matrix products, written as vector code for the machine.
//
// The result is made in tiles of R rows by V vectors of columns. All R * V sums stay in vector registers while the
// contracted axis is walked: each step loads V vectors of the second operand, repeats R numbers of the first in all
// lanes, and does R * V fused multiply-adds. When a tile is complete it goes to a small block on the stack, and the
// elementwise rest of the kernel (bias, activation, reductions, the optimizer's update) runs over it while it is in the
// first-level cache.
//
// Layouts: the lanes run along the columns, so the second operand's columns must be contiguous; where they are not the
// planner has reserved a workspace and the operand is copied there first (needs_packing). A single column with
// contiguous contracted axes is a set of dot products, whose lanes run along the contracted axis instead.
#include <llvm/IR/Intrinsics.h>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;
using Axis = passes::ContractionAxes::Axis;

void KernelEmitter::emit_contraction() {
  passes::ContractionAxes axes = passes::contraction_axes(kernel_.contraction, plan_);
  const auto source = [&](std::size_t i) {
    return pointers_.at(plan_.stored.at(passes::view_of(kernel_.contraction->operands[i], plan_).source));
  };
  Value *lhs = source(0), *rhs = source(1);
  if (kernel_.workspace >= 0) {
    pack_rhs(axes);
    rhs = pointers_.at(kernel_.workspace);
    axes.contracted.back().rhs = axes.columns.back().size;
    axes.columns.back().rhs = Dimension(1);
  }

  // The loops of the space: batch axes, row axes, column axes; those of size 1 have no loop.
  std::vector<Loop> loops;
  std::vector<std::pair<Axis, std::ptrdiff_t>> outer;
  std::ptrdiff_t row = -1, column = -1;
  const auto add_axis = [&](const Axis& axis, bool is_outer) -> std::ptrdiff_t {
    std::ptrdiff_t at = -1;
    if (!axis.size.is_one()) {
      at = static_cast<std::ptrdiff_t>(loops.size());
      loops.push_back(Loop{i64(0), i64(1), axis.size});
    }
    if (is_outer) outer.emplace_back(axis, at);
    return at;
  };
  for (const Axis& axis : axes.batch) add_axis(axis, true);
  for (std::size_t i = 0; i < axes.rows.size(); ++i) row = add_axis(axes.rows[i], i + 1 < axes.rows.size());
  for (std::size_t i = 0; i < axes.columns.size(); ++i) column = add_axis(axes.columns[i], i + 1 < axes.columns.size());

  const auto nest = [&](auto&& self, std::size_t level, Value* a, Value* b) -> void {
    if (level < outer.size()) {
      const auto& [axis, at] = outer[level];
      if (at < 0) return self(self, level + 1, a, b);
      loop(i64(0), size(axis.size), i64(1), [&](Value* i) {
        loops[static_cast<std::size_t>(at)].base = i;
        self(self, level + 1, element(a, multiply(i, size(axis.lhs))), element(b, multiply(i, size(axis.rhs))));
      });
      return;
    }
    Product product{a,
                    b,
                    axes.rows.back().size,
                    axes.columns.back().size,
                    axes.rows.back().lhs,
                    axes.columns.back().rhs,
                    axes.contracted,
                    row < 0 ? nullptr : &loops[static_cast<std::size_t>(row)],
                    column < 0 ? nullptr : &loops[static_cast<std::size_t>(column)]};
    const Axis& inner = axes.contracted.back();
    if (product.columns.is_one() && axes.contracted.size() == 1 && inner.lhs.is_one() && !product.rows.is_one()) {
      emit_dot_products(product, loops);
    } else if (product.columns.is_one() && product.a_row.is_one()) {
      // One column of contiguous rows: the rows are the lanes.
      Product turned{b, a, Dimension(1), product.rows, Dimension(0), product.a_row, {}, nullptr, product.row_loop};
      for (const Axis& k : product.contracted) turned.contracted.push_back(Axis{k.size, k.rhs, k.lhs, Dimension(0)});
      emit_product(turned, loops);
    } else {
      emit_product(product, loops);
    }
  };
  nest(nest, 0, lhs, rhs);
}

/// Copies the second operand to [contracted, columns] in the workspace.
void KernelEmitter::pack_rhs(const passes::ContractionAxes& axes) {
  const Axis &k = axes.contracted.back(), &column = axes.columns.back();
  Value* rhs = pointers_.at(plan_.stored.at(passes::view_of(kernel_.contraction->operands[1], plan_).source));
  Value *columns = size(column.size), *workspace = pointers_.at(kernel_.workspace);
  loop(i64(0), size(k.size), i64(1), [&](Value* i) {
    loop(i64(0), columns, i64(machine_.width), [&](Value* j) {
      Value* mask = lane_mask(builder_.CreateSub(columns, j));
      Value* from = element(rhs, add(multiply(i, size(k.rhs)), multiply(j, size(column.rhs))));
      Value* to = element(workspace, add(multiply(i, columns), j));
      store_vector(load_vector(from, size(column.rhs), false, mask), to, i64(1), true, mask);
    });
  });
}

void KernelEmitter::emit_product(const Product& product, std::vector<Loop>& loops) {
  const auto width = static_cast<std::int64_t>(machine_.width);
  const bool one_row = product.rows.is_one();
  std::int64_t vectors = one_row ? 8 : 2;
  if (product.columns.is_constant()) vectors = std::min(vectors, (product.columns.constant() + width - 1) / width);
  const std::int64_t block = vectors * width;
  Value* columns = size(product.columns);
  if (!product.columns.is_constant()) {
    loop(i64(0), columns, i64(block), [&](Value* j) {
      emit_rows(product, loops, static_cast<unsigned>(vectors), j, minimum(i64(block), builder_.CreateSub(columns, j)));
    });
    return;
  }
  const std::int64_t whole = product.columns.constant() / block * block, rest = product.columns.constant() - whole;
  if (whole > 0) {
    loop(i64(0), i64(whole), i64(block),
         [&](Value* j) { emit_rows(product, loops, static_cast<unsigned>(vectors), j, i64(block)); });
  }
  if (rest > 0) emit_rows(product, loops, static_cast<unsigned>((rest + width - 1) / width), i64(whole), i64(rest));
}

void KernelEmitter::emit_rows(const Product& product, std::vector<Loop>& loops, unsigned vectors, Value* column,
                              Value* column_count) {
  // As many sums as registers allow, with room for the second operand's vectors and one repeated number.
  std::int64_t rows = (static_cast<std::int64_t>(machine_.registers) - vectors - 2) / vectors;
  rows = std::clamp<std::int64_t>(rows, 1, vectors == 1 ? 14 : 12);
  const auto tile = [&](std::int64_t count, Value* row) {
    emit_tile(product, loops, static_cast<unsigned>(count), vectors, row, column, column_count);
  };
  if (product.rows.is_constant()) {
    const std::int64_t total = product.rows.constant();
    rows = std::min(rows, total);
    const std::int64_t whole = total / rows * rows;
    if (whole == rows)
      tile(rows, i64(0));
    else
      loop(i64(0), i64(whole), i64(rows), [&](Value* i) { tile(rows, i); });
    if (total > whole) tile(total - whole, i64(whole));
    return;
  }
  // A number of rows that is known at run time: whole tiles, then fours, then single rows.
  Value* total = size(product.rows);
  Value* whole = builder_.CreateMul(builder_.CreateSDiv(total, i64(rows)), i64(rows));
  Value* fours = builder_.CreateAdd(whole, builder_.CreateAnd(builder_.CreateSub(total, whole), i64(-4)));
  loop(i64(0), whole, i64(rows), [&](Value* i) { tile(rows, i); });
  if (rows > 4) loop(whole, fours, i64(4), [&](Value* i) { tile(4, i); });
  loop(rows > 4 ? fours : whole, total, i64(1), [&](Value* i) { tile(1, i); });
}

void KernelEmitter::emit_tile(const Product& product, std::vector<Loop>& loops, unsigned rows, unsigned vectors,
                              Value* row, Value* column, Value* column_count) {
  const unsigned width = machine_.width;
  auto* type = lanes_.float_vector();
  auto* exact = llvm::dyn_cast<llvm::ConstantInt>(column_count);
  std::vector<Value*> sums, masks(vectors, nullptr);
  for (unsigned v = 0; v < vectors; ++v) {
    if (exact != nullptr && exact->getZExtValue() >= (v + 1) * width) continue;
    masks[v] = lane_mask(builder_.CreateSub(column_count, i64(static_cast<std::int64_t>(v * width))));
  }
  for (unsigned i = 0; i < rows * vectors; ++i) {
    sums.push_back(stack(type, "sum"));
    builder_.CreateStore(llvm::Constant::getNullValue(type), sums.back());
  }
  Value *a_step = size(product.a_row), *b_step = size(product.b_column);
  const auto walk = [&](auto&& self, std::size_t axis, Value* a, Value* b) -> void {
    if (axis < product.contracted.size()) {
      const Axis& k = product.contracted[axis];
      loop(i64(0), size(k.size), i64(1), [&](Value* i) {
        self(self, axis + 1, element(a, multiply(i, size(k.lhs))), element(b, multiply(i, size(k.rhs))));
      });
      return;
    }
    std::vector<Value*> columns;
    for (unsigned v = 0; v < vectors; ++v) {
      Value* from = element(b, multiply(i64(static_cast<std::int64_t>(v * width)), b_step));
      if (product.b_column == Dimension(0)) {
        columns.push_back(builder_.CreateVectorSplat(width, builder_.CreateLoad(builder_.getFloatTy(), from)));
      } else {
        columns.push_back(load_vector(from, b_step, product.b_column.is_one(), masks[v]));
      }
    }
    for (unsigned r = 0; r < rows; ++r) {
      Value* from = element(a, multiply(i64(r), a_step));
      Value* repeated = builder_.CreateVectorSplat(width, builder_.CreateLoad(builder_.getFloatTy(), from));
      for (unsigned v = 0; v < vectors; ++v) {
        Value* sum = sums[r * vectors + v];
        Value* next = builder_.CreateIntrinsic(llvm::Intrinsic::fma, {type},
                                               {repeated, columns[v], builder_.CreateLoad(type, sum)});
        builder_.CreateStore(next, sum);
      }
    }
  };
  walk(walk, 0, element(product.a, multiply(row, a_step)), element(product.b, multiply(column, b_step)));

  Value* tile = stack(llvm::ArrayType::get(builder_.getFloatTy(), std::uint64_t{rows} * vectors * width), "tile");
  for (unsigned i = 0; i < rows * vectors; ++i) {
    builder_.CreateAlignedStore(builder_.CreateLoad(type, sums[i]), element(tile, i64(std::int64_t{i} * width)),
                                llvm::Align(64));
  }
  if (product.row_loop != nullptr) {
    product.row_loop->base = row;
    product.row_loop->count = i64(rows);
    product.row_loop->tile_stride = i64(std::int64_t{vectors} * width);
  }
  if (product.column_loop != nullptr) {
    product.column_loop->base = column;
    product.column_loop->count = column_count;
    product.column_loop->tile_stride = i64(1);
  }
  emit_part(loops, tile);
}

void KernelEmitter::emit_dot_products(const Product& product, std::vector<Loop>& loops) {
  constexpr std::int64_t block = 64;
  // One vector more than the block: the rest of the kernel loads whole vectors.
  Value* tile = stack(llvm::ArrayType::get(builder_.getFloatTy(), block + machine_.width), "tile");
  Value* total = size(product.rows);
  loop(i64(0), total, i64(block), [&](Value* first) {
    Value* count = minimum(i64(block), builder_.CreateSub(total, first));
    Value* fours = builder_.CreateAnd(count, i64(-4));
    loop(i64(0), fours, i64(4), [&](Value* i) { emit_dot_rows(product, 4, add(first, i), tile, i); });
    loop(fours, count, i64(1), [&](Value* i) { emit_dot_rows(product, 1, add(first, i), tile, i); });
    product.row_loop->base = first;
    product.row_loop->count = count;
    product.row_loop->tile_stride = i64(1);
    emit_part(loops, tile);
  });
}

void KernelEmitter::emit_dot_rows(const Product& product, unsigned rows, Value* first, Value* tile,
                                  Value* tile_offset) {
  auto* type = lanes_.float_vector();
  const Axis& k = product.contracted[0];
  const auto width = i64(machine_.width);
  Value *length = size(k.size), *b_step = size(k.rhs), *a_step = size(product.a_row);
  std::vector<Value*> sums;
  for (unsigned r = 0; r < rows; ++r) {
    sums.push_back(stack(type, "sum"));
    builder_.CreateStore(llvm::Constant::getNullValue(type), sums.back());
  }
  Value* base = element(product.a, multiply(first, a_step));
  const auto step = [&](Value* i, Value* mask) {
    Value* b = load_vector(element(product.b, multiply(i, b_step)), b_step, k.rhs.is_one(), mask);
    for (unsigned r = 0; r < rows; ++r) {
      Value* a = load_vector(element(base, add(multiply(i64(r), a_step), i)), i64(1), true, mask);
      Value* sum = builder_.CreateLoad(type, sums[r]);
      builder_.CreateStore(builder_.CreateIntrinsic(llvm::Intrinsic::fma, {type}, {a, b, sum}), sums[r]);
    }
  };
  Value* whole = builder_.CreateAnd(length, i64(-static_cast<std::int64_t>(machine_.width)));
  loop(i64(0), whole, width, [&](Value* i) { step(i, nullptr); });
  loop(whole, length, width, [&](Value* i) { step(i, lane_mask(builder_.CreateSub(length, i))); });
  for (unsigned r = 0; r < rows; ++r) {
    Value* sum = reduce_lanes(nullptr, builder_.CreateLoad(type, sums[r]));
    builder_.CreateStore(sum, element(tile, add(tile_offset, i64(r))));
  }
}

}  // namespace descent::codegen
